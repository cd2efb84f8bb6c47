//! A clean history of any size in Jepsen's words: concurrent processes send to and poll from a simulated log,
//! an invocation and a completion a line, as Jepsen's Kafka workload writes them. A few operations fail, and of
//! a few nobody learns what became of them. Drawn from a seed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, bail};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// One send in so many fails, and one comes back without a certain outcome.
const ODD_ONE_IN: u32 = 2000;
/// Nanoseconds that each half of an operation takes at most, and a process rests after one.
const HALF_NS: u64 = 300_000;
const REST_NS: u64 = 200_000;

/// What is to be written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Operations, final polls and assignments left out.
    pub(super) operations: u64,
    pub(super) processes: u32,
    /// Keys, which are partitions; each is polled by two processes or more, where there are as many.
    pub(super) keys: u32,
    pub(super) seed: u64,
}

/// What becomes of a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Ok,
    Fail,
    /// Nobody learns of it; it lands or not.
    Unknown {
        lands: bool,
    },
}

/// What a process is at.
#[derive(Debug)]
enum Doing {
    Nothing,
    Sending { key: usize, value: usize, fate: Fate, offset: Option<usize> },
    Polling { polled: Option<Vec<(usize, usize, usize)>> },
}

struct Process {
    /// Its number; a new one takes over from one that crashed.
    number: u64,
    /// The keys it polls, and the next offset of each.
    positions: Vec<(usize, usize)>,
    doing: Doing,
}

struct Simulation<'a, W: Write> {
    rng: ChaCha8Rng,
    out: W,
    index: u64,
    shape: Shape,
    begun: u64,
    processes: Vec<Process>,
    /// The values of each key in order of their offsets.
    logs: Vec<Vec<usize>>,
    /// The last value drawn of each key.
    values: Vec<usize>,
    go_on: &'a dyn Fn() -> bool,
}

/// Writes a history to `path`; returns its bytes. It stops in the middle when `go_on` says no.
pub(super) fn write(path: &Path, shape: Shape, go_on: &dyn Fn() -> bool) -> anyhow::Result<u64> {
    let said = || format!("failed to write `{}` (see --dir)", path.display());
    let file = File::create(path).with_context(said)?;
    let keys = shape.keys as usize;
    let process = |number: u32| {
        let own = number as usize % keys;
        let more = (own + 1) % keys;
        // With more keys than processes the last one takes the rest, so that all are polled.
        let last = number + 1 == shape.processes && keys > shape.processes as usize;
        let rest = if last { more..keys } else { more..more + 1 };
        let mut polls: Vec<usize> = std::iter::once(own).chain(rest).collect();
        polls.sort_unstable();
        polls.dedup();
        Process {
            number: u64::from(number),
            positions: polls.into_iter().map(|key| (key, 0)).collect(),
            doing: Doing::Nothing,
        }
    };
    let mut simulation = Simulation {
        rng: ChaCha8Rng::seed_from_u64(shape.seed),
        out: BufWriter::with_capacity(1 << 20, &file),
        index: 0,
        shape,
        begun: 0,
        processes: (0..shape.processes).map(process).collect(),
        logs: vec![Vec::new(); keys],
        values: vec![0; keys],
        go_on,
    };
    simulation.run()?;
    simulation.out.flush().with_context(said)?;
    drop(simulation);
    // What is judged should not compete with what is still on its way to the disk.
    file.sync_all().with_context(said)?;
    Ok(file.metadata().with_context(said)?.len())
}

