//! The verdict table in the main cases, pinned as people see it.

use insta::assert_snapshot;

use super::render_human;
use crate::testing::{broken, held, indeterminate, shown, vacuous};

#[test]
fn a_kept_promise() {
    let (plan, judgement) = held();
    assert_snapshot!(render_human(&plan, &judgement, 100, false), @r#"
    HELD: acknowledged records are kept: 0 of 9900 acknowledged records lost, under isolate-leader
    r-20261121-000007: reference cluster of 3 nodes, workload log, nemesis isolate-leader, seed 7
    settings: min.insync.replicas=2, replication.factor=3, acks=all

    ╭──────────────────────────┬────────────────────────────┬──────────┬────────────────────────╮
    │ guarantee                │ promised                   │ seen     │ evidence               │
    ├──────────────────────────┼────────────────────────────┼──────────┼────────────────────────┤
    │ acknowledged records are │ must hold: acks=all with   │ held     │ 0 of 9900 acknowledged │
    │ kept                     │ min.insync.replicas=2      │          │ records lost           │
    │                          │ survives any number of     │          │                        │
    │                          │ kills, pauses and          │          │                        │
    │                          │ partitions                 │          │                        │
    │ no record is in the log  │ may break: a retried batch │ not seen │ 0 duplicates           │
    │ twice                    │ may be appended twice      │          │                        │
    │                          │ without idempotence        │          │                        │
    ╰──────────────────────────┴────────────────────────────┴──────────┴────────────────────────╯

    what to change
      no record is in the log twice: set enable.idempotence=true: brokers then recognise a retried batch

    faults
      1 isolate-leader bit: node 2 was cut off for 4.1 s while node 3 took over partition 1; written
        again after 2.1 s

    records: 10000 sent, 9900 acknowledged, 100 reported failed, 100 in doubt, 9950 in the log, 9950
      delivered to readers; 2 leader changes; 31 requests retried
    speed: 990 records/s acknowledged, latency p50 2.3 ms, p99 1843 ms, longest recovery 2.1 s
    changed to fit a short run: broker.replica.lag.time.max.ms=1500
    again: highwater run --set acks=all --set min.insync.replicas=2 --nemesis isolate-leader --seed 7
    "#);
}

#[test]
fn a_loss_that_the_settings_allow() {
    let (plan, judgement) = shown();
    assert_snapshot!(render_human(&plan, &judgement, 100, false), @r#"
    SHOWN: 1312 of 9900 acknowledged records lost, as acks=1 allows
    r-20261121-000007: reference cluster of 3 nodes, workload log, nemesis isolate-leader, seed 7
    settings: min.insync.replicas=1, replication.factor=3, acks=1

    ╭──────────────────────────┬─────────────────────────────┬───────┬───────────────────────────╮
    │ guarantee                │ promised                    │ seen  │ evidence                  │
    ├──────────────────────────┼─────────────────────────────┼───────┼───────────────────────────┤
    │ acknowledged records are │ may break: with acks=1 only │ shown │ 1312 of 9900 acknowledged │
    │ kept                     │ the leader has a record     │       │ records lost              │
    │                          │ when it is acknowledged     │       │                           │
    ╰──────────────────────────┴─────────────────────────────┴───────┴───────────────────────────╯

    what to change
      acknowledged records are kept: set acks=all and min.insync.replicas=2: a second replica then has
        every record

    faults
      1 isolate-leader bit: node 2 was cut off for 4.1 s while node 3 took over partition 1; written
        again after 2.1 s

    findings
      lost-write x1312 (loss): 1312 of 9900 acknowledged records lost: the last ones of the old leader
        - p0#0 was acknowledged at offset 210 of partition 1, which now holds p1#9 (at 3.0 s, during
          fault 1)
        - p0#1 was acknowledged at offset 211 of partition 1, which now holds p1#9 (at 3.4 s, during
          fault 1)
        - p0#2 was acknowledged at offset 212 of partition 1, which now holds p1#9 (at 3.8 s, during
          fault 1)
        - and 1309 more (verdict.json names the first 5)

    records: 10000 sent, 9900 acknowledged, 100 reported failed, 100 in doubt, 9950 in the log, 9950
      delivered to readers; 2 leader changes; 31 requests retried
    speed: 990 records/s acknowledged, latency p50 2.3 ms, p99 1843 ms, longest recovery 2.1 s
    changed to fit a short run: broker.replica.lag.time.max.ms=1500
    again: highwater run --set acks=1 --set min.insync.replicas=1 --nemesis isolate-leader --seed 7
    "#);
}

#[test]
fn a_broken_promise() {
    let (plan, judgement) = broken();
    assert_snapshot!(render_human(&plan, &judgement, 100, false), @r#"
    BROKEN: 3 of 9900 acknowledged records lost, though acks=all promises they are kept
    r-20261121-000007: reference cluster of 3 nodes, workload log, nemesis isolate-leader, planted flaw
      ack-before-append, seed 7
    settings: min.insync.replicas=2, replication.factor=3, acks=all

    ╭──────────────────────────┬──────────────────────────┬────────┬────────────────────────╮
    │ guarantee                │ promised                 │ seen   │ evidence               │
    ├──────────────────────────┼──────────────────────────┼────────┼────────────────────────┤
    │ acknowledged records are │ must hold: acks=all with │ broken │ 3 of 9900 acknowledged │
    │ kept                     │ min.insync.replicas=2    │        │ records lost           │
    │                          │ survives any number of   │        │                        │
    │                          │ kills, pauses and        │        │                        │
    │                          │ partitions               │        │                        │
    ╰──────────────────────────┴──────────────────────────┴────────┴────────────────────────╯

    faults
      1 isolate-leader bit: node 2 was cut off for 4.1 s while node 3 took over partition 1; written
        again after 2.1 s

    findings
      lost-write x3 (loss): 3 of 9900 acknowledged records lost: the last ones of the old leader
        - p0#0 was acknowledged at offset 210 of partition 1, which now holds p1#9 (at 3.0 s, during
          fault 1)
        - p0#1 was acknowledged at offset 211 of partition 1, which now holds p1#9 (at 3.4 s, during
          fault 1)
        - p0#2 was acknowledged at offset 212 of partition 1, which now holds p1#9 (at 3.8 s, during
          fault 1)

    records: 10000 sent, 9900 acknowledged, 100 reported failed, 100 in doubt, 9950 in the log, 9950
      delivered to readers; 2 leader changes; 31 requests retried
    speed: 990 records/s acknowledged, latency p50 2.3 ms, p99 1843 ms, longest recovery 2.1 s
    changed to fit a short run: broker.replica.lag.time.max.ms=1500
    again: highwater run --set acks=all --set min.insync.replicas=2 --nemesis isolate-leader --seed 7
    "#);
}

