//! Retention and compaction, now and then: which logs are due is decided here by the core's rules; files are
//! rewritten on a thread of their own, one log at a time, while the broker goes on.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver, TryRecvError};

use super::engine::{Engine, Host};
use super::storage::{CleanedLog, CleaningJob, CleaningOrder, StorageError};
use crate::core::settings::Settings;
use crate::core::{CleaningPolicy, Input, PartitionKey, RetentionPolicy, retained};

/// Logs whose retention is looked at in one go.
const AT_ONCE: usize = 16;

/// When what is to be looked at next, and the compaction under way.
pub(super) struct Janitor {
    retain_at_ms: u64,
    /// Logs of this round of retention that were not looked at yet.
    aging: VecDeque<PartitionKey>,
    clean_at_ms: u64,
    /// Logs of this round of compaction that were not looked at yet.
    waiting: VecDeque<PartitionKey>,
    job: Option<Receiver<Result<CleanedLog, StorageError>>>,
}

impl Janitor {
    /// Looks for the first time one interval after the start.
    pub(super) fn new(settings: &Settings) -> Self {
        let now_ms = super::clock::millis();
        Self {
            retain_at_ms: now_ms + settings.number("log.retention.check.interval.ms"),
            aging: VecDeque::new(),
            clean_at_ms: now_ms + settings.number("log.cleaner.backoff.ms"),
            waiting: VecDeque::new(),
            job: None,
        }
    }

    /// Does what is due.
    ///
    /// # Errors
    /// If the files of a log cannot be changed.
    pub(super) fn tick(&mut self, host: &Rc<Host>, now_ms: u64) -> Result<(), StorageError> {
        self.retain(host, now_ms);
        if let Some(job) = &self.job {
            let outcome = match job.try_recv() {
                Ok(outcome) => Some(outcome),
                Err(TryRecvError::Empty) => return Ok(()),
                // Its thread has ended without a word.
                Err(TryRecvError::Disconnected) => None,
            };
            self.job = None;
            outcome.map_or(Ok(()), |outcome| finish(host, outcome))?;
        }
        self.start(host, now_ms);
        Ok(())
    }

    /// Deletes what may go of some logs: each deletion is a write that must be durable, and a thousand of them at
    /// once would keep everyone waiting.
    fn retain(&mut self, host: &Rc<Host>, now_ms: u64) {
        if now_ms >= self.retain_at_ms {
            host.with(|engine| {
                self.retain_at_ms = now_ms + engine.core.settings().number("log.retention.check.interval.ms");
                self.aging = every_log(engine);
            });
        }
        for key in self.aging.drain(..self.aging.len().min(AT_ONCE)) {
            if let Some(before) = host.with(|engine| expired(engine, key, now_ms)) {
                host.step(Input::DeleteRecords { key, before });
            }
        }
    }

    /// Starts the next compaction of this round, or the next round.
    fn start(&mut self, host: &Rc<Host>, now_ms: u64) {
        while let Some(key) = self.waiting.pop_front() {
            if let Some(job) = host.with(|engine| compaction(engine, key, now_ms)) {
                let (sender, receiver) = mpsc::channel();
                tokio::task::spawn_blocking(move || {
                    // Nobody listens if the broker has ended.
                    let _ = sender.send(job.run());
                });
                self.job = Some(receiver);
                return;
            }
        }
        if now_ms >= self.clean_at_ms {
            host.with(|engine| {
                let settings = engine.core.settings();
                self.clean_at_ms = now_ms + settings.number("log.cleaner.backoff.ms").max(1);
                if settings.get("log.cleaner.enable") == "true" {
                    self.waiting = every_log(engine);
                }
            });
        }
    }
}

/// Takes what a compaction has made.
fn finish(host: &Rc<Host>, outcome: Result<CleanedLog, StorageError>) -> Result<(), StorageError> {
    let cleaned = match outcome {
        Ok(cleaned) => cleaned,
        // The log goes on as it is: what cannot be cleaned can still be read, or will say so.
        Err(error) => {
            host.log(format_args!("compaction failed: {error}"));
            return Ok(());
        }
    };
    let (key, to, (before, after)) = (cleaned.key, cleaned.to, cleaned.bytes);
    if let Some(left) = host.with(|engine| engine.logs.adopt(cleaned))? {
        let name = host.image().topic(key.topic).map_or_else(String::new, |(name, _)| name.to_owned());
        let partition = key.partition;
        host.log(format_args!(
            "{name}-{partition}: compacted below offset {to}, {before} bytes became {after}"
        ));
        host.step(Input::Cleaned { key, to, left });
    }
    Ok(())
}

/// The logs here, in order.
fn every_log(engine: &Engine) -> VecDeque<PartitionKey> {
    let mut keys: VecDeque<_> = engine.logs.sizes().into_iter().map(|(key, _)| key).collect();
    keys.make_contiguous().sort_unstable();
    keys
}

/// Where a log is to start, if its oldest segments may go.
fn expired(engine: &Engine, key: PartitionKey, now_ms: u64) -> Option<i64> {
    let (core, settings) = (&engine.core, engine.core.settings());
    let (_, topic) = core.image().topic(key.topic)?;
    if !settings.topic_has(&topic.configs, "cleanup.policy", "delete") {
        return None;
    }
    let policy = RetentionPolicy {
        ms: settings.topic_limit(&topic.configs, "retention.ms"),
        bytes: settings.topic_limit(&topic.configs, "retention.bytes"),
    };
    let segments = engine.logs.segments(key).ok()?;
    retained(&segments, core.high_watermark(key)?, policy, core.wall_ms(now_ms))
}

/// A compaction of a log, if its topic asks for one and it is time.
fn compaction(engine: &Engine, key: PartitionKey, now_ms: u64) -> Option<CleaningJob> {
    let (core, settings) = (&engine.core, engine.core.settings());
    let configs: &BTreeMap<String, String> = &core.image().topic(key.topic)?.1.configs;
    if !settings.topic_has(configs, "cleanup.policy", "compact") {
        return None;
    }
    let number = |name| i64::try_from(settings.topic_number(configs, name)).unwrap_or(i64::MAX);
    let order = CleaningOrder {
        cleanable: core.cleanable(key)?,
        policy: CleaningPolicy {
            dirty_ratio: settings.topic_ratio(configs, "min.cleanable.dirty.ratio"),
            min_lag_ms: number("min.compaction.lag.ms"),
            max_lag_ms: number("max.compaction.lag.ms"),
            delete_retention_ms: number("delete.retention.ms"),
        },
        segment_bytes: settings.topic_number(configs, "segment.bytes"),
        room: settings.number("log.cleaner.dedupe.buffer.size"),
        wall_ms: core.wall_ms(now_ms),
    };
    engine.logs.cleaning(key, order)
}
