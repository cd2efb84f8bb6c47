//! What the brokers of hosts wrote during a run, kept beside its history: what they say near a finding is half of
//! its explanation.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use nemesis::host::HostSpec;
use nemesis::node::{Node, NodeError, Request, quote};

/// How long reading may take.
const WITHIN: Duration = Duration::from_secs(60);
/// At most so much of each log is kept, its end.
const KEEP_BYTES: u64 = 8 << 20;

fn request<'a>(what: &'a str, script: &'a str) -> Request<'a> {
    Request { what, script, stdin: &[], within: WITHIN, root: true }
}

/// How long each log is now.
///
/// # Errors
/// If the host cannot be asked; a log that is not there yet has no length.
pub(super) fn lengths(node: &dyn Node, spec: &HostSpec) -> Result<Vec<u64>, NodeError> {
    let mut script = String::new();
    for log in &spec.logs {
        // Writing to a string does not fail.
        let _ = writeln!(script, "wc -c <{} 2>/dev/null || echo 0", quote(log));
    }
    let said = node.script(&request("look at the broker's logs", &script))?;
    Ok(said.lines().map(|line| line.trim().parse().unwrap_or(0)).collect())
}

/// Writes what was added to the logs since they were so long to `node-ID.log` in `dir`.
///
/// # Errors
/// If the host cannot be asked or the file not be written, as text.
pub(super) fn keep(node: &dyn Node, spec: &HostSpec, lengths: &[u64], dir: &Path) -> Result<(), String> {
    if spec.logs.is_empty() {
        return Ok(());
    }
    let mut script = String::new();
    for (log, length) in spec.logs.iter().zip(lengths) {
        let log = quote(log);
        // One that was begun anew is shorter than it was.
        let _ = writeln!(
            script,
            "from={length}; [ \"$(wc -c <{log} 2>/dev/null || echo 0)\" -ge $from ] || from=0\n\
             tail -c +$((from+1)) {log} 2>/dev/null | tail -c {KEEP_BYTES} || true"
        );
    }
    let answer = node.run(&request("fetch the broker's logs", &script)).map_err(|error| error.to_string())?;
    let path = dir.join(format!("node-{}.log", spec.node));
    let written = std::fs::create_dir_all(dir).and_then(|()| std::fs::write(&path, answer.stdout));
    written.map_err(|error| format!("failed to write `{}`: {error}", path.display()))
}
