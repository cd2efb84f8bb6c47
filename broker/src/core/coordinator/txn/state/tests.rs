//! Every transition, by the table of Apache Kafka's `TransactionCoordinator`.

use super::*;

fn place(partition: i32) -> Place {
    ("t".to_owned(), partition)
}

fn at(state: TxnState, epoch: i16) -> Meta {
    let open = !matches!(state, TxnState::Empty | TxnState::CompleteCommit | TxnState::CompleteAbort);
    let places = if open { [place(0)].into_iter().collect() } else { BTreeSet::new() };
    Meta { producer: (9, epoch), state, places, started_ms: 5, ..Meta::new(9, 1_000, 1) }
}

fn refused(refusal: Refusal) -> Result<Meta, Stop> {
    Err(Stop::Refused(refusal))
}

#[test]
fn a_first_producer_gets_epoch_0_and_each_later_one_the_next() {
    let first = Meta::new(9, 1_000, 1).init(2_000, None, None, 7).expect("begins");
    assert_eq!((first.producer, first.timeout_ms, first.state), ((9, 0), 2_000, TxnState::Empty));
    let second = first.init(2_000, None, None, 8).expect("takes over");
    assert_eq!((second.producer, second.last_epoch), ((9, 1), -1));
}

/// KIP-360: a producer that goes on after an error raises its own epoch, once for each time it asks.
#[test]
fn a_producer_raises_its_own_epoch_and_a_fenced_one_cannot() {
    let meta = at(TxnState::CompleteAbort, 4);
    let bumped = meta.init(1_000, Some((9, 4)), None, 7).expect("raises");
    assert_eq!((bumped.producer, bumped.last_epoch), ((9, 5), 4));
    let again = bumped.init(1_000, Some((9, 4)), None, 8).expect("the same call again");
    assert_eq!(again.producer, (9, 5));
    assert_eq!(bumped.init(1_000, Some((9, 3)), None, 8), refused(Refusal::ProducerFenced));
    assert_eq!(bumped.init(1_000, Some((8, 5)), None, 8), refused(Refusal::ProducerFenced));
    let other = bumped.init(1_000, None, None, 8).expect("another takes over");
    assert_eq!(other.init(1_000, Some((9, 5)), None, 9), refused(Refusal::ProducerFenced));
}

#[test]
fn a_used_up_epoch_takes_a_new_producer_id() {
    let meta = at(TxnState::Empty, LAST_EPOCH);
    assert_eq!(meta.init(1_000, None, None, 7), Err(Stop::NeedsProducerId));
    let rotated = meta.init(1_000, Some((9, LAST_EPOCH)), Some(77), 7).expect("rotates");
    assert_eq!((rotated.producer, rotated.previous_id, rotated.last_epoch), ((77, 0), 9, LAST_EPOCH));
    // The same call again, by who it was before.
    let again = rotated.init(1_000, Some((9, LAST_EPOCH)), None, 8).expect("known");
    assert_eq!(again.producer, (77, 0));
    let fenced = at(TxnState::Ongoing, LAST_EPOCH).fence(7);
    assert_eq!(fenced.producer.1, i16::MAX);
    assert_eq!(fenced.complete(8).init(1_000, None, Some(78), 9).map(|meta| meta.producer), Ok((78, 0)));
}

#[test]
fn partitions_join_and_the_first_opens_the_transaction() {
    for state in [TxnState::Empty, TxnState::CompleteCommit, TxnState::CompleteAbort] {
        let opened = at(state, 3).add((9, 3), &[place(1)], 50).expect("opens");
        assert_eq!((opened.state, opened.started_ms), (TxnState::Ongoing, 50));
        assert_eq!(opened.places, [place(1)].into_iter().collect());
        let more = opened.add((9, 3), &[place(2)], 60).expect("joins");
        assert_eq!((more.places.len(), more.started_ms), (2, 50));
        assert_eq!(more.add((9, 3), &[place(1)], 70), Err(Stop::Done((9, 3))), "it is in it already");
        assert_eq!(more.add((9, 2), &[place(1)], 70), refused(Refusal::ProducerFenced));
        assert_eq!(more.add((8, 3), &[place(1)], 70), refused(Refusal::InvalidProducerIdMapping));
    }
    for state in [TxnState::PrepareCommit, TxnState::PrepareAbort] {
        assert_eq!(at(state, 3).add((9, 3), &[place(1)], 50), refused(Refusal::ConcurrentTransactions));
        assert_eq!(at(state, 3).init(1_000, None, None, 50), refused(Refusal::ConcurrentTransactions));
        assert_eq!(at(state, 3).verify((9, 3), &[place(0)]), Err(Refusal::ConcurrentTransactions));
    }
}

#[test]
fn only_partitions_of_the_open_transaction_are_verified() {
    let open = at(TxnState::Ongoing, 3);
    let said = open.verify((9, 3), &[place(0), place(1)]);
    assert_eq!(said, Ok(vec![None, Some(Refusal::TransactionAbortable)]));
    assert_eq!(open.verify((9, 2), &[place(0)]), Err(Refusal::ProducerFenced));
    let over = at(TxnState::CompleteCommit, 3).verify((9, 3), &[place(0)]);
    assert_eq!(over, Ok(vec![Some(Refusal::TransactionAbortable)]));
}

