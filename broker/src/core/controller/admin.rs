//! Topics come and go, and producer ids are handed out.

use super::super::image::{PartitionImage, TopicImage};
use super::super::message::{AdminAnswer, AdminOp, NewTopic};
use super::super::refusal::Refusal;
use super::super::types::Uuid;
use super::{Controller, ControllerEvent};

/// Producer ids handed out at a time.
const PRODUCER_IDS: i32 = 1000;

/// More partitions than this in one topic are a mistake here.
const PARTITIONS_MAX: i32 = 10_000;

impl Controller {
    pub(super) fn administer(&mut self, op: AdminOp) -> Result<AdminAnswer, Refusal> {
        match op {
            AdminOp::CreateTopic(topic) => self.create_topic(topic),
            AdminOp::DeleteTopic { id } => self.delete_topic(id),
            AdminOp::CreatePartitions { name, count, assignments, validate_only } => {
                self.create_partitions(&name, count, assignments, validate_only)
            }
            AdminOp::AlterConfigs { of, replace, changes, validate_only } => {
                self.alter_configs(&of, replace, &changes, validate_only)
            }
            AdminOp::ElectLeaders { unclean, partitions } => {
                Ok(AdminAnswer::Partitions(self.elect_leaders(unclean, partitions)))
            }
            AdminOp::AlterReassignments { wanted, resize } => {
                let reassign = |(topic, partition, replicas): (String, i32, Option<Vec<i32>>)| {
                    let result = self.reassign(&topic, partition, replicas, resize);
                    (topic, partition, result)
                };
                Ok(AdminAnswer::Partitions(wanted.into_iter().map(reassign).collect()))
            }
            AdminOp::AllocateProducerIds => {
                self.change();
                let first = self.snapshot.next_producer_id;
                self.snapshot.next_producer_id += i64::from(PRODUCER_IDS);
                Ok(AdminAnswer::ProducerIds { first, count: PRODUCER_IDS })
            }
        }
    }

    fn create_topic(&mut self, topic: NewTopic) -> Result<AdminAnswer, Refusal> {
        let topics = &self.snapshot.image.topics;
        if topics.contains_key(&topic.name) {
            return Err(Refusal::TopicAlreadyExists);
        }
        // Metric names could not tell them apart (Apache Kafka, `Topic.hasCollision`).
        if topics.keys().any(|known| known.replace('.', "_") == topic.name.replace('.', "_")) {
            return Err(Refusal::InvalidTopic);
        }
        if topics.values().any(|known| known.id == topic.id) {
            return Err(Refusal::InvalidRequest);
        }
        let partitions = if topic.assignments.is_empty() {
            if !(1..=PARTITIONS_MAX).contains(&topic.partitions) {
                return Err(Refusal::InvalidPartitions);
            }
            let factor = usize::try_from(topic.replication_factor).unwrap_or(0);
            self.place(0, topic.partitions, factor)?
        } else {
            self.placed(topic.assignments, None)?
        };
        if topic.validate_only {
            return Ok(AdminAnswer::Done);
        }
        self.announce(&topic.name, 0, &partitions);
        let image = TopicImage { id: topic.id, configs: topic.configs, partitions };
        self.snapshot.image.topics.insert(topic.name, image);
        self.change();
        Ok(AdminAnswer::Done)
    }

    fn create_partitions(
        &mut self,
        name: &str,
        count: i32,
        assignments: Option<Vec<Vec<i32>>>,
        validate_only: bool,
    ) -> Result<AdminAnswer, Refusal> {
        let topic = self.snapshot.image.topics.get(name).ok_or(Refusal::UnknownTopicOrPartition)?;
        let present = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
        if count <= present || count > PARTITIONS_MAX {
            return Err(Refusal::InvalidPartitions);
        }
        let factor = topic.partitions.first().map_or(1, |partition| partition.target().len());
        let fresh = match assignments {
            None => self.place(present, count, factor)?,
            Some(chosen) if i32::try_from(chosen.len()) == Ok(count - present) => {
                self.placed(chosen, Some(factor))?
            }
            Some(_) => return Err(Refusal::InvalidReplicaAssignment),
        };
        if validate_only {
            return Ok(AdminAnswer::Done);
        }
        self.announce(name, present, &fresh);
        if let Some(topic) = self.snapshot.image.topics.get_mut(name) {
            topic.partitions.extend(fresh);
        }
        self.change();
        Ok(AdminAnswer::Done)
    }

