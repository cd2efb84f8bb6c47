//! How a fault reaches the applications of a run: the executor asks, and the conductor, who holds them, does it
//! and answers.

use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use history::{Application, Manner, Nanos, NodeId, Partition, Role, clock};
use nemesis::{Administrator, Applications, Cluster, FaultError, Link, Touched};

use super::message::Message;

/// How often somebody who rests asks whether it may go on.
const LOOK: Duration = Duration::from_millis(50);

/// What is asked of whoever holds the applications.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Who of a kind is at work?
    Running(Role),
    /// End one by SIGKILL.
    Kill(Application),
    /// Start the next session of one that was killed.
    Restart(Application),
    /// Stop one.
    Pause(Application),
    /// Continue one.
    Resume(Application),
    /// Ask one to end in an orderly way.
    Leave(Application),
    /// May faults go on?
    GoOn,
}

/// One question, and where its answer goes: those at work, or why it could not be done.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) verb: Verb,
    pub(crate) reply: Sender<Result<Vec<Application>, String>>,
}

/// The applications of a run and its topic, as its faults see them. As a cluster it has no broker that anybody could
/// break.
#[derive(Debug)]
pub(crate) struct Backstage {
    /// To the conductor.
    pub(crate) messages: Sender<Message>,
    /// What metadata shows of the topic goes on record: nobody else tells.
    pub(crate) records: bool,
    /// Other faults wait for their turn: what the cluster does not do at once is given up.
    pub(crate) hurried: bool,
}

impl Backstage {
    fn ask(&self, verb: Verb) -> Result<Vec<Application>, String> {
        let (reply, answer) = channel();
        // A run that is gone drops the question, and with it the other end of the answer.
        let _ = self.messages.send(Message::Applications(Request { verb, reply }));
        answer.recv().map_err(|_| "the run is over".to_owned())?
    }

    fn order(&self, action: &'static str, application: Application, verb: Verb) -> Result<(), FaultError> {
        let asked = self.ask(verb).map(drop);
        asked.map_err(|reason| FaultError::Application { action, application, reason })
    }
}

impl Applications for Backstage {
    fn running(&self, role: Role) -> Vec<Application> {
        self.ask(Verb::Running(role)).unwrap_or_default()
    }
    fn kill(&self, application: Application) -> Result<(), FaultError> {
        self.order("kill", application, Verb::Kill(application))
    }
    fn restart(&self, application: Application) -> Result<(), FaultError> {
        self.order("start another session of", application, Verb::Restart(application))
    }
    fn pause(&self, application: Application) -> Result<(), FaultError> {
        self.order("stop", application, Verb::Pause(application))
    }
    fn resume(&self, application: Application) -> Result<(), FaultError> {
        self.order("continue", application, Verb::Resume(application))
    }
    fn leave(&self, application: Application) -> Result<(), FaultError> {
        self.order("end", application, Verb::Leave(application))
    }
    fn rest(&self, duration: Duration) -> bool {
        let ends =
            Nanos(clock::now().0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)));
        loop {
            if self.ask(Verb::GoOn).is_err() {
                return false;
            }
            let left = Duration::from_nanos(ends.since(clock::now()));
            if left.is_zero() {
                return true;
            }
            thread::sleep(left.min(LOOK));
        }
    }
}

const UNTOUCHABLE: FaultError =
    FaultError::Unsupported { target: "a run without hosts", action: "break brokers or links" };

impl Cluster for Backstage {
    fn nodes(&self) -> Vec<NodeId> {
        Vec::new()
    }
    fn leader(&self, _: Partition) -> Option<NodeId> {
        None
    }
    fn partitions(&self) -> Vec<Partition> {
        Vec::new()
    }
    fn kill(&mut self, _: &[NodeId]) -> Result<(), FaultError> {
        Err(UNTOUCHABLE)
    }
    fn power_off(&mut self, _: &[NodeId], _: bool) -> Result<(), FaultError> {
        Err(UNTOUCHABLE)
    }
    fn start(&mut self, _: &[NodeId]) -> Result<Touched, FaultError> {
        Err(UNTOUCHABLE)
    }
    fn pause(&mut self, _: &[NodeId]) -> Result<(), FaultError> {
        Err(UNTOUCHABLE)
    }
    fn resume(&mut self, _: &[NodeId]) -> Result<(), FaultError> {
        Err(UNTOUCHABLE)
    }
    fn is_running(&self, _: NodeId) -> bool {
        false
    }
    fn cut(&mut self, _: &[Link], _: Manner) -> Result<(), FaultError> {
        Err(UNTOUCHABLE)
    }
    fn heal(&mut self, _: &[Link]) -> Result<Touched, FaultError> {
        Err(UNTOUCHABLE)
    }
    fn is_cut(&self, _: Link) -> bool {
        false
    }
    fn administrator(&self) -> Option<&dyn Administrator> {
        Some(self)
    }
    fn applications(&self) -> Option<&dyn Applications> {
        Some(self)
    }
}
