//! One session, while its events arrive: pairs reports with invocations and packs what is complete.

use std::collections::{HashMap, HashSet, VecDeque};
use std::mem;

use crate::event::{EndedOperation, Event, Note};
use crate::ids::{Nanos, Partition, Tag};
use crate::outcome::{ErrorCode, Outcome, Told};
use crate::segment::Header;
use crate::view::{Damage, Delivery, Imported, Send, Session};

/// Sends that wait for their report unpacked; behind this many the first is packed as it is.
const WINDOW: usize = 1 << 17;

/// Partitions end below this. Checkers keep a log for each, so a number out of nowhere must not become one.
const PARTITIONS: u32 = 1 << 20;

/// What the row before was, for a source's value that belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Send,
    Delivery,
    Other,
}

/// One session, while its events arrive.
pub(super) struct Merge {
    pub(super) file: String,
    session: Session,
    /// What the header of an import said.
    pub(super) imported: Option<Imported>,
    /// Sends not yet packed, the first of them number `packed`.
    waiting: VecDeque<Send>,
    packed: usize,
    window: usize,
    /// Those that were packed without a report.
    unreported: HashSet<usize>,
    /// Producer and session of the first send.
    of: Option<(u32, u32)>,
    /// Where a send is that is not at the index of its sequence number (fences, and behind damage).
    elsewhere: HashMap<Tag, usize>,
    /// The indices in `elsewhere`.
    irregular: HashSet<usize>,
    before: Before,
}

impl Merge {
    pub(super) fn new(file: String) -> Self {
        Self {
            file,
            // Whose it is stands in the header, which is known at the end.
            session: Session::new(crate::event::Role::Runner, 0, 0),
            imported: None,
            waiting: VecDeque::new(),
            packed: 0,
            window: WINDOW,
            unreported: HashSet::new(),
            of: None,
            elsewhere: HashMap::new(),
            irregular: HashSet::new(),
            before: Before::Other,
        }
    }

    pub(super) fn take(&mut self, damage: &mut Vec<Damage>, at: u64, time: Nanos, event: Event) {
        let before = mem::replace(&mut self.before, Before::Other);
        if let Err(what) = self.add(before, time, event) {
            damage.push(Damage { file: self.file.clone(), at, what });
        }
    }

    fn add(&mut self, before: Before, time: Nanos, event: Event) -> Result<(), String> {
        if let Some(partition) = partition_of(&event).filter(|partition| partition.0 >= PARTITIONS) {
            return Err(format!("partition {partition} is none (a topic has fewer than {PARTITIONS})"));
        }
        match event {
            Event::SendInvoked { tag, partition, key, payload_bytes: _, intended } => {
                self.invoke(Send {
                    tag,
                    key,
                    partition,
                    offset: None,
                    intended,
                    invoked: time,
                    completed: None,
                    outcome: Outcome::Unknown,
                    told: Told::Nothing,
                    error: ErrorCode::NONE,
                })?;
                self.before = Before::Send;
            }
            Event::SendCompleted { tag, partition, offset, outcome, told, error } => {
                let report = |send: Send| Send {
                    partition: partition.or(send.partition),
                    offset,
                    completed: Some(time),
                    outcome,
                    told,
                    error,
                    ..send
                };
                self.report(tag, report)?;
            }
            Event::Delivered { polled, partition, offset, tag, contents } => {
                let delivery = Delivery { partition, offset, tag, contents, polled, returned: time };
                self.session.push_delivery(&delivery);
                self.before = Before::Delivery;
            }
            Event::SourceValue(value) => match before {
                Before::Send => self.session.set_value(self.packed + self.waiting.len() - 1, &value),
                Before::Delivery => self.session.set_foreign(value),
                Before::Other => return Err(format!("a value `{value}` of no record")),
            },
            Event::OperationEnded(ended) => {
                let EndedOperation { ended, runs } = *ended;
                self.session.push_recorded(ended, self.packed + self.waiting.len(), runs);
            }
            Event::Note(note) => {
                match &note {
                    Note::SessionStarted { clock, effective, .. } => {
                        self.session.clock = clock.clone();
                        self.session.effective = effective.clone();
                    }
                    Note::SessionClosed => self.session.closed = true,
                    // Of the history as a whole, whoever recorded it.
                    Note::Imported { imported } => {
                        self.imported = Some(imported.clone());
                        return Ok(());
                    }
                    _ => {}
                }
                self.session.notes.push((time, note));
            }
        }
        Ok(())
    }

