//! Puts a history that was built in memory (an import) on record, in the format of our own runs.

use std::path::Path;

use crate::event::{EndedOperation, Event, Note, Role};
use crate::ids::Nanos;
use crate::segment::{RecordError, Recorder};
use crate::view::{Ended, History, Operation, Session, Step};

/// Writes every session of a history as a segment in `dir`, which must exist; [`crate::load`] reads the same
/// history back, except that a session which ended in an orderly way gets the note that says so. The damage of
/// a history is not stored: what is damaged should not be made to look whole.
///
/// Returns the bytes written. Each segment may take `max_bytes`.
///
/// # Errors
/// As [`Recorder::create`] and [`Recorder::record`].
pub fn store(history: &History, dir: &Path, max_bytes: u64) -> Result<u64, RecordError> {
    let nobody = Session::new(Role::Runner, 0, 0);
    let alone = history.sessions.is_empty() && history.imported.is_some();
    let mut imported = history.imported.clone();
    let mut bytes = 0;
    for session in history.sessions.iter().chain(alone.then_some(&nobody)) {
        let mut recorder = Recorder::create(dir, session.role, session.index, session.session, max_bytes)?;
        if let Some(imported) = imported.take() {
            recorder.record(Nanos(0), &Event::Note(Note::Imported { imported }))?;
        }
        write(session, &mut recorder)?;
        bytes += recorder.bytes();
    }
    Ok(bytes)
}

fn write(session: &Session, recorder: &mut Recorder) -> Result<(), RecordError> {
    for (at, note) in &session.notes {
        recorder.record(*at, &Event::Note(note.clone()))?;
    }
    let (mut sends, mut deliveries) = (0, 0);
    for operation in session.recorded() {
        for step in operation.steps() {
            match step {
                Step::Send(index) => send(session, index, recorder)?,
                Step::Poll(range) => {
                    range.into_iter().try_for_each(|index| deliver(session, index, recorder))?
                }
            }
        }
        (sends, deliveries) = (operation.sends.end, operation.deliveries.end);
        recorder.record(operation.completed.unwrap_or(operation.invoked), &ended(&operation))?;
    }
    // What belongs to no operation on record.
    (sends..session.send_count()).try_for_each(|index| send(session, index, recorder))?;
    (deliveries..session.delivery_count()).try_for_each(|index| deliver(session, index, recorder))?;
    if session.closed && !session.notes.iter().any(|(_, note)| *note == Note::SessionClosed) {
        let last = session.notes.last().map_or(Nanos(0), |(at, _)| *at);
        recorder.record(last, &Event::Note(Note::SessionClosed))?;
    }
    Ok(())
}

fn send(session: &Session, index: usize, recorder: &mut Recorder) -> Result<(), RecordError> {
    let send = session.send(index);
    let invoked = Event::SendInvoked {
        tag: send.tag,
        partition: send.partition,
        key: send.key,
        payload_bytes: 0,
        intended: send.intended,
    };
    recorder.record(send.invoked, &invoked)?;
    if let Some(value) = session.value(index) {
        recorder.record(send.invoked, &Event::SourceValue(value))?;
    }
    let Some(completed) = send.completed else { return Ok(()) };
    let report = Event::SendCompleted {
        tag: send.tag,
        partition: send.partition,
        offset: send.offset,
        outcome: send.outcome,
        told: send.told,
        error: send.error,
    };
    recorder.record(completed, &report)
}

fn deliver(session: &Session, index: usize, recorder: &mut Recorder) -> Result<(), RecordError> {
    let delivery = session.delivery(index);
    let delivered = Event::Delivered {
        polled: delivery.polled,
        partition: delivery.partition,
        offset: delivery.offset,
        tag: delivery.tag,
        contents: delivery.contents,
    };
    recorder.record(delivery.returned, &delivered)?;
    match session.foreign_value(index) {
        Some(value) => recorder.record(delivery.returned, &Event::SourceValue(value.clone())),
        None => Ok(()),
    }
}

fn ended(operation: &Operation<'_>) -> Event {
    let ended = Ended {
        function: operation.function,
        invoked: operation.invoked,
        completed: operation.completed,
        outcome: operation.outcome,
        line: operation.line,
        detail: operation.detail.cloned(),
    };
    Event::OperationEnded(Box::new(EndedOperation { ended, runs: operation.runs.to_vec() }))
}