#[test]
fn a_fault_that_did_not_bite() {
    let (plan, judgement) = vacuous();
    assert_snapshot!(render_human(&plan, &judgement, 100, false), @r#"
    NOT EXERCISED: nothing was put to the test: no other broker took over (raise `--duration`)
    r-20261121-000007: reference cluster of 3 nodes, workload log, nemesis isolate-leader, seed 7
    settings: min.insync.replicas=2, replication.factor=3, acks=all

    ╭──────────────────────────┬──────────────────────────┬───────────────┬────────────────────────╮
    │ guarantee                │ promised                 │ seen          │ evidence               │
    ├──────────────────────────┼──────────────────────────┼───────────────┼────────────────────────┤
    │ acknowledged records are │ must hold: acks=all with │ not exercised │ 0 of 9900 acknowledged │
    │ kept                     │ min.insync.replicas=2    │               │ records lost           │
    │                          │ survives any number of   │               │                        │
    │                          │ kills, pauses and        │               │                        │
    │                          │ partitions               │               │                        │
    ╰──────────────────────────┴──────────────────────────┴───────────────┴────────────────────────╯

    faults
      1 isolate-leader DID NOT BITE: no other broker took over (raise `--duration`)

    records: 10000 sent, 9900 acknowledged, 100 reported failed, 100 in doubt, 9950 in the log, 9950
      delivered to readers; 2 leader changes; 31 requests retried
    speed: 990 records/s acknowledged, latency p50 2.3 ms, p99 1843 ms, longest recovery 2.1 s
    changed to fit a short run: broker.replica.lag.time.max.ms=1500
    again: highwater run --set acks=all --set min.insync.replicas=2 --nemesis isolate-leader --seed 7
    "#);
}

#[test]
fn nobody_can_say() {
    let (plan, judgement) = indeterminate();
    assert_snapshot!(render_human(&plan, &judgement, 100, false), @r#"
    INDETERMINATE: nobody can say: partition 2 was not read to its fence
    !! partition 2 was not read to its fence
    r-20261121-000007: reference cluster of 3 nodes, workload log, nemesis isolate-leader, seed 7
    settings: min.insync.replicas=2, replication.factor=3, acks=all

    ╭──────────────────────────┬──────────────────────────┬───────────────┬────────────────────────╮
    │ guarantee                │ promised                 │ seen          │ evidence               │
    ├──────────────────────────┼──────────────────────────┼───────────────┼────────────────────────┤
    │ acknowledged records are │ must hold: acks=all with │ indeterminate │ 0 of 9900 acknowledged │
    │ kept                     │ min.insync.replicas=2    │               │ records lost           │
    │                          │ survives any number of   │               │                        │
    │                          │ kills, pauses and        │               │                        │
    │                          │ partitions               │               │                        │
    ╰──────────────────────────┴──────────────────────────┴───────────────┴────────────────────────╯

    faults
      1 isolate-leader bit: node 2 was cut off for 4.1 s while node 3 took over partition 1; written
        again after 2.1 s

    records: 10000 sent, 9900 acknowledged, 100 reported failed, 100 in doubt, 9950 in the log, 9950
      delivered to readers; 2 leader changes, and 1 UNPLANNED; 31 requests retried
    speed: 990 records/s acknowledged, latency p50 2.3 ms, p99 1843 ms, longest recovery 2.1 s
    changed to fit a short run: broker.replica.lag.time.max.ms=1500
    assumed, because the history does not tell: acks=all
    again: highwater run --set acks=all --set min.insync.replicas=2 --nemesis isolate-leader --seed 7
    "#);
}

#[test]
fn a_narrow_terminal_gets_narrow_lines_and_a_rerun_line_to_copy() {
    let (plan, judgement) = shown();
    let text = render_human(&plan, &judgement, 72, false);
    for line in text.lines().filter(|line| !line.starts_with("again: ")) {
        assert!(line.chars().count() <= 72, "{line}");
    }
    assert!(text.ends_with(&format!("again: {}\n", plan.rerun)), "{text}");
}

#[test]
fn colours_change_nothing_but_colour() {
    for (plan, judgement) in [held(), shown(), broken(), vacuous(), indeterminate()] {
        let colored = render_human(&plan, &judgement, 100, true);
        let mut plain = String::new();
        for (number, part) in colored.split('\u{1b}').enumerate() {
            let text = if number == 0 { part } else { part.split_once('m').expect("an ANSI sequence").1 };
            plain.push_str(text);
        }
        assert_ne!(colored, plain);
        assert_eq!(plain, render_human(&plan, &judgement, 100, false));
    }
}
