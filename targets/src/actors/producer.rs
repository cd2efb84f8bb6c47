//! The producer: sends the workload's records, and puts on record what was invoked before it leaves and
//! what was told of it.

use std::time::Duration;

use history::record::encode;
use history::{ErrorCode, Event, Nanos, Note, Outcome, Tag, Told, clock};
use workloads::client::{Accepted, Completion, Outgoing, Producer, Remark};
use workloads::{Script, Step};

use super::entry::ActorError;
use super::protocol::{ActorEvent, Command};
use super::shared::Session;
use crate::kafka::outcomes::outcome;
use crate::kafka::producer::KafkaProducer;
use crate::kafka::properties::Use;

/// Records between two looks at the client when nothing else makes the actor look.
const BURST: u64 = 64;
/// librdkafka's poll takes its whole time even when something came, so waits for a report are short.
const REPORT_WAIT: Duration = Duration::from_millis(1);
const SHORT_WAIT: Duration = Duration::from_millis(10);
/// What a report may come late, after the client's own time-out.
const REPORT_MARGIN_NS: u64 = 2_000_000_000;
/// How long unreported records are waited for where the client would wait for ever.
const REPORT_MAX_NS: u64 = 300_000_000_000;
const NANOS_PER_MILLI: u64 = 1_000_000;

pub(super) fn act(mut session: Session) -> Result<(), ActorError> {
    let config = session.config(Use::Producer);
    let plan = session.plan();
    let workload =
        workloads::find(&plan.workload).ok_or_else(|| ActorError::Workload(plan.workload.clone()))?;
    let script = (workload.script)(&plan.load, session.spec.index, plan.seed);
    let effective = crate::kafka::properties::read_back(&config)?;
    let is = |name: &str, value: &str| effective.get(name).is_some_and(|found| found == value);
    let timeout_ms = effective.get("message.timeout.ms").and_then(|value| value.parse::<u64>().ok());
    let client = KafkaProducer::new(&config, &plan.topic)?;
    session.begin(Some(&config))?;
    let Some(start) = wait_for_start(&session) else { return Ok(()) };
    let mut actor = Actor {
        acknowledged: !is("acks", "0"),
        retries: !is("retries", "0"),
        report_ns: timeout_ms
            .filter(|timeout| *timeout > 0)
            .map_or(REPORT_MAX_NS, |timeout| timeout * NANOS_PER_MILLI + REPORT_MARGIN_NS),
        start,
        end: Nanos(start.0 + session.plan().load.duration_ms * NANOS_PER_MILLI),
        session,
        client,
        script,
        completions: Vec::new(),
        remarks: Vec::new(),
        open: 0,
        stopped: false,
        payload: Vec::new(),
        key: Vec::new(),
    };
    actor.load()?;
    actor.settle()?;
    let elapsed_ns = clock::now().since(start);
    actor.session.done(elapsed_ns);
    Ok(())
}

/// The beginning of the load; `None` if there will be none.
pub(super) fn wait_for_start(session: &Session) -> Option<Nanos> {
    loop {
        match session.commands.recv() {
            Ok(Command::Go { start }) => return Some(start),
            Ok(Command::Stop) | Err(_) => return None,
            Ok(Command::Finish { .. } | Command::Partitions { .. } | Command::Admin { .. }) => {}
        }
    }
}

struct Actor<P> {
    session: Session,
    client: P,
    script: Box<dyn Script>,
    /// acks is not 0: a report without error is a broker's acknowledgement.
    acknowledged: bool,
    retries: bool,
    report_ns: u64,
    start: Nanos,
    end: Nanos,
    completions: Vec<Completion>,
    remarks: Vec<(Nanos, Remark)>,
    /// Records taken by the client and not reported on.
    open: u64,
    stopped: bool,
    payload: Vec<u8>,
    key: Vec<u8>,
}

impl<P: Producer> Actor<P> {
    fn load(&mut self) -> Result<(), ActorError> {
        for _ in 0..self.session.spec.sent_before {
            self.script.next();
        }
        let mut seq = 0;
        // A session after the first goes on at the rate of the load: what was not sent while nobody was there to
        // send it is late for good, and not made up for at once.
        let mut late_ns = 0;
        while let Some(step) = self.script.next() {
            if let Some(due) = step.due_ns.filter(|_| seq == 0 && self.session.spec.session > 0) {
                late_ns = clock::now().since(self.start).saturating_sub(due);
            }
            let due = |due: u64| Nanos(self.start.0.saturating_add(due).saturating_add(late_ns));
            let due = step.due_ns.map_or(Nanos(0), due);
            self.wait_until(due.max(self.start))?;
            if self.stopped || clock::now() >= self.end {
                break;
            }
            self.send(seq, step, due)?;
            seq += 1;
            if self.session.plan().load.sync {
                while self.open > 0 && !self.stopped {
                    self.look(REPORT_WAIT)?;
                }
            } else if seq % BURST == 0 {
                self.look(Duration::ZERO)?;
            }
        }
        Ok(())
    }

