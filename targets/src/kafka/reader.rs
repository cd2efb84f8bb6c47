//! A reader over librdkafka: partitions are assigned by hand, no group is joined, nothing is committed.

use std::time::Duration;

use history::{Nanos, Offset, Partition};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset as Position, TopicPartitionList};
use rdkafka::{ClientConfig, client::ClientContext};
use workloads::client::{Incoming, Reader, Remark};

use super::context::Context;

/// Where a reader begins in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// The partition.
    pub partition: Partition,
    /// The offset; `None` is the start of its log.
    pub offset: Option<Offset>,
}

/// A reader of one topic's partitions.
pub struct KafkaReader {
    client: BaseConsumer<Context>,
    topic: String,
}

impl KafkaReader {
    /// Makes the client and assigns it the partitions.
    ///
    /// # Errors
    /// If librdkafka refuses the configuration or the assignment.
    pub fn new(config: &ClientConfig, topic: &str, starts: &[Start]) -> Result<Self, KafkaError> {
        let client: BaseConsumer<Context> = config.create_with_context(Context::new(topic))?;
        client.assign(&list(topic, starts)?)?;
        Ok(Self { client, topic: topic.to_owned() })
    }

    /// Assigns it more partitions; it goes on with the others where it is.
    ///
    /// # Errors
    /// If librdkafka refuses.
    pub fn follow(&mut self, starts: &[Start]) -> Result<(), KafkaError> {
        if starts.is_empty() {
            return Ok(());
        }
        self.client.incremental_assign(&list(&self.topic, starts)?)
    }

    /// First offset and high watermark of a partition.
    ///
    /// # Errors
    /// If the leader did not tell within `timeout`.
    pub fn watermarks(
        &self,
        partition: Partition,
        timeout: Duration,
    ) -> Result<(Offset, Offset), KafkaError> {
        let (low, high) = self.client.fetch_watermarks(&self.topic, number(partition), timeout)?;
        Ok((Offset(low), Offset(high)))
    }
}

fn list(topic: &str, starts: &[Start]) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::new();
    for start in starts {
        let position = start.offset.map_or(Position::Beginning, |Offset(offset)| Position::Offset(offset));
        list.add_partition_offset(topic, number(start.partition), position)?;
    }
    Ok(list)
}

fn number(partition: Partition) -> i32 {
    i32::try_from(partition.0).unwrap_or(i32::MAX)
}

impl Reader for KafkaReader {
    fn poll(
        &mut self,
        timeout: Duration,
        each: &mut dyn FnMut(Incoming<'_>),
        remarks: &mut Vec<(Nanos, Remark)>,
    ) -> bool {
        let came = match self.client.poll(timeout) {
            Some(Ok(message)) => {
                each(Incoming {
                    partition: Partition(u32::try_from(message.partition()).unwrap_or(u32::MAX)),
                    offset: Offset(message.offset()),
                    payload: message.payload().unwrap_or_default(),
                });
                true
            }
            Some(Err(error)) => {
                let context: &Context = self.client.client().context();
                context.error(error.clone(), &error.to_string());
                false
            }
            None => false,
        };
        self.client.client().context().with(|collected| remarks.append(&mut collected.remarks));
        came
    }
}
