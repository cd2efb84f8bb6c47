//! A member of a consumer group over librdkafka: partitions come and go as the group decides, and are taken and
//! given up when the application says so.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use history::record::{Decoded, decode};
use history::{Contents, ErrorCode, Nanos, Offset, Partition, RunHash, clock};
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset as Position, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;
use workloads::client::{Change, Committed, Handed, Member, Positions, Rebalance, Remark};

use super::context::{Context, code_of};

/// How long going back may take.
const SEEK: Duration = Duration::from_secs(1);

/// What OffsetFetch answers where nothing is committed.
const NOTHING_COMMITTED: Offset = Offset(-1);

/// A member of the run's group.
pub struct KafkaMember {
    client: BaseConsumer<MemberContext>,
    topic: String,
    run: RunHash,
}

/// What librdkafka calls back with. Rebalances are put aside: what was handed over before one belongs to the
/// application still.
struct MemberContext {
    common: Context,
    topic: String,
    rebalances: Mutex<Vec<Rebalance>>,
    committed: Mutex<Vec<Committed>>,
    /// Nobody will carry out anything any more: partitions are given up at once.
    closing: AtomicBool,
}

impl ClientContext for MemberContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.common.log(level, facility, message);
    }
    fn stats_raw(&self, statistics: &[u8]) {
        self.common.stats_raw(statistics);
    }
    fn error(&self, error: KafkaError, reason: &str) {
        self.common.error(error, reason);
    }
}

impl ConsumerContext for MemberContext {
    fn rebalance(
        &self,
        client: &BaseConsumer<Self>,
        error: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        let change = match error {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Change::Assigned,
            _ if client.assignment_lost() => Change::Lost,
            _ => Change::Revoked,
        };
        if self.closing.load(Ordering::Relaxed) {
            // A client that is being closed takes any answer for an end of its assignment.
            let _ = give_up(client, partitions);
            return;
        }
        let partitions = numbers(partitions, &self.topic);
        lock(&self.rebalances).push(Rebalance { at: clock::now(), change, partitions });
    }

    fn commit_callback(&self, result: KafkaResult<()>, offsets: &TopicPartitionList) {
        let error = result.map_or_else(|error| code_of(&error), |()| ErrorCode::NONE);
        let offsets = positions(offsets, &self.topic);
        // A turn of the client's timer with nothing to commit.
        if !offsets.is_empty() {
            lock(&self.committed).push(Committed { at: clock::now(), offsets, error });
        }
    }
}

/// A poisoned lock only means that a callback panicked.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn give_up(client: &BaseConsumer<MemberContext>, partitions: &TopicPartitionList) -> KafkaResult<()> {
    match client.rebalance_protocol() {
        RebalanceProtocol::Cooperative => client.incremental_unassign(partitions),
        RebalanceProtocol::None | RebalanceProtocol::Eager => client.unassign(),
    }
}

fn numbers(list: &TopicPartitionList, topic: &str) -> Vec<Partition> {
    let elements = list.elements();
    let ours = elements.iter().filter(|element| element.topic() == topic);
    ours.filter_map(|element| u32::try_from(element.partition()).ok().map(Partition)).collect()
}

fn positions(list: &TopicPartitionList, topic: &str) -> Positions {
    let elements = list.elements();
    let ours = elements.iter().filter(|element| element.topic() == topic && element.error().is_ok());
    let known = ours.filter_map(|element| match element.offset() {
        Position::Offset(offset) => {
            Some((Partition(u32::try_from(element.partition()).ok()?), Offset(offset)))
        }
        _ => None,
    });
    known.collect()
}

impl KafkaMember {
    /// Makes the client and subscribes it to the topic.
    ///
    /// # Errors
    /// If librdkafka refuses the configuration or the subscription.
    pub fn new(config: &ClientConfig, topic: &str, run: RunHash) -> Result<Self, KafkaError> {
        let context = MemberContext {
            common: Context::new(topic),
            topic: topic.to_owned(),
            rebalances: Mutex::default(),
            committed: Mutex::default(),
            closing: AtomicBool::new(false),
        };
        let client: BaseConsumer<MemberContext> = config.create_with_context(context)?;
        client.subscribe(&[topic])?;
        Ok(Self { client, topic: topic.to_owned(), run })
    }

