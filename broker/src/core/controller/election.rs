//! Who leads a partition: pure functions from one state of it to the next.
//!
//! Eligible leader replicas (KIP-966) are off: the ISR alone is eligible, and its last member stays in it
//! even while fenced. So a last replica that loses records in a power failure is elected all the same, and
//! what it lost is lost everywhere: Kafka's behaviour before ELR.

use super::super::image::{NO_LEADER, PartitionImage};

/// The partition after `gone` was fenced; `None` if it does not concern it. `live` no longer holds `gone`.
///
/// The fenced broker leaves the ISR unless it is the last member. If it led, the first live member of the
/// ISR in order of preference leads, else nobody (or, uncleanly, any live replica).
pub(super) fn without(
    partition: &PartitionImage,
    gone: i32,
    live: &[i32],
    unclean: bool,
) -> Option<PartitionImage> {
    if partition.leader != gone && !partition.isr.contains(&gone) {
        return None;
    }
    let mut next = partition.clone();
    if next.isr.len() > 1 {
        next.isr.retain(|node| *node != gone);
    }
    if next.leader == gone {
        next.leader = NO_LEADER;
        next = led_again(&next, live, unclean).unwrap_or(next);
        next.leader_epoch = partition.leader_epoch + 1;
    }
    (next != *partition).then_some(next)
}

/// A partition without leader, led again if it can be; `None` if it is led or cannot.
pub(super) fn led_again(partition: &PartitionImage, live: &[i32], unclean: bool) -> Option<PartitionImage> {
    if partition.leader != NO_LEADER {
        return None;
    }
    let lives = |node: &&i32| live.contains(node);
    let clean = partition.replicas.iter().filter(lives).find(|node| partition.isr.contains(node));
    let mut next = partition.clone();
    match clean.or_else(|| partition.replicas.iter().find(lives).filter(|_| unclean)) {
        Some(&leader) => {
            next.leader = leader;
            next.leader_epoch += 1;
            if clean.is_none() {
                next.isr = vec![leader];
            }
            Some(next)
        }
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(leader: i32, isr: &[i32]) -> PartitionImage {
        PartitionImage {
            replicas: vec![1, 2, 3],
            isr: isr.to_vec(),
            leader,
            leader_epoch: 5,
            partition_epoch: 9,
        }
    }

    fn shape(state: Option<PartitionImage>) -> Option<(i32, i32, Vec<i32>)> {
        state.map(|state| (state.leader, state.leader_epoch, state.isr))
    }

    #[test]
    fn a_fenced_leader_is_followed_by_a_live_member_of_the_isr() {
        let next = without(&partition(1, &[1, 2, 3]), 1, &[3], false);
        assert_eq!(shape(next), Some((3, 6, vec![2, 3])));
    }

    #[test]
    fn a_fenced_follower_only_leaves_the_isr() {
        let next = without(&partition(1, &[1, 2]), 2, &[1, 3], false);
        assert_eq!(shape(next), Some((1, 5, vec![1])));
        assert_eq!(without(&partition(1, &[1, 2]), 3, &[1, 2], false), None);
    }

    #[test]
    fn the_last_member_stays_in_the_isr_and_is_elected_when_it_returns() {
        let gone = without(&partition(1, &[1]), 1, &[2, 3], false).expect("changed");
        assert_eq!(shape(Some(gone.clone())), Some((NO_LEADER, 6, vec![1])));
        assert_eq!(led_again(&gone, &[2, 3], false), None, "nobody else is clean");
        assert_eq!(shape(led_again(&gone, &[1, 2], false)), Some((1, 7, vec![1])));
        assert_eq!(without(&gone, 1, &[2, 3], false), None, "it has left already");
    }

    #[test]
    fn an_unclean_election_makes_the_new_leader_the_whole_isr() {
        let next = without(&partition(1, &[1]), 1, &[3], true);
        assert_eq!(shape(next), Some((3, 6, vec![3])));
    }
}
