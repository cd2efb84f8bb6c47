//! What a child says and how it ends, as events on one channel, so that one dispatcher can wait for many
//! children.

use std::io::{BufRead, BufReader};
use std::process::{ChildStdout, ExitStatus};
use std::sync::mpsc::Sender;

/// One event of a child.
#[derive(Debug, Clone)]
pub struct ChildLine {
    /// The child's name in its [`ChildSpec`](crate::process::ChildSpec).
    pub name: String,
    /// Its process id, which tells apart incarnations under one name.
    pub pid: u32,
    /// What happened.
    pub output: ChildOutput,
}

/// What happened to a child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChildOutput {
    /// It wrote a line to stdout (without the line feed; bytes that are not UTF-8 are replaced).
    Line(String),
    /// It ended, asked to or not. The last event of a child.
    Exited(ExitStatus),
}

/// Hands every line of a child's stdout on, until the child closes it by dying (or by itself).
pub(super) fn forward_lines(name: &str, pid: u32, stdout: ChildStdout, events: &Sender<ChildLine>) {
    let mut stdout = BufReader::new(stdout);
    let mut line = Vec::new();
    loop {
        line.clear();
        match stdout.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                let text = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
                // A receiver that is gone does not stop the child from being read: a full pipe would.
                let _ =
                    events.send(ChildLine { name: name.to_owned(), pid, output: ChildOutput::Line(text) });
            }
        }
    }
}
