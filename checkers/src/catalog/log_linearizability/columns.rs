//! The history as columns for the sweep. A first pass keeps four bytes a record (times in units of some
//! nanoseconds, rounded so that nothing is missed) and names the partitions where something may be wrong;
//! only those are read again, exactly.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use history::{Contents, Nanos, Offset, Outcome, Role, Send, Session, Tag, Told};

use super::sweep::{NEVER, Times};
use crate::context::{Context, Entry, Log, is_fence, parallel};
use crate::guarantees::{ORDER, Promise};

/// No producer.
const NOBODY: u32 = u32::MAX;

/// A poll that returned a record before it was sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct FutureRead {
    /// Index into the history's sessions.
    pub(super) session: usize,
    pub(super) tag: Tag,
    pub(super) offset: Offset,
    pub(super) called: Nanos,
    pub(super) returned: Nanos,
}

/// One partition's log with its times.
pub(super) struct Column<'a> {
    log: &'a Log,
    pub(super) times: Times,
    pub(super) future: Vec<FutureRead>,
}

impl Column<'_> {
    pub(super) fn entry(&self, position: usize) -> Entry {
        self.log.entries.get(position)
    }

    /// The reader through which a record was first known, if it was not its acknowledgement.
    pub(super) fn reader_of(&self, context: &Context<'_>, position: usize) -> Option<String> {
        let entry = self.entry(position);
        let partition = context.logs.iter().position(|log| std::ptr::eq(log, self.log))?;
        let known = |session: &&Session| {
            let error = error(session);
            session.deliveries().any(|delivery| {
                (delivery.partition.0 as usize, delivery.offset) == (partition, entry.offset)
                    && delivery.returned.0.saturating_add(error) == self.times.known[position]
            })
        };
        let acked = entry.tag.and_then(|tag| context.find(tag)).is_some_and(|at| {
            let send = context.send(at);
            is_acked(&send) && send.completed.is_some_and(|at| at.0 <= self.times.known[position])
        });
        if acked { None } else { readers(context).map(|(_, session)| session).find(known).map(Session::name) }
    }
}

/// How far the stamps of a session may be off, in nanoseconds.
fn error(session: &Session) -> u64 {
    session.clock.error_ns.unwrap_or(0)
}

/// Whether its record was known to be in the log when it completed.
pub(super) fn is_acked(send: &Send) -> bool {
    send.told == Told::Acked && send.outcome == Outcome::Ok
}

/// The sessions that read while records were sent, by index.
fn readers<'c>(context: &'c Context<'_>) -> impl Iterator<Item = (usize, &'c Session)> {
    let readers = context.history.sessions.iter().enumerate();
    readers.filter(|(_, session)| {
        session.role != Role::Drain && session.reads_log() && session.delivery_count() > 0
    })
}

/// Times in units that fit 32 bits over the whole history.
struct Clock {
    base: u64,
    unit: u64,
}

impl Clock {
    fn of(context: &Context<'_>) -> Self {
        let (mut first, mut last) = (u64::MAX, 0);
        for session in context.history.senders().filter(|session| session.send_count() > 0) {
            // Sends are in order of invocation.
            let (from, until) = (session.send(0).invoked.0, session.send(session.send_count() - 1).invoked.0);
            first = first.min(from.saturating_sub(error(session)));
            last = last.max(until);
        }
        // Below every call, so that what came before the first one differs from it.
        let base = first.min(last).saturating_sub(1);
        Self { base, unit: (last - base) / u64::from(u32::MAX) + 1 }
    }

    /// Not earlier than the time.
    fn up(&self, at: u64) -> u32 {
        u32::try_from(at.saturating_sub(self.base).div_ceil(self.unit)).unwrap_or(u32::MAX)
    }

    /// Not later than the time.
    fn down(&self, at: u64) -> u32 {
        u32::try_from(at.saturating_sub(self.base) / self.unit).unwrap_or(u32::MAX)
    }
}

/// The partitions where something may be wrong with time; none is left out.
pub(super) fn troubled(context: &Context<'_>) -> Vec<usize> {
    let clock = Clock::of(context);
    let latest = latest_calls(context, &clock);
    let producers: Vec<usize> = (0..context.producers.len()).collect();
    let by_producer = parallel::map(&producers, |&producer| {
        let mut troubled = vec![false; latest.len()];
        sends_of(context, producer, |sent| {
            let called = latest[sent.partition][sent.position].load(Relaxed);
            troubled[sent.partition] |= clock.down(sent.known()) < called;
        });
        troubled
    });
    let readers: Vec<&Session> = readers(context).map(|(_, session)| session).collect();
    let by_reader = parallel::map(&readers, |session| {
        let mut troubled = vec![false; latest.len()];
        let (error, mut cursor) = (error(session), Cursor::new(context));
        for delivery in session.deliveries() {
            let partition = delivery.partition.0 as usize;
            let returned = delivery.returned.0.saturating_add(error);
            match cursor.find(context, partition, delivery.offset) {
                Some(at) => {
                    troubled[partition] |= clock.down(returned) < latest[partition][at].load(Relaxed);
                }
                None => {
                    let called = delivery.tag.and_then(|tag| context.find(tag)).map(|at| context.send(at));
                    troubled[partition] |= called.is_some_and(|send| returned < send.invoked.0);
                }
            }
        }
        troubled
    });
    let all = || by_producer.iter().chain(&by_reader);
    (0..latest.len()).filter(|partition| all().any(|troubled| troubled[*partition])).collect()
}