/// State, what is asked, what comes of it: transaction version 1.
#[test]
fn the_end_of_a_transaction_under_version_1() {
    let end = |state, committed| {
        at(state, 3).end(End { producer: (9, 3), committed, bump: false, fresh: None }, 50)
    };
    let state = |result: Result<Meta, Stop>| result.map(|meta| (meta.state, meta.producer));
    assert_eq!(state(end(TxnState::Ongoing, true)), Ok((TxnState::PrepareCommit, (9, 3))));
    assert_eq!(state(end(TxnState::Ongoing, false)), Ok((TxnState::PrepareAbort, (9, 3))));
    for (current, committed, expected) in [
        (TxnState::PrepareCommit, true, Stop::Refused(Refusal::ConcurrentTransactions)),
        (TxnState::PrepareCommit, false, Stop::Refused(Refusal::InvalidTxnState)),
        (TxnState::PrepareAbort, false, Stop::Refused(Refusal::ConcurrentTransactions)),
        (TxnState::PrepareAbort, true, Stop::Refused(Refusal::InvalidTxnState)),
        (TxnState::CompleteCommit, true, Stop::Done((9, 3))),
        (TxnState::CompleteCommit, false, Stop::Refused(Refusal::InvalidTxnState)),
        (TxnState::CompleteAbort, false, Stop::Done((9, 3))),
        (TxnState::CompleteAbort, true, Stop::Refused(Refusal::InvalidTxnState)),
        (TxnState::Empty, true, Stop::Refused(Refusal::InvalidTxnState)),
        (TxnState::Empty, false, Stop::Refused(Refusal::InvalidTxnState)),
    ] {
        assert_eq!(end(current, committed), Err(expected), "{current} {committed}");
    }
    let fenced =
        at(TxnState::Ongoing, 3).end(End { producer: (9, 2), committed: true, bump: false, fresh: None }, 50);
    assert_eq!(fenced, refused(Refusal::ProducerFenced));
    assert_eq!(
        at(TxnState::Ongoing, 3).end(End { producer: (7, 3), committed: true, bump: false, fresh: None }, 50),
        refused(Refusal::InvalidProducerIdMapping)
    );
}

/// The same under version 2: the epoch goes up with every end, and tells a repeated call from a new one.
#[test]
fn the_end_of_a_transaction_under_version_2() {
    let end = |state, epoch, committed| {
        at(state, 4).end(End { producer: (9, epoch), committed, bump: true, fresh: None }, 50)
    };
    let prepared = end(TxnState::Ongoing, 4, true).expect("commits");
    assert_eq!((prepared.state, prepared.producer), (TxnState::PrepareCommit, (9, 5)));
    assert_eq!(prepared.told(), (9, 5));
    for (current, epoch, committed, expected) in [
        (TxnState::Ongoing, 3, true, Stop::Refused(Refusal::ProducerFenced)),
        (TxnState::PrepareCommit, 3, true, Stop::Refused(Refusal::ConcurrentTransactions)),
        (TxnState::PrepareCommit, 3, false, Stop::Refused(Refusal::InvalidTxnState)),
        (TxnState::PrepareCommit, 4, true, Stop::Refused(Refusal::InvalidTxnState)),
        (TxnState::CompleteCommit, 3, true, Stop::Done((9, 4))),
        (TxnState::CompleteCommit, 4, true, Stop::Refused(Refusal::InvalidTxnState)),
        (TxnState::CompleteCommit, 3, false, Stop::Refused(Refusal::InvalidTxnState)),
        (TxnState::CompleteAbort, 3, false, Stop::Done((9, 4))),
        (TxnState::CompleteAbort, 4, true, Stop::Refused(Refusal::InvalidTxnState)),
        (TxnState::Empty, 4, true, Stop::Refused(Refusal::InvalidTxnState)),
    ] {
        assert_eq!(end(current, epoch, committed), Err(expected), "{current} {epoch} {committed}");
    }
    // An abort of nothing is one: the producer cannot know whether a record of it arrived.
    for current in [TxnState::Empty, TxnState::CompleteCommit, TxnState::CompleteAbort] {
        let aborted = end(current, 4, false).expect("aborts");
        assert_eq!((aborted.state, aborted.producer.1), (TxnState::PrepareAbort, 5));
        assert!(aborted.places.is_empty());
    }
}

#[test]
fn the_last_epoch_ends_its_transaction_and_the_id_changes_with_it() {
    let meta = at(TxnState::Ongoing, LAST_EPOCH);
    let asked = (9, LAST_EPOCH);
    assert_eq!(
        meta.end(End { producer: asked, committed: true, bump: true, fresh: None }, 50),
        Err(Stop::NeedsProducerId)
    );
    let prepared =
        meta.end(End { producer: asked, committed: true, bump: true, fresh: Some(77) }, 50).expect("commits");
    assert_eq!((prepared.producer, prepared.told()), ((9, i16::MAX), (77, 0)));
    let complete = prepared.complete(60);
    assert_eq!((complete.producer, complete.previous_id), ((77, 0), 9));
    assert_eq!(
        complete.end(End { producer: asked, committed: true, bump: true, fresh: None }, 70),
        Err(Stop::Done((77, 0))),
        "the same call again"
    );
}

#[test]
fn a_transaction_that_is_complete_has_no_partitions() {
    let complete = at(TxnState::PrepareAbort, 3).complete(60);
    assert_eq!((complete.state, complete.places.len()), (TxnState::CompleteAbort, 0));
    assert_eq!(at(TxnState::PrepareCommit, 3).complete(60).state, TxnState::CompleteCommit);
}
