//! Every guarantee, in the order of every verdict.

use super::{Cause, Guarantee, Promise, commits, damage, effects, groups, loss, repeats, time, transactions};

/// No acknowledged record is lost.
pub(crate) static ACKNOWLEDGED_LOSS: Guarantee = Guarantee {
    name: "acknowledged-loss",
    promise: "acknowledged records are kept",
    rule: loss::acknowledged,
    needs_log: true,
};

/// acks=0 only.
pub(crate) static UNCONFIRMED_LOSS: Guarantee = Guarantee {
    name: "unconfirmed-loss",
    promise: "records sent without confirmation arrive",
    rule: loss::unconfirmed,
    needs_log: true,
};

/// The producer says what became of every record.
pub(crate) static SILENT_LOSS: Guarantee = Guarantee {
    name: "silent-loss",
    promise: "no record vanishes without a report to a living application",
    rule: |terms| (!terms.envelope.unknown).then(|| loss::silent(terms)).flatten(),
    needs_log: true,
};

/// The application died.
pub(crate) static CLIENT_LOSS: Guarantee = Guarantee {
    name: "client-loss",
    promise: "records in the client of a killed application arrive",
    rule: loss::in_client,
    needs_log: true,
};

/// One send, one record.
pub(crate) static DUPLICATES: Guarantee = Guarantee {
    name: "duplicates",
    promise: "no record is stored or delivered twice",
    rule: repeats::duplicates,
    needs_log: true,
};

/// Records lie as they were sent.
pub(crate) static ORDER: Guarantee = Guarantee {
    name: "order",
    promise: "acknowledged records of a producer lie in the order of sending",
    rule: repeats::order,
    needs_log: true,
};

/// Nothing read is lost.
pub(crate) static VISIBILITY: Guarantee = Guarantee {
    name: "visibility",
    promise: "what a reader was given stays in the log",
    rule: |terms| (!terms.envelope.unknown).then(|| loss::visible(terms)).flatten(),
    needs_log: true,
};

/// Readers get everything.
pub(crate) static UNSEEN: Guarantee = Guarantee {
    name: "unseen",
    promise: "whoever read past a record was given it",
    rule: groups::given,
    needs_log: true,
};

/// Readers get it in order.
pub(crate) static READING: Guarantee = Guarantee {
    name: "reading-order",
    promise: "a reader is given each partition in order, without gaps",
    rule: loss::visible,
    needs_log: true,
};

/// Nobody promises that an operation's records lie side by side.
pub(crate) static BATCHES: Guarantee = Guarantee {
    name: "contiguous-sends",
    promise: "the records of one operation lie side by side",
    rule: |_| Some(Promise::none(Cause::ProducersInterleave)),
    needs_log: true,
};

/// One offset, one record.
pub(crate) static OFFSETS: Guarantee = Guarantee {
    name: "offsets",
    promise: "an offset means one record",
    rule: loss::offsets,
    needs_log: true,
};

/// Commits follow polls.
pub(crate) static COMMITS: Guarantee = Guarantee {
    name: "commits",
    promise: "a consumer's commits go forward, and no further than what it was given",
    rule: commits::follow,
    needs_log: false,
};

/// One owner a partition.
pub(crate) static OWNERSHIP: Guarantee = Guarantee {
    name: "ownership",
    promise: "a partition of a group has one owner whose commits are taken",
    rule: groups::ownership,
    needs_log: false,
};

/// Once, if at all.
pub(crate) static REDELIVERY: Guarantee = Guarantee {
    name: "redelivery",
    promise: "no record is processed by a group again",
    rule: groups::redelivery,
    needs_log: true,
};

/// The log agrees with time.
pub(crate) static REAL_TIME: Guarantee = Guarantee {
    name: "real-time-order",
    promise: "a record sent after another was acknowledged lies behind it",
    rule: time::order,
    needs_log: true,
};

/// Ends agree with time.
pub(crate) static END_OFFSETS: Guarantee = Guarantee {
    name: "end-offsets",
    promise: "an end offset asked for after healing covers what was acknowledged before",
    rule: time::ends,
    needs_log: true,
};

/// Nothing comes from nowhere.
pub(crate) static PHANTOMS: Guarantee = Guarantee {
    name: "phantoms",
    promise: "every record was sent, and is whole",
    rule: damage::whole,
    needs_log: true,
};

/// G1a.
pub(crate) static ABORTED_READS: Guarantee = Guarantee {
    name: "aborted-reads",
    promise: "nothing of a failed operation is read",
    rule: transactions::aborted_reads,
    needs_log: false,
};

/// G1c.
pub(crate) static ISOLATION: Guarantee = Guarantee {
    name: "transaction-isolation",
    promise: "nothing of a transaction is read before it is over",
    rule: transactions::isolation,
    needs_log: false,
};

/// All or nothing.
pub(crate) static ATOMICITY: Guarantee = Guarantee {
    name: "atomicity",
    promise: "a transaction is applied whole or not at all",
    rule: transactions::atomicity,
    needs_log: true,
};

/// No zombies.
pub(crate) static FENCING: Guarantee = Guarantee {
    name: "fencing",
    promise: "a fenced producer writes no more",
    rule: transactions::fencing,
    needs_log: true,
};

/// One order.
pub(crate) static SERIALIZABILITY: Guarantee = Guarantee {
    name: "strict-serializability",
    promise: "one order in real time explains all transactions",
    rule: transactions::serializability,
    needs_log: true,
};

/// No effect is missing.
pub(crate) static EFFECT_LOSS: Guarantee = Guarantee {
    name: "effect-loss",
    promise: "every record takes effect in the sink",
    rule: effects::applied,
    needs_log: true,
};

/// No effect is repeated.
pub(crate) static EFFECT_DUPLICATES: Guarantee = Guarantee {
    name: "effect-duplicates",
    promise: "no record takes effect twice in the sink",
    rule: effects::applied_once,
    needs_log: false,
};

/// Progress after healing.
pub(crate) static AVAILABILITY: Guarantee = Guarantee {
    name: "availability",
    promise: "every partition serves again after healing",
    rule: |terms| (!terms.envelope.unknown).then(|| damage::served(terms)).flatten(),
    needs_log: false,
};

/// Every guarantee.
pub static GUARANTEES: &[&Guarantee] = &[
    &ACKNOWLEDGED_LOSS,
    &UNCONFIRMED_LOSS,
    &SILENT_LOSS,
    &CLIENT_LOSS,
    &DUPLICATES,
    &ORDER,
    &VISIBILITY,
    &UNSEEN,
    &READING,
    &BATCHES,
    &OFFSETS,
    &COMMITS,
    &OWNERSHIP,
    &REDELIVERY,
    &REAL_TIME,
    &END_OFFSETS,
    &PHANTOMS,
    &ABORTED_READS,
    &ISOLATION,
    &ATOMICITY,
    &FENCING,
    &SERIALIZABILITY,
    &EFFECT_LOSS,
    &EFFECT_DUPLICATES,
    &AVAILABILITY,
];
