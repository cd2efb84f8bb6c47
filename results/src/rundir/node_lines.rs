//! What the nodes of a cluster said, with the time of the history's own clock. A node of the reference cluster stamps
//! its lines with it: `25837.417517 broker 1: …` is seconds and microseconds of the host's `CLOCK_MONOTONIC`. A broker
//! on a host of its own writes the time of its wall clock, which was read against the run's (`node-N.clock.json`).

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use history::{HOST_CLOCK_VERSION, HostClock, Nanos};

use super::RunDir;
use super::stamps::{Teller, stamp};
use crate::files;

/// Bytes read of one log; what lies behind is left out of stories.
const BYTES_MAX: u64 = 64 << 20;

/// One line of a node's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeLine {
    /// When it was written.
    pub at: Nanos,
    /// How far that may be off, in nanoseconds: nothing where the node has the history's own clock.
    pub error_ns: u64,
    /// The node, by the name of its log.
    pub node: String,
    /// What it says, without time and name; of lines that continue it, such as a stack trace, the first, and how
    /// many more there are.
    pub text: String,
}

impl RunDir {
    /// The lines of all nodes' logs that have a time; nothing where there are none, or none that can be read:
    /// they illustrate, and prove nothing.
    #[must_use]
    pub fn node_lines(&self) -> Vec<NodeLine> {
        let mut lines = Vec::new();
        for entry in fs::read_dir(self.node_logs()).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_none_or(|extension| extension != "log") {
                continue;
            }
            let node = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let Some(said) = read(&path) else { continue };
            let clock: Option<HostClock> =
                files::read_json(&path.with_extension("clock.json"), "version", HOST_CLOCK_VERSION)
                    .ok()
                    .flatten();
            match clock {
                Some(clock) => lines.extend(of_a_host(&node, &said, &clock)),
                None => lines.extend(said.iter().filter_map(|line| parse(&node, line))),
            }
        }
        lines
    }
}

/// Its lines; what is no text in them is replaced.
fn read(path: &Path) -> Option<Vec<String>> {
    let file = File::open(path).ok()?;
    let lines = BufReader::new(file.take(BYTES_MAX)).split(b'\n').map_while(Result::ok);
    Some(lines.map(|line| String::from_utf8_lossy(&line).trim_end().to_owned()).collect())
}

fn parse(node: &str, line: &str) -> Option<NodeLine> {
    let (time, text) = line.split_once(' ')?;
    let (seconds, micros) = time.split_once('.').filter(|(_, micros)| micros.len() == 6)?;
    let seconds: u64 = seconds.parse().ok()?;
    let nanos = seconds.checked_mul(1_000_000_000)?.checked_add(micros.parse::<u64>().ok()? * 1000)?;
    // `broker 1: ` says again whose log it is.
    let text = match text.split_once(": ") {
        Some((name, text)) if name == "controller" || name.starts_with("broker ") => text,
        _ => text,
    };
    Some(NodeLine { at: Nanos(nanos), error_ns: 0, node: node.to_owned(), text: text.to_owned() })
}

/// The lines of a broker on a host. What has no time belongs to the line before it.
fn of_a_host(node: &str, said: &[String], clock: &HostClock) -> Vec<NodeLine> {
    let teller = Teller::new(clock, said.iter().rev().find_map(|line| stamp(line)));
    let mut lines = Vec::new();
    let mut rest = said;
    while let Some((first, behind)) = rest.split_first() {
        let Some(stamped) = stamp(first) else {
            rest = behind;
            continue;
        };
        let count = behind.iter().take_while(|line| stamp(line).is_none()).count();
        let (more, next) = behind.split_at(count);
        let (at, error_ns) = teller.when(&stamped);
        let text = with_more(plain(stamped.text), more);
        lines.push(NodeLine { at, error_ns, node: node.to_owned(), text });
        rest = next;
    }
    lines
}

/// Level and message: neither log4j's thread and logger nor its place of them say more.
fn plain(text: &str) -> String {
    let behind_thread = text.strip_prefix('[').and_then(|rest| rest.split_once("] ")).map(|(_, rest)| rest);
    let text = behind_thread.filter(|rest| is_level(rest)).unwrap_or(text);
    let Some((level, message)) = text.split_once(' ').filter(|_| is_level(text)) else {
        return text.to_owned();
    };
    let is_logger = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '$' | '_'))
    };
    let message = message.trim_start();
    let message = match message.split_once(" - ") {
        Some((logger, message)) if is_logger(logger) => message,
        _ => match message.strip_suffix(')').and_then(|message| message.rsplit_once(" (")) {
            Some((message, logger)) if is_logger(logger) => message,
            _ => message,
        },
    };
    format!("{level} {message}")
}

