//! `highwater bench linearizability`: how fast made-up calls are judged, and porcupine beside it on the same
//! files, where Go is there.

use std::env;
use std::fs;
use std::time::Duration;

use anyhow::Context;
use checkers::linearizability::{Settings, check};
use clap::Args;
use history::clock;
use history::exchange::operations::{self, Model};

use super::super::{Outcome, output, quantity};
use super::Scratch;
use super::calls::{Load, calls};
use super::porcupine::Porcupine;
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  highwater bench linearizability
  highwater bench linearizability --operations 1000,10000,100000 --porcupine
  highwater bench linearizability --operations 1000000 --clients 50";

/// How fast calls on registers, strings and logs are judged
#[derive(Args, Debug)]
#[command(before_help = EXAMPLES)]
pub(super) struct LinearizabilityBench {
    /// Operations of each history
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1000,10000,100000", value_parser = clap::value_parser!(u64).range(100..=10_000_000))]
    operations: Vec<u64>,
    /// Clients that call at once
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "10,50", value_parser = clap::value_parser!(u64).range(1..=100))]
    clients: Vec<u64>,
    /// Give up on a history after this long
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = quantity::duration)]
    timeout: Duration,
    /// Judge registers and strings with porcupine too; needs Go
    #[arg(long)]
    porcupine: bool,
    /// Draw the histories from this number
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

impl LinearizabilityBench {
    pub(super) fn execute(self) -> Outcome {
        let scratch = Scratch::within(&env::temp_dir(), "linearizability");
        fs::create_dir_all(&scratch.0)
            .with_context(|| format!("failed to make `{}`", scratch.0.display()))?;
        let peer = self.porcupine.then(|| Porcupine::build(&scratch.0.join("porcupine"))).transpose()?;
        for load in Load::ALL {
            for operations in &self.operations {
                for clients in &self.clients {
                    for spoilt in [false, true] {
                        let line = self.case(load, *operations, *clients, spoilt, peer.as_ref(), &scratch)?;
                        output::print(&line)?;
                    }
                }
            }
        }
        Ok(Exit::Held)
    }

    fn case(
        &self,
        load: Load,
        count: u64,
        clients: u64,
        spoilt: bool,
        peer: Option<&Porcupine>,
        scratch: &Scratch,
    ) -> anyhow::Result<String> {
        let model = match load {
            Load::Distinct | Load::Register => Model::Register,
            Load::Strings => Model::Kv,
            Load::Log => Model::Log,
        };
        let initial = if model == Model::Kv { "" } else { operations::NULL_TEXT };
        let text = calls(load, count, clients, spoilt, self.seed);
        let file = scratch.0.join("calls.jsonl");
        fs::write(&file, &text).with_context(|| format!("failed to write `{}`", file.display()))?;
        let started = clock::now();
        let mut history = operations::read(text.as_bytes(), "calls.jsonl", model)?;
        let read = clock::now().since(started) as f64 / 1e9;
        let settings =
            Settings { initial: history.values.add(initial), timeout: self.timeout, memory: 2 << 30 };
        let started = clock::now();
        let report = check(&history, &settings);
        let judged = clock::now().since(started) as f64 / 1e9;
        let answer = match (report.is_broken(), report.judged.is_empty()) {
            (true, _) => "illegal",
            (false, true) => "ok",
            (false, false) => "unknown",
        };
        let name = load.name();
        let spoilt = if spoilt { "spoilt" } else { "clean" };
        let mut line = format!(
            "{name:26} {count:>8} operations {clients:>3} clients {spoilt:6}  {answer:7} read {read:>8.4} s  judged {judged:>8.4} s"
        );
        if let Some(peer) = peer.filter(|_| model != Model::Log) {
            match peer.judge(&file, initial, self.timeout.as_secs().max(1)) {
                Ok(said) => line.push_str(&format!(
                    "  porcupine {:7} {:>8.4} s  {:>8.1} times ours",
                    said.answer,
                    said.seconds,
                    said.seconds / judged
                )),
                Err(error) => line.push_str(&format!("  {error:#}")),
            }
        }
        Ok(line)
    }
}
