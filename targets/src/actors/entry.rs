//! The entry of an actor process.

use std::io::{self, BufRead};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use nix::sys::signal::{SigSet, Signal};

use super::protocol::{ActorEvent, ActorSpec, Command, FailureKind, Job};
use super::shared::{Line, Session, say};
use super::{admin, bare, drain, member, producer, reader};
use crate::causes::with_causes;
use crate::process::{GuardError, die_with_parent};

/// An actor gave up.
#[derive(Debug, thiserror::Error)]
pub enum ActorError {
    /// Its first line is no spec.
    #[error("failed to read the actor's spec from stdin (actors are started by `highwater run`)")]
    Spec(#[source] serde_json::Error),
    /// Stdin ended or broke.
    #[error("failed to read stdin")]
    Stdin(#[source] io::Error),
    /// It could not bind itself to its parent.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// The system refused.
    #[error("failed to prepare the actor")]
    System(#[source] io::Error),
    /// Its history could not be recorded.
    #[error(transparent)]
    Record(#[from] history::RecordError),
    /// The client failed.
    #[error("the Kafka client failed")]
    Client(#[from] rdkafka::error::KafkaError),
    /// The admin client failed.
    #[error(transparent)]
    Admin(#[from] crate::kafka::admin::AdminError),
    /// The plan names a workload that does not exist.
    #[error("there is no workload `{0}`")]
    Workload(String),
}

impl ActorError {
    fn kind(&self) -> FailureKind {
        match self {
            Self::Record(history::RecordError::SizeGuard { .. }) => FailureKind::SizeGuard,
            Self::Record(_) => FailureKind::Recording,
            _ => FailureKind::Client,
        }
    }
}

/// Reads an [`ActorSpec`] from stdin and acts until it is done, told to stop, or its runner is gone.
///
/// # Errors
/// What kept it from acting; the runner has been told then.
pub fn run_stdin() -> Result<(), ActorError> {
    // A file-size limit becomes an error of the write that hits it, and not the death of the process. Before
    // any other thread starts, so that all of them inherit it.
    let mut limits = SigSet::empty();
    limits.add(Signal::SIGXFSZ);
    limits.thread_block().map_err(|errno| ActorError::System(errno.into()))?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(ActorError::Stdin)?;
    let spec: ActorSpec = serde_json::from_str(&line).map_err(ActorError::Spec)?;
    die_with_parent(spec.parent)?;
    let commands = listen().map_err(ActorError::System)?;
    let acted = act(spec, commands, Box::new(say));
    if let Err(error) = &acted {
        say(&ActorEvent::Failed { kind: error.kind(), reason: with_causes(error) });
    }
    acted
}

pub(super) fn act(spec: ActorSpec, commands: Receiver<Command>, line: Line) -> Result<(), ActorError> {
    let job = spec.job.clone();
    let session = Session::start(spec, commands, line)?;
    match job {
        Job::Producer => producer::act(session),
        Job::Reader => reader::act(session),
        Job::Member => member::act(session),
        Job::Drain { fences, deadline_ms } => drain::act(session, &fences, deadline_ms),
        Job::Admin => admin::act(session),
        Job::Bare => bare::act(session),
    }
}

/// Commands from stdin; its end means that the runner is gone, and so is this process.
fn listen() -> io::Result<Receiver<Command>> {
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new().name("stdin".to_owned()).spawn(move || {
        for line in io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            match serde_json::from_str(&line) {
                Ok(command) => drop(sender.send(command)),
                Err(error) => crate::log::line(format_args!("ignored a line that is no command: {error}")),
            }
        }
        std::process::exit(0);
    })?;
    Ok(receiver)
}
