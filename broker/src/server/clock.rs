//! The clock of a node: raw `CLOCK_MONOTONIC`, which every process of a host shares. No decision rests on
//! the time of day.

use std::cell::Cell;

use nix::time::{ClockId, clock_gettime};

use crate::core::Uuid;

/// Nanoseconds.
pub(super) fn nanos() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("the monotonic clock exists");
    u64::try_from(time.tv_sec()).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec()).unwrap_or(0)
}

/// Milliseconds.
pub(super) fn millis() -> u64 {
    nanos() / 1_000_000
}

/// What the time of day is ahead of [`millis`], in milliseconds. For stamps that people and tools read, taken
/// once, so that it never jumps while the node runs unless it is told to.
pub(super) fn wall_offset_ms() -> i64 {
    let time = clock_gettime(ClockId::CLOCK_REALTIME).expect("the clock exists");
    let wall_ms = time.tv_sec() * 1_000 + time.tv_nsec() / 1_000_000;
    wall_ms - i64::try_from(millis()).unwrap_or(i64::MAX)
}

/// An id that no other process of this host makes, and this one not twice if `count` differs: the moment, the
/// process, the node, and the count.
pub(super) fn fresh_id(node: i32, count: u16) -> Uuid {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&nanos().to_be_bytes());
    id[8..12].copy_from_slice(&std::process::id().to_be_bytes());
    id[12..14].copy_from_slice(&(node as u16).to_be_bytes());
    id[14..].copy_from_slice(&count.to_be_bytes());
    Uuid(id)
}

/// [`fresh_id`] with a count of its own.
pub(super) fn next_id(node: i32) -> Uuid {
    thread_local! {
        static COUNT: Cell<u16> = const { Cell::new(0) };
    }
    fresh_id(node, COUNT.replace(COUNT.get().wrapping_add(1)))
}
