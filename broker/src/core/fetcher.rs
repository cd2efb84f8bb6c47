//! The following side: one fetch outstanding per leader node, for all partitions that follow it.

use std::collections::{BTreeMap, BTreeSet};

use super::io::{FetchPartition, FetchRequest, Output, ReplicaIdentity};
use super::replica::Reader;
use super::types::PartitionKey;

/// A fetch that was sent.
struct Outstanding {
    correlation: u64,
    deadline_ms: u64,
    /// What was asked: an answer counts only for a replica that is still there.
    asked: BTreeMap<PartitionKey, Asked>,
}

/// The state of a replica when it asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) leader_epoch: i32,
    pub(super) fetch_offset: i64,
}

/// One leader node.
#[derive(Default)]
struct Source {
    follows: BTreeSet<PartitionKey>,
    outstanding: Option<Outstanding>,
    not_before_ms: u64,
    /// Where the next request's list begins, so that no partition is always last.
    turn: usize,
}

/// How a broker fetches.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    pub(super) wait_ms: u64,
    pub(super) min_bytes: u32,
    pub(super) max_bytes: u32,
    pub(super) partition_bytes: u32,
    pub(super) backoff_ms: u64,
    pub(super) timeout_ms: u64,
}

/// All leader nodes this broker follows.
pub(super) struct Fetchers {
    manner: Manner,
    sources: BTreeMap<i32, Source>,
    last_correlation: u64,
}

impl Fetchers {
    pub(super) const fn new(manner: Manner) -> Self {
        Self { manner, sources: BTreeMap::new(), last_correlation: 0 }
    }

    pub(super) const fn manner(&self) -> Manner {
        self.manner
    }

    /// Replaces what is followed.
    pub(super) fn follow(&mut self, follows: BTreeMap<i32, BTreeSet<PartitionKey>>) {
        for source in self.sources.values_mut() {
            source.follows.clear();
        }
        for (node, keys) in follows {
            self.sources.entry(node).or_default().follows = keys;
        }
    }

    /// The node has restarted or moved: what was asked of it will not be answered.
    pub(super) fn forget(&mut self, node: i32) {
        if let Some(source) = self.sources.get_mut(&node) {
            source.outstanding = None;
            source.not_before_ms = 0;
        }
    }

    /// Takes the answer to a fetch; `None` if nobody waits for it. A failed one (`!answered`) is followed
    /// by a pause.
    pub(super) fn answered(
        &mut self,
        node: i32,
        correlation: u64,
        answered: bool,
        now_ms: u64,
    ) -> Option<BTreeMap<PartitionKey, Asked>> {
        let source = self.sources.get_mut(&node)?;
        let asked = source.outstanding.take_if(|outstanding| outstanding.correlation == correlation)?;
        if !answered {
            source.not_before_ms = now_ms + self.manner.backoff_ms;
        }
        Some(asked.asked)
    }

    /// Sends what may be sent. `wanted` says what a partition asks for now, if it may ask.
    pub(super) fn send(
        &mut self,
        now_ms: u64,
        identity: ReplicaIdentity,
        wanted: impl Fn(PartitionKey) -> Option<FetchPartition>,
        out: &mut Vec<Output>,
    ) {
        let manner = self.manner;
        for (&node, source) in &mut self.sources {
            if source.outstanding.as_ref().is_some_and(|outstanding| outstanding.deadline_ms <= now_ms) {
                source.outstanding = None;
            }
            if source.outstanding.is_some() || now_ms < source.not_before_ms || source.follows.is_empty() {
                continue;
            }
            source.turn = (source.turn + 1) % source.follows.len();
            let (before, after) =
                (source.follows.iter().take(source.turn), source.follows.iter().skip(source.turn));
            let partitions: Vec<_> = after.chain(before).filter_map(|key| wanted(*key)).collect();
            if partitions.is_empty() {
                continue;
            }
            self.last_correlation += 1;
            let asked = |fetch: &FetchPartition| {
                let FetchPartition { key, fetch_offset, current_leader_epoch: leader_epoch, .. } = *fetch;
                (key, Asked { leader_epoch, fetch_offset })
            };
            source.outstanding = Some(Outstanding {
                correlation: self.last_correlation,
                deadline_ms: now_ms + manner.timeout_ms,
                asked: partitions.iter().map(asked).collect(),
            });
            let request = FetchRequest {
                reader: Reader::Replica(identity),
                max_wait_ms: manner.wait_ms,
                min_bytes: manner.min_bytes,
                max_bytes: manner.max_bytes,
                partitions,
            };
            out.push(Output::SendFetch { to: node, correlation: self.last_correlation, request });
        }
    }
}
