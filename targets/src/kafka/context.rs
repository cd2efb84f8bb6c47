//! What librdkafka calls back with, kept until the client is polled.

use std::sync::{Mutex, PoisonError};

use history::{ErrorCode, Nanos, Offset, Partition, clock};
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{DeliveryResult, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;
use workloads::client::{Completion, Remark};

use super::statistics::Watch;

/// Collects reports and remarks of one client.
pub(super) struct Context {
    topic: String,
    collected: Mutex<Collected>,
}

#[derive(Default)]
pub(super) struct Collected {
    pub(super) completions: Vec<Completion>,
    pub(super) remarks: Vec<(Nanos, Remark)>,
    watch: Watch,
}

impl Context {
    pub(super) fn new(topic: &str) -> Self {
        Self { topic: topic.to_owned(), collected: Mutex::default() }
    }

    /// Hands over what was collected; a poisoned lock only means that a callback panicked.
    pub(super) fn with<T>(&self, each: impl FnOnce(&mut Collected) -> T) -> T {
        each(&mut self.collected.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn remark(&self, remark: Remark) {
        let at = clock::now();
        self.with(|collected| collected.remarks.push((at, remark)));
    }
}

/// The library's number of an error; -1 where it is none of its numbered ones.
pub(super) fn code_of(error: &KafkaError) -> ErrorCode {
    ErrorCode(error.rdkafka_error_code().map_or(-1, |code| code as i32))
}

impl ClientContext for Context {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        crate::log::line(format_args!("librdkafka {facility} {message}"));
    }

    fn stats_raw(&self, statistics: &[u8]) {
        let at = clock::now();
        self.with(|collected| {
            let remarks = collected.watch.changes(&self.topic, statistics);
            collected.remarks.extend(remarks.into_iter().map(|remark| (at, remark)));
        });
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let fatal = error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal);
        crate::log::line(format_args!("librdkafka error {error}: {reason}"));
        self.remark(Remark::Error { code: code_of(&error), text: reason.to_owned(), fatal });
    }
}

impl ConsumerContext for Context {}

impl ProducerContext for Context {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, token: usize) {
        let at = clock::now();
        let (message, error) = match result {
            Ok(message) => (message, ErrorCode::NONE),
            Err((error, message)) => (message, code_of(error)),
        };
        let delivered = error == ErrorCode::NONE;
        let completion = Completion {
            token: token as u64,
            at,
            partition: u32::try_from(message.partition()).ok().map(Partition),
            offset: (delivered && message.offset() >= 0).then(|| Offset(message.offset())),
            error,
        };
        self.with(|collected| collected.completions.push(completion));
    }
}
