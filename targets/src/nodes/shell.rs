//! What every backend runs, and how its end is read: the script under a time limit of its own, as root where
//! asked, and the exit codes that mean more than that it failed.

use std::time::Duration;

use nemesis::node::{Answer, NodeError, Request, one_line};

use super::exec::Ended;

/// The limit on the host comes first, so that its own end is heard.
pub(super) const GRACE: Duration = Duration::from_secs(4);
/// How long a program may take that says who we are.
pub(super) const PROBE: Duration = Duration::from_secs(10);
/// What `timeout` exits with when it ended its command.
const TIMED_OUT: i32 = 124;
/// As that, after SIGKILL.
const KILLED: i32 = 137;

/// The words that run a script on the host. `timeout` stands behind `sudo`: who is not root cannot end what
/// root started.
pub(super) fn words(request: &Request<'_>, is_root: bool) -> Vec<String> {
    let seconds = request.within.as_secs().max(1).to_string();
    let sudo: &[&str] = if request.root && !is_root { &["sudo", "-n"] } else { &[] };
    let path = format!("PATH=\"$PATH:/usr/sbin:/sbin\"; {}", request.script);
    let words = ["timeout", "-k", "2", &seconds, "sh", "-c", &path];
    sudo.iter().copied().chain(words).map(str::to_owned).collect()
}

/// Reads how it ended.
pub(super) fn answer(
    host: &str,
    user: &str,
    request: &Request<'_>,
    ended: Ended,
) -> Result<Answer, NodeError> {
    let stderr = String::from_utf8_lossy(&ended.stderr).into_owned();
    match ended.code {
        None | Some(TIMED_OUT | KILLED) => Err(NodeError::Late {
            host: host.to_owned(),
            what: request.what.to_owned(),
            seconds: request.within.as_secs().max(1),
            stderr: one_line(&stderr),
        }),
        Some(1) if request.root && stderr.starts_with("sudo:") => {
            Err(NodeError::Sudo { host: host.to_owned(), user: user.to_owned(), stderr: one_line(&stderr) })
        }
        Some(code) => Ok(Answer { code, stdout: ended.stdout, stderr }),
    }
}
