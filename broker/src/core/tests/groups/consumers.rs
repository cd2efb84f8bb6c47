//! Consumer groups of the next generation (KIP-848): nobody is given what another still holds, whoever coordinates.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use kafka_protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, GroupId, TopicName,
};

use super::{Client, GROUP, World, text, world};
use crate::core::tests::schedules::Chance;
use crate::core::{GroupAnswer, GroupAsk, RequestId};

/// A member as a client library runs it: it holds what it was given until it has let go of it.
#[derive(Debug, Clone)]
struct Consumer {
    id: String,
    instance: Option<String>,
    epoch: i32,
    topics: Vec<&'static str>,
    regex: Option<&'static str>,
    holds: BTreeSet<i32>,
    /// What it was last told to hold.
    target: BTreeSet<i32>,
    /// How long it may take to let go of something.
    rebalance_ms: i32,
    /// An answer has not come: it says everything again, to be told everything again.
    in_doubt: bool,
}

impl Consumer {
    fn new(id: &str) -> Self {
        let (holds, target) = (BTreeSet::new(), BTreeSet::new());
        Self {
            id: id.to_owned(),
            instance: None,
            epoch: 0,
            topics: vec!["t"],
            regex: None,
            holds,
            target,
            rebalance_ms: 2_000,
            in_doubt: false,
        }
    }

    fn request(&self) -> ConsumerGroupHeartbeatRequest {
        let owned = TopicPartitions::default()
            .with_topic_id(uuid::Uuid::from_bytes(super::TOPIC.0))
            .with_partitions(self.holds.iter().copied().collect());
        let owned = if self.holds.is_empty() { Vec::new() } else { vec![owned] };
        let in_full = self.epoch == 0 || self.in_doubt;
        let request = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(GroupId(text(GROUP)))
            .with_member_id(text(&self.id))
            .with_member_epoch(self.epoch)
            .with_instance_id(self.instance.as_deref().map(text))
            .with_topic_partitions(Some(owned))
            .with_subscribed_topic_regex(self.regex.map(text));
        if !in_full {
            return request.with_rebalance_timeout_ms(-1).with_subscribed_topic_names(None);
        }
        let names = self.topics.iter().map(|name| TopicName(text(name)));
        request
            .with_rebalance_timeout_ms(self.rebalance_ms)
            .with_subscribed_topic_names(Some(names.collect()))
    }

    /// Takes an answer as a client does: what is not in it is let go of, and then what is new is taken.
    fn hear(&mut self, response: &ConsumerGroupHeartbeatResponse) {
        self.epoch = response.member_epoch;
        self.in_doubt = false;
        if let Some(assignment) = &response.assignment {
            self.target = assignment.topic_partitions.iter().flat_map(|one| one.partitions.clone()).collect();
        }
        self.holds.retain(|partition| self.target.contains(partition));
        self.holds.extend(&self.target);
    }

    /// Takes a refusal, or that no answer comes. A member that is fenced lets go of everything and joins again;
    /// any other trouble makes a client say everything again next time.
    fn fail(&mut self, response: Option<ConsumerGroupHeartbeatResponse>) {
        self.in_doubt = true;
        let fenced = [
            ResponseError::UnknownMemberId,
            ResponseError::FencedMemberEpoch,
            ResponseError::FencedInstanceId,
            ResponseError::GroupIdNotFound,
        ];
        let code = response.map_or(0, |response| response.error_code);
        if fenced.iter().any(|error| error.code() == code) {
            (self.epoch, self.holds) = (0, BTreeSet::new());
        }
    }
}

impl World {
    fn beat(&mut self, consumer: &Consumer) -> ConsumerGroupHeartbeatResponse {
        let id = self.ask(1, GroupAsk::ConsumerHeartbeat(consumer.request()));
        self.beaten(id).expect("answered at once")
    }

    fn beaten(&self, id: RequestId) -> Option<ConsumerGroupHeartbeatResponse> {
        match self.answers.get(&id)? {
            GroupAnswer::ConsumerHeartbeat(response) => Some(response.clone()),
            other => panic!("{other:?} is no answer to a heartbeat"),
        }
    }

    /// A heartbeat that is answered well, and heeded.
    fn live(&mut self, consumer: &mut Consumer) {
        let response = self.beat(consumer);
        assert_eq!(response.error_code, 0, "{response:?}");
        consumer.hear(&response);
    }

    fn refused(&mut self, consumer: &Consumer) -> ResponseError {
        let code = self.beat(consumer).error_code;
        ResponseError::try_from_code(code).expect("an error")
    }

