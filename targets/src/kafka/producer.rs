//! A producer over librdkafka.

use std::time::Duration;

use history::{ErrorCode, Nanos};
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::types::RDKafkaErrorCode;
use workloads::client::{Accepted, Completion, Outgoing, Producer, Remark};

use super::context::{Context, code_of};

/// A pipelined producer to one topic.
pub struct KafkaProducer {
    client: BaseProducer<Context>,
    topic: String,
    /// The client's fatal error has been handed over: it lasts, and is told once.
    fatal: bool,
}

impl KafkaProducer {
    /// Makes the client; it connects in the background.
    ///
    /// # Errors
    /// If librdkafka refuses the configuration.
    pub fn new(config: &ClientConfig, topic: &str) -> Result<Self, KafkaError> {
        let client = config.create_with_context(Context::new(topic))?;
        Ok(Self { client, topic: topic.to_owned(), fatal: false })
    }
}

impl Producer for KafkaProducer {
    fn send(&mut self, record: Outgoing<'_>) -> Accepted {
        let token = usize::try_from(record.token).expect("tokens fit a word");
        let mut message: BaseRecord<'_, [u8], [u8], usize> =
            BaseRecord::with_opaque_to(&self.topic, token).payload(record.payload);
        if let Some(key) = record.key {
            message = message.key(key);
        }
        if let Some(partition) = record.partition {
            message = message.partition(i32::try_from(partition.0).unwrap_or(i32::MAX));
        }
        match self.client.send(message) {
            Ok(()) => Accepted::Queued,
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => Accepted::Full,
            Err((error, _)) => Accepted::Refused(code_of(&error)),
        }
    }

    fn poll(
        &mut self,
        timeout: Duration,
        completions: &mut Vec<Completion>,
        remarks: &mut Vec<(Nanos, Remark)>,
    ) {
        self.client.poll(timeout);
        self.client.context().with(|collected| {
            completions.append(&mut collected.completions);
            remarks.append(&mut collected.remarks);
        });
        if self.fatal {
            return;
        }
        if let Some((code, text)) = self.client.client().fatal_error() {
            self.fatal = true;
            let remark = Remark::Error { code: ErrorCode(code as i32), text, fatal: true };
            remarks.push((history::clock::now(), remark));
        }
    }
}
