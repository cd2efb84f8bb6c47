//! What the cluster's processes tell: one thread turns their lines into the state that others wait for and
//! into notes for the history.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use history::{Nanos, NodeId, Note, Partition, clock};
use wire::coordinator::{OFFSETS_TOPIC, partition_of};
use wire::node::NodeEvent;

use crate::process::{ChildLine, ChildOutput, describe};
use crate::proxy::LinkProxy;
use crate::reference::links;
use crate::reference::member::Member;
use crate::view::{ClusterView, PartitionView};

/// What is known of one process.
#[derive(Debug, Clone, Default)]
pub(super) struct MemberState {
    /// The port it listens on.
    pub(super) port: Option<u16>,
    /// A broker that is registered and unfenced; a controller that listens.
    pub(super) ready: bool,
    /// Its end was asked for.
    pub(super) ending: bool,
    /// Why it says it cannot go on.
    pub(super) reason: Option<String>,
    /// How it ended.
    pub(super) ended: Option<String>,
    /// What it answered to what it was told, in order.
    pub(super) obeyed: Vec<Obeyed>,
}

/// What came of the order before, as a broker tells when it is given the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Obeyed {
    /// Bytes that had to wait for its disk.
    pub(super) slowed_bytes: u64,
    /// What its clock was ahead by, in milliseconds.
    pub(super) clock_ahead_ms: i64,
    /// How often it had jumped and back.
    pub(super) clock_jumps: u64,
}

/// Everything the watcher knows.
#[derive(Default)]
pub(super) struct Known {
    pub(super) members: BTreeMap<Member, MemberState>,
    topic: Option<String>,
    /// The partition whose leader coordinates the run's group.
    group: Option<Partition>,
    partitions: BTreeMap<(String, Partition), PartitionView>,
    fenced: BTreeMap<NodeId, bool>,
    notes: Vec<(Nanos, Note)>,
}

impl Known {
    pub(super) fn view(&self) -> ClusterView {
        let topic = self.topic.as_deref();
        let partitions = self.partitions.iter().filter(|((name, _), _)| Some(name.as_str()) == topic);
        ClusterView {
            partitions: partitions.map(|((_, partition), view)| (*partition, view.clone())).collect(),
            fenced: self.fenced.iter().filter(|(_, fenced)| **fenced).map(|(node, _)| *node).collect(),
        }
    }

    /// Whether a broker is registered, unfenced, and in sync wherever it has a replica.
    pub(super) fn is_in_sync(&self, node: NodeId) -> bool {
        let ready = self.members.get(&Member::Node(node)).is_some_and(|state| state.ready);
        let fenced = self.fenced.get(&node).copied().unwrap_or(false);
        let lags = |view: &PartitionView| view.replicas.contains(&node) && !view.isr.contains(&node);
        ready && !fenced && !self.partitions.values().any(lags)
    }

    /// The topic under test; where nobody has named one, the first that applications made and that has this
    /// partition.
    pub(super) fn topic_of(&self, partition: Partition) -> String {
        let made = |(topic, number): &&(String, Partition)| *number == partition && !topic.starts_with("__");
        let first = || self.partitions.keys().find(made).map(|(topic, _)| topic.clone());
        self.topic.clone().or_else(first).unwrap_or_default()
    }

    /// Who leads what, whatever the topic.
    pub(super) fn leaders(&self) -> BTreeMap<(String, Partition), Option<NodeId>> {
        self.partitions.iter().map(|(name, view)| (name.clone(), view.leader)).collect()
    }

    /// Partitions of this topic are what the view and the notes speak of from now on; what is known of them
    /// already is noted at the time it was decided.
    pub(super) fn set_topic(&mut self, topic: &str) {
        if self.topic.as_deref() == Some(topic) {
            return;
        }
        self.topic = Some(topic.to_owned());
        let known = self.view().partitions;
        self.notes.extend(known.into_iter().map(|(partition, view)| (view.at, view.note(partition))));
    }

    /// Names the run's group: its coordinator is noted from now on. Its partition is one of so many.
    pub(super) fn set_group(&mut self, group: &str, partitions: u32) {
        self.group = Some(Partition(partition_of(group, partitions)));
        if let Some(node) = self.coordinator() {
            self.notes.push((clock::now(), Note::Coordinator { node: Some(node) }));
        }
    }

    /// Who coordinates the run's group.
    pub(super) fn coordinator(&self) -> Option<NodeId> {
        self.partitions.get(&(OFFSETS_TOPIC.to_owned(), self.group?))?.leader
    }

    pub(super) fn take_notes(&mut self) -> Vec<(Nanos, Note)> {
        std::mem::take(&mut self.notes)
    }

