//! A machine that commands can be run on, whichever way it is reached: the trait that SSH and local backends
//! implement, and what every one of them says when it fails.

use std::time::Duration;

/// A command for a node: a POSIX shell script, what it reads, and how long it may take.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// What it is for, in errors: `kill`, `probe`.
    pub what: &'a str,
    /// The script; it runs under `sh -c`.
    pub script: &'a str,
    /// Its standard input.
    pub stdin: &'a [u8],
    /// It is ended after this long, on both sides.
    pub within: Duration,
    /// Runs as root, by `sudo -n` where the user is another.
    pub root: bool,
}

/// What a command answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its exit code; 128 and the signal's number if one ended it.
    pub code: i32,
    /// What it wrote.
    pub stdout: Vec<u8>,
    /// What it complained of.
    pub stderr: String,
}

/// A node could not be reached, or a command on it failed.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// No connection.
    #[error("failed to reach host `{host}`: {stderr} (is sshd up, and does `{command}` work?)")]
    Unreachable {
        /// The host.
        host: String,
        /// What was run here to reach it.
        command: String,
        /// What it said.
        stderr: String,
    },
    /// The host shows another key than the one on record.
    #[error(
        "host `{host}` shows a key that is not on record: {stderr} (compare it, then mend {known_hosts})"
    )]
    HostKey {
        /// The host.
        host: String,
        /// Where keys are on record.
        known_hosts: String,
        /// What ssh said.
        stderr: String,
    },
    /// The host does not let us in.
    #[error(
        "host `{host}` does not let `{user}` in: {stderr} (set `key` in the cluster file, or load it into ssh-agent)"
    )]
    Denied {
        /// The host.
        host: String,
        /// As whom.
        user: String,
        /// What ssh said.
        stderr: String,
    },
    /// Root is needed, and sudo wants a password.
    #[error("sudo on host `{host}` refuses: {stderr} (allow `{user}` to run it with NOPASSWD)")]
    Sudo {
        /// The host.
        host: String,
        /// As whom.
        user: String,
        /// What sudo said.
        stderr: String,
    },
    /// The command ran and failed.
    #[error("failed to {what} on host `{host}`: exit {code}: {stderr}")]
    Failed {
        /// The host.
        host: String,
        /// What was tried.
        what: String,
        /// The exit code.
        code: i32,
        /// What it said.
        stderr: String,
    },
    /// The command took too long.
    #[error("failed to {what} on host `{host}`: not done within {seconds} s: {stderr}")]
    Late {
        /// The host.
        host: String,
        /// What was tried.
        what: String,
        /// How long it was given.
        seconds: u64,
        /// What it had said.
        stderr: String,
    },
    /// A program of this machine could not be run.
    #[error("failed to run `{program}` for host `{host}` (is it installed?)")]
    Spawn {
        /// The host.
        host: String,
        /// The program.
        program: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl NodeError {
    /// Whether the command has certainly not begun: nobody let us in. A connection that broke says nothing.
    #[must_use]
    pub const fn nothing_ran(&self) -> bool {
        matches!(self, Self::HostKey { .. } | Self::Denied { .. } | Self::Sudo { .. } | Self::Spawn { .. })
    }
}

/// A machine that commands can be run on.
pub trait Node: Send + Sync {
    /// Its name in errors.
    fn host(&self) -> &str;

    /// Runs a command and waits for its end; a non-zero exit is an answer, not an error.
    ///
    /// # Errors
    /// If the host cannot be reached, does not let us in, sudo refuses, or the time is over.
    fn run(&self, request: &Request<'_>) -> Result<Answer, NodeError>;

    /// Runs a script that must succeed, and returns what it wrote.
    ///
    /// # Errors
    /// As [`Node::run`], and if it exits otherwise than 0.
    fn script(&self, request: &Request<'_>) -> Result<String, NodeError> {
        let answer = self.run(request)?;
        if answer.code != 0 {
            return Err(NodeError::Failed {
                host: self.host().to_owned(),
                what: request.what.to_owned(),
                code: answer.code,
                stderr: one_line(&answer.stderr),
            });
        }
        Ok(String::from_utf8_lossy(&answer.stdout).into_owned())
    }
}

/// What a program said, fit for an error: its last lines on one.
#[must_use]
pub fn one_line(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.is_empty() {
        return "nothing on stderr".to_owned();
    }
    lines[lines.len().saturating_sub(6)..].join("; ")
}

/// A word for the shell, quoted so that it stands for itself.
#[must_use]
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_words_stand_for_themselves() {
        assert_eq!(quote("/var/lib/kafka"), "/var/lib/kafka");
        assert_eq!(quote("a b"), "'a b'");
        assert_eq!(quote("it's $HOME"), "'it'\\''s $HOME'");
        assert_eq!(quote(""), "''");
    }

    #[test]
    fn an_error_has_the_last_lines_on_one() {
        assert_eq!(one_line("a\n\n  b \n"), "a; b");
        assert_eq!(one_line("\n"), "nothing on stderr");
        assert_eq!(one_line("1\n2\n3\n4\n5\n6\n7"), "2; 3; 4; 5; 6; 7");
    }
}
