//! The binary `highwater`: the command line, the planning of a run, and the runner that conducts it.

mod cli;
mod exit;
mod planning;
mod runner;

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(cli::main().code())
}
