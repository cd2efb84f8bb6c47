//! What the catalog asks of a cluster about its topic, on a fake that does as it is told.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use history::{FaultTarget, Manner, NodeId, Partition, PlannedFault};

use super::{Fake, fault};
use crate::administrator::{Administrator, Election, Placement, View};
use crate::cluster::{Cluster, FaultError, Link, Touched};
use crate::spec::Spec;
use crate::{CATALOG, Change};

/// What the cluster knows of the topic.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Topic {
    placements: Vec<Placement>,
    settings: BTreeMap<String, String>,
    own: BTreeMap<String, String>,
}

/// Two partitions on three brokers, led by their preferred leaders.
struct Office {
    topic: RefCell<Topic>,
    /// Every setting stays what it is, whatever is asked.
    deaf: bool,
    cluster: Fake,
}

fn nodes(ids: &[i32]) -> Vec<NodeId> {
    ids.iter().copied().map(NodeId).collect()
}

fn placed(partition: u32, replicas: &[i32]) -> Placement {
    let replicas = nodes(replicas);
    Placement {
        partition: Partition(partition),
        leader: replicas.first().copied(),
        isr: replicas.clone(),
        replicas,
    }
}

impl Office {
    fn new() -> Self {
        let defaults = [
            ("segment.bytes", "1073741824"),
            ("segment.ms", "604800000"),
            ("index.interval.bytes", "4096"),
            ("max.message.bytes", "1048588"),
            ("file.delete.delay.ms", "60000"),
            ("min.insync.replicas", "2"),
        ];
        let settings = defaults.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let own = BTreeMap::from([("segment.ms".to_owned(), "604800000".to_owned())]);
        let placements = vec![placed(0, &[1, 2, 3]), placed(1, &[2, 3, 1])];
        let topic = Topic { placements, settings: settings.into(), own };
        Self { topic: RefCell::new(topic), deaf: false, cluster: Fake::default() }
    }

    fn topic(&self) -> Topic {
        self.topic.borrow().clone()
    }

    /// Nobody leads a partition, and one replica alone is in sync.
    fn leaderless(self, partition: usize) -> Self {
        let mut topic = self.topic.borrow_mut();
        topic.placements[partition].leader = None;
        topic.placements[partition].isr.truncate(1);
        drop(topic);
        self
    }

    fn with<T>(&self, partition: Partition, change: impl FnOnce(&mut Placement) -> T) -> T {
        let mut topic = self.topic.borrow_mut();
        let found = topic.placements.iter_mut().find(|placement| placement.partition == partition);
        change(found.expect("it is one of ours"))
    }
}

impl Administrator for Office {
    fn await_view(&self, _: &dyn Fn(&View) -> bool, _: Duration) -> Result<View, FaultError> {
        Ok(View { brokers: self.cluster.nodes(), placements: self.topic().placements })
    }
    fn reassign(&self, partition: Partition, replicas: &[NodeId]) -> Result<(), FaultError> {
        self.with(partition, |placement| {
            placement.replicas = replicas.to_vec();
            placement.isr = replicas.to_vec();
            if placement.leader.is_none_or(|leader| !replicas.contains(&leader)) {
                placement.leader = replicas.first().copied();
            }
        });
        Ok(())
    }
    fn elect(&self, election: Election, partitions: &[Partition]) -> Result<(), FaultError> {
        for partition in partitions {
            self.with(*partition, |placement| {
                let unclean = || placement.replicas.last().copied();
                placement.leader = match election {
                    Election::Preferred => placement.replicas.first().copied(),
                    Election::Unclean => placement.leader.or_else(unclean),
                };
            });
        }
        Ok(())
    }
    fn add_partitions(&self, total: u32) -> Result<(), FaultError> {
        let mut topic = self.topic.borrow_mut();
        let present = u32::try_from(topic.placements.len()).expect("few");
        topic.placements.extend((present..total).map(|partition| placed(partition, &[1, 2, 3])));
        Ok(())
    }
    fn settings(&self) -> Result<BTreeMap<String, String>, FaultError> {
        Ok(self.topic().settings)
    }
    fn own_settings(&self) -> Result<BTreeMap<String, String>, FaultError> {
        Ok(self.topic().own)
    }
    fn alter(&self, name: &str, value: Option<&str>) -> Result<(), FaultError> {
        if self.deaf {
            return Ok(());
        }
        let mut topic = self.topic.borrow_mut();
        let default = Self::new().topic().settings[name].clone();
        match value {
            Some(value) => drop(topic.own.insert(name.to_owned(), value.to_owned())),
            None => drop(topic.own.remove(name)),
        }
        topic.settings.insert(name.to_owned(), value.map_or(default, str::to_owned));
        Ok(())
    }
    fn await_setting(&self, name: &str, value: &str, _: Duration) -> Result<bool, FaultError> {
        Ok(self.topic().settings.get(name).is_some_and(|now| now == value))
    }
}

