//! Who leads what, as the brokers themselves tell: every one is asked again and again, the highest leader epoch
//! wins, and of two views of one epoch that of a broker which no fault keeps from the controller.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::BytesMut;
use history::{Nanos, NodeId, Note, Partition, clock};
use wire::coordinator;
use wire::frame::FrameError;
use wire::metadata::{self, Believed};

use crate::secure::{Security, Stream, read_answer};
use crate::view::{ClusterView, PartitionView};

/// How often each broker is asked.
const EVERY: Duration = Duration::from_millis(150);
/// How long it may take to answer.
const ANSWER: Duration = Duration::from_millis(800);

/// What is known of the cluster.
#[derive(Default)]
pub(super) struct Known {
    partitions: BTreeMap<Partition, PartitionView>,
    fenced: BTreeSet<NodeId>,
    /// Whose word counts for less: a fault may keep them from the news.
    hit: BTreeSet<NodeId>,
    /// When each broker last counted itself among those that serve.
    serving: BTreeMap<NodeId, Nanos>,
    /// Who coordinates the run's group.
    coordinator: Option<NodeId>,
    notes: Vec<(Nanos, Note)>,
}

impl Known {
    fn hear(&mut self, from: NodeId, nodes: &[NodeId], believed: &Believed, at: Nanos) {
        let trusted = !self.hit.contains(&from);
        let mut current = trusted;
        for seen in &believed.partitions {
            let partition = Partition(seen.partition);
            let view = PartitionView {
                at,
                leader: seen.leader.map(NodeId),
                epoch: seen.epoch,
                isr: seen.isr.iter().copied().map(NodeId).collect(),
                replicas: seen.replicas.iter().copied().map(NodeId).collect(),
            };
            let known = self.partitions.get(&partition);
            current &= known.is_none_or(|known| view.epoch >= known.epoch);
            let news = known.is_none_or(|known| {
                view.epoch > known.epoch || (trusted && view.epoch == known.epoch && differs(known, &view))
            });
            if news {
                self.notes.push((at, view.note(partition)));
                self.partitions.insert(partition, view);
            }
        }
        // Who misses newer epochs may miss who came back, too.
        if !current || !believed.brokers.contains(&from.0) || believed.partitions.is_empty() {
            return;
        }
        self.serving.insert(from, at);
        for node in nodes {
            let fenced = !believed.brokers.contains(&node.0);
            let changed = if fenced { self.fenced.insert(*node) } else { self.fenced.remove(node) };
            if changed {
                self.notes.push((at, Note::Fenced { node: *node, fenced }));
            }
        }
    }
}

impl Known {
    /// Somebody that a fault keeps from the news says nothing new, and nobody else names one that it keeps so once
    /// another is known.
    fn hear_coordinator(&mut self, from: NodeId, node: Option<NodeId>, at: Nanos) {
        let behind = self.coordinator.is_some() && node.is_some_and(|node| self.hit.contains(&node));
        if node.is_none() || node == self.coordinator || self.hit.contains(&from) || behind {
            return;
        }
        self.coordinator = node;
        self.notes.push((at, Note::Coordinator { node }));
    }
}

/// Whether two views of a partition say something different, whenever they were had.
fn differs(one: &PartitionView, other: &PartitionView) -> bool {
    let sorted = |nodes: &[NodeId]| nodes.iter().copied().collect::<BTreeSet<_>>();
    one.leader != other.leader
        || sorted(&one.isr) != sorted(&other.isr)
        // Their order says who is preferred.
        || one.replicas != other.replicas
}

/// Follows a topic while it lives.
pub(crate) struct Watch {
    known: Arc<Mutex<Known>>,
    stops: Vec<Sender<()>>,
    threads: Vec<JoinHandle<()>>,
}

