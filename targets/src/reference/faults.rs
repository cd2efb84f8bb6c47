//! The cluster as nemeses see it: processes to kill and pause, links to cut, disks and clocks to be wrong.

use std::error::Error;
use std::io;
use std::time::Duration;

use history::{Manner, NodeId, Partition};
use nemesis::{Affliction, Cluster, End, FaultError, Impairment, Link, Touched};

use crate::process::{Child, SignalError};
use crate::proxy::LinkProxy;
use crate::reference::cluster::ReferenceCluster;
use crate::reference::links;
use crate::reference::member::Member;
use crate::reference::watch::Known;

/// How long a killed process may take to be gone.
const KILL_WITHIN: Duration = Duration::from_secs(5);

pub(super) fn failed(
    action: &'static str,
    what: impl ToString,
    source: impl Into<Box<dyn Error + Send + Sync>>,
) -> FaultError {
    FaultError::Target { action, what: what.to_string(), source: io::Error::other(source) }
}

fn name(link: Link) -> String {
    format!("the link from {} to {}", link.from, link.to)
}

impl ReferenceCluster {
    pub(super) fn known_node(&self, node: NodeId) -> Result<Member, FaultError> {
        let exists = self.launcher.nodes.contains(&node);
        exists.then_some(Member::Node(node)).ok_or(FaultError::NoNode(node))
    }

    /// The proxy, if all these links run through it.
    fn proxy_of(&self, links: &[Link], action: &'static str) -> Result<&LinkProxy, FaultError> {
        let direct = links.iter().find(|link| !links::is_proxied(**link, self.launcher.options.proxied));
        match (&self.launcher.proxy, direct) {
            (Some(proxy), None) => Ok(proxy),
            (Some(_), Some(link)) if link.from == End::Clients => Err(FaultError::Unsupported {
                target: "a cluster that is kept up",
                action: "break the links of its clients, which connect to the brokers themselves",
            }),
            _ => Err(failed(action, name(links[0]), "the cluster runs without the link proxy")),
        }
    }

    /// The process of a broker that has one, dead or alive.
    pub(super) fn process(&self, node: NodeId, action: &'static str) -> Result<&Child, FaultError> {
        let member = self.known_node(node)?;
        self.children.get(&member).ok_or_else(|| failed(action, member, "it has no process"))
    }

    /// Ends a broker's process, and waits until its last words were heard.
    pub(super) fn end_process(&mut self, node: NodeId) -> Result<(), FaultError> {
        let member = self.known_node(node)?;
        let Some(child) = self.children.get(&member) else { return Ok(()) };
        let watch = &self.launcher.watch;
        watch.known().member(member).ending = true;
        // From now on clients are refused, as by a host without that process.
        watch.route(member, None);
        self.see_end(member, "kill", child.kill(), KILL_WITHIN)
    }

    /// Asks a broker's process to end; clients reach it until it has.
    pub(super) fn end_in_order(&mut self, node: NodeId) -> Result<(), FaultError> {
        let member = self.known_node(node)?;
        let Some(child) = self.children.get(&member) else { return Ok(()) };
        self.launcher.watch.known().member(member).ending = true;
        self.see_end(member, "stop", child.terminate(), self.launcher.options.stop_within)
    }

    /// Waits until a process that was signalled is gone and its last words were heard: not before may it be
    /// started again.
    fn see_end(
        &self,
        member: Member,
        action: &'static str,
        signalled: Result<(), SignalError>,
        within: Duration,
    ) -> Result<(), FaultError> {
        match signalled {
            Ok(()) | Err(SignalError::Dead { .. }) => {}
            Err(error) => return Err(failed(action, member, error)),
        }
        let ended = |known: &Known| known.members.get(&member).is_some_and(|state| state.ended.is_some());
        let heard = self.launcher.watch.wait(within, ended);
        if heard { Ok(()) } else { Err(failed(action, member, "it does not end")) }
    }

    /// Starts a broker's process unless it runs, and returns when it listens; it may take until the session of its
    /// predecessor has expired before it is unfenced.
    pub(super) fn start_process(&mut self, node: NodeId) -> Result<(), FaultError> {
        let member = self.known_node(node)?;
        if self.children.get(&member).is_some_and(|child| child.exit_status().is_none()) {
            return Ok(());
        }
        // Buries one that died by itself before its successor's lines arrive under the same name.
        self.end_process(node)?;
        self.children.remove(&member);
        let within = self.launcher.options.start_within;
        let started = self.spawn(member).and_then(|()| self.wait_listening(member, within));
        started.map_err(|error| {
            // What does not listen is of no use to anybody; its end is no surprise.
            let _ = self.end_process(node);
            self.children.remove(&member);
            failed("start", member, error)
        })
    }

