//! A running reference cluster: start, what it tells, stop.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::Duration;

use history::{Nanos, NodeId, Note, Partition, clock};
use nemesis::End;
use wire::coordinator::OFFSETS_PARTITIONS;

use crate::process::{Child, Supervisor};
use crate::proxy::LinkProxy;
use crate::reference::afflictions::Ill;
use crate::reference::error::ClusterError;
use crate::reference::launch::{Launcher, loopback};
use crate::reference::links;
use crate::reference::member::Member;
use crate::reference::options::{ClusterOptions, Proxied};
use crate::reference::watch::Watch;
use crate::view::ClusterView;

/// A controller and its brokers as child processes, to be broken through [`nemesis::Cluster`]. Dropping it
/// kills every process, stopped ones too, and frees every port and thread; data and logs stay.
pub struct ReferenceCluster {
    pub(super) launcher: Launcher,
    /// Processes, running or dead, by member.
    pub(super) children: BTreeMap<Member, Child>,
    /// The port each member listened on last.
    pub(super) ports: BTreeMap<Member, u16>,
    /// Brokers whose power is cut, and whether their last write is torn.
    pub(super) dark: BTreeMap<NodeId, bool>,
    /// Brokers whose disk, files or clock is wrong.
    pub(super) ill: Vec<Ill>,
    /// How faults were carried out and what was seen of them, since anybody asked.
    pub(super) words: Vec<String>,
    watcher: Option<JoinHandle<()>>,
}

impl ReferenceCluster {
    /// Starts the controller and the brokers, and waits until every broker is registered and unfenced.
    ///
    /// # Errors
    /// If a folder cannot be made, a process cannot be started, one ends before it is ready, or they are
    /// not ready in time. Nothing is left running then.
    pub fn start(options: ClusterOptions, supervisor: &Supervisor) -> Result<Self, ClusterError> {
        let deadline = Deadline::after(options.start_within);
        let mut cluster = Self::prepare(options, supervisor)?;
        cluster.spawn(Member::Controller)?;
        cluster.wait_listening(Member::Controller, deadline.left())?;
        for node in cluster.launcher.nodes.clone() {
            cluster.spawn(Member::Node(node))?;
        }
        for node in cluster.launcher.nodes.clone() {
            let member = Member::Node(node);
            cluster.wait_listening(member, deadline.left())?;
            cluster.launcher.wait(member, deadline.left(), "ready", |state| state.ready)?;
        }
        Ok(cluster)
    }

    /// Everything but the processes.
    fn prepare(options: ClusterOptions, supervisor: &Supervisor) -> Result<Self, ClusterError> {
        let nodes: Vec<_> = (1..).map(NodeId).take(options.nodes as usize).collect();
        if nodes.is_empty() {
            return Err(ClusterError::NoNodes);
        }
        make_folder(&options.data)?;
        make_folder(&options.logs)?;
        let proxy = match options.proxied {
            Proxied::Nothing => None,
            Proxied::Nodes | Proxied::Everything => Some(Arc::new(LinkProxy::start()?)),
        };
        for link in links::all(&nodes) {
            if let Some(proxy) = proxy.as_ref().filter(|_| links::is_proxied(link, options.proxied)) {
                proxy.listen(link)?;
            }
        }
        let (lines, inbox) = channel();
        let watch = Arc::new(Watch::new(nodes.clone(), proxy.clone()));
        let watching = Arc::clone(&watch);
        let watcher = std::thread::Builder::new()
            .name("watch-cluster".to_owned())
            .spawn(move || watching.run(&inbox))
            .map_err(ClusterError::Thread)?;
        let launcher = Launcher { options, nodes, supervisor: supervisor.clone(), proxy, watch, lines };
        let members = launcher.nodes.iter().map(|&node| Member::Node(node));
        let ports =
            members.zip(launcher.options.ports.iter().copied()).filter(|(_, port)| *port != 0).collect();
        let (children, dark) = (BTreeMap::new(), BTreeMap::new());
        let (ill, words) = (Vec::new(), Vec::new());
        Ok(Self { launcher, children, ports, dark, ill, words, watcher: Some(watcher) })
    }

    /// Starts a member's process, on the port it had before if no proxy hides a change of ports from clients.
    pub(super) fn spawn(&mut self, member: Member) -> Result<(), ClusterError> {
        let port =
            self.ports.get(&member).copied().filter(|_| self.launcher.options.proxied != Proxied::Everything);
        let controller = self.ports.get(&Member::Controller).copied();
        let child = self.launcher.spawn(member, port, controller)?;
        self.children.insert(member, child);
        Ok(())
    }

    pub(super) fn wait_listening(&mut self, member: Member, within: Duration) -> Result<(), ClusterError> {
        self.launcher.wait(member, within, "listening", |state| state.port.is_some())?;
        let port = self.launcher.watch.known().member(member).port;
        self.ports.extend(port.map(|port| (member, port)));
        Ok(())
    }

