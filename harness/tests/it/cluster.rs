//! `highwater cluster up`: its first line, clients of other people, its end, and what stays.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::stage::{Process, Stage, children_of, poll};

const GONE: Duration = Duration::from_secs(10);

/// A cluster in the background. Dropping it kills it.
pub(crate) struct Up {
    child: Child,
    stdout: BufReader<ChildStdout>,
    pub(crate) bootstrap: String,
}

impl Up {
    pub(crate) fn start(stage: &Stage, line: &str) -> Self {
        Self::spawn(stage.command(&format!("cluster up {line}")))
    }

    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::null()).spawn().expect("the binary starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut bootstrap = String::new();
        stdout.read_line(&mut bootstrap).expect("stdout is readable");
        assert!(bootstrap.ends_with('\n'), "a whole line comes first: `{bootstrap}`");
        Self { child, stdout, bootstrap: bootstrap.trim_end().to_owned() }
    }

    /// Ends it with a signal; the exit code, and what else was on stdout.
    pub(crate) fn end(mut self, signal: Signal) -> (i32, String) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"));
        kill(pid, signal).expect("it is there");
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut self.stdout, &mut rest).expect("stdout is readable");
        (self.child.wait().expect("it ends").code().unwrap_or(-1), rest)
    }

    pub(crate) fn children(&self) -> Vec<Process> {
        children_of(self.child.id())
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Produces and reads back through librdkafka: a run against the cluster as any other Kafka.
pub(crate) fn run_against(stage: &Stage, bootstrap: &str, extra: &str) {
    let ended = stage.run(&format!(
        "run --target kafka --bootstrap {bootstrap} --nemesis none --duration 1s --seed 1 -q {extra}"
    ));
    assert_eq!(ended.code, 0, "{}", ended.all());
}

#[test]
fn the_first_line_is_for_bootstrap_servers_and_a_signal_ends_everything() {
    let stage = Stage::new();
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let up = Up::start(&stage, "--nodes 3");
        let addresses: Vec<_> = up.bootstrap.split(',').map(str::to_owned).collect();
        assert_eq!(addresses.len(), 3, "{}", up.bootstrap);
        assert!(addresses.iter().all(|one| one.parse::<std::net::SocketAddr>().is_ok()), "{addresses:?}");
        run_against(&stage, &up.bootstrap, "");
        let children = up.children();
        assert_eq!(children.len(), 4, "three nodes and their controller");
        let (code, rest) = up.end(signal);
        assert_eq!((code, rest.as_str()), (0, ""), "a signal is how it is meant to end");
        assert!(children.iter().all(|child| !child.lives()));
        let refused = |address: &String| std::net::TcpStream::connect(address.as_str()).is_err();
        assert!(addresses.iter().all(refused), "nothing listens any more");
    }
}

#[test]
fn nothing_outlives_a_cluster_that_is_killed() {
    let stage = Stage::new();
    let up = Up::start(&stage, "");
    let children = up.children();
    let (code, _) = up.end(Signal::SIGKILL);
    assert_eq!(code, -1);
    assert!(poll(GONE, || children.iter().all(|child| !child.lives())));
}

#[test]
fn a_data_directory_keeps_topics_records_and_ports() {
    let stage = Stage::new();
    let place = tempfile::tempdir().expect("a folder");
    let data = place.path().join("cluster");
    let line = format!("--nodes 3 --data {}", data.display());
    let up = Up::start(&stage, &line);
    let bootstrap = up.bootstrap.clone();
    run_against(&stage, &bootstrap, "--topic kept --keep-topics");
    let second = stage.run(&format!("cluster up {line}"));
    assert_eq!(second.code, 2, "{}", second.all());
    assert!(second.stderr.contains("in use"), "{}", second.all());
    assert_eq!(second.stdout, "");
    assert_eq!(up.end(Signal::SIGINT).0, 0);
    let before = bytes_of(&data, "kept-");
    assert!(before > 0, "records are in the folder");

    // Killed or ended in an orderly way: the next start finds the same.
    for signal in [Signal::SIGKILL, Signal::SIGINT] {
        let up = Up::start(&stage, &format!("--data {}", data.display()));
        assert_eq!(up.bootstrap, bootstrap, "clients find it where it was");
        let ended = stage.run(&format!(
            "run --target kafka --bootstrap {bootstrap} --nemesis none --duration 1s --seed 1 -q --topic kept"
        ));
        assert!(ended.stderr.contains("exists already"), "the topic is there: {}", ended.all());
        let children = up.children();
        up.end(signal);
        assert!(poll(GONE, || children.iter().all(|child| !child.lives())));
        assert_eq!(bytes_of(&data, "kept-"), before);
    }
}

/// Bytes of the segment files of a topic's partitions, on all nodes.
fn bytes_of(data: &Path, topic: &str) -> u64 {
    let list = |path: &Path| -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(path).into_iter().flatten().filter_map(Result::ok);
        entries.map(|entry| entry.path()).collect()
    };
    let named = |path: &std::path::PathBuf| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(topic))
    };
    let partitions = list(&data.join("nodes")).into_iter().flat_map(|node| list(&node)).filter(named);
    let files = partitions.flat_map(|partition| list(&partition));
    let logs = files.filter(|file| file.extension().is_some_and(|ending| ending == "log"));
    logs.filter_map(|file| file.metadata().ok()).map(|metadata| metadata.len()).sum()
}

#[test]
fn mistakes_are_one_line_on_stderr() {
    let stage = Stage::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    for (line, code, says) in [
        ("cluster up --set num.partition=3".to_owned(), 2, "num.partitions"),
        ("cluster up --set acks=all".to_owned(), 2, "acks"),
        ("cluster up --nodes 0".to_owned(), 2, "nodes"),
        ("cluster up --flaw no-such-flaw".to_owned(), 2, "no-such-flaw"),
        ("cluster up --data /proc/highwater".to_owned(), 2, "/proc/highwater"),
        (format!("cluster up --nodes 1 --port-base {port}"), 3, "listen"),
    ] {
        let ended = stage.run(&line);
        assert_eq!(ended.code, code, "{line}: {}", ended.all());
        assert_eq!(ended.stdout, "", "{line}");
        assert_eq!(ended.stderr.lines().count(), 1, "{line}: {}", ended.all());
        assert!(ended.stderr.contains(says), "{line}: {}", ended.all());
    }
}
