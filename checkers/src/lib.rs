//! The judgement, pure: a history in, findings and a verdict out. No I/O, no clock, no randomness.

mod catalog;
mod context;
mod evidence;
mod figures;
mod graph;
pub mod guarantees;
pub mod judgement;
pub mod linearizability;
mod spec;
#[cfg(any(test, feature = "testing"))]
#[cfg_attr(not(test), expect(dead_code, unused_imports, reason = "other rooms are given specimens alone"))]
pub mod testing;
mod verdict;

pub use catalog::CATALOG;
pub use judgement::{
    Counts, Expectation, FaultEvidence, Figures, Finding, Involved, Judged, Judgement, Latency, Outage,
    Progress, VERDICT_VERSION, Witness, Word,
};
pub use spec::{Basis, Kind, Spec};
pub use verdict::{Ending, judge};
