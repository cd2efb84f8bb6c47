//! Sinks of simulated histories: what a faithful application leaves there, and what a faulty one does.

use std::collections::BTreeSet;

use history::Outcome;

use super::plants::{Acked, Planted, acked, pick};
use super::script::{Op, Script, Table};
use crate::testing::Rng;

/// Gives a clean script a sink that holds every record once, in some order, and a promise or none.
pub(super) fn fill(script: &mut Script, rng: &mut Rng) {
    let ok = |op: &&Op| op.outcome == Outcome::Ok;
    let sent = script.ops().filter(ok).flat_map(Op::sends).map(|sent| (sent.partition, sent.value));
    let given = script.ops().flat_map(Op::given).map(|given| (given.partition, given.value));
    let mut rows: Vec<(u32, i64)> = sent.chain(given).collect::<BTreeSet<_>>().into_iter().collect();
    for last in (1..rows.len()).rev() {
        rows.swap(last, rng.below(last + 1));
    }
    script.tables.push(Table { rows, closed: true });
    let said = ["exactly-once", "at-least-once", "at-most-once", ""][rng.below(4)];
    if !said.is_empty() {
        script.settings.push(("effects".to_owned(), said.to_owned()));
    }
}

/// An acknowledged record and the places of its rows.
fn some_row(script: &Script, rng: &mut Rng) -> Option<(Acked, usize)> {
    let table = script.tables.first()?;
    let chosen = pick(&acked(script), rng)?;
    let row = (chosen.sent.partition, chosen.sent.value);
    Some((chosen, table.rows.iter().position(|each| *each == row)?))
}

pub(super) fn never_applied(script: &mut Script, rng: &mut Rng) -> Option<Planted> {
    let (Acked { at, .. }, row) = some_row(script, rng)?;
    script.tables[0].rows.remove(row);
    Some(Planted { kind: "lost-effect", operation: at })
}

pub(super) fn applied_twice(script: &mut Script, rng: &mut Rng) -> Option<Planted> {
    let (Acked { at, .. }, row) = some_row(script, rng)?;
    let table = &mut script.tables[0];
    let again = rng.below(table.rows.len() + 1);
    table.rows.insert(again, table.rows[row]);
    Some(Planted { kind: "duplicate-effect", operation: at })
}
