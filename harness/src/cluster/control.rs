//! The control socket of a cluster that is kept up: `control.sock` in its folder, for its owner alone. A
//! line of JSON asks, a line answers; the cluster itself does the work, so that a client that dies leaves
//! nothing behind that the cluster does not know of.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use super::protocol::{Answer, Request};

const SOCKET: &str = "control.sock";

/// Longer than any request.
const REQUEST_MAX: u64 = 64 * 1024;

/// Whoever connects and says nothing does not keep a thread for longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Longer than nodes may take to come back; a cluster that is stopped itself answers nobody.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);

/// The longest path of a Unix socket that every system takes.
const PATH_MAX: usize = 100;

/// A request, and where its answer goes.
pub(super) struct Asked {
    pub(super) request: Request,
    pub(super) reply: Sender<Answer>,
}

/// A listening socket; its file goes when this is dropped.
pub(super) struct Control {
    path: PathBuf,
}

impl Control {
    /// Listens in a cluster's folder and hands what is asked to `requests`. The folder's lock must be held:
    /// what lies under the socket's name is then left from a cluster that was killed.
    ///
    /// # Errors
    /// If the socket or the thread cannot be made.
    pub(super) fn listen<T: Send + 'static>(
        folder: &Path,
        requests: &Sender<T>,
        wrap: fn(Asked) -> T,
    ) -> io::Result<Self> {
        let path = folder.join(SOCKET);
        // Made where nobody else can reach it, and closed to others before it gets its name.
        let private = tempfile::Builder::new()
            .prefix(".control-")
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(folder)?;
        let listener = through_short_path(private.path(), |path| UnixListener::bind(path))?;
        let made = private.path().join(SOCKET);
        fs::set_permissions(&made, fs::Permissions::from_mode(0o600))?;
        fs::rename(&made, &path)?;
        let control = Self { path };
        let requests = requests.clone();
        std::thread::Builder::new().name("control".to_owned()).spawn(move || {
            for stream in listener.incoming().flatten() {
                let requests = requests.clone();
                // One that cannot be served is hung up on.
                let _ = std::thread::Builder::new()
                    .name("control-client".to_owned())
                    .spawn(move || serve(stream, &requests, wrap));
            }
        })?;
        Ok(control)
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // It may be gone with its folder.
        let _ = fs::remove_file(&self.path);
    }
}

/// Answers line by line until the other side is done; an error ends it, and nobody is there to be told.
fn serve<T>(stream: UnixStream, requests: &Sender<T>, wrap: fn(Asked) -> T) -> Option<()> {
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let mut answers = stream.try_clone().ok()?;
    let mut lines = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if lines.by_ref().take(REQUEST_MAX).read_line(&mut line).ok()? == 0 {
            return Some(());
        }
        let answer = match serde_json::from_str(&line) {
            Ok(request) => ask_cluster(request, requests, wrap),
            Err(error) => Answer::Refused(format!("failed to understand the request: {error}")),
        };
        let mut text = serde_json::to_string(&answer).ok()?;
        text.push('\n');
        answers.write_all(text.as_bytes()).ok()?;
    }
}

fn ask_cluster<T>(request: Request, requests: &Sender<T>, wrap: fn(Asked) -> T) -> Answer {
    let (reply, answer) = channel();
    let sent = requests.send(wrap(Asked { request, reply })).is_ok();
    let answer = if sent { answer.recv().ok() } else { None };
    answer.unwrap_or_else(|| Answer::Failed("the cluster is ending".to_owned()))
}

/// Asks the cluster in a folder.
///
/// # Errors
/// If nobody listens there, or hangs up.
pub(crate) fn ask(folder: &Path, request: &Request) -> io::Result<Answer> {
    let mut stream = through_short_path(folder, |path| UnixStream::connect(path))?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    let text = serde_json::to_string(request)? + "\n";
    stream.write_all(text.as_bytes())?;
    let mut line = String::new();
    if BufReader::new(stream).read_line(&mut line)? == 0 {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it ended before it answered"));
    }
    Ok(serde_json::from_str(&line)?)
}

/// Whether a cluster listens in a folder.
pub(crate) fn listens(folder: &Path) -> bool {
    through_short_path(folder, |path| UnixStream::connect(path)).is_ok()
}

/// A socket's address holds some hundred bytes; a folder with a longer name is reached through its
/// descriptor, where the system has a name for that.
fn through_short_path<T>(folder: &Path, act: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    let direct = folder.join(SOCKET);
    if direct.as_os_str().len() <= PATH_MAX {
        return act(&direct);
    }
    let opened = fs::File::open(folder)?;
    act(&Path::new("/proc/self/fd").join(opened.as_raw_fd().to_string()).join(SOCKET))
}

#[cfg(test)]
mod tests {
    use super::super::protocol::Which;
    use super::*;

    /// Refuses whatever is asked, with its own words, until the socket is dropped.
    fn echo(folder: &Path) -> Control {
        let (sender, requests) = channel();
        let control = Control::listen(folder, &sender, |asked| asked).expect("listens");
        std::thread::spawn(move || {
            for Asked { request, reply } in requests {
                let _ = reply.send(Answer::Refused(format!("{request:?}")));
            }
        });
        control
    }

    #[test]
    fn what_is_asked_is_answered_and_the_socket_goes() {
        let place = tempfile::tempdir().expect("a folder");
        let control = echo(place.path());
        let asked = Request::Undo(Which::Fault(7));
        assert_eq!(ask(place.path(), &asked).expect("answers"), Answer::Refused(format!("{asked:?}")));
        let mut stream = UnixStream::connect(place.path().join(SOCKET)).expect("connects");
        stream.write_all(b"kill them all\n\"status\"\n").expect("takes it");
        let mut lines = BufReader::new(stream).lines();
        let mut next = || lines.next().expect("a line").expect("readable");
        assert!(next().contains("failed to understand"), "and it goes on:");
        assert!(next().contains("Status"));
        drop(control);
        assert!(!place.path().join(SOCKET).exists() && !listens(place.path()));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_folder_with_a_long_name_is_no_obstacle() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = place.path().join("long".repeat(40));
        fs::create_dir(&folder).expect("a folder");
        let _control = echo(&folder);
        assert_eq!(ask(&folder, &Request::Status).expect("answers"), Answer::Refused("Status".to_owned()));
    }
}
