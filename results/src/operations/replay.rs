//! What an object was after each operation of a legal order, in words.

use std::collections::VecDeque;

use history::Outcome;
use history::exchange::operations::{Action, Operations, TextId};

/// Characters of a string's end that are shown.
const TAIL: usize = 60;

/// The states of one object after each operation of an order that is legal. `initial` is a register's first
/// value.
pub(super) fn states(operations: &Operations, initial: TextId, order: &[u32]) -> Vec<String> {
    let mut value = initial;
    let mut string = String::new();
    let mut held = false;
    let mut queue: VecDeque<TextId> = VecDeque::new();
    let mut end = 0;
    order
        .iter()
        .map(|op| {
            let operation = &operations.all[*op as usize];
            match operation.action {
                Action::Write(to) => {
                    value = to;
                    operations.values.get(to).clone_into(&mut string);
                }
                Action::Cas { to, swapped: true, .. } => value = to,
                Action::Concat(more) => string.push_str(operations.values.get(more)),
                Action::Acquire => held = true,
                Action::Release => held = false,
                Action::Enqueue(more) => queue.push_back(more),
                Action::Dequeue(taken) if taken.is_some() || operation.outcome == Outcome::Unknown => {
                    queue.pop_front();
                }
                Action::Append { values, .. } => end += values.count,
                _ => {}
            }
            match operation.action {
                Action::Acquire | Action::Release => if held { "held" } else { "free" }.to_owned(),
                Action::Enqueue(_) | Action::Dequeue(_) => match queue.front() {
                    Some(first) => format!("{} inside, {} first", queue.len(), operations.show(*first)),
                    None => "empty".to_owned(),
                },
                Action::Append { .. } | Action::ReadLog { .. } | Action::EndOffset { .. } => {
                    format!("end {end}")
                }
                _ if operations.model == history::exchange::operations::Model::Kv => tail(&string),
                _ => operations.show(value),
            }
        })
        .collect()
}

fn tail(string: &str) -> String {
    match string.char_indices().nth_back(TAIL) {
        Some((start, first)) => format!("\"…{}\"", &string[start + first.len_utf8()..]),
        None => format!("\"{string}\""),
    }
}
