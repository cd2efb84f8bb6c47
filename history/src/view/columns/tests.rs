//! Any row put into a column comes back, in order and by its index.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::{DeliveryColumn, OperationColumn, SendColumn};
use crate::event::Contents;
use crate::ids::{Nanos, Offset, Partition, Tag};
use crate::outcome::{ErrorCode, Outcome, Told};
use crate::view::operation::{Detail, Function, Run};
use crate::view::rows::{Delivery, Send};
use crate::view::session::Ended;

/// Small numbers and huge ones.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0_u64..40, any::<u64>()]
}

fn tag() -> impl Strategy<Value = Tag> {
    (number(), number(), number()).prop_map(|(producer, session, seq)| Tag {
        producer: producer as u32,
        session: session as u32,
        seq,
    })
}

fn partition() -> impl Strategy<Value = Partition> {
    number().prop_map(|number| Partition(number as u32))
}

fn offset() -> impl Strategy<Value = Offset> {
    number().prop_map(|number| Offset(number.cast_signed()))
}

fn send() -> impl Strategy<Value = Send> {
    (
        tag(),
        (option::of(number()), option::of(partition()), option::of(offset())),
        (number(), number(), option::of(number())),
        select(vec![Outcome::Ok, Outcome::Fail, Outcome::Unknown]),
        select(vec![Told::Acked, Told::Sent, Told::Failed, Told::Nothing]),
        option::of(any::<i32>()),
    )
        .prop_map(
            |(tag, (key, partition, offset), (intended, invoked, completed), outcome, told, error)| Send {
                tag,
                key,
                partition,
                offset,
                intended: Nanos(intended),
                invoked: Nanos(invoked),
                completed: completed.map(Nanos),
                outcome,
                told,
                error: ErrorCode(error.unwrap_or(0)),
            },
        )
}

fn delivery() -> impl Strategy<Value = Delivery> {
    let contents = select(vec![Contents::Intact, Contents::Corrupt, Contents::Foreign]);
    (partition(), offset(), option::of(tag()), contents, number(), number()).prop_map(
        |(partition, offset, tag, contents, polled, returned)| Delivery {
            partition,
            offset,
            tag,
            contents,
            polled: Nanos(polled),
            returned: Nanos(returned),
        },
    )
}

proptest! {
    #[test]
    fn every_send_comes_back(rows in vec(send(), 0..150), from in 0_usize..150) {
        let mut column = SendColumn::default();
        rows.iter().for_each(|row| column.push(row));
        column.seal();
        prop_assert_eq!(column.len(), rows.len());
        prop_assert_eq!(column.range(0..rows.len()).collect::<Vec<_>>(), rows.clone());
        let from = from.min(rows.len());
        prop_assert_eq!(column.range(from..rows.len()).collect::<Vec<_>>(), rows[from..].to_vec());
        prop_assert!((0..rows.len()).all(|index| column.get(index) == rows[index]));
    }

    #[test]
    fn every_delivery_comes_back(rows in vec(delivery(), 0..150), from in 0_usize..150) {
        let mut column = DeliveryColumn::default();
        rows.iter().for_each(|row| column.push(row));
        prop_assert_eq!(column.range(0..rows.len()).collect::<Vec<_>>(), rows.clone());
        let from = from.min(rows.len());
        prop_assert_eq!(column.range(from..rows.len()).collect::<Vec<_>>(), rows[from..].to_vec());
        prop_assert!((0..rows.len()).all(|index| column.get(index) == rows[index]));
    }

    #[test]
    fn ranges_are_read_in_any_order(rows in vec(delivery(), 1..200), ranges in vec((0_usize..200, 0_usize..200), 1..20)) {
        let mut column = DeliveryColumn::default();
        rows.iter().for_each(|row| column.push(row));
        let mut deliveries = column.range(0..rows.len());
        for (one, other) in ranges {
            let (one, other) = (one.min(rows.len()), other.min(rows.len()));
            let range = one.min(other)..one.max(other);
            prop_assert_eq!(deliveries.seek(range.clone()).collect::<Vec<_>>(), rows[range].to_vec());
        }
    }

    #[test]
    fn a_send_that_changed_late_is_read_as_it_is_now(rows in vec(send(), 2..100), new in send(), at in 0_usize..100) {
        let mut column = SendColumn::default();
        rows.iter().for_each(|row| column.push(row));
        let at = at % rows.len();
        column.amend(at, new);
        let mut expected = rows;
        expected[at] = new;
        prop_assert_eq!(column.range(0..expected.len()).collect::<Vec<_>>(), expected);
        prop_assert_eq!(column.get(at), new);
    }
}

