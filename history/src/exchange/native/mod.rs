//! Our own histories as JSON Lines: everything a run directory's segments hold, for eyes and other tools.
//!
//! Sessions one after the other; within one its sends, deliveries and operations in order, then its notes.
//! The last line says how many there were, so that a file cut short is known for one.

mod row;

use std::io::{self, Write};

use super::lines::{self, Stop};
use super::scan::Problem;
use super::{Import, Source};
use crate::view::{Builder, Damage, History, Session, SessionId, Step};
use row::{DeliveryRow, NoteRow, OperationRow, Row, SendRow, SessionRow, Start, VERSION};

/// Writes a history. Reading it back gives an equal one.
///
/// # Errors
/// If writing fails.
pub fn write_lines(history: &History, out: impl Write) -> io::Result<()> {
    let mut out = Lines { out, count: 0 };
    let (plan, imported) = (history.plan.clone(), history.imported.clone());
    out.row(&Row::Highwater(Box::new(Start { version: VERSION, plan, imported })))?;
    for Damage { file, at, what } in &history.damage {
        out.row(&Row::Damage { file: file.clone(), at: *at, what: what.clone() })?;
    }
    for session in &history.sessions {
        out.row(&Row::Session(Box::new(SessionRow::of(session))))?;
        out.session(session)?;
    }
    let lines = out.count;
    out.row(&Row::End { lines })?;
    out.out.flush()
}

struct Lines<W> {
    out: W,
    count: u64,
}

impl<W: Write> Lines<W> {
    fn row(&mut self, row: &Row) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, row)?;
        self.count += 1;
        self.out.write_all(b"\n")
    }

    fn session(&mut self, session: &Session) -> io::Result<()> {
        let (mut sends, mut deliveries) = (0, 0);
        for operation in session.recorded() {
            for step in operation.steps() {
                match step {
                    Step::Send(send) => self.sends(session, send..send + 1)?,
                    Step::Poll(records) => {
                        self.row(&Row::Poll {})?;
                        self.deliveries(session, records)?;
                    }
                }
            }
            (sends, deliveries) = (operation.sends.end, operation.deliveries.end);
            self.row(&Row::Operation(Box::new(OperationRow::of(&operation))))?;
        }
        self.sends(session, sends..session.send_count())?;
        self.deliveries(session, deliveries..session.delivery_count())?;
        for (time, note) in &session.notes {
            self.row(&Row::Note(Box::new(NoteRow { time: *time, note: note.clone() })))?;
        }
        Ok(())
    }

    fn sends(&mut self, session: &Session, range: std::ops::Range<usize>) -> io::Result<()> {
        for (place, send) in range.clone().zip(session.sends_in(range)) {
            self.row(&Row::Send(SendRow::of(&send, session.value(place))))?;
        }
        Ok(())
    }

    fn deliveries(&mut self, session: &Session, range: std::ops::Range<usize>) -> io::Result<()> {
        for (place, delivery) in range.clone().zip(session.deliveries_in(range)) {
            let value = session.foreign_value(place).cloned();
            self.row(&Row::Delivery(DeliveryRow::of(&delivery, value)))?;
        }
        Ok(())
    }
}

/// Reads a history that [`write_lines`] wrote.
pub(super) fn import(source: &mut Source) -> Result<Import, Stop<Problem>> {
    let mut reader = Reader { builder: None, session: None, ended: false };
    let mut lines = 0;
    let bytes = lines::each(source.rewound().map_err(Stop::Io)?, |number, text| {
        let row = serde_json::from_str(text).map_err(|error| super::json_problem(&error))?;
        reader.take(number - 1, row)?;
        lines = number;
        Ok(())
    })?;
    match reader.builder {
        Some(builder) if reader.ended => {
            Ok(Import { history: builder.finish(), bytes, lines, remarks: Vec::new() })
        }
        _ => Err(Stop::Line(
            lines.max(1),
            Problem::new("it ends early: the last line is to be `{\"end\": …}`"),
        )),
    }
}

struct Reader {
    builder: Option<Builder>,
    session: Option<SessionId>,
    ended: bool,
}

impl Reader {
    fn take(&mut self, before: u64, row: Row) -> Result<(), Problem> {
        if self.ended {
            return Err(Problem::new("it follows the line that is to be the last"));
        }
        let Some(builder) = &mut self.builder else {
            let Row::Highwater(start) = row else {
                return Err(Problem::new("the first line is to be `{\"highwater\": …}`"));
            };
            if start.version > VERSION {
                let found = start.version;
                return Err(Problem::new(format!(
                    "format version {found} is newer than {VERSION} (upgrade highwater)"
                )));
            }
            let mut builder = Builder::new(start.plan);
            if let Some(imported) = start.imported {
                builder.imported(imported);
            }
            self.builder = Some(builder);
            return Ok(());
        };
        let session = || self.session.ok_or_else(|| Problem::new("it belongs to no session"));
        match row {
            Row::Highwater(_) => return Err(Problem::new("a second first line")),
            Row::Session(row) => {
                let id = builder.open(row.role, row.index, row.session);
                let session = builder.session(id);
                (session.clock, session.effective, session.closed) = (row.clock, row.effective, row.closed);
                self.session = Some(id);
            }
            Row::Send(row) => match (session()?, &row.value) {
                (id, Some(value)) => _ = builder.send_valued(id, &row.send(), value),
                (id, None) => _ = builder.send(id, &row.send()),
            },
            Row::Poll {} => builder.poll(session()?),
            Row::Delivery(row) => match (session()?, row.value.clone()) {
                (id, Some(value)) => _ = builder.deliver_foreign(id, &row.delivery(), value),
                (id, None) => _ = builder.deliver(id, &row.delivery()),
            },
            Row::Operation(row) => builder.operation(session()?, row.ended()),
            Row::Note(row) => builder.note(session()?, row.time, row.note),
            Row::Damage { file, at, what } => builder.damage(Damage { file, at, what }),
            Row::End { lines } if lines == before => self.ended = true,
            Row::End { lines } => {
                return Err(Problem::new(format!(
                    "{lines} lines are to be before it, and there are {before}"
                )));
            }
        }
        Ok(())
    }
}
