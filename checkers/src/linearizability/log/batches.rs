//! Slots that only whole appends of several records may fill: filling holes of a size with batches of given
//! sizes is bin packing, strongly NP-hard, so it is tried out for a few batches and left open for more.

use super::content::{Placed, values};
use super::slots::{Filler, unfillable};
use super::{Append, real_time};

/// Batches up to which every way to place them is tried.
const BATCHES_MAX: usize = 8;
/// Steps after which trying ends: placements times the operations to be looked at for each.
const STEPS_MAX: u64 = 50_000_000;

/// Whether the slots can be filled; `None` if nobody can say at a bearable price.
pub(super) fn fill(placed: &Placed<'_>, singles: &[Filler]) -> Option<bool> {
    let batches: Vec<usize> = (0..placed.loose.len())
        .filter(|loose| values(placed.operations, placed.loose[*loose].op).len() > 1)
        .collect();
    if batches.len() > BATCHES_MAX {
        return None;
    }
    let mut trial = Trial { placed, singles, batches, chosen: Vec::new(), steps: STEPS_MAX };
    trial.place(0)
}

struct Trial<'t, 'a> {
    placed: &'t Placed<'a>,
    singles: &'t [Filler],
    batches: Vec<usize>,
    chosen: Vec<Append>,
    steps: u64,
}

impl Trial<'_, '_> {
    /// Tries every place of one batch and those after it.
    fn place(&mut self, batch: usize) -> Option<bool> {
        let Some(loose) = self.batches.get(batch).map(|loose| self.placed.loose[*loose]) else {
            return self.judge();
        };
        // It may not have happened, or stand behind everything seen.
        let mut open = self.place(batch + 1);
        let values = values(self.placed.operations, loose.op);
        self.steps = self.steps.checked_sub(values.len() as u64 * self.placed.slots.len() as u64)?;
        let mut bases: Vec<u64> = (self.placed.slots.iter())
            .flat_map(|(offset, _)| (0..values.len() as u64).filter_map(|within| offset.checked_sub(within)))
            .collect();
        bases.sort_unstable();
        bases.dedup();
        for base in bases {
            if open != Some(false) {
                return open;
            }
            if self.fits(base, values) {
                let count = values.len() as u32;
                self.chosen.push(Append {
                    base,
                    count,
                    id: loose.op,
                    call: loose.call,
                    returned: loose.returned,
                });
                open = self.place(batch + 1);
                self.chosen.pop();
            }
        }
        open
    }

    /// Every offset of the batch is a slot that may hold its value, or lies behind everything seen.
    fn fits(&mut self, base: u64, values: &[u32]) -> bool {
        self.steps = self.steps.saturating_sub(values.len() as u64);
        let (end, slots) = (self.placed.end(), &self.placed.slots);
        let last = base + values.len() as u64;
        self.chosen.iter().all(|other| other.end() <= base || last <= other.base)
            && (base..).zip(values).all(|(offset, value)| {
                offset >= end
                    || slots
                        .binary_search_by_key(&offset, |(offset, _)| *offset)
                        .is_ok_and(|slot| slots[slot].1.is_none_or(|seen| seen == *value))
            })
    }

    fn judge(&mut self) -> Option<bool> {
        let mut appends = self.placed.appends.clone();
        let cost = appends.len() + self.placed.windows.len() + self.placed.slots.len() + 1;
        self.steps = self.steps.checked_sub(cost as u64)?;
        appends.extend_from_slice(&self.chosen);
        if !real_time(&mut appends, &self.placed.windows, 0).is_empty() {
            return Some(false);
        }
        let slots: Vec<_> = (self.placed.slots.iter().copied())
            .filter(|(offset, _)| !self.chosen.iter().any(|one| one.base <= *offset && *offset < one.end()))
            .collect();
        Some(unfillable(&slots, &appends, &self.placed.windows, self.singles).is_none())
    }
}
