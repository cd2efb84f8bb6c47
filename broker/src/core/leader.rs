//! What only the leader of a partition knows: how far each follower is, who is in sync, who waits.

use std::collections::{BTreeMap, BTreeSet};

use super::image::ClusterImage;
use super::message::IsrMember;
use super::types::RequestId;

/// A produce that waits until the high watermark reaches an offset: the offset, the request, and the
/// partition's index in it.
pub(super) type Waiter = (i64, RequestId, usize);

/// What a follower's fetch says of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// Its broker epoch.
    pub(super) broker_epoch: i64,
    /// It has everything below.
    pub(super) offset: i64,
    /// Where its own log starts.
    pub(super) log_start: i64,
}

/// A follower as its fetches show it.
#[derive(Debug, Clone, Copy)]
struct Follower {
    /// It has everything below; `None` until it has fetched in this leader epoch.
    end: Option<i64>,
    /// Broker epoch of its last fetch; -1 until then.
    broker_epoch: i64,
    fetched_at_ms: u64,
    /// Where its own log starts; -1 until it has said so.
    log_start: i64,
    /// The leader's own end at that fetch.
    leader_end: i64,
    /// When it last had everything the leader had; `None` if not yet in this leader epoch.
    caught_up_ms: Option<u64>,
}

impl Follower {
    const fn is_caught_up(&self, now_ms: u64, lag_ms: u64, leader_end: i64) -> bool {
        match self.end {
            Some(end) if end >= leader_end => true,
            _ => match self.caught_up_ms {
                Some(at) => now_ms.saturating_sub(at) <= lag_ms,
                None => false,
            },
        }
    }
}

/// A proposed ISR that the controller has not confirmed (KIP-497).
#[derive(Debug)]
pub(super) struct Pending {
    /// Number of the last request that carried it.
    pub(super) request: u64,
    /// When that was sent.
    pub(super) sent_ms: u64,
    /// The controller has a newer state, which is on its way: do not send again, wait for it.
    pub(super) superseded: bool,
    /// As proposed first. A retry must not vouch for a later incarnation of a member (KIP-903).
    pub(super) isr: Vec<IsrMember>,
}

/// The leader's side of a partition, for one leader epoch.
#[derive(Debug)]
pub(super) struct Leader {
    /// Where the log ended when this epoch began.
    pub(super) epoch_start: i64,
    /// As the controller last confirmed it.
    pub(super) isr: Vec<i32>,
    pub(super) pending: Option<Pending>,
    pub(super) waiting: BTreeSet<Waiter>,
    followers: BTreeMap<i32, Follower>,
}

impl Leader {
    /// Takes over. Members of the ISR count as caught up now, so that they have time to fetch.
    pub(super) fn new(me: i32, replicas: &[i32], isr: &[i32], epoch_start: i64, now_ms: u64) -> Self {
        let follower = |node: i32| {
            let caught_up_ms = isr.contains(&node).then_some(now_ms);
            let unknown = Follower {
                end: None,
                broker_epoch: -1,
                fetched_at_ms: 0,
                log_start: -1,
                leader_end: i64::MAX,
                caught_up_ms,
            };
            (node, unknown)
        };
        Self {
            epoch_start,
            isr: isr.to_vec(),
            pending: None,
            waiting: BTreeSet::new(),
            followers: replicas.iter().filter(|node| **node != me).map(|node| follower(*node)).collect(),
        }
    }

    /// Every broker that is or may already be in the ISR: a proposed member counts as soon as it is
    /// proposed, a proposed removal only once it is confirmed. What all of these have is committed
    /// whatever the controller has decided meanwhile.
    pub(super) fn maximal_isr(&self) -> BTreeSet<i32> {
        let pending = self.pending.iter().flat_map(|pending| &pending.isr);
        self.isr.iter().copied().chain(pending.map(|member| member.node)).collect()
    }

    /// Whether this broker replicates the partition.
    pub(super) fn has_follower(&self, node: i32) -> bool {
        self.followers.contains_key(&node)
    }

    /// Takes note of a valid fetch; `false` if it comes from an older incarnation of the follower than
    /// one that has fetched already.
    pub(super) fn note_fetch(&mut self, node: i32, seen: Seen, leader_end: i64, now_ms: u64) -> bool {
        let Seen { broker_epoch, offset: fetch_offset, log_start } = seen;
        let Some(follower) = self.followers.get_mut(&node) else { return false };
        if broker_epoch < follower.broker_epoch {
            return false;
        }
        if fetch_offset >= leader_end {
            follower.caught_up_ms = Some(now_ms);
        } else if fetch_offset >= follower.leader_end {
            follower.caught_up_ms = follower.caught_up_ms.max(Some(follower.fetched_at_ms));
        }
        follower.end = Some(fetch_offset);
        follower.broker_epoch = broker_epoch;
        follower.fetched_at_ms = now_ms;
        follower.log_start = log_start;
        follower.leader_end = leader_end;
        true
    }

    /// The least log start among the leader's and those of the followers that live.
    pub(super) fn low_watermark(&self, own: i64, lives: impl Fn(i32) -> bool) -> i64 {
        let starts = self.followers.iter().filter(|(node, _)| lives(**node)).map(|(_, f)| f.log_start);
        starts.fold(own, i64::min)
    }

    /// The offset below which every member of the maximal ISR has everything; `None` while one of them has
    /// not been heard of. A follower that has caught up and may join is waited for too, lest it never does.
    pub(super) fn committed(
        &self,
        me: i32,
        leader_end: i64,
        now_ms: u64,
        lag_ms: u64,
        cluster: &ClusterImage,
    ) -> Option<i64> {
        let members = self.maximal_isr();
        let mut committed = leader_end;
        for &node in members.iter().filter(|node| **node != me) {
            committed = committed.min(self.followers.get(&node)?.end?);
        }
        for (node, follower) in self.followers.iter().filter(|(node, _)| !members.contains(node)) {
            if let Some(end) = follower.end
                && follower.is_caught_up(now_ms, lag_ms, leader_end)
                && cluster.is_eligible(*node, follower.broker_epoch)
            {
                committed = committed.min(end);
            }
        }
        Some(committed)
    }

