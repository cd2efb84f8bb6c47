//! Who leads a partition, who is in sync, who is eligible: pure functions from one state of it to the next
//! (Apache Kafka, `PartitionChangeBuilder`).
//!
//! With eligible leader replicas off the ISR alone is eligible, and its last member stays in it even while
//! fenced. So a last replica that loses records in a power failure is elected all the same, and what it lost
//! is lost everywhere: Kafka's behaviour before KIP-966. With them on, the ISR may be empty; who left it while
//! it was below `min.insync.replicas` is eligible, unless it has restarted uncleanly since.

use super::super::image::{NO_LEADER, PartitionImage};

/// What the settings of a topic say about its partitions' leaders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rules {
    /// `unclean.leader.election.enable`
    pub(super) unclean: bool,
    /// Eligible leader replicas are on.
    pub(super) elr: bool,
    /// `min.insync.replicas`
    pub(super) min_isr: usize,
}

/// The partition after `gone` was fenced; `None` if it does not concern it. `live` no longer holds `gone`.
///
/// The fenced broker leaves the ISR, unless it is the last member and eligible replicas are off. If it led,
/// another leads, else nobody.
pub(super) fn without(
    partition: &PartitionImage,
    gone: i32,
    live: &[i32],
    rules: Rules,
) -> Option<PartitionImage> {
    if partition.leader != gone && !partition.isr.contains(&gone) {
        return None;
    }
    let mut next = partition.clone();
    if next.isr.len() > 1 || rules.elr {
        next.isr.retain(|node| *node != gone);
    }
    settled(partition, next, live, rules, None)
}

/// The partition after a replica has come back that did not end cleanly: what it had may be gone.
pub(super) fn after_unclean_end(
    partition: &PartitionImage,
    node: i32,
    live: &[i32],
    rules: Rules,
) -> Option<PartitionImage> {
    if !rules.elr || !(partition.isr.contains(&node) || partition.elr.contains(&node)) {
        return None;
    }
    let mut next = partition.clone();
    next.isr.retain(|member| *member != node);
    settled(partition, next, live, rules, Some(node))
}

/// A partition led as well as it can be: one without leader is led again, if anyone may lead it.
pub(super) fn led_again(partition: &PartitionImage, live: &[i32], rules: Rules) -> Option<PartitionImage> {
    settled(partition, partition.clone(), live, rules, None)
}

/// The partition led by its preferred replica; `None` if it is already, or that one is not alive and in sync.
pub(super) fn preferred(partition: &PartitionImage, live: &[i32], rules: Rules) -> Option<PartitionImage> {
    let preferred = *partition.target().first()?;
    let fit = live.contains(&preferred) && partition.isr.contains(&preferred);
    if partition.leader == preferred || !fit {
        return None;
    }
    let mut next = partition.clone();
    next.leader = preferred;
    settled(partition, next, live, rules, None)
}

/// Ends a reassignment that is done, elects a leader if none is fit, and keeps the eligible replicas right.
/// `lost` is a replica that may have lost records. `None`: nothing has changed from `before`.
pub(super) fn settled(
    before: &PartitionImage,
    mut next: PartitionImage,
    live: &[i32],
    rules: Rules,
    lost: Option<i32>,
) -> Option<PartitionImage> {
    end_reassignment(&mut next);
    elect(before, &mut next, live, rules, lost);
    note_eligible(before, &mut next, rules, lost);
    // A leader that stays has to learn of replicas it did not know, and of those it must no longer wait for.
    let moved = next.leader != before.leader || next.replicas != before.replicas;
    if moved {
        next.leader_epoch = before.leader_epoch + 1;
    }
    (next != *before).then_some(next)
}

/// Once every added replica is in sync, those to be removed go.
fn end_reassignment(next: &mut PartitionImage) {
    let Some(reassignment) = &next.reassignment else { return };
    let target = next.target();
    let added = reassignment.adding.iter().all(|node| next.isr.contains(node));
    let isr: Vec<i32> = next.isr.iter().copied().filter(|node| target.contains(node)).collect();
    if added && !isr.is_empty() {
        next.isr = isr;
        next.replicas = target;
        next.reassignment = None;
    }
}

