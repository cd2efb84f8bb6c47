//! Topics: creating, growing, describing and deleting them, and every way to be refused.

use kafka_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    BrokerId, CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, MetadataRequest,
};
use uuid::Uuid;

use super::probe::{Probe, error, text, topic};

fn plain(name: &str) -> CreatableTopic {
    CreatableTopic::default().with_name(topic(name)).with_num_partitions(1).with_replication_factor(1)
}

fn configured(name: &str, settings: &[(&str, &str)]) -> CreatableTopic {
    let configs = settings.iter().map(|(name, value)| {
        CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)))
    });
    plain(name).with_configs(configs.collect())
}

fn assigned(name: &str, assignments: &[(i32, &[i32])]) -> CreatableTopic {
    let assignments = assignments.iter().map(|(partition, brokers)| {
        CreatableReplicaAssignment::default()
            .with_partition_index(*partition)
            .with_broker_ids(brokers.iter().map(|id| BrokerId(*id)).collect())
    });
    plain(name).with_num_partitions(-1).with_replication_factor(-1).with_assignments(assignments.collect())
}

/// The probe's timestamps are constants, years old: nothing may be deleted or rolled for its age.
const AGELESS: [(&str, &str); 2] = [("retention.ms", "-1"), ("segment.ms", "9223372036854775807")];

/// Creates a topic for another scenario, and waits until it has a leader.
pub(super) fn create(probe: &mut Probe, name: &str, partitions: i32, settings: &[(&str, &str)]) -> Uuid {
    let named = |name: &str| settings.iter().any(|(given, _)| *given == name);
    let ageless = AGELESS.into_iter().filter(|(name, _)| !named(name));
    let settings: Vec<(&str, &str)> = settings.iter().copied().chain(ageless).collect();
    let wanted = configured(name, &settings).with_num_partitions(partitions);
    let request = CreateTopicsRequest::default().with_topics(vec![wanted]).with_timeout_ms(10_000);
    let code = probe.ask(&request, 7).topics[0].error_code;
    assert_eq!(code, 0, "`{name}` is created: {}", error(code));
    let asked = MetadataRequestTopic::default().with_name(Some(topic(name)));
    let request = MetadataRequest::default().with_topics(Some(vec![asked]));
    for _ in 0..400 {
        let answer = probe.ask(&request, 12).topics.remove(0);
        let led = answer.partitions.iter().all(|partition| partition.leader_id.0 >= 0);
        if answer.error_code == 0 && led && !answer.partitions.is_empty() {
            return answer.topic_id;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(25));
    }
    panic!("`{name}` has no leader");
}

fn try_create(probe: &mut Probe, step: &str, wanted: Vec<CreatableTopic>, validate_only: bool) {
    let request = CreateTopicsRequest::default()
        .with_topics(wanted)
        .with_timeout_ms(10_000)
        .with_validate_only(validate_only);
    let answer = probe.ask(&request, 7);
    let mut results: Vec<String> = answer
        .topics
        .iter()
        .map(|each| {
            let shape = format!("{} partitions, {} replicas", each.num_partitions, each.replication_factor);
            if each.error_code == 0 { format!("ok, {shape}") } else { error(each.error_code) }
        })
        .collect();
    results.sort();
    probe.note(step, results.join("; "));
}

