//! The hosts of a cluster file, to be broken through [`nemesis::Cluster`]: every verb is a fault with its undo
//! on record, here and on the host, before it is in force.

use std::collections::BTreeSet;
use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use history::{ClockReading, Manner, Nanos, NodeId, Note, Partition, clock};
use nemesis::host::{Direction, HostFault, HostSpec, minority, running_script};
use nemesis::journal::{self, Applied, Entry, FaultOrder, Journal, JournalError, OperateError};
use nemesis::node::{Node, NodeError, Request};
use nemesis::{Affliction, Cluster, FaultError, Impairment, Link, Touched};

use super::afflictions;
use super::clock as host_clock;
use super::cuts::{self, HostCut};
use super::impairments;
use super::lease::{Lease, Leased};
use super::logs;
use super::watch::{Watch, ask_once};
use crate::nodes::{ClusterFile, ClusterFileError, each};
use crate::secure::Security;
use crate::view::ClusterView;

/// How long a look at a process may take.
const LOOK: Duration = Duration::from_secs(15);

/// What breaking hosts needs to know.
#[derive(Debug)]
pub struct HostsOptions<'a> {
    /// The hosts.
    pub file: &'a ClusterFile,
    /// Where faults are put on record here.
    pub journal: Journal,
    /// Tags what is made on hosts: letters and digits, at most 15, nobody else's.
    pub tag: String,
    /// A host heals itself after so many seconds without news of us.
    pub lease_s: u32,
    /// The topic whose leaders are followed.
    pub topic: String,
    /// The consumer group whose coordinator is followed, if the run has one.
    pub group: Option<String>,
    /// More than a minority may be down at once.
    pub quorum_loss: bool,
    /// How the brokers are asked who leads, at their addresses and ports.
    pub security: Security,
}

/// Hosts cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HostsError {
    /// Their file.
    #[error(transparent)]
    File(#[from] ClusterFileError),
    /// One of them.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The record of faults.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A fault may be in force.
    #[error("`{fault}` is still on record for host `{host}` (`highwater nemesis undo --all --cluster {file}`)", file = file.display())]
    Open {
        /// The fault's kind.
        fault: String,
        /// Where.
        host: String,
        /// The cluster file.
        file: PathBuf,
    },
    /// A broker is down or stopped.
    #[error("broker {node} on host `{host}` does not run (start it first)")]
    Down {
        /// Which.
        node: NodeId,
        /// Where.
        host: String,
    },
    /// A broker does not tell who leads.
    #[error(
        "failed to ask broker `{address}` who leads (its certificate must name the node's `address`, and `broker_port` be a port for clients)"
    )]
    Asked {
        /// Where it was asked.
        address: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No thread.
    #[error("failed to follow the cluster")]
    Watch(#[source] io::Error),
}

/// How long a broker may take from its start until it serves.
const SERVES: Duration = Duration::from_secs(90);

/// How long a broker that came back may take to be in sync before its disk becomes a stale one all the same.
const CAUGHT_UP: Duration = Duration::from_secs(10);

struct Host {
    spec: HostSpec,
    node: Arc<dyn Node>,
    /// How long its logs were.
    lengths: Vec<u64>,
    /// What its clock showed then, if it has such a one.
    clock: Option<ClockReading>,
    open: Arc<AtomicU64>,
}

/// Why a fault is in force, which is what ends it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Why {
    Down,
    Paused,
    Cut(Vec<Link>),
    Ill(Affliction),
}

/// A fault that may be in force.
struct Open {
    entry: Entry,
    why: Why,
    in_force: bool,
    /// Bytes that were lost or touched when it was applied.
    bytes: u64,
}

/// What a host told of a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    By(String),
    Seen(String),
}

