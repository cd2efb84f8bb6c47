//! The actors of a run: started, told what to do, watched.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::Sender;

use history::view::worker_name;
use history::{Nanos, Plan};
use targets::actors::protocol::{ActorEvent, ActorSpec, AdminReply, Command, FailureKind, Job, Totals};
use targets::causes::with_causes;
use targets::process::{Child, ChildLine, ChildOutput, ChildSpec, Supervisor, describe};

use super::failure::Failure;

/// How the actors of a run are started.
pub(crate) struct Casting {
    pub(crate) supervisor: Supervisor,
    pub(crate) lines: Sender<ChildLine>,
    pub(crate) plan: Plan,
    /// Partitions that the topic has by now.
    pub(crate) partitions: u32,
    pub(crate) bootstrap: String,
    pub(crate) verbatim: BTreeMap<String, String>,
    /// Where segments go; `None` records nothing.
    pub(crate) history: Option<PathBuf>,
    pub(crate) history_bytes_max: u64,
    pub(crate) logs: PathBuf,
}

/// One actor.
pub(crate) struct Actor {
    pub(super) child: Child,
    pub(crate) job: Job,
    pub(super) index: u32,
    pub(super) session: u32,
    /// Records that earlier sessions of it have invoked.
    pub(super) sent_before: u64,
    pub(crate) ready: bool,
    /// It has done what it was for, or was killed.
    pub(crate) done: bool,
    pub(crate) exited: bool,
    /// It was killed, and another session is to follow.
    pub(super) awaited: bool,
    /// It is stopped.
    pub(super) paused: bool,
    pub(crate) totals: Totals,
    /// How long a producer produced, in nanoseconds.
    pub(crate) elapsed_ns: u64,
}

/// What an actor's line meant for the run.
#[derive(Debug)]
pub(crate) enum Said {
    /// Nothing that ends or answers anything.
    Nothing,
    /// The admin's answer.
    Reply(u64, AdminReply),
    /// The history reached its size guard: stop the load, drain and judge.
    SizeGuard(String),
    /// The run cannot go on.
    Failed(Failure),
}

/// All actors, by name.
#[derive(Default)]
pub(crate) struct Crew {
    pub(super) actors: BTreeMap<String, Actor>,
    /// When the load began.
    start: Option<Nanos>,
}

impl Crew {
    /// Starts an actor.
    pub(crate) fn start(&mut self, casting: &Casting, job: Job, index: u32) -> Result<(), Failure> {
        self.cast(casting, job, (index, 0), 0)
    }

    /// Starts a session of an actor, which goes on behind so many records.
    pub(super) fn cast(
        &mut self,
        casting: &Casting,
        job: Job,
        (index, session): (u32, u32),
        sent_before: u64,
    ) -> Result<(), Failure> {
        let name = worker_name(job.role(), index, session);
        let spec = ActorSpec {
            parent: std::process::id(),
            job: job.clone(),
            index,
            session,
            sent_before,
            plan: casting.plan.clone(),
            partitions: casting.partitions,
            bootstrap: casting.bootstrap.clone(),
            verbatim: casting.verbatim.clone(),
            history: casting.history.clone(),
            history_bytes_max: casting.history_bytes_max,
        };
        let line = serde_json::to_string(&spec).map_err(Failure::bug)?;
        let log = casting.logs.join(format!("{name}.log"));
        let spec = ChildSpec::of_this_program(name.clone(), &["actor"], line, log).map_err(Failure::bug)?;
        let child = casting
            .supervisor
            .spawn(spec, casting.lines.clone())
            .map_err(|error| Failure::preflight(with_causes(&error)))?;
        if let Some(start) = self.start.filter(|_| is_producer(&job))
            && let Ok(line) = serde_json::to_string(&Command::Go { start })
        {
            // One that is gone already tells why.
            let _ = child.send_line(&line);
        }
        let actor = Actor {
            child,
            job,
            index,
            session,
            sent_before,
            ready: false,
            done: false,
            exited: false,
            awaited: false,
            paused: false,
            totals: Totals::default(),
            elapsed_ns: 0,
        };
        self.actors.insert(name, actor);
        Ok(())
    }