    fn list(
        &self,
        of: impl IntoIterator<Item = (Partition, Option<Offset>)>,
    ) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for (Partition(partition), offset) in of {
            let partition = i32::try_from(partition).unwrap_or(i32::MAX);
            match offset {
                Some(Offset(offset)) => {
                    list.add_partition_offset(&self.topic, partition, Position::Offset(offset))?;
                }
                None => drop(list.add_partition(&self.topic, partition)),
            }
        }
        Ok(list)
    }

    fn at(&self, offsets: &Positions) -> KafkaResult<TopicPartitionList> {
        self.list(offsets.iter().map(|(partition, offset)| (*partition, Some(*offset))))
    }

    fn context(&self) -> &MemberContext {
        self.client.client().context()
    }
}

impl Member for KafkaMember {
    fn poll(&mut self, timeout: Duration) -> Option<Handed> {
        if !lock(&self.context().rebalances).is_empty() {
            return None;
        }
        match self.client.poll(timeout)? {
            Ok(message) => {
                let (tag, contents) = match decode(self.run, message.payload().unwrap_or_default()) {
                    Decoded::Intact(tag) => (Some(tag), Contents::Intact),
                    Decoded::Corrupt(tag) => (Some(tag), Contents::Corrupt),
                    Decoded::Foreign => (None, Contents::Foreign),
                };
                let partition = Partition(u32::try_from(message.partition()).unwrap_or(u32::MAX));
                Some(Handed { partition, offset: Offset(message.offset()), tag, contents })
            }
            Err(error) => {
                self.context().error(error.clone(), &error.to_string());
                None
            }
        }
    }

    fn rebalances(&mut self) -> Vec<Rebalance> {
        std::mem::take(&mut lock(&self.context().rebalances))
    }

    fn carry_out(&mut self, rebalance: &Rebalance) -> Result<(), ErrorCode> {
        let carried_out = self
            .list(rebalance.partitions.iter().map(|partition| (*partition, None)))
            .and_then(|partitions| match (rebalance.change, self.client.rebalance_protocol()) {
                (Change::Assigned, RebalanceProtocol::Cooperative) => {
                    self.client.incremental_assign(&partitions)
                }
                (Change::Assigned, _) => self.client.assign(&partitions),
                (Change::Revoked | Change::Lost, _) => give_up(&self.client, &partitions),
            });
        carried_out.map_err(|error| code_of(&error))
    }

    fn commit(&mut self, offsets: &Positions) -> Result<(), ErrorCode> {
        let committed = self.at(offsets).and_then(|list| self.client.commit(&list, CommitMode::Sync));
        // What the callback says of it is not the client's own doing.
        committed.map_err(|error| code_of(&error))
    }

    fn store(&mut self, offsets: &Positions) {
        // One that is not assigned any more cannot be stored, and is somebody else's to process.
        if let Ok(list) = self.at(offsets) {
            let _ = self.client.store_offsets(&list);
        }
    }

    fn committed(&mut self) -> Vec<Committed> {
        std::mem::take(&mut lock(&self.context().committed))
    }

    fn fetch(&mut self, partitions: &[Partition], timeout: Duration) -> Result<Positions, ErrorCode> {
        let list = self.list(partitions.iter().map(|partition| (*partition, None)));
        let fetched = list.and_then(|list| self.client.committed_offsets(list, timeout));
        let list = fetched.map_err(|error| code_of(&error))?;
        let mut told = positions(&list, &self.topic);
        let elements = list.elements();
        let none = elements
            .iter()
            .filter(|element| element.error().is_ok() && element.offset() == Position::Invalid);
        told.extend(none.filter_map(|element| {
            Some((Partition(u32::try_from(element.partition()).ok()?), NOTHING_COMMITTED))
        }));
        Ok(told)
    }

    fn seek(&mut self, offsets: &Positions) {
        let sought = self.at(offsets).and_then(|list| self.client.seek_partitions(list, SEEK));
        if let Err(error) = sought {
            crate::log::line(format_args!("going back failed: {error}"));
        }
    }

    fn remarks(&mut self, remarks: &mut Vec<(Nanos, Remark)>) {
        self.context().common.with(|collected| remarks.append(&mut collected.remarks));
    }
}

impl Drop for KafkaMember {
    /// The client leaves its group when it is dropped, and waits until its partitions were given up.
    fn drop(&mut self) {
        self.context().closing.store(true, Ordering::Relaxed);
        let waiting = self.rebalances();
        for rebalance in waiting {
            let _ = self.carry_out(&rebalance);
        }
    }
}