impl Cluster for Office {
    fn nodes(&self) -> Vec<NodeId> {
        self.cluster.nodes()
    }
    fn leader(&self, partition: Partition) -> Option<NodeId> {
        self.cluster.leader(partition)
    }
    fn partitions(&self) -> Vec<Partition> {
        self.cluster.partitions()
    }
    fn kill(&mut self, _: &[NodeId]) -> Result<(), FaultError> {
        unreachable!("brokers are whole")
    }
    fn power_off(&mut self, _: &[NodeId], _: bool) -> Result<(), FaultError> {
        unreachable!("brokers are whole")
    }
    fn start(&mut self, _: &[NodeId]) -> Result<Touched, FaultError> {
        unreachable!("brokers are whole")
    }
    fn pause(&mut self, _: &[NodeId]) -> Result<(), FaultError> {
        unreachable!("brokers are whole")
    }
    fn resume(&mut self, _: &[NodeId]) -> Result<(), FaultError> {
        unreachable!("brokers are whole")
    }
    fn is_running(&self, node: NodeId) -> bool {
        self.cluster.is_running(node)
    }
    fn cut(&mut self, _: &[Link], _: Manner) -> Result<(), FaultError> {
        unreachable!("links are whole")
    }
    fn heal(&mut self, _: &[Link]) -> Result<Touched, FaultError> {
        unreachable!("links are whole")
    }
    fn is_cut(&self, link: Link) -> bool {
        self.cluster.is_cut(link)
    }
    fn administrator(&self) -> Option<&dyn Administrator> {
        Some(self)
    }
}

fn requests() -> impl Iterator<Item = &'static Spec> {
    CATALOG.iter().copied().filter(|spec| spec.class.is_administrative())
}

fn planned(spec: &Spec, draw: u32) -> PlannedFault {
    let whole = spec.class.is_of_the_whole_topic();
    let target = if whole { FaultTarget::Topic } else { FaultTarget::LeaderOf(Partition(1)) };
    PlannedFault { target, draw, ..fault(spec) }
}

#[test]
fn what_was_changed_is_as_it_was_once_healed() {
    for (spec, draw) in requests().flat_map(|spec| (0..7).map(move |draw| (spec, draw))) {
        let (mut office, planned) = (Office::new().leaderless(0), planned(spec, draw));
        let before = office.topic();
        let aim = spec.nemesis.aim(&planned, &office).expect("there is something to change");
        assert!(aim.nodes.is_empty() && aim.links.is_empty() && aim.applications.is_empty(), "{}", spec.name);
        assert_eq!(office.topic(), before, "{}: aiming touches nothing", spec.name);
        assert!(!spec.nemesis.verify(&aim, &office), "{}: nor is anything in force", spec.name);
        spec.nemesis.inject(&planned, &aim, &mut office).expect("it is granted");
        assert!(spec.nemesis.verify(&aim, &office), "{}", spec.name);
        assert_ne!(office.topic(), before, "{}", spec.name);
        for _ in 0..2 {
            spec.nemesis.heal(&aim, &mut office).expect("giving back twice does nothing");
            let mut after = office.topic();
            if !spec.nemesis.runs_through() {
                // Who leads is no part of what is given back.
                after.placements[1].leader = before.placements[1].leader;
                assert_eq!(after, before, "{}", spec.name);
            }
        }
    }
}

