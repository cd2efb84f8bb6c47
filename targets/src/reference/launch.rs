//! Turns a member of the cluster into a process: its spec, its addresses, and the wait until it is up.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use history::NodeId;
use nemesis::{End, Link};
use wire::node::{BrokerSpec, ControllerSpec, NodeSpec};

use crate::process::{Child, ChildLine, ChildSpec, Supervisor};
use crate::proxy::LinkProxy;
use crate::reference::error::ClusterError;
use crate::reference::links;
use crate::reference::member::Member;
use crate::reference::options::ClusterOptions;
use crate::reference::watch::{MemberState, Watch};

/// Any free port of the loopback interface.
const ANY_PORT: u16 = 0;

/// What it takes to start a member, now or again.
pub(super) struct Launcher {
    pub(super) options: ClusterOptions,
    pub(super) nodes: Vec<NodeId>,
    pub(super) supervisor: Supervisor,
    pub(super) proxy: Option<Arc<LinkProxy>>,
    pub(super) watch: Arc<Watch>,
    pub(super) lines: Sender<ChildLine>,
}

impl Launcher {
    /// Spawns a member; it may not listen yet when this returns. A broker is given the port it had before,
    /// if any, and the port of the controller.
    pub(super) fn spawn(
        &self,
        member: Member,
        port: Option<u16>,
        controller: Option<u16>,
    ) -> Result<Child, ClusterError> {
        let data = member.data(&self.options.data);
        std::fs::create_dir_all(&data)
            .map_err(|source| ClusterError::Folder { path: data.clone(), source })?;
        let parent = std::process::id();
        let listen = loopback(port.unwrap_or(ANY_PORT));
        let (settings, flaw) = (self.options.settings.clone(), self.options.flaw.clone());
        let spec = match member {
            Member::Controller => {
                NodeSpec::Controller(ControllerSpec { parent, data, listen, settings, flaw })
            }
            Member::Node(node) => NodeSpec::Broker(BrokerSpec {
                parent,
                node_id: node.0,
                data,
                listen,
                advertised: self.via_proxy(End::Clients, End::Node(node))?,
                peers: self.peers(node)?,
                controller: self
                    .via_proxy(End::Node(node), End::Controller)?
                    .unwrap_or_else(|| loopback(controller.unwrap_or(ANY_PORT))),
                settings,
                flaw,
            }),
        };
        self.watch.known().starting(member);
        let child = ChildSpec {
            name: member.slug(),
            program: self.options.program.clone(),
            args: self.options.args.clone(),
            // A spec is plain data, which always has a JSON form.
            first_line: serde_json::to_string(&spec).unwrap_or_default(),
            log: member.log(&self.options.logs),
        };
        let spawned = self.supervisor.spawn(child, self.lines.clone());
        spawned.map_err(|source| ClusterError::Spawn { node: member.to_string(), source })
    }

    /// Waits until a member is what `reached` looks for.
    pub(super) fn wait(
        &self,
        member: Member,
        within: Duration,
        state: &'static str,
        reached: impl Fn(&MemberState) -> bool,
    ) -> Result<(), ClusterError> {
        self.watch.wait(within, |known| {
            known.members.get(&member).is_some_and(|found| found.ended.is_some() || reached(found))
        });
        let found = self.watch.known().member(member).clone();
        let (node, log) = (member.to_string(), member.log(&self.options.logs));
        match found.ended {
            Some(how) => Err(ClusterError::Died { node, how, log }),
            None if reached(&found) => Ok(()),
            None => {
                let within_ms = u64::try_from(self.options.start_within.as_millis()).unwrap_or(u64::MAX);
                Err(ClusterError::Late { node, state, within_ms, log })
            }
        }
    }

    /// The proxy's address of a link; `None` if the link runs without proxy.
    pub(super) fn via_proxy(&self, from: End, to: End) -> Result<Option<SocketAddr>, ClusterError> {
        let link = Link { from, to };
        let proxy = self.proxy.as_ref().filter(|_| links::is_proxied(link, self.options.proxied));
        Ok(proxy.map(|proxy| proxy.listen(link)).transpose()?)
    }

    fn peers(&self, node: NodeId) -> Result<BTreeMap<i32, SocketAddr>, ClusterError> {
        let mut peers = BTreeMap::new();
        for &peer in self.nodes.iter().filter(|&&peer| peer != node) {
            if let Some(address) = self.via_proxy(End::Node(node), End::Node(peer))? {
                peers.insert(peer.0, address);
            }
        }
        Ok(peers)
    }
}

pub(super) fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
