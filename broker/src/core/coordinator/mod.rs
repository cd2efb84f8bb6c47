//! Coordinators: state machines kept in the log of a partition of an internal topic.
//!
//! The leader of the partition is the coordinator of everything that hashes to it. A machine ([`Machine`])
//! knows nothing of replication: it replays entries, handles requests and asks for writes. A [`Shard`] runs one
//! machine for one partition and one leader epoch: it reads the log when it begins (`COORDINATOR_LOAD_IN_PROGRESS`
//! meanwhile), appends through the ordinary leader path as with acks=all, and hands a write's token back when
//! the high watermark has passed it, or when it has failed. When the epoch ends everything that waits is
//! refused with `NOT_COORDINATOR`, and the next leader starts from the log.

mod entries;
mod group;
mod internal;
mod shard;
mod txn;

pub(super) use entries::{Entry, Reader, Replayed, Writer};
pub(super) use group::Groups;
pub use group::{Caller, GroupAnswer, GroupAsk, GroupRequest};
pub use internal::InternalTopic;
pub(super) use shard::{Effects, Host, Machine, Scope, Shards, Write};
pub(super) use txn::{Transactions, TxnInput};
pub use txn::{TxnAnswer, TxnAsk, TxnDescription, TxnListing, TxnRequest, TxnState};
