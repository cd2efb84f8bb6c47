//! The conductor: listens to everything that happens, keeps the runner's own part of the history, and waits
//! for one thing at a time.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use history::clock::ClockIdentity;
use history::{Event, FaultClass, Nanos, Note, Phase, Plan, PlannedFault, Recorder, Role, clock};
use nemesis::Injected;
use results::RunDir;
use targets::actors::protocol::{AdminReply, AdminRequest, Command};
use targets::causes::with_causes;
use targets::process::Supervisor;

use super::administration::Inquiry;
use super::backstage::{Request, Verb};
use super::breakable::Breakable;
use super::crew::{Casting, Crew, Said, is_admin, is_consumer};
use super::failure::Failure;
use super::faults::{Executor, FaultReport};
use super::message::{Message, actor_lines};
use super::progress::{Progress, Totals};
use super::signals::SignalWatch;
use super::{Arm, RunOptions};

/// How often a wait looks up from its channel.
const LOOK: Duration = Duration::from_millis(50);
const NANOS_PER_MILLI: u64 = 1_000_000;
/// A storm ends a member about so often.
const STORM_STEP_MS: u64 = 400;

/// A run under way.
pub(crate) struct Conductor<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) options: &'a RunOptions,
    pub(crate) dir: &'a RunDir,
    pub(crate) crew: Crew,
    pub(crate) casting: Casting,
    pub(crate) progress: Progress,
    pub(crate) cluster: Option<Box<dyn Breakable>>,
    pub(crate) executor: Option<Executor>,
    /// Signals received: one stops the load, two also skip the drain.
    pub(crate) signals: Vec<i32>,
    /// The topic exists, by our doing or already.
    pub(crate) created: bool,
    /// The load is to stop early.
    pub(crate) stop_load: Option<String>,
    /// Everything is being ended: nobody is started any more.
    pub(crate) ending: bool,
    /// Faults are to end.
    healing: bool,
    /// What went wrong beside the run's course; none of these keeps it from going on.
    pub(crate) troubles: Vec<Failure>,
    /// When the run must stop, if ever.
    end: Option<Nanos>,
    recorder: Recorder,
    sender: Sender<Message>,
    messages: Receiver<Message>,
    replies: Vec<(u64, AdminReply)>,
    /// Requests of faults that the admin actor has not answered.
    inquiries: Vec<(u64, Sender<AdminReply>)>,
    asked: u64,
    /// Partitions that the topic may have by now: so many were asked for.
    pub(crate) partitions_asked: u32,
    _signals: SignalWatch,
}

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waited {
    /// What was waited for is there.
    Met,
    /// The deadline passed.
    Late,
}

