//! The reference cluster's life with stand-in nodes: start, faults, views, stop, and what is left behind.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use history::{Manner, NodeId, Note, Partition};
use nemesis::{Cluster, End, FaultError, Link};
use targets::process::Supervisor;
use targets::reference::{ClusterError, ClusterOptions, Proxied, ReferenceCluster};

use crate::stand_in::{self, ask};
use crate::{DEADLINE, until};

pub(crate) fn options(folder: &Path, proxied: Proxied) -> ClusterOptions {
    let (program, args) = stand_in::command("node");
    let new =
        ClusterOptions::new(3, folder.join("data"), folder.join("logs")).expect("the path of this program");
    ClusterOptions { program, args, proxied, start_within: DEADLINE, stop_within: DEADLINE, ..new }
}

const EVERY_WAY: [Proxied; 3] = [Proxied::Nothing, Proxied::Nodes, Proxied::Everything];

pub(crate) struct Scene {
    pub(crate) cluster: ReferenceCluster,
    pub(crate) folder: tempfile::TempDir,
}

pub(crate) fn scene(proxied: Proxied) -> Scene {
    let folder = tempfile::tempdir().expect("a folder");
    let supervisor = Supervisor::new().expect("a supervisor");
    let started = ReferenceCluster::start(options(folder.path(), proxied), &supervisor);
    let mut cluster = started.unwrap_or_else(|error| panic!("{error}"));
    cluster.set_topic("under-test");
    until("the isr is full", || cluster.isr_full().then_some(()));
    Scene { cluster, folder }
}

pub(crate) fn addresses(cluster: &ReferenceCluster) -> Vec<SocketAddr> {
    cluster.bootstrap().split(',').map(|address| address.parse().expect("an address")).collect()
}

fn gone(pids: &[u32]) -> bool {
    !pids.iter().any(|pid| std::fs::exists(format!("/proc/{pid}")).expect("readable"))
}

#[test]
fn clients_reach_every_broker_with_and_without_proxy() {
    for proxied in EVERY_WAY {
        let Scene { cluster, folder } = scene(proxied);
        assert_eq!(cluster.nodes(), [NodeId(1), NodeId(2), NodeId(3)]);
        for (address, node) in addresses(&cluster).into_iter().zip(1..) {
            assert_eq!(ask(address, 0).expect("an answer"), format!("node {node}"));
        }
        let pids = cluster.pids();
        assert_eq!(pids.len(), 4);
        let addresses = addresses(&cluster);
        cluster.shutdown().expect("everybody exits when asked to");
        assert!(gone(&pids));
        assert!(addresses.iter().all(|address| std::net::TcpStream::connect(address).is_err()));
        assert!(folder.path().join("logs/node-3.log").is_file());
        assert!(folder.path().join("data/controller").is_dir());
    }
}

#[test]
fn the_view_and_the_notes_are_about_the_topic_under_test() {
    let Scene { cluster, folder: _folder } = scene(Proxied::Everything);
    assert_eq!(cluster.partitions(), [Partition(0)]);
    let view = cluster.cluster_view().partitions[&Partition(0)].clone();
    assert_eq!((view.epoch, view.isr.len(), view.replicas.len()), (7, 3, 3));
    assert_eq!(cluster.leader(Partition(0)), Some(NodeId(1)));
    assert_eq!(cluster.leader(Partition(9)), None);
    let notes = cluster.events();
    let states =
        notes.iter().filter(|(_, note)| matches!(note, Note::PartitionState { epoch, .. } if *epoch == 7));
    assert!(states.count() >= 1, "{notes:?}");
    assert!(
        !notes.iter().any(|(_, note)| matches!(note, Note::PartitionState { epoch: 1, .. })),
        "{notes:?}"
    );
    let unfenced = notes.iter().filter(|(_, note)| matches!(note, Note::Fenced { fenced: false, .. }));
    assert_eq!(unfenced.count(), 3);
    assert!(notes.iter().all(|(at, _)| at.0 > 0));
}

#[test]
fn a_killed_broker_refuses_clients_and_comes_back_on_its_data_and_address() {
    for proxied in EVERY_WAY {
        let Scene { mut cluster, folder } = scene(proxied);
        let address = addresses(&cluster)[1];
        cluster.kill(&[NodeId(2)]).expect("killed");
        cluster.kill(&[NodeId(2)]).expect("killing the dead does nothing");
        assert!(!cluster.is_running(NodeId(2)));
        assert!(ask(address, 0).is_err(), "it must be refused at once, not hang");
        until("the controller has fenced it", || {
            cluster.cluster_view().fenced.contains(&NodeId(2)).then_some(())
        });
        assert!(!cluster.isr_full());

        cluster.start(&[NodeId(2)]).expect("started");
        cluster.start(&[NodeId(2)]).expect("starting the living does nothing");
        assert!(cluster.is_running(NodeId(2)));
        assert_eq!(addresses(&cluster)[1], address);
        assert_eq!(ask(address, 0).expect("an answer"), "node 2");
        until("it is back in the isr", || cluster.isr_full().then_some(()));
        let starts = std::fs::read_to_string(folder.path().join("data/node-2/starts")).expect("its data");
        assert_eq!(starts, "xx");
        let died = cluster.events().into_iter().any(|(_, note)| matches!(note, Note::NodeDied { .. }));
        assert!(!died, "its death was asked for");
    }
}