/// The hosts of a cluster file. Dropping it undoes what is in force, as far as hosts can be reached; the rest
/// they undo themselves.
pub struct HostCluster {
    hosts: Vec<Host>,
    journal: Journal,
    file: PathBuf,
    tag: String,
    lease_s: u32,
    quorum_loss: bool,
    open: Vec<Open>,
    count: u32,
    topic: String,
    /// How faults were carried out and what was seen of them, by node, since anybody asked.
    words: Vec<(NodeId, Word)>,
    watch: Watch,
    _lease: Lease,
}

impl HostCluster {
    /// Connects to every host, makes sure that nothing is broken already, and follows the topic.
    ///
    /// # Errors
    /// If a host cannot be reached, its broker does not run, or a fault is on record here or there.
    pub fn connect(options: HostsOptions<'_>) -> Result<Self, HostsError> {
        let HostsOptions { file, journal, tag, lease_s, topic, group, quorum_loss, security } = options;
        if let Some(entry) = journal.entries()?.into_iter().find(|entry| entry.cluster_file == file.path) {
            let Entry { fault, host, .. } = entry;
            return Err(HostsError::Open { fault, host, file: file.path.clone() });
        }
        let specs = file.hosts()?;
        let connected = each(&specs, |spec| connect(file, spec));
        let mut hosts = Vec::new();
        for (spec, node) in specs.into_iter().zip(connected) {
            let node = node?;
            let lengths = logs::lengths(node.as_ref(), &spec)?;
            let clock = host_clock::read(node.as_ref())?;
            hosts.push(Host { spec, node, lengths, clock, open: Arc::default() });
        }
        let brokers: Vec<_> = hosts.iter().map(|host| (host.spec.node, address(&host.spec))).collect();
        let leased = hosts.iter().map(|host| Leased {
            node: Arc::clone(&host.node),
            state_dir: host.spec.state_dir.clone(),
            open: Arc::clone(&host.open),
        });
        let lease = Lease::start(leased.collect(), tag.clone(), lease_s).map_err(HostsError::Watch)?;
        if !security.is_plain() {
            // Names and passwords can be wrong; who hears nothing would break leaders that are none.
            let asked = each(&brokers, |(_, address)| ask_once(&topic, address, &security));
            for ((_, address), asked) in brokers.iter().zip(asked) {
                asked.map_err(|source| HostsError::Asked { address: address.clone(), source })?;
            }
        }
        let watch = Watch::start(&topic, group.as_deref(), &brokers, &security).map_err(HostsError::Watch)?;
        let (file, open) = (file.path.clone(), Vec::new());
        let (count, words) = (0, Vec::new());
        Ok(Self {
            hosts,
            journal,
            file,
            tag,
            lease_s,
            quorum_loss,
            open,
            count,
            topic,
            words,
            watch,
            _lease: lease,
        })
    }

    /// What happened since the last call, for the history, with its time.
    #[must_use]
    pub fn events(&self) -> Vec<(Nanos, Note)> {
        self.watch.take_notes()
    }

    /// The cluster as its brokers last told.
    #[must_use]
    pub fn cluster_view(&self) -> ClusterView {
        self.watch.view()
    }

    /// Whether every partition of the topic has a leader and all its replicas in sync.
    #[must_use]
    pub fn isr_full(&self) -> bool {
        self.cluster_view().isr_full()
    }

    /// Writes what the brokers have written to their logs since they were connected to, to `node-ID.log` in `dir`,
    /// and how their hosts' clocks went, to `node-ID.clock.json`; a complaint for each host that could not be asked.
    #[must_use]
    pub fn keep_logs(&self, dir: &Path) -> Vec<String> {
        let kept = each(&self.hosts, |host| {
            logs::keep(host.node.as_ref(), &host.spec, &host.lengths, host.clock, dir)
        });
        kept.into_iter().filter_map(Result::err).collect()
    }

    /// Undoes everything that is in force.
    ///
    /// # Errors
    /// If something may still be.
    pub fn undo_all(&mut self) -> Result<Touched, FaultError> {
        self.undo(|_| true)
    }

    fn host(&self, node: NodeId) -> Result<&Host, FaultError> {
        self.hosts.iter().find(|host| host.spec.node == node).ok_or(FaultError::NoNode(node))
    }