    /// Cuts the files of a dead broker back to what it had synced, and returns the bytes that are gone.
    pub(super) fn lose_unsynced(&self, node: NodeId, torn: bool) -> Result<u64, FaultError> {
        let member = self.known_node(node)?;
        if self.children.get(&member).is_some_and(|child| child.exit_status().is_none()) {
            return Err(failed("cut the power of", member, "it still runs"));
        }
        let mut half = |bytes: u64| bytes / 2;
        let tear = torn.then_some(&mut half as &mut dyn FnMut(u64) -> u64);
        let lost = wire::power::fail(&member.data(&self.launcher.options.data), tear);
        lost.map(|lost| lost.bytes).map_err(|error| failed("cut the files of", member, error))
    }
}

/// A partition is one of the topic under test. *Running* means that the operating system says so.
impl Cluster for ReferenceCluster {
    fn nodes(&self) -> Vec<NodeId> {
        self.launcher.nodes.clone()
    }

    fn leader(&self, partition: Partition) -> Option<NodeId> {
        self.cluster_view().partitions.get(&partition)?.leader
    }

    fn coordinator(&self) -> Option<NodeId> {
        self.launcher.watch.known().coordinator()
    }

    fn partitions(&self) -> Vec<Partition> {
        self.cluster_view().partitions.into_keys().collect()
    }

    fn kill(&mut self, nodes: &[NodeId]) -> Result<(), FaultError> {
        nodes.iter().try_for_each(|node| self.end_process(*node))
    }

    fn power_off(&mut self, nodes: &[NodeId], torn: bool) -> Result<(), FaultError> {
        for node in nodes {
            self.end_process(*node)?;
            self.dark.insert(*node, torn);
        }
        Ok(())
    }

    /// What lost its power loses its bytes now and not before: nobody can tell the difference, and a fault that
    /// failed half way has then cut nothing.
    fn start(&mut self, nodes: &[NodeId]) -> Result<Touched, FaultError> {
        let mut touched = Touched::default();
        for node in nodes {
            if let Some(torn) = self.dark.get(node) {
                touched.bytes += self.lose_unsynced(*node, *torn)?;
                self.dark.remove(node);
            }
        }
        nodes.iter().try_for_each(|node| self.start_process(*node))?;
        Ok(touched)
    }

    fn pause(&mut self, nodes: &[NodeId]) -> Result<(), FaultError> {
        nodes.iter().try_for_each(|&node| {
            self.process(node, "pause")?.pause().map_err(|error| failed("pause", Member::Node(node), error))
        })
    }

    fn resume(&mut self, nodes: &[NodeId]) -> Result<(), FaultError> {
        nodes.iter().try_for_each(|&node| {
            self.process(node, "resume")?
                .resume()
                .map_err(|error| failed("resume", Member::Node(node), error))
        })
    }

    fn stop(&mut self, nodes: &[NodeId]) -> Result<(), FaultError> {
        nodes.iter().try_for_each(|node| self.end_in_order(*node))
    }

    /// As the controller last told, of every topic.
    fn await_in_sync(&mut self, node: NodeId, within: Duration) -> Result<bool, FaultError> {
        self.known_node(node)?;
        Ok(self.launcher.watch.wait(within, |known| known.is_in_sync(node)))
    }

    fn is_running(&self, node: NodeId) -> bool {
        self.process(node, "look at").is_ok_and(|child| child.exit_status().is_none() && !child.is_stopped())
    }

    fn cut(&mut self, links: &[Link], manner: Manner) -> Result<(), FaultError> {
        let Some(&first) = links.first() else { return Ok(()) };
        self.proxy_of(links, "cut")?.cut(links, manner).map_err(|error| failed("cut", name(first), error))
    }

    fn impair(&mut self, links: &[Link], impairment: Impairment) -> Result<(), FaultError> {
        let Some(&first) = links.first() else { return Ok(()) };
        let proxy = self.proxy_of(links, "impair")?;
        proxy.impair(links, impairment).map_err(|error| failed("impair", name(first), error))
    }

    fn heal(&mut self, links: &[Link]) -> Result<Touched, FaultError> {
        let Some((proxy, &first)) = self.launcher.proxy.as_ref().zip(links.first()) else {
            // Without a proxy no link can be cut.
            return Ok(Touched::default());
        };
        proxy.heal(links).map_err(|error| failed("heal", name(first), error))
    }

    fn is_cut(&self, link: Link) -> bool {
        self.launcher.proxy.as_ref().is_some_and(|proxy| proxy.is_cut(link))
    }

    fn afflict(&mut self, nodes: &[NodeId], affliction: &Affliction) -> Result<(), FaultError> {
        nodes.iter().try_for_each(|node| self.make_ill(*node, affliction))
    }

    fn relieve(&mut self, nodes: &[NodeId], affliction: &Affliction) -> Result<Touched, FaultError> {
        let mut touched = Touched::default();
        for node in nodes {
            touched.bytes += self.make_well(*node, affliction)?.bytes;
        }
        Ok(touched)
    }

    fn is_afflicted(&self, node: NodeId, affliction: &Affliction) -> bool {
        self.is_ill(node, affliction)
    }

    fn take_words(&mut self) -> Vec<String> {
        std::mem::take(&mut self.words)
    }
}
