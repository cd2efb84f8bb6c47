//! Carries out the schedule: injects, verifies and heals, on a thread of its own, because starting a broker
//! takes a while. Every fault is healed, also when the run is stopped or something fails.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use history::{Nanos, PlannedFault, clock};
use nemesis::{Cluster, Injected, Spec, Touched};
use targets::causes::with_causes;

use super::backstage::Backstage;
use super::breakable::Breakable;
use super::message::Message;

/// How often the cluster is asked what happened.
const LOOK: Duration = Duration::from_millis(50);
/// How long a fault waits for the last one to be over.
const WHOLE: Duration = Duration::from_secs(90);
/// How long a mended cluster may take to grant what gives its topic back.
const REACHABLE: Duration = Duration::from_secs(60);
/// When a request is made again at the earliest.
const AGAIN: Duration = Duration::from_millis(500);
const NANOS_PER_MILLI: u64 = 1_000_000;

/// What became of a fault.
#[derive(Debug)]
pub(crate) enum FaultReport {
    /// It is in force; `invoked` was stamped before it was.
    Injected {
        /// The fault.
        fault: PlannedFault,
        /// Whom it hit.
        aim: Injected,
        /// Stamped before.
        invoked: Nanos,
        /// Stamped after.
        at: Nanos,
        /// By which means, where there is a choice.
        by: Vec<String>,
    },
    /// It is undone.
    Healed {
        /// Its number.
        fault: u32,
        /// What it touched.
        touched: Touched,
        /// What was seen of it.
        seen: Vec<String>,
        /// Stamped after.
        at: Nanos,
    },
    /// It could not be injected, or not be healed.
    Failed {
        /// Its number.
        fault: u32,
        /// Why.
        reason: String,
        /// Something may still be broken.
        unhealed: bool,
        /// When.
        at: Nanos,
    },
}

/// A schedule that is being carried out.
pub(crate) struct Executor {
    stop: Sender<()>,
    thread: JoinHandle<Option<Box<dyn Breakable>>>,
}

impl Executor {
    /// Begins; `start` is when the load begins. Without a cluster only applications can be hit, and requests made.
    pub(crate) fn start(
        cluster: Option<Box<dyn Breakable>>,
        schedule: Vec<PlannedFault>,
        start: Nanos,
        backstage: Backstage,
    ) -> std::io::Result<Self> {
        let (stop, stopped) = channel();
        let thread = thread::Builder::new().name("faults".to_owned()).spawn(move || {
            let messages = backstage.messages.clone();
            let mut stage = Stage { cluster, backstage, stopped, messages, over: false };
            stage.carry_out(schedule, start);
            stage.tell();
            stage.cluster
        })?;
        Ok(Self { stop, thread })
    }

    /// Heals what is in force, skips the rest, and gives the cluster back.
    ///
    /// # Errors
    /// If the thread panicked; the cluster's processes are gone then.
    pub(crate) fn finish(self) -> Result<Option<Box<dyn Breakable>>, String> {
        drop(self.stop);
        self.thread.join().map_err(|_| "the fault thread panicked".to_owned())
    }

    /// Whether [`Executor::finish`] would return at once. Until then it may ask for applications.
    pub(crate) fn is_over(&self) -> bool {
        self.thread.is_finished()
    }

    /// Asks for what [`Executor::finish`] waits for.
    pub(crate) fn stop(&self) {
        // It may be over already, and nobody listening.
        let _ = self.stop.send(());
    }
}

/// A fault in force.
struct InForce {
    id: u32,
    spec: &'static Spec,
    aim: Injected,
    ends: Nanos,
}

/// Whether a request may have to wait for other faults that are in force.
fn has_others(spec: &Spec, others: &[InForce]) -> bool {
    spec.class.is_administrative() && others.iter().any(|other| !other.spec.class.is_administrative())
}

