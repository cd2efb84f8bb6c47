//! The other arm of the benchmark: librdkafka with the same settings and payload size in the plainest loop,
//! without tags, workload or history.

use std::time::Duration;

use history::clock;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientContext, Message as _};
use std::sync::atomic::{AtomicU64, Ordering};

use super::entry::ActorError;
use super::producer::wait_for_start;
use super::shared::Session;
use crate::kafka::properties::Use;

const BURST: u64 = 64;

/// Counts what was delivered.
#[derive(Default)]
struct Counter {
    acked: AtomicU64,
}

impl ClientContext for Counter {}

impl ProducerContext for Counter {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.as_ref().is_ok_and(|message| message.partition() >= 0) {
            self.acked.fetch_add(1, Ordering::Relaxed);
        }
    }
}

pub(super) fn act(mut session: Session) -> Result<(), ActorError> {
    let config = session.config(Use::Producer);
    let client: BaseProducer<Counter> = config.create_with_context(Counter::default())?;
    session.begin(Some(&config))?;
    let Some(start) = wait_for_start(&session) else { return Ok(()) };
    let load = session.plan().load.clone();
    let topic = session.plan().topic.clone();
    let payload = vec![0x5a; load.payload_bytes as usize];
    let records = load.records.map_or(u64::MAX, |records| records / u64::from(load.producers.max(1)));
    while clock::now() < start {
        client.poll(Duration::from_millis(1));
    }
    let mut sent = 0;
    while sent < records && clock::now().since(start) < load.duration_ms * 1_000_000 {
        let partition = i32::try_from(sent % u64::from(load.partitions.max(1))).unwrap_or(0);
        let record: BaseRecord<'_, (), [u8]> =
            BaseRecord::to(&topic).partition(partition).payload(&payload[..]);
        match client.send(record) {
            Ok(()) => sent += 1,
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                client.poll(Duration::from_millis(10));
            }
            Err((error, _)) => return Err(error.into()),
        }
        if sent % BURST == 0 {
            client.poll(Duration::ZERO);
        }
    }
    client.flush(Duration::from_secs(30))?;
    let elapsed_ns = clock::now().since(start);
    session.totals.sent = sent;
    session.totals.acked = client.context().acked.load(Ordering::Relaxed);
    session.done(elapsed_ns);
    Ok(())
}
