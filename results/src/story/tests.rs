//! A story holds everything a reader needs to believe the finding, or to refute it.

use checkers::testing::specimens;
use checkers::{Finding, Judgement, judge};
use history::exchange::{Source, detect, import};
use history::{Cell, History, Plan};
use serde_json::Value;

use super::Story;

/// Record 2 of key 7 is acknowledged at offset 1, read past by process 1, and never seen.
const LOST: &str = r#"{"type":"invoke","f":"send","process":0,"time":1000,"value":[["send",7,1]]}
{"type":"ok","f":"send","process":0,"time":2000,"value":[["send",7,[0,1]]]}
{"type":"invoke","f":"send","process":0,"time":3000,"value":[["send",7,2]]}
{"type":"ok","f":"send","process":0,"time":4000,"value":[["send",7,[1,2]]]}
{"type":"invoke","f":"send","process":0,"time":5000,"value":[["send",7,3]]}
{"type":"ok","f":"send","process":0,"time":6000,"value":[["send",7,[2,3]]]}
{"type":"invoke","f":"poll","process":1,"time":7000,"value":[["poll"]]}
{"type":"ok","f":"poll","process":1,"time":8000,"value":[["poll",{"7":[[0,1],[2,3]]}]]}"#;

fn foreign(text: &str) -> History {
    let mut source = Source::bytes("lost.jsonl", text);
    let format = detect(&mut source).unwrap().unwrap();
    import(&mut source, format, Plan::imported("lost.jsonl", Cell::default())).unwrap().history
}

fn of_kind<'j>(judgement: &'j Judgement, kind: &str) -> &'j Finding {
    judgement.findings.iter().find(|finding| finding.kind == kind).expect("it is found")
}

fn told(history: &History, kind: &str, number: usize) -> Option<Story> {
    let judgement = judge(history);
    let mut story = Story::of(history, &judgement, of_kind(&judgement, kind), number, &[])?;
    story.again = vec!["highwater check RUN".to_owned()];
    Some(story)
}