    /// Applies faults, a thread a host. What may be in force afterwards is kept, whatever went wrong.
    fn apply(&mut self, faults: Vec<(NodeId, HostFault, Why)>) -> Result<(), FaultError> {
        self.spare_majority(&faults)?;
        self.count += 1;
        let (count, tag) = (self.count, &self.tag);
        let order = |(node, fault, why)| {
            let host = self.host(node)?;
            if !host.spec.breakable {
                let source = io::Error::other("its cluster file does not call it breakable");
                return Err(FaultError::Target { action: "break", what: name(&host.spec), source });
            }
            Ok((host, fault, why, format!("{tag}c{count}n{node}")))
        };
        let orders = faults.into_iter().map(order).collect::<Result<Vec<_>, _>>()?;
        let (journal, file, lease_s) = (&self.journal, &self.file, self.lease_s);
        let applied = each(&orders, |(host, fault, _, id)| {
            let spec = &host.spec;
            // A lease may have to be renewed before all of this is in force.
            host.open.fetch_add(1, Ordering::Relaxed);
            let order = FaultOrder { id, fault, spec, lease_s, cluster_file: file };
            let applied = journal::apply(host.node.as_ref(), journal, &order)?;
            Ok::<_, OperateError>((applied, journal::in_force(host.node.as_ref(), &order)?))
        });
        let mut first_error = None;
        let (mut found, mut words) = (Vec::new(), Vec::new());
        for ((host, fault, why, id), applied) in orders.into_iter().zip(applied) {
            let (bytes, in_force) = applied
                .as_ref()
                .map_or((0, false), |(applied, force)| (applied.lost_bytes + applied.bytes, *force));
            if let Ok((Applied { by: Some(by), .. }, _)) = &applied {
                words.push((host.spec.node, Word::By(by.clone())));
            }
            let entries = self.journal.entries().map_err(|error| failed("break", name(&host.spec), error))?;
            match entries.into_iter().find(|entry| entry.id == id) {
                Some(entry) => found.push(Open { entry, why: why.clone(), in_force, bytes }),
                None => drop(host.open.fetch_sub(1, Ordering::Relaxed)),
            }
            if let Err(error) = applied {
                first_error.get_or_insert(failed(verb(&fault, &why), name(&host.spec), error));
            }
        }
        self.open.extend(found);
        self.words.extend(words);
        self.tell_watch();
        first_error.map_or(Ok(()), Err)
    }

    /// Refuses to take down more than a minority at once, unless that was asked for.
    fn spare_majority(&self, faults: &[(NodeId, HostFault, Why)]) -> Result<(), FaultError> {
        let takes_down = |why: &Why| match why {
            Why::Down | Why::Paused => true,
            Why::Ill(affliction) => affliction.takes_down(),
            Why::Cut(_) => false,
        };
        let open = self.open.iter().filter(|open| takes_down(&open.why)).map(|open| open.entry.node);
        let new = faults.iter().filter(|(_, _, why)| takes_down(why)).map(|(node, _, _)| *node);
        let down: BTreeSet<_> = open.chain(new).collect();
        if self.quorum_loss || down.len() <= minority(self.hosts.len()) {
            return Ok(());
        }
        let source =
            io::Error::other("more than a minority would be down (add --allow-quorum-loss if that is meant)");
        let what = format!("{} of {} brokers at once", down.len(), self.hosts.len());
        Err(FaultError::Target { action: "take down", what, source })
    }

