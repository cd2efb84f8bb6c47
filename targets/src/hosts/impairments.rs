//! Which host does what to its packets, so that links are late, narrow or lossy: whatever is held back is held back
//! where it leaves, so by both ends of a link; what is lost, by one of them.

use nemesis::host::{HostFault, HostSpec, Peer};
use nemesis::{FaultError, Impairment, Link};

use super::cuts::{self, HostCut};

/// Where no packet can be held back for a time, it waits for its turn on a link of so many kilobits a second: a
/// fetch of 32 KiB for half a second.
const INSTEAD_KBIT: u32 = 512;

/// The faults that together impair these links.
///
/// # Errors
/// If a link has an end that may not be broken, ends at a client, or cannot be impaired like that.
pub(super) fn faults(
    hosts: &[HostSpec],
    links: &[Link],
    impairment: Impairment,
) -> Result<Vec<(HostCut, HostFault)>, FaultError> {
    let cuts = match impairment {
        Impairment::Lose { .. } => cuts::spread(hosts, links)?,
        _ => cuts::both_ends(hosts, links)?,
    };
    cuts.into_iter().map(|cut| Ok((cut.clone(), fault(cut.peers, impairment)?))).collect()
}

fn fault(peers: Vec<Peer>, impairment: Impairment) -> Result<HostFault, FaultError> {
    let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    Ok(match impairment {
        Impairment::Delay { at_least_ms, jitter_ms, .. } => HostFault::Delay {
            peers,
            ms: small(at_least_ms + jitter_ms / 2),
            jitter_ms: small(jitter_ms / 2),
            or_kbit: Some(INSTEAD_KBIT),
        },
        Impairment::Narrow { bytes_per_second } => {
            HostFault::Bandwidth { peers, kbit: small(bytes_per_second.saturating_mul(8) / 1000) }
        }
        Impairment::Lose { percent } => HostFault::Loss { peers, percent },
        Impairment::Reorder { percent, ms } => HostFault::Reorder { peers, percent, ms },
        Impairment::Duplicate { percent } => HostFault::Duplicate { peers, percent },
        Impairment::Corrupt { percent } => HostFault::Corrupt { peers, percent },
        Impairment::Hold(_) | Impairment::Swallow(_) => {
            return Err(FaultError::Unsupported {
                target: "a cluster of hosts",
                action: "throw away what a connection carries, and keep the connection",
            });
        }
    })
}

#[cfg(test)]
mod tests {
    use history::NodeId;

    use super::cuts::tests::{host, link};
    use super::*;

    fn hit(faults: &[(HostCut, HostFault)]) -> Vec<NodeId> {
        faults.iter().map(|(cut, _)| cut.node).collect()
    }

    #[test]
    fn what_is_late_is_held_back_at_both_ends_and_what_is_lost_at_one() {
        let hosts = [host(1), host(2), host(3)];
        let links = [link(1, 2), link(2, 1), link(1, 3), link(3, 1), link(2, 3), link(3, 2)];
        let late = Impairment::Delay { at_least_ms: 100, jitter_ms: 150, seed: 1 };
        let delayed = faults(&hosts, &links, late).unwrap();
        assert_eq!(hit(&delayed), [NodeId(1), NodeId(2), NodeId(3)]);
        let HostFault::Delay { peers, ms: 175, jitter_ms: 75, or_kbit: Some(_) } = &delayed[1].1 else {
            panic!("{:?}", delayed[1].1)
        };
        // The port of its own broker, which peers connect to, and theirs.
        assert!(peers.iter().all(|peer| peer.here == [9092] && peer.there == [9092]), "{peers:?}");
        let lossy = faults(&hosts, &links, Impairment::Lose { percent: 20 }).unwrap();
        assert_eq!(hit(&lossy), [NodeId(1), NodeId(2)]);
    }

    #[test]
    fn an_end_that_may_not_be_broken_holds_nothing_back() {
        let mut hosts = [host(1), host(2)];
        hosts[1].breakable = false;
        let narrow = Impairment::Narrow { bytes_per_second: 16 << 10 };
        assert!(matches!(faults(&hosts, &[link(1, 2)], narrow), Err(FaultError::Unsupported { .. })));
    }
}
