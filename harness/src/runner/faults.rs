//! Carries out the schedule: injects, verifies and heals, on a thread of its own, because starting a broker
//! takes a while. Every fault is healed, also when the run is stopped or something fails.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use history::{Nanos, PlannedFault, clock};
use nemesis::{Cluster, Injected, Spec, Touched};
use targets::causes::with_causes;
use targets::reference::ReferenceCluster;

use super::message::Message;

/// How often the cluster is asked what happened.
const LOOK: Duration = Duration::from_millis(50);
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
    },
    /// It is undone.
    Healed {
        /// Its number.
        fault: u32,
        /// What it touched.
        touched: Touched,
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
    thread: JoinHandle<ReferenceCluster>,
}

impl Executor {
    /// Begins; `start` is when the load begins.
    pub(crate) fn start(
        cluster: ReferenceCluster,
        schedule: Vec<PlannedFault>,
        start: Nanos,
        messages: Sender<Message>,
    ) -> std::io::Result<Self> {
        let (stop, stopped) = channel();
        let thread = thread::Builder::new().name("faults".to_owned()).spawn(move || {
            let mut stage = Stage { cluster, stopped, messages, over: false };
            for fault in schedule {
                stage.carry_out(fault, start);
            }
            stage.tell();
            stage.cluster
        })?;
        Ok(Self { stop, thread })
    }

    /// Heals what is in force, skips the rest, and gives the cluster back.
    ///
    /// # Errors
    /// If the thread panicked; the cluster's processes are gone then.
    pub(crate) fn finish(self) -> Result<ReferenceCluster, String> {
        drop(self.stop);
        self.thread.join().map_err(|_| "the fault thread panicked".to_owned())
    }

    /// Asks for what [`Executor::finish`] waits for.
    pub(crate) fn stop(&self) {
        // It may be over already, and nobody listening.
        let _ = self.stop.send(());
    }
}

struct Stage {
    cluster: ReferenceCluster,
    stopped: Receiver<()>,
    messages: Sender<Message>,
    over: bool,
}

impl Stage {
    fn carry_out(&mut self, fault: PlannedFault, start: Nanos) {
        let Some(spec) = nemesis::find(&fault.nemesis) else {
            return self.fail(fault.id, format!("there is no nemesis `{}`", fault.nemesis), false);
        };
        if !self.wait_until(Nanos(start.0 + fault.at_ms * NANOS_PER_MILLI)) {
            return;
        }
        let (id, duration_ms) = (fault.id, fault.duration_ms);
        let Some(aim) = self.inject(spec, fault) else { return };
        self.wait_until(Nanos(clock::now().0 + duration_ms * NANOS_PER_MILLI));
        self.heal(spec, id, &aim);
    }

    fn inject(&mut self, spec: &Spec, fault: PlannedFault) -> Option<Injected> {
        let aim = match spec.nemesis.aim(&fault, &self.cluster) {
            Ok(aim) => aim,
            Err(error) => {
                self.fail(fault.id, with_causes(&error), false);
                return None;
            }
        };
        let invoked = clock::now();
        let injected = spec.nemesis.inject(&fault, &aim, &mut self.cluster);
        let reason = match injected {
            Ok(()) if spec.nemesis.verify(&aim, &self.cluster) => None,
            Ok(()) => Some("it was injected, and is not in force".to_owned()),
            Err(error) => Some(with_causes(&error)),
        };
        if let Some(reason) = reason {
            self.fail(fault.id, reason, false);
            self.heal(spec, fault.id, &aim);
            return None;
        }
        self.report(FaultReport::Injected { fault, aim: aim.clone(), invoked, at: clock::now() });
        Some(aim)
    }

    fn heal(&mut self, spec: &Spec, fault: u32, aim: &Injected) {
        match spec.nemesis.heal(aim, &mut self.cluster) {
            Ok(touched) => self.report(FaultReport::Healed { fault, touched, at: clock::now() }),
            Err(error) => self.fail(fault, with_causes(&error), true),
        }
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
        for (at, note) in self.cluster.events() {
            let _ = self.messages.send(Message::Cluster(at, note));
        }
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

/// Whether every broker runs; a healed cluster is an invariant, not a hope.
pub(crate) fn all_running(cluster: &ReferenceCluster) -> bool {
    cluster.nodes().into_iter().all(|node| cluster.is_running(node))
}
