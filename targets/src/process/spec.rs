//! What to spawn, and how spawning and signalling fail.

use std::path::PathBuf;

use nix::errno::Errno;

/// A child process to start.
#[derive(Debug, Clone)]
pub struct ChildSpec {
    /// Its name in errors and events, such as `node-2`.
    pub name: String,
    /// The program; [`ChildSpec::of_this_program`] takes the running one.
    pub program: PathBuf,
    /// Its arguments. Never plans or secrets: anyone on the host can read them.
    pub args: Vec<String>,
    /// The first line of its stdin, without the line feed: what it is to be, as JSON.
    pub first_line: String,
    /// Its stderr is appended to this file.
    pub log: PathBuf,
}

impl ChildSpec {
    /// A child that runs this program again with a subcommand.
    ///
    /// # Errors
    /// If the path of the running program cannot be found out.
    pub fn of_this_program(
        name: impl Into<String>,
        args: &[&str],
        first_line: String,
        log: PathBuf,
    ) -> std::io::Result<Self> {
        Ok(Self {
            name: name.into(),
            program: this_program()?,
            args: args.iter().map(|&arg| arg.to_owned()).collect(),
            first_line,
            log,
        })
    }
}

/// The running program. On Linux it is found also after its file was replaced, so that a build does not break
/// the runs that are under way.
///
/// # Errors
/// If its path cannot be found out.
pub fn this_program() -> std::io::Result<PathBuf> {
    let link = PathBuf::from("/proc/self/exe");
    if link.exists() { Ok(link) } else { std::env::current_exe() }
}

/// A child could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// Its log file cannot be written.
    #[error("failed to open log `{path}` of {name}")]
    Log {
        /// The child.
        name: String,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The program cannot be run.
    #[error("failed to run `{program}` as {name}")]
    Run {
        /// The child.
        name: String,
        /// What was to be run.
        program: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It did not take its first line.
    #[error("failed to tell {name} what it is to be (see {log})")]
    FirstLine {
        /// The child.
        name: String,
        /// Its log.
        log: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The operating system gives no thread.
    #[error("failed to start the threads that watch {name}")]
    Thread {
        /// The child.
        name: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// A signal could not be sent, or did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum SignalError {
    /// The child is dead already.
    #[error("{name} is dead")]
    Dead {
        /// The child.
        name: String,
    },
    /// The operating system refused.
    #[error("failed to signal {name}")]
    Refused {
        /// The child.
        name: String,
        /// Why.
        #[source]
        source: Errno,
    },
    /// The process did not change its state in time.
    #[error("{name} was not {state} within {within_ms} ms")]
    Late {
        /// The child.
        name: String,
        /// The state it was to reach.
        state: &'static str,
        /// How long it was given.
        within_ms: u64,
    },
}
