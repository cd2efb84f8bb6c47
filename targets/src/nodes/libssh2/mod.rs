//! A node behind libssh2: no program of the system is needed. A connection is kept for the next command; one that
//! comes while another runs has a connection of its own, so that nobody waits behind a long one. Where a connection
//! was lost, the next command makes it anew, once. A command whose connection breaks under it is not repeated:
//! nobody knows how far it came.

mod dial;
mod line;
mod login;
mod trust;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nemesis::node::{Answer, Node, NodeError, Request, one_line, quote};
use ssh2::Session;

use self::dial::{Deadline, dial};
use self::line::{Line, Lost};
use self::login::{NotIn, log_in};
use super::options::SshOptions;
use super::shell::{self, PROBE};

/// Connections that are kept while nobody uses them.
const KEPT: usize = 2;
/// A longer command line does not fit into a packet of libssh2 (35,000 bytes).
const LINE_MAX: usize = 30_000;
/// Reads the script from its input, where it does not fit into the command line.
const FROM_INPUT: &str = "eval \"$(cat)\"";

/// A connected node. Dropping it hangs up.
pub struct Libssh2Node {
    options: SshOptions,
    user: String,
    is_root: bool,
    idle: Mutex<Vec<Line>>,
}

impl Libssh2Node {
    /// Connects, and finds out as whom.
    ///
    /// # Errors
    /// If the host cannot be reached in time, shows another key than the one on record, or does not let us in.
    pub fn connect(options: SshOptions) -> Result<Self, NodeError> {
        let Some(user) = options.login() else {
            let stderr = "this user has no name, and the cluster file names none".to_owned();
            return Err(NodeError::Denied { host: options.host.clone(), user: options.user(), stderr });
        };
        let mut node = Self { options, user, is_root: false, idle: Mutex::default() };
        let line = node.open()?;
        node.keep(line);
        let probe = Request { what: "probe", script: "id -u", stdin: &[], within: PROBE, root: false };
        node.is_root = node.script(&probe)?.trim() == "0";
        Ok(node)
    }

    fn open(&self) -> Result<Line, NodeError> {
        let deadline = Deadline::after(self.options.timeout());
        let socket = dial(&self.options, deadline).map_err(|error| self.unreachable(&error.to_string()))?;
        let socket = Arc::new(socket);
        let broken = |error: ssh2::Error| self.unreachable(error.message());
        let mut session = Session::new().map_err(broken)?;
        let on_record = trust::look_up(&session, &self.options);
        on_record.prefer(&session).map_err(broken)?;
        session.set_tcp_stream(Arc::clone(&socket));
        session.set_timeout(deadline.left_ms());
        session.handshake().map_err(broken)?;
        on_record.check(&session, &self.options)?;
        session.set_timeout(deadline.left_ms());
        log_in(&session, &self.options, &self.user).map_err(|not_in| match not_in {
            NotIn::Gone(why) => self.unreachable(&why),
            NotIn::Denied(why) => {
                let (host, user) = (self.options.host.clone(), self.user.clone());
                NodeError::Denied { host, user, stderr: one_line(&why) }
            }
        })?;
        Ok(Line::new(session, socket))
    }

    fn unreachable(&self, why: &str) -> NodeError {
        let (host, command) = (self.options.host.clone(), self.options.by_hand());
        NodeError::Unreachable { host, command, stderr: one_line(why) }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Line>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, line: Line) {
        let mut idle = self.idle();
        if idle.len() < KEPT {
            idle.push(line);
        }
    }
}

impl Node for Libssh2Node {
    fn host(&self) -> &str {
        &self.options.host
    }

    fn run(&self, request: &Request<'_>) -> Result<Answer, NodeError> {
        let line_of = |request: &Request<'_>| {
            let words = shell::words(request, self.is_root);
            words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
        };
        let (mut command, mut stdin) = (line_of(request), request.stdin);
        if command.len() > LINE_MAX && stdin.is_empty() {
            stdin = request.script.as_bytes();
            command = line_of(&Request { script: FROM_INPUT, ..request.clone() });
        }
        let on = |line: &Line| {
            let opened = Deadline::after(self.options.timeout());
            let done = Deadline::after(self.options.timeout() + request.within + shell::GRACE);
            line.run(&command, stdin, opened, done)
        };
        let kept = self.idle().pop();
        let mut ran = kept.map(|line| (on(&line), line));
        if let Some((Err(Lost::Before(_)), _)) = ran {
            // The others have most likely gone with it.
            self.idle().clear();
            ran = None;
        }
        let (ended, line) = match ran {
            Some(ran) => ran,
            None => {
                let line = self.open()?;
                (on(&line), line)
            }
        };
        let ended = ended.map_err(|lost| match lost {
            Lost::Before(why) => self.unreachable(&why),
            Lost::Under(why) => {
                self.unreachable(&format!("the connection broke while it was to {}: {why}", request.what))
            }
        })?;
        // What runs on behind a time limit has its connection to itself.
        if ended.code.is_some() {
            self.keep(line);
        }
        shell::answer(&self.options.host, &self.user, request, ended)
    }
}
