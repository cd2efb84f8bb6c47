//! What whoever started a broker tells it while it runs: its disk is full, its clock is wrong. Each order is answered
//! by what came of the one before.

use wire::node::{ClockState, NodeEvent, NodeOrder};

use super::clock;
use super::engine::Host;

/// The time of day, as far as it is wrong on purpose.
#[derive(Debug, Clone, Copy)]
pub(super) struct WallClock {
    /// What it is ahead of the monotonic clock where nobody has touched it.
    offset_ms: i64,
    state: ClockState,
    since_ms: u64,
}

impl WallClock {
    pub(super) fn right() -> Self {
        Self { offset_ms: clock::wall_offset_ms(), state: ClockState::Right, since_ms: 0 }
    }

    /// By how many milliseconds it is ahead of the truth.
    fn wrong_by_ms(&self, now_ms: u64) -> i64 {
        let gone_ms = i64::try_from(now_ms.saturating_sub(self.since_ms)).unwrap_or(i64::MAX);
        match self.state {
            ClockState::Right => 0,
            ClockState::Ahead { ms } => ms,
            ClockState::Fast { ppm } => gone_ms.saturating_mul(ppm) / 1_000_000,
            ClockState::Strobes { ms, period_ms } => {
                let wrong = (gone_ms / i64::from(period_ms.max(1))) % 2 == 0;
                if wrong { ms } else { 0 }
            }
        }
    }

    /// How often it has jumped and back.
    fn jumps(&self, now_ms: u64) -> u64 {
        match self.state {
            ClockState::Strobes { period_ms, .. } => {
                now_ms.saturating_sub(self.since_ms) / u64::from(period_ms.max(1)) / 2
            }
            _ => 0,
        }
    }

    /// Has the broker go by it.
    pub(super) fn tick(&self, host: &Host, now_ms: u64) {
        let offset_ms = self.offset_ms.saturating_add(self.wrong_by_ms(now_ms));
        host.with(|engine| engine.core.set_wall_offset_ms(offset_ms));
    }
}

/// Does what is asked, and tells what it ended.
pub(super) fn obey(host: &Host, wall: &mut WallClock, order: NodeOrder) -> NodeEvent {
    let now_ms = clock::millis();
    // As it was read just now, by the broker itself.
    let read_ms = host.with(|engine| engine.core.wall_ms(now_ms));
    let right_ms = wall.offset_ms.saturating_add(i64::try_from(now_ms).unwrap_or(i64::MAX));
    let (clock_ahead_ms, clock_jumps) = (read_ms.saturating_sub(right_ms), wall.jumps(now_ms));
    let slowed_bytes = match order {
        NodeOrder::Disk { state } => host.with(|engine| engine.logs.set_disk(state)),
        NodeOrder::Clock { state } => {
            wall.state = state;
            wall.since_ms = now_ms;
            wall.tick(host, now_ms);
            0
        }
    };
    NodeEvent::Obeyed { slowed_bytes, clock_ahead_ms, clock_jumps }
}
