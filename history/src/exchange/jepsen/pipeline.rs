//! Reading on one thread what is put together on another: to parse the lines is the larger half of an import.

use std::io::Read;
use std::panic;
use std::sync::mpsc;
use std::thread;

use super::Notation;
use super::line::{Kind, Line, Micro, Polled, Process, Value, Verb};
use crate::exchange::lines::{self, Stop};
use crate::exchange::scan::{Edn, Json, Problem, Word};

/// Lines handed over at a time.
const BATCH: usize = 1024;

/// Batches that may wait. A batch of usual lines takes about 200 KiB.
const AHEAD: usize = 2;

/// Lines with their numbers, in order. What the lines hold lies in a few long rows: to fetch many small pieces
/// from the other processor's cache costs more than to parse them.
#[derive(Default)]
struct Batch {
    heads: Vec<Head>,
    micros: Vec<Micro>,
    polled: Vec<Polled>,
    keys: Vec<Word>,
    rebalanced: Vec<Word>,
    arena: String,
}

/// What is always there of a line, and how much it has of the rest.
struct Head {
    number: u64,
    index: Option<i64>,
    kind: Option<Kind>,
    verb: Option<Verb>,
    process: Option<Process>,
    time: Option<i64>,
    value: Value,
    seek_to_beginning: bool,
    error: Option<String>,
    has: Counts,
}

/// Numbers of pieces: those of a line, or of all lines before.
#[derive(Clone, Copy, Default)]
struct Counts {
    micros: usize,
    polled: usize,
    keys: usize,
    rebalanced: usize,
    arena: usize,
}

impl Batch {
    /// Adds a line, whose value and error it takes.
    fn push(&mut self, number: u64, line: &mut Line) {
        self.heads.push(Head {
            number,
            index: line.index,
            kind: line.kind,
            verb: line.verb,
            process: line.process,
            time: line.time,
            value: std::mem::take(&mut line.value),
            seek_to_beginning: line.seek_to_beginning,
            error: line.error.take(),
            has: Counts {
                micros: line.micros.len(),
                polled: line.polled.len(),
                keys: line.keys.len(),
                rebalanced: line.rebalanced.len(),
                arena: line.arena.len(),
            },
        });
        self.micros.extend_from_slice(&line.micros);
        self.polled.extend_from_slice(&line.polled);
        self.keys.extend_from_slice(&line.keys);
        self.rebalanced.extend_from_slice(&line.rebalanced);
        self.arena.push_str(&line.arena);
    }

    /// Hands out every line, one after another in the same place, and is empty then.
    fn drain<E>(
        &mut self,
        line: &mut Line,
        mut take: impl FnMut(u64, &mut Line) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut at = Counts::default();
        for head in self.heads.drain(..) {
            let has = head.has;
            line.clear();
            (line.index, line.kind, line.verb) = (head.index, head.kind, head.verb);
            (line.process, line.time) = (head.process, head.time);
            (line.value, line.seek_to_beginning, line.error) =
                (head.value, head.seek_to_beginning, head.error);
            line.micros.extend_from_slice(&self.micros[at.micros..at.micros + has.micros]);
            line.polled.extend_from_slice(&self.polled[at.polled..at.polled + has.polled]);
            line.keys.extend_from_slice(&self.keys[at.keys..at.keys + has.keys]);
            line.rebalanced
                .extend_from_slice(&self.rebalanced[at.rebalanced..at.rebalanced + has.rebalanced]);
            line.arena.push_str(&self.arena[at.arena..at.arena + has.arena]);
            at = Counts {
                micros: at.micros + has.micros,
                polled: at.polled + has.polled,
                keys: at.keys + has.keys,
                rebalanced: at.rebalanced + has.rebalanced,
                arena: at.arena + has.arena,
            };
            take(head.number, line)?;
        }
        self.micros.clear();
        self.polled.clear();
        self.keys.clear();
        self.rebalanced.clear();
        self.arena.clear();
        Ok(())
    }
}

/// Reads a line into the place of the one before; `false` if it is nothing but a comment.
fn parse(text: &str, notation: Notation, line: &mut Line) -> Result<bool, Problem> {
    match notation {
        Notation::Json => line.read(&mut Json::new(text))?,
        Notation::Edn if text.trim_start().starts_with(';') => return Ok(false),
        Notation::Edn => line.read(&mut Edn::new(text))?,
    }
    Ok(true)
}

/// Calls `take` with every line and its number, in order. Returns how many bytes were read.
///
/// # Errors
/// The first mistake in the order of the lines, whether the line is malformed or `take` refuses it.
pub(super) fn each(
    reader: impl Read + Send,
    notation: Notation,
    mut take: impl FnMut(u64, &mut Line) -> Result<(), Problem>,
) -> Result<u64, Stop<Problem>> {
    let (full, filled) = mpsc::sync_channel(AHEAD);
    let (spent, empty) = mpsc::channel();
    thread::scope(|scope| {
        let reading = scope.spawn(move || read(reader, notation, &full, &empty));
        // Leaving early hangs up, and the other thread ends at its next batch.
        let mut line = Line::default();
        for mut batch in filled {
            batch.drain(&mut line, |number, line| {
                take(number, line).map_err(|problem| Stop::Line(number, problem))
            })?;
            // Nobody takes it back any more once all is read.
            let _ = spent.send(batch);
        }
        reading.join().unwrap_or_else(|panicked| panic::resume_unwind(panicked))
    })
}

fn read(
    reader: impl Read,
    notation: Notation,
    full: &mpsc::SyncSender<Batch>,
    empty: &mpsc::Receiver<Batch>,
) -> Result<u64, Stop<Problem>> {
    let (mut batch, mut line) = (Batch::default(), Line::default());
    let ended = lines::each(reader, |number, text| {
        if parse(text, notation, &mut line)? {
            batch.push(number, &mut line);
        }
        if batch.heads.len() < BATCH {
            return Ok(());
        }
        let next = empty.try_recv().unwrap_or_default();
        full.send(std::mem::replace(&mut batch, next)).map_err(|_| Problem::new("nobody wants the rest"))
    });
    // What came before a mistake may hold an earlier one.
    let _ = full.send(batch);
    ended
}
