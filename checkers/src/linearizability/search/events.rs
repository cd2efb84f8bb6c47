//! Calls and returns in order of time, of the operations that have no place yet: a linked list from which
//! operations are lifted and put back in reverse (dancing links).

use crate::linearizability::NEVER;

/// No operation, no event.
pub(super) const NONE: u32 = u32::MAX;

/// The list. Event 0 is its head; an operation's call is `1 + 2 * item`, its return one more.
pub(super) struct Events {
    next: Vec<u32>,
    previous: Vec<u32>,
}

/// What an event is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// An operation is called.
    Call(u32),
    /// It returns.
    Return(u32),
    /// Nothing is left.
    End,
}

impl Events {
    /// The list of operations by call and return. At equal times calls come first: they are concurrent.
    pub(super) fn new(times: &[(i64, i64)]) -> Self {
        let mut order: Vec<(i64, bool, u32)> = Vec::with_capacity(times.len() * 2);
        for (item, (call, returned)) in times.iter().enumerate() {
            let event = 1 + 2 * item as u32;
            order.push((*call, false, event));
            if *returned != NEVER {
                order.push((*returned, true, event + 1));
            }
        }
        order.sort_unstable();
        let mut events =
            Self { next: vec![NONE; times.len() * 2 + 1], previous: vec![NONE; times.len() * 2 + 1] };
        let mut last = 0;
        for (_, _, event) in order {
            events.next[last as usize] = event;
            events.previous[event as usize] = last;
            last = event;
        }
        events
    }

    /// The event after another; after [`NONE`] the first.
    pub(super) fn after(&self, event: u32) -> u32 {
        self.next[if event == NONE { 0 } else { event as usize }]
    }

    /// What an event is.
    pub(super) const fn what(event: u32) -> Event {
        match event {
            NONE => Event::End,
            event if event % 2 == 1 => Event::Call((event - 1) / 2),
            event => Event::Return((event - 2) / 2),
        }
    }

    /// The call of an operation.
    pub(super) const fn call_of(item: u32) -> u32 {
        1 + 2 * item
    }

    /// Takes an operation out.
    pub(super) fn lift(&mut self, item: u32, returns: bool) {
        self.unlink(Self::call_of(item));
        if returns {
            self.unlink(Self::call_of(item) + 1);
        }
    }

    /// Puts back the operation that was lifted last of those that are out.
    pub(super) fn put_back(&mut self, item: u32, returns: bool) {
        if returns {
            self.relink(Self::call_of(item) + 1);
        }
        self.relink(Self::call_of(item));
    }

    fn unlink(&mut self, event: u32) {
        let (previous, next) = (self.previous[event as usize], self.next[event as usize]);
        self.next[previous as usize] = next;
        if next != NONE {
            self.previous[next as usize] = previous;
        }
    }

    fn relink(&mut self, event: u32) {
        let (previous, next) = (self.previous[event as usize], self.next[event as usize]);
        self.next[previous as usize] = event;
        if next != NONE {
            self.previous[next as usize] = event;
        }
    }
}