/// Whether nodes are down, or stand still, as long as the fault lasts.
fn takes_down(aim: &Injected) -> bool {
    aim.links.is_empty() && aim.affliction.as_ref().is_none_or(nemesis::Affliction::takes_down)
}

struct Stage {
    cluster: Option<Box<dyn Breakable>>,
    backstage: Backstage,
    stopped: Receiver<()>,
    messages: Sender<Message>,
    over: bool,
}

impl Stage {
    /// Whom a nemesis breaks: the cluster, or those who use and administer it.
    fn world(&mut self, spec: &Spec) -> &mut dyn Cluster {
        let behind = spec.class.applications().is_some() || spec.class.is_administrative();
        match &mut self.cluster {
            Some(cluster) if !behind => cluster.as_mut(),
            _ => &mut self.backstage,
        }
    }

    fn is_slow(&self) -> bool {
        self.cluster.as_ref().is_some_and(|cluster| cluster.is_slow())
    }

    /// Injects and heals, whichever is due next; what is in force when the schedule is stopped is healed, the last
    /// first.
    fn carry_out(&mut self, schedule: Vec<PlannedFault>, start: Nanos) {
        let mut coming = VecDeque::from(schedule);
        let mut in_force: Vec<InForce> = Vec::new();
        loop {
            let begins = coming.front().map(|fault| Nanos(start.0 + fault.at_ms * NANOS_PER_MILLI));
            let ends = in_force.iter().map(|fault| fault.ends).min();
            let goes_on = match (begins, ends) {
                (None, None) => return,
                (Some(begins), ends) if ends.is_none_or(|ends| begins < ends) => {
                    let whole = ends.is_some() || !self.is_slow() || self.wait_whole();
                    whole && self.wait_until(begins)
                }
                (_, ends) => ends.is_none_or(|ends| self.wait_until(ends)),
            };
            if !goes_on {
                self.heal_all(in_force);
                return;
            }
            let now = clock::now();
            match in_force.iter().position(|fault| fault.ends <= now) {
                Some(over) => {
                    let mut fault = in_force.remove(over);
                    if !self.heal(&mut fault, &mut in_force) {
                        let next = in_force.iter().map(|other| other.ends).min();
                        let soon = Nanos(clock::now().0 + AGAIN.as_nanos() as u64);
                        fault.ends = next.map_or(soon, |next| next.max(soon));
                        in_force.push(fault);
                    }
                }
                None => {
                    let fault = coming.pop_front();
                    let injected = fault.and_then(|fault| self.inject(fault, &mut in_force));
                    in_force.extend(injected);
                }
            }
        }
    }

    fn inject(&mut self, fault: PlannedFault, others: &mut [InForce]) -> Option<InForce> {
        let Some(spec) = nemesis::find(&fault.nemesis) else {
            self.fail(fault.id, format!("there is no nemesis `{}`", fault.nemesis), false);
            return None;
        };
        let aim = match spec.nemesis.aim(&fault, self.world(spec)) {
            Ok(aim) => aim,
            Err(error) => {
                self.fail(fault.id, with_causes(&error), false);
                return None;
            }
        };
        self.backstage.hurried = has_others(spec, others);
        let invoked = clock::now();
        let injected = spec.nemesis.inject(&fault, &aim, self.world(spec));
        let reason = match injected {
            Ok(()) if spec.nemesis.verify(&aim, self.world(spec)) => None,
            Ok(()) => Some("it was injected, and is not in force".to_owned()),
            Err(error) => Some(with_causes(&error)),
        };
        self.backstage.hurried = false;
        let at = clock::now();
        let from = if spec.nemesis.runs_through() { invoked } else { at };
        let ends = Nanos(from.0 + fault.duration_ms * NANOS_PER_MILLI);
        let mut injected = InForce { id: fault.id, spec, aim: aim.clone(), ends };
        if let Some(reason) = reason {
            self.fail(fault.id, reason, false);
            // What cannot be undone yet is undone later.
            return (!self.heal(&mut injected, others)).then_some(injected);
        }
        let by = self.world(spec).take_words();
        self.report(FaultReport::Injected { fault, aim, invoked, at, by });
        Some(injected)
    }