#[test]
fn a_paused_broker_lives_and_answers_later() {
    let Scene { mut cluster, folder: _folder } = scene(Proxied::Everything);
    cluster.pause(&[NodeId(3)]).expect("paused");
    assert!(!cluster.is_running(NodeId(3)) && cluster.is_running(NodeId(1)));
    assert_eq!(cluster.pids().len(), 4);
    let address = addresses(&cluster)[2];
    let asking = std::thread::spawn(move || ask(address, 0));
    cluster.resume(&[NodeId(3)]).expect("resumed");
    cluster.resume(&[NodeId(3)]).expect("resuming the running does nothing");
    assert!(cluster.is_running(NodeId(3)));
    assert_eq!(asking.join().expect("no panic").expect("an answer"), "node 3");
    assert!(matches!(cluster.pause(&[NodeId(4)]), Err(FaultError::NoNode(NodeId(4)))));
}

#[test]
fn links_are_cut_one_by_one() {
    let Scene { mut cluster, folder: _folder } = scene(Proxied::Everything);
    let one = addresses(&cluster)[0];
    assert_eq!(ask(one, 2).expect("node 1 answers"), "node 2");
    let peers = Link { from: End::Node(NodeId(1)), to: End::Node(NodeId(2)) };
    cluster.cut(&[peers], Manner::Reset).expect("cut");
    assert!(cluster.is_cut(peers));
    assert_ne!(ask(one, 2).expect("node 1 answers clients still"), "node 2");
    assert_eq!(ask(one, 3).expect("node 1 answers"), "node 3");
    assert_eq!(ask(addresses(&cluster)[2], 2).expect("node 3 answers"), "node 2");
    assert!(cluster.heal(&[peers]).expect("healed").connections >= 1);
    assert_eq!(ask(one, 2).expect("node 1 answers"), "node 2");

    let up = Link { from: End::Node(NodeId(1)), to: End::Controller };
    cluster.cut(&[up], Manner::Reset).expect("cut");
    until("the leader has moved", || (cluster.leader(Partition(0)) == Some(NodeId(2))).then_some(()));
    cluster.heal(&[up]).expect("healed");
    until("everybody is back", || cluster.isr_full().then_some(()));

    let nowhere = Link { from: End::Controller, to: End::Clients };
    assert!(matches!(cluster.cut(&[nowhere], Manner::Held), Err(FaultError::Target { .. })));
}

#[test]
fn without_proxy_nothing_can_be_cut() {
    let Scene { mut cluster, folder: _folder } = scene(Proxied::Nothing);
    let link = Link { from: End::Clients, to: End::Node(NodeId(1)) };
    assert!(cluster.cut(&[link], Manner::Held).is_err());
    assert!(!cluster.is_cut(link));
    assert_eq!(cluster.heal(&[link]).expect("whole it is"), nemesis::Touched::default());
}

#[test]
fn an_end_that_nobody_asked_for_is_noted() {
    let Scene { mut cluster, folder: _folder } = scene(Proxied::Everything);
    let victim = cluster.pids()[1];
    let victim = nix::unistd::Pid::from_raw(i32::try_from(victim).expect("a process id"));
    nix::sys::signal::kill(victim, nix::sys::signal::Signal::SIGABRT).expect("our own child");
    let died = until("its death is noted", || {
        cluster.events().into_iter().find(|(_, note)| matches!(note, Note::NodeDied { .. }))
    });
    assert_eq!(died.1, Note::NodeDied { node: NodeId(1), status: "killed by SIGABRT".to_owned() });
    assert_eq!(cluster.controller_failure(), None);
    cluster.start(&[NodeId(1)]).expect("started again");
    until("the isr is full", || cluster.isr_full().then_some(()));
}

#[test]
fn a_broker_that_dies_early_is_named_with_its_reason_and_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let supervisor = Supervisor::new().expect("a supervisor");
    let mut options = options(folder.path(), Proxied::Everything);
    options.settings.insert("stand.in.dies".to_owned(), String::new());
    let error = ReferenceCluster::start(options, &supervisor).err().expect("it dies").to_string();
    let start = "failed to start node 1: exited with 70: the disk is on fire before it was ready (see ";
    assert!(error.starts_with(start) && error.ends_with("logs/node-1.log)"), "{error}");
}

#[test]
fn a_broker_that_never_gets_ready_ends_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let supervisor = Supervisor::new().expect("a supervisor");
    let mut options = options(folder.path(), Proxied::Nothing);
    options.settings.insert("stand.in.mute".to_owned(), String::new());
    options.start_within = Duration::from_secs(2);
    let error = ReferenceCluster::start(options, &supervisor).err().expect("it is never ready");
    assert!(matches!(error, ClusterError::Late { .. }), "{error}");
    assert!(error.to_string().contains("not ready within 2000 ms"), "{error}");
}

#[test]
fn the_stubborn_and_the_paused_are_gone_after_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let supervisor = Supervisor::new().expect("a supervisor");
    let mut options = options(folder.path(), Proxied::Everything);
    options.settings.insert("stand.in.deaf".to_owned(), String::new());
    options.stop_within = Duration::from_millis(200);
    for graceful in [true, false] {
        // The same folders again: nothing of the former cluster is in the way.
        let mut cluster =
            ReferenceCluster::start(options.clone(), &supervisor).unwrap_or_else(|e| panic!("{e}"));
        let pids = cluster.pids();
        cluster.pause(&[NodeId(2)]).expect("paused");
        if graceful {
            let error = cluster.shutdown().expect_err("they do not listen");
            assert!(matches!(&error, ClusterError::Stubborn { nodes, .. } if nodes.len() == 4), "{error}");
        } else {
            drop(cluster);
        }
        assert!(gone(&pids));
    }
}
