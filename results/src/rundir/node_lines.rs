//! What the nodes of a reference cluster said, with the time of the history's own clock: `25837.417517 broker 1: …`
//! is seconds and microseconds of the host's `CLOCK_MONOTONIC`.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};

use history::Nanos;

use super::RunDir;

/// Bytes read of one log; what lies behind is left out of stories.
const BYTES_MAX: u64 = 64 << 20;

/// One line of a node's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeLine {
    /// When it was written.
    pub at: Nanos,
    /// The node, by the name of its log.
    pub node: String,
    /// What it says, without time and name.
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
            let node = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let Ok(file) = File::open(&path) else { continue };
            let said = BufReader::new(file.take(BYTES_MAX)).lines().map_while(Result::ok);
            lines.extend(said.filter_map(|line| parse(&node, &line)));
        }
        lines
    }
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
    Some(NodeLine { at: Nanos(nanos), node: node.to_owned(), text: text.to_owned() })
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
        assert_eq!(run.node_lines(), [NodeLine { at: Nanos(25_837_417_517_000), node, text }]);
    }
}