/// By partition and position the latest call of the record there and those before it, rounded up. Each is
/// written by one session alone.
fn latest_calls(context: &Context<'_>, clock: &Clock) -> Vec<Vec<AtomicU32>> {
    let column = |log: &Log| (0..log.entries.len()).map(|_| AtomicU32::new(0)).collect();
    let mut latest: Vec<Vec<AtomicU32>> = context.logs.iter().map(column).collect();
    let producers: Vec<usize> = (0..context.producers.len()).collect();
    parallel::map(&producers, |&producer| {
        sends_of(context, producer, |sent| {
            latest[sent.partition][sent.position].store(clock.up(sent.called()), Relaxed);
        });
    });
    for column in &mut latest {
        let mut highest = 0;
        for called in column {
            let called = called.get_mut();
            highest = highest.max(*called);
            *called = highest;
        }
    }
    latest
}

/// One partition, exactly. `None` if there is nothing in its log.
pub(super) fn read<'c>(context: &'c Context<'_>, index: usize) -> Option<Column<'c>> {
    let log = context.logs.get(index)?;
    let mut times = Times { called: vec![0; log.entries.len()], known: vec![NEVER; log.entries.len()] };
    let mut sessions = vec![NOBODY; log.entries.len()];
    each_send(context, |sent| {
        if sent.partition == index {
            sessions[sent.position] = sent.producer;
            times.called[sent.position] = sent.called();
            times.known[sent.position] = sent.known();
        }
    });
    // Where the order of a session is promised, breaking it is told as that.
    if (ORDER.rule)(&context.terms).is_some_and(Promise::is_must_hold) {
        times.leave_out_own_disorder(&sessions);
    }
    let mut future = Vec::new();
    let mut cursor = Cursor::new(context);
    for (number, session) in readers(context) {
        let error = error(session);
        let here = session.deliveries().filter(|delivery| delivery.partition.0 as usize == index);
        for delivery in here.filter(|delivery| !is_fence(delivery.tag)) {
            let returned = delivery.returned.0.saturating_add(error);
            let position = cursor.find(context, index, delivery.offset);
            let same = position.filter(|at| log.entries.get(*at).tag == delivery.tag);
            let intact = delivery.tag.filter(|_| delivery.contents == Contents::Intact);
            let called = match same {
                Some(at) => times.called[at],
                None => intact.and_then(|tag| context.find(tag)).map_or(0, |at| context.send(at).invoked.0),
            };
            if let Some(tag) = intact.filter(|_| returned < called) {
                let (called, returned) = (Nanos(called), Nanos(returned));
                future.push(FutureRead { session: number, tag, offset: delivery.offset, called, returned });
            } else if let Some(at) = same.filter(|at| sessions[*at] != NOBODY) {
                // What nobody sent is a finding of its own, and proves nothing about the rest.
                times.known[at] = times.known[at].min(returned);
            }
        }
    }
    future.sort_by_key(|read| (read.tag, read.returned));
    future.dedup_by_key(|read| read.tag);
    future.sort_by_key(|read| read.returned);
    Some(Column { log, times, future })
}

/// A send whose record is in a log.
struct Sent {
    send: Send,
    /// Index of its session among the producers.
    producer: u32,
    /// What its clock may be off.
    error: u64,
    partition: usize,
    /// Where the first copy is.
    position: usize,
}

impl Sent {
    fn called(&self) -> u64 {
        self.send.invoked.0.saturating_sub(self.error)
    }

    fn known(&self) -> u64 {
        let completed = self.send.completed.filter(|_| is_acked(&self.send));
        completed.map_or(NEVER, |at| at.0.saturating_add(self.error))
    }
}

/// Calls back with every send of a producer session whose record is in a log.
fn sends_of(context: &Context<'_>, producer: usize, mut each: impl FnMut(&Sent)) {
    let session = &context.producers[producer];
    let mut cursor = Cursor::new(context);
    let error = error(session.session);
    let producer = u32::try_from(producer).expect("fewer than 2^32 sessions");
    for (send, place) in session.sends() {
        let partition = place.partition.0 as usize;
        if place.copies > 0
            && !context.is_doubtful(send.tag)
            && let Some(position) = cursor.find(context, partition, place.offset)
        {
            each(&Sent { send, producer, error, partition, position });
        }
    }
}

fn each_send(context: &Context<'_>, mut each: impl FnMut(&Sent)) {
    (0..context.producers.len()).for_each(|producer| sends_of(context, producer, &mut each));
}

/// Positions of offsets that mostly come in order.
struct Cursor(Vec<usize>);

impl Cursor {
    fn new(context: &Context<'_>) -> Self {
        Self(vec![0; context.logs.len()])
    }

    fn find(&mut self, context: &Context<'_>, partition: usize, offset: Offset) -> Option<usize> {
        context.logs.get(partition)?.locate(offset, &mut self.0[partition])
    }
}