    /// `HOST:PORT,…` for clients; the addresses stay the same when brokers are killed and started.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        let address = |&node: &NodeId| {
            let proxied = self.launcher.via_proxy(End::Clients, End::Node(node)).ok().flatten();
            proxied.or_else(|| self.ports.get(&Member::Node(node)).map(|&port| loopback(port)))
        };
        let addresses = self.launcher.nodes.iter().filter_map(address).map(|address| address.to_string());
        addresses.collect::<Vec<_>>().join(",")
    }

    /// The port each broker listens on, in order of their ids.
    #[must_use]
    pub fn broker_ports(&self) -> Vec<u16> {
        let port = |&node: &NodeId| self.ports.get(&Member::Node(node)).copied();
        self.launcher.nodes.iter().filter_map(port).collect()
    }

    /// Names the topic under test: views, notes and the partitions of faults are about it.
    pub fn set_topic(&mut self, topic: &str) {
        self.launcher.watch.known().set_topic(topic);
    }

    /// Names the run's consumer group: who coordinates it can be told, and is noted.
    pub fn set_group(&mut self, group: &str) {
        let partitions = self.launcher.options.settings.get("offsets.topic.num.partitions");
        let partitions = partitions.and_then(|value| value.parse().ok()).unwrap_or(OFFSETS_PARTITIONS);
        self.launcher.watch.known().set_group(group, partitions);
    }

    /// What happened since the last call, for the history, with its time: partition changes of the topic
    /// under test, changes of the group's coordinator, fencing, and ends of brokers that nobody asked for.
    #[must_use]
    pub fn events(&self) -> Vec<(Nanos, Note)> {
        self.launcher.watch.known().take_notes()
    }

    /// The cluster as its controller last told.
    #[must_use]
    pub fn cluster_view(&self) -> ClusterView {
        self.launcher.watch.known().view()
    }

    /// Who leads each partition of every topic, as the controller last told; `None` is nobody.
    #[must_use]
    pub fn leaders(&self) -> BTreeMap<(String, Partition), Option<NodeId>> {
        self.launcher.watch.known().leaders()
    }

    /// Whether every partition of the topic under test has a leader and all its replicas in sync; not before
    /// the topic exists.
    #[must_use]
    pub fn isr_full(&self) -> bool {
        self.cluster_view().isr_full()
    }

    /// How the controller ended, if it did without being asked to: it is outside the fault domain, so the
    /// run cannot go on.
    #[must_use]
    pub fn controller_failure(&self) -> Option<String> {
        let mut known = self.launcher.watch.known();
        let controller = known.member(Member::Controller);
        let how = controller.ended.clone().filter(|_| !controller.ending)?;
        Some(format!("{how} (see {})", Member::Controller.log(&self.launcher.options.logs).display()))
    }

    /// Process ids of the controller and the brokers that live, stopped ones too.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        self.children.values().filter(|child| child.exit_status().is_none()).map(Child::pid).collect()
    }

    /// Asks every process to exit, brokers first, and frees everything. Stopped brokers are continued.
    ///
    /// # Errors
    /// If some did not exit in time; they are dead all the same.
    pub fn shutdown(mut self) -> Result<(), ClusterError> {
        let deadline = Deadline::after(self.launcher.options.stop_within);
        let mut stubborn = Vec::new();
        let (controller, brokers): (Vec<_>, Vec<_>) =
            self.children.keys().copied().partition(|&member| member == Member::Controller);
        for group in [brokers, controller] {
            for &member in &group {
                self.ask_to_exit(member);
            }
            for member in group {
                if self.children.get(&member).is_some_and(|child| child.wait_exit(deadline.left()).is_none())
                {
                    stubborn.push(member.to_string());
                }
            }
        }
        self.end();
        if stubborn.is_empty() {
            return Ok(());
        }
        let within_ms = u64::try_from(self.launcher.options.stop_within.as_millis()).unwrap_or(u64::MAX);
        Err(ClusterError::Stubborn { nodes: stubborn, within_ms })
    }

    fn ask_to_exit(&self, member: Member) {
        self.launcher.watch.known().member(member).ending = true;
        if let Some(child) = self.children.get(&member) {
            child.close_stdin();
            // It may be dead, which is what is wanted.
            let _ = child.resume();
        }
    }

    /// Kills what still lives and waits until it is gone; whether all of it is.
    fn end(&mut self) -> bool {
        for (&member, child) in &self.children {
            self.launcher.watch.known().member(member).ending = true;
            // All at once, so that nobody has time to complain about the others; the dead need no signal.
            let _ = child.kill();
        }
        let gone =
            self.children.values().all(|child| child.wait_exit(self.launcher.options.stop_within).is_some());
        self.children.clear();
        gone
    }
}

impl Drop for ReferenceCluster {
    fn drop(&mut self) {
        let gone = self.end();
        // The watcher ends with the last sender of lines; each child's was dropped at its end.
        let (unused, _) = channel();
        self.launcher.lines = unused;
        // A process that even SIGKILL does not end at once (the disk hangs) must not hang this one.
        if let Some(watcher) = self.watcher.take().filter(|_| gone) {
            let _ = watcher.join();
        }
    }
}

/// A moment on the run's clock by which something must be done.
pub(super) struct Deadline {
    started: Nanos,
    within: Duration,
}

impl Deadline {
    pub(super) fn after(within: Duration) -> Self {
        Self { started: clock::now(), within }
    }

    /// What is left of it; zero when it has passed.
    pub(super) fn left(&self) -> Duration {
        self.within.saturating_sub(Duration::from_nanos(clock::now().since(self.started)))
    }
}

fn make_folder(path: &Path) -> Result<(), ClusterError> {
    std::fs::create_dir_all(path).map_err(|source| ClusterError::Folder { path: path.to_owned(), source })
}
