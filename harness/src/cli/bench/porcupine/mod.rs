//! porcupine, the field's checker in Go, beside ours: built in a scratch directory from a few lines that read
//! the same file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

const PROGRAM: &str = include_str!("main.go");
const MODULE: &str = "module beside\n\ngo 1.21\n\nrequire github.com/anishathalye/porcupine v1.3.1\n";

/// The program, built.
pub(super) struct Porcupine(PathBuf);

/// What it said of a file.
pub(super) struct Said {
    pub(super) answer: String,
    pub(super) seconds: f64,
}

impl Porcupine {
    /// Builds it below a directory. Go fetches the module as it is set up to.
    pub(super) fn build(dir: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(dir).with_context(|| format!("failed to make `{}`", dir.display()))?;
        fs::write(dir.join("main.go"), PROGRAM)?;
        fs::write(dir.join("go.mod"), MODULE)?;
        for arguments in [&["mod", "tidy"][..], &["build", "-o", "beside", "."]] {
            let output = Command::new("go")
                .args(arguments)
                .current_dir(dir)
                .output()
                .context("failed to start `go` (install Go, or leave out --porcupine)")?;
            if !output.status.success() {
                bail!(
                    "`go {}` failed: {}",
                    arguments.join(" "),
                    String::from_utf8_lossy(&output.stderr).trim()
                );
            }
        }
        Ok(Self(dir.join("beside")))
    }

    /// Judges a file, for at most so many seconds.
    pub(super) fn judge(&self, file: &Path, initial: &str, seconds: u64) -> anyhow::Result<Said> {
        let output = Command::new(&self.0)
            .arg(file)
            .args([initial, &seconds.to_string()])
            .output()
            .context("failed to start porcupine")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let said = text.trim().split_once(' ').and_then(|(answer, seconds)| {
            Some(Said { answer: answer.to_lowercase(), seconds: seconds.parse().ok()? })
        });
        said.with_context(|| format!("porcupine died: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }
}