    /// Heals what is in force, the last first; requests that the others keep from being granted come last.
    fn heal_all(&mut self, mut in_force: Vec<InForce>) {
        let mut put_off = Vec::new();
        while let Some(mut fault) = in_force.pop() {
            if !self.heal(&mut fault, &mut in_force) {
                put_off.push(fault);
            }
        }
        for mut fault in put_off {
            self.heal(&mut fault, &mut []);
        }
    }

    /// Undoes a fault; false if it is a request that another fault may keep from being granted, to be tried again when
    /// that one is over.
    fn heal(&mut self, fault: &mut InForce, others: &mut [InForce]) -> bool {
        fault.aim.changes.retain(|change| !others.iter_mut().any(|other| other.aim.inherit(change)));
        let mut aim = fault.aim.clone();
        // What another fault has cut or taken down too stays so until that one is over. What a node is under is its
        // own, and ends with its own fault.
        aim.links.retain(|link| !others.iter().any(|other| other.aim.links.contains(link)));
        if fault.aim.links.is_empty() && fault.aim.affliction.is_none() {
            let down = |node: &_| {
                others.iter().any(|other| takes_down(&other.aim) && other.aim.nodes.contains(node))
            };
            aim.nodes.retain(|node| !down(node));
        }
        let others = has_others(fault.spec, others);
        self.backstage.hurried = others;
        let begun = clock::now();
        let healed = loop {
            let healed = fault.spec.nemesis.heal(&aim, self.world(fault.spec));
            let late = Duration::from_nanos(clock::now().since(begun)) >= REACHABLE;
            // A cluster that was mended just now takes a while to grant anything.
            if healed.is_ok() || others || late || !fault.spec.class.is_administrative() {
                break healed;
            }
            thread::sleep(LOOK);
        };
        self.backstage.hurried = false;
        match healed {
            Ok(touched) => {
                let seen = self.world(fault.spec).take_words();
                self.report(FaultReport::Healed { fault: fault.id, touched, seen, at: clock::now() });
            }
            Err(_) if others => return false,
            Err(error) => self.fail(fault.id, with_causes(&error), true),
        }
        true
    }

    fn fail(&self, fault: u32, reason: String, unhealed: bool) {
        self.report(FaultReport::Failed { fault, reason, unhealed, at: clock::now() });
    }

    fn report(&self, report: FaultReport) {
        self.tell();
        // Whoever listened is gone only when the run is.
        let _ = self.messages.send(Message::Fault(report));
    }

    fn tell(&self) {
        for (at, note) in self.cluster.iter().flat_map(|cluster| cluster.events()) {
            let _ = self.messages.send(Message::Cluster(at, note));
        }
    }

    /// Waits until what the last fault broke is whole again, so that faults do not pile up; false once the
    /// schedule is to stop.
    fn wait_whole(&mut self) -> bool {
        let end = Nanos(clock::now().0 + WHOLE.as_nanos() as u64);
        let full = |cluster: &Option<Box<dyn Breakable>>| cluster.as_ref().is_none_or(|it| it.isr_full());
        while !full(&self.cluster) && clock::now() < end {
            if !self.wait_until(Nanos(clock::now().0 + LOOK.as_nanos() as u64)) {
                return false;
            }
        }
        true
    }

    /// Waits, and passes on what the cluster tells; false once the schedule is to stop.
    fn wait_until(&mut self, due: Nanos) -> bool {
        while !self.over {
            self.tell();
            let left = Duration::from_nanos(due.since(clock::now()));
            if left.is_zero() {
                return true;
            }
            self.over = !matches!(self.stopped.recv_timeout(left.min(LOOK)), Err(RecvTimeoutError::Timeout));
        }
        false
    }
}
