//! The binary `highwater`: the command line, the planning of a run, and the runner that conducts it.

mod claim;
mod cli;
mod cluster;
mod exit;
mod planning;
mod runner;
mod state;

use std::process::ExitCode;

use nix::sys::signal::{SigSet, Signal};

fn main() -> ExitCode {
    // Before there is any other thread: a file that may not grow is an error to report, not a death.
    let mut limits = SigSet::empty();
    limits.add(Signal::SIGXFSZ);
    if let Err(errno) = limits.thread_block() {
        eprintln!("warning: a limit on the size of files may end highwater without a word: {errno}");
    }
    ExitCode::from(cli::main().code())
}
