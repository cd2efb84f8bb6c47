//! What is under way in one direction of a connection: chunks in order, each with the moment from which it
//! may arrive, and how the bytes of a narrow link are rationed.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use history::{Nanos, clock};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::proxy::gate::Flow;

const NANOS_PER_MILLI: u64 = 1_000_000;
const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// The most that one direction keeps in this process while its link is slow: more than any window of
/// requests in flight. The sender feels a full window beyond it.
const LATE_BYTES: usize = 4 << 20;

/// A narrow link gives its bytes in pieces of this part of a second, so that connections take turns.
const PIECES_PER_SECOND: u64 = 20;

struct Chunk {
    due: Nanos,
    bytes: Vec<u8>,
    /// Bytes of it that have been passed on.
    passed: usize,
}

/// Chunks that were read and are not passed on yet.
#[derive(Default)]
pub(super) struct Line {
    chunks: VecDeque<Chunk>,
    bytes: usize,
    /// Nothing may arrive before what was read before it.
    last_due: Nanos,
    /// The draws of the delay in force.
    jitter: Option<(Flow, ChaCha8Rng)>,
}

impl Line {
    /// Whether more may be read.
    pub(super) fn has_room(&self, flow: Flow) -> bool {
        match flow {
            Flow::Delayed { .. } => self.bytes < LATE_BYTES,
            Flow::Free | Flow::Swallowed | Flow::Narrow { .. } => self.chunks.is_empty(),
        }
    }

    /// From when on something read now may arrive. `stream` tells apart the directions and connections that
    /// draw from one seed.
    pub(super) fn due(&mut self, flow: Flow, stream: u64) -> Nanos {
        let late_ms = match flow {
            Flow::Delayed { at_least_ms, jitter_ms, seed } => {
                let mut draws = match self.jitter.take() {
                    Some((of, draws)) if of == flow => draws,
                    _ => ChaCha8Rng::seed_from_u64(seed.wrapping_add(stream)),
                };
                let jitter = draws.random_range(0..=jitter_ms);
                self.jitter = Some((flow, draws));
                at_least_ms.saturating_add(jitter)
            }
            Flow::Free | Flow::Swallowed | Flow::Narrow { .. } => 0,
        };
        let due = Nanos(clock::now().0.saturating_add(late_ms.saturating_mul(NANOS_PER_MILLI)));
        self.last_due = self.last_due.max(due);
        self.last_due
    }

    pub(super) fn push(&mut self, due: Nanos, bytes: &[u8]) {
        self.bytes += bytes.len();
        self.chunks.push_back(Chunk { due, bytes: bytes.to_vec(), passed: 0 });
    }

    /// When the first chunk is due, and what is left of it.
    pub(super) fn front(&self) -> Option<(Nanos, &[u8])> {
        self.chunks.front().map(|chunk| (chunk.due, &chunk.bytes[chunk.passed..]))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Strikes out bytes of the first chunk that were passed on.
    pub(super) fn advance(&mut self, count: usize) {
        self.bytes -= count;
        if let Some(chunk) = self.chunks.front_mut() {
            chunk.passed += count;
            if chunk.passed == chunk.bytes.len() {
                self.chunks.pop_front();
            }
        }
    }

    /// Throws away everything under way and returns its bytes.
    pub(super) fn clear(&mut self) -> usize {
        self.chunks.clear();
        std::mem::take(&mut self.bytes)
    }
}

/// The moment from which one direction of a link may carry bytes again; its connections share it.
#[derive(Debug, Default)]
pub(super) struct Ration(AtomicU64);

impl Ration {
    /// When the next bytes may pass; the beginning of time where nothing is rationed.
    pub(super) fn next(&self, flow: Flow) -> Nanos {
        match flow {
            Flow::Narrow { .. } => Nanos(self.0.load(Ordering::Relaxed)),
            Flow::Free | Flow::Swallowed | Flow::Delayed { .. } => Nanos(0),
        }
    }

    /// The most bytes that may pass at a time.
    pub(super) fn piece(flow: Flow) -> usize {
        match flow {
            Flow::Narrow { bytes_per_second } => {
                usize::try_from(bytes_per_second / PIECES_PER_SECOND).unwrap_or(usize::MAX).max(1)
            }
            Flow::Free | Flow::Swallowed | Flow::Delayed { .. } => usize::MAX,
        }
    }

    /// Bytes have passed; the next ones wait for as long as these take.
    pub(super) fn spend(&self, flow: Flow, count: usize) {
        if let Flow::Narrow { bytes_per_second } = flow {
            let takes = (count as u64).saturating_mul(NANOS_PER_SECOND) / bytes_per_second.max(1);
            self.0.store(clock::now().0.saturating_add(takes), Ordering::Relaxed);
        }
    }
}