    /// Undoes what `is` says, a thread a host, and tells what it touched.
    fn undo(&mut self, is: impl Fn(&Open) -> bool) -> Result<Touched, FaultError> {
        let (ending, staying): (Vec<_>, Vec<_>) = std::mem::take(&mut self.open).into_iter().partition(is);
        self.open = staying;
        let undone = each(&ending, |open| {
            let host = self
                .host(open.entry.node)
                .map_err(|error| Box::new(error) as Box<dyn Error + Send + Sync>)?;
            let applied = journal::undo(host.node.as_ref(), &self.journal, &open.entry)?;
            host.open.fetch_sub(1, Ordering::Relaxed);
            Ok::<Applied, Box<dyn Error + Send + Sync>>(applied)
        });
        let mut touched = Touched::default();
        let mut first_error = None;
        for (open, undone) in ending.into_iter().zip(undone) {
            match undone {
                Ok(applied) => {
                    touched.bytes += open.bytes + applied.lost_bytes + applied.bytes;
                    touched.connections += applied.packets;
                    let node = open.entry.node;
                    self.words.extend(applied.seen.into_iter().map(|seen| (node, Word::Seen(seen))));
                }
                Err(source) => {
                    let what = format!("`{}` on host `{}`", open.entry.fault, open.entry.host);
                    first_error.get_or_insert(failed("undo", what, source));
                    self.open.push(open);
                }
            }
        }
        self.tell_watch();
        first_error.map_or(Ok(touched), Err)
    }

    /// Drops what these links carry, in the direction that `which` names for each host.
    fn cut_off(
        &mut self,
        links: &[Link],
        reset: bool,
        which: impl Fn(&HostCut) -> Option<Direction>,
    ) -> Result<(), FaultError> {
        let specs: Vec<_> = self.hosts.iter().map(|host| host.spec.clone()).collect();
        let mut faults = Vec::new();
        for cut in cuts::spread(&specs, links)? {
            let direction = which(&cut).ok_or(FaultError::Unsupported {
                target: "a cluster of hosts",
                action: "hold back different directions of one host at once",
            })?;
            let fault = HostFault::Cut { peers: cut.peers, direction, reset };
            faults.push((cut.node, fault, Why::Cut(cut.links)));
        }
        self.apply(faults)
    }

    /// Waits until brokers that were started serve.
    fn await_serving(&self, nodes: &[NodeId], since: Nanos) -> Result<(), FaultError> {
        for node in nodes {
            if !self.watch.wait_serving(*node, since, SERVES) {
                let source = io::Error::other(format!("it does not serve within {} s", SERVES.as_secs()));
                let what = name(&self.host(*node)?.spec);
                return Err(FaultError::Target { action: "start", what, source });
            }
        }
        Ok(())
    }

    /// Whom a fault keeps from the news of the controller.
    fn tell_watch(&self) {
        // A broker whose disk or clock is wrong hears the news, and one that came back tells that it serves.
        let kept = |open: &&Open| !matches!(open.why, Why::Ill(_));
        let hit: BTreeSet<_> = self.open.iter().filter(kept).map(|open| open.entry.node).collect();
        self.watch.set_hit(hit);
    }

    /// The same fault for each of these nodes that has it not already.
    fn all(&self, nodes: &[NodeId], fault: &HostFault, why: &Why) -> Vec<(NodeId, HostFault, Why)> {
        let has = |node: NodeId| self.open.iter().any(|open| open.entry.node == node && open.why == *why);
        nodes.iter().filter(|node| !has(**node)).map(|node| (*node, fault.clone(), why.clone())).collect()
    }
}

/// Connects to a host that nothing is broken on and whose broker runs.
fn connect(file: &ClusterFile, spec: &HostSpec) -> Result<Arc<dyn Node>, HostsError> {
    let node = file.connect(spec.node)?;
    if let Some((_, fault)) = journal::open_on(node.as_ref(), &spec.state_dir)?.into_iter().next() {
        return Err(HostsError::Open { fault, host: spec.host.clone(), file: file.path.clone() });
    }
    if !runs(node.as_ref(), spec)? {
        return Err(HostsError::Down { node: spec.node, host: spec.host.clone() });
    }
    Ok(node)
}

fn runs(node: &dyn Node, spec: &HostSpec) -> Result<bool, NodeError> {
    let script = running_script(spec);
    let look = Request { what: "look for the broker", script: &script, stdin: &[], within: LOOK, root: true };
    Ok(node.run(&look)?.code == 0)
}