impl Watch {
    /// Starts asking brokers, by their addresses; also about a group, if there is one to follow.
    pub(crate) fn start(
        topic: &str,
        group: Option<&str>,
        brokers: &[(NodeId, String)],
        security: &Security,
    ) -> io::Result<Self> {
        let of_group = group.map(coordinator::question).transpose().map_err(io::Error::other)?;
        let question = metadata::question(topic).map_err(io::Error::other)?;
        let nodes: Vec<_> = brokers.iter().map(|(node, _)| *node).collect();
        let mut watch = Self { known: Arc::default(), stops: Vec::new(), threads: Vec::new() };
        for (node, address) in brokers.iter().cloned() {
            let (known, nodes, question) = (Arc::clone(&watch.known), nodes.clone(), question.clone());
            let (of_group, security) = (of_group.clone(), security.clone());
            let (stop, stopped) = channel();
            let thread = std::thread::Builder::new().name(format!("watch-{node}")).spawn(move || {
                let mut connection = None;
                while matches!(stopped.recv_timeout(EVERY), Err(RecvTimeoutError::Timeout)) {
                    // A broker that does not answer has nothing to tell.
                    match ask(&mut connection, &address, &security, &question, metadata::answer) {
                        Ok(believed) => lock(&known).hear(node, &nodes, &believed, clock::now()),
                        Err(_) => connection = None,
                    }
                    let Some(question) = &of_group else { continue };
                    match ask(&mut connection, &address, &security, question, coordinator::answer) {
                        Ok(found) => lock(&known).hear_coordinator(node, found.map(NodeId), clock::now()),
                        Err(_) => connection = None,
                    }
                }
            })?;
            watch.stops.push(stop);
            watch.threads.push(thread);
        }
        Ok(watch)
    }

    /// The cluster as last told.
    pub(crate) fn view(&self) -> ClusterView {
        let known = lock(&self.known);
        ClusterView { partitions: known.partitions.clone(), fenced: known.fenced.clone() }
    }

    /// Who coordinates the group that is followed.
    pub(super) fn coordinator(&self) -> Option<NodeId> {
        lock(&self.known).coordinator
    }

    /// What has changed since the last call.
    pub(crate) fn take_notes(&self) -> Vec<(Nanos, Note)> {
        std::mem::take(&mut lock(&self.known).notes)
    }

    /// Waits until a broker has counted itself among those that serve, since `after`; false if it has not in time.
    pub(super) fn wait_serving(&self, node: NodeId, after: Nanos, within: Duration) -> bool {
        let end = Nanos(after.0 + u64::try_from(within.as_nanos()).unwrap_or(u64::MAX / 2));
        loop {
            if lock(&self.known).serving.get(&node).is_some_and(|at| *at >= after) {
                return true;
            }
            if clock::now() >= end {
                return false;
            }
            std::thread::park_timeout(EVERY);
        }
    }

    /// Waits until a broker is in sync wherever it has a replica, and not fenced; whether it is.
    pub(super) fn wait_in_sync(&self, node: NodeId, within: Duration) -> bool {
        let end = clock::now().0.saturating_add(u64::try_from(within.as_nanos()).unwrap_or(u64::MAX));
        loop {
            let view = self.view();
            let in_sync = view.partitions.values().filter(|seen| seen.replicas.contains(&node));
            if !view.fenced.contains(&node) && in_sync.into_iter().all(|seen| seen.isr.contains(&node)) {
                return true;
            }
            if clock::now().0 >= end {
                return false;
            }
            std::thread::park_timeout(EVERY);
        }
    }

    /// Whom a fault keeps from the news.
    pub(super) fn set_hit(&self, hit: BTreeSet<NodeId>) {
        lock(&self.known).hit = hit;
    }
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stops.clear();
        for thread in self.threads.drain(..) {
            // It only asks; there is nothing to hear of a panic.
            let _ = thread.join();
        }
    }
}

