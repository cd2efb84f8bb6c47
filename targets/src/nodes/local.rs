//! This machine as a node: for clusters that run here, and for the lab's own building work.

use std::process::Command;

use nemesis::node::{Answer, Node, NodeError, Request};
use nix::unistd::Uid;

use super::exec;
use super::shell;

/// This machine.
#[derive(Debug, Clone)]
pub struct LocalNode {
    host: String,
}

impl LocalNode {
    /// This machine, under a name for errors.
    #[must_use]
    pub fn new(host: impl Into<String>) -> Self {
        Self { host: host.into() }
    }
}

impl Node for LocalNode {
    fn host(&self) -> &str {
        &self.host
    }

    fn run(&self, request: &Request<'_>) -> Result<Answer, NodeError> {
        let words = shell::words(request, Uid::effective().is_root());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        let ended = exec::run(command, request.stdin, request.within + shell::GRACE).map_err(|source| {
            NodeError::Spawn { host: self.host.clone(), program: words[0].clone(), source }
        })?;
        shell::answer(&self.host, "this user", request, ended)
    }
}
