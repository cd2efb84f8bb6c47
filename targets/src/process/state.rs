//! What the operating system says of a process: its state letter, and how it ended in words.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use nix::sys::signal::Signal;

/// The state letter of a process (`R`, `S`, `D`, `T`, `Z` …); `None` if there is no such process.
#[cfg(target_os = "linux")]
pub(super) fn letter(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command's name stands in parentheses and may itself contain some.
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

/// The state letter of a process (`R`, `S`, `T`, `Z` …); `None` if there is no such process.
#[cfg(not(target_os = "linux"))]
pub(super) fn letter(pid: u32) -> Option<char> {
    let ps = std::process::Command::new("ps").args(["-o", "state=", "-p", &pid.to_string()]).output().ok()?;
    String::from_utf8_lossy(&ps.stdout).trim_start().chars().next()
}

/// How a process ended, in words: `exited with 70`, `killed by SIGKILL`.
#[must_use]
pub fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with {code}"),
        (None, Some(signal)) => match Signal::try_from(signal) {
            Ok(signal) => format!("killed by {signal}"),
            Err(_) => format!("killed by signal {signal}"),
        },
        (None, None) => "ended in an unknown way".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_read_well() {
        assert_eq!(describe(ExitStatus::from_raw(70 << 8)), "exited with 70");
        assert_eq!(describe(ExitStatus::from_raw(9)), "killed by SIGKILL");
    }

    #[test]
    fn this_process_has_a_state() {
        assert!(matches!(letter(std::process::id()), Some('R' | 'S')));
    }
}
