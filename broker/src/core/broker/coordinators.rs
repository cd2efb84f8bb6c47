//! The broker's side of the coordinators: lends them the logs, and carries on with what they append.

use std::collections::BTreeSet;
use std::sync::Arc;

use kafka_protocol::messages::list_groups_response::ListedGroup;

use super::super::coordinator::{Groups, Host, Shards};
use super::super::image::ClusterImage;
use super::super::io::Output;
use super::super::types::PartitionKey;
use super::Broker;

/// Every coordinator on this broker.
#[derive(Default)]
pub(super) struct Coordinators {
    pub(super) groups: Shards<Groups>,
}

impl Broker {
    /// Runs coordinators, and advances the partitions that they append to.
    pub(super) fn coordinate(
        &mut self,
        now_ms: u64,
        out: &mut Vec<Output>,
        act: impl FnOnce(&mut Coordinators, &mut Host<'_>, &mut Vec<Output>),
    ) {
        let mut coordinators = std::mem::take(&mut self.coordinators);
        let cluster = Arc::clone(&self.image);
        let mut appended = BTreeSet::new();
        act(&mut coordinators, &mut self.host(now_ms, &cluster, &mut appended), out);
        self.coordinators = coordinators;
        for key in appended {
            self.touched.insert(key);
            self.advance(now_ms, key, out);
        }
    }

    fn host<'a>(
        &'a mut self,
        now_ms: u64,
        cluster: &'a ClusterImage,
        appended: &'a mut BTreeSet<PartitionKey>,
    ) -> Host<'a> {
        let ctx = self.context(now_ms, cluster);
        Host {
            ctx,
            wall_ms: i64::try_from(now_ms).unwrap_or(i64::MAX).saturating_add(self.config.wall_offset_ms),
            settings: &self.settings,
            replicas: &mut self.replicas,
            appended,
        }
    }

    /// The groups that this broker coordinates, and whether some of them are not known yet because their
    /// coordinator is still reading its log.
    #[must_use]
    pub fn groups(&self) -> (Vec<ListedGroup>, bool) {
        let (machines, loading) = self.coordinators.groups.loaded();
        (machines.flat_map(Groups::list).collect(), loading)
    }

    /// Tells coordinators what has been committed, as long as that brings something new.
    pub(super) fn settle_coordinators(&mut self, now_ms: u64, out: &mut Vec<Output>) {
        let mut more = true;
        while more {
            more = false;
            self.coordinate(now_ms, out, |coordinators, host, out| {
                coordinators.groups.settle(host, out);
                // With a leader alone in the ISR an append is committed at once.
                more = !host.appended.is_empty();
            });
        }
    }
}
