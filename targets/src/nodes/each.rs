//! The same for every node, at once: hosts answer in their own time, and one that is slow holds nobody else up.

use std::panic::resume_unwind;
use std::thread;

/// Does `act` for each on a thread of its own, and returns what came of it in the same order. For a handful of
/// nodes; a panic of one is passed on when all have ended.
pub fn each<T: Sync, R: Send>(nodes: &[T], act: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let act = &act;
    thread::scope(|scope| {
        let running: Vec<_> = nodes.iter().map(|node| scope.spawn(move || act(node))).collect();
        let ended: Vec<_> = running.into_iter().map(thread::ScopedJoinHandle::join).collect();
        ended.into_iter().map(|result| result.unwrap_or_else(|panic| resume_unwind(panic))).collect()
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn all_are_asked_at_once_and_answer_in_order() {
        let all_there = Barrier::new(3);
        let answers = each(&[1, 2, 3], |node| {
            all_there.wait();
            node * 10
        });
        assert_eq!(answers, [10, 20, 30]);
    }
}
