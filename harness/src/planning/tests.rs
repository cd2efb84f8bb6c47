//! Plans drawn from flags: what they hold, what is refused, and that the rerun line draws the same one.

use history::{Manner, Profile};

use super::*;

fn drawn(flags: &str) -> anyhow::Result<Drawn> {
    let words: Vec<String> = flags.split_whitespace().map(str::to_owned).collect();
    plan(&rerun::parse(&words).map_err(|error| anyhow::anyhow!("{error}"))?)
}

fn planned(flags: &str) -> Plan {
    drawn(flags).unwrap_or_else(|error| panic!("{flags}: {error:#}")).plan
}

fn refused(flags: &str) -> String {
    format!("{:#}", drawn(flags).expect_err(flags))
}

/// Kafka's rule (KIP-679): what was set explicitly switches the default off, and never fails on it.
#[test]
fn idempotence_is_the_default_unless_something_set_rules_it_out() {
    for ruled_out in [
        "--set acks=1",
        "--set acks=0",
        "--set retries=0",
        "--set max.in.flight.requests.per.connection=6",
        "-X max.in.flight=6",
        "-X acks=1",
    ] {
        let plan = planned(&format!("--seed 7 {ruled_out}"));
        assert!(!plan.cell.producer.contains_key("enable.idempotence"), "{ruled_out}");
    }
    let plan = planned("--seed 7 --set enable.idempotence=false");
    assert_eq!(plan.cell.producer["enable.idempotence"], "false");
}

#[test]
fn the_default_run_is_that_of_the_contract() {
    let plan = planned("--seed 7");
    assert_eq!((plan.target, plan.nodes, plan.seed), (TargetKind::Reference, 3, 7));
    assert_eq!(plan.nemeses, ["kill", "isolate-leader"]);
    assert_eq!(plan.schedule.len(), 2);
    assert_eq!(plan.cell.producer["acks"], "all");
    assert_eq!(plan.cell.topic["replication.factor"], "3");
    assert_eq!(plan.cell.topic["min.insync.replicas"], "2");
    assert_eq!(plan.cell.producer["enable.idempotence"], "true", "Kafka's own default");
    assert_eq!(plan.profile, Profile::Short);
    assert!(plan.profile_settings.contains(&"broker.broker.session.timeout.ms=1500".to_owned()));
    let load = &plan.load;
    assert_eq!((load.duration_ms, load.rate, load.producers, load.readers), (10_000, Some(500), 2, 1));
    assert_eq!((load.partitions, load.keys, load.sync), (4, 0, false));
    assert!(plan.checkers.contains(&"loss".to_owned()));
    assert_eq!(plan.topic, format!("highwater-{}", plan.run));
    assert_eq!(plan.rerun, "highwater run --seed 7");
}

#[test]
fn the_rerun_line_draws_the_same_plan() {
    for flags in [
        "--nemesis kill,pause --duration 30s --set acks=1 --seed 3",
        "--rate max --records 100 --keys 7 --sync --nemesis none --flaw duplicate-on-retry",
        "--set replication.factor=1 --nemesis kill -X linger.ms=3 --profile short",
    ] {
        let first = planned(flags);
        let again = planned(first.rerun.strip_prefix("highwater run").unwrap());
        let named = |plan: &Plan| Plan {
            run: String::new(),
            run_hash: history::RunHash(0),
            topic: String::new(),
            ..plan.clone()
        };
        assert_eq!(named(&first), named(&again), "{flags}");
    }
}

#[test]
fn what_is_given_wins_over_the_profile() {
    let plan = planned("--set broker.session.timeout.ms=2000 -X retry.backoff.ms=7 --nemesis kill");
    assert_eq!(plan.cell.broker["broker.session.timeout.ms"], "2000");
    assert!(!plan.cell.producer.contains_key("retry.backoff.ms"));
    assert!(
        !plan
            .profile_settings
            .iter()
            .any(|line| line.contains("session") || line.contains("retry.backoff.ms"))
    );
    assert!(plan.schedule[0].duration_ms >= 2700, "faults outlast the session that was set");
    assert!(planned("--profile production --nemesis none").profile_settings.is_empty());
    assert!(!planned("-X acks=1 --nemesis none").cell.producer.contains_key("acks"));
}

