//! Single faults on the hosts of a cluster file, and the undo of whatever is on record here or there.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser};
use history::NodeId;
use nemesis::host::{HostFault, HostSpec, Peer, procedure};
use nemesis::journal::{self, FaultOrder, Journal};
use serde::Serialize;
use targets::causes::with_causes;
use targets::nodes::ClusterFile;

use crate::cli::flags::GuardArgs;
use crate::cli::{Failure, Outcome, print};
use crate::exit::Exit;
use crate::state;

/// Which fault, on whom.
#[derive(Args, Debug)]
pub(super) struct FaultArgs {
    /// What breaks
    #[arg(value_name = "FAULT", value_parser = PossibleValuesParser::new(faults()))]
    pub(super) fault: String,
    /// The cluster file
    #[arg(long, value_name = "FILE")]
    pub(super) cluster: PathBuf,
    /// The broker to hit
    #[arg(long, value_name = "ID")]
    pub(super) node: i32,
    #[command(flatten)]
    pub(super) manner: MannerArgs,
}

/// How links and clocks are broken.
#[derive(Args, Debug)]
#[command(next_help_heading = "Real hosts")]
pub(super) struct MannerArgs {
    /// The brokers at the far end of its links [default: all others]
    #[arg(long = "peer", value_name = "ID")]
    peers: Vec<i32>,
    /// Cut links by resets instead of silence
    #[arg(long)]
    reset: bool,
    /// Packets lost, of a hundred
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u8).range(1..=100))]
    percent: u8,
    /// Milliseconds of `delay` and `clock-bump`
    #[arg(long, value_name = "N", default_value_t = 200, allow_negative_numbers = true)]
    ms: i64,
    /// Kilobits a second of `bandwidth`
    #[arg(long, value_name = "N", default_value_t = 1000)]
    kbit: u32,
}

/// The faults of hosts, by name.
pub(super) fn faults() -> impl Iterator<Item = PossibleValue> {
    HostFault::KINDS.iter().map(|kind| PossibleValue::new(kind.name).help(kind.summary))
}

impl FaultArgs {
    /// The cluster, the host to hit, and the fault.
    fn resolve(&self) -> anyhow::Result<(ClusterFile, HostSpec, HostFault)> {
        let file = ClusterFile::read(&self.cluster)?;
        let hosts = file.hosts()?;
        let host = |id: i32| {
            hosts.iter().find(|host| host.node == NodeId(id)).cloned().with_context(|| {
                let known: Vec<_> = hosts.iter().map(|host| host.node.to_string()).collect();
                format!("`{}` has no node `{id}` (it has {})", self.cluster.display(), known.join(", "))
            })
        };
        let spec = host(self.node)?;
        let peers = match self.manner.peers.as_slice() {
            [] => hosts.iter().filter(|other| other.node != spec.node).cloned().collect(),
            named => named.iter().map(|id| host(*id)).collect::<anyhow::Result<Vec<_>>>()?,
        };
        ensure!(
            peers.iter().all(|peer| peer.node != spec.node),
            "node `{}` is no peer of its own",
            self.node
        );
        let ports = |host: &HostSpec| std::iter::once(host.broker_port).chain(host.controller_port).collect();
        let peers: Vec<_> = peers
            .iter()
            .map(|peer| Peer { address: peer.address.clone(), here: ports(&spec), there: ports(peer) })
            .collect();
        let needs_peers = matches!(self.fault.as_str(), "cut" | "loss" | "delay" | "bandwidth");
        ensure!(
            !needs_peers || !peers.is_empty(),
            "`{}` needs a peer, and there is one node only",
            self.fault
        );
        let fault = match self.fault.as_str() {
            "kill" => HostFault::Kill,
            "pause" => HostFault::Pause,
            "restart" => HostFault::Restart,
            "cut" => HostFault::Cut { peers, reset: self.manner.reset },
            "loss" => HostFault::Loss { peers, percent: self.manner.percent },
            "delay" => HostFault::Delay {
                peers,
                ms: u32::try_from(self.manner.ms)
                    .map_err(|_| anyhow!("--ms {} is no delay (give 0 or more)", self.manner.ms))?,
            },
            "bandwidth" => HostFault::Bandwidth { peers, kbit: self.manner.kbit },
            "drop-cache" => HostFault::DropCache,
            "power-failure" => HostFault::PowerFailure,
            "disk-full" => HostFault::DiskFull,
            "read-only" => HostFault::ReadOnly,
            "clock-bump" => HostFault::ClockBump { ms: self.manner.ms },
            other => bail!("there is no fault `{other}`"),
        };
        Ok((file, spec, fault))
    }
}