pub(super) fn run(probe: &mut Probe) {
    probe.area("topics");
    try_create(probe, "create", vec![plain("plain")], false);
    try_create(probe, "create again", vec![plain("plain")], false);
    try_create(probe, "validate only", vec![plain("ghost")], true);
    try_create(probe, "create after validating", vec![plain("ghost")], false);
    let defaults = plain("defaults").with_num_partitions(-1).with_replication_factor(-1);
    try_create(probe, "create with defaults", vec![defaults], false);
    try_create(probe, "one name twice", vec![plain("twice"), plain("twice")], false);
    for count in [0, -2] {
        let wanted = plain("bad-count").with_num_partitions(count);
        try_create(probe, &format!("{count} partitions"), vec![wanted], false);
    }
    for count in [0, -2, 2, 4] {
        let wanted = plain("bad-replicas").with_replication_factor(count);
        try_create(probe, &format!("{count} replicas"), vec![wanted], false);
    }
    let long = "n".repeat(250);
    for name in ["", ".", "..", "a b", "umlaut-ü", &long, "__consumer_offsets_of_mine"] {
        let shown = if name.len() > 40 { "250 letters" } else { name };
        try_create(probe, &format!("name `{shown}`"), vec![plain(name)], false);
    }
    for (name, value) in [
        ("no.such.setting", "1"),
        ("retention.ms", "soon"),
        ("retention.ms", "-2"),
        ("cleanup.policy", "shred"),
        ("cleanup.policy", "compact,delete"),
        ("min.insync.replicas", "0"),
        ("segment.bytes", "1"),
        ("max.message.bytes", "-1"),
        ("unclean.leader.election.enable", "perhaps"),
        ("message.timestamp.type", "WhenEver"),
        ("compression.type", "zip"),
        ("flush.messages", "0"),
        ("min.cleanable.dirty.ratio", "2"),
    ] {
        let wanted = configured(&format!("set-{name}-{}", value.replace(',', "-")), &[(name, value)]);
        try_create(probe, &format!("{name}={value}"), vec![wanted], false);
    }
    try_create(probe, "own assignment", vec![assigned("own", &[(0, &[1]), (1, &[1])])], false);
    let both = assigned("both", &[(0, &[1])]).with_num_partitions(1);
    try_create(probe, "assignment and a count", vec![both], false);
    try_create(probe, "assignment with a gap", vec![assigned("gap", &[(0, &[1]), (2, &[1])])], false);
    try_create(probe, "assignment to nobody", vec![assigned("nobody", &[(0, &[])])], false);
    try_create(probe, "assignment to a stranger", vec![assigned("stranger", &[(0, &[77])])], false);
    try_create(probe, "assignment twice to one", vec![assigned("twins", &[(0, &[1, 1])])], false);

    for (step, name, count, assignments) in [
        ("grow", "plain", 3, None),
        ("grow to the same", "plain", 3, None),
        ("shrink", "plain", 1, None),
        ("grow to nothing", "plain", 0, None),
        ("grow a stranger", "stranger", 2, None),
        ("grow with too few assignments", "plain", 6, Some(vec![vec![1]])),
        ("grow with an assignment", "plain", 4, Some(vec![vec![1]])),
        ("grow to a stranger", "plain", 5, Some(vec![vec![77]])),
    ] {
        grow(probe, step, name, count, assignments);
    }
    describe(probe, "metadata", "plain");
    describe(probe, "metadata of a stranger", "stranger");
    describe(probe, "metadata of a bad name", "a b");
    by_id(probe, "metadata by an unknown id", Uuid::from_u128(77));

    for (step, name) in [("delete", "plain"), ("delete again", "plain"), ("delete a bad name", "a b")] {
        let state = DeleteTopicState::default().with_name(Some(topic(name)));
        delete(probe, step, state);
    }
    delete(probe, "delete an unknown id", DeleteTopicState::default().with_topic_id(Uuid::from_u128(77)));
    describe(probe, "metadata after deletion", "plain");
    try_create(probe, "create after deletion", vec![plain("plain")], false);
}

fn grow(probe: &mut Probe, step: &str, name: &str, count: i32, assignments: Option<Vec<Vec<i32>>>) {
    let assignments = assignments.map(|all| {
        let each = |ids: Vec<i32>| {
            CreatePartitionsAssignment::default().with_broker_ids(ids.into_iter().map(BrokerId).collect())
        };
        all.into_iter().map(each).collect()
    });
    let wanted = CreatePartitionsTopic::default()
        .with_name(topic(name))
        .with_count(count)
        .with_assignments(assignments);
    let request = CreatePartitionsRequest::default().with_topics(vec![wanted]).with_timeout_ms(10_000);
    let answer = probe.ask(&request, 3);
    probe.note(step, error(answer.results[0].error_code));
}

fn describe(probe: &mut Probe, step: &str, name: &str) {
    metadata(probe, step, MetadataRequestTopic::default().with_name(Some(topic(name))));
}

fn by_id(probe: &mut Probe, step: &str, id: Uuid) {
    metadata(probe, step, MetadataRequestTopic::default().with_name(None).with_topic_id(id));
}

fn metadata(probe: &mut Probe, step: &str, asked: MetadataRequestTopic) {
    let request =
        MetadataRequest::default().with_topics(Some(vec![asked])).with_allow_auto_topic_creation(false);
    let answer = probe.ask(&request, 12).topics.remove(0);
    probe.note(
        step,
        format!(
            "{}, {} partitions, internal {}, has an id {}",
            error(answer.error_code),
            answer.partitions.len(),
            answer.is_internal,
            !answer.topic_id.is_nil()
        ),
    );
}

fn delete(probe: &mut Probe, step: &str, state: DeleteTopicState) {
    let request = DeleteTopicsRequest::default().with_topics(vec![state]).with_timeout_ms(10_000);
    let answer = probe.ask(&request, 6);
    probe.note(step, error(answer.responses[0].error_code));
}
