//! The Markdown report, pinned in the case that has everything.

use checkers::{Latency, Outage};
use history::Partition;
use insta::assert_snapshot;

use super::render_markdown;
use crate::testing::shown;

#[test]
fn a_loss_that_the_settings_allow() {
    let (plan, judgement) = shown();
    assert_snapshot!(render_markdown(&plan, &judgement), @r#"
    ## shown: 1312 of 9900 acknowledged records lost, as acks=1 allows

    r-20261121-000007: reference cluster of 3 nodes, workload log, nemesis isolate-leader, seed 7  
    settings: min.insync.replicas=1, replication.factor=3, acks=1

    | guarantee | promised | seen | evidence |
    | --- | --- | --- | --- |
    | acknowledged records are kept | may break: with acks=1 only the leader has a record when it is acknowledged | shown | 1312 of 9900 acknowledged records lost |

    ### What to change

    - acknowledged records are kept: set acks=all and min.insync.replicas=2: a second replica then has every record

    ### Faults

    - 1 isolate-leader bit: node 2 was cut off for 4.1 s while node 3 took over partition 1; written again after 2.1 s

    ### Findings

    - lost-write x1312 (loss): 1312 of 9900 acknowledged records lost: the last ones of the old leader
      - p0#0 was acknowledged at offset 210 of partition 1, which now holds p1#9 (at 3.0 s, during fault 1)
      - p0#1 was acknowledged at offset 211 of partition 1, which now holds p1#9 (at 3.4 s, during fault 1)
      - p0#2 was acknowledged at offset 212 of partition 1, which now holds p1#9 (at 3.8 s, during fault 1)
      - and 1309 more (verdict.json names the first 5)

    ### Figures

    - records: 10000 sent, 9900 acknowledged, 100 reported failed, 100 in doubt, 9950 in the log, 9950 delivered to readers; 2 leader changes; 31 requests retried
    - speed: 990 records/s acknowledged, latency p50 2.3 ms, p99 1843 ms, longest recovery 2.1 s
    - changed to fit a short run: broker.replica.lag.time.max.ms=1500

    ```
    highwater run --set acks=1 --set min.insync.replicas=1 --nemesis isolate-leader --seed 7
    ```
    "#);
}

#[test]
fn outages_and_latencies_are_told_where_there_were_any() {
    let (plan, mut judgement) = shown();
    let outage = |operation: &str, lasted_ms, fault| Outage {
        operation: operation.to_owned(),
        partition: Partition(1),
        at_ms: 3_000,
        lasted_ms,
        ended: operation == "write",
        fault,
    };
    judgement.figures.outages =
        vec![outage("write", 2_100, Some(1)), outage("read", 1_900, None), outage("write", 700, None)];
    judgement.figures.latency = vec![Latency {
        operation: "send".to_owned(),
        phase: "isolate-leader".to_owned(),
        count: 990,
        p50_ms: 2.5,
        p90_ms: 11.0,
        p99_ms: 1_843.2,
        p999_ms: 2_100.0,
        max_ms: 2_104.0,
    }];
    let text = render_markdown(&plan, &judgement);
    let figures: Vec<&str> =
        text.lines().filter(|line| line.contains("outages") || line.contains("under")).collect();
    assert_snapshot!(figures.join("\n"), @r"
    - outages: 2 for writes, longest 2.1 s (partition 1, 3.0 s into the load, fault 1); 1 for reads, longest 1.9 s or more (partition 1, 3.0 s into the load)
    - send under isolate-leader: 990 measured, p50 2.5 ms, p90 11 ms, p99 1843 ms, p99.9 2100 ms, longest 2104 ms
    ");
}
