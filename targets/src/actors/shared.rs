//! What every actor has: its share of the plan, its history segment, and its line to the runner.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::mpsc::Receiver;

use history::clock::ClockIdentity;
use history::{Event, Nanos, Note, Plan, Recorder, clock};
use rdkafka::ClientConfig;
use workloads::client::Remark;

use super::entry::ActorError;
use super::protocol::{ActorEvent, ActorSpec, Command, Totals};
use crate::kafka::properties::{Source, Use, read_back};

const PROGRESS_NS: u64 = 200_000_000;

/// The line to the runner.
pub(super) type Line = Box<dyn Fn(&ActorEvent) + Send>;

/// An actor's session.
pub(super) struct Session {
    pub(super) spec: ActorSpec,
    pub(super) commands: Receiver<Command>,
    pub(super) totals: Totals,
    recorder: Recorder,
    line: Line,
    told: Nanos,
}

/// Tells the runner something, on stdout. A runner that is gone takes this process with it, so a broken pipe is of no
/// concern.
pub(super) fn say(event: &ActorEvent) {
    if let Ok(mut line) = serde_json::to_string(event) {
        line.push('\n');
        let _ = io::stdout().lock().write_all(line.as_bytes());
        let _ = io::stdout().lock().flush();
    }
}

impl Session {
    pub(super) fn start(
        spec: ActorSpec,
        commands: Receiver<Command>,
        line: Line,
    ) -> Result<Self, ActorError> {
        let recorder = match &spec.history {
            Some(dir) => {
                Recorder::create(dir, spec.job.role(), spec.index, spec.session, spec.history_bytes_max)?
            }
            None => Recorder::disabled(),
        };
        Ok(Self { spec, commands, totals: Totals::default(), recorder, line, told: clock::now() })
    }

    /// Tells the runner something.
    pub(super) fn say(&self, event: &ActorEvent) {
        (self.line)(event);
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.spec.plan
    }

    /// The configuration of a client of this actor.
    pub(super) fn config(&self, client: Use) -> ClientConfig {
        let plan = self.plan();
        let source = Source {
            cell: &plan.cell,
            profile: plan.profile,
            bootstrap: &self.spec.bootstrap,
            verbatim: &self.spec.verbatim,
            run: &plan.run,
        };
        source.config(client)
    }

    /// Puts the beginning of the session on record, with the client's effective settings.
    pub(super) fn begin(&mut self, config: Option<&ClientConfig>) -> Result<(), ActorError> {
        let effective = config.map(read_back).transpose()?.unwrap_or_else(BTreeMap::new);
        self.started(effective)?;
        self.ready();
        Ok(())
    }

    /// Puts the beginning of the session on record; [`Session::ready`] is to follow.
    pub(super) fn started(&mut self, effective: BTreeMap<String, String>) -> Result<(), ActorError> {
        let note = Note::SessionStarted {
            role: self.spec.job.role(),
            index: self.spec.index,
            session: self.spec.session,
            pid: std::process::id(),
            clock: ClockIdentity::here(),
            effective,
        };
        self.note(note)
    }

    /// Tells the runner that it may begin.
    pub(super) fn ready(&self) {
        self.say(&ActorEvent::Ready);
    }

    pub(super) fn record(&mut self, at: Nanos, event: &Event) -> Result<(), ActorError> {
        Ok(self.recorder.record(at, event)?)
    }

    pub(super) fn note(&mut self, note: Note) -> Result<(), ActorError> {
        self.record(clock::now(), &Event::Note(note))
    }

    /// Puts a client's remarks on record; returns whether the client can do no more.
    pub(super) fn remarks(&mut self, remarks: &mut Vec<(Nanos, Remark)>) -> Result<bool, ActorError> {
        let mut finished = false;
        for (at, remark) in remarks.drain(..) {
            let note = match remark {
                Remark::Error { code, text, fatal } => {
                    finished |= fatal;
                    Note::ClientError { code, text, fatal }
                }
                Remark::Retries(total) => Note::Retries { total },
                Remark::Leader(partition, leader) => {
                    let leader = (leader >= 0).then_some(history::NodeId(leader));
                    Note::ClientView { partition, leader }
                }
            };
            self.record(at, &Event::Note(note))?;
        }
        Ok(finished)
    }

    /// Tells the runner the totals, if it has not been told for a while.
    pub(super) fn progress(&mut self, now: Nanos) {
        if now.since(self.told) > PROGRESS_NS {
            self.told = now;
            self.say(&ActorEvent::Progress { totals: self.totals });
        }
    }

    /// Tells the runner that all is done.
    pub(super) fn done(self, elapsed_ns: u64) {
        self.say(&ActorEvent::Done { totals: self.totals, elapsed_ns });
    }
}
