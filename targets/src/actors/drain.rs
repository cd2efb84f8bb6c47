//! The drain: after healing, reads every partition from the start of its log up to its fence.
//!
//! What it reads is the final log. A fence it does not reach by the deadline leaves that partition
//! indeterminate, never lost.

use std::collections::BTreeMap;
use std::time::Duration;

use history::{Nanos, Note, Offset, Partition, clock};
use workloads::client::Reader;

use super::entry::ActorError;
use super::protocol::Command;
use super::reader::{delivered, from_the_start};
use super::shared::Session;
use crate::kafka::properties::Use;
use crate::kafka::reader::KafkaReader;

const WAIT: Duration = Duration::from_millis(50);
const ASK: Duration = Duration::from_secs(3);

pub(super) fn act(
    mut session: Session,
    fences: &BTreeMap<Partition, Offset>,
    deadline_ms: u64,
) -> Result<(), ActorError> {
    let config = session.config(Use::Drain);
    let mut starts = from_the_start(0..session.spec.partitions);
    starts.retain(|start| fences.contains_key(&start.partition));
    let mut client = KafkaReader::new(&config, &session.plan().topic, &starts)?;
    session.begin(Some(&config))?;
    for partition in fences.keys() {
        match client.watermarks(*partition, ASK) {
            Ok((start, end)) => session.note(Note::Watermarks { partition: *partition, start, end })?,
            Err(error) => crate::log::line(format_args!("no watermarks of partition {partition}: {error}")),
        }
    }
    let run = session.plan().run_hash;
    let deadline = Nanos(clock::now().0 + deadline_ms * 1_000_000);
    let mut open = fences.clone();
    let mut remarks = Vec::new();
    while !open.is_empty() && clock::now() < deadline {
        let polled = clock::now();
        let mut event = None;
        let mut reached = None;
        client.poll(
            WAIT,
            &mut |record| {
                // What stands behind the fence is no concern of this run.
                if let Some(fence) = open.get(&record.partition) {
                    event = Some(delivered(run, polled, &record));
                    reached = (record.offset >= *fence).then_some(record.partition);
                }
            },
            &mut remarks,
        );
        if let Some(event) = event {
            session.record(clock::now(), &event)?;
            session.totals.delivered += 1;
        }
        if let Some(partition) = reached {
            open.remove(&partition);
            session.note(Note::Drained { partition })?;
        }
        session.remarks(&mut remarks)?;
        session.progress(clock::now());
        if session.commands.try_iter().any(|command| command == Command::Stop) {
            break;
        }
    }
    session.note(Note::SessionClosed)?;
    session.done(0);
    Ok(())
}
