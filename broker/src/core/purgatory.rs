//! Requests that wait: produces with acks=-1 for the high watermark, fetches for enough bytes.

use std::collections::{BTreeMap, BTreeSet};

use super::io::{FetchRequest, Output, ProduceResult};
use super::refusal::Refusal;
use super::types::{PartitionKey, RequestId};

struct WaitingProduce {
    deadline_ms: u64,
    /// Final or, while open, what it will be if all goes well.
    results: Vec<ProduceResult>,
    open: BTreeSet<usize>,
}

/// Produces that wait for their records to be committed.
#[derive(Default)]
pub(super) struct Produces {
    waiting: BTreeMap<RequestId, WaitingProduce>,
    deadlines: BTreeSet<(u64, RequestId)>,
}

impl Produces {
    /// Keeps a request until every partition in `open` is resolved, at most until the deadline.
    pub(super) fn park(
        &mut self,
        id: RequestId,
        deadline_ms: u64,
        results: Vec<ProduceResult>,
        open: BTreeSet<usize>,
    ) {
        self.deadlines.insert((deadline_ms, id));
        self.waiting.insert(id, WaitingProduce { deadline_ms, results, open });
    }

    /// Settles one partition; answers the request if it was the last. A request that has timed out is gone.
    pub(super) fn resolve(
        &mut self,
        id: RequestId,
        index: usize,
        refusal: Option<Refusal>,
        out: &mut Vec<Output>,
    ) {
        let Some(waiting) = self.waiting.get_mut(&id) else { return };
        if !waiting.open.remove(&index) {
            return;
        }
        if let Some(refusal) = refusal {
            waiting.results[index].result = Err(refusal);
        }
        if waiting.open.is_empty()
            && let Some(done) = self.waiting.remove(&id)
        {
            self.deadlines.remove(&(done.deadline_ms, id));
            out.push(Output::ProduceReply { id, partitions: done.results });
        }
    }

    /// Answers every request whose time is up: its open partitions timed out.
    pub(super) fn expire(&mut self, now_ms: u64, out: &mut Vec<Output>) {
        while let Some(&(deadline, id)) = self.deadlines.first()
            && deadline <= now_ms
        {
            self.deadlines.pop_first();
            if let Some(mut late) = self.waiting.remove(&id) {
                for index in late.open {
                    late.results[index].result = Err(Refusal::RequestTimedOut);
                }
                out.push(Output::ProduceReply { id, partitions: late.results });
            }
        }
    }
}

/// Fetches that wait for more bytes (long polls).
#[derive(Default)]
pub(super) struct Fetches {
    waiting: BTreeMap<RequestId, (u64, FetchRequest)>,
    deadlines: BTreeSet<(u64, RequestId)>,
    watchers: BTreeMap<PartitionKey, BTreeSet<RequestId>>,
}

impl Fetches {
    /// Keeps a request until it is taken.
    pub(super) fn park(&mut self, id: RequestId, deadline_ms: u64, request: FetchRequest) {
        for partition in &request.partitions {
            self.watchers.entry(partition.key).or_default().insert(id);
        }
        self.deadlines.insert((deadline_ms, id));
        self.waiting.insert(id, (deadline_ms, request));
    }

    /// Removes a request.
    pub(super) fn take(&mut self, id: RequestId) -> Option<FetchRequest> {
        let (deadline, request) = self.waiting.remove(&id)?;
        self.deadlines.remove(&(deadline, id));
        for partition in &request.partitions {
            if let Some(watchers) = self.watchers.get_mut(&partition.key) {
                watchers.remove(&id);
                if watchers.is_empty() {
                    self.watchers.remove(&partition.key);
                }
            }
        }
        Some(request)
    }

    pub(super) fn get(&self, id: RequestId) -> Option<&FetchRequest> {
        self.waiting.get(&id).map(|(_, request)| request)
    }

    /// The requests that wait for a partition.
    pub(super) fn watching(&self, key: PartitionKey) -> Vec<RequestId> {
        self.watchers.get(&key).map(|ids| ids.iter().copied().collect()).unwrap_or_default()
    }

    /// A request whose time is up.
    pub(super) fn expired(&self, now_ms: u64) -> Option<RequestId> {
        self.deadlines.first().filter(|(deadline, _)| *deadline <= now_ms).map(|&(_, id)| id)
    }
}
