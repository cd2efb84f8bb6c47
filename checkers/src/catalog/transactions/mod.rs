//! Transactions: all or nothing, nothing of what was aborted, nobody behind a fence, and an order that all
//! partitions agree on, where that is promised.

mod consumed;
mod cycles;
mod facts;
mod reads;
mod story;
mod torn;
mod zombies;

#[cfg(test)]
mod consumed_planted;
#[cfg(test)]
mod consumed_tests;
#[cfg(test)]
mod planted;
#[cfg(test)]
mod tests;

use crate::context::{Context, MAX_EXAMPLES};
use crate::guarantees::{ABORTED_READS, ATOMICITY, FENCING, ISOLATION, SERIALIZABILITY};
use crate::spec::{Basis, Kind, Spec};
use crate::{Finding, Witness};

pub(crate) static SPEC: Spec = Spec {
    name: "transactions",
    summary: "aborted, early and torn reads, output without offsets, zombies, cycles",
    docs: "\
What a committed reader is given of an operation that failed (`aborted-read`, Adya's G1a), and of its own \
operation before that is over (`precommitted-read`). A committed transaction of which a read that must reach \
all of it finds only a part (`torn-transaction`): decided from the final drain, or from later records that were \
read, because a reader of two partitions legally sees half a transaction for a while. A transaction that consumes, transforms and produces says of each output \
which record it was made of (`inputs`), and commits offsets. If it came back as committed, or its group was told \
afterwards of an offset that it alone may have committed (`fetched`), and nothing that its group made of that \
record can be read, it is `offsets-without-output`. If an output can be read and nobody of the group may \
have committed an offset past its input, or the group was told afterwards of one that is not past it, though \
nobody may have committed a lower one since, it is `output-without-offsets`. Who says nothing of inputs is not \
judged. A record of a producer session that was sent after a newer session of the same transactional id was at \
work, and is in the log (`zombie-write`). Cycles: the offsets give the order of writes, so that which transaction came before which is \
known: ww by the order of a log, wr from a record's writer to its readers, rw to the writer of the first \
record that a read did not return, the order of a process, and real time. `g1c` is a cycle of wr alone, `g0` \
of ww alone, `ww-g1c` of both, `g2` needs an rw, `realtime-cycle` the order of a process or of real time (of \
one partition it is told as `realtime-reorder` or `future-read`). One shortest cycle is shown for every knot of \
transactions, in words and as a picture. Kafka promises `g1c` alone; the setting `strict-serializable=true` \
says that the target promises them all, and that each poll of a transaction reads to the end of the partitions \
it returns records of. An unknown outcome counts as committed only if a committed reader was given something \
of it.",
    kinds: &[
        ABORTED_READ,
        PRECOMMITTED_READ,
        TORN_TRANSACTION,
        OFFSETS_WITHOUT_OUTPUT,
        OUTPUT_WITHOUT_OFFSETS,
        ZOMBIE_WRITE,
        G1C,
        G0,
        WW_G1C,
        G2,
        REALTIME_CYCLE,
    ],
    check,
};

const OFFSETS_WITHOUT_OUTPUT: Kind = Kind {
    name: "offsets-without-output",
    summary: "a transaction's offsets are committed, and nothing of what it made of these records can be read",
    noun: "transactions that committed offsets without output",
    of: Basis::Nothing,
    guarantee: Some(&ATOMICITY),
};
const OUTPUT_WITHOUT_OFFSETS: Kind = Kind {
    name: "output-without-offsets",
    summary: "a transaction's output can be read, and the record it was made of is still to be consumed",
    noun: "transactions that left output without offsets",
    of: Basis::Nothing,
    guarantee: Some(&ATOMICITY),
};
const ABORTED_READ: Kind = Kind {
    name: "aborted-read",
    summary: "a reader was given a record of an operation that certainly failed",
    noun: "records of failed operations read",
    of: Basis::Nothing,
    guarantee: Some(&ABORTED_READS),
};

const PRECOMMITTED_READ: Kind = Kind {
    name: "precommitted-read",
    summary: "a transaction was given a record that it had itself just sent",
    noun: "records read before their own transaction was over",
    of: Basis::Nothing,
    guarantee: Some(&ISOLATION),
};

const TORN_TRANSACTION: Kind = Kind {
    name: "torn-transaction",
    summary: "one part of a transaction is in the log, another is not",
    noun: "transactions applied in part",
    of: Basis::Nothing,
    guarantee: Some(&ATOMICITY),
};

const ZOMBIE_WRITE: Kind = Kind {
    name: "zombie-write",
    summary: "a producer wrote after a newer session of its transactional id had fenced it",
    noun: "records written behind a fence",
    of: Basis::Nothing,
    guarantee: Some(&FENCING),
};

const G1C: Kind = Kind {
    name: "g1c",
    summary: "transactions read each other's records in a circle",
    noun: "knots of transactions that read one another",
    of: Basis::Nothing,
    guarantee: Some(&ISOLATION),
};

const G0: Kind = Kind {
    name: "g0",
    summary: "the writes of transactions interleave",
    noun: "knots of transactions whose writes interleave",
    of: Basis::Nothing,
    guarantee: Some(&SERIALIZABILITY),
};

const WW_G1C: Kind = Kind {
    name: "ww-g1c",
    summary: "a transaction read what was written behind what it overwrote",
    noun: "knots of transactions by writes and reads",
    of: Basis::Nothing,
    guarantee: Some(&SERIALIZABILITY),
};

const G2: Kind = Kind {
    name: "g2",
    summary: "transactions did not see each other's records as any order of them would have it",
    noun: "knots of transactions by what reads missed",
    of: Basis::Nothing,
    guarantee: Some(&SERIALIZABILITY),
};

const REALTIME_CYCLE: Kind = Kind {
    name: "realtime-cycle",
    summary: "transactions are in an order that the clock or a process contradicts",
    noun: "knots of transactions against real time",
    of: Basis::Nothing,
    guarantee: Some(&SERIALIZABILITY),
};

fn check(context: &Context<'_>) -> Vec<Finding> {
    let facts = facts::Facts::new(context);
    let mut findings = reads::check(context, &facts);
    findings.extend(torn::check(context, &facts));
    findings.extend(consumed::check(context, &facts));
    findings.extend(zombies::check(context));
    findings.extend(cycles::check(context, &facts));
    findings
}

/// How many, and the first few of them.
#[derive(Debug, Default)]
struct Tally {
    count: u64,
    examples: Vec<Witness>,
}

impl Tally {
    fn add(&mut self, witness: impl FnOnce() -> Witness) {
        self.count += 1;
        if self.examples.len() < MAX_EXAMPLES {
            self.examples.push(witness());
        }
    }

    fn finding(self, context: &Context<'_>, kind: &Kind) -> Option<Finding> {
        let summary = kind.phrase(self.count, context.counts());
        (self.count > 0).then(|| kind.finding(&SPEC, self.count, summary, self.examples))
    }
}
