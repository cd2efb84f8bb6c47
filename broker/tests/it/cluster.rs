//! A controller and three brokers in this process, each on its own thread, files in a temporary folder.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use broker::{Ending, Node};
use tempfile::TempDir;
use wire::node::{BrokerSpec, ControllerSpec, NodeEvent, NodeSpec};

/// How long anything may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// The short-run profile.
const SETTINGS: [(&str, &str); 6] = [
    ("broker.session.timeout.ms", "1500"),
    ("broker.heartbeat.interval.ms", "300"),
    ("replica.lag.time.max.ms", "1500"),
    ("replica.fetch.wait.max.ms", "100"),
    ("replica.fetch.backoff.ms", "100"),
    ("auto.create.topics.enable", "false"),
];

pub(crate) struct Cluster {
    folder: TempDir,
    extra: BTreeMap<String, String>,
    controller: Option<(Node, SocketAddr)>,
    /// Nodes 1 to 3.
    brokers: BTreeMap<i32, (Node, SocketAddr)>,
}

impl Cluster {
    /// Starts it and waits until every broker is ready.
    pub(crate) fn start(extra: &[(&str, &str)]) -> Self {
        let extra = extra.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let folder = tempfile::tempdir().expect("a folder");
        let mut cluster = Self { folder, extra, controller: None, brokers: BTreeMap::new() };
        cluster.start_controller(ANY);
        for node in 1..=3 {
            cluster.start_broker(node);
        }
        for node in 1..=3 {
            cluster.wait_ready(node);
        }
        cluster
    }

    pub(crate) fn start_controller(&mut self, listen: SocketAddr) {
        let spec = ControllerSpec {
            parent: 0,
            data: self.folder.path().join("controller"),
            listen,
            settings: self.settings(),
            flaw: None,
        };
        let node = Node::start(NodeSpec::Controller(spec));
        let address = listening(&node);
        self.controller = Some((node, address));
    }

    pub(crate) fn restart_controller(&mut self) {
        let (node, address) = self.controller.take().expect("runs");
        node.stop(Ending::Abrupt).expect("ends");
        self.start_controller(address);
    }

    pub(crate) fn start_broker(&mut self, node: i32) {
        let spec = BrokerSpec {
            parent: 0,
            node_id: node,
            data: self.folder.path().join(node.to_string()),
            listen: ANY,
            advertised: None,
            peers: BTreeMap::new(),
            controller: self.controller.as_ref().expect("runs").1,
            settings: self.settings(),
            flaw: None,
        };
        let started = Node::start(NodeSpec::Broker(spec));
        let address = listening(&started);
        self.brokers.insert(node, (started, address));
    }

    pub(crate) fn wait_ready(&self, node: i32) {
        wait_event(&self.brokers[&node].0, |event| matches!(event, NodeEvent::Ready));
    }

    pub(crate) fn stop(&mut self, node: i32, ending: Ending) {
        self.brokers.remove(&node).expect("runs").0.stop(ending).expect("ends");
    }

    pub(crate) fn address(&self, node: i32) -> SocketAddr {
        self.brokers[&node].1
    }

    /// The node ids that run.
    pub(crate) fn running(&self) -> Vec<i32> {
        self.brokers.keys().copied().collect()
    }

    pub(crate) fn folder(&self, node: i32) -> std::path::PathBuf {
        self.folder.path().join(node.to_string())
    }

    fn settings(&self) -> BTreeMap<String, String> {
        let short = SETTINGS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        short.chain(self.extra.clone()).collect()
    }
}

fn listening(node: &Node) -> SocketAddr {
    let event = wait_event(node, |event| matches!(event, NodeEvent::Listening { .. }));
    let NodeEvent::Listening { port } = event else { unreachable!("just matched") };
    SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)
}

pub(crate) fn wait_event(node: &Node, wanted: impl Fn(&NodeEvent) -> bool) -> NodeEvent {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let event = node.events().recv_timeout(left).expect("the event before the deadline");
        if wanted(&event) {
            return event;
        }
    }
}

/// Asks again and again until there is an answer.
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "gave up: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
