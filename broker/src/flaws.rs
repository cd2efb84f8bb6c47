//! Planted flaws: bugs by name, off by default, so that every checker has been seen red.
//!
//! Each copies a class of bug that real systems have had. They are deterministic (counted, not drawn) and
//! live entirely in the core and in [`reorder`]: a server only passes [`Flaw`] on in its configuration.

pub(crate) mod reorder;

/// A planted bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// See [`FLAWS`].
    AckBeforeAppend,
    /// Acknowledges every 7th offset commit without writing it, like a coordinator that answers before its
    /// write. Not in [`FLAWS`] before a workload commits offsets and reads them back.
    CommitAcknowledgedAndForgotten,
    /// Compaction tells keys apart by four bits of a hash, so that keys share an entry and the latest record of
    /// one is dropped for a later one of another: a cleaner's map of keys that takes a collision for a match. Not
    /// in [`FLAWS`] before a workload reads a compacted topic.
    CompactionDropsLatest,
    /// Gives the second member of a classic group the first one's share as well: two owners of a partition in one
    /// generation. Not in [`FLAWS`] before a workload looks at who owns what.
    TwoOwners,
    /// Takes what a producer of an older epoch writes, in or out of a transaction, like a partition leader that
    /// does not compare epochs: a zombie's records become part of its successor's transaction. Not in [`FLAWS`]
    /// before a workload runs transactions.
    ForgetFencing,
    /// Confirms every 29th marker without writing it, and from then on every marker of that producer in that
    /// partition, so that the last stable offset stays where it is: the hanging transaction of KIP-664 and
    /// KIP-890. Not in [`FLAWS`] before a workload runs transactions.
    HangTransaction,
    /// See [`FLAWS`].
    LoseOnTruncation,
    /// A new leader has forgotten every producer without an open transaction, like one that takes over without
    /// its snapshot: a batch that is sent again after a failover is appended again. Not in [`FLAWS`] before a
    /// run shows it under every seed.
    LoseProducerState,
    /// Leaves every third aborted transaction of a partition out of what fetches are told, as a system with
    /// another index of aborted transactions once did: consumers under read_committed read it. Not in [`FLAWS`]
    /// before a workload runs transactions.
    OmitAborted,
    /// Every third commit of several partitions aborts in the last of them, like a coordinator that fails over
    /// between two markers and decides anew. Not in [`FLAWS`] before a workload runs transactions.
    PartialCommit,
    /// See [`FLAWS`].
    DuplicateOnRetry,
    /// See [`FLAWS`].
    ReorderInBatch,
    /// See [`FLAWS`].
    ServeBeyondHighWatermark,
}

/// One row of the catalog.
#[derive(Debug, Clone, Copy)]
pub struct FlawSpec {
    /// The flaw.
    pub flaw: Flaw,
    /// Its name on the command line.
    pub name: &'static str,
    /// What it does and where its like was seen.
    pub summary: &'static str,
    /// The kind of finding that exposes it.
    pub shows: &'static str,
    /// What must happen for it to show.
    pub needs: &'static str,
    /// Settings under which nothing may excuse what it does; they apply where the user gave none.
    pub settings: &'static [(&'static str, &'static str)],
}

/// Every planted flaw, by name.
pub static FLAWS: &[FlawSpec] = &[
    FlawSpec {
        flaw: Flaw::AckBeforeAppend,
        name: "ack-before-append",
        summary: "acknowledges every 97th batch without appending it on any replica, like a broker that answers \
                  before its write and loses the write",
        shows: "lost-write",
        needs: "load",
        settings: &[],
    },
    FlawSpec {
        flaw: Flaw::DuplicateOnRetry,
        name: "duplicate-on-retry",
        summary: "never recognises a retried batch, and appends every 101st batch twice as if it had been retried, \
                  like a broker that lost its producer state",
        shows: "duplicate",
        needs: "load",
        settings: &[("enable.idempotence", "true")],
    },
    FlawSpec {
        flaw: Flaw::LoseOnTruncation,
        name: "lose-on-truncation",
        summary: "cuts every replica back to the high watermark it last noted when the leader changes, the new leader \
                  included, and fetches without comparing epochs, as before KIP-101",
        shows: "lost-write",
        needs: "a change of the leader under load, and producers that go on after it",
        settings: &[("enable.idempotence", "false")],
    },
    FlawSpec {
        flaw: Flaw::ReorderInBatch,
        name: "reorder-in-batch",
        summary: "swaps the first two records of every 53rd uncompressed batch of at least two, like a broker that \
                  re-encodes batches and forgets their order",
        shows: "nonmonotonic-send",
        needs: "load that fills batches",
        settings: &[("enable.idempotence", "true"), ("linger.ms", "50")],
    },
    FlawSpec {
        flaw: Flaw::ServeBeyondHighWatermark,
        name: "serve-beyond-high-watermark",
        summary: "serves consumers up to the end of the leader's log, so that they read records which a new leader \
                  never had",
        shows: "lost-read",
        needs: "an isolated leader with a reader, and a producer that gives up before another leader is elected",
        settings: &[("delivery.timeout.ms", "1000"), ("enable.idempotence", "false")],
    },
];

impl Flaw {
    /// The flaw of this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        FLAWS.iter().find(|spec| spec.name == name).map(|spec| spec.flaw)
    }

    /// Whether the `count`th batch that a leader is about to append (from 1) is hit. Primes, so that no
    /// regular load keeps step with them.
    pub(crate) const fn hits(self, count: u64) -> bool {
        let every = match self {
            Self::AckBeforeAppend => 97,
            Self::DuplicateOnRetry => 101,
            Self::CommitAcknowledgedAndForgotten => 7,
            Self::ReorderInBatch => 53,
            Self::OmitAborted | Self::PartialCommit => 3,
            Self::HangTransaction => 29,
            Self::CompactionDropsLatest
            | Self::ForgetFencing
            | Self::LoseProducerState
            | Self::LoseOnTruncation
            | Self::ServeBeyondHighWatermark
            | Self::TwoOwners => return false,
        };
        count.is_multiple_of(every)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_unique_and_found() {
        assert!(FLAWS.is_sorted_by(|a, b| a.name < b.name));
        for spec in FLAWS {
            assert_eq!(Flaw::by_name(spec.name), Some(spec.flaw));
        }
        assert_eq!(Flaw::by_name("no-such-flaw"), None);
    }
}
