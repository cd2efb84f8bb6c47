//! The undo journal: what is about to be broken is on record, with its undo, before it is; here and on the
//! host. The host's part comes with a dead-man timer: a detached shell that runs the undo by itself unless its
//! lease is renewed, so that a harness that was killed leaves nothing behind.
//!
//! What recurs in complaints about fault tools is faults left behind (Chaos Mesh, Pumba, Litmus); this is the
//! answer of this one.

mod entry;
mod host;
mod leftovers;
mod operate;

pub use entry::{Entry, Journal, JournalError};
pub use leftovers::leftovers;
pub use operate::{Applied, FaultOrder, OperateError, apply, in_force, open_on, renew, undo};
