//! The parts this test program plays when it is started again as a child: a plain child, a runner with
//! children of its own, a run of several clusters, and a node of a cluster that does as little as it can.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use history::clock;
use targets::process::{ChildSpec, Supervisor, die_with_parent};
use wire::node::{BrokerSpec, ControllerSpec, NodeEvent, NodeSpec};

/// Names the part; absent in an ordinary test run.
const PART: &str = "HIGHWATER_TEST_PART";

/// The program and arguments that start this test program in a part.
pub(crate) fn command(part: &str) -> (PathBuf, Vec<String>) {
    let this = std::env::current_exe().expect("the path of this program");
    let this = this.to_str().expect("a path in UTF-8").to_owned();
    let args =
        [format!("{PART}={part}"), this, "stand_in::play".into(), "--exact".into(), "--nocapture".into()];
    ("/usr/bin/env".into(), args.into())
}

/// A process that is dead once this is dropped, on every path out of a test.
pub(crate) struct Mortal(pub(crate) std::process::Child);

impl Drop for Mortal {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn play() {
    match std::env::var(PART).as_deref() {
        Ok("child") => child(),
        Ok("runner") => runner(),
        Ok("node") => node(),
        Ok("cells") => crate::cells::run_cells(),
        _ => {}
    }
}

pub(crate) fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    let said = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
    said.expect("somebody listens");
}

fn first_line() -> String {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("a first line");
    line.trim_end().to_owned()
}

/// Repeats what it is told until its stdin ends; `exit N` ends it with that code.
fn child() {
    die_with_parent(first_line().parse().expect("the parent's process id")).expect("the parent lives");
    say("up");
    for line in std::io::stdin().lines() {
        let line = line.expect("a line");
        if let Some(code) = line.strip_prefix("exit ") {
            std::process::exit(code.parse().expect("an exit code"));
        }
        say(&line);
    }
    std::process::exit(0);
}

/// Starts four children and names their process ids: `wait` pauses two of them when all are up, anything
/// else does not wait for them.
fn runner() {
    let wait = first_line() == "wait";
    let supervisor = Supervisor::new().expect("a supervisor");
    let (events, lines) = channel();
    let (program, args) = command("child");
    let spawn = |number: u32| {
        let spec = ChildSpec {
            name: format!("child-{number}"),
            program: program.clone(),
            args: args.clone(),
            first_line: std::process::id().to_string(),
            log: "/dev/null".into(),
        };
        supervisor.spawn(spec, events.clone()).expect("a child")
    };
    let children: Vec<_> = (0..4).map(spawn).collect();
    if wait {
        let mut up = 0;
        while up < children.len() {
            let line = lines.recv().expect("children that speak");
            up += usize::from(line.output == targets::process::ChildOutput::Line("up".into()));
        }
        children[0].pause().expect("stopped");
        children[1].pause().expect("stopped");
    }
    let pids: Vec<_> = children.iter().map(|child| child.pid().to_string()).collect();
    say(&format!("pids {}", pids.join(" ")));
    // Until SIGKILL.
    loop {
        std::thread::park();
    }
}

fn node() {
    let spec = serde_json::from_str(&first_line()).expect("a spec");
    let (parent, settings) = match &spec {
        NodeSpec::Controller(spec) => (spec.parent, spec.settings.clone()),
        NodeSpec::Broker(spec) => (spec.parent, spec.settings.clone()),
    };
    die_with_parent(parent).expect("the parent lives");
    if !settings.contains_key("stand.in.deaf") {
        std::thread::spawn(|| {
            std::io::stdin().lines().for_each(drop);
            std::process::exit(0);
        });
    }
    match spec {
        NodeSpec::Controller(spec) => controller(&spec),
        NodeSpec::Broker(spec) => broker(&spec),
    }
}

fn tell(event: &NodeEvent) {
    say(&serde_json::to_string(event).expect("an event is plain data"));
}

