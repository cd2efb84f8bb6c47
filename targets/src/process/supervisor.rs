//! The one long-lived thread that spawns every child.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::thread;

use crate::process::child::Child;
use crate::process::output::ChildLine;
use crate::process::spec::{ChildSpec, SpawnError};

/// A command to spawn and where to put the process.
type Order = (Command, SyncSender<io::Result<std::process::Child>>);

/// Spawns child processes from one thread, which lives until the last clone of the supervisor and the last
/// of its children are dropped: `PR_SET_PDEATHSIG` would kill the children with the thread.
#[derive(Clone)]
pub struct Supervisor {
    orders: Sender<Order>,
}

impl Supervisor {
    /// Starts the spawning thread.
    ///
    /// # Errors
    /// If the operating system gives no thread.
    pub fn new() -> io::Result<Self> {
        let (orders, inbox) = channel::<Order>();
        thread::Builder::new().name("supervisor".to_owned()).spawn(move || {
            for (mut command, reply) in inbox {
                if let Err(unclaimed) = reply.send(command.spawn())
                    && let Ok(mut process) = unclaimed.0
                {
                    let _ = process.kill();
                    let _ = process.wait();
                }
            }
        })?;
        Ok(Self { orders })
    }

    /// Starts a child, hands it its first line and sends everything it says, and its end, to `events`.
    ///
    /// # Errors
    /// If its log cannot be opened, the program cannot be run, or it does not take its first line. Nothing
    /// is left running then.
    pub fn spawn(&self, spec: ChildSpec, events: Sender<ChildLine>) -> Result<Child, SpawnError> {
        let ChildSpec { name, program, args, first_line, log } = spec;
        let stderr = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .map_err(|source| SpawnError::Log { name: name.clone(), path: log.clone(), source })?;
        let mut command = Command::new(&program);
        command.args(&args).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr);

        let process =
            self.order(command).map_err(|source| SpawnError::Run { name: name.clone(), program, source })?;
        let child = Child::adopt(name.clone(), process, events, self.clone())
            .map_err(|source| SpawnError::Thread { name: name.clone(), source })?;
        child.send_line(&first_line).map_err(|source| SpawnError::FirstLine { name, log, source })?;
        Ok(child)
    }

    fn order(&self, command: Command) -> io::Result<std::process::Child> {
        let gone = || io::Error::other("the spawning thread is gone");
        let (reply, answer) = sync_channel(1);
        self.orders.send((command, reply)).map_err(|_| gone())?;
        answer.recv().map_err(|_| gone())?
    }
}
