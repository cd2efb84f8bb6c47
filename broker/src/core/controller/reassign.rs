//! Moving leaders and replicas by hand: elections (KIP-460) and reassignments (KIP-455).

use super::super::image::{NO_LEADER, PartitionImage, Reassignment};
use super::super::message::PerPartition;
use super::super::refusal::Refusal;
use super::super::types::PartitionKey;
use super::election::{self, Rules};
use super::{Controller, ControllerEvent};

impl Controller {
    /// Elects leaders: with no list of partitions all of them, and only what changed is answered.
    pub(super) fn elect_leaders(
        &mut self,
        unclean: bool,
        partitions: Option<Vec<(String, i32)>>,
    ) -> PerPartition {
        let all = partitions.is_none();
        let every = || {
            let topics = self.snapshot.image.topics.iter();
            topics.flat_map(|(name, topic)| (0..).zip(&topic.partitions).map(|(at, _)| (name.clone(), at)))
        };
        let asked = partitions.unwrap_or_else(|| every().collect());
        let mut results: PerPartition = Vec::with_capacity(asked.len());
        for (topic, partition) in asked {
            let result = self.elect(&topic, partition, unclean);
            results.push((topic, partition, result));
        }
        results.retain(|(_, _, result)| !all || *result != Err(Refusal::ElectionNotNeeded));
        results
    }

    fn elect(&mut self, topic: &str, partition: i32, unclean: bool) -> Result<(), Refusal> {
        let (key, state, rules) = self.known(topic, partition)?;
        let live = self.live();
        let next = if unclean {
            if state.leader != NO_LEADER {
                return Err(Refusal::ElectionNotNeeded);
            }
            let rules = Rules { unclean: true, ..rules };
            election::led_again(&state, &live, rules).ok_or(Refusal::EligibleLeadersNotAvailable)?
        } else {
            if state.target().first() == Some(&state.leader) {
                return Err(Refusal::ElectionNotNeeded);
            }
            election::preferred(&state, &live, rules).ok_or(Refusal::PreferredLeaderNotAvailable)?
        };
        self.put(key, next);
        Ok(())
    }

    /// Gives every partition to its preferred leader, where that one is in sync.
    pub(super) fn balance(&mut self) {
        let live = self.live();
        self.change_partitions(|partition, rules| election::preferred(partition, &live, rules));
    }

    /// Changes the replicas of a partition, or goes back to those before the change (`None`).
    pub(super) fn reassign(
        &mut self,
        topic: &str,
        partition: i32,
        wanted: Option<Vec<i32>>,
        resize: bool,
    ) -> Result<(), Refusal> {
        let (key, state, rules) = self.known(topic, partition)?;
        let mut next = state.clone();
        match wanted {
            Some(wanted) => {
                self.check_replicas(&wanted)?;
                if !resize && wanted.len() != before_change(&state).len() {
                    return Err(Refusal::InvalidReplicationFactor);
                }
                let without = |of: &[i32], those: &[i32]| -> Vec<i32> {
                    of.iter().copied().filter(|node| !those.contains(node)).collect()
                };
                let removing = without(&state.replicas, &wanted);
                let adding = without(&wanted, &state.replicas);
                // An earlier change that is under way may have brought in replicas that have still to catch up.
                let earlier = state.reassignment.iter().flat_map(|earlier| &earlier.adding);
                let catching_up =
                    earlier.copied().filter(|node| wanted.contains(node) && !state.isr.contains(node));
                let adding: Vec<i32> = adding.into_iter().chain(catching_up).collect();
                next.replicas = wanted.iter().chain(&removing).copied().collect();
                next.reassignment =
                    (!adding.is_empty() || !removing.is_empty()).then_some(Reassignment { adding, removing });
            }
            None => {
                let Some(under_way) = next.reassignment.take() else {
                    return Err(Refusal::NoReassignmentInProgress);
                };
                next.replicas.retain(|node| !under_way.adding.contains(node));
                next.isr.retain(|node| !under_way.adding.contains(node));
                if next.isr.is_empty() && !rules.unclean {
                    return Err(Refusal::InvalidReplicaAssignment);
                }
            }
        }
        if let Some(next) = election::settled(&state, next, &self.live(), rules, None) {
            self.put(key, next);
        }
        Ok(())
    }

    fn known(&self, topic: &str, partition: i32) -> Result<(PartitionKey, PartitionImage, Rules), Refusal> {
        let known = self.snapshot.image.topics.get(topic).ok_or(Refusal::UnknownTopicOrPartition)?;
        let index = usize::try_from(partition).map_err(|_| Refusal::UnknownTopicOrPartition)?;
        let state = known.partitions.get(index).ok_or(Refusal::UnknownTopicOrPartition)?;
        let rules = super::rules(&self.effective(), known);
        Ok((PartitionKey { topic: known.id, partition }, state.clone(), rules))
    }

    /// Makes this the state of a partition.
    pub(super) fn put(&mut self, key: PartitionKey, mut state: PartitionImage) {
        self.change();
        let Some((topic, partition)) = self.partition_mut(key) else { return };
        state.partition_epoch = partition.partition_epoch + 1;
        partition.clone_from(&state);
        let topic = topic.to_owned();
        self.events.push(ControllerEvent::Partition { topic, partition: key.partition, state });
    }
}

/// The replicas a change under way started from.
fn before_change(state: &PartitionImage) -> Vec<i32> {
    let added = |node: &i32| state.reassignment.as_ref().is_some_and(|change| change.adding.contains(node));
    state.replicas.iter().copied().filter(|node| !added(node)).collect()
}