fn is_level(text: &str) -> bool {
    let word = text.split(' ').next().unwrap_or_default();
    matches!(word, "TRACE" | "DEBUG" | "INFO" | "WARN" | "ERROR" | "FATAL")
}

/// The first line that continues another says what it is about; the rest where.
fn with_more(mut text: String, more: &[String]) -> String {
    let mut more = more.iter().map(|line| line.trim()).filter(|line| !line.is_empty());
    if let Some(first) = more.next() {
        text = format!("{text}: {first}");
    }
    match more.count() {
        0 => text,
        count => format!("{text} ({count} lines more)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_a_time_are_taken_and_no_others() {
        let root = tempfile::tempdir().expect("a directory");
        let run = RunDir::create(root.path(), "r-1").expect("created");
        assert_eq!(run.node_lines(), []);
        let log = "25837.417517 broker 1: t-0: leads in epoch 0\nthread 'main' panicked\n1.5 x\n99999999999999999999.000000 y\n";
        fs::write(run.node_log("node-1"), log).expect("written");
        let (node, text) = ("node-1".to_owned(), "t-0: leads in epoch 0".to_owned());
        assert_eq!(run.node_lines(), [NodeLine { at: Nanos(25_837_417_517_000), error_ns: 0, node, text }]);
    }

    /// As Apache Kafka writes them: by log4j, and by slf4j-simple.
    const LOGS: [&str; 2] = [
        "left over from before\n\
         [2026-01-31 12:00:01,000] INFO [ReplicaFetcher replicaId=3, leaderId=1, fetcherId=0] Truncating partition t-0 with TruncationState(offset=850, completed=true) (kafka.server.ReplicaFetcherThread)\n\
         [2026-01-31 12:00:02,500] WARN [ReplicaFetcher replicaId=3] Error in response (kafka.server.ReplicaFetcherThread)\n\
         java.io.IOException: Connection to 1 was disconnected\n\
         \tat kafka.X.y(X.scala:1)\n\
         \tat kafka.X.z(X.scala:2)\n\n\
         [2026-01-31 12:00:03,000] INFO done\n",
        "left over from before\n\
         2026-01-31 12:00:01,000+0000 [ReplicaFetcherThread-0-1] INFO kafka.server.ReplicaFetcherThread - [ReplicaFetcher replicaId=3, leaderId=1, fetcherId=0] Truncating partition t-0 with TruncationState(offset=850, completed=true)\n\
         2026-01-31 12:00:02,500+0000 [ReplicaFetcherThread-0-1] WARN kafka.server.ReplicaFetcherThread - [ReplicaFetcher replicaId=3] Error in response\n\
         java.io.IOException: Connection to 1 was disconnected\n\
         \tat kafka.X.y(X.scala:1)\n\
         \tat kafka.X.z(X.scala:2)\n\n\
         2026-01-31 12:00:03,000+0000 [main] INFO kafka.X - done\n",
    ];

    /// 2026-01-31 12:00:00 UTC was 7 s, give or take 2 ms.
    const CLOCK: &str = r#"{"version":1,"begin":{"host_ns":1769860800000000000,"ours_ns":7000000000,"error_ns":2000000},
        "end":{"host_ns":1769860860000000000,"ours_ns":67000000000,"error_ns":1000000},"zone_s":0,"written_ns":null}"#;

    #[test]
    fn lines_of_hosts_are_told_by_their_clock() {
        for log in LOGS {
            let root = tempfile::tempdir().expect("a directory");
            let run = RunDir::create(root.path(), "r-1").expect("created");
            fs::write(run.node_log("node-3"), log).expect("written");
            assert_eq!(run.node_lines(), [], "nobody knows when that was");
            fs::write(run.node_logs().join("node-3.clock.json"), CLOCK).expect("written");
            let line = |at_ms: u64, text: &str| NodeLine {
                at: Nanos(at_ms * 1_000_000),
                error_ns: 2_000_000,
                node: "node-3".to_owned(),
                text: text.to_owned(),
            };
            assert_eq!(
                run.node_lines(),
                [
                    line(
                        8000,
                        "INFO [ReplicaFetcher replicaId=3, leaderId=1, fetcherId=0] Truncating partition t-0 with TruncationState(offset=850, completed=true)"
                    ),
                    line(
                        9500,
                        "WARN [ReplicaFetcher replicaId=3] Error in response: java.io.IOException: Connection to 1 was disconnected (2 lines more)"
                    ),
                    line(10_000, "INFO done"),
                ]
            );
        }
    }
}
