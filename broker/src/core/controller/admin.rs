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
            AdminOp::CreatePartitions { name, count, validate_only } => {
                self.create_partitions(&name, count, validate_only)
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
        if topics.values().any(|known| known.id == topic.id) {
            return Err(Refusal::InvalidRequest);
        }
        if !(1..=PARTITIONS_MAX).contains(&topic.partitions) {
            return Err(Refusal::InvalidPartitions);
        }
        let factor = usize::try_from(topic.replication_factor).unwrap_or(0);
        let partitions = self.place(0, topic.partitions, factor)?;
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
        validate_only: bool,
    ) -> Result<AdminAnswer, Refusal> {
        let topic = self.snapshot.image.topics.get(name).ok_or(Refusal::UnknownTopicOrPartition)?;
        let present = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
        if count <= present || count > PARTITIONS_MAX {
            return Err(Refusal::InvalidPartitions);
        }
        let factor = topic.partitions.first().map_or(1, |partition| partition.replicas.len());
        let fresh = self.place(present, count, factor)?;
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
    /// so that the partitions of a dead leader do not all go to the same successor.
    fn place(&self, from: i32, to: i32, factor: usize) -> Result<Vec<PartitionImage>, Refusal> {
        let live = self.live();
        if factor < 1 || factor > live.len() {
            return Err(Refusal::InvalidReplicationFactor);
        }
        let others = live.len() - 1;
        let image = |number: i32| {
            let number = usize::try_from(number).unwrap_or(0);
            let (first, shift) = (number % live.len(), number / live.len());
            let follower = |at: usize| live[(first + 1 + (shift + at) % others) % live.len()];
            let replicas: Vec<i32> =
                std::iter::once(live[first]).chain((0..factor - 1).map(follower)).collect();
            let leader = replicas[0];
            PartitionImage { isr: replicas.clone(), replicas, leader, leader_epoch: 0, partition_epoch: 0 }
        };
        Ok((from..to).map(image).collect())
    }

    fn announce(&mut self, topic: &str, first: i32, partitions: &[PartitionImage]) {
        self.events.extend((first..).zip(partitions).map(|(partition, state)| ControllerEvent::Partition {
            topic: topic.to_owned(),
            partition,
            state: state.clone(),
        }));
    }
}