    fn state_of_consumers(&mut self) -> String {
        let id = self.ask(1, GroupAsk::ConsumerDescribe);
        let GroupAnswer::ConsumerDescribe(group) = &self.answers[&id] else { panic!("no description") };
        if group.error_code != 0 { group.error_code.to_string() } else { group.group_state.to_string() }
    }
}

fn set(partitions: &[i32]) -> BTreeSet<i32> {
    partitions.iter().copied().collect()
}

#[test]
fn a_partition_is_given_on_only_when_it_has_been_let_go_of() {
    let mut world = world(3, None, &[]);
    let (mut one, mut two) = (Consumer::new("m1"), Consumer::new("m2"));
    world.live(&mut one);
    assert_eq!((one.epoch, &one.holds), (1, &set(&[0, 1])));
    world.live(&mut two);
    assert_eq!((two.epoch, &two.holds), (2, &set(&[])), "both are somebody's");
    assert_eq!(world.state_of_consumers(), "Reconciling");
    let response = world.beat(&one);
    let told = response.assignment.clone().expect("something has changed");
    assert_eq!((response.member_epoch, told.topic_partitions[0].partitions.len()), (1, 1));
    world.live(&mut two);
    assert_eq!(two.holds, set(&[]), "the other one has been asked, and still holds it");
    one.hear(&response);
    world.live(&mut one);
    assert_eq!((one.epoch, one.holds.len()), (2, 1));
    world.live(&mut two);
    assert_eq!(&one.holds | &two.holds, set(&[0, 1]));
    assert!(one.holds.is_disjoint(&two.holds));
    assert_eq!(world.state_of_consumers(), "Stable");
    let quiet = world.beat(&two);
    assert_eq!((quiet.assignment, quiet.heartbeat_interval_ms), (None, 5_000), "nothing new");
}

#[test]
fn who_leaves_or_falls_silent_makes_room() {
    let settings = [("group.consumer.session.timeout.ms", "1000")];
    let mut world = world(3, None, &settings);
    let (mut one, mut two, mut three) = (Consumer::new("m1"), Consumer::new("m2"), Consumer::new("m3"));
    for _ in 0..3 {
        world.live(&mut one);
        world.live(&mut two);
    }
    let leaving = Consumer { epoch: -1, ..two.clone() };
    assert_eq!(world.beat(&leaving).member_epoch, -1);
    world.live(&mut one);
    assert_eq!(one.holds, set(&[0, 1]));
    assert_eq!(world.refused(&two), ResponseError::UnknownMemberId);
    world.live(&mut three);
    world.run(1_100);
    assert_eq!(world.refused(&one), ResponseError::UnknownMemberId, "silent for too long");
    assert_eq!(world.state_of_consumers(), "Empty");
    three.epoch = 0;
    three.holds.clear();
    world.live(&mut three);
    assert_eq!(three.holds, set(&[0, 1]));
}

#[test]
fn who_does_not_let_go_in_time_is_out() {
    let mut world = world(1, None, &[]);
    let (mut one, mut two) = (Consumer::new("m1"), Consumer::new("m2"));
    world.live(&mut one);
    world.live(&mut two);
    for _ in 0..3 {
        // It heartbeats, and goes on reading.
        assert_eq!(world.beat(&one).error_code, 0);
        world.run(600);
        world.live(&mut two);
    }
    world.run(300);
    assert_eq!(world.refused(&one), ResponseError::UnknownMemberId);
    world.live(&mut two);
    assert_eq!(two.holds, set(&[0, 1]));
}

#[test]
fn epochs_fence_and_a_lost_answer_does_not() {
    let mut world = world(1, None, &[]);
    let (mut one, mut two) = (Consumer::new("m1"), Consumer::new("m2"));
    world.live(&mut one);
    world.live(&mut two);
    world.live(&mut one);
    // This answer, which raises its epoch, never arrives: it comes again as it was.
    let lost = world.beat(&one);
    assert_eq!((one.epoch, lost.member_epoch), (1, 2));
    world.live(&mut one);
    assert_eq!(one.epoch, 2);
    let future = Consumer { epoch: 9, ..one.clone() };
    assert_eq!(world.refused(&future), ResponseError::FencedMemberEpoch);
    let past = Consumer { epoch: 1, holds: set(&[0, 1]), ..one.clone() };
    assert_eq!(world.refused(&past), ResponseError::FencedMemberEpoch, "it holds more than it may");
    let again = Consumer::new("m1");
    let response = world.beat(&again);
    assert_eq!(response.error_code, 0, "a fenced member joins again under its id");
    assert!(response.assignment.is_some());
}

