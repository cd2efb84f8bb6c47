//! Power failure: what was never synced is gone, on one replica, on all, and on the last one standing.

use broker::Ending;

use crate::client::Client;
use crate::cluster::Cluster;
use crate::replication::{leader, produce, read_all, wait_isr};

const TOPIC: &str = "orders";
const NODES: [i32; 3] = [1, 2, 3];

fn create(cluster: &Cluster, replicas: i16, settings: &[(&str, &str)]) {
    let mut client = Client::connect(cluster.address(1)).expect("connects");
    assert_eq!(client.create_topic(TOPIC, 1, replicas, settings), 0);
}

/// The node dies, and with `power` what it had not synced is gone.
fn lose(cluster: &mut Cluster, node: i32, power: bool) -> u64 {
    cluster.stop(node, Ending::Abrupt);
    if !power {
        return 0;
    }
    wire::power::fail(&cluster.folder(node), None).expect("its files are there").bytes
}

fn come_back(cluster: &mut Cluster, node: i32) {
    cluster.start_broker(node);
    cluster.wait_ready(node);
}

/// How many of the records that were acknowledged can be read: all up to the one produced now.
fn readable(cluster: &Cluster) -> usize {
    let last = produce(cluster, "last");
    read_all(cluster, last).len() - 1
}

#[test]
fn one_replica_keeps_everything_through_a_kill_and_nothing_without_power() {
    for (settings, power, kept) in
        [(&[][..], false, 10), (&[], true, 0), (&[("flush.messages", "1")], true, 10)]
    {
        let mut cluster = Cluster::start(&[]);
        create(&cluster, 1, settings);
        for at in 0..10 {
            produce(&cluster, &format!("value {at}"));
        }
        let (node, _) = leader(&cluster);
        let lost = lose(&mut cluster, node, power);
        assert_eq!(lost > 0, power && kept == 0, "{settings:?}: {lost} bytes lost");
        come_back(&mut cluster, node);
        assert_eq!(readable(&cluster), kept, "{settings:?}, power failure {power}");
    }
}

#[test]
fn all_replicas_without_power_at_once_lose_what_acks_all_acknowledged() {
    for (settings, kept) in [
        (&[("min.insync.replicas", "2")][..], 0),
        (&[("min.insync.replicas", "2"), ("flush.messages", "1")], 10),
    ] {
        let mut cluster = Cluster::start(&[]);
        create(&cluster, 3, settings);
        for at in 0..10 {
            produce(&cluster, &format!("value {at}"));
        }
        for node in NODES {
            lose(&mut cluster, node, true);
        }
        for node in NODES {
            cluster.start_broker(node);
        }
        for node in NODES {
            cluster.wait_ready(node);
        }
        wait_isr(&cluster, 3);
        assert_eq!(readable(&cluster), kept, "{settings:?}");
    }
}

/// KIP-966: the last member of the ISR loses its unsynced tail, is elected again because it is the ISR, and
/// the others, which had everything up to the shrink, cut their logs to its own.
#[test]
fn the_last_replica_standing_takes_with_it_what_all_three_had() {
    for (power, kept) in [(true, 0), (false, 20)] {
        let mut cluster = Cluster::start(&[]);
        create(&cluster, 3, &[("min.insync.replicas", "1")]);
        for at in 0..10 {
            produce(&cluster, &format!("on all three {at}"));
        }
        wait_isr(&cluster, 3);
        let (last, _) = leader(&cluster);
        for node in NODES.into_iter().filter(|node| *node != last) {
            cluster.stop(node, Ending::Abrupt);
        }
        wait_isr(&cluster, 1);
        for at in 0..10 {
            produce(&cluster, &format!("on the last {at}"));
        }
        lose(&mut cluster, last, power);
        come_back(&mut cluster, last);
        for node in NODES.into_iter().filter(|node| *node != last) {
            come_back(&mut cluster, node);
        }
        wait_isr(&cluster, 3);
        assert_eq!(readable(&cluster), kept, "power failure {power}");
    }
}
