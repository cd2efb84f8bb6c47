//! The lines of Kafka's verifiable clients.

use history::exchange::{Source, import_verifiable};
use history::{Function, Nanos, Offset, Outcome, Tag, Told};

use super::sample;

const PRODUCER: &str = r#"{"timestamp":1000,"name":"startup_complete"}
{"timestamp":1010,"name":"producer_send_success","key":null,"value":"0","topic":"t","partition":1,"offset":0}
{"timestamp":1011,"name":"producer_send_success","key":"k","value":"7.1","topic":"t","partition":0,"offset":5}
{"timestamp":1012,"name":"producer_send_error","key":null,"value":"2","topic":"t","exception":"class TimeoutException","message":"late"}
{"timestamp":1013,"name":"shutdown_complete"}
{"timestamp":1013,"name":"tool_data","sent":4,"acked":2,"target_throughput":-1,"avg_throughput":1.5}"#;

const CONSUMER: &str = r#"{"timestamp":900,"name":"startup_complete"}
{"timestamp":950,"name":"partitions_revoked","partitions":[]}
{"timestamp":951,"name":"partitions_assigned","partitions":[{"topic":"t","partition":1},{"topic":"t","partition":0}]}
{"timestamp":1020,"name":"record_data","key":null,"value":"0","topic":"t","partition":1,"offset":0}
{"timestamp":1020,"name":"record_data","key":null,"value":"2","topic":"t","partition":0,"offset":6}
{"timestamp":1021,"name":"records_consumed","count":2,"partitions":[{"topic":"t","partition":1,"count":1,"minOffset":0,"maxOffset":0}]}
{"timestamp":1022,"name":"offsets_committed","offsets":[{"topic":"t","partition":1,"offset":1}],"success":true}
{"timestamp":1030,"name":"record_data","value":"nobody's","topic":"t","partition":1,"offset":1}
{"timestamp":1031,"name":"records_consumed","count":1,"partitions":[]}"#;

/// Both in one file.
pub(super) const BOTH: &str = r#"{"timestamp":1000,"name":"startup_complete"}
{"timestamp":1010,"name":"producer_send_success","key":null,"value":"0","topic":"t","partition":1,"offset":0}
{"timestamp":1011,"name":"producer_send_success","key":"k","value":"7.1","topic":"t","partition":0,"offset":5}
{"timestamp":1012,"name":"producer_send_error","key":null,"value":"2","topic":"t","exception":"class TimeoutException","message":"late"}
{"timestamp":1013,"name":"shutdown_complete"}
{"timestamp":1013,"name":"tool_data","sent":4,"acked":2,"target_throughput":-1,"avg_throughput":1.5}
{"timestamp":900,"name":"startup_complete"}
{"timestamp":950,"name":"partitions_revoked","partitions":[]}
{"timestamp":951,"name":"partitions_assigned","partitions":[{"topic":"t","partition":1},{"topic":"t","partition":0}]}
{"timestamp":1020,"name":"record_data","key":null,"value":"0","topic":"t","partition":1,"offset":0}
{"timestamp":1020,"name":"record_data","key":null,"value":"2","topic":"t","partition":0,"offset":6}
{"timestamp":1021,"name":"records_consumed","count":2,"partitions":[{"topic":"t","partition":1,"count":1,"minOffset":0,"maxOffset":0}]}
{"timestamp":1022,"name":"offsets_committed","offsets":[{"topic":"t","partition":1,"offset":1}],"success":true}
{"timestamp":1030,"name":"record_data","value":"nobody's","topic":"t","partition":1,"offset":1}
{"timestamp":1031,"name":"records_consumed","count":1,"partitions":[]}"#;

fn read(texts: &[&str]) -> Result<history::exchange::Import, String> {
    let mut sources: Vec<_> = texts.iter().map(|text| Source::bytes("file", *text)).collect();
    import_verifiable(&mut sources, sample::plan()).map_err(|error| error.to_string())
}

#[test]
fn producers_and_consumers_are_one_history() {
    // In whichever order they are given, in files of their own or in one.
    for texts in [&[PRODUCER, CONSUMER][..], &[CONSUMER, PRODUCER], &[&format!("{CONSUMER}\n{PRODUCER}")]] {
        let import = read(texts).expect("it is legal");
        assert_eq!(import.remarks, ["1 sends were never reported on, so nothing is known of them"]);
        let history = import.history;
        let [producer, consumer] = history.sessions.as_slice() else { panic!("two processes") };
        let sends: Vec<_> = producer.sends().collect();
        let names: Vec<_> = sends.iter().map(|send| history.name_of(send.tag)).collect();
        assert_eq!(names, ["0", "7.1", "2"]);
        assert_eq!(sends[0].invoked, Nanos(1_000_000_000), "nobody says when it was asked for");
        assert_eq!((sends[0].outcome, sends[0].told), (Outcome::Ok, Told::Acked));
        assert_eq!((sends[2].outcome, sends[2].partition), (Outcome::Unknown, None));
        assert_eq!(sends[1].offset, Some(Offset(5)));
        let place = history.partition_name(sends[1].partition.expect("told"));
        assert_eq!(place, "t-0");
        assert!(producer.closed && !consumer.closed);

        let functions: Vec<_> = consumer.operations().map(|operation| operation.function).collect();
        use Function::{Commit, Poll, Subscribe};
        assert_eq!(functions, [Subscribe, Subscribe, Poll, Commit, Poll]);
        let tags: Vec<_> = consumer.deliveries().map(|record| record.tag).collect();
        let tag = |seq| Some(Tag { producer: 0, session: 0, seq });
        assert_eq!(tags, [tag(0), tag(2), None]);
        let committed = consumer.operation(3).detail.expect("what was committed").committed.clone();
        assert_eq!(committed.len(), 1);
    }
}

#[test]
fn what_would_give_a_false_verdict_is_refused() {
    let quiet: Vec<&str> = CONSUMER.lines().filter(|line| !line.contains("record_data")).collect();
    let quiet = quiet.join("\n");
    let twice = format!("{PRODUCER}\n{PRODUCER}");
    for (texts, says) in [
        (&[PRODUCER][..], "kafka-verifiable-consumer is missing"),
        (&[PRODUCER, &quiet], "tells no values (run it with --verbose"),
        (&[&twice, CONSUMER], "line 8: value `0` is sent a second time (give each producer a --value-prefix"),
        (&[r#"{"timestamp":1,"name":"producer_send_success","value":"1"}"#], "line 1: `topic` is missing"),
        (&[r#"{"timestamp":-1,"name":"x"}"#], "line 1: invalid value: integer `-1`"),
        (&[r#"{"timestamp":99999999999999999,"name":"x"}"#], "`timestamp` is no time"),
        (&[r#"{"name":"x"}"#], "missing field `timestamp`"),
    ] {
        let error = read(texts).expect_err(says);
        assert!(error.contains(says), "{error}");
    }
}