fn ask<T>(
    connection: &mut Option<Box<dyn Stream>>,
    address: &str,
    security: &Security,
    question: &[u8],
    answer: fn(&mut BytesMut) -> Result<Option<T>, FrameError>,
) -> io::Result<T> {
    let stream = match connection {
        Some(stream) => stream,
        None => {
            // Its certificate has the name that it is reached by.
            let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
            connection.insert(security.secure(connect(address)?, host)?)
        }
    };
    stream.write_all(question)?;
    stream.flush()?;
    read_answer(stream.as_mut(), answer)
}

/// Asks a broker once.
///
/// # Errors
/// If it cannot be reached, does not let us in, or answers nothing sensible.
pub(super) fn ask_once(topic: &str, address: &str, security: &Security) -> io::Result<()> {
    let question = metadata::question(topic).map_err(io::Error::other)?;
    ask(&mut None, address, security, &question, metadata::answer).map(drop)
}

fn connect(address: &str) -> io::Result<TcpStream> {
    let address = address.to_socket_addrs()?.next().ok_or(io::ErrorKind::NotFound)?;
    let stream = TcpStream::connect_timeout(&address, ANSWER)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.set_write_timeout(Some(ANSWER))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use wire::metadata::BelievedPartition;

    use super::*;

    fn believed(leader: i32, epoch: i32, isr: &[i32], brokers: &[i32]) -> Believed {
        let partition = BelievedPartition {
            partition: 0,
            leader: Some(leader),
            epoch,
            isr: isr.to_vec(),
            replicas: vec![1, 2, 3],
        };
        Believed { brokers: brokers.to_vec(), partitions: vec![partition] }
    }

    const NODES: [NodeId; 3] = [NodeId(1), NodeId(2), NodeId(3)];

    #[test]
    fn the_highest_epoch_wins_whoever_tells() {
        let mut known = Known::default();
        known.hear(NodeId(1), &NODES, &believed(1, 4, &[1, 2, 3], &[1, 2, 3]), Nanos(1));
        known.hear(NodeId(2), &NODES, &believed(2, 5, &[2, 3], &[2, 3]), Nanos(2));
        // The old leader has not heard of it.
        known.hear(NodeId(1), &NODES, &believed(1, 4, &[1, 2, 3], &[1, 2, 3]), Nanos(3));
        let view = &known.partitions[&Partition(0)];
        assert_eq!((view.leader, view.epoch), (Some(NodeId(2)), 5));
        assert!(known.fenced.contains(&NodeId(1)), "who is behind does not say that it is back");
        assert_eq!(known.notes.len(), 3, "two states of the partition, one fencing");
    }

    #[test]
    fn a_coordinator_that_is_cut_off_does_not_name_itself_again() {
        let mut known = Known::default();
        known.hear_coordinator(NodeId(2), Some(NodeId(1)), Nanos(1));
        known.hit.insert(NodeId(1));
        known.hear_coordinator(NodeId(2), Some(NodeId(3)), Nanos(2));
        known.hear_coordinator(NodeId(1), Some(NodeId(1)), Nanos(3));
        known.hear_coordinator(NodeId(3), Some(NodeId(1)), Nanos(4));
        known.hear_coordinator(NodeId(3), None, Nanos(5));
        assert_eq!((known.coordinator, known.notes.len()), (Some(NodeId(3)), 2));
    }

    #[test]
    fn a_broker_that_is_cut_off_does_not_change_a_state_of_the_same_epoch() {
        let mut known = Known::default();
        known.hear(NodeId(2), &NODES, &believed(1, 4, &[1], &[1, 2, 3]), Nanos(1));
        known.hit.insert(NodeId(3));
        known.hear(NodeId(3), &NODES, &believed(1, 4, &[1, 2, 3], &[1, 2, 3]), Nanos(2));
        assert_eq!(known.partitions[&Partition(0)].isr, [NodeId(1)]);
        known.hit.clear();
        known.hear(NodeId(3), &NODES, &believed(1, 4, &[1, 2, 3], &[1, 2, 3]), Nanos(3));
        assert_eq!(known.partitions[&Partition(0)].isr.len(), 3);
    }
}
