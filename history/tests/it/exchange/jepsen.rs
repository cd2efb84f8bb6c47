//! Jepsen's operations: what each line becomes, in both notations, there and back.

use history::exchange::{Notation, write_jepsen};
use history::view::Step;
use history::{Contents, Function, History, Nanos, Offset, Outcome, Partition, Tag, Told, Value};

use super::sample::{acked, invoked, load, record};
use super::{data, read};

fn history(text: &str) -> History {
    read(text).expect("it is legal").history
}

fn written(history: &History, notation: Notation) -> String {
    let mut out = Vec::new();
    write_jepsen(history, notation, &mut out).expect("memory takes everything");
    String::from_utf8(out).expect("UTF-8")
}

/// A history without what differs between files that say the same: the numbers of lines.
fn essence(history: &History) -> Vec<String> {
    let mut lines = Vec::new();
    for session in &history.sessions {
        for operation in session.operations() {
            let mut operation = operation;
            operation.line = None;
            let sends = session.sends_in(operation.sends.clone()).map(|send| format!("{send:?}"));
            let records =
                operation.deliveries.clone().zip(session.deliveries_in(operation.deliveries.clone()));
            let records = records.map(|(at, record)| format!("{record:?} {:?}", session.foreign_value(at)));
            let details: Vec<String> = sends.chain(records).collect();
            lines.push(format!("{}: {operation:?} {details:?}", session.name()));
        }
    }
    lines
}

const TRICKY: &str = r#"
{"index":0,"type":"invoke","f":"assign","process":4,"time":1,"value":[7,"a key"]}
{"index":1,"type":"ok","f":"assign","process":4,"time":2,"value":[7,"a key"],"seek-to-beginning?":true}
{"index":2,"type":"info","f":"start-partition","process":"nemesis","time":2,"value":{"n1":["n2"]}}
{"value":[["send",7,-5],["poll"],["send","a key","x\"y"],["poll"]],"time":3,"process":4,"f":"txn","type":"invoke","index":3}
{"index":4,"type":"fail","f":"txn","process":4,"time":9,"error":["timeout","x"],"value":[["send",7,[18446744,-5]],["poll",{"7":[[0,99999999999999999999999],[1,1.5]]}],["send","a key","x\"y"],["poll",{}]]}
{"index":5,"type":"invoke","f":"poll","process":-1,"time":10,"value":[["poll"]]}
{"index":6,"type":"ok","f":"poll","process":-1,"time":11,"value":[["poll",{"a key":[[3,"x\"y"]],"7":[[18446744,-5]]}]],"rebalance-log":[{"type":"revoked","keys":[7]}]}
{"index":7,"type":"invoke","f":"crash","process":4,"time":12,"value":null}
{"index":8,"type":"info","f":"crash","process":4,"time":12}
{"index":9,"type":"invoke","f":"send","process":5,"time":13,"value":[["send",8,1]]}
"#;

