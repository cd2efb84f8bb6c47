//! Holes in the log, and appends that may fill them.
//!
//! An append u of unknown outcome has no return, so putting it into a slot only says that whatever stands
//! after the slot has not returned before u was called: u fits iff `call(u) ≤ lat`, the earliest return of
//! what stands after. The slots an append fits are nested, so Hall's condition is a comparison of sorted
//! lists. A slot whose value was read takes appends of that value only; among those it takes the latest that
//! fits, which leaves the earliest, the most useful ones, to slots nobody read.

use std::collections::{BTreeSet, HashMap};

use history::exchange::operations::TextId;

use super::content::{Placed, values};
use super::{Append, Window};

/// One record that may fill a slot.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filler {
    pub(super) value: TextId,
    pub(super) call: i64,
}

/// The records of single appends, or of all, as if each record were an append of its own.
pub(super) fn fillers(placed: &Placed<'_>, batches_too: bool) -> Vec<Filler> {
    placed
        .loose
        .iter()
        .filter(|loose| batches_too || values(placed.operations, loose.op).len() == 1)
        .flat_map(|loose| {
            let values = values(placed.operations, loose.op);
            values.iter().map(|value| Filler { value: *value, call: loose.call })
        })
        .collect()
}

/// The first slot, by how early it must be filled, that cannot be; `None` if all can. O(n log n).
pub(super) fn unfillable(
    slots: &[(u64, Option<TextId>)],
    appends: &[Append],
    windows: &[Window],
    fillers: &[Filler],
) -> Option<u64> {
    let lats = latest_calls(slots, appends, windows);
    let mut order: Vec<usize> = (0..slots.len()).collect();
    order.sort_unstable_by_key(|slot| lats[*slot]);
    let mut by_value: HashMap<TextId, BTreeSet<(i64, usize)>> =
        slots.iter().filter_map(|(_, value)| *value).map(|value| (value, BTreeSet::new())).collect();
    let mut anywhere = Vec::new();
    for (place, filler) in fillers.iter().enumerate() {
        match by_value.get_mut(&filler.value) {
            Some(class) => {
                class.insert((filler.call, place));
            }
            None => anywhere.push(filler.call),
        }
    }
    for slot in &order {
        if let Some(value) = slots[*slot].1 {
            let class = by_value.get_mut(&value)?;
            let Some(best) = class.range(..=(lats[*slot], usize::MAX)).next_back().copied() else {
                return Some(slots[*slot].0);
            };
            class.remove(&best);
        }
    }
    anywhere.extend(by_value.values().flatten().map(|(call, _)| *call));
    anywhere.sort_unstable();
    let mut calls = anywhere.into_iter();
    order
        .into_iter()
        .filter(|slot| slots[*slot].1.is_none())
        .find(|slot| calls.next().is_none_or(|call| call > lats[*slot]))
        .map(|slot| slots[slot].0)
}

/// For each slot, the earliest return of what stands after it.
fn latest_calls(slots: &[(u64, Option<TextId>)], appends: &[Append], windows: &[Window]) -> Vec<i64> {
    // What makes a slot wait: an append behind it, or a window that saw past it.
    let mut after: Vec<(u64, i64)> = appends.iter().map(|append| (append.base, append.returned)).collect();
    after.extend(windows.iter().filter_map(|window| Some((window.lo.checked_sub(1)?, window.returned))));
    after.sort_unstable();
    let mut lats = vec![i64::MAX; slots.len()];
    let mut earliest = i64::MAX;
    for (slot, (offset, _)) in slots.iter().enumerate().rev() {
        while let Some((_, returned)) = after.pop_if(|(position, _)| *position >= *offset) {
            earliest = earliest.min(returned);
        }
        lats[slot] = earliest;
    }
    lats
}
