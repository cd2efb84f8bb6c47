//! The reference cluster's gentler verbs: brokers that are asked to end, and links that are impaired.

use history::{Manner, NodeId, Note};
use nemesis::{Cluster, Direction, End, FaultError, Impairment, Link};
use targets::reference::Proxied;

use crate::cluster::{Scene, addresses, scene};
use crate::stand_in::ask;
use crate::{DEADLINE, until};

#[test]
fn a_broker_that_is_asked_to_end_is_gone_and_comes_back_in_sync() {
    for proxied in [Proxied::Nothing, Proxied::Everything] {
        let Scene { mut cluster, folder: _folder } = scene(proxied);
        let address = addresses(&cluster)[1];
        cluster.stop(&[NodeId(2)]).expect("ended");
        cluster.stop(&[NodeId(2)]).expect("ending the dead does nothing");
        assert!(!cluster.is_running(NodeId(2)) && ask(address, 0).is_err());
        assert!(!cluster.await_in_sync(NodeId(2), std::time::Duration::ZERO).expect("the dead are not"));
        cluster.start(&[NodeId(2)]).expect("started");
        assert!(cluster.await_in_sync(NodeId(2), DEADLINE).expect("it can be told"));
        assert_eq!(ask(address, 0).expect("an answer"), "node 2");
        let died = cluster.events().into_iter().any(|(_, note)| matches!(note, Note::NodeDied { .. }));
        assert!(!died, "its end was asked for");
        assert!(matches!(cluster.stop(&[NodeId(4)]), Err(FaultError::NoNode(NodeId(4)))));
    }
}

#[test]
fn an_impaired_link_is_one_of_the_cluster_and_heals() {
    let Scene { mut cluster, folder: _folder } = scene(Proxied::Everything);
    let one = addresses(&cluster)[0];
    let clients = Link { from: End::Clients, to: End::Node(NodeId(1)) };
    cluster.impair(&[clients], Impairment::Hold(Direction::Answers)).expect("impaired");
    assert!(cluster.is_cut(clients));
    let asking = std::thread::spawn(move || ask(one, 2));
    // Its question arrives and is answered, as the bytes that wait for the client show.
    until("the answer waits", || {
        let touched = cluster.heal(&[clients]).expect("healed");
        cluster.impair(&[clients], Impairment::Hold(Direction::Answers)).expect("impaired again");
        (touched.connections > 0).then_some(())
    });
    cluster.heal(&[clients]).expect("healed");
    assert_eq!(asking.join().expect("no panic").expect("an answer"), "node 2");

    let error = cluster
        .cut(&[clients], Manner::Held)
        .and_then(|()| cluster.impair(&[clients], Impairment::Narrow { bytes_per_second: 9 }));
    assert!(matches!(error, Err(FaultError::Target { action: "impair", .. })), "{error:?}");
}

#[test]
fn clients_that_connect_directly_cannot_be_cut_off() {
    let Scene { mut cluster, folder: _folder } = scene(Proxied::Nodes);
    let clients = Link { from: End::Clients, to: End::Node(NodeId(1)) };
    for refused in [
        cluster.cut(&[clients], Manner::Held),
        cluster.impair(&[clients], Impairment::Swallow(Direction::Answers)),
    ] {
        let error = refused.expect_err("there is no such link in the proxy");
        assert!(error.to_string().starts_with("a cluster that is kept up cannot break the links"), "{error}");
    }
    let peers = Link { from: End::Node(NodeId(1)), to: End::Node(NodeId(2)) };
    cluster.impair(&[peers], Impairment::Hold(Direction::Requests)).expect("that one is");
    cluster.heal(&[peers]).expect("healed");
}