#[test]
fn a_lost_record_is_told_from_send_to_the_reader_that_went_past_it() {
    let history = foreign(LOST);
    let text = told(&history, "lost-write", 1).expect("the first witness").text(120);
    insta::assert_snapshot!(text, @r#"
    lost-write 1 of 1 (checker loss): value 2 was acknowledged at offset 1 of partition 7, and client-1 read on to offset 2
      without it
    lost-write: an acknowledged record is not in the final log

    what was promised
      acknowledged records are kept: must hold, because acks=all with min.insync.replicas of 2 or more confirms what at
        least two replicas have, and only those are elected
      it is broken: 1 of 3 acknowledged records lost
      source: guarantees §2; KIP-966
      lost.jsonl: a history from elsewhere
      assumed, because the history does not tell: acks=all, enable.idempotence=true, retries=2147483647,
        replication.factor=3, min.insync.replicas=2, unclean.leader.election.enable=false, isolation.level=read_committed

    what happened
      +0.000002 s  client-0  send (line 4) begins
      +0.000003 s  client-0  send (line 4) is ok: sent 2 to partition 7 at offset 1
      +0.000006 s  client-1  poll (line 8) begins
      +0.000007 s  client-1  poll (line 8) is ok: polled 1 (7@0), 3 (7@2)
      records: 3 sent, 3 acknowledged, 3 in the log, 2 delivered to readers; 0 leader changes

    what each side saw
      client-0: sent record 2 and was told that it is acknowledged, at offset 1
      client-1: read 2 records of partition 7 between offsets 0 and 2; record 2 was not among them; it went from offset 0 to
        2, past 1

    the fault then
      the history tells of no fault

    see it again
      highwater check RUN
    "#);
    for number in [0, 2] {
        assert!(told(&history, "lost-write", number).is_none());
    }
}

#[test]
fn a_run_of_ours_is_told_with_its_log() {
    let specimens = specimens();
    let of = |wanted: &str| &specimens.iter().find(|(kind, _)| *kind == wanted).expect("it is there").1;
    insta::assert_snapshot!(told(of("nonmonotonic-send"), "nonmonotonic-send", 1).unwrap().text(110), @r#"
    nonmonotonic-send 1 of 1 (checker order): p0#1 was sent after p0#0, and lies at offset 0 of partition 0
      against offset 1 of partition 0
    nonmonotonic-send: an acknowledged record lies before one that its producer sent earlier

    what was promised
      acknowledged records of a producer lie in the order of sending: must hold, because an idempotent producer
        numbers its batches, and brokers that lose nothing refuse copies and gaps
      it is broken: 1 of 2 acknowledged records before their predecessor
      source: guarantees §3; KIP-98
      r-test: reference cluster of 3 nodes, workload log, nemesis none, seed 1
      assumed, because the history does not tell: acks=all, enable.idempotence=true, retries=2147483647,
        replication.factor=3, min.insync.replicas=2, unclean.leader.election.enable=false,
        isolation.level=read_committed

    what happened
      +0.000000 s  runner-0    phase load begins
      +0.001000 s  producer-0  sends record p0#0 to partition 0
      +0.002000 s  producer-0  is told that record p0#0 is acknowledged at offset 1
      +0.003000 s  producer-0  sends record p0#1 to partition 0
      +0.004000 s  producer-0  is told that record p0#1 is acknowledged at offset 0
      +0.006000 s  drain-0     is given record p0#1 at offset 0 of partition 0
      +0.008000 s  drain-0     is given record p0#0 at offset 1 of partition 0
      +0.011000 s  drain-0     has read partition 0 up to its fence
      records: 2 sent, 2 acknowledged, 2 in the log, 0 delivered to readers; 0 leader changes

    what each side saw
      producer-0: sent record p0#1 and was told that it is acknowledged, at offset 0
      producer-0: sent record p0#0 and was told that it is acknowledged, at offset 1
      drain-0 (log): read 3 records of partition 0 between offsets 0 and 2; record p0#1 was at offset 0; record
        p0#0 was at offset 1

    the fault then
      the history tells of no fault

    see it again
      highwater check RUN
    "#);
    insta::assert_snapshot!(told(of("unavailable"), "unavailable", 1).unwrap().text(110), @r#"
    unavailable 1 of 1 (checker availability): partition 1 is unavailable after healing: no record could be
      written there in time
    unavailable: a partition could not be written or read again after every fault was healed

    what was promised
      every partition serves again after healing: must hold, because once every fault is healed, every partition
        must be writable and readable again
      it is broken: partitions that do not serve after healing: 1
      source: guarantees §8
      r-test: reference cluster of 3 nodes, workload log, nemesis none, seed 1
      assumed, because the history does not tell: acks=all, enable.idempotence=true, retries=2147483647,
        replication.factor=3, min.insync.replicas=2, unclean.leader.election.enable=false,
        isolation.level=read_committed

    what happened
      +0.000000 s  runner-0  phase load begins
      +0.008000 s  runner-0  phase drain begins
      +0.009000 s  runner-0  phase end begins
      records: 1 sent, 1 acknowledged, 1 in the log, 0 delivered to readers; 0 leader changes

    the fault then
      the history tells of no fault

    see it again
      highwater check RUN
    "#);
}

#[test]
fn what_nodes_said_of_the_partition_is_told_and_of_others_not() {
    let specimens = specimens();
    let history = &specimens.iter().find(|(kind, _)| *kind == "nonmonotonic-send").expect("it is there").1;
    let judgement = judge(history);
    let said = |node: &str, text: &str| crate::NodeLine {
        at: history.sends().next().expect("a send").invoked,
        error_ns: 0,
        node: node.to_owned(),
        text: text.to_owned(),
    };
    let nodes =
        [said("node-1", "t-0: leads"), said("node-1", "t-1: leads"), said("controller", "broker 2: fenced")];
    let finding = of_kind(&judgement, "nonmonotonic-send");
    let text = Story::of(history, &judgement, finding, 1, &nodes).expect("a story").text(100);
    assert!(
        text.contains("node-1      partition 0: leads") && text.contains("controller  broker 2: fenced"),
        "{text}"
    );
    assert!(!text.contains("t-1") && !text.contains("partition 1"), "{text}");
}

/// Each kind, in runs of ours and in histories from elsewhere: every witness of every finding has its story.
#[test]
fn every_kind_of_finding_has_a_story() {
    for (kind, history) in specimens() {
        let judgement = judge(&history);
        for finding in &judgement.findings {
            for number in 1..=finding.examples.len().max(1) {
                let story = Story::of(&history, &judgement, finding, number, &[])
                    .unwrap_or_else(|| panic!("{kind}: no story {number} of {finding:#?}"));
                tells(&story, finding, number);
            }
        }
    }
}

fn tells(story: &Story, finding: &Finding, number: usize) {
    let text = story.text(100);
    let say = |what: &str| format!("{}: {what}:\n{text}", finding.kind);
    for section in ["\nwhat was promised\n", "\nwhat happened\n", "\nthe fault then\n", "\nsee it again\n"] {
        assert!(text.contains(section), "{}", say(section));
    }
    assert!(story.meaning.is_some_and(|meaning| !meaning.is_empty()), "{}", say("no meaning"));
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{}", say("too wide"));
    assert!(story.events.is_sorted_by_key(|event| event.at_ns), "{}", say("out of order"));
    assert!(story.events.len() <= super::events::EVENTS_MAX, "{}", say("too long"));
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let Some(witness) = finding.examples.get(number - 1) else { return };
    assert!(
        words.contains(&witness.text.split_whitespace().collect::<Vec<_>>().join(" ")),
        "{}",
        say("what it is")
    );
    // What it is about comes up in what happened, and in what somebody saw.
    let happened: Vec<&str> = story.events.iter().map(|event| event.what.as_str()).collect();
    let saw: Vec<&str> = story.sides.iter().map(|side| side.saw.as_str()).collect();
    if let Some(offset) = witness.offset.filter(|_| !witness.operations.is_empty() || witness.tag.is_some()) {
        let offset = offset.to_string();
        assert!(happened.iter().chain(&saw).any(|what| what.contains(&offset)), "{}", say("no offset"));
    }
    if witness.tag.is_some() || !witness.operations.is_empty() {
        assert!(happened.len() >= 2, "{}", say("hardly anything happened"));
        assert!(!saw.is_empty() || witness.partition.is_none(), "{}", say("nobody saw anything"));
    }
    let value: Value = serde_json::to_value(story).expect("a story is JSON");
    for (name, expected) in [("kind", &finding.kind), ("checker", &finding.checker), ("what", &witness.text)]
    {
        assert_eq!(value[name].as_str(), Some(expected.as_str()), "{}", say(name));
    }
    assert_eq!(value["events"].as_array().map(Vec::len), Some(story.events.len()));
}
