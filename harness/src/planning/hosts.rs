//! The hosts of a run: those of a cluster file, or of the lab. What must be said before they are broken.

use std::collections::BTreeMap;

use anyhow::{bail, ensure};
use history::{FaultClass, TargetKind};
use targets::kafka::properties::is_secret;
use targets::lab::{self, Layout};
use targets::nodes::ClusterFile;
use targets::secure::Security;

use crate::cli::flags::{GuardArgs, PlanArgs};
use crate::state;

/// Brokers of a lab that is built for a run.
const LAB_BROKERS: u32 = 3;

/// Hosts whose brokers may be broken.
#[derive(Debug, Clone)]
pub(crate) struct Hosts {
    /// How they are reached.
    pub(crate) file: ClusterFile,
    /// How many brokers.
    pub(crate) brokers: u32,
    /// They are a lab of ours.
    pub(crate) lab: bool,
    /// Their brokers are to go by clocks of libfaketime: a lab has no others that could be moved.
    pub(crate) faketime: bool,
    /// The broker settings of a lab that has to be built first.
    pub(crate) build: Option<BTreeMap<String, String>>,
}

/// The hosts that the flags name.
///
/// # Errors
/// If the cluster file says what cannot be, or belongs to another target.
pub(super) fn find(args: &PlanArgs, target: TargetKind, moves_clocks: bool) -> anyhow::Result<Option<Hosts>> {
    if let Some(path) = &args.target.cluster {
        ensure!(
            target == TargetKind::Kafka,
            "--cluster says how hosts are reached, and those of --target {target} are known (add --target kafka)"
        );
        let file = ClusterFile::read(path)?;
        let brokers = u32::try_from(file.hosts()?.len())?;
        return Ok(Some(Hosts { file, brokers, lab: false, faketime: false, build: None }));
    }
    if target != TargetKind::Lab {
        return Ok(None);
    }
    let layout = Layout { dir: state::lab(), brokers: LAB_BROKERS, faketime: moves_clocks };
    let is_up = layout.cluster_file().exists();
    let file = layout.cluster(&BTreeMap::new())?;
    ensure!(
        !moves_clocks || file.hosts()?.iter().all(|host| host.faketime_file.is_some()),
        "the lab is up, and its brokers go by this machine's clock, which is everybody's (take it down with `highwater lab down`, or build it with `highwater lab up --disks --faketime`)"
    );
    let brokers = u32::try_from(file.hosts()?.len())?;
    Ok(Some(Hosts { file, brokers, lab: true, faketime: moves_clocks, build: (!is_up).then(BTreeMap::new) }))
}

/// Whether a run on hosts can break something like that: all but the links of clients, who are not on hosts.
pub(super) const fn can(class: FaultClass) -> bool {
    match class {
        FaultClass::Kill
        | FaultClass::Pause
        | FaultClass::IsolateLeader
        | FaultClass::IsolateFollowers
        | FaultClass::PowerFailure
        | FaultClass::PowerFailureAll
        | FaultClass::IsolateMinority
        | FaultClass::PartialPartition
        | FaultClass::IsolateController
        | FaultClass::Stop
        | FaultClass::RollingRestart
        | FaultClass::IsolateOneWay
        | FaultClass::KillProducer
        | FaultClass::PauseProducer
        | FaultClass::KillReader
        | FaultClass::ReassignReplicas
        | FaultClass::PreferredElection
        | FaultClass::UncleanElection
        | FaultClass::AddPartitions
        | FaultClass::AlterTopicConfigs
        | FaultClass::KillCoordinator
        | FaultClass::IsolateCoordinator
        | FaultClass::KillMember
        | FaultClass::PauseMember
        | FaultClass::RebalanceStorm
        | FaultClass::SlowLinks
        | FaultClass::NarrowLinks
        | FaultClass::DiskFull
        | FaultClass::ReadOnlyDisk
        | FaultClass::SlowDisk
        | FaultClass::TruncateLog
        | FaultClass::FlipBit
        | FaultClass::StaleDisk
        | FaultClass::DropCache
        | FaultClass::ClockBump
        | FaultClass::ClockSkew
        | FaultClass::ClockStrobe
        | FaultClass::LossyLinks
        | FaultClass::ReorderPackets
        | FaultClass::DuplicatePackets
        | FaultClass::CorruptPackets => true,
        FaultClass::IsolateClients | FaultClass::DropResponses | FaultClass::SlowClients => false,
    }
}

/// Why the reference cluster, processes of one machine behind a proxy, cannot be broken like that, if it cannot.
pub(super) const fn beyond_processes(class: FaultClass) -> Option<&'static str> {
    match class {
        FaultClass::LossyLinks
        | FaultClass::ReorderPackets
        | FaultClass::DuplicatePackets
        | FaultClass::CorruptPackets => Some("a proxy passes on streams, and has no packets"),
        FaultClass::DropCache => Some("the page cache is the machine's"),
        _ => None,
    }
}

