//! The server-side assignors (KIP-848): `uniform` balances and moves as little as it can, `range` gives every
//! member a row of neighbours of each topic.

use std::collections::{BTreeMap, BTreeSet};

use super::super::super::super::types::Uuid;
use super::{Share, Topics};

/// How partitions are divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Assignor {
    Uniform,
    Range,
}

/// Topics by id that each member reads.
type Subscriptions = BTreeMap<String, BTreeSet<Uuid>>;

impl Assignor {
    /// All of them; the first is the default.
    pub(super) const ALL: [Self; 2] = [Self::Uniform, Self::Range];

    /// Its name on the wire.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Range => "range",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|assignor| assignor.name() == name)
    }

    /// Who shall have what.
    pub(super) fn assign(
        self,
        subscriptions: &Subscriptions,
        topics: &Topics,
        current: &BTreeMap<String, Share>,
    ) -> BTreeMap<String, Share> {
        match self {
            Self::Uniform => uniform(subscriptions, topics, current),
            Self::Range => range(subscriptions, topics),
        }
    }
}

/// Keeps what each member has and still reads, gives the rest to whoever has least, and then moves single
/// partitions until no member could take one from another that has two more.
fn uniform(
    subscriptions: &Subscriptions,
    topics: &Topics,
    current: &BTreeMap<String, Share>,
) -> BTreeMap<String, Share> {
    let all: Share = topics.values().flat_map(|(id, count)| (0..*count).map(|at| (*id, at))).collect();
    let mut taken = Share::new();
    let mut shares: BTreeMap<String, Share> = BTreeMap::new();
    for (member, reads) in subscriptions {
        let kept: Share = current
            .get(member)
            .into_iter()
            .flatten()
            .filter(|partition| {
                reads.contains(&partition.0) && all.contains(*partition) && !taken.contains(*partition)
            })
            .copied()
            .collect();
        taken.extend(&kept);
        shares.insert(member.clone(), kept);
    }
    // Topics that few read come first: who reads more can make up for it with others.
    let mut open: Vec<_> = (&all - &taken).into_iter().collect();
    let readers = |topic: &Uuid| subscriptions.values().filter(|reads| reads.contains(topic)).count();
    let counts: BTreeMap<Uuid, usize> = topics.values().map(|(id, _)| (*id, readers(id))).collect();
    open.sort_by_key(|partition| (counts.get(&partition.0).copied(), *partition));
    for partition in open {
        let reading = subscriptions.iter().filter(|(_, reads)| reads.contains(&partition.0));
        let least = reading.map(|(member, _)| member).min_by_key(|member| (shares[*member].len(), *member));
        if let Some(share) = least.cloned().and_then(|member| shares.get_mut(&member)) {
            share.insert(partition);
        }
    }
    balance(subscriptions, &mut shares);
    shares
}

fn balance(subscriptions: &Subscriptions, shares: &mut BTreeMap<String, Share>) {
    // Every move brings two shares closer together, so this ends; the bound is a seat belt.
    let most = shares.values().map(BTreeSet::len).sum::<usize>() * (shares.len() + 1);
    for _ in 0..most {
        let Some((from, to, partition)) = improvement(subscriptions, shares) else { return };
        if let Some(share) = shares.get_mut(&from) {
            share.remove(&partition);
        }
        if let Some(share) = shares.get_mut(&to) {
            share.insert(partition);
        }
    }
}

fn improvement(
    subscriptions: &Subscriptions,
    shares: &BTreeMap<String, Share>,
) -> Option<(String, String, (Uuid, i32))> {
    let mut by_size: Vec<_> = shares.iter().collect();
    by_size.sort_by_key(|(member, share)| (share.len(), *member));
    for (to, small) in &by_size {
        let reads = subscriptions.get(*to)?;
        for (from, large) in by_size.iter().rev().take_while(|(_, large)| large.len() > small.len() + 1) {
            if let Some(partition) = large.iter().rev().find(|partition| reads.contains(&partition.0)) {
                return Some(((*from).clone(), (*to).clone(), *partition));
            }
        }
    }
    None
}

