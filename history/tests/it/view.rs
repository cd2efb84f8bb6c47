//! A history built in memory reads back as it was put in: rows, operations, the source's own names.

use history::{
    Builder, Contents, Delivery, Detail, Ended, ErrorCode, Function, History, ImportFormat, Imported, Nanos,
    Offset, Operation, Outcome, Partition, Role, Send, Step, Tag, Told, Value,
};

use crate::sample::{UNGUARDED, load, plan};

fn send(producer: u32, seq: u64, at: u64) -> Send {
    Send {
        tag: Tag { producer, session: 0, seq },
        key: None,
        partition: Some(Partition(0)),
        offset: Some(Offset(seq as i64)),
        intended: Nanos(at),
        invoked: Nanos(at),
        completed: Some(Nanos(at + 5)),
        outcome: Outcome::Ok,
        told: Told::Acked,
        error: ErrorCode::NONE,
    }
}

fn delivery(offset: i64, at: u64, tag: Option<Tag>) -> Delivery {
    let contents = if tag.is_some() { Contents::Intact } else { Contents::Foreign };
    Delivery {
        partition: Partition(0),
        offset: Offset(offset),
        tag,
        contents,
        polled: Nanos(at),
        returned: Nanos(at + 5),
    }
}

fn ended(function: Function, at: u64) -> Ended {
    Ended {
        function,
        invoked: Nanos(at),
        completed: Some(Nanos(at + 5)),
        outcome: Outcome::Ok,
        line: Some(at),
        detail: None,
    }
}

/// A client's session with every sort of operation, and what it should read back as.
pub(crate) fn imported() -> (History, Detail) {
    let mut builder = Builder::new(plan());
    let client = builder.open(Role::Client, 0, 0);
    // A transaction: two sends, an empty poll, a poll of two, another send.
    builder.send_valued(client, &send(0, 0, 10), &Value::Number(7));
    builder.send_valued(client, &send(0, 1, 10), &Value::Text("x".to_owned()));
    builder.poll(client);
    builder.poll(client);
    builder.deliver(client, &delivery(0, 10, Some(Tag { producer: 0, session: 0, seq: 0 })));
    builder.deliver_foreign(client, &delivery(1, 10, None), Value::Number(99));
    builder.send(client, &send(0, 2, 10));
    let detail = Detail { rebalanced: vec![Partition(0)], ..Detail::default() };
    builder.operation(client, Ended { detail: Some(detail.clone()), ..ended(Function::Txn, 10) });
    builder.poll(client);
    builder.operation(client, ended(Function::Poll, 20));
    builder.send(client, &send(0, 3, 30));
    builder.operation(client, ended(Function::Send, 30));
    builder.operation(client, Ended { completed: None, ..ended(Function::Crash, 40) });
    builder.imported(Imported { partitions: vec!["k".to_owned()], ..Imported::new(ImportFormat::Jepsen) });
    (builder.finish(), detail)
}

#[test]
fn what_was_imported_is_stored_and_read_back() {
    let (history, _) = imported();
    let dir = tempfile::tempdir().expect("a directory");
    let bytes = history::store(&history, dir.path(), UNGUARDED).expect("stored");
    let again = load(dir.path());
    assert_eq!(again.damage, []);
    assert_eq!((&again.imported, again.operation_count()), (&history.imported, 4));
    let (one, other) = (&history.sessions[0], &again.sessions[0]);
    assert_eq!(one.operations().collect::<Vec<_>>(), other.operations().collect::<Vec<_>>());
    assert!(one.operations().zip(other.operations()).all(|(one, other)| one.steps().eq(other.steps())));
    assert_eq!(one.sends().collect::<Vec<_>>(), other.sends().collect::<Vec<_>>());
    assert_eq!(one.deliveries().collect::<Vec<_>>(), other.deliveries().collect::<Vec<_>>());
    assert!((0..5).all(|index| one.value(index) == other.value(index)));
    assert_eq!((other.foreign_value(1), other.closed), (Some(&Value::Number(99)), true));
    let files = std::fs::read_dir(dir.path()).expect("a directory").flatten();
    assert_eq!(bytes, files.map(|file| file.metadata().expect("a file").len()).sum::<u64>());
}

#[test]
fn operations_on_record_keep_their_micro_operations() {
    let (history, detail) = imported();
    let session = &history.sessions[0];
    let operations: Vec<Operation<'_>> = session.operations().collect();
    assert_eq!(operations.len(), 4);
    let steps: Vec<Step> = operations[0].steps().collect();
    assert_eq!(steps, [Step::Send(0), Step::Send(1), Step::Poll(0..0), Step::Poll(0..2), Step::Send(2)]);
    assert_eq!((operations[0].sends.clone(), operations[0].deliveries.clone()), (0..3, 0..2));
    assert_eq!(operations[0].detail, Some(&detail));
    assert_eq!(operations[1].steps().collect::<Vec<_>>(), [Step::Poll(2..2)]);
    assert_eq!(operations[2].steps().collect::<Vec<_>>(), [Step::Send(3)]);
    assert_eq!((operations[3].steps().count(), operations[3].line), (0, Some(40)));
    assert_eq!(session.operation(2), operations[2]);
    assert_eq!(history.operation_count(), 4);

    let tag = |seq| Tag { producer: 0, session: 0, seq };
    assert_eq!(history.value_of(tag(0)), Some(Value::Number(7)));
    assert_eq!(history.name_of(tag(1)), "x");
    assert_eq!((history.value_of(tag(2)), history.value_of(tag(9))), (None, None));
    assert_eq!(session.foreign_value(1), Some(&Value::Number(99)));
    assert_eq!(
        (history.partition_name(Partition(0)).as_str(), history.partition_name(Partition(1))),
        ("k", "1".to_owned())
    );
}

#[test]
fn without_recorded_operations_sends_and_polls_are_merged_by_their_invocation() {
    let mut builder = Builder::new(plan());
    let client = builder.open(Role::Client, 0, 0);
    for at in [10, 30] {
        builder.send(client, &send(0, at / 20, at));
    }
    for (offset, at) in [(0, 5), (1, 20), (2, 20), (3, 40)] {
        builder.deliver(client, &delivery(offset, at, None));
    }
    let history = builder.finish();
    let found: Vec<_> = history.sessions[0]
        .operations()
        .map(|operation| (operation.function, operation.invoked.0, operation.sends, operation.deliveries))
        .collect();
    assert_eq!(
        found,
        [
            (Function::Poll, 5, 0..0, 0..1),
            (Function::Send, 10, 0..1, 0..0),
            (Function::Poll, 20, 0..0, 1..3),
            (Function::Send, 30, 1..2, 0..0),
            (Function::Poll, 40, 0..0, 3..4),
        ]
    );
    assert_eq!(history.operation_count(), 6);
}