#[test]
fn a_static_member_comes_back_to_what_it_had() {
    let mut world = world(3, None, &[]);
    let member =
        |id: &str, instance: &str| Consumer { instance: Some(instance.to_owned()), ..Consumer::new(id) };
    let (mut one, mut two) = (member("m1", "i1"), member("m2", "i2"));
    for _ in 0..3 {
        world.live(&mut one);
        world.live(&mut two);
    }
    let had = two.holds.clone();
    let mut again = member("m3", "i2");
    assert_eq!(world.refused(&again), ResponseError::UnreleasedInstanceId);
    let pausing = Consumer { epoch: -2, ..two.clone() };
    assert_eq!(world.beat(&pausing).member_epoch, -2);
    world.live(&mut one);
    assert_eq!(one.holds.len(), 1, "its place is kept");
    world.live(&mut again);
    assert_eq!(again.holds, had);
    assert_eq!(world.refused(&two), ResponseError::FencedInstanceId);
}

#[test]
fn topics_come_by_name_and_by_pattern() {
    let mut world = world(1, None, &[]);
    let mut one = Consumer { topics: Vec::new(), regex: Some("[s-u]"), ..Consumer::new("m1") };
    world.live(&mut one);
    assert_eq!(one.holds, set(&[0, 1]));
    let broken = Consumer { regex: Some("("), ..Consumer::new("m2") };
    assert_eq!(world.refused(&broken), ResponseError::InvalidRegularExpression);
    let mut other = Consumer { topics: vec!["absent"], ..Consumer::new("m3") };
    world.live(&mut other);
    assert_eq!((other.holds.len(), one.holds.len()), (0, 2));
    let nothing = Consumer::new("m4").request().with_subscribed_topic_names(None);
    let id = world.ask(1, GroupAsk::ConsumerHeartbeat(nothing));
    assert_eq!(world.beaten(id).expect("at once").error_code, ResponseError::InvalidRequest.code());
}

#[test]
fn offsets_are_committed_at_the_members_epoch_only() {
    let mut world = world(1, None, &[]);
    let mut one = Consumer::new("m1");
    world.live(&mut one);
    let mut client = Client { member: "m1".to_owned(), generation: 1, ..Client::new() };
    let code = |world: &mut World, client: &Client, version| {
        let id = world.ask(version, World::commit_request(client, 0, 5));
        world.committed(id).map(ResponseError::try_from_code)
    };
    assert_eq!(code(&mut world, &client, 9), Some(None));
    assert_eq!(code(&mut world, &client, 8), Some(Some(ResponseError::UnsupportedVersion)));
    client.generation = 0;
    assert_eq!(code(&mut world, &client, 9), Some(Some(ResponseError::StaleMemberEpoch)));
    client.member = "m9".to_owned();
    assert_eq!(code(&mut world, &client, 9), Some(Some(ResponseError::UnknownMemberId)));
    assert_eq!(world.position(0, false), Ok(5));
    let classic = world.join(&Client { version: 3, ..Client::new() }, &[("range", "m")]);
    assert_eq!(world.joined(classic).expect("at once").error_code, 23, "it is another kind of group");
    world.beat(&Consumer { epoch: -1, ..one });
    let mut classic = Client { version: 3, ..Client::new() };
    let joins = world.join(&classic, &[("range", "m")]);
    world.run(40);
    world.entered(&mut classic, joins);
    assert_eq!(world.position(0, false), Ok(5), "an empty group changes its kind and keeps its offsets");
}

#[test]
fn a_new_coordinator_knows_who_holds_what() {
    let mut world = world(3, None, &[]);
    let (mut one, mut two) = (Consumer::new("m1"), Consumer::new("m2"));
    world.live(&mut one);
    world.live(&mut two);
    let told = world.beat(&one);
    let old = world.coordinator();
    world.kill(old);
    assert!(world.run_until(5_000, |world| ![old, -1].contains(&world.coordinator())));
    world.run(200);
    world.live(&mut two);
    assert_eq!(two.holds, set(&[]), "the first one has not said that it let go");
    one.hear(&told);
    world.live(&mut one);
    world.live(&mut two);
    assert_eq!(&one.holds | &two.holds, set(&[0, 1]));
    assert!(one.holds.is_disjoint(&two.holds));
}

