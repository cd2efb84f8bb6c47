//! Which host drops what, so that links are cut: the fewest hosts that together are an end of every link.

use std::collections::BTreeMap;

use history::NodeId;
use nemesis::host::{Direction, HostSpec, Peer};
use nemesis::{End, FaultError, Link};

/// The links that one host cuts, and what it has to drop for that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HostCut {
    pub(super) node: NodeId,
    pub(super) links: Vec<Link>,
    pub(super) peers: Vec<Peer>,
}

/// Spreads links over hosts that may be broken.
///
/// # Errors
/// If a link has no end that may be broken, or ends at a client.
pub(super) fn spread(hosts: &[HostSpec], links: &[Link]) -> Result<Vec<HostCut>, FaultError> {
    let mut left = links.to_vec();
    let mut cuts = Vec::new();
    while !left.is_empty() {
        let may = |host: &&HostSpec| host.breakable;
        let count = |node: NodeId| left.iter().filter(|link| touches(link, node)).count();
        // Of several the one with the lowest id: nothing is left to chance.
        let busiest = hosts.iter().filter(may).rev().max_by_key(|host| count(host.node));
        let Some(host) = busiest.filter(|host| count(host.node) > 0) else {
            return Err(FaultError::Unsupported {
                target: "a cluster of hosts",
                action: "cut links between hosts that may not be broken",
            });
        };
        let (mine, others): (Vec<_>, Vec<_>) = left.into_iter().partition(|link| touches(link, host.node));
        cuts.push(HostCut { node: host.node, peers: peers(hosts, host, &mine)?, links: mine });
        left = others;
    }
    Ok(cuts)
}

/// The same links at every host that is an end of them.
///
/// # Errors
/// If one of these may not be broken, or a link ends at a client.
pub(super) fn both_ends(hosts: &[HostSpec], links: &[Link]) -> Result<Vec<HostCut>, FaultError> {
    let mut cuts = Vec::new();
    for host in hosts {
        let mine: Vec<_> = links.iter().filter(|link| touches(link, host.node)).copied().collect();
        if mine.is_empty() {
            continue;
        }
        if !host.breakable {
            return Err(FaultError::Unsupported {
                target: "a cluster of hosts",
                action: "impair links of hosts that may not be broken",
            });
        }
        cuts.push(HostCut { node: host.node, peers: peers(hosts, host, &mine)?, links: mine });
    }
    Ok(cuts)
}

/// What a host has to drop so that one direction of these links is held back; `None` if that would be both, for
/// different links.
pub(super) fn direction(cut: &HostCut, held: nemesis::Direction) -> Option<Direction> {
    let of = |link: &Link| {
        let said = if link.from == End::Node(cut.node) {
            nemesis::Direction::Requests
        } else {
            nemesis::Direction::Answers
        };
        if held == said { Direction::Out } else { Direction::In }
    };
    let mut all = cut.links.iter().map(of);
    let first = all.next()?;
    all.all(|direction| direction == first).then_some(first)
}

fn touches(link: &Link, node: NodeId) -> bool {
    link.from == End::Node(node) || link.to == End::Node(node)
}

