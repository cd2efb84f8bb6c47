//! The only unsafe code of the project: a chunk of a preallocated file, mapped shared, whose rows are
//! committed by one release store each.
#![expect(unsafe_code, reason = "a shared mapping is what lets a row survive SIGKILL without a system call")]

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::{MmapMut, MmapOptions};

use super::row::{BODY_BYTES, Body, ROW_BYTES};

/// A mapped stretch of rows.
#[derive(Debug)]
pub(super) struct Chunk {
    map: MmapMut,
}

impl Chunk {
    /// Maps `length` bytes of `file` from `offset` on. The caller has allocated them (`fallocate`): a
    /// store to a hole of a full disk would be a SIGBUS instead of an error.
    pub(super) fn map(file: &File, offset: u64, length: usize) -> io::Result<Self> {
        // SAFETY: the file was created by this writer under a name no one else had, and the format leaves
        // it alone until the writer is gone: readers use plain reads, nobody else writes or cuts it. (A
        // stranger who cuts it can end the process by SIGBUS; they cannot make it read freed memory.)
        let map = unsafe { MmapOptions::new().offset(offset).len(length).map_mut(file)? };
        Ok(Self { map })
    }

    /// Rows it has room for.
    pub(super) fn rows(&self) -> usize {
        self.map.len() / ROW_BYTES
    }

    /// Writes a row, then commits it: once the word is there, so is every byte before it.
    ///
    /// # Panics
    /// If `slot` is not below [`Chunk::rows`].
    pub(super) fn commit(&mut self, slot: usize, body: &Body, word: u64) {
        let row = &mut self.map[slot * ROW_BYTES..(slot + 1) * ROW_BYTES];
        row[..BODY_BYTES].copy_from_slice(body);
        let commit = row[BODY_BYTES..].as_mut_ptr().cast::<u64>();
        // SAFETY: `commit` points at the last eight bytes of `row`, exclusively borrowed here and live for
        // the store; it is aligned, because mappings begin at least at the alignment of their offset in
        // the file, every chunk begins at a multiple of 64, and 56 is a multiple of eight.
        unsafe { AtomicU64::from_ptr(commit) }.store(word.to_le(), Ordering::Release);
    }
}
