//! The links of a cluster and who connects over them.

use history::NodeId;
use nemesis::{End, Link};

use crate::reference::member::Member;
use crate::reference::options::Proxied;

/// Every link of a cluster of these brokers: clients, other brokers and each broker's own to the controller.
pub(super) fn all(nodes: &[NodeId]) -> Vec<Link> {
    let mut links = Vec::new();
    links.extend(into(Member::Controller, nodes));
    for &node in nodes {
        links.extend(into(Member::Node(node), nodes));
    }
    links
}

/// Whether a link runs through the proxy.
pub(super) fn is_proxied(link: Link, proxied: Proxied) -> bool {
    match proxied {
        Proxied::Nothing => false,
        Proxied::Nodes => link.from != End::Clients,
        Proxied::Everything => true,
    }
}

/// The links that lead to a member.
pub(super) fn into(member: Member, nodes: &[NodeId]) -> Vec<Link> {
    match member {
        Member::Controller => {
            nodes.iter().map(|&node| Link { from: End::Node(node), to: End::Controller }).collect()
        }
        Member::Node(to) => {
            let peers = nodes.iter().filter(|&&peer| peer != to).map(|&peer| End::Node(peer));
            std::iter::once(End::Clients).chain(peers).map(|from| Link { from, to: End::Node(to) }).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_brokers_have_twelve_links() {
        let links = all(&[NodeId(1), NodeId(2), NodeId(3)]);
        assert_eq!(links.len(), 3 + 3 + 6);
        assert!(links.iter().all(|link| link.from != link.to));
        let through = |proxied| links.iter().filter(|link| is_proxied(**link, proxied)).count();
        assert_eq!([Proxied::Nothing, Proxied::Nodes, Proxied::Everything].map(through), [0, 9, 12]);
    }
}
