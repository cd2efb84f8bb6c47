//! Processes end, files stay: controller and brokers start again on what they wrote.

use std::fs;

use broker::{Ending, Node};
use wire::node::{ControllerSpec, NodeEvent, NodeSpec};

use crate::client::{Client, batch};
use crate::cluster::{Cluster, until, wait_event};
use crate::replication::{leader, produce, read_all, wait_isr};

const TOPIC: &str = "orders";

#[test]
fn a_restarted_controller_knows_its_topics_and_brokers_come_back_to_it() {
    let mut cluster = Cluster::start(&[]);
    let mut client = Client::connect(cluster.address(1)).expect("connects");
    assert_eq!(client.create_topic(TOPIC, 1, 3, &[]), 0);
    let last = produce(&cluster, "before");
    let before = client.topic(TOPIC).expect("an answer").topic_id;
    cluster.restart_controller();
    // A new topic needs the controller, so it has heard the brokers again.
    until("the controller", || (client.create_topic("more", 1, 3, &[]) == 0).then_some(()));
    assert_eq!(client.topic(TOPIC).expect("an answer").topic_id, before);
    assert_eq!(client.create_topic(TOPIC, 1, 3, &[]), 36, "it exists already");
    assert_eq!(read_all(&cluster, last), [(last, "before".to_owned())]);
}

#[test]
fn a_cluster_stopped_cleanly_starts_with_everything_it_had() {
    let mut cluster = Cluster::start(&[]);
    let mut client = Client::connect(cluster.address(1)).expect("connects");
    assert_eq!(client.create_topic(TOPIC, 1, 3, &[]), 0);
    let values: Vec<String> = (0..20).map(|at| format!("value {at}")).collect();
    let offsets: Vec<i64> = values.iter().map(|value| produce(&cluster, value)).collect();
    let last = offsets[values.len() - 1];
    for node in [1, 2, 3] {
        cluster.stop(node, Ending::Clean);
    }
    for node in [1, 2, 3] {
        cluster.start_broker(node);
    }
    wait_isr(&cluster, 3);
    let seen: Vec<String> = read_all(&cluster, last).into_iter().map(|(_, value)| value).collect();
    assert_eq!(seen, values);
}

#[test]
fn a_torn_tail_is_cut_and_copied_again() {
    let mut cluster = Cluster::start(&[]);
    let mut client = Client::connect(cluster.address(1)).expect("connects");
    assert_eq!(client.create_topic(TOPIC, 1, 3, &[("min.insync.replicas", "2")]), 0);
    for at in 0..10 {
        produce(&cluster, &format!("value {at}"));
    }
    let (leads, _) = leader(&cluster);
    let follower = cluster.running().into_iter().find(|node| *node != leads).expect("a follower");
    let file = cluster.folder(follower).join(format!("{TOPIC}-0")).join("00000000000000000000.log");
    cluster.stop(follower, Ending::Abrupt);
    let whole = fs::read(&file).expect("reads");
    fs::write(&file, &whole[..whole.len() - 7]).expect("writes");
    cluster.start_broker(follower);
    cluster.wait_ready(follower);
    wait_isr(&cluster, 3);
    until("the same bytes", || (fs::read(&file).ok()? == whole).then_some(()));
}

#[test]
fn producer_ids_are_never_given_twice_and_retries_are_recognised_after_a_failover() {
    use kafka_protocol::messages::InitProducerIdRequest;

    let mut cluster = Cluster::start(&[]);
    let mut ids = Vec::new();
    let mut init = |cluster: &Cluster, node: i32| {
        let id = until("a producer id", || {
            let mut client = Client::connect(cluster.address(node)).ok()?;
            let request = InitProducerIdRequest::default().with_transactional_id(None);
            let answer = client.ask(&request, 4).ok()?;
            (answer.error_code == 0).then_some(answer.producer_id.0)
        });
        assert!(!ids.contains(&id), "{id} was given before");
        ids.push(id);
        id
    };
    for node in [1, 2, 3, 1] {
        init(&cluster, node);
    }
    cluster.restart_controller();
    cluster.stop(2, Ending::Clean);
    cluster.start_broker(2);
    let producer = init(&cluster, 2);
    wait_brokers(&cluster);
    let mut client = Client::connect(cluster.address(1)).expect("connects");
    until("the topic", || {
        (client.create_topic(TOPIC, 1, 3, &[("min.insync.replicas", "2")]) == 0).then_some(())
    });
    let send = |cluster: &Cluster, sequence: i32| {
        until("an acknowledgement", || {
            let (node, _) = leader(cluster);
            let mut client = Client::connect(cluster.address(node)).ok()?;
            let one = batch(producer, sequence, &[format!("number {sequence}")]);
            let answer = client.produce(TOPIC, -1, one).ok()?;
            (answer.error_code == 0).then_some(answer.base_offset)
        })
    };
    let offsets: Vec<i64> = (0..3).map(|sequence| send(&cluster, sequence)).collect();
    assert_eq!(offsets, [0, 1, 2]);
    let (leads, _) = leader(&cluster);
    cluster.stop(leads, Ending::Abrupt);
    assert_eq!(send(&cluster, 2), 2, "the new leader knows the batch");
    assert_eq!(send(&cluster, 3), 3);
}

fn wait_brokers(cluster: &Cluster) {
    use kafka_protocol::messages::MetadataRequest;

    until("three live brokers", || {
        let mut client = Client::connect(cluster.address(1)).ok()?;
        let answer = client.ask(&MetadataRequest::default().with_topics(Some(Vec::new())), 9).ok()?;
        (answer.brokers.len() == 3).then_some(())
    });
}

/// Its predecessor's session keeps it from being registered for a while; a client that is told meanwhile that
/// there are no brokers forgets the ones it knows.
#[test]
fn a_broker_that_is_not_registered_yet_tells_nobody_that_there_is_no_cluster() {
    let mut cluster = Cluster::start(&[]);
    let mut client = Client::connect(cluster.address(1)).expect("connects");
    assert_eq!(client.create_topic(TOPIC, 1, 3, &[]), 0);
    cluster.stop(2, Ending::Abrupt);
    cluster.start_broker(2);
    let mut early = Client::connect(cluster.address(2)).expect("it listens");
    let everything = kafka_protocol::messages::MetadataRequest::default().with_topics(None);
    let answer = early.ask(&everything, 9).expect("an answer");
    assert!(answer.brokers.len() >= 2, "{:?}", answer.brokers);
    assert_eq!(answer.topics.len(), 1);
}

#[test]
fn a_second_node_on_the_same_directory_fails_and_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let spec = || {
        NodeSpec::Controller(ControllerSpec {
            parent: 0,
            data: folder.path().to_owned(),
            listen: ([127, 0, 0, 1], 0).into(),
            settings: Default::default(),
            flaw: None,
        })
    };
    let first = Node::start(spec());
    wait_event(&first, |event| matches!(event, NodeEvent::Listening { .. }));
    let second = Node::start(spec());
    wait_event(&second, |event| matches!(event, NodeEvent::Failed { reason } if reason.contains("in use")));
    assert!(second.stop(Ending::Clean).is_err());
}
