//! The shape of a judgement: what `verdict.json` holds and every table shows.

use serde::{Deserialize, Serialize};

use history::{FaultClass, Function, Nanos, Offset, Outcome, Partition, Tag};

/// Version of `verdict.json`; readers refuse a newer one.
pub const VERDICT_VERSION: u32 = 1;

/// What a configuration promises under the plan's faults (`guarantees.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expectation {
    /// A break is a bug.
    MustHold,
    /// A break is allowed, not certain.
    MayBreak,
    /// A break is expected (claims and cells with a scripted fault only, never a rule).
    MustBreak,
    /// Nothing is promised.
    NoGuarantee,
}

/// A verdict word (`guarantees.md` §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Word {
    /// Promised and kept.
    Held,
    /// Promised and broken.
    Broken,
    /// Allowed or expected to break, and seen to.
    Shown,
    /// Allowed to break, and not seen to.
    NotSeen,
    /// The fault did not bite, or too little was acknowledged to say anything.
    NotExercised,
    /// Nothing is promised; seen all the same.
    Noted,
    /// Nobody can say.
    Indeterminate,
}

/// One thing that went wrong, with its witnesses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The checker, by catalog name.
    pub checker: String,
    /// The kind, kebab-case.
    pub kind: String,
    /// How many records (or operations) it concerns.
    pub count: u64,
    /// One sentence.
    pub summary: String,
    /// The first few, in order of time.
    pub examples: Vec<Witness>,
    /// A picture of the first of them, self-contained SVG, where one says more than words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
    /// Why it is legal here, where its guarantee as such would be broken by it; it then decides nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<String>,
}

/// One witness of a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// One sentence: what was done, what was seen.
    pub text: String,
    /// The record, if it is one of ours.
    pub tag: Option<Tag>,
    /// Its partition, if known.
    pub partition: Option<Partition>,
    /// The offset in question, if known.
    pub offset: Option<Offset>,
    /// Milliseconds after the load began.
    pub at_ms: Option<u64>,
    /// Number of the planned fault in force then.
    pub fault: Option<u32>,
    /// The operations of an imported history that show it, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<Involved>,
}

/// An operation that a witness names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Involved {
    /// Its session.
    pub session: String,
    /// Its number there, from 0.
    pub operation: u64,
    /// The line of the imported file that completed it, from 1.
    pub line: Option<u64>,
    /// What it does.
    pub function: Function,
    /// What is certain about it.
    pub outcome: Outcome,
    /// Nanoseconds of the history's own clock.
    pub invoked: Nanos,
    /// The same; `None` if it never came back.
    pub completed: Option<Nanos>,
}

/// Whether one planned fault bit, and how that is known (`guarantees.md` §6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultEvidence {
    /// Number in the plan.
    pub fault: u32,
    /// The nemesis.
    pub nemesis: String,
    /// What it may do.
    pub class: FaultClass,
    /// It bit.
    pub bitten: bool,
    /// What shows it, or what is missing and what to raise.
    pub detail: String,
    /// Milliseconds from the injection until every partition it hit was written again, if it was.
    pub recovery_ms: Option<u64>,
}

/// Counters that show a run meant something.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Records handed to a client.
    pub sent: u64,
    /// Acknowledged by a broker (`told: acked`).
    pub acked: u64,
    /// Written to a socket without acknowledgement (acks=0).
    pub unconfirmed: u64,
    /// Reported failed to the application.
    pub failed: u64,
    /// Never reported on.
    pub untold: u64,
    /// Outcome unknown, whatever was told.
    pub in_doubt: u64,
    /// Records in the drained log that carry one of our tags.
    pub in_log: u64,
    /// Records delivered to readers during the run.
    pub delivered: u64,
    /// Changes of a partition's leader that a planned fault explains.
    pub leader_changes: u64,
    /// Changes of a partition's leader that none explains.
    pub unplanned_leader_changes: u64,
    /// Produce requests the clients retried.
    pub retries: u64,
}

/// Figures for tables; latencies are CO-safe: from the intended send time to the report.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Figures {
    /// Acknowledged records a second during the load.
    pub throughput: f64,
    /// Median latency of acknowledged records, milliseconds.
    pub p50_ms: f64,
    /// 99th percentile, milliseconds.
    pub p99_ms: f64,
    /// Longest time to recover from a fault, milliseconds.
    pub recovery_ms: Option<u64>,
    /// Latency by operation and phase.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub latency: Vec<Latency>,
    /// When partitions could not be written or read during the load, the longest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outages: Vec<Outage>,
    /// How soon each partition served again after healing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub progress: Vec<Progress>,
}

/// Latency of one operation in one phase, from the intended time; milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// `send`, `delivery` or `transaction`.
    pub operation: String,
    /// The class of the fault in force, or `no fault`.
    pub phase: String,
    /// How many were measured.
    pub count: u64,
    /// Median.
    pub p50_ms: f64,
    /// 90th percentile.
    pub p90_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// 99.9th percentile.
    pub p999_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

/// A window of at least half a second in which a partition did not serve though somebody waited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// `write` or `read`.
    pub operation: String,
    /// The partition.
    pub partition: Partition,
    /// When it began, milliseconds after the load began.
    pub at_ms: u64,
    /// How long it lasted, milliseconds (as far as the load, if it did not end before).
    pub lasted_ms: u64,
    /// It ended within the load.
    pub ended: bool,
    /// Number of the planned fault in force when it began.
    pub fault: Option<u32>,
}

/// How soon a partition served again after every fault was healed, milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The partition.
    pub partition: Partition,
    /// Until a record was acknowledged, from the demand; `None` if none was.
    pub written_ms: Option<u64>,
    /// Until it was read up to its fence, from the beginning of the drain; `None` if it was not.
    pub read_ms: Option<u64>,
}

/// One guarantee, judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// Its name, kebab-case (`acknowledged-loss`).
    pub guarantee: String,
    /// What it means, in a user's words ("acknowledged records are kept").
    pub promise: String,
    /// What the configuration promises under these faults.
    pub expectation: Expectation,
    /// Why, in one sentence (the rule's reason).
    pub reason: String,
    /// Where that is written.
    pub source: String,
    /// The word.
    pub word: Word,
    /// What was seen, in one phrase ("5267 of 8575 acknowledged records lost").
    pub seen: String,
    /// One sentence on what to change, where something should be.
    pub advice: Option<String>,
}

/// The outcome of a whole run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// [`VERDICT_VERSION`] of the writer.
    pub schema_version: u32,
    /// The run.
    pub run: String,
    /// The word for the run as a whole.
    pub word: Word,
    /// One sentence that a person understands at once.
    pub headline: String,
    /// Every guarantee.
    pub guarantees: Vec<Judged>,
    /// Every finding, also of guarantees that were allowed to break.
    pub findings: Vec<Finding>,
    /// Whether the faults bit.
    pub faults: Vec<FaultEvidence>,
    /// Counters.
    pub counts: Counts,
    /// Figures.
    pub figures: Figures,
    /// What makes the judgement indeterminate, or was skipped; loud.
    pub caveats: Vec<String>,
    /// Settings assumed because the history told none.
    pub assumed: Vec<String>,
}
