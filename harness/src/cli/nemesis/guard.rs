//! What has to be said, and has to be so, before a real host is broken.

use std::time::Duration;

use anyhow::{anyhow, ensure};
use nemesis::host::{HostFault, HostSpec, minority};
use nemesis::journal::Journal;
use nemesis::node::{Node, Request};
use targets::causes::with_causes;
use targets::nodes::ClusterFile;

use crate::cli::Failure;
use crate::cli::flags::GuardArgs;
use crate::cli::survey::Place;
use crate::exit::Exit;

/// How long a host may take to say where we came in.
const WITHIN: Duration = Duration::from_secs(15);

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
        ensure!(
            !fault.touches_network()
                || std::iter::once(spec.broker_port)
                    .chain(spec.controller_port)
                    .all(|port| port != spec.ssh_port),
            "port {} of host `{}` is the broker's and ssh's in `{}` (correct one of them)",
            spec.ssh_port,
            spec.host,
            file.path.display()
        );
        if fault.takes_down() && !self.allow_quorum_loss {
            let brokers = file.hosts()?.len();
            let open = journal.entries()?;
            let mut down: Vec<_> =
                open.iter().filter(|entry| entry.cluster_file == file.path).map(|entry| entry.node).collect();
            down.push(spec.node);
            down.sort_unstable();
            down.dedup();
            ensure!(
                down.len() <= minority(brokers),
                "{} of {brokers} brokers would be down at once, more than a minority (add --allow-quorum-loss if that is meant)",
                down.len()
            );
        }
        Ok(())
    }

    /// Has the brokers say which cluster they are; neither the file nor what was typed is proof of that. A file
    /// without an id, and nothing typed, leave nothing to compare.
    pub(super) fn check_cluster(&self, file: &ClusterFile) -> Result<(), Failure> {
        let Some(expected) = file.cluster_id.as_ref().or(self.confirm_cluster_id.as_ref()) else {
            return Ok(());
        };
        let report = Place::from(file).look(false, None).map_err(|error| {
            let error = anyhow!(
                "nobody says whether this is cluster `{expected}`: {} (undo what is in force, or start a broker)",
                with_causes(&error)
            );
            Failure::new(Exit::Unreachable, error)
        })?;
        let said = report.cluster_id.as_deref().unwrap_or("none");
        if said != expected {
            let error = anyhow!(
                "the brokers of `{}` say that their cluster is `{said}`, not `{expected}` (this is another cluster: nothing was broken)",
                file.bootstrap
            );
            return Err(Failure::new(Exit::Unreachable, error));
        }
        Ok(())
    }

    /// Refuses to touch the port that we came in by, wherever ssh's own configuration or a bastion has led us.
    pub(super) fn check_way_in(spec: &HostSpec, fault: &HostFault, node: &dyn Node) -> Result<(), Failure> {
        if !fault.touches_network() {
            return Ok(());
        }
        let script = "echo \"${SSH_CONNECTION##* }\"";
        let request =
            Request { what: "see where ssh came in", script, stdin: &[], within: WITHIN, root: false };
        let said = node
            .script(&request)
            .map_err(|error| Failure::new(Exit::Unreachable, anyhow!(with_causes(&error))))?;
        let way_in = said.trim().parse().unwrap_or(spec.ssh_port);
        let cut = std::iter::once(spec.broker_port).chain(spec.controller_port).find(|port| *port == way_in);
        if let Some(port) = cut {
            let error = anyhow!(
                "`{fault}` would cut the way to host `{}`: ssh came in at port {port}, which the cluster file calls the broker's (correct `broker_port` or `controller_port`)",
                spec.host
            );
            return Err(error.into());
        }
        Ok(())
    }
}