impl<W: Write> Simulation<'_, W> {
    fn run(&mut self) -> anyhow::Result<()> {
        // The next moment of each process.
        let mut next: BinaryHeap<Reverse<(u64, usize)>> = BinaryHeap::new();
        for at in 0..self.processes.len() {
            let begins = 1000 + at as u64;
            self.assign(at, begins)?;
            next.push(Reverse((begins + HALF_NS, at)));
        }
        let mut end = 0;
        while let Some(Reverse((now, at))) = next.pop() {
            end = end.max(now);
            if let Some(then) = self.step(at, now)? {
                next.push(Reverse((now + self.rng.random_range(1000..then), at)));
            }
        }
        // Nothing is under way any more: everybody reads what is left.
        for at in 0..self.processes.len() {
            end += HALF_NS;
            self.line(end, at, "invoke", "poll", "[[\"poll\"]]")?;
            let polled = self.poll(at);
            self.polled(end + HALF_NS / 2, at, &polled)?;
        }
        Ok(())
    }

    /// One moment of a process; returns how long the next one may be in coming, unless it was the last.
    fn step(&mut self, at: usize, now: u64) -> anyhow::Result<Option<u64>> {
        match std::mem::replace(&mut self.processes[at].doing, Doing::Nothing) {
            Doing::Nothing => {
                if self.begun == self.shape.operations {
                    return Ok(None);
                }
                self.begun += 1;
                if self.begun.is_multiple_of(1 << 14) && !(self.go_on)() {
                    bail!("stopped by a signal");
                }
                self.processes[at].doing = self.begin(at, now)?;
                Ok(Some(HALF_NS))
            }
            Doing::Sending { key, value, fate, offset: None } if fate != Fate::Fail => {
                let offset = self.logs[key].len();
                if fate != (Fate::Unknown { lands: false }) {
                    self.logs[key].push(value);
                }
                self.processes[at].doing = Doing::Sending { key, value, fate, offset: Some(offset) };
                Ok(Some(HALF_NS))
            }
            Doing::Sending { key, value, fate, offset } => {
                let offset = offset.unwrap_or(0);
                match fate {
                    Fate::Ok => {
                        let value = format!("[[\"send\",{key},[{offset},{value}]]]");
                        self.line(now, at, "ok", "send", &value)?;
                    }
                    Fate::Fail => {
                        self.line(now, at, "fail", "send", &format!("[[\"send\",{key},{value}]]"))?;
                    }
                    Fate::Unknown { .. } => {
                        self.line(now, at, "info", "send", &format!("[[\"send\",{key},{value}]]"))?;
                        self.processes[at].number += u64::from(self.shape.processes);
                        self.assign(at, now + 1)?;
                    }
                }
                Ok(Some(REST_NS))
            }
            Doing::Polling { polled: None } => {
                self.processes[at].doing = Doing::Polling { polled: Some(self.poll(at)) };
                Ok(Some(HALF_NS))
            }
            Doing::Polling { polled: Some(polled) } => {
                self.polled(now, at, &polled)?;
                Ok(Some(REST_NS))
            }
        }
    }

    fn begin(&mut self, at: usize, now: u64) -> anyhow::Result<Doing> {
        if self.rng.random_bool(0.5) {
            self.line(now, at, "invoke", "poll", "[[\"poll\"]]")?;
            return Ok(Doing::Polling { polled: None });
        }
        let key = self.rng.random_range(0..self.logs.len());
        self.values[key] += 1;
        let value = self.values[key];
        let fate = match self.rng.random_range(0..ODD_ONE_IN) {
            0 => Fate::Fail,
            1 => Fate::Unknown { lands: self.rng.random_bool(0.5) },
            _ => Fate::Ok,
        };
        self.line(now, at, "invoke", "send", &format!("[[\"send\",{key},{value}]]"))?;
        Ok(Doing::Sending { key, value, fate, offset: None })
    }

    /// Takes what is new on the keys of a process: key, offset and value of each.
    fn poll(&mut self, at: usize) -> Vec<(usize, usize, usize)> {
        let mut polled = Vec::new();
        for (key, position) in &mut self.processes[at].positions {
            let log = &self.logs[*key];
            polled.extend((*position..log.len()).map(|offset| (*key, offset, log[offset])));
            *position = log.len();
        }
        polled
    }

    fn polled(&mut self, now: u64, at: usize, polled: &[(usize, usize, usize)]) -> anyhow::Result<()> {
        let mut value = "[[\"poll\",{".to_owned();
        for (number, records) in polled.chunk_by(|a, b| a.0 == b.0).enumerate() {
            let comma = if number == 0 { "" } else { "," };
            let pairs: Vec<String> =
                records.iter().map(|(_, offset, value)| format!("[{offset},{value}]")).collect();
            value.push_str(&format!("{comma}\"{}\":[{}]", records[0].0, pairs.join(",")));
        }
        value.push_str("}]]");
        self.line(now, at, "ok", "poll", &value)
    }

    fn assign(&mut self, at: usize, now: u64) -> anyhow::Result<()> {
        let keys: Vec<String> = self.processes[at].positions.iter().map(|(key, _)| key.to_string()).collect();
        let value = format!("[{}]", keys.join(","));
        self.line(now, at, "invoke", "assign", &value)?;
        self.line(now + 100, at, "ok", "assign", &value)
    }

    fn line(&mut self, now: u64, at: usize, kind: &str, function: &str, value: &str) -> anyhow::Result<()> {
        let (index, process) = (self.index, self.processes[at].number);
        self.index += 1;
        writeln!(
            self.out,
            "{{\"index\":{index},\"type\":\"{kind}\",\"f\":\"{function}\",\"process\":{process},\"time\":{now},\"value\":{value}}}"
        )
        .context("failed to write the history of the benchmark (see --dir)")
    }
}
