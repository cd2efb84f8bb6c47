//! The moves of a search: choosing, placing, taking back.

use history::Outcome;
use history::exchange::operations::{Action, Operation};

use super::events::{Event, Events, NONE};
use super::{Cursor, Preference, Search};
use crate::linearizability::NEVER;
use crate::linearizability::models::{Object, scramble};

/// A dequeue of unknown outcome: it may have taken anything, so it is not what it looks like.
pub(super) fn is_unknown_take(operation: &Operation) -> bool {
    operation.outcome == Outcome::Unknown && matches!(operation.action, Action::Dequeue(_))
}

impl<O: Object> Search<'_, O> {
    pub(super) fn operation(&self, item: u32) -> &Operation {
        &self.operations[self.items[item as usize] as usize]
    }

    fn step(&self, state: &O::State, item: u32) -> Option<O::State> {
        let operation = self.operation(item);
        self.object.step(state, operation.action, operation.outcome == Outcome::Ok)
    }

    pub(super) fn place(&mut self, item: u32) {
        let returns = self.operation(item).returned != NEVER;
        self.events.lift(item, returns);
        self.missing -= usize::from(returns);
        self.hash ^= scramble(u64::from(item));
        self.order.push(item);
    }

    fn take_back(&mut self, item: u32) {
        let returns = self.operation(item).returned != NEVER;
        self.events.put_back(item, returns);
        self.missing += usize::from(returns);
        self.hash ^= scramble(u64::from(item));
    }

    /// Places every pending operation that changes nothing and may stand here. One pass does: the state
    /// stays, so one that may not stand here when it is met may not later either.
    pub(super) fn settle(&mut self) {
        let mut event = self.events.after(NONE);
        while let Event::Call(item) = Events::what(event) {
            event = self.events.after(event);
            if self.pure[item as usize] && self.step(&self.state, item).is_some() {
                // The return of this one may be what ended the pending ones.
                let next_is_own = event == Events::call_of(item) + 1;
                if next_is_own {
                    event = self.events.after(event);
                }
                self.place(item);
                self.unneeded = None;
            }
        }
    }

    /// What is in place and what came of it, in 128 bits.
    pub(super) fn configuration(&self) -> u128 {
        let state = self.object.fingerprint(&self.state);
        // From here fewer ways go on than from the same configuration without the doubt.
        let doubt = self.unneeded.as_ref().map_or(0, |before| !self.object.fingerprint(before));
        self.hash ^ state ^ doubt.rotate_left(64)
    }

    /// The next choice behind a cursor, and the state it leads to.
    pub(super) fn choose(&mut self, cursor: Cursor) -> Option<(u32, O::State)> {
        self.rank();
        let in_turn = self.preference == Preference::Known;
        for unknown in [false, true] {
            if cursor.unknown && !unknown || unknown && !in_turn {
                continue;
            }
            let start = if cursor.unknown == unknown { cursor.after } else { NONE };
            let mut event = self.events.after(start);
            while let Event::Call(item) = Events::what(event) {
                event = self.events.after(event);
                let optional = self.operation(item).returned == NEVER;
                if in_turn && optional != unknown
                    || self.pure[item as usize]
                    || self.first[self.classes[item as usize] as usize] != item
                {
                    continue;
                }
                let Some(state) = self.step(&self.state, item) else { continue };
                if optional && state == self.state {
                    continue;
                }
                let idle =
                    |before: &O::State| self.step(before, item).is_some_and(|without| without == state);
                if self.unneeded.as_ref().is_some_and(idle) {
                    continue;
                }
                return Some((item, state));
            }
        }
        None
    }

    /// Finds, for each kind of action, the pending operation that returns first.
    fn rank(&mut self) {
        let mut event = self.events.after(NONE);
        while let Event::Call(item) = Events::what(event) {
            self.first[self.classes[item as usize] as usize] = NONE;
            event = self.events.after(event);
        }
        let mut event = self.events.after(NONE);
        while let Event::Call(item) = Events::what(event) {
            let class = self.classes[item as usize] as usize;
            let best = self.first[class];
            if best == NONE || self.operation(item).returned < self.operation(best).returned {
                self.first[class] = item;
            }
            event = self.events.after(event);
        }
    }

    /// Takes back the last choice; the cursor goes on behind it. `None` if there is no choice left.
    pub(super) fn retreat(&mut self) -> Option<Cursor> {
        let frame = self.frames.pop()?;
        while self.order.len() > frame.placed {
            if let Some(item) = self.order.pop() {
                self.take_back(item);
            }
        }
        self.common = self.common.min(frame.placed);
        self.states -= self.object.bytes(&frame.state);
        self.state = frame.state;
        self.unneeded = frame.unneeded;
        let unknown = self.preference == Preference::Known && self.operation(frame.item).returned == NEVER;
        Some(Cursor { unknown, after: Events::call_of(frame.item) })
    }

    /// Keeps the order if none was longer.
    pub(super) fn note_longest(&mut self) {
        if self.order.len() <= self.longest.len() && self.stuck != NONE {
            return;
        }
        self.longest.truncate(self.common);
        self.longest.extend_from_slice(&self.order[self.common..]);
        self.common = self.order.len();
        let mut event = self.events.after(NONE);
        while let Event::Call(_) = Events::what(event) {
            event = self.events.after(event);
        }
        if let Event::Return(item) = Events::what(event) {
            self.stuck = item;
        }
    }
}