    /// Serves the client until `due`, or the load is over.
    fn wait_until(&mut self, due: Nanos) -> Result<(), ActorError> {
        loop {
            let now = clock::now();
            if now >= due || now >= self.end || self.stopped {
                return Ok(());
            }
            // librdkafka counts milliseconds; a wait below one would spin.
            let wait = Duration::from_nanos(due.since(now)).clamp(Duration::from_millis(1), SHORT_WAIT);
            self.look(wait)?;
        }
    }

    fn send(&mut self, seq: u64, step: Step, due: Nanos) -> Result<(), ActorError> {
        let plan = &self.session.spec.plan;
        let tag = Tag { producer: self.session.spec.index, session: self.session.spec.session, seq };
        let bytes = plan.load.payload_bytes;
        encode(plan.run_hash, tag, bytes as usize, &mut self.payload);
        let now = clock::now();
        let intended = if step.due_ns.is_some() { due } else { now };
        let Step { partition, key, .. } = step;
        let invoked = Event::SendInvoked { tag, partition, key, payload_bytes: bytes, intended };
        match self.session.record(now, &invoked) {
            Err(ActorError::Record(guard @ history::RecordError::SizeGuard { .. })) => {
                // Not on record, so not sent; what was sent before still has its reports recorded.
                self.session.say(&ActorEvent::SizeGuard { reason: guard.to_string() });
                self.stopped = true;
                return Ok(());
            }
            recorded => recorded?,
        }
        self.session.totals.sent += 1;
        self.open += 1;
        if let Some(key) = key {
            self.key.clear();
            self.key.extend_from_slice(key.to_string().as_bytes());
        }
        loop {
            let key = key.is_some().then_some(&self.key[..]);
            match self.client.send(Outgoing { token: seq, partition, key, payload: &self.payload }) {
                Accepted::Queued => return Ok(()),
                Accepted::Refused(error) => {
                    return self.report(
                        tag,
                        Completion { token: seq, at: clock::now(), partition, offset: None, error },
                        true,
                    );
                }
                Accepted::Full if self.stopped || clock::now() >= self.end => {
                    // Never handed over: the load ended while the application waited for room.
                    let error = ErrorCode(rdkafka::types::RDKafkaErrorCode::QueueFull as i32);
                    return self.report(
                        tag,
                        Completion { token: seq, at: clock::now(), partition, offset: None, error },
                        true,
                    );
                }
                Accepted::Full => self.look(SHORT_WAIT)?,
            }
        }
    }

    /// Serves the client for at most `wait`, and the runner.
    fn look(&mut self, wait: Duration) -> Result<(), ActorError> {
        self.client.poll(wait, &mut self.completions, &mut self.remarks);
        let mut completions = std::mem::take(&mut self.completions);
        for completion in completions.drain(..) {
            let (producer, session) = (self.session.spec.index, self.session.spec.session);
            self.report(Tag { producer, session, seq: completion.token }, completion, false)?;
        }
        self.completions = completions;
        if !self.remarks.is_empty() {
            self.stopped |= self.session.remarks(&mut self.remarks)?;
        }
        self.session.progress(clock::now());
        while let Ok(command) = self.session.commands.try_recv() {
            self.stopped |= command == Command::Stop;
        }
        Ok(())
    }

    fn report(&mut self, tag: Tag, completion: Completion, refused: bool) -> Result<(), ActorError> {
        let Completion { at, partition, offset, error, .. } = completion;
        let delivered = error == ErrorCode::NONE;
        let (outcome, told) = match (delivered, self.acknowledged) {
            (true, true) => (Outcome::Ok, Told::Acked),
            // Nobody answers with acks=0: the record may be anywhere.
            (true, false) => (Outcome::Unknown, Told::Sent),
            (false, _) if refused => (Outcome::Fail, Told::Failed),
            (false, _) => (outcome(error, self.retries), Told::Failed),
        };
        let offset = offset.filter(|_| self.acknowledged);
        self.session.record(at, &Event::SendCompleted { tag, partition, offset, outcome, told, error })?;
        self.open -= 1;
        let totals = &mut self.session.totals;
        match (told, outcome) {
            (Told::Acked | Told::Sent, _) => totals.acked += 1,
            (_, Outcome::Fail) => totals.failed += 1,
            _ => {}
        }
        totals.in_doubt = totals.sent - totals.acked - totals.failed;
        Ok(())
    }

    /// Waits until every record is reported on; only then is the session closed.
    fn settle(&mut self) -> Result<(), ActorError> {
        let deadline = Nanos(clock::now().0 + self.report_ns);
        while self.open > 0 && clock::now() < deadline {
            self.look(SHORT_WAIT)?;
        }
        if self.open == 0 {
            self.session.note(Note::SessionClosed)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