#[test]
fn each_request_changes_what_it_says() {
    let changed = |name: &str, office: &Office| {
        let spec = crate::find(name).expect("a catalog entry");
        let aim = spec.nemesis.aim(&planned(spec, 0), office).expect("there is something to change");
        let changes: Vec<_> = aim.changes.iter().map(ToString::to_string).collect();
        (changes.join("; "), aim.partitions)
    };
    let office = Office::new();
    let (one, new) = (vec![Partition(1)], vec![Partition(2)]);
    let dropped = "partition 1 from replicas 2,3,1 to 3,1".to_owned();
    assert_eq!(changed("reassign-replicas", &office), (dropped, one.clone()));
    let elected = "partition 1 from replicas 2,3,1 to 3,2,1; partition 1 to leader 3".to_owned();
    assert_eq!(changed("preferred-election", &office), (elected, one.clone()));
    // Another one leads: the election alone brings the preferred one back.
    office.with(Partition(1), |placement| placement.leader = Some(NodeId(1)));
    assert_eq!(changed("preferred-election", &office), ("partition 1 to leader 2".to_owned(), one.clone()));
    assert_eq!(changed("add-partitions", &office), ("from 2 partitions to 3".to_owned(), new));
    let unclean = changed("unclean-election", &office.leaderless(1));
    assert_eq!(unclean, ("partition 1 to whoever lives".to_owned(), one));
}

/// Of two changes of one partition, the one that is over first leaves it to the other to give back what was there.
#[test]
fn changes_on_top_of_each_other_are_given_back_in_any_order() {
    for first_over in [0, 1] {
        let mut office = Office::new();
        let before = office.topic();
        let spec = crate::find("reassign-replicas").expect("a catalog entry");
        let mut inject = || {
            let aim = spec.nemesis.aim(&planned(spec, 0), &office).expect("there is something to change");
            spec.nemesis.inject(&planned(spec, 0), &aim, &mut office).expect("it is granted");
            aim
        };
        let mut aims = vec![inject(), inject()];
        let mut over = aims.remove(first_over);
        over.changes.retain(|change| !aims[0].inherit(change));
        for aim in [over, aims.remove(0)] {
            spec.nemesis.heal(&aim, &mut office).expect("it is granted");
        }
        let (after, before) = (office.topic().placements, before.placements);
        assert_eq!(after[1].replicas, before[1].replicas, "{first_over}");
    }
}

#[test]
fn settings_are_drawn_from_those_that_differ_and_do_no_harm() {
    let spec = crate::find("alter-topic-configs").expect("a catalog entry");
    let office = Office::new();
    let drawn = |office: &Office| {
        let names = (0..9).map(|draw| {
            let aim = spec.nemesis.aim(&planned(spec, draw), office).expect("some are left");
            let [Change::Setting { name, .. }] = &aim.changes[..] else { panic!("one setting") };
            name.clone()
        });
        names.collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(drawn(&office).len(), 5);
    office.alter("segment.bytes", Some("2097152")).expect("granted");
    office.alter("file.delete.delay.ms", Some("1000")).expect("granted");
    let left: Vec<_> = drawn(&office).into_iter().collect();
    assert_eq!(left, ["index.interval.bytes", "segment.ms"], "a larger batch would not fit into a segment");
}

#[test]
fn what_is_not_granted_is_said() {
    let spec = crate::find("alter-topic-configs").expect("a catalog entry");
    let mut office = Office::new();
    let aim = spec.nemesis.aim(&planned(spec, 0), &office).expect("some are left");
    spec.nemesis.inject(&planned(spec, 0), &aim, &mut office).expect("granted");
    office.deaf = true;
    let error = spec.nemesis.heal(&aim, &mut office).unwrap_err().to_string();
    assert!(error.contains("`segment.bytes` is not 1073741824 again"), "{error}");

    let spec = crate::find("unclean-election").expect("a catalog entry");
    let error = spec.nemesis.aim(&planned(spec, 0), &office).unwrap_err().to_string();
    assert!(error.contains("every partition has a leader"), "{error}");

    let spec = crate::find("preferred-election").expect("a catalog entry");
    office.with(Partition(1), |placement| placement.isr = nodes(&[2]));
    let error = spec.nemesis.aim(&planned(spec, 0), &office).unwrap_err().to_string();
    assert!(error.contains("no other replica in sync"), "{error}");
}

#[test]
fn a_cluster_without_a_run_has_no_topic_to_change() {
    for spec in requests() {
        let error = spec.nemesis.aim(&planned(spec, 0), &Fake::default()).unwrap_err().to_string();
        assert!(error.contains("a cluster without a run cannot change"), "{error}");
    }
}