    /// A process is about to be started (again).
    pub(super) fn starting(&mut self, member: Member) {
        self.members.insert(member, MemberState::default());
    }

    pub(super) fn member(&mut self, member: Member) -> &mut MemberState {
        self.members.entry(member).or_default()
    }

    fn hear(&mut self, member: Member, event: NodeEvent) {
        match event {
            NodeEvent::Listening { port } => {
                let state = self.member(member);
                state.port = Some(port);
                // A controller has nowhere to register.
                state.ready |= member == Member::Controller;
            }
            NodeEvent::Ready => self.member(member).ready = true,
            NodeEvent::Obeyed { slowed_bytes, clock_ahead_ms, clock_jumps } => {
                self.member(member).obeyed.push(Obeyed { slowed_bytes, clock_ahead_ms, clock_jumps });
            }
            NodeEvent::Failed { reason } => self.member(member).reason = Some(reason),
            NodeEvent::Fenced { at, node, fenced } => {
                self.fenced.insert(NodeId(node), fenced);
                self.notes.push((Nanos(at), Note::Fenced { node: NodeId(node), fenced }));
            }
            NodeEvent::PartitionState { at, topic, partition, leader, epoch, isr, replicas } => {
                let Ok(partition) = u32::try_from(partition).map(Partition) else { return };
                let nodes = |ids: Vec<i32>| ids.into_iter().map(NodeId).collect();
                let leader = (leader >= 0).then_some(NodeId(leader));
                let (isr, replicas) = (nodes(isr), nodes(replicas));
                let view = PartitionView { at: Nanos(at), leader, epoch, isr, replicas };
                if self.topic.as_ref() == Some(&topic) {
                    self.notes.push((view.at, view.note(partition)));
                }
                let (at, before) = (view.at, self.coordinator());
                self.partitions.insert((topic, partition), view);
                let node = self.coordinator();
                if node != before {
                    self.notes.push((at, Note::Coordinator { node }));
                }
            }
        }
    }

    fn bury(&mut self, member: Member, how: String) {
        let state = self.member(member);
        let status = match &state.reason {
            Some(reason) => format!("{how}: {reason}"),
            None => how,
        };
        state.ready = false;
        state.port = None;
        state.ended = Some(status.clone());
        let asked = state.ending;
        if let (Member::Node(node), false) = (member, asked) {
            self.notes.push((clock::now(), Note::NodeDied { node, status }));
        }
    }
}

/// The state that the watcher's thread writes and the cluster reads.
pub(super) struct Watch {
    known: Mutex<Known>,
    changed: Condvar,
    nodes: Vec<NodeId>,
    proxy: Option<Arc<LinkProxy>>,
}

impl Watch {
    pub(super) fn new(nodes: Vec<NodeId>, proxy: Option<Arc<LinkProxy>>) -> Self {
        Self { known: Mutex::default(), changed: Condvar::new(), nodes, proxy }
    }

    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `done` says so, at most so long; whether it did.
    pub(super) fn wait(&self, within: Duration, mut done: impl FnMut(&Known) -> bool) -> bool {
        let waited = self.changed.wait_timeout_while(self.known(), within, |known| !done(known));
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Points every link to a member at its present port, or at nothing.
    pub(super) fn route(&self, member: Member, port: Option<u16>) {
        let Some(proxy) = &self.proxy else { return };
        let backend = port.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        for link in links::into(member, &self.nodes) {
            // Every link that is proxied was opened before the first process was started.
            let _ = proxy.set_backend(link, backend);
        }
    }

    /// Handles what the processes tell until no process and no cluster is left to tell anything.
    pub(super) fn run(&self, lines: &Receiver<ChildLine>) {
        while let Ok(ChildLine { name, output, .. }) = lines.recv() {
            let member =
                self.nodes.iter().map(|&node| Member::Node(node)).find(|member| member.slug() == name);
            self.handle(member.unwrap_or(Member::Controller), output);
        }
    }

    fn handle(&self, member: Member, output: ChildOutput) {
        match output {
            ChildOutput::Line(line) => {
                // Anything else on stdout is meant for people, and nobody reads it here.
                let Ok(event) = serde_json::from_str::<NodeEvent>(&line) else { return };
                if let NodeEvent::Listening { port } = event {
                    self.route(member, Some(port));
                }
                self.known().hear(member, event);
            }
            ChildOutput::Exited(status) => {
                // A port of the dead may soon be somebody else's.
                self.route(member, None);
                self.known().bury(member, describe(status));
            }
        }
        self.changed.notify_all();
    }
}
