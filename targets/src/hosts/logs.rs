//! What the brokers of hosts wrote during a run, kept beside its history: what they say near a finding is half of
//! its explanation. Beside each log its host's clock is kept, by which its times are told.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use history::{ClockReading, HOST_CLOCK_VERSION, HostClock};
use nemesis::host::HostSpec;
use nemesis::node::{Node, NodeError, Request, quote};

use super::clock;

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

/// Writes what was added to the logs since they were so long to `node-ID.log` in `dir`, and to `node-ID.clock.json`
/// how the host's clock went since that reading.
///
/// # Errors
/// If the host cannot be asked or a file not be written, as text.
pub(super) fn keep(
    node: &dyn Node,
    spec: &HostSpec,
    lengths: &[u64],
    begin: Option<ClockReading>,
    dir: &Path,
) -> Result<(), String> {
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
    let write = |name: String, bytes: &[u8]| {
        let path = dir.join(name);
        let written = std::fs::create_dir_all(dir).and_then(|()| std::fs::write(&path, bytes));
        written.map_err(|error| format!("failed to write `{}`: {error}", path.display()))
    };
    write(format!("node-{}.log", spec.node), &answer.stdout)?;
    let Some(begin) = begin else { return Ok(()) };
    let clock = how_it_went(node, spec, begin).map_err(|error| error.to_string())?;
    let json = clock.map(|clock| serde_json::to_vec_pretty(&clock)).transpose();
    match json.map_err(|error| error.to_string())? {
        Some(json) => write(format!("node-{}.clock.json", spec.node), &json),
        None => Ok(()),
    }
}

/// The host's clock since the first reading; its time zone, and when the last of the logs was last written, which
/// tells the zone of times that name none, whatever the broker's own is.
fn how_it_went(
    node: &dyn Node,
    spec: &HostSpec,
    begin: ClockReading,
) -> Result<Option<HostClock>, NodeError> {
    let Some(end) = clock::read(node)? else { return Ok(None) };
    let logs: Vec<_> = spec.logs.iter().map(|log| quote(log)).collect();
    let script = format!(
        "date +%z; w=; for l in {}; do [ -s $l ] && w=$(stat -c %Y $l 2>/dev/null); done; echo $w",
        logs.join(" ")
    );
    let said = node.script(&request("ask for the time zone", &script))?;
    let mut lines = said.lines().map(str::trim);
    Ok(Some(HostClock {
        version: HOST_CLOCK_VERSION,
        begin,
        end,
        zone_s: lines.next().and_then(east_of_utc),
        written_ns: lines.next().and_then(|seconds| seconds.parse::<i64>().ok()?.checked_mul(1_000_000_000)),
    }))
}

/// `+0130` in seconds.
fn east_of_utc(zone: &str) -> Option<i32> {
    let number: i32 = zone.parse().ok()?;
    Some((number / 100) * 3600 + (number % 100) * 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_zones_are_read() {
        assert_eq!(east_of_utc("+0000"), Some(0));
        assert_eq!(east_of_utc("+0530"), Some(19_800));
        assert_eq!(east_of_utc("-0330"), Some(-12_600));
        assert_eq!(east_of_utc("UTC"), None);
    }
}