impl Hosts {
    /// Completes the brokers' settings by what these run under, and names what was filled in.
    ///
    /// # Errors
    /// If a lab runs under others than those asked for.
    pub(super) fn settle(&self, broker: &mut BTreeMap<String, String>) -> anyhow::Result<Vec<String>> {
        let mut filled_in = Vec::new();
        if self.build.is_some() {
            for (name, value) in lab::SETTINGS {
                if !broker.contains_key(*name) {
                    broker.insert((*name).to_owned(), (*value).to_owned());
                    filled_in.push(format!("broker.{name}={value}"));
                }
            }
            return Ok(filled_in);
        }
        for (name, value) in &self.file.settings {
            match broker.get(name) {
                Some(asked) if asked != value => {
                    bail!(
                        "brokers run under `{name}={value}`, not `{asked}` (leave it out, or take the lab down)"
                    )
                }
                // A plan is stored; what brokers log in by is not.
                _ if is_secret(name) => {}
                _ => drop(broker.insert(name.clone(), value.clone())),
            }
        }
        let unknown = broker.keys().find(|name| !self.file.settings.contains_key(*name));
        if let Some(name) = unknown.filter(|_| self.lab) {
            bail!(
                "the lab is up, and was not given `{name}` (take it down with `highwater lab down`, or leave it out)"
            );
        }
        Ok(filled_in)
    }

    /// Refuses to break what nobody has clearly asked to break.
    ///
    /// # Errors
    /// What has to be said.
    pub(super) fn guard(
        &self,
        guard: &GuardArgs,
        nemeses: &[String],
        verbatim: &BTreeMap<String, String>,
    ) -> anyhow::Result<()> {
        // Who leads is asked on connections of our own.
        Security::of(verbatim)?;
        if self.lab {
            return Ok(());
        }
        let path = self.file.path.display();
        ensure!(
            guard.allow_destructive,
            "`{}` breaks brokers of `{path}` (say so with --allow-destructive)",
            nemeses.join(",")
        );
        let hosts = self.file.hosts()?;
        for host in &hosts {
            ensure!(
                host.breakable,
                "host `{}` may not be broken (set `breakable = true` for it in `{path}`)",
                host.host
            );
        }
        if let Some(id) = &self.file.cluster_id {
            ensure!(
                guard.confirm_cluster_id.as_ref() == Some(id),
                "the cluster's id is to be said again (add --confirm-cluster-id {id} if that is the one)"
            );
        }
        // A step of a script begins with its nemesis.
        let names = nemeses.iter().map(|word| word.split('@').next().unwrap_or(word));
        let mut all = names.filter(|name| name.ends_with("-all") || *name == "isolate-controller");
        if let Some(name) = all.next().filter(|_| !guard.allow_quorum_loss) {
            bail!("`{name}` hits all brokers at once (add --allow-quorum-loss if that is meant)");
        }
        Ok(())
    }

    /// With the settings of the lab that is to be built, if one is.
    pub(super) fn for_build(mut self, broker: &BTreeMap<String, String>) -> Self {
        if let Some(settings) = &mut self.build {
            settings.clone_from(broker);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn hosts(breakable: bool) -> Hosts {
        let text = format!(
            "bootstrap = \"b1:9092\"\ncluster_id = \"abc\"\n[[node]]\nid = 1\nhost = \"b1\"\ndata_dir = \"/data\"\n\
             unit = \"kafka\"\nbreakable = {breakable}\n"
        );
        let file = ClusterFile::parse(&text, Path::new("c.toml")).unwrap();
        Hosts { file, brokers: 1, lab: false, faketime: false, build: None }
    }

    fn refusal(breakable: bool, guard: &GuardArgs, nemesis: &str, protocol: &str) -> String {
        let verbatim = BTreeMap::from([("security.protocol".to_owned(), protocol.to_owned())]);
        let checked = hosts(breakable).guard(guard, &[nemesis.to_owned()], &verbatim);
        checked.err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn hosts_of_others_are_broken_only_when_everything_was_said() {
        let silent =
            GuardArgs { allow_destructive: false, confirm_cluster_id: None, allow_quorum_loss: false };
        assert!(refusal(true, &silent, "kill", "plaintext").contains("--allow-destructive"));
        let bold = GuardArgs { allow_destructive: true, ..silent };
        assert!(refusal(false, &bold, "kill", "plaintext").contains("breakable = true"));
        assert!(refusal(true, &bold, "kill", "plaintext").contains("--confirm-cluster-id abc"));
        let sure = GuardArgs { confirm_cluster_id: Some("abc".to_owned()), ..bold };
        assert_eq!(refusal(true, &sure, "kill", "plaintext"), "");
        assert_eq!(refusal(true, &sure, "kill", "SSL"), "");
        assert!(refusal(true, &sure, "kill", "SASL_SSL").contains("`sasl.mechanism` cannot be followed"));
        for word in ["power-failure-all", "power-failure-all@1s+2s:node=1", "isolate-controller@1s+2s"] {
            assert!(refusal(true, &sure, word, "plaintext").contains("--allow-quorum-loss"), "{word}");
        }
        let all = GuardArgs { allow_quorum_loss: true, ..sure };
        assert_eq!(refusal(true, &all, "power-failure-all", "plaintext"), "");
    }
}