/// The profile fills in `delivery.timeout.ms`, which librdkafka knows by two names.
#[test]
fn a_property_given_by_either_name_is_not_filled_in() {
    for given in ["-X delivery.timeout.ms=7000", "-X message.timeout.ms=7000"] {
        let plan = planned(&format!("--seed 7 {given}"));
        let filled_in = plan.profile_settings.iter().any(|setting| setting.contains("delivery.timeout.ms"));
        assert!(!filled_in, "{given}: {:?}", plan.profile_settings);
    }
}

#[test]
fn one_replica_needs_no_second_setting() {
    assert_eq!(planned("--set replication.factor=1").cell.topic["min.insync.replicas"], "1");
}

#[test]
fn a_kafka_cluster_keeps_its_brokers_and_its_time_outs() {
    let plan = planned("--target kafka --bootstrap a:9092,[::1]:9093,c");
    assert_eq!((plan.profile, plan.nodes), (Profile::Production, 0));
    assert!(plan.nemeses.is_empty() && plan.schedule.is_empty());
    let short = planned("--target kafka --bootstrap a:1 --profile short");
    assert!(short.cell.broker.is_empty() && !short.profile_settings.is_empty());
}

#[test]
fn secrets_are_not_in_the_plan() {
    let drawn = drawn("-X sasl.password=hush --nemesis none").unwrap();
    assert_eq!(drawn.secrets["sasl.password"], "hush");
    assert!(!format!("{:?}", drawn.plan).contains("hush"));
}

#[test]
fn schedules_come_from_the_seed() {
    let manners: Vec<Manner> = (0..20)
        .flat_map(|seed| planned(&format!("--seed {seed}")).schedule)
        .map(|fault| fault.manner)
        .collect();
    assert!(manners.contains(&Manner::Held) && manners.contains(&Manner::Reset));
    assert_eq!(planned("--seed 5").schedule, planned("--seed 5").schedule);
}

#[test]
fn mistakes_are_refused_with_a_remedy() {
    for (flags, says) in [
        ("--set ack=1", "unknown setting `ack` (did you mean `acks`?)"),
        ("--set acks=two", "setting `acks` cannot be `two`"),
        ("--set transactional.id=t", "not in this build"),
        ("-X transactional.id=t", "not in this build"),
        ("-X bootstrap.servers=a:1", "--target kafka --bootstrap"),
        ("-X no.such.property=1 --nemesis none", "no.such.property"),
        ("--set min.insync.replicas=4", "`min.insync.replicas=4` is more than `replication.factor=3`"),
        ("--set replication.factor=4", "more than the 3 nodes"),
        ("--set enable.idempotence=true --set acks=0", "needs `acks=all`"),
        ("--set enable.idempotence=true -X acks=0", "needs `acks=all`"),
        ("--target kafka", "--bootstrap HOST:PORT"),
        ("--bootstrap a:1", "--target kafka"),
        ("--target kafka --bootstrap a:b", "no address of a broker"),
        ("--target kafka --bootstrap a:1,,b:1", "no address of a broker"),
        ("--target kafka --bootstrap a:1 --nemesis kill", "--nemesis none"),
        ("--target kafka --bootstrap a:1 --set broker.num.partitions=3", "set it on the cluster"),
        ("--target kafka --bootstrap a:1 --flaw ack-before-append", "reference broker only"),
        ("--flaw omit-aborted", "highwater cluster up --flaw omit-aborted"),
        ("--nemesis none,kill", "stands alone"),
        ("--nemesis kill,kill", "named twice"),
        ("--duration 1s", "--duration"),
        ("--records 0", "at least 1"),
        ("--topic a/b --nemesis none", "no name Kafka takes"),
        ("--config /no/such/file", "failed to read `/no/such/file`"),
    ] {
        let error = refused(flags);
        assert!(error.contains(says), "{flags}: {error}");
        assert!(!error.contains('\n'), "{flags}: {error}");
    }
}
