//! Retention: which segments of a log may be deleted for their age or their size (Apache Kafka,
//! `UnifiedLog.deleteOldSegments`). Whole segments go, oldest first, the active one included, and never anything
//! above the high watermark.

use super::compaction::SegmentFacts;

/// The settings of a topic that concern retention; `None` sets no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionPolicy {
    /// `retention.ms`.
    pub ms: Option<u64>,
    /// `retention.bytes`.
    pub bytes: Option<u64>,
}

/// Where the log is to start, if some of its segments may go. `wall_ms` is the time of day.
#[must_use]
pub fn retained(
    segments: &[SegmentFacts],
    high_watermark: i64,
    policy: RetentionPolicy,
    wall_ms: i64,
) -> Option<i64> {
    let committed = segments.iter().take_while(|segment| segment.end <= high_watermark);
    let filled = committed.take_while(|segment| segment.end > segment.base);
    let mut excess = policy.bytes.map(|most| {
        let size: u64 = segments.iter().map(|segment| segment.bytes).sum();
        size.saturating_sub(most)
    });
    let goes = |segment: &&SegmentFacts| {
        // Without timestamps nothing is ever old.
        let age_ms = u64::try_from(wall_ms.saturating_sub(segment.newest_ms)).unwrap_or(0);
        let old = segment.newest_ms >= 0 && policy.ms.is_some_and(|ms| age_ms > ms);
        let large = excess.is_some_and(|excess| excess > 0 && excess >= segment.bytes);
        if let Some(excess) = &mut excess {
            *excess = excess.saturating_sub(segment.bytes);
        }
        old || large
    };
    filled.take_while(goes).last().map(|segment| segment.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(base: i64, newest_ms: i64) -> SegmentFacts {
        SegmentFacts { base, end: base + 10, bytes: 100, first_ms: newest_ms, newest_ms }
    }

    const KEEP: RetentionPolicy = RetentionPolicy { ms: None, bytes: None };

    #[test]
    fn old_segments_go_up_to_the_high_watermark() {
        let log = [segment(0, 100), segment(10, 200), segment(20, 300)];
        let old = |high_watermark, ms| {
            retained(&log, high_watermark, RetentionPolicy { ms: Some(ms), ..KEEP }, 1_000)
        };
        assert_eq!(old(30, 800), Some(10), "older, not as old");
        assert_eq!(old(30, 799), Some(20));
        assert_eq!(old(30, 0), Some(30), "the active one too");
        assert_eq!(old(29, 0), Some(20), "what is not committed stays");
        assert_eq!(old(30, 900), None);
        assert_eq!(retained(&log, 30, KEEP, i64::MAX), None);
        let timeless = [segment(0, -1), segment(10, 5)];
        assert_eq!(retained(&timeless, 20, RetentionPolicy { ms: Some(1), ..KEEP }, 1_000), None);
    }

    #[test]
    fn a_log_shrinks_to_its_size_by_whole_segments() {
        let log = [segment(0, 100), segment(10, 200), segment(20, 300)];
        let large = |bytes| retained(&log, 30, RetentionPolicy { bytes: Some(bytes), ..KEEP }, 1_000);
        assert_eq!(large(300), None);
        assert_eq!(large(201), None, "it would be smaller than it may be");
        assert_eq!(large(200), Some(10));
        assert_eq!(large(99), Some(20));
        assert_eq!(large(0), Some(30));
    }
}
