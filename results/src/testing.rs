//! Plans and judgements made by hand: the main cases every rendering is tried on.

use checkers::{
    Counts, Expectation, FaultEvidence, Figures, Finding, Judged, Judgement, VERDICT_VERSION, Witness, Word,
};
use history::plan::PLAN_VERSION;
use history::{Cell, FaultClass, Load, Offset, Partition, Plan, Profile, RunHash, Tag, TargetKind};

pub(crate) fn plan(acks: &str, min_isr: &str) -> Plan {
    let mut cell = Cell::default();
    cell.producer.insert("acks".to_owned(), acks.to_owned());
    cell.topic.insert("min.insync.replicas".to_owned(), min_isr.to_owned());
    cell.topic.insert("replication.factor".to_owned(), "3".to_owned());
    cell.broker.insert("replica.lag.time.max.ms".to_owned(), "1500".to_owned());
    Plan {
        version: PLAN_VERSION,
        run: "r-20261121-000007".to_owned(),
        run_hash: RunHash(1),
        seed: 7,
        target: TargetKind::Reference,
        bootstrap: None,
        nodes: 3,
        workload: "log".to_owned(),
        nemeses: vec!["isolate-leader".to_owned()],
        checkers: vec!["loss".to_owned()],
        load: Load {
            duration_ms: 10_000,
            rate: Some(500),
            records: None,
            producers: 2,
            readers: 1,
            partitions: 4,
            payload_bytes: 100,
            keys: 0,
            sync: false,
        },
        cell,
        profile: Profile::Short,
        profile_settings: vec!["broker.replica.lag.time.max.ms=1500".to_owned()],
        topic: "highwater-log".to_owned(),
        flaw: None,
        schedule: Vec::new(),
        rerun: format!(
            "highwater run --set acks={acks} --set min.insync.replicas={min_isr} --nemesis isolate-leader --seed 7"
        ),
    }
}

fn judgement(word: Word, headline: &str, guarantees: Vec<Judged>) -> Judgement {
    Judgement {
        schema_version: VERDICT_VERSION,
        run: "r-20261121-000007".to_owned(),
        word,
        headline: headline.to_owned(),
        guarantees,
        findings: Vec::new(),
        faults: vec![FaultEvidence {
            fault: 1,
            nemesis: "isolate-leader".to_owned(),
            class: FaultClass::IsolateLeader,
            bitten: true,
            detail: "node 2 was cut off for 4.1 s while node 3 took over partition 1".to_owned(),
            recovery_ms: Some(2_130),
        }],
        counts: Counts {
            sent: 10_000,
            acked: 9_900,
            failed: 100,
            in_doubt: 100,
            in_log: 9_950,
            delivered: 9_950,
            leader_changes: 2,
            retries: 31,
            ..Counts::default()
        },
        figures: Figures {
            throughput: 990.4,
            p50_ms: 2.34,
            p99_ms: 1_843.2,
            recovery_ms: Some(2_130),
            ..Figures::default()
        },
        caveats: Vec::new(),
        assumed: Vec::new(),
    }
}

fn acknowledged(expectation: Expectation, reason: &str, word: Word, seen: &str) -> Judged {
    Judged {
        guarantee: "acknowledged-loss".to_owned(),
        promise: "acknowledged records are kept".to_owned(),
        expectation,
        reason: reason.to_owned(),
        source: "guarantees §2".to_owned(),
        word,
        seen: seen.to_owned(),
        advice: None,
    }
}

fn loss(count: u64) -> Finding {
    Finding {
        checker: "loss".to_owned(),
        kind: "lost-write".to_owned(),
        count,
        summary: format!("{count} of 9900 acknowledged records lost: the last ones of the old leader"),
        examples: (0..5)
            .map(|seq| Witness {
                text: format!(
                    "p0#{seq} was acknowledged at offset {} of partition 1, which now holds p1#9",
                    210 + seq
                ),
                tag: Some(Tag { producer: 0, session: 0, seq }),
                partition: Some(Partition(1)),
                offset: Some(Offset(210 + seq as i64)),
                at_ms: Some(3_000 + 400 * seq),
                fault: Some(1),
                operations: Vec::new(),
            })
            .collect(),
        picture: None,
        allowed: None,
    }
}

const ALL: &str = "acks=all with min.insync.replicas=2 survives any number of kills, pauses and partitions";

pub(crate) fn held() -> (Plan, Judgement) {
    let duplicates = Judged {
        guarantee: "duplicates".to_owned(),
        promise: "no record is in the log twice".to_owned(),
        expectation: Expectation::MayBreak,
        reason: "a retried batch may be appended twice without idempotence".to_owned(),
        source: "guarantees §3".to_owned(),
        word: Word::NotSeen,
        seen: "0 duplicates".to_owned(),
        advice: Some("set enable.idempotence=true: brokers then recognise a retried batch".to_owned()),
    };
    let guarantees = vec![
        acknowledged(Expectation::MustHold, ALL, Word::Held, "0 of 9900 acknowledged records lost"),
        duplicates,
    ];
    let headline = "acknowledged records are kept: 0 of 9900 acknowledged records lost, under isolate-leader";
    (plan("all", "2"), judgement(Word::Held, headline, guarantees))
}

pub(crate) fn shown() -> (Plan, Judgement) {
    let mut lost = acknowledged(
        Expectation::MayBreak,
        "with acks=1 only the leader has a record when it is acknowledged",
        Word::Shown,
        "1312 of 9900 acknowledged records lost",
    );
    lost.advice =
        Some("set acks=all and min.insync.replicas=2: a second replica then has every record".to_owned());
    let headline = "1312 of 9900 acknowledged records lost, as acks=1 allows";
    let mut judgement = judgement(Word::Shown, headline, vec![lost]);
    judgement.findings.push(loss(1312));
    (plan("1", "1"), judgement)
}

pub(crate) fn broken() -> (Plan, Judgement) {
    let lost = acknowledged(Expectation::MustHold, ALL, Word::Broken, "3 of 9900 acknowledged records lost");
    let headline = "3 of 9900 acknowledged records lost, though acks=all promises they are kept";
    let mut judgement = judgement(Word::Broken, headline, vec![lost]);
    judgement.findings.push(loss(3));
    judgement.findings[0].examples.truncate(3);
    let mut plan = plan("all", "2");
    plan.flaw = Some("ack-before-append".to_owned());
    (plan, judgement)
}

pub(crate) fn vacuous() -> (Plan, Judgement) {
    let untried =
        acknowledged(Expectation::MustHold, ALL, Word::NotExercised, "0 of 9900 acknowledged records lost");
    let headline = "nothing was put to the test: no other broker took over (raise `--duration`)";
    let mut judgement = judgement(Word::NotExercised, headline, vec![untried]);
    judgement.faults[0].bitten = false;
    judgement.faults[0].detail = "no other broker took over (raise `--duration`)".to_owned();
    judgement.faults[0].recovery_ms = None;
    (plan("all", "2"), judgement)
}

pub(crate) fn indeterminate() -> (Plan, Judgement) {
    let unknown =
        acknowledged(Expectation::MustHold, ALL, Word::Indeterminate, "0 of 9900 acknowledged records lost");
    let headline = "nobody can say: partition 2 was not read to its fence";
    let mut judgement = judgement(Word::Indeterminate, headline, vec![unknown]);
    judgement.caveats.push("partition 2 was not read to its fence".to_owned());
    judgement.counts.unplanned_leader_changes = 1;
    judgement.assumed.push("acks=all".to_owned());
    (plan("all", "2"), judgement)
}