    fn invoke(&mut self, send: Send) -> Result<(), String> {
        let tag = send.tag;
        if self.find(tag).is_some() {
            return Err(format!("`{tag}` is invoked twice"));
        }
        let index = self.packed + self.waiting.len();
        let of = *self.of.get_or_insert((tag.producer, tag.session));
        if usize::try_from(tag.seq).ok() != Some(index) || (tag.producer, tag.session) != of {
            self.elsewhere.insert(tag, index);
            self.irregular.insert(index);
        }
        self.waiting.push_back(send);
        self.pack();
        Ok(())
    }

    fn report(&mut self, tag: Tag, report: impl FnOnce(Send) -> Send) -> Result<(), String> {
        let Some(index) = self.find(tag) else {
            return Err(format!("a report on `{tag}`, which was never invoked"));
        };
        let second = || Err(format!("a second report on `{tag}`"));
        match index.checked_sub(self.packed) {
            Some(waiting) => {
                let send = &mut self.waiting[waiting];
                if send.completed.is_some() {
                    return second();
                }
                *send = report(*send);
                if waiting == 0 {
                    self.pack();
                }
            }
            None if !self.unreported.remove(&index) => return second(),
            None => {
                let send = self.session.send(index);
                self.session.sends.amend(index, report(send));
            }
        }
        Ok(())
    }

    /// Packs what will not change any more, and what has waited too long.
    fn pack(&mut self) {
        while let Some(send) = self.waiting.front()
            && (send.completed.is_some() || self.waiting.len() > self.window)
        {
            self.pack_first();
        }
    }

    fn pack_first(&mut self) {
        let Some(send) = self.waiting.pop_front() else { return };
        if send.completed.is_none() {
            self.unreported.insert(self.packed);
        }
        self.session.sends.push(&send);
        self.packed += 1;
    }

    /// Where a send is. Sequence numbers are given from 0 in the order of invocation, so that it is almost
    /// always there by its number.
    fn find(&self, tag: Tag) -> Option<usize> {
        let by_number = usize::try_from(tag.seq).ok()?;
        let regular = by_number < self.packed + self.waiting.len()
            && self.of == Some((tag.producer, tag.session))
            && (self.irregular.is_empty() || !self.irregular.contains(&by_number));
        if regular { Some(by_number) } else { self.elsewhere.get(&tag).copied() }
    }

    pub(super) fn finish(mut self, header: &Header) -> Session {
        while !self.waiting.is_empty() {
            self.pack_first();
        }
        let mut session = self.session;
        (session.role, session.index, session.session) = (header.role, header.index, header.session);
        session.seal();
        session
    }
}

/// Where a record went or was.
fn partition_of(event: &Event) -> Option<Partition> {
    match event {
        Event::SendInvoked { partition, .. } | Event::SendCompleted { partition, .. } => *partition,
        Event::Delivered { partition, .. } => Some(*partition),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Offset;
    use crate::segment::MAJOR;

    /// Reports that come long after the window has moved on are there all the same, and only once.
    #[test]
    fn a_late_report_finds_its_send() {
        let mut merge = Merge { window: 4, ..Merge::new("p.rows".to_owned()) };
        let mut damage = Vec::new();
        let tag = |seq| Tag { producer: 3, session: 1, seq };
        let invoked = |seq| Event::SendInvoked {
            tag: tag(seq),
            partition: None,
            key: None,
            payload_bytes: 0,
            intended: Nanos(seq),
        };
        let acked = |seq: u64| Event::SendCompleted {
            tag: tag(seq),
            partition: None,
            offset: Some(Offset(seq.cast_signed())),
            outcome: Outcome::Ok,
            told: Told::Acked,
            error: ErrorCode::NONE,
        };
        for seq in 0..100 {
            merge.take(&mut damage, seq, Nanos(seq), invoked(seq));
        }
        for seq in (0..100).rev().filter(|seq| *seq != 50) {
            merge.take(&mut damage, seq, Nanos(1000 + seq), acked(seq));
        }
        assert_eq!(damage, []);
        merge.take(&mut damage, 1, Nanos(0), acked(0));
        merge.take(&mut damage, 2, Nanos(0), acked(99));
        merge.take(&mut damage, 3, Nanos(0), invoked(7));
        let found: Vec<&str> = damage.iter().map(|damage| damage.what.as_str()).collect();
        assert_eq!(
            found,
            ["a second report on `p3.1#0`", "a second report on `p3.1#99`", "`p3.1#7` is invoked twice"]
        );

        let header = Header { major: MAJOR, role: crate::event::Role::Producer, index: 3, session: 1 };
        let session = merge.finish(&header);
        assert_eq!(session.send_count(), 100);
        for (seq, send) in (0..).zip(session.sends()) {
            let completed = (seq != 50).then_some(Nanos(1000 + seq));
            assert_eq!((send.tag, send.invoked, send.completed), (tag(seq), Nanos(seq), completed));
        }
    }
}
