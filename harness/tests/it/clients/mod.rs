//! Unmodified clients of other people on the reference cluster: the Java tools, franz-go, librdkafka through
//! Python, kafka-python, kcat. Each program says what it found as JSON; nothing here knows how it asked.
//!
//! They fetch what they need and take some minutes, so they run by hand:
//! `cargo test -p harness --test it clients -- --ignored`.

mod java;
mod peers;

use std::io::Write;
use std::process::Command;

use serde_json::Value;

use super::cluster::Up;
use super::stage::Stage;

/// A cluster for one client.
fn cluster(stage: &Stage) -> Up {
    Up::start(stage, "--nodes 3")
}

/// Says past the test runner's capture that nothing was tested.
fn skip(what: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {what}: {why}");
}

/// Runs a command to its end: stdout, and everything if it fails.
fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    if output.status.success() { Ok(stdout) } else { Err(format!("{}\n{stdout}\n{stderr}", output.status)) }
}

/// Runs a client program and compares what it found.
fn found(command: &mut Command, wanted: &Value) {
    let said = run(command).expect("the client does all it wants to");
    let found: Value = serde_json::from_str(said.trim()).expect("one JSON object");
    for (name, wanted) in wanted.as_object().expect("an object") {
        assert_eq!(&found[name], wanted, "`{name}` in {found:#}");
    }
}
