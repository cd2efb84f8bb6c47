//! Planted flaws: bugs by name, off by default, so that every checker has been seen red.
//!
//! Each copies a class of bug that real systems have had. They are deterministic (counted, not drawn) and
//! live entirely in the core and in [`surgery`]: a server only passes [`Flaw`] on in its configuration.

pub(crate) mod surgery;

/// A planted bug; [`FLAWS`] says what each does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the catalog below documents each of them, once")]
pub enum Flaw {
    AckBeforeAppend,
    AppendAndRefuse,
    AppendLate,
    CommitAcknowledgedAndForgotten,
    CompactionDropsLatest,
    CorruptPayload,
    DropUnconfirmed,
    DuplicateOnRetry,
    FalseOutOfRange,
    ForgetFencing,
    HangTransaction,
    LoseOnTruncation,
    LoseProducerState,
    OmitAborted,
    PartialCommit,
    ReorderInBatch,
    ServeBeyondHighWatermark,
    ServeOpenTransactions,
    SkipInFetch,
    StaleEnd,
    TwoOwners,
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
    /// The kinds of finding that expose it.
    pub shows: &'static [&'static str],
    /// What must happen for it to show.
    pub needs: &'static str,
    /// The workload of `highwater run` that shows it; `None` if only clients of one's own do, of
    /// `highwater cluster up`.
    pub workload: Option<&'static str>,
    /// Settings under which nothing may excuse what it does; they apply where the user gave none.
    pub settings: &'static [(&'static str, &'static str)],
}

/// The workload of producers and readers.
const LOG: Option<&str> = Some("log");
/// The workload of producers and a consumer group.
const GROUP: Option<&str> = Some("group");

