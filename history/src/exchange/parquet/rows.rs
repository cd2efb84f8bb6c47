//! What a row of each table holds (`docs/histories.md`).

use super::table::{Cell, Column};
use crate::event::Contents;
use crate::ids::{FENCE_PRODUCER, Tag};
use crate::outcome::{Outcome, Told};
use crate::view::{Delivery, History, Send, Session};

pub(super) const SENDS: &[Column] = &[
    Column::text("process"),
    Column::number("seq"),
    Column::text("record"),
    Column::text("record_value"),
    Column::number_or_null("record_key"),
    Column::text("log_name"),
    Column::number_or_null("log_offset"),
    Column::number("invoked_ns"),
    Column::number_or_null("completed_ns"),
    Column::text("outcome"),
    Column::text("told"),
];

pub(super) const DELIVERIES: &[Column] = &[
    Column::text("process"),
    Column::number("seq"),
    Column::text_or_null("record"),
    Column::text("record_value"),
    Column::text("log_name"),
    Column::number("log_offset"),
    Column::number("polled_ns"),
    Column::number("returned_ns"),
    Column::text("outcome"),
    Column::text("contents"),
    Column::number("is_final"),
];

pub(super) const LOGS: &[Column] =
    &[Column::text("log_name"), Column::number("complete"), Column::number("drained")];

pub(super) fn send(history: &History, session: &Session, send: &Send) -> [Cell; 11] {
    [
        Cell::Text(session.name()),
        Cell::number(send.tag.seq),
        Cell::Text(send.tag.to_string()),
        Cell::Text(history.name_of(send.tag)),
        send.key.map_or(Cell::Null, Cell::number),
        Cell::Text(send.partition.map_or_else(String::new, |place| history.partition_name(place))),
        send.offset.map_or(Cell::Null, |offset| Cell::Number(offset.0)),
        Cell::number(send.invoked.0),
        send.completed.map_or(Cell::Null, |at| Cell::number(at.0)),
        Cell::Word(outcome(send.outcome)),
        Cell::Word(match send.told {
            Told::Acked => "acked",
            Told::Sent => "sent",
            Told::Failed => "failed",
            Told::Nothing => "nothing",
        }),
    ]
}

/// A delivery, what is certain about the operation that returned it, and whether it shows the final log.
pub(super) fn delivery(
    history: &History,
    session: &Session,
    (seq, delivery): (usize, &Delivery),
    ended: Outcome,
    last: bool,
) -> [Cell; 11] {
    let is_fence = |tag: &Tag| tag.producer == FENCE_PRODUCER;
    let tag = delivery.tag.filter(|tag| !is_fence(tag));
    let foreign = || session.foreign_value(seq).map(ToString::to_string).unwrap_or_default();
    [
        Cell::Text(session.name()),
        Cell::number(seq as u64),
        tag.map_or(Cell::Null, |tag| Cell::Text(tag.to_string())),
        Cell::Text(tag.map_or_else(foreign, |tag| history.name_of(tag))),
        Cell::Text(history.partition_name(delivery.partition)),
        Cell::Number(delivery.offset.0),
        Cell::number(delivery.polled.0),
        Cell::number(delivery.returned.0),
        Cell::Word(outcome(ended)),
        Cell::Word(match delivery.contents {
            _ if delivery.tag.as_ref().is_some_and(is_fence) => "fence",
            Contents::Intact => "intact",
            Contents::Corrupt => "corrupt",
            Contents::Foreign => "foreign",
        }),
        Cell::Number(i64::from(last)),
    ]
}

/// A partition: a drain read it to its end; there was a drain at all.
pub(super) fn log(name: String, complete: bool, drained: bool) -> [Cell; 3] {
    [Cell::Text(name), Cell::Number(i64::from(complete)), Cell::Number(i64::from(drained))]
}

const fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "ok",
        Outcome::Fail => "fail",
        Outcome::Unknown => "unknown",
    }
}
