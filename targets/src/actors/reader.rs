//! The reader: follows the whole log while it grows, and records what it was handed.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use history::record::{Decoded, decode};
use history::{Contents, Event, FENCE_PRODUCER, Nanos, Note, Offset, Partition, RunHash, clock};
use workloads::client::{Incoming, Reader};

use super::entry::ActorError;
use super::protocol::Command;
use super::shared::Session;
use crate::kafka::properties::Use;
use crate::kafka::reader::{KafkaReader, Start};

const WAIT: Duration = Duration::from_millis(50);

/// The event of a record that was handed over; `polled` is when the poll that returned it was invoked.
pub(super) fn delivered(run: RunHash, polled: Nanos, record: &Incoming<'_>) -> Event {
    let (tag, contents) = match decode(run, record.payload) {
        Decoded::Intact(tag) => (Some(tag), Contents::Intact),
        Decoded::Corrupt(tag) => (Some(tag), Contents::Corrupt),
        Decoded::Foreign => (None, Contents::Foreign),
    };
    Event::Delivered { polled, partition: record.partition, offset: record.offset, tag, contents }
}

/// These partitions, from the start of their logs.
pub(super) fn from_the_start(partitions: Range<u32>) -> Vec<Start> {
    partitions.map(|number| Start { partition: Partition(number), offset: None }).collect()
}

pub(super) fn act(mut session: Session) -> Result<(), ActorError> {
    let config = session.config(Use::Reader);
    let mut followed = session.spec.partitions;
    let mut client = KafkaReader::new(&config, &session.plan().topic, &from_the_start(0..followed))?;
    session.begin(Some(&config))?;
    let run = session.plan().run_hash;
    let mut next: BTreeMap<Partition, i64> = BTreeMap::new();
    let mut fences: Option<BTreeMap<Partition, Offset>> = None;
    let mut deadline = Nanos(u64::MAX);
    let mut remarks = Vec::new();
    loop {
        let polled = clock::now();
        let mut event = None;
        client.poll(
            WAIT,
            &mut |record| {
                next.insert(record.partition, record.offset.0 + 1);
                event = Some(delivered(run, polled, &record));
            },
            &mut remarks,
        );
        if let Some(event) = event {
            session.record(clock::now(), &event)?;
            let fence =
                matches!(&event, Event::Delivered { tag: Some(tag), .. } if tag.producer == FENCE_PRODUCER);
            session.totals.delivered += u64::from(!fence);
        }
        session.remarks(&mut remarks)?;
        session.progress(clock::now());
        while let Ok(command) = session.commands.try_recv() {
            match command {
                Command::Finish { fences: asked, deadline_ms } => {
                    deadline = Nanos(clock::now().0 + deadline_ms * 1_000_000);
                    fences = Some(asked);
                }
                Command::Stop => deadline = Nanos(0),
                Command::Partitions { total } => {
                    client.follow(&from_the_start(followed..total))?;
                    followed = followed.max(total);
                }
                Command::Go { .. } | Command::Admin { .. } => {}
            }
        }
        let read = |(partition, fence): (&Partition, &Offset)| {
            next.get(partition).is_some_and(|next| *next > fence.0)
        };
        let caught_up = fences
            .as_ref()
            .is_some_and(|fences| fences.len() == followed as usize && fences.iter().all(read));
        if caught_up || clock::now() >= deadline {
            session.note(Note::ReaderStopped { caught_up })?;
            session.note(Note::SessionClosed)?;
            session.done(0);
            return Ok(());
        }
    }
}
