//! Everything that happens during a run, on one channel: the conductor is the only one who listens.

use std::sync::mpsc::Sender;
use std::{io, thread};

use history::{Nanos, Note};
use targets::process::ChildLine;

use super::administration::Inquiry;
use super::backstage::Request;
use super::faults::FaultReport;

/// Something happened.
#[derive(Debug)]
pub(crate) enum Message {
    /// An actor said something, or ended.
    Actor(ChildLine),
    /// The cluster's controller decided something.
    Cluster(Nanos, Note),
    /// A fault was injected, healed, or failed.
    Fault(FaultReport),
    /// A fault asks something of the applications.
    Applications(Request),
    /// A fault asks the cluster for something.
    Administration(Inquiry),
    /// SIGINT or SIGTERM.
    Signal(i32),
}

/// A sender for a supervisor's children, forwarding to the one channel.
pub(crate) fn actor_lines(messages: Sender<Message>) -> io::Result<Sender<ChildLine>> {
    let (sender, lines) = std::sync::mpsc::channel();
    thread::Builder::new().name("actor-lines".to_owned()).spawn(move || {
        for line in lines {
            if messages.send(Message::Actor(line)).is_err() {
                break;
            }
        }
    })?;
    Ok(sender)
}