impl<'a> Conductor<'a> {
    /// Makes everything ready to conduct; nothing is started yet.
    pub(crate) fn new(plan: &'a Plan, options: &'a RunOptions, dir: &'a RunDir) -> Result<Self, Failure> {
        let (sender, messages) = channel();
        // Whoever is killed has a successor with a segment of its own.
        let successors: u64 = plan.schedule.iter().map(successors).sum();
        let segments = u64::from(plan.load.producers + plan.load.readers + 1) + successors;
        let share = options.max_disk_bytes / segments;
        let record_failed = |error| Failure::indeterminate(with_causes(&error));
        let casting = Casting {
            supervisor: Supervisor::new().map_err(Failure::bug)?,
            lines: actor_lines(sender.clone()).map_err(Failure::bug)?,
            plan: plan.clone(),
            partitions: plan.load.partitions,
            bootstrap: plan.bootstrap.clone().unwrap_or_default(),
            verbatim: options.secrets.clone(),
            history: (options.arm == Arm::Recorded).then(|| dir.history()),
            history_bytes_max: share,
            logs: dir.actor_logs(),
        };
        let recorder =
            Recorder::create(&dir.history(), Role::Runner, 0, 0, u64::MAX / 2).map_err(record_failed)?;
        let signals = SignalWatch::start(sender.clone(), Message::Signal).map_err(Failure::bug)?;
        let now = clock::now();
        let mut conductor = Self {
            plan,
            options,
            dir,
            crew: Crew::default(),
            casting,
            progress: Progress::new(options.verbosity),
            cluster: None,
            executor: None,
            signals: Vec::new(),
            created: false,
            stop_load: None,
            ending: false,
            healing: false,
            troubles: Vec::new(),
            end: options
                .max_duration
                .map(|limit| Nanos(now.0 + u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX / 2))),
            recorder,
            sender,
            messages,
            replies: Vec::new(),
            inquiries: Vec::new(),
            asked: 0,
            partitions_asked: plan.load.partitions,
            _signals: signals,
        };
        conductor.note(Note::SessionStarted {
            role: Role::Runner,
            index: 0,
            session: 0,
            pid: std::process::id(),
            clock: ClockIdentity::here(),
            effective: plan.cell.broker.clone(),
        })?;
        Ok(conductor)
    }

    pub(crate) fn sender(&self) -> Sender<Message> {
        self.sender.clone()
    }

    /// Puts something on record now.
    pub(crate) fn note(&mut self, note: Note) -> Result<(), Failure> {
        self.note_at(clock::now(), note)
    }

    fn note_at(&mut self, at: Nanos, note: Note) -> Result<(), Failure> {
        self.recorder
            .record(at, &Event::Note(note))
            .map_err(|error| Failure::indeterminate(with_causes(&error)))
    }

    /// Enters a phase, on record and on the screen.
    pub(crate) fn enter(&mut self, phase: Phase, text: &str) -> Result<(), Failure> {
        self.progress.phase(text);
        self.note(Note::PhaseEntered { phase })
    }

    /// Closes the runner's own segment.
    pub(crate) fn close(&mut self) -> Result<(), Failure> {
        self.note(Note::SessionClosed)
    }

    /// Waits until `met`, taking in whatever happens; a failure of an actor or of the recording ends the
    /// wait.
    pub(crate) fn wait(
        &mut self,
        within: Duration,
        mut met: impl FnMut(&mut Self) -> bool,
    ) -> Result<Waited, Failure> {
        let started = clock::now();
        loop {
            self.take_in_all()?;
            if met(self) {
                return Ok(Waited::Met);
            }
            let waited = Duration::from_nanos(clock::now().since(started));
            let Some(left) = within.checked_sub(waited).filter(|left| !left.is_zero()) else {
                return Ok(Waited::Late);
            };
            match self.messages.recv_timeout(left.min(LOOK)) {
                Ok(message) => self.take_in(message)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => unreachable!("this struct holds a sender"),
            }
        }
    }

    fn take_in_all(&mut self) -> Result<(), Failure> {
        let events = self.cluster.as_ref().map(|cluster| cluster.events()).unwrap_or_default();
        for (at, note) in events {
            self.take_in(Message::Cluster(at, note))?;
        }
        while let Ok(message) = self.messages.try_recv() {
            self.take_in(message)?;
        }
        if let Some(failure) = self.cluster.as_ref().and_then(|cluster| cluster.failure()) {
            return Err(Failure::preflight(failure));
        }
        if self.end.is_some_and(|end| clock::now() >= end) && self.stop_load.is_none() {
            self.stop_load = Some("the run reached its --max-duration".to_owned());
        }
        let Totals { sent, acked, in_doubt } = {
            let totals = self.crew.totals();
            Totals { sent: totals.sent, acked: totals.acked, in_doubt: totals.in_doubt }
        };
        self.progress.totals(Totals { sent, acked, in_doubt });
        Ok(())
    }

    fn take_in(&mut self, message: Message) -> Result<(), Failure> {
        match message {
            Message::Actor(line) => match self.crew.hear(line) {
                Said::Nothing => {}
                Said::Reply(id, reply) => self.answer(id, reply),
                Said::SizeGuard(reason) => {
                    if self.stop_load.is_none() {
                        self.progress.say(&format!("  {reason}: the load stops, and is drained and judged"));
                    }
                    self.stop_load = Some(reason);
                }
                Said::Failed(failure) => return Err(failure),
            },
            Message::Cluster(at, note) => {
                self.show(&note);
                self.note_at(at, note)?;
            }
            Message::Fault(report) => self.fault(report)?,
            Message::Applications(request) => self.serve(&request),
            Message::Administration(inquiry) => self.pass_on(inquiry),
            Message::Signal(signal) => {
                self.signals.push(signal);
                self.progress.say(if self.signals.len() == 1 {
                    "  stopping: heal, drain, check, report (again: heal only)"
                } else {
                    "  stopping: heal only"
                });
                self.stop_load = Some("a signal stopped the run".to_owned());
            }
        }
        Ok(())
    }

    fn show(&self, note: &Note) {
        match note {
            Note::PartitionState { partition, leader, epoch, isr, .. } => {
                let leader = leader.map_or_else(|| "nobody".to_owned(), |leader| leader.to_string());
                let isr = isr.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
                self.progress
                    .detail(&format!("  partition {partition}: leader {leader}, epoch {epoch}, isr {isr}"));
            }
            Note::Fenced { node, fenced } => {
                self.progress
                    .detail(&format!("  node {node} {}", if *fenced { "fenced" } else { "unfenced" }));
            }
            Note::Coordinator { node } => {
                let node = node.map_or_else(|| "nobody".to_owned(), |node| format!("node {node}"));
                self.progress.detail(&format!("  the group is coordinated by {node}"));
            }
            Note::NodeDied { node, status } => {
                self.progress.say(&format!("  node {node} died by itself: {status}"))
            }
            _ => {}
        }
    }

    fn fault(&mut self, report: FaultReport) -> Result<(), Failure> {
        match report {
            FaultReport::Injected { fault, aim, invoked, at, by } => {
                let nodes = aim.nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
                let whom = match (aim.applications.first(), &aim.changes[..]) {
                    (Some(application), _) => application.to_string(),
                    (None, []) => format!("node {nodes}"),
                    (None, changes) => changes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
                };
                self.progress.fault(fault.id, Some(format!("{} {whom}", fault.nemesis)));
                let Injected { nodes, partitions, applications, .. } = aim;
                let (fault, class) = (fault.id, fault.class);
                self.note_at(invoked, Note::FaultInvoked { fault, class, nodes, partitions, applications })?;
                self.note_at(at, Note::FaultInjected { fault, by })
            }
            FaultReport::Healed { fault, touched, seen, at } => {
                self.progress.fault(fault, None);
                let (connections, bytes) = (touched.connections, touched.bytes);
                self.note_at(at, Note::FaultHealed { fault, connections, bytes, seen })
            }
            FaultReport::Failed { fault, reason, unhealed, at } => {
                self.progress.say(&format!("  fault {fault}: {reason}"));
                if unhealed {
                    self.troubles.push(Failure::clean_up(format!("failed to heal fault {fault}: {reason}")));
                }
                self.note_at(at, Note::FaultFailed { fault, reason })
            }
        }
    }

    /// Does to an application what a fault asks for, and answers.
    fn serve(&mut self, request: &Request) {
        // A load that is being stopped has no use for more producers.
        let wanted = |role| !self.ending && (role != Role::Producer || self.stop_load.is_none());
        let done = match request.verb {
            Verb::Running(role) => Ok(self.crew.running(role)),
            Verb::Kill(application) => self.crew.kill(application).map(|()| Vec::new()),
            Verb::Restart(application) => {
                let wanted = wanted(application.role);
                self.crew.restart(&self.casting, application, wanted).map(|()| Vec::new())
            }
            Verb::Pause(application) => self.crew.pause(application).map(|()| Vec::new()),
            Verb::Resume(application) => self.crew.resume(application).map(|()| Vec::new()),
            Verb::Leave(application) => self.crew.leave(application).map(|()| Vec::new()),
            Verb::GoOn if self.ending || self.healing || self.stop_load.is_some() => {
                Err("faults are to end".to_owned())
            }
            Verb::GoOn => Ok(Vec::new()),
        };
        // Whoever asked is gone only if it panicked.
        let _ = request.reply.send(done);
    }

    /// Passes on what a fault asks the cluster for; nobody waits here for the answer.
    fn pass_on(&mut self, Inquiry { request, reply }: Inquiry) {
        if let AdminRequest::AddPartitions { total, .. } = request {
            self.partitions_asked = self.partitions_asked.max(total);
        }
        self.asked += 1;
        self.inquiries.push((self.asked, reply));
        self.crew.tell(is_admin, &Command::Admin { id: self.asked, request });
    }

    /// Takes in an answer of the admin actor, and passes it on if a fault asked.
    fn answer(&mut self, id: u64, reply: AdminReply) {
        if let AdminReply::View { partitions, .. } = &reply {
            self.grow(partitions.len());
        }
        match self.inquiries.iter().position(|(of, _)| *of == id) {
            // Whoever asked may have given up.
            Some(place) => drop(self.inquiries.swap_remove(place).1.send(reply)),
            None => self.replies.push((id, reply)),
        }
    }

    /// The topic shows so many partitions: those that faults have asked for are followed, fenced and drained like
    /// the plan's. Others of a topic that was there before are not ours.
    fn grow(&mut self, shown: usize) {
        let total = u32::try_from(shown).unwrap_or(u32::MAX).min(self.partitions_asked);
        if total > self.casting.partitions {
            self.casting.partitions = total;
            self.crew.tell(is_consumer, &Command::Partitions { total });
        }
    }

    /// Asks the admin actor something and waits for its answer; no answer, or one that it failed, ends the
    /// run.
    pub(crate) fn ask(&mut self, request: AdminRequest, within: Duration) -> Result<AdminReply, Failure> {
        let what = format!("{request:?}");
        match self.inquire(request, within)? {
            Some(AdminReply::Failed { reason, unreachable: _ }) => Err(Failure::preflight(reason)),
            Some(reply) => Ok(reply),
            None => Err(Failure::preflight(format!("the admin actor did not answer {what} in time"))),
        }
    }

    /// Asks the admin actor something and waits for its answer, whatever it is.
    pub(crate) fn inquire(
        &mut self,
        request: AdminRequest,
        within: Duration,
    ) -> Result<Option<AdminReply>, Failure> {
        self.asked += 1;
        let id = self.asked;
        self.crew.tell(is_admin, &Command::Admin { id, request });
        let mut answer = None;
        // The actor keeps the deadline itself; this one only guards against an actor that hangs.
        self.wait(within + Duration::from_secs(5), |run| {
            let place = run.replies.iter().position(|(of, _)| *of == id);
            answer = place.map(|place| run.replies.swap_remove(place).1);
            answer.is_some()
        })?;
        Ok(answer)
    }

    /// Stops the schedule, heals everything and takes the cluster back.
    pub(crate) fn heal(&mut self) -> Result<(), Failure> {
        if let Some(executor) = self.executor.take() {
            executor.stop();
            self.healing = true;
            // Applications are healed by us, and the topic by the admin actor, whatever else there is to hear.
            let (mut unheard, mut heard) = (Vec::new(), Ok(()));
            while !executor.is_over() {
                match self.messages.recv_timeout(LOOK) {
                    Ok(Message::Applications(request)) => self.serve(&request),
                    Ok(Message::Administration(inquiry)) => self.pass_on(inquiry),
                    Ok(Message::Actor(line)) if self.crew.is_admin(&line) => {
                        heard = heard.and(self.take_in(Message::Actor(line)));
                    }
                    Ok(message) => unheard.push(message),
                    Err(_) => {}
                }
            }
            self.cluster = executor.finish().map_err(Failure::clean_up)?;
            heard?;
            unheard.into_iter().try_for_each(|message| self.take_in(message))?;
            self.take_in_all()?;
        }
        Ok(())
    }
}

/// How many sessions of applications a fault may make necessary, at most or nearly so.
fn successors(fault: &PlannedFault) -> u64 {
    match fault.class {
        FaultClass::RebalanceStorm => fault.duration_ms / STORM_STEP_MS + 1,
        class => u64::from(class.ends_applications()),
    }
}

/// Milliseconds as the protocol counts them.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / NANOS_PER_MILLI)
}
