//! What has to be said, and has to be so, before a real host is broken.

use anyhow::ensure;
use nemesis::host::{HostFault, HostSpec};
use nemesis::journal::Journal;
use targets::nodes::ClusterFile;

use crate::cli::flags::GuardArgs;

impl GuardArgs {
    /// Refuses what nobody has clearly asked for.
    pub(super) fn check(
        &self,
        file: &ClusterFile,
        spec: &HostSpec,
        fault: &HostFault,
        journal: &Journal,
    ) -> anyhow::Result<()> {
        ensure!(
            self.allow_destructive,
            "`{fault}` breaks broker {} on host `{}` (say so with --allow-destructive)",
            spec.node,
            spec.host
        );
        ensure!(
            spec.breakable,
            "host `{}` may not be broken (set `breakable = true` for it in `{}`)",
            spec.host,
            file.path.display()
        );
        if let Some(id) = &file.cluster_id {
            ensure!(
                self.confirm_cluster_id.as_ref() == Some(id),
                "the cluster's id is to be said again (add --confirm-cluster-id {id} if that is the one)"
            );
        }
        if fault.takes_down() && !self.allow_quorum_loss {
            let brokers = file.hosts()?.len();
            let open = journal.entries()?;
            let mut down: Vec<_> =
                open.iter().filter(|entry| entry.cluster_file == file.path).map(|entry| entry.node).collect();
            down.push(spec.node);
            down.sort_unstable();
            down.dedup();
            ensure!(
                down.len() <= (brokers.saturating_sub(1) / 2).max(1),
                "{} of {brokers} brokers would be down at once, more than a minority (add --allow-quorum-loss if that is meant)",
                down.len()
            );
        }
        Ok(())
    }
}