fn elect(before: &PartitionImage, next: &mut PartitionImage, live: &[i32], rules: Rules, lost: Option<i32>) {
    let lives = |node: &&i32| live.contains(node);
    if lives(&&next.leader) && next.isr.contains(&next.leader) {
        return;
    }
    let eligible = |node: &&i32| rules.elr && before.elr.contains(node) && lost != Some(**node);
    let nobody_eligible = !before.elr.iter().any(|node| eligible(&node));
    let mut replicas = next.replicas.iter().filter(lives);
    let clean = replicas.clone().find(|node| next.isr.contains(node) || eligible(node));
    // The last that led, if nobody is eligible any more (KIP-966, balanced recovery).
    let last = || {
        let last = before.last_known_elr.first().filter(lives)?;
        (rules.elr && nobody_eligible && next.isr.is_empty()).then_some(last)
    };
    match clean.or_else(last).or_else(|| replicas.next().filter(|_| rules.unclean)) {
        Some(&leader) => {
            next.leader = leader;
            if !next.isr.contains(&leader) {
                next.isr = vec![leader];
            }
        }
        None => next.leader = NO_LEADER,
    }
}

fn note_eligible(before: &PartitionImage, next: &mut PartitionImage, rules: Rules, lost: Option<i32>) {
    if !rules.elr || next.isr.len() >= rules.min_isr.min(next.target().len()) {
        next.elr.clear();
        next.last_known_elr.clear();
        return;
    }
    let mut known: Vec<i32> = Vec::new();
    for node in before.elr.iter().chain(&before.isr) {
        if next.replicas.contains(node) && !next.isr.contains(node) && !known.contains(node) {
            known.push(*node);
        }
    }
    known.retain(|node| lost != Some(*node));
    next.elr = known;
    // Balanced recovery remembers one broker, the last that led.
    next.last_known_elr = match (next.isr.is_empty(), before.leader) {
        (false, _) => Vec::new(),
        (true, NO_LEADER) => before.last_known_elr.clone(),
        (true, leader) => vec![leader],
    };
}

#[cfg(test)]
mod tests {
    use super::super::super::image::Reassignment;
    use super::*;

    const OLD: Rules = Rules { unclean: false, elr: false, min_isr: 2 };
    const UNCLEAN: Rules = Rules { unclean: true, ..OLD };
    const ELR: Rules = Rules { elr: true, ..OLD };

    fn partition(leader: i32, isr: &[i32]) -> PartitionImage {
        PartitionImage {
            isr: isr.to_vec(),
            leader,
            leader_epoch: 5,
            partition_epoch: 9,
            ..PartitionImage::new(vec![1, 2, 3])
        }
    }

    fn shape(state: Option<PartitionImage>) -> Option<(i32, i32, Vec<i32>)> {
        state.map(|state| (state.leader, state.leader_epoch, state.isr))
    }

    #[test]
    fn a_fenced_leader_is_followed_by_a_live_member_of_the_isr() {
        let next = without(&partition(1, &[1, 2, 3]), 1, &[3], OLD);
        assert_eq!(shape(next), Some((3, 6, vec![2, 3])));
    }

    #[test]
    fn a_fenced_follower_only_leaves_the_isr() {
        let next = without(&partition(1, &[1, 2]), 2, &[1, 3], OLD);
        assert_eq!(shape(next), Some((1, 5, vec![1])));
        assert_eq!(without(&partition(1, &[1, 2]), 3, &[1, 2], OLD), None);
    }

    #[test]
    fn the_last_member_stays_in_the_isr_and_is_elected_when_it_returns() {
        let gone = without(&partition(1, &[1]), 1, &[2, 3], OLD).expect("changed");
        assert_eq!(shape(Some(gone.clone())), Some((NO_LEADER, 6, vec![1])));
        assert_eq!(led_again(&gone, &[2, 3], OLD), None, "nobody else is clean");
        assert_eq!(shape(led_again(&gone, &[1, 2], OLD)), Some((1, 7, vec![1])));
        assert_eq!(without(&gone, 1, &[2, 3], OLD), None, "it has left already");
    }

    #[test]
    fn an_unclean_election_makes_the_new_leader_the_whole_isr() {
        let next = without(&partition(1, &[1]), 1, &[3], UNCLEAN);
        assert_eq!(shape(next), Some((3, 6, vec![3])));
    }