/// Every planted flaw, by name.
pub static FLAWS: &[FlawSpec] = &[
    FlawSpec {
        flaw: Flaw::AckBeforeAppend,
        name: "ack-before-append",
        summary: "acknowledges every 97th batch without appending it on any replica, like a broker that answers \
                  before its write and loses the write",
        shows: &["lost-write"],
        needs: "load",
        workload: LOG,
        settings: &[],
    },
    FlawSpec {
        flaw: Flaw::AppendAndRefuse,
        name: "append-and-refuse",
        summary: "appends every 43rd batch and answers INVALID_RECORD, like a broker that looks at a batch only \
                  after it has written it",
        shows: &["phantom"],
        needs: "load without retries",
        workload: LOG,
        settings: &[("enable.idempotence", "false"), ("retries", "0")],
    },
    FlawSpec {
        flaw: Flaw::AppendLate,
        name: "append-late",
        summary: "acknowledges every 41st batch of a producer without idempotence at once, with no offset, and \
                  appends it behind the next one, like a broker whose writes overtake each other in a queue",
        shows: &["realtime-reorder", "nonmonotonic-send", "int-nonmonotonic-send"],
        needs: "load without idempotence",
        workload: LOG,
        settings: &[("enable.idempotence", "false")],
    },
    FlawSpec {
        flaw: Flaw::CommitAcknowledgedAndForgotten,
        name: "commit-acknowledged-and-forgotten",
        summary: "acknowledges every 7th offset commit without writing it, like a coordinator that answers before \
                  its write",
        shows: &["non-linearizable"],
        needs: "offsets committed and fetched, as a register each, or a group whose partitions move",
        workload: GROUP,
        settings: &[],
    },
    FlawSpec {
        flaw: Flaw::CompactionDropsLatest,
        name: "compaction-drops-latest",
        summary: "compaction tells keys apart by four bits of a hash, so that the latest record of one key is dropped \
                  for a later one of another, like a cleaner's map of keys that takes a collision for a match",
        shows: &["non-linearizable"],
        needs: "a compacted topic that is cleaned, each key a register",
        workload: None,
        settings: &[],
    },
    FlawSpec {
        flaw: Flaw::CorruptPayload,
        name: "corrupt-payload",
        summary: "flips a bit in the last value of every 59th uncompressed batch and makes its checksum right \
                  again, like a broker with bad memory that re-encodes what it stores",
        shows: &["corrupt"],
        needs: "load",
        workload: LOG,
        settings: &[],
    },
    FlawSpec {
        flaw: Flaw::DropUnconfirmed,
        name: "drop-unconfirmed",
        summary: "throws every 37th batch with acks=0 away, like a broker whose request queue is full",
        shows: &["lost-unconfirmed"],
        needs: "load with acks=0",
        workload: LOG,
        settings: &[("acks", "0"), ("enable.idempotence", "false")],
    },
    FlawSpec {
        flaw: Flaw::DuplicateOnRetry,
        name: "duplicate-on-retry",
        summary: "never recognises a retried batch, and appends every 101st batch twice as if it had been retried, \
                  like a broker that lost its producer state",
        shows: &["duplicate"],
        needs: "load",
        workload: LOG,
        settings: &[("enable.idempotence", "true")],
    },
    FlawSpec {
        flaw: Flaw::FalseOutOfRange,
        name: "false-out-of-range",
        summary: "answers every 11th fetch of a consumer that would return records with OFFSET_OUT_OF_RANGE, like a \
                  new leader before KIP-207: who resets to the earliest offset reads everything again, and who \
                  resets to the latest skips",
        shows: &["nonmonotonic-poll", "int-nonmonotonic-poll", "poll-skip"],
        needs: "consumers that reset their offset",
        workload: LOG,
        settings: &[],
    },
    FlawSpec {
        flaw: Flaw::ForgetFencing,
        name: "forget-fencing",
        summary: "takes what a producer of an older epoch writes, in or out of a transaction, like a partition \
                  leader that does not compare epochs: a zombie's records become part of its successor's \
                  transaction",
        shows: &["zombie-write"],
        needs: "two producers of one transactional id",
        workload: None,
        settings: &[],
    },
    FlawSpec {
        flaw: Flaw::HangTransaction,
        name: "hang-transaction",
        summary: "confirms every 29th marker without writing it, and from then on every marker of that producer in \
                  that partition, so that the last stable offset stays where it is: the hanging transaction of \
                  KIP-664 and KIP-890",
        shows: &["unavailable"],
        needs: "transactions, and readers under read_committed",
        workload: None,
        settings: &[],
    },
    FlawSpec {
        flaw: Flaw::LoseOnTruncation,
        name: "lose-on-truncation",
        summary: "cuts every replica back to the high watermark it last noted when the leader changes, the new leader \
                  included, and fetches without comparing epochs, as before KIP-101",
        shows: &["lost-write"],
        needs: "a change of the leader under load, and producers that go on after it",
        workload: LOG,
        settings: &[("enable.idempotence", "false")],
    },
    FlawSpec {
        flaw: Flaw::LoseProducerState,
        name: "lose-producer-state",
        summary: "a new leader has forgotten every producer without an open transaction, like one that takes over \
                  without its snapshot: a batch that is sent again after a failover is appended again",
        shows: &["duplicate"],
        needs: "a change of the leader between a batch and its answer, which a run may miss",
        workload: LOG,
        settings: &[("enable.idempotence", "true")],
    },
    FlawSpec {
        flaw: Flaw::OmitAborted,
        name: "omit-aborted",
        summary: "leaves every third aborted transaction of a partition out of what fetches are told, as a system \
                  with another index of aborted transactions once did: consumers under read_committed read it",
        shows: &["aborted-read"],
        needs: "transactions that abort, and readers under read_committed",
        workload: None,
        settings: &[],
    },
    FlawSpec {
        flaw: Flaw::PartialCommit,
        name: "partial-commit",
        summary: "every third commit of several partitions aborts in the last of them, like a coordinator that fails \
                  over between two markers and decides anew",
        shows: &["torn-transaction"],
        needs: "transactions over several partitions",
        workload: None,
        settings: &[],
    },
    FlawSpec {
        flaw: Flaw::ReorderInBatch,
        name: "reorder-in-batch",
        summary: "swaps the first two records of every 53rd uncompressed batch of at least two, like a broker that \
                  re-encodes batches and forgets their order",
        shows: &["nonmonotonic-send", "key-reorder"],
        needs: "load that fills batches; of keyed records for key-reorder",
        workload: LOG,
        settings: &[("enable.idempotence", "true"), ("linger.ms", "50")],
    },
    FlawSpec {
        flaw: Flaw::ServeBeyondHighWatermark,
        name: "serve-beyond-high-watermark",
        summary: "serves consumers up to the end of the leader's log, so that they read records which a new leader \
                  never had",
        shows: &["lost-read", "inconsistent-offsets"],
        needs: "an isolated leader with a reader, and a producer that gives up before another leader is elected",
        workload: LOG,
        settings: &[("delivery.timeout.ms", "1000"), ("enable.idempotence", "false")],
    },
    FlawSpec {
        flaw: Flaw::ServeOpenTransactions,
        name: "serve-open-transactions",
        summary: "serves consumers under read_committed up to the high watermark, transactions that are not over \
                  included, like a broker that takes isolation for the client's business",
        shows: &["precommitted-read", "g1c", "aborted-read"],
        needs: "transactions that read, under read_committed",
        workload: None,
        settings: &[],
    },
    FlawSpec {
        flaw: Flaw::SkipInFetch,
        name: "skip-in-fetch",
        summary: "leaves the first batch out of every 5th answer to a consumer that holds several, like a broker \
                  that looks an offset up in an index and lands behind it",
        shows: &["unseen", "poll-skip", "int-poll-skip"],
        needs: "consumers that are behind",
        workload: LOG,
        settings: &[],
    },
    FlawSpec {
        flaw: Flaw::StaleEnd,
        name: "stale-end",
        summary: "names the end of a log as it was 16 records ago, or a few more, to whoever asks with ListOffsets, like a \
                  broker that answers from its last checkpoint",
        shows: &["stale-end"],
        needs: "an end asked for behind acknowledged records",
        workload: LOG,
        settings: &[],
    },
    FlawSpec {
        flaw: Flaw::TwoOwners,
        name: "two-owners",
        summary: "gives the second member of a classic group the first one's share as well, like a coordinator that \
                  mixes up two answers, and a member of a consumer group what another has not let go of: two owners \
                  of a partition",
        shows: &["non-linearizable"],
        needs: "a group of at least two members",
        workload: GROUP,
        settings: &[],
    },
];

