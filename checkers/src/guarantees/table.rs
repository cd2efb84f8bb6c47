//! Every guarantee, in the order of every verdict.

use super::{Cause, Guarantee, Promise, loss, repeats};

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
    rule: loss::silent,
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
    rule: loss::visible,
    needs_log: true,
};

/// Readers get everything.
pub(crate) static UNSEEN: Guarantee = Guarantee {
    name: "unseen",
    promise: "a reader that caught up was given every record",
    rule: loss::visible,
    needs_log: true,
};

/// Readers get it in order.
pub(crate) static READING: Guarantee = Guarantee {
    name: "reading-order",
    promise: "a reader is given each partition in order, without gaps",
    rule: loss::visible,
    needs_log: true,
};

/// One offset, one record.
pub(crate) static OFFSETS: Guarantee = Guarantee {
    name: "offsets",
    promise: "an offset means one record",
    rule: loss::offsets,
    needs_log: true,
};

/// Nothing comes from nowhere.
pub(crate) static PHANTOMS: Guarantee = Guarantee {
    name: "phantoms",
    promise: "every record was sent, and is whole",
    rule: |_| Some(Promise::must_hold(Cause::NothingInvented)),
    needs_log: true,
};

/// Progress after healing.
pub(crate) static AVAILABILITY: Guarantee = Guarantee {
    name: "availability",
    promise: "every partition serves again after healing",
    rule: |_| Some(Promise::must_hold(Cause::HealedServes)),
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
    &OFFSETS,
    &PHANTOMS,
    &AVAILABILITY,
];