/// Members come, go, pause and lose answers while coordinators are killed and cut off: no partition is ever held
/// by two members that are not fenced, and in the end everything is read by somebody.
fn run(seed: u64) -> Result<(), String> {
    let settings = [("group.consumer.session.timeout.ms", "4000"), ("min.insync.replicas", "2")];
    let mut world = world(3, None, &settings);
    let mut chance = Chance(seed);
    let mut next = 0;
    let mut members: Vec<Consumer> = Vec::new();
    let mut deadlines: BTreeMap<String, u64> = BTreeMap::new();
    for step in 0..400 {
        let healing = step > 320;
        let up: Vec<i32> = world.nodes().into_iter().filter(|node| world.is_up(*node)).collect();
        match chance.below(100) {
            0..4 if !healing && members.len() < 4 => {
                next += 1;
                // The time to let go of something runs at the coordinator, and an answer may be long in coming:
                // who is thrown out by it knows only later. Here sessions alone end memberships.
                members.push(Consumer { rebalance_ms: 60_000, ..Consumer::new(&format!("m{next}")) });
            }
            4..6 if !healing && up.len() == 3 => world.kill(up[chance.below(3)]),
            6..16 => {
                for node in world.nodes() {
                    if !world.is_up(node) {
                        world.start(node);
                    }
                }
            }
            16..19 if !healing && members.len() > 1 => {
                let gone = members.remove(chance.below(members.len()));
                if gone.epoch > 0 && world.coordinator() > 0 {
                    world.beat_at(&Consumer { epoch: -1, ..gone });
                }
            }
            19..60 => world.run(100),
            _ if members.is_empty() => {}
            _ => {
                let at = chance.below(members.len());
                let now = world.now;
                let member = &mut members[at];
                // A client whose session may be over stops reading before anybody else is let in.
                if deadlines.get(&member.id).is_some_and(|deadline| now > *deadline) {
                    (member.epoch, member.holds) = (0, BTreeSet::new());
                }
                match world.beat_at(member) {
                    Some(response) if response.error_code == 0 => {
                        deadlines.insert(member.id.clone(), now + 1_500);
                        // Every fifth answer is lost.
                        match chance.below(5) > 0 {
                            true => member.hear(&response),
                            false => member.in_doubt = true,
                        }
                    }
                    response => member.fail(response),
                }
            }
        }
        let now = world.now;
        for partition in 0..2 {
            let alive = |one: &&Consumer| deadlines.get(&one.id).is_some_and(|deadline| now <= *deadline);
            let holders: Vec<&str> = members
                .iter()
                .filter(alive)
                .filter(|one| one.holds.contains(&partition))
                .map(|one| one.id.as_str())
                .collect();
            if holders.len() > 1 {
                return Err(format!("partition {partition} is held by {holders:?} at step {step}"));
            }
        }
    }
    for node in world.nodes() {
        if !world.is_up(node) {
            world.start(node);
        }
    }
    world.run(3_000);
    if members.is_empty() {
        members.push(Consumer::new("last"));
    }
    let mut quiet = 0;
    for _ in 0..300 {
        world.run(20);
        for member in &mut members {
            match world.beat_at(member) {
                Some(response) if response.error_code == 0 => member.hear(&response),
                response => member.fail(response),
            }
        }
        let owners = |partition| members.iter().filter(|member| member.holds.contains(&partition)).count();
        // Both partitions have one owner, and nothing is about to change.
        quiet = if [owners(0), owners(1)] == [1, 1] && world.state_of_consumers() == "Stable" {
            quiet + 1
        } else {
            0
        };
        if quiet == 10 {
            return Ok(());
        }
    }
    Err(format!("a partition has no owner, or two, in the end: {members:?}"))
}

impl World {
    /// A heartbeat to whoever coordinates, if anybody does and answers within what needs no time.
    fn beat_at(&mut self, consumer: &Consumer) -> Option<ConsumerGroupHeartbeatResponse> {
        let node = self.coordinator();
        if !self.is_up(node) {
            return None;
        }
        let id = self.ask_at(node, 1, GroupAsk::ConsumerHeartbeat(consumer.request()));
        self.settle();
        self.beaten(id)
    }
}

#[test]
fn no_partition_has_two_owners_under_any_schedule() {
    let seeds = std::env::var("HIGHWATER_SCHEDULES").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    for seed in 0..seeds {
        run(seed).unwrap_or_else(|what| panic!("seed {seed}: {what}"));
    }
}