/// A kind of finding for which there is no flaw, and why.
#[derive(Debug, Clone, Copy)]
pub struct Unplanted {
    /// The kind.
    pub kind: &'static str,
    /// Why no broker can be made to show it, or why it would prove nothing.
    pub reason: &'static str,
}

/// Kinds of finding that no flaw shows. Together with [`FlawSpec::shows`] that is every kind there is.
pub static UNPLANTED: &[Unplanted] = &[
    Unplanted { kind: "commit-beyond", reason: "consumers choose what they commit; a broker stores it" },
    Unplanted {
        kind: "commit-regress",
        reason: "consumers choose what they commit; that a group forgets one a run under `commit-acknowledged-and-forgotten` shows",
    },
    Unplanted {
        kind: "double-ownership",
        reason: "the canary's groups hold each partition as a lock; a run under `two-owners` shows it",
    },
    Unplanted {
        kind: "duplicate-effect",
        reason: "it is made behind the broker: an application applied a record again",
    },
    Unplanted {
        kind: "future-read",
        reason: "a broker cannot serve a record before it was sent; clocks that disagree show it",
    },
    Unplanted { kind: "g0", reason: "Kafka does not promise otherwise: sound brokers show it" },
    Unplanted { kind: "g2", reason: "Kafka does not promise otherwise: sound brokers show it" },
    Unplanted { kind: "int-send-skip", reason: "Kafka does not promise otherwise: sound brokers show it" },
    Unplanted {
        kind: "lost-effect",
        reason: "it is made behind the broker: an application skipped a record",
    },
    Unplanted {
        kind: "lost-in-client",
        reason: "it is lost before a broker hears of it: the application was killed",
    },
    Unplanted { kind: "lost-silently", reason: "it is lost in the client library, which reports nothing" },
    Unplanted { kind: "not-exercised", reason: "it is about the run: the faults did not bite" },
    Unplanted {
        kind: "offsets-without-output",
        reason: "no program of the canary makes records of records; applications do, and tell of it",
    },
    Unplanted {
        kind: "output-without-offsets",
        reason: "no program of the canary makes records of records; applications do, and tell of it",
    },
    Unplanted { kind: "realtime-cycle", reason: "Kafka does not promise otherwise: sound brokers show it" },
    Unplanted { kind: "redelivered", reason: "at-least-once allows it: sound brokers show it" },
    Unplanted { kind: "ww-g1c", reason: "Kafka does not promise otherwise: sound brokers show it" },
];

impl Flaw {
    /// The flaw of this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        FLAWS.iter().find(|spec| spec.name == name).map(|spec| spec.flaw)
    }

    /// Whether the `count`th (from 1) of what it counts is hit: batches that a leader is about to append, answers to
    /// consumers, commits. Primes, so that no regular load keeps step with them.
    pub(crate) const fn hits(self, count: u64) -> bool {
        let every = match self {
            Self::AckBeforeAppend => 97,
            Self::AppendAndRefuse => 43,
            Self::AppendLate => 41,
            Self::CommitAcknowledgedAndForgotten => 7,
            Self::CorruptPayload => 59,
            Self::DropUnconfirmed => 37,
            Self::DuplicateOnRetry => 101,
            Self::FalseOutOfRange => 11,
            Self::HangTransaction => 29,
            Self::OmitAborted | Self::PartialCommit => 3,
            Self::ReorderInBatch => 53,
            Self::SkipInFetch => 5,
            Self::CompactionDropsLatest
            | Self::ForgetFencing
            | Self::LoseProducerState
            | Self::LoseOnTruncation
            | Self::ServeBeyondHighWatermark
            | Self::ServeOpenTransactions
            | Self::StaleEnd
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
        assert!(UNPLANTED.is_sorted_by(|a, b| a.kind < b.kind));
    }
}
