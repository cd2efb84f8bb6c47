//! A program of keys in a log that is cleaned: what was written last to a key is what a reader finds.

use std::collections::BTreeMap;

use broker::core::{Cleaner, CleaningPolicy, Reader};
use broker::flaws::Flaw;
use broker::simulation::{key, sent};
use bytes::Bytes;
use history::exchange::operations::Model;
use rand::RngExt;
use wire::batch::{PATCHED, patched_prefix};
use wire::records::Opened;

use crate::Seen;
use crate::bytes::{decode_keyed, encode_keyed};
use crate::calls::Calls;
use crate::cluster::{Cluster, LARGE_FETCH};

const KEYS: u32 = 40;

/// Each key is a register: written while the log grows, and read from what a cleaning of the whole log leaves.
pub(crate) fn registers(flaw: Option<Flaw>, seed: u64) -> Seen {
    let mut cluster = Cluster::new(flaw, seed);
    let mut calls = Calls::default();
    for value in 0..200 {
        let name = format!("key {}", cluster.draw.random_range(0..KEYS));
        let value = value.to_string();
        calls.calling(&mut cluster);
        let batch = sent(encode_keyed(&[(Some(name.as_str()), value.as_str())], None, false));
        let node = cluster.leader(0);
        let id = cluster.world.send_produce(node, key(0), -1, batch);
        cluster.world.settle();
        let output = cluster.world.reply(id).is_some_and(|reply| reply.is_ok()).then_some("\"ok\"");
        calls.called(&mut cluster, 0, "write", &name, (&value, output));
    }
    let found = cleaned(&mut cluster);
    for at in 0..KEYS {
        let name = format!("key {at}");
        let output = format!(r#"{{"value":{}}}"#, found.get(&name).map_or("null", String::as_str));
        calls.call(&mut cluster, 1, "read", &name, ("null", &output));
    }
    calls.judged(Model::Register, "null")
}

/// The last value of every key in what is left of the log of partition 0.
fn cleaned(cluster: &mut Cluster) -> BTreeMap<String, String> {
    let node = cluster.leader(0);
    let (_, batches) =
        cluster.world.fetch(node, Reader::Uncommitted, key(0), 0, LARGE_FETCH).expect("it is served");
    let cleanable = cluster.world.broker(node).cleanable(key(0)).expect("it leads");
    let policy = CleaningPolicy {
        dirty_ratio: 0.0,
        min_lag_ms: 0,
        max_lag_ms: i64::MAX,
        delete_retention_ms: i64::MAX,
    };
    let on_disk: Vec<Bytes> = batches
        .iter()
        .map(|batch| {
            let prefix = patched_prefix(&batch.bytes, batch.info.base_offset, batch.info.leader_epoch);
            [&prefix[..], &batch.bytes[PATCHED..]].concat().into()
        })
        .collect();
    let mut cleaner = Cleaner::new(&cleanable, &policy, 0, u64::MAX);
    for bytes in &on_disk {
        assert!(cleaner.learn(&Opened::of(bytes).expect("a batch")).expect("whole"), "there is room");
    }
    let mut found = BTreeMap::new();
    for bytes in &on_disk {
        let left = cleaner.clean(bytes, false).expect("whole");
        let records = left.iter().flat_map(|batch| decode_keyed(batch));
        found.extend(records.filter_map(|(key, value)| Some((key?, value))));
    }
    found
}
