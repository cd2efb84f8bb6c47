//! A node behind the system's `ssh`: its agent, configuration, bastions and hardware keys work as they do by
//! hand. One connection is kept open and shared by all commands (ControlMaster); where it was lost, the next
//! command makes it anew, once. A command whose connection breaks under it is not repeated: nobody knows how
//! far it came.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use nemesis::node::{Answer, Node, NodeError, Request, one_line, quote};
use tempfile::TempDir;

use super::exec::{self, Ended};
use super::options::SshOptions;
use super::owner;
use super::shell::{self, PROBE};

/// What `ssh` exits with when it is at fault, not the command.
const SSH_FAILED: i32 = 255;
/// How long the shared connection outlives a process that was killed, in seconds.
const PERSIST_S: u32 = 30;

/// A connected node. Dropping it closes the connection.
#[derive(Debug)]
pub struct SshNode {
    options: SshOptions,
    is_root: bool,
    sockets: TempDir,
    /// Two that made the connection anew at once would leave one of theirs behind.
    renewing: Mutex<()>,
}

impl SshNode {
    /// Connects, and finds out as whom.
    ///
    /// # Errors
    /// If the host cannot be reached in time, shows another key than the one on record, or does not let us in.
    pub fn connect(options: SshOptions) -> Result<Self, NodeError> {
        let spawn =
            |source| NodeError::Spawn { host: options.host.clone(), program: "ssh".to_owned(), source };
        let sockets =
            tempfile::Builder::new().prefix(owner::PREFIX).tempdir_in(owner::PLACE).map_err(spawn)?;
        owner::mark(sockets.path()).map_err(spawn)?;
        let mut node = Self { options, is_root: false, sockets, renewing: Mutex::new(()) };
        node.share()?;
        let probe = Request { what: "probe", script: "id -u", stdin: &[], within: PROBE, root: false };
        node.is_root = node.script(&probe)?.trim() == "0";
        Ok(node)
    }

    /// Opens the connection that commands share, unless it is there.
    fn share(&self) -> Result<(), NodeError> {
        let _alone = self.renewing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if self.socket().exists() {
            return Ok(());
        }
        let spawn =
            |source| NodeError::Spawn { host: self.options.host.clone(), program: "ssh".to_owned(), source };
        let said = self.sockets.path().join("stderr");
        let stderr = std::fs::File::create(&said).map_err(spawn)?;
        let mut master = self.ssh(&["-o", "ControlMaster=yes", "-o", &format!("ControlPersist={PERSIST_S}")]);
        // It goes to the background holding what it was given, so it is given a file and no pipe.
        master
            .args(["-N", "-f"])
            .arg(&self.options.host)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr);
        let status = master.status().map_err(spawn)?;
        if status.success() {
            return Ok(());
        }
        Err(self.refused(&std::fs::read_to_string(&said).unwrap_or_default()))
    }

    fn socket(&self) -> PathBuf {
        self.sockets.path().join("c")
    }

    fn ssh(&self, more: &[&str]) -> Command {
        let mut command = match &self.options.namespace {
            None => Command::new("ssh"),
            Some(name) => {
                let mut inside = Command::new("nsenter");
                inside.arg(format!("--net=/run/netns/{name}")).arg("ssh");
                inside
            }
        };
        if let Some(file) = &self.options.config {
            command.arg("-F").arg(file);
        }
        command
            .args(["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"])
            .args(["-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"])
            .arg("-o")
            .arg(format!("ConnectTimeout={}", self.options.timeout().as_secs().max(1)))
            .arg("-o")
            .arg(format!("ControlPath={}", self.socket().display()))
            .args(more);
        for (name, value) in
            [("ProxyJump", &self.options.jump), ("IdentityAgent", &self.options.identity_agent)]
        {
            if let Some(value) = value {
                command.arg("-o").arg(format!("{name}={value}"));
            }
        }
        if let Some(file) = &self.options.known_hosts {
            command.arg("-o").arg(format!("UserKnownHostsFile={}", file.display()));
        }
        if let Some(user) = &self.options.user {
            command.args(["-l", user]);
        }
        if let Some(port) = self.options.port {
            command.args(["-p", &port.to_string()]);
        }
        if let Some(key) = &self.options.key {
            command.arg("-i").arg(key).args(["-o", "IdentitiesOnly=yes"]);
        }
        command
    }

    /// What `ssh` meant when it failed by itself.
    fn refused(&self, stderr: &str) -> NodeError {
        let host = self.options.host.clone();
        if stderr.contains("Host key verification failed")
            || stderr.contains("HOST IDENTIFICATION HAS CHANGED")
        {
            let known = self.options.known_hosts.as_ref();
            let known_hosts =
                known.map_or("~/.ssh/known_hosts".to_owned(), |file| file.display().to_string());
            return NodeError::HostKey { host, known_hosts, stderr: one_line(stderr) };
        }
        if stderr.contains("Permission denied") || stderr.contains("Too many authentication failures") {
            return NodeError::Denied { host, user: self.options.user(), stderr: one_line(stderr) };
        }
        let command = self.options.by_hand();
        NodeError::Unreachable { command, host, stderr: one_line(stderr) }
    }
}

impl Node for SshNode {
    fn host(&self) -> &str {
        &self.options.host
    }

    fn run(&self, request: &Request<'_>) -> Result<Answer, NodeError> {
        self.share()?;
        let words = shell::words(request, self.is_root);
        let line = words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ");
        let mut command = self.ssh(&["-o", "ControlMaster=no"]);
        command.arg(&self.options.host).arg("--").arg(line);
        let within = request.within + self.options.timeout() + shell::GRACE;
        let ended = exec::run(command, request.stdin, within).map_err(|source| NodeError::Spawn {
            host: self.options.host.clone(),
            program: "ssh".to_owned(),
            source,
        })?;
        if let Ended { code: Some(SSH_FAILED), stderr, .. } = &ended {
            return Err(self.refused(&String::from_utf8_lossy(stderr)));
        }
        shell::answer(&self.options.host, &self.options.user(), request, ended)
    }
}

impl Drop for SshNode {
    fn drop(&mut self) {
        let mut close = self.ssh(&["-O", "exit"]);
        close.arg(&self.options.host).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // Where it cannot be asked it ends by itself, after its time.
        let _ = close.status();
    }
}