fn address(spec: &HostSpec) -> String {
    format!("{}:{}", spec.address, spec.broker_port)
}

fn name(spec: &HostSpec) -> String {
    format!("broker {} on host `{}`", spec.node, spec.host)
}

const fn verb(fault: &HostFault, why: &Why) -> &'static str {
    match (why, fault) {
        (Why::Ill(affliction), _) => affliction.verb(),
        (_, HostFault::Kill) => "kill",
        (_, HostFault::Stop) => "stop",
        (_, HostFault::Pause) => "pause",
        (_, HostFault::PowerFailure) => "cut the power of",
        (_, HostFault::Cut { .. }) => "cut off",
        _ => "impair the links of",
    }
}

fn failed(action: &'static str, what: String, source: impl Into<Box<dyn Error + Send + Sync>>) -> FaultError {
    FaultError::Target { action, what, source: io::Error::other(source) }
}

/// A link that is cut is one whose packets are dropped, or answered by a reset, on a host at one of its ends.
impl Cluster for HostCluster {
    fn nodes(&self) -> Vec<NodeId> {
        self.hosts.iter().map(|host| host.spec.node).collect()
    }

    fn leader(&self, partition: Partition) -> Option<NodeId> {
        self.cluster_view().partitions.get(&partition)?.leader
    }

    fn coordinator(&self) -> Option<NodeId> {
        self.watch.coordinator()
    }

    fn partitions(&self) -> Vec<Partition> {
        self.cluster_view().partitions.into_keys().collect()
    }

    fn kill(&mut self, nodes: &[NodeId]) -> Result<(), FaultError> {
        self.apply(self.all(nodes, &HostFault::Kill, &Why::Down))
    }

    fn power_off(&mut self, nodes: &[NodeId], torn: bool) -> Result<(), FaultError> {
        if torn {
            return Err(FaultError::Unsupported {
                target: "a cluster of hosts",
                action: "tear the last write: its file system decides what was on the disk",
            });
        }
        self.apply(self.all(nodes, &HostFault::PowerFailure, &Why::Down))
    }

    /// Returns when the brokers serve again: until then they are as good as dead.
    fn start(&mut self, nodes: &[NodeId]) -> Result<Touched, FaultError> {
        let began = clock::now();
        let down = |open: &&Open| open.why == Why::Down && nodes.contains(&open.entry.node);
        let starting: Vec<_> = self.open.iter().filter(down).map(|open| open.entry.node).collect();
        let touched = self.undo(|open| down(&open))?;
        self.await_serving(&starting, began)?;
        Ok(touched)
    }

    fn pause(&mut self, nodes: &[NodeId]) -> Result<(), FaultError> {
        self.apply(self.all(nodes, &HostFault::Pause, &Why::Paused))
    }

    fn resume(&mut self, nodes: &[NodeId]) -> Result<(), FaultError> {
        self.undo(|open| open.why == Why::Paused && nodes.contains(&open.entry.node)).map(drop)
    }

    /// One after the other, so that each hands over what it leads.
    fn stop(&mut self, nodes: &[NodeId]) -> Result<(), FaultError> {
        nodes.iter().try_for_each(|node| self.apply(self.all(&[*node], &HostFault::Stop, &Why::Down)))
    }

    fn await_in_sync(&mut self, node: NodeId, within: Duration) -> Result<bool, FaultError> {
        self.host(node)?;
        Ok(self.watch.wait_in_sync(node, within))
    }

    fn impair(&mut self, links: &[Link], impairment: Impairment) -> Result<(), FaultError> {
        if let Impairment::Hold(held) = impairment {
            return self.cut_off(links, false, |cut| cuts::direction(cut, held));
        }
        let specs: Vec<_> = self.hosts.iter().map(|host| host.spec.clone()).collect();
        let faults = impairments::faults(&specs, links, impairment)?;
        self.apply(faults.into_iter().map(|(cut, fault)| (cut.node, fault, Why::Cut(cut.links))).collect())
    }