/// Refuses what nobody has clearly asked for.
fn check(
    guard: &GuardArgs,
    file: &ClusterFile,
    spec: &HostSpec,
    fault: &HostFault,
    journal: &Journal,
) -> anyhow::Result<()> {
    ensure!(
        guard.allow_destructive,
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
            guard.confirm_cluster_id.as_ref() == Some(id),
            "the cluster's id is to be said again (add --confirm-cluster-id {id} if that is the one)"
        );
    }
    if fault.takes_down() && !guard.allow_quorum_loss {
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

/// Prints what would be run.
pub(super) fn plan(command: &FaultArgs) -> Outcome {
    let (_, spec, fault) = command.resolve()?;
    let steps = procedure(&fault, &spec, "ID");
    let mut text = format!("# {fault} on host {} (broker {}); nothing is run\n", spec.host, spec.node);
    for (name, script) in [
        ("apply", steps.apply),
        ("in force if", steps.in_force),
        ("undo", steps.undo),
        ("gone if", steps.gone),
    ] {
        text += &format!("\n# {name}\n{script}");
    }
    print(&text)?;
    Ok(Exit::Held)
}

/// Applies a fault that its host undoes after this long.
pub(super) fn apply(order: &FaultArgs, lasts: Duration, guard: &GuardArgs) -> Outcome {
    let (file, spec, fault) = order.resolve()?;
    let journal = state::journal()?;
    check(guard, &file, &spec, &fault, &journal)?;
    let lease_s = u32::try_from(lasts.as_secs()).context("--for is too long")?.max(1);
    let id = format!("hand-{}-{}", state::unique(), spec.node);
    let order = FaultOrder { id: &id, fault: &fault, spec: &spec, lease_s, cluster_file: &file.path };
    let unreachable = |error| Failure::new(Exit::Unreachable, anyhow!(with_causes(&error)));
    let node = file.connect(spec.node).map_err(unreachable)?;
    journal::apply(node.as_ref(), &journal, &order).map_err(|error| {
        let left = journal.entries().is_ok_and(|open| open.iter().any(|entry| entry.id == id));
        let exit = if left { Exit::CleanUpFailed } else { Exit::Unreachable };
        Failure::new(exit, anyhow!(with_causes(&error)))
    })?;
    if !journal::in_force(node.as_ref(), &order).map_err(unreachable)? {
        eprintln!("`{fault}` was applied on host `{}`, and is not in force", spec.host);
        return Ok(Exit::Vacuous);
    }
    print(&format!("{id}\n"))?;
    eprintln!("{fault} on host {} for {lease_s} s; sooner: highwater nemesis undo {id}", spec.host);
    Ok(Exit::Held)
}

/// A fault as `status` tells it.
#[derive(Serialize)]
struct Row {
    id: String,
    host: String,
    node: i32,
    fault: String,
    /// On record here, on the host, or both.
    on_record: Vec<&'static str>,
}

/// What is on record here, and on the hosts of a cluster file.
pub(super) fn status(cluster: Option<&Path>, json: bool) -> Outcome {
    let mut rows: Vec<_> = state::journal()?
        .entries()?
        .into_iter()
        .map(|entry| Row {
            id: entry.id,
            host: entry.host,
            node: entry.node.0,
            fault: entry.fault,
            on_record: vec!["here"],
        })
        .collect();
    if let Some(path) = cluster {
        let file = ClusterFile::read(path)?;
        for spec in file.hosts()? {
            let open = file
                .connect(spec.node)
                .and_then(|node| journal::open_on(node.as_ref(), &spec.state_dir))
                .map_err(|error| Failure::new(Exit::Unreachable, anyhow!(with_causes(&error))))?;
            for (id, fault) in open {
                match rows.iter_mut().find(|row| row.id == id) {
                    Some(row) => row.on_record.push("host"),
                    None => rows.push(Row {
                        id,
                        host: spec.host.clone(),
                        node: spec.node.0,
                        fault,
                        on_record: vec!["host"],
                    }),
                }
            }
        }
    }
    if json {
        print(&format!("{}\n", serde_json::to_string_pretty(&rows)?))?;
    } else if rows.is_empty() {
        print("no fault is open\n")?;
    } else {
        for row in &rows {
            print(&format!(
                "{}  {} on {} (broker {}), on record: {}\n",
                row.id,
                row.fault,
                row.host,
                row.node,
                row.on_record.join(", ")
            ))?;
        }
    }
    Ok(Exit::Held)
}

/// Undoes one fault, or all that are on record here and on the hosts of a cluster file.
pub(super) fn undo(id: Option<&str>, cluster: Option<&Path>) -> Outcome {
    let journal = state::journal()?;
    let mut entries = journal.entries()?;
    if let Some(path) = cluster {
        entries.extend(on_hosts(&ClusterFile::read(path)?, &entries)?);
    }
    if let Some(id) = id {
        entries.retain(|entry| entry.id == id);
        ensure_found(!entries.is_empty(), id)?;
    }
    let (mut undone, mut failures) = (0, Vec::new());
    // The last one first: a fault may have been put upon another.
    for entry in entries.iter().rev() {
        let outcome = ClusterFile::read(&entry.cluster_file)
            .map_err(|error| with_causes(&error))
            .and_then(|file| file.connect(entry.node).map_err(|error| with_causes(&error)))
            .and_then(|node| {
                journal::undo(node.as_ref(), &journal, entry).map_err(|error| with_causes(&error))
            });
        match outcome {
            Ok(found) if found.already => {
                eprintln!("nothing was left of {} on host {} ({})", entry.fault, entry.host, entry.id);
            }
            Ok(_) => {
                undone += 1;
                eprintln!("undone: {} on host {} ({})", entry.fault, entry.host, entry.id);
            }
            Err(error) => failures.push(format!("`{}`: {error}", entry.id)),
        }
    }
    if failures.is_empty() {
        print(&format!("{undone} undone, nothing is open\n"))?;
        return Ok(Exit::Held);
    }
    Err(Failure::new(Exit::CleanUpFailed, anyhow!("failed to undo {}", failures.join("; "))))
}

fn ensure_found(found: bool, id: &str) -> anyhow::Result<()> {
    ensure!(found, "no fault `{id}` is open (`highwater nemesis status` lists those that are)");
    Ok(())
}

/// What hosts have on record and this machine has not: another controller's, or one whose record here is lost.
/// The host knows the undo itself.
fn on_hosts(file: &ClusterFile, known: &[journal::Entry]) -> anyhow::Result<Vec<journal::Entry>> {
    let mut found = Vec::new();
    for spec in file.hosts()? {
        let node = file.connect(spec.node).map_err(|error| anyhow!(with_causes(&error)))?;
        let open =
            journal::open_on(node.as_ref(), &spec.state_dir).map_err(|error| anyhow!(with_causes(&error)))?;
        for (id, fault) in open.into_iter().filter(|(id, _)| known.iter().all(|entry| entry.id != *id)) {
            found.push(journal::Entry {
                id,
                node: spec.node,
                host: spec.host.clone(),
                fault,
                cluster_file: file.path.clone(),
                state_dir: spec.state_dir.clone(),
                undo: ":".to_owned(),
                gone: ":".to_owned(),
            });
        }
    }
    Ok(found)
}
