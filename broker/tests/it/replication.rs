//! Three replicas: what acks=all acknowledged survives its leader.

use broker::Ending;

use crate::client::{Client, batch, values};
use crate::cluster::{Cluster, until};

const TOPIC: &str = "orders";

/// The leader's id and epoch, as any running broker tells, once it is one of those that run.
pub(crate) fn leader(cluster: &Cluster) -> (i32, i32) {
    until("a leader that runs", || {
        let running = cluster.running();
        running.iter().find_map(|node| {
            let partition = Client::connect(cluster.address(*node)).ok()?.partition(TOPIC).ok()??;
            running
                .contains(&partition.leader_id.0)
                .then_some((partition.leader_id.0, partition.leader_epoch))
        })
    })
}

pub(crate) fn wait_isr(cluster: &Cluster, size: usize) {
    until("the in-sync replicas", || {
        let (node, _) = leader(cluster);
        let partition = Client::connect(cluster.address(node)).ok()?.partition(TOPIC).ok()??;
        (partition.isr_nodes.len() == size).then_some(())
    });
}

/// Produces one record with acks=all to whoever leads, until it is acknowledged.
pub(crate) fn produce(cluster: &Cluster, value: &str) -> i64 {
    until("an acknowledgement", || {
        let (node, _) = leader(cluster);
        let mut client = Client::connect(cluster.address(node)).ok()?;
        let answer = client.produce(TOPIC, -1, batch(-1, 0, &[value.to_owned()])).ok()?;
        (answer.error_code == 0).then_some(answer.base_offset)
    })
}

/// Everything a consumer can read.
pub(crate) fn read_all(cluster: &Cluster, up_to: i64) -> Vec<(i64, String)> {
    let mut out: Vec<(i64, String)> = Vec::new();
    until("all records", || {
        let (node, _) = leader(cluster);
        let mut client = Client::connect(cluster.address(node)).ok()?;
        let next = out.last().map_or(0, |(offset, _)| offset + 1);
        let data = client.fetch(TOPIC, next, 100).ok()?;
        if data.error_code == 0 {
            out.extend(values(data.records));
        }
        out.last().is_some_and(|(offset, _)| *offset >= up_to).then_some(())
    });
    out
}

#[test]
fn a_killed_leader_takes_nothing_acknowledged_with_it() {
    let mut cluster = Cluster::start(&[]);
    let mut client = Client::connect(cluster.address(1)).expect("connects");
    assert_eq!(client.create_topic(TOPIC, 1, 3, &[("min.insync.replicas", "2")]), 0);
    let mut acked: Vec<(i64, String)> = Vec::new();
    for at in 0..50 {
        let value = format!("before {at}");
        acked.push((produce(&cluster, &value), value));
    }
    let (old, epoch) = leader(&cluster);
    cluster.stop(old, Ending::Abrupt);
    for at in 0..50 {
        let value = format!("after {at}");
        acked.push((produce(&cluster, &value), value));
    }
    let (new, new_epoch) = leader(&cluster);
    assert_ne!(new, old);
    assert!(new_epoch > epoch);
    let last = acked.last().expect("some").0;
    let seen = read_all(&cluster, last);
    for record in &acked {
        assert!(seen.contains(record), "{record:?} is lost");
    }
    // The old one comes back, truncates what it must, and is in sync again.
    cluster.start_broker(old);
    cluster.wait_ready(old);
    wait_isr(&cluster, 3);
    // Now it alone of the three has to serve what all of them had.
    for node in [1, 2, 3] {
        if node != old {
            cluster.stop(node, Ending::Abrupt);
        }
    }
    let seen = read_all(&cluster, last);
    for record in &acked {
        assert!(seen.contains(record), "{record:?} is lost on the restarted replica");
    }
}

#[test]
fn with_too_few_in_sync_replicas_acks_all_is_refused_and_acks_1_is_not() {
    let mut cluster = Cluster::start(&[]);
    let mut client = Client::connect(cluster.address(1)).expect("connects");
    assert_eq!(client.create_topic(TOPIC, 1, 3, &[("min.insync.replicas", "3")]), 0);
    produce(&cluster, "with all three");
    let (leads, _) = leader(&cluster);
    let follower = cluster.running().into_iter().find(|node| *node != leads).expect("a follower");
    cluster.stop(follower, Ending::Clean);
    wait_isr(&cluster, 2);
    let (leads, _) = leader(&cluster);
    let mut client = Client::connect(cluster.address(leads)).expect("connects");
    let refused = client.produce(TOPIC, -1, batch(-1, 0, &["refused".to_owned()])).expect("an answer");
    // NOT_ENOUGH_REPLICAS
    assert_eq!((refused.error_code, refused.base_offset), (19, -1));
    let one = client.produce(TOPIC, 1, batch(-1, 0, &["one".to_owned()])).expect("an answer");
    assert_eq!((one.error_code, one.base_offset), (0, 1));
}

#[test]
fn only_the_leader_is_written_to_and_read_from() {
    let cluster = Cluster::start(&[]);
    let mut client = Client::connect(cluster.address(2)).expect("connects");
    assert_eq!(client.create_topic(TOPIC, 1, 3, &[]), 0);
    produce(&cluster, "a");
    let (leads, _) = leader(&cluster);
    let follower = cluster.running().into_iter().find(|node| *node != leads).expect("a follower");
    let mut client = Client::connect(cluster.address(follower)).expect("connects");
    let refused = client.produce(TOPIC, -1, batch(-1, 0, &["b".to_owned()])).expect("an answer");
    // NOT_LEADER_OR_FOLLOWER
    assert_eq!(refused.error_code, 6);
    assert_eq!(client.fetch(TOPIC, 0, 0).expect("an answer").error_code, 6);
}
