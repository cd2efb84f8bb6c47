//! Each way an order can contradict real time, on logs of two or three operations.

use super::*;

fn append(id: u32, base: u64, count: u32, call: i64, returned: i64) -> Append {
    Append { base, count, id, call, returned }
}

fn window(id: u32, lo: u64, hi: u64, call: i64, returned: i64) -> Window {
    Window { lo, hi, id, call, returned }
}

#[track_caller]
fn one(appends: &mut [Append], windows: &[Window]) -> Violation {
    let found = real_time(appends, windows, 10);
    assert_eq!(found.examples.len(), 1, "{found:?}");
    assert_eq!(found.count(found.examples[0].kind), 1);
    found.examples[0]
}

#[test]
fn appends_against_real_time() {
    let violation = one(&mut [append(0, 1, 1, 0, 10), append(1, 0, 1, 20, 30)], &[]);
    assert_eq!(violation.kind, Kind::RealtimeReorder);
    assert_eq!(violation.witnesses(), [Operation::Append(1), Operation::Append(0)]);
}

#[test]
fn touching_intervals_are_concurrent() {
    assert!(real_time(&mut [append(0, 1, 1, 0, 10), append(1, 0, 1, 10, 30)], &[], 1).is_empty());
}

#[test]
fn a_read_from_the_future_names_what_it_saw() {
    let violation =
        one(&mut [append(0, 0, 1, 20, 30), append(1, 5, 1, 0, 40)], &[window(0, 6, NO_END, 1, 15)]);
    assert_eq!(violation.kind, Kind::FutureRead);
    assert_eq!(violation.witnesses(), [Operation::Append(0), Operation::Append(1), Operation::Window(0)]);
}

#[test]
fn an_end_below_what_was_acknowledged_is_stale() {
    let violation = one(&mut [append(0, 0, 1, 0, 10)], &[window(0, 0, 0, 11, 12)]);
    assert_eq!(violation.kind, Kind::StaleEnd);
    assert_eq!(violation.witnesses(), [Operation::Window(0), Operation::Append(0)]);
}

#[test]
fn an_end_below_what_was_read_has_four_witnesses() {
    let mut appends = [append(0, 0, 1, 0, i64::MAX), append(1, 1, 1, 0, i64::MAX)];
    let violation = one(&mut appends, &[window(0, 2, NO_END, 1, 5), window(1, 0, 0, 6, 9)]);
    assert_eq!(violation.kind, Kind::StaleEnd);
    let expected = [Operation::Window(1), Operation::Append(0), Operation::Append(1), Operation::Window(0)];
    assert_eq!(violation.witnesses(), expected);
}

#[test]
fn half_an_append_is_torn() {
    let violation = one(&mut [append(0, 0, 2, 0, 10)], &[window(0, 1, 1, 1, 5)]);
    assert_eq!(violation.kind, Kind::TornAppend);
    // A read that makes no claim about the end may stop anywhere.
    assert!(real_time(&mut [append(0, 0, 2, 0, 10)], &[window(0, 1, NO_END, 1, 5)], 1).is_empty());
}

#[test]
fn counts_go_on_where_examples_stop() {
    let mut appends: Vec<Append> = (1..100).map(|i| append(i, u64::from(i), 1, 0, 10)).collect();
    appends.push(append(0, 0, 1, 20, 30));
    let found = real_time(&mut appends, &[], 3);
    assert_eq!((found.count(Kind::RealtimeReorder), found.examples.len()), (99, 3));
}

#[test]
fn an_end_in_a_gap_is_stale_too() {
    let violation = one(&mut [], &[window(0, 1, NO_END, 0, 5), window(1, 0, 0, 6, 9)]);
    assert_eq!(violation.kind, Kind::StaleEnd);
    assert_eq!(violation.witnesses(), [Operation::Window(1), Operation::Window(0)]);
}
