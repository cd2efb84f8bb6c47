//! DuckDB through Python, installed below the target directory when first needed.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const PACKAGE: &str = "duckdb==1.4.4";
const QUERIES: &str = include_str!("queries.py");

/// Python that knows the engine, or why there is none.
pub(super) fn python() -> Result<PathBuf, String> {
    let here = std::env::current_exe().map_err(|error| error.to_string())?;
    let target = here.ancestors().nth(3).ok_or("this test lies nowhere")?;
    let home = target.join(PACKAGE.replace("==", "-"));
    if knows_the_engine(&home).is_ok() {
        return Ok(home.join("bin/python"));
    }
    // Made beside its place: other tests may be at it at the same time.
    let draft = target.join(format!(".{PACKAGE}-{}", std::process::id()));
    let made = install(&draft).and_then(|()| {
        // Somebody else's is as good.
        let _ = fs::rename(&draft, &home);
        knows_the_engine(&home)
    });
    let _ = fs::remove_dir_all(&draft);
    made.map(|()| home.join("bin/python"))
}

fn knows_the_engine(home: &Path) -> Result<(), String> {
    let mut python = Command::new(home.join("bin/python"));
    ran(python.args(["-c", "import duckdb"]), Duration::from_secs(60))
}

fn install(home: &Path) -> Result<(), String> {
    ran(Command::new("python3").args(["-m", "venv"]).arg(home), Duration::from_secs(120))?;
    let mut pip = Command::new(home.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    pip.args(["--timeout", "15", "--retries", "1", "--only-binary", ":all:", PACKAGE]);
    ran(&mut pip, Duration::from_secs(180))
}

/// Ends its process whatever happens.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ran(command: &mut Command, within: Duration) -> Result<(), String> {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = Ended(quiet.spawn().map_err(|error| format!("{command:?}: {error}"))?);
    let started = Instant::now();
    loop {
        match child.0.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("{command:?}: {status}")),
            Ok(None) if started.elapsed() < within => std::thread::park_timeout(Duration::from_millis(20)),
            Ok(None) => return Err(format!("{command:?}: not done after {within:?}")),
            Err(error) => return Err(format!("{command:?}: {error}")),
        }
    }
}

/// The rows that each query finds in each of these directories, by the query's name.
pub(super) fn query(python: &Path, dirs: &[PathBuf]) -> Vec<Value> {
    let mut command = Command::new(python);
    command.args(["-c", QUERIES]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("python starts");
    let names: String = dirs.iter().map(|dir| format!("{}\n", dir.display())).collect();
    let mut stdin = child.stdin.take().expect("a pipe");
    let writer = std::thread::spawn(move || stdin.write_all(names.as_bytes()));
    let output = child.wait_with_output().expect("python ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let _ = writer.join();
    let lines = String::from_utf8(output.stdout).expect("UTF-8");
    lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}
