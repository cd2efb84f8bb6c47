//! What a record's rows are told as.

use std::collections::HashMap;

use history::Tag;

use super::Wrong;
use crate::context::{Context, Row, read_back};
use crate::judgement::Witness;

/// Rows named of one record; more add nothing.
const MOST_ROWS: usize = 4;

/// The numbers of the first few rows of each of these records, from 0.
pub(super) fn rows(context: &Context<'_>, wrong: &[Wrong]) -> Vec<Vec<usize>> {
    let mut rows = vec![Vec::new(); wrong.len()];
    for (number, sink) in context.sinks.iter().enumerate() {
        let of_it = wrong.iter().enumerate().filter(|(_, wrong)| wrong.sink == number && wrong.rows > 0);
        let wanted: HashMap<Tag, usize> =
            of_it.map(|(place, wrong)| (context.send(wrong.at).tag, place)).collect();
        if wanted.is_empty() {
            continue;
        }
        for (index, row) in sink.deliveries().enumerate() {
            if let Row::Of(tag) = Row::of(&row)
                && let Some(place) = wanted.get(&tag)
                && rows[*place].len() < MOST_ROWS
            {
                rows[*place].push(index);
            }
        }
    }
    rows
}

pub(super) fn tell(context: &Context<'_>, wrong: &Wrong, rows: &[usize]) -> Witness {
    let sink = context.sinks[wrong.sink];
    let send = context.send(wrong.at);
    let place = context.place_of(send.tag);
    let partition = place.map(|place| place.partition).or(send.partition);
    let offset = place.map(|place| place.offset).or(send.offset);
    let lies = match (partition, offset) {
        (Some(partition), Some(offset)) => {
            format!("offset {offset} of partition {}", context.history.partition_name(partition))
        }
        (Some(partition), None) => format!("partition {}", context.history.partition_name(partition)),
        (None, _) => "a partition that nobody told".to_owned(),
    };
    let name = context.name(send.tag);
    let text = match rows {
        [] if place.is_some() => format!("{name} is at {lies}, and {} has no row of it", sink.name()),
        [] => format!("{name} was acknowledged for {lies}, and {} has no row of it", sink.name()),
        rows => {
            let mut numbers: Vec<String> = rows.iter().map(|row| format!("{}", row + 1)).collect();
            let more = usize::from(wrong.rows) - rows.len();
            let last = if more > 0 { Some(format!("{more} more")) } else { numbers.pop() };
            let (first, last) = (numbers.join(", "), last.unwrap_or_default());
            format!("{name}, from {lies}, has {} rows in {}: {first} and {last}", wrong.rows, sink.name())
        }
    };
    let at = Some(send.completed.unwrap_or(send.invoked));
    let witness = context.witness(text, Some(send.tag), partition, offset, at);
    if context.derived.is_none() {
        return witness;
    }
    let read = rows.iter().filter_map(|row| read_back(sink, *row));
    witness.with(context.sender(send.tag).into_iter().chain(read))
}