/// Of each topic, a row of neighbours for each of its readers, in the order of their ids; the first ones get one
/// more where it does not come out even.
fn range(subscriptions: &Subscriptions, topics: &Topics) -> BTreeMap<String, Share> {
    let mut shares: BTreeMap<String, Share> =
        subscriptions.keys().map(|member| (member.clone(), Share::new())).collect();
    for (id, count) in topics.values() {
        let readers: Vec<_> =
            subscriptions.iter().filter(|(_, reads)| reads.contains(id)).map(|(member, _)| member).collect();
        let Some(number) = i32::try_from(readers.len()).ok().filter(|number| *number > 0) else { continue };
        let mut next = 0;
        for (at, member) in (0..).zip(readers) {
            let size = count / number + i32::from(at < count % number);
            if let Some(share) = shares.get_mut(member) {
                share.extend((next..next + size).map(|partition| (*id, partition)));
            }
            next += size;
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Uuid = Uuid([1; 16]);
    const B: Uuid = Uuid([2; 16]);

    fn topics() -> Topics {
        BTreeMap::from([("a".to_owned(), (A, 7)), ("b".to_owned(), (B, 2))])
    }

    fn readers(all: &[(&str, &[Uuid])]) -> Subscriptions {
        all.iter().map(|(name, reads)| ((*name).to_owned(), reads.iter().copied().collect())).collect()
    }

    fn sizes(shares: &BTreeMap<String, Share>) -> Vec<usize> {
        shares.values().map(BTreeSet::len).collect()
    }

    fn everything_once(shares: &BTreeMap<String, Share>) -> bool {
        let all: Share = shares.values().flatten().copied().collect();
        all.len() == 9 && sizes(shares).iter().sum::<usize>() == 9
    }

    #[test]
    fn uniform_balances_and_moves_no_more_than_it_must() {
        let both: &[Uuid] = &[A, B];
        let two = readers(&[("m1", both), ("m2", both)]);
        let before = Assignor::Uniform.assign(&two, &topics(), &BTreeMap::new());
        assert_eq!((sizes(&before), everything_once(&before)), (vec![5, 4], true));
        let three = readers(&[("m1", both), ("m2", both), ("m3", both)]);
        let after = Assignor::Uniform.assign(&three, &topics(), &before);
        assert_eq!((sizes(&after), everything_once(&after)), (vec![3, 3, 3], true));
        for member in ["m1", "m2"] {
            assert!(after[member].is_subset(&before[member]), "{member} only gives");
        }
        let left = readers(&[("m2", both), ("m3", both)]);
        let last = Assignor::Uniform.assign(&left, &topics(), &after);
        assert_eq!((sizes(&last), everything_once(&last)), (vec![5, 4], true));
        assert!(after["m2"].is_subset(&last["m2"]) && after["m3"].is_subset(&last["m3"]));
    }

    #[test]
    fn uniform_gives_nobody_what_it_does_not_read() {
        let some = readers(&[("m1", &[A, B]), ("m2", &[A]), ("m3", &[])]);
        let shares = Assignor::Uniform.assign(&some, &topics(), &BTreeMap::new());
        assert_eq!((sizes(&shares), everything_once(&shares)), (vec![5, 4, 0], true));
        assert!(shares["m2"].iter().all(|(topic, _)| *topic == A));
    }

    #[test]
    fn range_gives_neighbours() {
        let both: &[Uuid] = &[A, B];
        let shares =
            Assignor::Range.assign(&readers(&[("m1", both), ("m2", both)]), &topics(), &BTreeMap::new());
        assert!(everything_once(&shares));
        let first: Share = (0..4).map(|at| (A, at)).chain([(B, 0)]).collect();
        assert_eq!(shares["m1"], first);
    }
}
