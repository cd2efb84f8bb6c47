//! Operations of a session that recorded none as such: sends and polls, merged by the time of invocation.

use std::iter::{Enumerate, Peekable};

use crate::ids::Nanos;
use crate::outcome::Outcome;

use super::columns::{Deliveries, Sends};
use super::operation::{Function, Operation};
use super::rows::{Delivery, Send};
use super::session::Session;

/// The merge, under way.
pub(super) struct Derived<'a> {
    sends: Peekable<Enumerate<Sends<'a>>>,
    deliveries: Peekable<Enumerate<Deliveries<'a>>>,
}

impl<'a> Derived<'a> {
    pub(super) fn of(session: &'a Session) -> Self {
        Self {
            sends: session.sends().enumerate().peekable(),
            deliveries: session.deliveries().enumerate().peekable(),
        }
    }

    fn poll(&mut self) -> Option<Operation<'a>> {
        let (from, first) = self.deliveries.next()?;
        let same =
            |(_, next): &(usize, Delivery)| (next.polled, next.returned) == (first.polled, first.returned);
        let mut until = from + 1;
        while self.deliveries.next_if(same).is_some() {
            until += 1;
        }
        Some(Operation {
            function: Function::Poll,
            invoked: first.polled,
            completed: Some(first.returned),
            outcome: Outcome::Ok,
            sends: 0..0,
            deliveries: from..until,
            line: None,
            detail: None,
            runs: &[],
        })
    }
}

impl<'a> Iterator for Derived<'a> {
    type Item = Operation<'a>;

    fn next(&mut self) -> Option<Operation<'a>> {
        let sent: Option<Nanos> = self.sends.peek().map(|(_, send)| send.invoked);
        let polled = self.deliveries.peek().map(|(_, delivery)| delivery.polled);
        match (sent, polled) {
            (Some(sent), Some(polled)) if polled < sent => self.poll(),
            (None, _) => self.poll(),
            _ => self.sends.next().map(|(index, send)| of_send(index, &send)),
        }
    }
}

fn of_send<'a>(index: usize, send: &Send) -> Operation<'a> {
    Operation {
        function: Function::Send,
        invoked: send.invoked,
        completed: send.completed,
        outcome: send.outcome,
        sends: index..index + 1,
        deliveries: 0..0,
        line: None,
        detail: None,
        runs: &[],
    }
}
