//! What a person sees while a run goes on: a line that is redrawn on a terminal, a line every few seconds
//! elsewhere. Everything goes to stderr; stdout carries the result only.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use history::{Nanos, clock};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Verbosity;

const HEARTBEAT: Duration = Duration::from_secs(3);

/// Running totals over all actors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Records handed to clients.
    pub(crate) sent: u64,
    /// Acknowledged.
    pub(crate) acked: u64,
    /// Handed over and not reported on yet, or reported with an error that leaves it open.
    pub(crate) in_doubt: u64,
}

/// The progress line.
pub(crate) struct Progress {
    verbosity: Verbosity,
    bar: ProgressBar,
    phase: String,
    faults: BTreeMap<u32, String>,
    totals: Totals,
    rate: Rate,
    last_line: Nanos,
}

/// Acknowledged records a second, over the last while.
#[derive(Default)]
struct Rate {
    at: Nanos,
    acked: u64,
    per_second: u64,
}

impl Progress {
    /// A progress line; on a terminal if stderr is one.
    pub(crate) fn new(verbosity: Verbosity) -> Self {
        let bar = ProgressBar::new_spinner();
        bar.set_style(ProgressStyle::with_template("{spinner} {msg}").expect("a valid template"));
        if verbosity == Verbosity::Quiet || std::env::var_os("CI").is_some() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Self {
            verbosity,
            bar,
            phase: String::new(),
            faults: BTreeMap::new(),
            totals: Totals::default(),
            rate: Rate::default(),
            last_line: clock::now(),
        }
    }

    /// Prints a line that stays.
    pub(crate) fn say(&self, line: &str) {
        if self.verbosity >= Verbosity::Normal {
            self.print(line);
        }
    }

    /// Prints a line that stays, if asked for detail.
    pub(crate) fn detail(&self, line: &str) {
        if self.verbosity >= Verbosity::Verbose {
            self.print(line);
        }
    }

    fn print(&self, line: &str) {
        self.bar.suspend(|| tell(line));
    }

    /// The run entered a phase.
    pub(crate) fn phase(&mut self, phase: &str) {
        phase.clone_into(&mut self.phase);
        self.redraw();
        if self.bar.is_hidden() {
            self.heartbeat(true);
        }
    }

    /// A fault is in force (`Some`) or healed (`None`).
    pub(crate) fn fault(&mut self, id: u32, text: Option<String>) {
        match text {
            Some(text) => {
                self.say(&format!("  fault {id}: {text}"));
                self.faults.insert(id, text);
            }
            None => {
                if let Some(text) = self.faults.remove(&id) {
                    self.say(&format!("  fault {id}: {text}: healed"));
                }
            }
        }
        self.redraw();
    }

    /// New totals.
    pub(crate) fn totals(&mut self, totals: Totals) {
        self.totals = totals;
        let now = clock::now();
        let elapsed = now.since(self.rate.at);
        if elapsed > 500_000_000 {
            let acked = totals.acked.saturating_sub(self.rate.acked);
            let per_second = u128::from(acked) * 1_000_000_000 / u128::from(elapsed);
            self.rate = Rate { at: now, acked: totals.acked, per_second: per_second.try_into().unwrap_or(0) };
        }
        self.redraw();
    }

    fn redraw(&mut self) {
        self.bar.set_message(self.line());
        if self.bar.is_hidden() {
            self.heartbeat(false);
        }
    }

    fn heartbeat(&mut self, now: bool) {
        let due = u128::from(clock::now().since(self.last_line)) > HEARTBEAT.as_nanos();
        if self.verbosity >= Verbosity::Normal && (now || due) {
            self.last_line = clock::now();
            tell(&self.line());
        }
    }

    fn line(&self) -> String {
        let mut line = self.phase.clone();
        if self.totals.sent > 0 {
            let Totals { acked, in_doubt, .. } = self.totals;
            let _ = write!(line, ": {}/s, {acked} acknowledged, {in_doubt} in doubt", self.rate.per_second);
        }
        for text in self.faults.values() {
            let _ = write!(line, " [{text}]");
        }
        line
    }

    /// Removes the line.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// A reader of stderr that went away is no reason to leave a cluster half broken.
fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
