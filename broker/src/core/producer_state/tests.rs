//! What is refused, what is recognised, and what a marker changes.

use super::*;

fn batch(epoch: i16, sequence: i32, records: i32, base_offset: i64) -> BatchInfo {
    BatchInfo {
        base_offset,
        last_offset_delta: records - 1,
        leader_epoch: 0,
        producer_id: 9,
        producer_epoch: epoch,
        base_sequence: sequence,
        control: false,
        transactional: false,
        marker: None,
        max_timestamp: 1_000,
        size: 100,
    }
}

fn in_txn(epoch: i16, sequence: i32, base_offset: i64) -> BatchInfo {
    BatchInfo { transactional: true, ..batch(epoch, sequence, 1, base_offset) }
}

fn marker(epoch: i16, coordinator_epoch: i32, committed: bool, base_offset: i64) -> BatchInfo {
    let marker = Some(Marker { committed, coordinator_epoch });
    BatchInfo { control: true, marker, ..in_txn(epoch, -1, base_offset) }
}

fn check(producers: &Producers, batch: &BatchInfo) -> Result<Sequenced, Refusal> {
    producers.check(batch, None)
}

fn recorded(batches: &[BatchInfo]) -> Producers {
    let mut producers = Producers::default();
    batches.iter().for_each(|batch| producers.record(batch, None));
    producers
}

#[test]
fn a_retry_is_answered_with_its_offset_and_a_gap_is_refused() {
    let mut producers = Producers::default();
    assert_eq!(check(&producers, &batch(0, 40, 2, 0)), Ok(Sequenced::Next), "an unknown producer");
    for at in 0..6 {
        producers.record(&batch(0, 40 + 2 * at, 2, 100 + 2 * i64::from(at)), None);
    }
    assert_eq!(check(&producers, &batch(0, 52, 1, 0)), Ok(Sequenced::Next));
    assert_eq!(
        check(&producers, &batch(0, 50, 2, 0)),
        Ok(Sequenced::Again { base: 110, end: 112, timestamp: 1_000 })
    );
    assert_eq!(
        check(&producers, &batch(0, 42, 2, 0)),
        Ok(Sequenced::Again { base: 102, end: 104, timestamp: 1_000 })
    );
    let refused = Err(Refusal::OutOfOrderSequenceNumber);
    assert_eq!(check(&producers, &batch(0, 40, 2, 0)), refused, "older than the last five");
    assert_eq!(check(&producers, &batch(0, 53, 1, 0)), refused, "a gap");
    assert_eq!(check(&producers, &batch(0, 50, 1, 0)), refused, "half of a batch");
}

#[test]
fn epochs_fence_and_start_at_zero() {
    let mut producers = recorded(&[batch(3, 7, 1, 0)]);
    assert_eq!(check(&producers, &batch(2, 8, 1, 0)), Err(Refusal::InvalidProducerEpoch));
    assert_eq!(producers.check(&batch(2, 8, 1, 0), Some(Flaw::ForgetFencing)), Ok(Sequenced::Next));
    assert_eq!(check(&producers, &batch(4, 8, 1, 0)), Err(Refusal::OutOfOrderSequenceNumber));
    assert_eq!(check(&producers, &batch(4, 0, 1, 0)), Ok(Sequenced::Next));
    producers.record(&batch(4, 0, 1, 1), None);
    assert_eq!(check(&producers, &batch(3, 8, 1, 0)), Err(Refusal::InvalidProducerEpoch));
}

#[test]
fn sequence_numbers_wrap() {
    let producers = recorded(&[batch(0, i32::MAX - 1, 4, 0)]);
    assert_eq!(check(&producers, &batch(0, 2, 1, 0)), Ok(Sequenced::Next));
    assert_eq!(
        check(&producers, &batch(0, i32::MAX - 1, 4, 0)),
        Ok(Sequenced::Again { base: 0, end: 4, timestamp: 1_000 })
    );
}

#[test]
fn a_marker_ends_the_transaction_and_keeps_the_sequence_of_its_epoch() {
    let mut producers = recorded(&[in_txn(0, 0, 10), in_txn(0, 1, 11)]);
    assert!(producers.has_open(9, 0) && !producers.has_open(9, 1));
    assert_eq!(check(&producers, &batch(0, 2, 1, 0)), Err(Refusal::InvalidTxnState), "outside of it");
    assert_eq!(producers.txns().last_stable(12), 10);
    assert_eq!(producers.last_marker(9), -1);
    producers.record(&marker(0, 4, false, 12), None);
    assert!(!producers.has_open(9, 0));
    assert_eq!(producers.last_marker(9), 12);
    assert_eq!(producers.txns().aborted(0, 20), [super::super::Aborted { first_offset: 10, producer_id: 9 }]);
    assert_eq!(check(&producers, &in_txn(0, 2, 0)), Ok(Sequenced::Next));
    assert_eq!(
        check(&producers, &in_txn(0, 1, 0)),
        Ok(Sequenced::Again { base: 11, end: 12, timestamp: 1_000 })
    );
}

#[test]
fn a_marker_of_a_newer_epoch_fences_and_one_of_an_older_coordinator_is_refused() {
    let producers = recorded(&[in_txn(0, 0, 10), marker(1, 4, false, 11)]);
    assert_eq!(check(&producers, &in_txn(0, 1, 0)), Err(Refusal::InvalidProducerEpoch));
    assert_eq!(check(&producers, &in_txn(1, 1, 0)), Err(Refusal::OutOfOrderSequenceNumber));
    assert_eq!(check(&producers, &in_txn(1, 0, 0)), Ok(Sequenced::Next));
    let ends = |epoch, coordinator_epoch| {
        producers.check_marker(9, epoch, Marker { committed: true, coordinator_epoch })
    };
    assert_eq!(ends(1, 4), Ok(()), "again");
    assert_eq!(ends(0, 4), Err(Refusal::InvalidProducerEpoch));
    assert_eq!(ends(1, 3), Err(Refusal::TransactionCoordinatorFenced));
}

/// Offsets that a coordinator writes for a transaction open it without a number.
#[test]
fn unnumbered_batches_open_a_transaction_too() {
    let producers = recorded(&[in_txn(2, -1, 5)]);
    assert!(producers.has_open(9, 2));
    assert_eq!(producers.check_epoch(9, 1), Err(Refusal::InvalidProducerEpoch));
    let view = producers.views()[0];
    assert_eq!((view.txn_start, view.last_sequence, view.epoch), (5, -1, 2));
}

#[test]
fn old_producers_are_forgotten_unless_a_transaction_is_open() {
    let mut producers = recorded(&[batch(0, 3, 1, 0)]);
    producers.expire(999);
    assert_eq!(check(&producers, &batch(0, 9, 1, 1)), Err(Refusal::OutOfOrderSequenceNumber));
    producers.expire(1_000);
    assert_eq!(check(&producers, &batch(0, 9, 1, 1)), Ok(Sequenced::Next));
    let mut producers = recorded(&[in_txn(0, 3, 0)]);
    producers.expire(1_000);
    assert!(producers.has_open(9, 0));
}

#[test]
fn an_omitted_abort_is_the_flaw_of_that_name() {
    let mut producers = Producers::default();
    let aborts = 20;
    for at in 0..aborts {
        producers.record(&in_txn(0, at, i64::from(2 * at)), Some(Flaw::OmitAborted));
        producers.record(&marker(0, 0, false, i64::from(2 * at + 1)), Some(Flaw::OmitAborted));
    }
    let told = producers.txns().aborted(0, 1_000).len() as i32;
    assert!(told > 0 && told < aborts, "{told}");
}
