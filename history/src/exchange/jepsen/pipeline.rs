//! Reading on one thread what is put together on another: to parse the lines is the larger half of an import.

use std::io::Read;
use std::panic;
use std::sync::mpsc;
use std::thread;

use super::Notation;
use super::line::Line;
use crate::exchange::lines::{self, Stop};
use crate::exchange::scan::{Edn, Json, Problem};

/// Lines handed over at a time.
const BATCH: usize = 1024;

/// Batches that may wait. A batch of usual lines takes about 100 KiB.
const AHEAD: usize = 2;

/// Lines with their numbers, in order; their buffers are used again.
#[derive(Default)]
struct Batch {
    lines: Vec<(u64, Line)>,
    used: usize,
}

impl Batch {
    /// Reads one more line.
    fn read(&mut self, number: u64, text: &str, notation: Notation) -> Result<(), Problem> {
        if self.used == self.lines.len() {
            self.lines.push((number, Line::default()));
        }
        let (numbered, line) = &mut self.lines[self.used];
        *numbered = number;
        match notation {
            Notation::Json => line.read(&mut Json::new(text))?,
            // A line of nothing but a comment.
            Notation::Edn if text.trim_start().starts_with(';') => return Ok(()),
            Notation::Edn => line.read(&mut Edn::new(text))?,
        }
        self.used += 1;
        Ok(())
    }
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
        for mut batch in filled {
            for (number, line) in &mut batch.lines[..batch.used] {
                take(*number, line).map_err(|problem| Stop::Line(*number, problem))?;
            }
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
    let mut batch = Batch::default();
    let ended = lines::each(reader, |number, text| {
        batch.read(number, text, notation)?;
        if batch.used < BATCH {
            return Ok(());
        }
        let next = Batch { used: 0, ..empty.try_recv().unwrap_or_default() };
        full.send(std::mem::replace(&mut batch, next)).map_err(|_| Problem::new("nobody wants the rest"))
    });
    // What came before a mistake may hold an earlier one.
    let _ = full.send(batch);
    ended
}
