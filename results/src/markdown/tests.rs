//! The Markdown report, pinned in the case that has everything.

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