fn listen(address: SocketAddr) -> TcpListener {
    let listener = TcpListener::bind(address).expect("a port");
    tell(&NodeEvent::Listening { port: listener.local_addr().expect("an address").port() });
    listener
}

/// Takes whoever keeps a connection to it for alive.
fn controller(spec: &ControllerSpec) {
    let alive: Arc<Mutex<BTreeMap<i32, ()>>> = Arc::default();
    for stream in listen(spec.listen).incoming() {
        let alive = Arc::clone(&alive);
        std::thread::spawn(move || {
            let mut stream = BufReader::new(stream.expect("a connection"));
            let mut line = String::new();
            if stream.read_line(&mut line).is_err() {
                return;
            }
            let Ok(node) = line.trim_end().parse::<i32>() else { return };
            let change = |fenced: bool| {
                let mut alive = alive.lock().expect("no panic");
                let _ = if fenced { alive.remove(&node) } else { alive.insert(node, ()) };
                announce(node, fenced, alive.keys().copied().collect());
            };
            change(false);
            let _ = stream.get_mut().write_all(b"ok\n");
            line.clear();
            let _ = stream.read_line(&mut line);
            change(true);
        });
    }
}

fn announce(node: i32, fenced: bool, isr: Vec<i32>) {
    let at = clock::now().0;
    tell(&NodeEvent::Fenced { at, node, fenced });
    for (topic, epoch) in [("under-test", 7), ("another", 1)] {
        let leader = isr.first().copied().unwrap_or(-1);
        let (topic, isr) = (topic.to_owned(), isr.clone());
        tell(&NodeEvent::PartitionState {
            at,
            topic,
            partition: 0,
            leader,
            epoch,
            isr,
            replicas: vec![1, 2, 3],
        });
    }
}

/// Says its name to whoever connects, or the name its peer says: `0` asks for its own, `2` for node 2's.
fn broker(spec: &BrokerSpec) {
    if spec.settings.contains_key("stand.in.dies") {
        tell(&NodeEvent::Failed { reason: "the disk is on fire".to_owned() });
        std::process::exit(70);
    }
    // The data of a broker that was killed is still there.
    let starts = spec.data.join("starts");
    let before = std::fs::read_to_string(&starts).unwrap_or_default();
    std::fs::write(&starts, format!("{before}x")).expect("a data folder");

    let listener = listen(spec.listen);
    let (node, controller) = (spec.node_id, spec.controller);
    if !spec.settings.contains_key("stand.in.mute") {
        std::thread::spawn(move || register(node, controller));
    }
    for stream in listener.incoming() {
        let peers = spec.peers.clone();
        std::thread::spawn(move || answer(node, &peers, stream.expect("a connection")));
    }
}

/// Keeps a connection to the controller, and makes a new one when it is lost.
fn register(node: i32, controller: SocketAddr) {
    loop {
        let Ok(mut stream) = TcpStream::connect(controller) else { continue };
        let _ = writeln!(stream, "{node}");
        for _ in BufReader::new(stream).lines().map_while(Result::ok) {
            tell(&NodeEvent::Ready);
        }
    }
}

fn answer(node: i32, peers: &BTreeMap<i32, SocketAddr>, stream: TcpStream) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while matches!(stream.read_line(&mut line), Ok(1..)) {
        let name = match peers.get(&line.trim_end().parse().unwrap_or(0)) {
            Some(&peer) => ask(peer, 0).unwrap_or_else(|error| error.kind().to_string()),
            None => format!("node {node}"),
        };
        if writeln!(stream.get_mut(), "{name}").is_err() {
            return;
        }
        line.clear();
    }
}

/// Asks a broker for a name over a connection of its own.
pub(crate) fn ask(address: SocketAddr, peer: i32) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(crate::DEADLINE))?;
    writeln!(stream, "{peer}")?;
    let mut line = String::new();
    match BufReader::new(stream).read_line(&mut line)? {
        0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(line.trim_end().to_owned()),
    }
}