    #[test]
    fn the_preferred_leader_leads_again_if_it_is_in_sync() {
        assert_eq!(shape(preferred(&partition(2, &[1, 2]), &[1, 2], OLD)), Some((1, 6, vec![1, 2])));
        assert_eq!(preferred(&partition(2, &[2, 3]), &[1, 2, 3], OLD), None, "out of sync");
        assert_eq!(preferred(&partition(2, &[1, 2]), &[2, 3], OLD), None, "not alive");
        assert_eq!(preferred(&partition(1, &[1, 2]), &[1, 2], OLD), None, "it leads");
    }

    #[test]
    fn who_leaves_an_isr_below_its_minimum_is_eligible_until_it_ends_uncleanly() {
        let one_left = without(&partition(1, &[1, 2]), 2, &[1, 3], ELR).expect("changed");
        assert_eq!((one_left.isr.as_slice(), one_left.elr.as_slice()), (&[1][..], &[2][..]));
        let none_left = without(&one_left, 1, &[3], ELR).expect("changed");
        assert_eq!((none_left.leader, none_left.isr.len()), (NO_LEADER, 0));
        assert_eq!(none_left.elr, [2, 1]);
        let elected = led_again(&none_left, &[2, 3], ELR).expect("2 is eligible");
        assert_eq!((elected.leader, elected.isr.as_slice()), (2, &[2][..]));
        assert_eq!(elected.elr, [1]);

        let unclean = after_unclean_end(&none_left, 1, &[3], ELR).expect("changed");
        assert_eq!((unclean.elr.as_slice(), unclean.last_known_elr.as_slice()), (&[2][..], &[1][..]));
        assert_eq!(led_again(&unclean, &[1, 3], ELR), None, "what 1 had may be gone, and 2 has it");
        assert!(led_again(&unclean, &[1, 2, 3], ELR).is_some_and(|state| state.leader == 2));
    }

    #[test]
    fn a_last_leader_that_ended_uncleanly_leads_again_if_nobody_else_was_eligible() {
        let alone = PartitionImage { leader_epoch: 5, ..PartitionImage::new(vec![1]) };
        let gone = without(&alone, 1, &[2], ELR).expect("changed");
        assert_eq!((gone.leader, gone.elr.as_slice()), (NO_LEADER, &[1][..]));
        let back = after_unclean_end(&gone, 1, &[2], ELR).expect("changed");
        assert_eq!(back.last_known_elr, [1]);
        let leads = led_again(&back, &[1, 2], ELR).expect("changed");
        assert_eq!((leads.leader, leads.isr.as_slice()), (1, &[1][..]));
        assert!(leads.elr.is_empty() && leads.last_known_elr.is_empty());
    }

    #[test]
    fn a_full_isr_needs_no_eligible_replicas() {
        let mut low = partition(1, &[1]);
        low.elr = vec![2, 3];
        let mut next = low.clone();
        next.isr = vec![1, 3];
        let full = settled(&low, next, &[1, 3], ELR, None).expect("changed");
        assert!(full.elr.is_empty());
        let off = led_again(&low, &[1], OLD).expect("the feature was turned off");
        assert!(off.elr.is_empty());
    }

    #[test]
    fn a_reassignment_ends_when_all_added_are_in_sync_and_moves_a_leader_that_goes() {
        let mut moving = partition(1, &[1, 2]);
        moving.replicas = vec![3, 4, 1, 2];
        moving.reassignment = Some(Reassignment { adding: vec![3, 4], removing: vec![1, 2] });
        let live = [1, 2, 3, 4];
        let mut next = moving.clone();
        next.isr.push(3);
        let half = settled(&moving, next, &live, OLD, None).expect("changed");
        assert!(half.reassignment.is_some() && half.leader == 1 && half.leader_epoch == 5);
        let mut next = half.clone();
        next.isr.push(4);
        let done = settled(&half, next, &live, OLD, None).expect("changed");
        assert_eq!((done.replicas.as_slice(), done.isr.as_slice()), (&[3, 4][..], &[3, 4][..]));
        assert_eq!((done.leader, done.leader_epoch, done.reassignment), (3, 6, None));
    }
}