    fn delete_topic(&mut self, id: Uuid) -> Result<AdminAnswer, Refusal> {
        let (name, _) = self.snapshot.image.topic(id).ok_or(Refusal::UnknownTopicId)?;
        let topic = name.to_owned();
        self.snapshot.image.topics.remove(&topic);
        self.change();
        self.events.push(ControllerEvent::Deleted { topic });
        Ok(AdminAnswer::Done)
    }

    /// Puts partitions `from..to` on the live brokers in turn. The followers are shifted with every round,
    /// so that the partitions of a dead leader do not all go to the same successor. Only where the live ones
    /// do not suffice, fenced ones replicate too, out of sync for now; each further topic begins at another
    /// broker.
    fn place(&self, from: i32, to: i32, factor: usize) -> Result<Vec<PartitionImage>, Refusal> {
        let (live, brokers) = (self.live(), &self.snapshot.image.brokers);
        if factor < 1 || factor > brokers.len() || live.is_empty() {
            return Err(Refusal::InvalidReplicationFactor);
        }
        let fenced = brokers.keys().copied().filter(|node| !live.contains(node));
        let missing: Vec<i32> = fenced.take(factor.saturating_sub(live.len())).collect();
        let others = live.len() - 1;
        let begin = self.snapshot.image.topics.len();
        let image = |number: i32| {
            let number = usize::try_from(number).unwrap_or(0);
            let (first, shift) = ((begin + number) % live.len(), number / live.len());
            let follower = |at: usize| live[(first + 1 + (shift + at) % others) % live.len()];
            let isr: Vec<i32> = std::iter::once(live[first])
                .chain((0..(factor - missing.len()).saturating_sub(1)).map(follower))
                .collect();
            let replicas = isr.iter().chain(&missing).copied().collect();
            PartitionImage { isr, ..PartitionImage::new(replicas) }
        };
        Ok((from..to).map(image).collect())
    }

    /// Partitions on the replicas that a client has chosen: each list of distinct registered brokers, all of
    /// one length. Who is alive is in sync.
    fn placed(&self, chosen: Vec<Vec<i32>>, factor: Option<usize>) -> Result<Vec<PartitionImage>, Refusal> {
        let factor = factor.or_else(|| chosen.first().map(Vec::len));
        let place = |replicas: Vec<i32>| {
            if Some(replicas.len()) != factor {
                return Err(Refusal::InvalidReplicaAssignment);
            }
            self.check_replicas(&replicas)?;
            let live = self.live();
            let isr: Vec<i32> = replicas.iter().copied().filter(|node| live.contains(node)).collect();
            let leader = *isr.first().ok_or(Refusal::InvalidReplicaAssignment)?;
            Ok(PartitionImage { isr, leader, ..PartitionImage::new(replicas) })
        };
        chosen.into_iter().map(place).collect()
    }

    /// Whether a list of replicas is one: some, distinct, registered.
    pub(super) fn check_replicas(&self, replicas: &[i32]) -> Result<(), Refusal> {
        let brokers = &self.snapshot.image.brokers;
        let once = |node: &i32| replicas.iter().filter(|other| *other == node).count() == 1;
        let sound =
            !replicas.is_empty() && replicas.iter().all(|node| brokers.contains_key(node) && once(node));
        if sound { Ok(()) } else { Err(Refusal::InvalidReplicaAssignment) }
    }

    fn announce(&mut self, topic: &str, first: i32, partitions: &[PartitionImage]) {
        self.events.extend((first..).zip(partitions).map(|(partition, state)| ControllerEvent::Partition {
            topic: topic.to_owned(),
            partition,
            state: state.clone(),
        }));
    }
}
