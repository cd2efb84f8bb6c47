//! The end of a transaction in the partitions led here: markers, appended as with acks=all.

use std::collections::BTreeSet;

use super::super::coordinator::InternalTopic;
use super::super::errands::MarkerOrder;
use super::super::io::{Output, ProduceResult};
use super::super::refusal::Refusal;
use super::super::types::{PartitionKey, RequestId, Uuid};
use super::Broker;
use crate::flaws::Flaw;

/// Producers whose transaction is never ended in a partition: the flaw `hang-transaction`.
#[derive(Default)]
pub(super) struct Hung {
    markers: u64,
    hung: BTreeSet<(PartitionKey, i64)>,
}

impl Hung {
    /// Whether this marker is to be dropped, and with it every later one of the producer here.
    fn drops(&mut self, flaw: Option<Flaw>, key: PartitionKey, producer_id: i64) -> bool {
        if flaw != Some(Flaw::HangTransaction) {
            return false;
        }
        self.markers += 1;
        if Flaw::HangTransaction.hits(self.markers) {
            self.hung.insert((key, producer_id));
        }
        self.hung.contains(&(key, producer_id))
    }
}

impl Broker {
    /// Appends markers, and answers once they are committed: one result a partition, in order.
    pub(super) fn write_markers(
        &mut self,
        now_ms: u64,
        id: RequestId,
        orders: &[MarkerOrder],
        out: &mut Vec<Output>,
    ) {
        let wall_ms = self.wall_ms(now_ms);
        let mut results = Vec::new();
        let mut waiters = Vec::new();
        for order in orders {
            for (topic, partition) in &order.places {
                let topic = self.image.topics.get(topic).map_or(Uuid::NIL, |topic| topic.id);
                let key = PartitionKey { topic, partition: *partition };
                let index = results.len();
                let result = self.write_marker(key, order, wall_ms, out);
                if let Ok(Some(end)) = result {
                    waiters.push((key, (end, id, index)));
                }
                let result = result.map(|end| end.unwrap_or(0));
                results.push(ProduceResult { key, result, log_start: -1, stamped_ms: -1 });
            }
        }
        let timeout_ms = self.settings.number("request.timeout.ms");
        self.answer_once_committed(now_ms, id, timeout_ms, results, waiters, out);
    }

    fn write_marker(
        &mut self,
        key: PartitionKey,
        order: &MarkerOrder,
        wall_ms: i64,
        out: &mut Vec<Output>,
    ) -> Result<Option<i64>, Refusal> {
        let producer_id = order.producer.0;
        if let Some(refusal) = self.absent_if_missing(key) {
            // Topics go by name here: there is no word for an unknown id.
            let unknown = refusal == Refusal::UnknownTopicId;
            return Err(if unknown { Refusal::UnknownTopicOrPartition } else { refusal });
        }
        if self.hung.drops(self.config.flaw, key, producer_id) {
            return Ok(None);
        }
        let replica = self.replicas.get_mut(&key).ok_or(Refusal::NotLeaderOrFollower)?;
        let end = replica.append_marker(order.producer, order.marker, wall_ms, out)?;
        self.verifications.ended(key, order.producer);
        self.touched.insert(key);
        let offsets = self.image.topics.get(InternalTopic::ConsumerOffsets.name());
        if offsets.is_some_and(|offsets| offsets.id == key.topic) {
            self.coordinators.groups.marker(key, end, producer_id, order.marker.committed);
        }
        Ok(Some(end))
    }
}