    fn is_running(&self, node: NodeId) -> bool {
        self.host(node).is_ok_and(|host| runs(host.node.as_ref(), &host.spec).unwrap_or(false))
    }

    fn cut(&mut self, links: &[Link], manner: Manner) -> Result<(), FaultError> {
        self.cut_off(links, manner == Manner::Reset, |_| Some(Direction::Both))
    }

    fn heal(&mut self, links: &[Link]) -> Result<Touched, FaultError> {
        self.undo(|open| matches!(&open.why, Why::Cut(cut) if cut.iter().all(|link| links.contains(link))))
    }

    fn is_cut(&self, link: Link) -> bool {
        self.open
            .iter()
            .any(|open| open.in_force && matches!(&open.why, Why::Cut(cut) if cut.contains(&link)))
    }

    /// Returns when brokers serve again that were down for a moment of it.
    fn afflict(&mut self, nodes: &[NodeId], affliction: &Affliction) -> Result<(), FaultError> {
        let why = Why::Ill(affliction.clone());
        self.apply(self.all(nodes, &afflictions::fault(affliction, &self.topic), &why))?;
        // Whoever answers from now on is the new process.
        let since = clock::now();
        if afflictions::comes_back(affliction) { self.await_serving(nodes, since) } else { Ok(()) }
    }

    /// Returns when brokers serve again that it took down. A stale disk becomes one now.
    fn relieve(&mut self, nodes: &[NodeId], affliction: &Affliction) -> Result<Touched, FaultError> {
        let why = Why::Ill(affliction.clone());
        let of_it = |open: &Open| open.why == why && nodes.contains(&open.entry.node);
        let ill: Vec<_> = self
            .open
            .iter()
            .filter(|open| of_it(open))
            .map(|open| (open.entry.node, open.in_force))
            .collect();
        let last = afflictions::last_act(affliction);
        let acted = last.map_or(Ok(()), |last| {
            // Who has not caught up with what was written meanwhile has nothing to lose yet.
            for (node, _) in &ill {
                self.watch.wait_in_sync(*node, CAUGHT_UP);
            }
            let act =
                |(node, in_force): &(NodeId, bool)| in_force.then(|| (*node, last.clone(), why.clone()));
            self.apply(ill.iter().filter_map(act).collect())
        });
        let touched = self.undo(of_it)?;
        let since = clock::now();
        acted?;
        let down: Vec<_> = ill.iter().filter(|_| affliction.takes_down()).map(|(node, _)| *node).collect();
        self.await_serving(&down, since)?;
        Ok(touched)
    }

    fn is_afflicted(&self, node: NodeId, affliction: &Affliction) -> bool {
        let is = |open: &Open| open.entry.node == node && open.in_force;
        self.open.iter().any(|open| is(open) && matches!(&open.why, Why::Ill(what) if what == affliction))
    }

    fn take_words(&mut self) -> Vec<String> {
        let mut alike: Vec<(String, Vec<NodeId>)> = Vec::new();
        let mut seen = Vec::new();
        for (node, word) in std::mem::take(&mut self.words) {
            match word {
                Word::Seen(text) => seen.push(format!("node {node}: {text}")),
                Word::By(text) => match alike.iter_mut().find(|(other, _)| *other == text) {
                    Some((_, nodes)) => nodes.push(node),
                    None => alike.push((text, vec![node])),
                },
            }
        }
        let told = alike.into_iter().map(|(text, nodes)| {
            let s = if nodes.len() == 1 { "" } else { "s" };
            let nodes: Vec<_> = nodes.iter().map(ToString::to_string).collect();
            format!("{text} on node{s} {}", nodes.join(" and "))
        });
        told.chain(seen).collect()
    }
}

impl Drop for HostCluster {
    fn drop(&mut self) {
        // Whoever cares undoes before, and hears of errors; hosts that cannot be reached heal themselves.
        let _ = self.undo_all();
    }
}
