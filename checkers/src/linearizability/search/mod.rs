//! A search for an order, for objects that have no better check: Wing & Gong (1993) with Lowe's memo of
//! configurations (2017), and
//!
//! 1. a configuration is remembered in 128 bits, updated in O(1) as operations come and go;
//! 2. an operation that changes no state is put in place as soon as it may be, without a choice: in any
//!    order it could be moved there;
//! 3. of pending operations that are the same, the one that returns first goes first: any order can be
//!    rewritten so by exchange;
//! 4. the search ends when every operation with a return has a place; one of unknown outcome is placed only
//!    if what comes next is impossible, or ends differently, without it.

mod events;
mod step;

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use history::exchange::operations::Operation;
use history::{Outcome, clock};

use self::events::{Events, NONE};
use self::step::is_unknown_take;
use super::NEVER;
use super::models::Object;

/// How a search, or a part of it, ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// There is an order.
    Found,
    /// There is none.
    Exhausted,
    /// It may go on.
    Paused,
}

/// What a configuration hashes to is already random in every bit.
#[derive(Default)]
struct Identity(u64);

impl Hasher for Identity {
    fn write(&mut self, _bytes: &[u8]) {}

    fn write_u128(&mut self, bits: u128) {
        self.0 = bits as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A choice that was made.
struct Frame<S> {
    /// The operation chosen.
    item: u32,
    /// What the state was before it.
    state: S,
    /// How many operations were in place before it.
    placed: usize,
    /// What `unneeded` was before it.
    unneeded: Option<S>,
}

/// The search over one object; it can be paused and taken up again.
pub(super) struct Search<'a, O: Object> {
    object: &'a O,
    operations: &'a [Operation],
    preference: Preference,
    /// In order of call.
    items: Vec<u32>,
    /// Equal for equal actions.
    classes: Vec<u32>,
    /// For each class, the pending operation that goes first, while choices are listed.
    first: Vec<u32>,
    pure: Vec<bool>,
    events: Events,
    state: O::State,
    /// The operations in place, by item.
    order: Vec<u32>,
    /// The exclusive or of what the operations in place hash to.
    hash: u128,
    /// Operations with a return that have no place yet.
    missing: usize,
    /// The state before the operation of unknown outcome that came last, if nothing shows yet that it was
    /// needed.
    unneeded: Option<O::State>,
    frames: Vec<Frame<O::State>>,
    /// Bytes that the states of `frames` hold on the heap.
    states: usize,
    seen: HashSet<u128, BuildHasherDefault<Identity>>,
    longest: Vec<u32>,
    /// How much of `longest` is still as in `order`.
    common: usize,
    /// The operation that had no place behind `longest`.
    stuck: u32,
    /// Where to go on.
    cursor: Cursor,
    started: bool,
}

/// Which choice is tried first. Neither is better: where few operations of unknown outcome happened it is
/// wise to try them last, where many did in order of call; so they take turns ([`super::check`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Preference {
    /// Operations with a return, in order of call, then the others.
    Known,
    /// All in order of call.
    Called,
}

/// Where to go on among the choices.
#[derive(Clone, Copy)]
struct Cursor {
    /// Those with a return are through.
    unknown: bool,
    after: u32,
}

const FROM_THE_TOP: Cursor = Cursor { unknown: false, after: NONE };

/// Steps between two looks at the clock.
const STEPS_UNWATCHED: u32 = 1 << 8;

impl<'a, O: Object> Search<'a, O> {
    /// A search for an order of `members` of `operations`. Failed operations and unknown ones that change
    /// nothing take no part.
    pub(super) fn new(
        object: &'a O,
        operations: &'a [Operation],
        members: &[u32],
        preference: Preference,
    ) -> Self {
        let part = |item: &&u32| {
            let operation = &operations[**item as usize];
            match operation.outcome {
                Outcome::Ok => true,
                Outcome::Fail => false,
                Outcome::Unknown => !object.is_pure(operation.action) || is_unknown_take(operation),
            }
        };
        let mut items: Vec<u32> = members.iter().filter(part).copied().collect();
        items.sort_by_key(|item| operations[*item as usize].call);
        let at = |item: &u32| &operations[*item as usize];
        let mut known = std::collections::HashMap::new();
        let classes: Vec<u32> = items
            .iter()
            .map(|item| {
                // An unknown dequeue is not the same as one that found the queue empty.
                let class = (at(item).action, is_unknown_take(at(item)));
                let next = known.len() as u32;
                *known.entry(class).or_insert(next)
            })
            .collect();
        let pure = items.iter().map(|item| object.is_pure(at(item).action) && !is_unknown_take(at(item)));
        let times: Vec<(i64, i64)> = items.iter().map(|item| (at(item).call, at(item).returned)).collect();
        Self {
            object,
            operations,
            preference,
            first: vec![NONE; known.len()],
            classes,
            pure: pure.collect(),
            events: Events::new(&times),
            state: object.initial(),
            order: Vec::with_capacity(items.len()),
            hash: 0,
            missing: times.iter().filter(|(_, returned)| *returned != NEVER).count(),
            unneeded: None,
            frames: Vec::new(),
            states: 0,
            seen: HashSet::default(),
            longest: Vec::new(),
            common: 0,
            stuck: NONE,
            cursor: FROM_THE_TOP,
            started: false,
            items,
        }
    }

    /// Bytes it holds, at so many a remembered configuration.
    pub(super) fn bytes(&self, configuration: usize) -> usize {
        self.seen.len() * configuration + self.states
    }

    /// Some operation has no return, so that the order of choices is open.
    pub(super) fn has_unknown(&self) -> bool {
        self.items.iter().any(|item| self.operations[*item as usize].returned == NEVER)
    }

    /// The longest legal beginning so far, and the operation that could not be placed behind it.
    pub(super) fn stuck(&self) -> (Vec<u32>, Option<u32>) {
        let name = |item: &u32| self.items[*item as usize];
        (self.longest.iter().map(name).collect(), (self.stuck != NONE).then(|| name(&self.stuck)))
    }

    /// Searches until there is an answer, `until` on the clock of the histories, or it holds `room` bytes.
    pub(super) fn run(&mut self, until: u64, room: usize, configuration: usize) -> Ended {
        if !self.started {
            self.started = true;
            self.settle();
        }
        let mut steps = 0_u32;
        loop {
            if self.missing == 0 {
                return Ended::Found;
            }
            steps += 1;
            if steps.is_multiple_of(STEPS_UNWATCHED)
                && (clock::now().0 >= until || self.bytes(configuration) >= room)
            {
                return Ended::Paused;
            }
            if let Some((item, state)) = self.choose(self.cursor) {
                let optional = self.operation(item).returned == NEVER;
                let before = std::mem::replace(&mut self.state, state);
                let unneeded = std::mem::replace(&mut self.unneeded, optional.then(|| before.clone()));
                self.states += self.object.bytes(&before);
                self.frames.push(Frame { item, state: before, placed: self.order.len(), unneeded });
                self.place(item);
                self.settle();
                if self.seen.insert(self.configuration()) {
                    self.cursor = FROM_THE_TOP;
                    continue;
                }
            } else {
                self.note_longest();
            }
            match self.retreat() {
                Some(next) => self.cursor = next,
                None => return Ended::Exhausted,
            }
        }
    }
}