    /// The ISR without the members that lag, if there are any and nothing is pending.
    pub(super) fn shrunk(&self, me: i32, leader_end: i64, now_ms: u64, lag_ms: u64) -> Option<Vec<i32>> {
        let keeps = |node: &&i32| {
            let follower = self.followers.get(node);
            **node == me || follower.is_some_and(|f| f.is_caught_up(now_ms, lag_ms, leader_end))
        };
        let isr: Vec<i32> = self.isr.iter().filter(keeps).copied().collect();
        (self.pending.is_none() && isr.len() < self.isr.len()).then_some(isr)
    }

    /// The ISR with this follower, if it may join: it has everything committed, and everything from before
    /// this leader epoch, and is neither fenced nor restarted since its fetch (KIP-903).
    pub(super) fn expanded(
        &self,
        node: i32,
        high_watermark: i64,
        cluster: &ClusterImage,
    ) -> Option<Vec<i32>> {
        let follower = self.followers.get(&node)?;
        let end = follower.end?;
        let may_join = self.pending.is_none()
            && !self.isr.contains(&node)
            && end >= high_watermark.max(self.epoch_start)
            && cluster.is_eligible(node, follower.broker_epoch);
        may_join.then(|| self.isr.iter().copied().chain([node]).collect())
    }

    /// The members of an ISR with the broker epochs they were seen under.
    pub(super) fn members(&self, me: i32, my_epoch: i64, isr: &[i32]) -> Vec<IsrMember> {
        let epoch_of = |node: i32| {
            if node == me { my_epoch } else { self.followers.get(&node).map_or(-1, |f| f.broker_epoch) }
        };
        isr.iter().map(|&node| IsrMember { node, broker_epoch: epoch_of(node) }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::image::BrokerImage;
    use super::super::types::Uuid;
    use super::*;

    const LAG_MS: u64 = 100;

    fn seen(broker_epoch: i64, offset: i64) -> Seen {
        Seen { broker_epoch, offset, log_start: 0 }
    }

    fn cluster() -> ClusterImage {
        let broker = |node: i32| {
            let (host, incarnation) = (String::new(), Uuid::NIL);
            (node, BrokerImage { epoch: 10 + i64::from(node), incarnation, host, port: 0, fenced: false })
        };
        ClusterImage { brokers: (1..=3).map(broker).collect(), ..ClusterImage::default() }
    }

    #[test]
    fn a_proposed_member_holds_the_high_watermark_before_it_is_confirmed() {
        let mut leader = Leader::new(1, &[1, 2, 3], &[1, 2], 0, 0);
        leader.note_fetch(2, seen(12, 9), 9, 1_000);
        leader.note_fetch(3, seen(13, 7), 9, 0);
        let committed = |leader: &Leader| leader.committed(1, 9, 1_000, LAG_MS, &cluster());
        assert_eq!(committed(&leader), Some(9), "a stranger that lags does not count");
        let isr = leader.members(1, 11, &[1, 2, 3]);
        leader.pending = Some(Pending { request: 1, sent_ms: 0, superseded: false, isr });
        assert_eq!(committed(&leader), Some(7));
        let isr = leader.members(1, 11, &[1]);
        leader.pending = Some(Pending { request: 2, sent_ms: 0, superseded: false, isr });
        leader.note_fetch(2, seen(12, 8), 9, 1_000);
        assert_eq!(committed(&leader), Some(8), "a removal counts once it is confirmed");
    }

    #[test]
    fn a_follower_joins_with_all_that_is_committed_and_all_from_before_the_epoch() {
        let mut leader = Leader::new(1, &[1, 2, 3], &[1, 2], 8, 0);
        let joins =
            |leader: &Leader, high_watermark| leader.expanded(3, high_watermark, &cluster()).is_some();
        assert!(!joins(&leader, 0), "never heard of");
        leader.note_fetch(3, seen(13, 7), 9, 0);
        assert!(!joins(&leader, 5), "the log from before the epoch is not all there");
        leader.note_fetch(3, seen(13, 8), 9, 0);
        assert!(joins(&leader, 5));
        assert!(!joins(&leader, 9), "a committed record is not there");
        assert!(!leader.note_fetch(3, seen(12, 9), 9, 0), "an older incarnation");
        leader.note_fetch(3, seen(14, 9), 9, 0);
        assert!(!joins(&leader, 5), "not the incarnation that is registered");
    }

    #[test]
    fn members_have_time_to_fetch_and_strangers_have_none() {
        let mut leader = Leader::new(1, &[1, 2, 3], &[1, 2], 0, 1_000);
        assert_eq!(leader.shrunk(1, 5, 1_000 + LAG_MS, LAG_MS), None);
        assert_eq!(leader.shrunk(1, 5, 1_001 + LAG_MS, LAG_MS), Some(vec![1]));
        leader.note_fetch(2, seen(12, 5), 9, 1_050);
        assert_eq!(leader.shrunk(1, 9, 1_101, LAG_MS), Some(vec![1]), "behind all along");
        leader.note_fetch(2, seen(12, 9), 20, 1_150);
        assert_eq!(leader.shrunk(1, 20, 1_150, LAG_MS), None, "it has what was there at the fetch before");
        assert_eq!(leader.shrunk(1, 20, 1_151, LAG_MS), Some(vec![1]));
    }
}