#[test]
fn every_field_of_a_line_arrives() {
    let import = read(TRICKY).expect("it is legal");
    assert_eq!(import.lines, 11);
    assert_eq!(
        import.remarks,
        [
            "1 lines of processes that are no clients (nemeses) are passed over",
            "1 operations were never completed: their outcome is unknown",
            "2 polled records were sent by nobody",
        ]
    );
    let history = import.history;
    let imported = history.imported.as_ref().expect("imported");
    assert_eq!(imported.partitions, ["7", "a key", "8"]);
    assert!(imported.transactions && !imported.subscribes);
    let [four, minus, five] = history.sessions.as_slice() else { panic!("three processes") };

    let functions: Vec<_> = four.operations().map(|operation| operation.function).collect();
    assert_eq!(functions, [Function::Assign, Function::Txn, Function::Crash]);
    let assign = four.operation(0).detail.cloned().expect("what was assigned");
    assert_eq!((assign.partitions, assign.seek_to_beginning), (vec![Partition(0), Partition(1)], true));
    let txn = four.operation(1);
    assert_eq!((txn.invoked, txn.completed, txn.outcome), (Nanos(3), Some(Nanos(9)), Outcome::Fail));
    assert_eq!(txn.line, Some(6));
    assert_eq!(txn.detail.and_then(|detail| detail.error.as_deref()), Some(r#"["timeout","x"]"#));
    let steps: Vec<_> = txn.steps().collect();
    assert_eq!(steps, [Step::Send(0), Step::Poll(0..2), Step::Send(1), Step::Poll(2..2)]);
    let send = four.send(0);
    assert_eq!((send.partition, send.offset), (Some(Partition(0)), Some(Offset(18_446_744))));
    assert_eq!((send.outcome, send.told), (Outcome::Fail, Told::Failed));
    assert_eq!(four.value(0), Some(Value::Number(-5)));
    assert_eq!(four.value(1), Some(Value::Text("x\"y".to_owned())));
    assert_eq!(four.delivery(0).contents, Contents::Foreign);
    assert_eq!(four.foreign_value(0), Some(&Value::Text("99999999999999999999999".to_owned())));
    assert_eq!(four.foreign_value(1), Some(&Value::Text("1.5".to_owned())));

    let tags: Vec<_> = minus.deliveries().map(|record| record.tag.map(|tag| tag.seq)).collect();
    assert_eq!(tags, [Some(1), Some(0)]);
    assert_eq!(minus.operation(0).detail.map(|detail| detail.rebalanced.clone()), Some(vec![Partition(0)]));

    let open = five.operation(0);
    assert_eq!((open.completed, open.outcome, open.function), (None, Outcome::Unknown, Function::Send));
    assert_eq!((five.send(0).told, five.send(0).completed), (Told::Nothing, None));
    assert_eq!(history.name_of(Tag { producer: 2, session: 0, seq: 0 }), "1");
}

#[test]
fn a_record_polled_before_it_is_sent_is_the_one_sent_later() {
    let early = r#"{"type":"invoke","f":"poll","process":0,"time":1,"value":[["poll"]]}
{"type":"ok","f":"poll","process":0,"time":2,"value":[["poll",{"0":[[0,1],[1,2]]}]]}
{"type":"invoke","f":"send","process":1,"time":3,"value":[["send",0,1]]}
{"type":"ok","f":"send","process":1,"time":4,"value":[["send",0,[0,1]]]}"#;
    let import = read(early).expect("it is legal");
    let [reader, _] = import.history.sessions.as_slice() else { panic!("two processes") };
    let tags: Vec<_> = reader.deliveries().map(|record| record.tag).collect();
    assert_eq!(tags, [Some(Tag { producer: 1, session: 0, seq: 0 }), None]);
    assert_eq!(import.remarks, ["1 polled records were sent by nobody"]);
}

#[test]
fn lines_without_times_are_in_their_own_order() {
    let timeless = r#"{"type":"invoke","f":"poll","process":0,"value":null}
{"type":"ok","f":"poll","process":0,"value":[]}"#;
    let history = history(timeless);
    let poll = history.sessions[0].operation(0);
    assert_eq!((poll.invoked, poll.completed), (Nanos(1), Some(Nanos(2))));
}

#[test]
fn both_notations_say_the_same() {
    for text in [TRICKY.to_owned(), data("jepsen-clean.jsonl"), data("jepsen-clean-txn.edn")] {
        let first = history(&text);
        assert!(first.operation_count() > 4);
        for notation in [Notation::Json, Notation::Edn] {
            let again = history(&written(&first, notation));
            assert_eq!(essence(&again), essence(&first), "{notation:?}");
            assert_eq!(written(&again, notation), written(&first, notation));
        }
    }
}

#[test]
fn edn_may_be_written_in_many_ways() {
    let plain = r#"{:type :invoke, :f :send, :process 0, :time 1, :value [[:send 1 2]]}
{:type :ok, :f :send, :process 0, :time 2, :value [[:send 1 [0 2]]]}"#;
    let odd = "; a comment\r\n#jepsen.history.Op{:type :invoke :f :send :process 0 :time 1N :value ([:send \"1\" 2]) :error nil}\r\n\
        {:exception #error {:cause \"a \\\" }\" :via [{:type \\a}]}, :type :ok,,, :f :send, :process 0, #_ {:x [1]} :time 2, :value [[:send 1 [0 2]]] :set #{1 2}} ; end";
    assert_eq!(essence(&history(odd)), essence(&history(plain)));
}

/// Our own producers have many records in flight; Jepsen's processes have one.
#[test]
fn our_own_histories_are_told_in_jepsens_words() {
    let dir = tempfile::tempdir().unwrap();
    let events =
        [invoked(0), invoked(1), invoked(2), acked(1), invoked(3), acked(0), acked(3), invoked(4), acked(4)];
    record(dir.path(), &events);
    let own = load(dir.path());
    let sent: Vec<_> = own.sends().map(|send| (send.partition, send.offset, send.outcome)).collect();
    assert!(sent.len() > 3);
    let told = history(&written(&own, Notation::Json));
    let mut again: Vec<_> = told
        .sends()
        .map(|send| {
            let name = told.partition_name(send.partition.expect("known"));
            (Some(Partition(name.parse().expect("a number"))), send.offset, send.outcome)
        })
        .collect();
    let mut sent = sent;
    sent.sort_by_key(|send| format!("{send:?}"));
    again.sort_by_key(|send| format!("{send:?}"));
    assert_eq!(again, sent);
}