    /// The actors of a kind.
    pub(crate) fn of<'a>(&'a self, is: impl Fn(&Job) -> bool + 'a) -> impl Iterator<Item = &'a Actor> {
        self.actors.values().filter(move |actor| is(&actor.job))
    }

    /// Tells all actors of a kind something; one that is gone has told why already.
    pub(crate) fn tell(&self, is: impl Fn(&Job) -> bool, command: &Command) {
        if let Ok(line) = serde_json::to_string(command) {
            for actor in self.of(is) {
                let _ = actor.child.send_line(&line);
            }
        }
    }

    /// Begins the load.
    pub(crate) fn go(&mut self, start: Nanos) {
        self.start = Some(start);
        self.tell(is_producer, &Command::Go { start });
    }

    /// Producers' totals.
    pub(crate) fn totals(&self) -> Totals {
        self.of(is_producer).fold(Totals::default(), |sum, Actor { totals, .. }| Totals {
            sent: sum.sent + totals.sent,
            acked: sum.acked + totals.acked,
            failed: sum.failed + totals.failed,
            in_doubt: sum.in_doubt + totals.in_doubt,
            delivered: sum.delivered + totals.delivered,
        })
    }

    /// Whether the admin said it.
    pub(crate) fn is_admin(&self, line: &ChildLine) -> bool {
        self.actors.get(&line.name).is_some_and(|actor| is_admin(&actor.job))
    }

    /// Takes in what an actor said.
    pub(crate) fn hear(&mut self, line: ChildLine) -> Said {
        let Some(actor) = self.actors.get_mut(&line.name) else { return Said::Nothing };
        let text = match line.output {
            ChildOutput::Exited(status) => {
                actor.exited = true;
                if actor.done {
                    return Said::Nothing;
                }
                let text =
                    format!("actor `{}` {} before it was done (see its log)", line.name, describe(status));
                return Said::Failed(Failure::bug(text));
            }
            ChildOutput::Line(text) => text,
        };
        match serde_json::from_str(&text) {
            Ok(ActorEvent::Ready) => actor.ready = true,
            Ok(ActorEvent::Progress { totals }) => actor.totals = totals,
            Ok(ActorEvent::Done { totals, elapsed_ns }) => {
                (actor.totals, actor.elapsed_ns, actor.done) = (totals, elapsed_ns, true);
            }
            Ok(ActorEvent::SizeGuard { reason }) => return Said::SizeGuard(reason),
            Ok(ActorEvent::Reply { id, reply }) => return Said::Reply(id, reply),
            Ok(ActorEvent::Failed { kind, reason }) => {
                actor.done = true;
                return match kind {
                    FailureKind::SizeGuard => Said::SizeGuard(reason),
                    FailureKind::Recording => Said::Failed(Failure::indeterminate(reason)),
                    FailureKind::Client => Said::Failed(Failure::preflight(reason)),
                };
            }
            Err(error) => {
                let text = format!("actor `{}` said what is no event ({error}): {text}", line.name);
                return Said::Failed(Failure::bug(text));
            }
        }
        Said::Nothing
    }
}

/// Producers of either arm of the benchmark.
pub(crate) fn is_producer(job: &Job) -> bool {
    matches!(job, Job::Producer | Job::Bare)
}

/// Consumers of either kind: readers that follow the log, and members of a group.
pub(crate) fn is_consumer(job: &Job) -> bool {
    matches!(job, Job::Reader | Job::Member)
}

/// The drain.
pub(crate) fn is_drain(job: &Job) -> bool {
    matches!(job, Job::Drain { .. })
}

/// The admin.
pub(crate) fn is_admin(job: &Job) -> bool {
    matches!(job, Job::Admin)
}