/// What `host` drops to cut these links, each of which it is an end of.
fn peers(hosts: &[HostSpec], host: &HostSpec, links: &[Link]) -> Result<Vec<Peer>, FaultError> {
    let mut ports: BTreeMap<NodeId, (Vec<u16>, Vec<u16>)> = BTreeMap::new();
    let others = || hosts.iter().filter(|other| other.node != host.node);
    for link in links {
        match (link.from, link.to) {
            // Every host may be the active controller next, so it is cut off from all of them, both ways: they
            // ask each other for the log of the metadata.
            (End::Node(_), End::Controller) | (End::Controller, End::Node(_)) => {
                for other in others() {
                    let (here, there) = ports.entry(other.node).or_default();
                    here.extend(host.controller_port);
                    there.extend(other.controller_port);
                }
            }
            (End::Node(from), End::Node(to)) if from == host.node => {
                let other = others().find(|other| other.node == to).ok_or(FaultError::NoNode(to))?;
                ports.entry(to).or_default().1.push(other.broker_port);
            }
            (End::Node(from), End::Node(_)) => ports.entry(from).or_default().0.push(host.broker_port),
            _ => {
                return Err(FaultError::Unsupported {
                    target: "a cluster of hosts",
                    action: "cut links of clients",
                });
            }
        }
    }
    let peer = |(node, (here, there)): (NodeId, (Vec<u16>, Vec<u16>))| {
        let other = hosts.iter().find(|other| other.node == node).ok_or(FaultError::NoNode(node))?;
        Ok(Peer { address: other.address.clone(), here, there })
    };
    ports.into_iter().map(peer).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use nemesis::host::Service;

    use super::*;

    pub(in super::super) fn host(id: i32) -> HostSpec {
        HostSpec {
            node: NodeId(id),
            host: format!("b{id}"),
            address: format!("10.0.0.{id}"),
            broker_port: 9092,
            controller_port: Some(9093),
            ssh_port: 22,
            data_dir: "/data".to_owned(),
            state_dir: "/state".to_owned(),
            service: Service::Unit("kafka".to_owned()),
            logs: Vec::new(),
            faketime_file: None,
            breakable: true,
        }
    }

    pub(in super::super) fn link(from: i32, to: i32) -> Link {
        Link { from: End::Node(NodeId(from)), to: End::Node(NodeId(to)) }
    }

    #[test]
    fn a_node_cut_off_from_all_drops_both_ways_by_itself() {
        let hosts = [host(1), host(2), host(3)];
        let to_controller = Link { from: End::Node(NodeId(2)), to: End::Controller };
        let links = [to_controller, link(2, 1), link(1, 2), link(2, 3), link(3, 2)];
        let cuts = spread(&hosts, &links).unwrap();
        assert_eq!(cuts.len(), 1);
        assert_eq!(cuts[0].node, NodeId(2));
        let peer = |id: i32| Peer {
            address: format!("10.0.0.{id}"),
            here: vec![9093, 9092],
            there: vec![9093, 9092],
        };
        assert_eq!(cuts[0].peers, [peer(1), peer(3)]);
    }

    #[test]
    fn followers_that_lose_their_leader_keep_the_controller() {
        let hosts = [host(1), host(2), host(3)];
        let links = [link(2, 1), link(1, 2), link(3, 1), link(1, 3)];
        let cuts = spread(&hosts, &links).unwrap();
        assert_eq!(cuts.len(), 1, "the leader's host is an end of all of them");
        assert!(cuts[0].peers.iter().all(|peer| peer.here == [9092] && peer.there == [9092]));
    }

    #[test]
    fn what_a_host_says_on_links_that_it_opened_leaves_it_as_requests() {
        use nemesis::Direction::{Answers, Requests};
        let cut = |links: &[Link]| HostCut { node: NodeId(1), links: links.to_vec(), peers: Vec::new() };
        assert_eq!(direction(&cut(&[link(1, 2), link(1, 3)]), Requests), Some(Direction::Out));
        assert_eq!(direction(&cut(&[link(1, 2)]), Answers), Some(Direction::In));
        assert_eq!(direction(&cut(&[link(2, 1)]), Requests), Some(Direction::In));
        assert_eq!(direction(&cut(&[link(2, 1), link(1, 2)]), Requests), None);
    }

    #[test]
    fn who_may_not_be_broken_is_not() {
        let mut hosts = [host(1), host(2), host(3)];
        hosts[0].breakable = false;
        let cuts = spread(&hosts, &[link(2, 1), link(3, 1)]).unwrap();
        let nodes: Vec<_> = cuts.iter().map(|cut| cut.node.0).collect();
        assert_eq!(nodes, [2, 3]);
        hosts[1].breakable = false;
        assert!(matches!(spread(&hosts, &[link(2, 1)]), Err(FaultError::Unsupported { .. })));
    }
}