/// Everything an operation has, and how many sends and deliveries there are before and in it.
fn operation() -> impl Strategy<Value = (Ended, usize, usize, Vec<Run>)> {
    let function = select(vec![
        Function::Send,
        Function::Poll,
        Function::Txn,
        Function::Assign,
        Function::Subscribe,
        Function::Commit,
        Function::Crash,
        Function::Other,
    ]);
    let outcome = select(vec![Outcome::Ok, Outcome::Fail, Outcome::Unknown]);
    let detail = option::of(Just(Detail { seek_to_beginning: true, ..Detail::default() }));
    let run = prop_oneof![(0_u32..3).prop_map(Run::Sends), (0_u32..3).prop_map(Run::Poll)];
    (
        function,
        outcome,
        (number(), option::of(number())),
        option::of(1_u64..1 << 60),
        detail,
        0_usize..4,
        0_usize..4,
        vec(run, 0..3),
    )
        .prop_map(|(function, outcome, (invoked, completed), line, detail, sends, deliveries, runs)| {
            let (invoked, completed) = (Nanos(invoked), completed.map(Nanos));
            (Ended { function, invoked, completed, outcome, line, detail }, sends, deliveries, runs)
        })
}

proptest! {
    #[test]
    fn every_operation_comes_back(rows in vec(operation(), 0..100)) {
        let mut column = OperationColumn::default();
        let (mut sends, mut deliveries) = (0, 0);
        for (ended, more, others, runs) in &rows {
            (sends, deliveries) = (sends + more, deliveries + others);
            column.push(ended.clone(), sends, deliveries, runs.clone());
        }
        column.seal();
        prop_assert_eq!(column.iter().count(), rows.len());
        let (mut sends, mut deliveries) = (0, 0);
        for (index, (operation, (ended, more, others, runs))) in column.iter().zip(&rows).enumerate() {
            prop_assert_eq!(&operation, &column.get(index));
            let back = Ended {
                function: operation.function,
                invoked: operation.invoked,
                completed: operation.completed,
                outcome: operation.outcome,
                line: operation.line,
                detail: operation.detail.cloned(),
            };
            prop_assert_eq!(&back, ended);
            prop_assert_eq!(&operation.sends, &(sends..sends + more));
            prop_assert_eq!(&operation.deliveries, &(deliveries..deliveries + others));
            prop_assert!(operation.runs.is_empty() || operation.runs == runs.as_slice());
            for send in operation.sends.clone() {
                prop_assert_eq!(column.of_send(send), Some((index, operation.clone())));
            }
            (sends, deliveries) = (operation.sends.end, operation.deliveries.end);
        }
    }
}

/// A usual record takes a few bytes, sent or delivered: this is what the memory of a check rests on.
#[test]
fn usual_rows_are_small() {
    let (mut sends, mut deliveries) = (SendColumn::default(), DeliveryColumn::default());
    let mut taken = [0; 2];
    for seq in 0..3200_u64 {
        let at = 1_000_000_000 + seq * 20_000;
        let tag = Tag { producer: 1, session: 0, seq };
        let (partition, offset) = (Partition(seq as u32 % 4), Offset((seq / 4).cast_signed()));
        sends.push(&Send {
            tag,
            key: None,
            partition: Some(partition),
            offset: Some(offset),
            intended: Nanos(at - 700),
            invoked: Nanos(at),
            completed: Some(Nanos(at + 2_000_000 + seq * 7919 % 400_000)),
            outcome: Outcome::Ok,
            told: Told::Acked,
            error: ErrorCode::NONE,
        });
        let (polled, returned) = (Nanos(at / 4_000_000), Nanos(at / 4_000_000 + 3_000_000));
        deliveries.push(&Delivery {
            partition,
            offset,
            tag: Some(tag),
            contents: Contents::Intact,
            polled,
            returned,
        });
        taken = [sends.bytes(), deliveries.bytes()];
    }
    assert!(taken[0] <= 16 * 3200 && taken[1] <= 8 * 3200, "{taken:?} bytes for 3200 rows each");
}
