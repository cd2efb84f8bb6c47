//! Single faults on the hosts of a cluster file, and the undo of whatever is on record here or there.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use nemesis::host::{HostSpec, procedure};
use nemesis::journal::{self, FaultOrder};
use serde::Serialize;
use targets::causes::with_causes;
use targets::nodes::{self, ClusterFile};

use super::fault::FaultArgs;
use crate::cli::flags::GuardArgs;
use crate::cli::{Failure, Outcome, claim, print};
use crate::exit::Exit;
use crate::state;

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
    guard.check(&file, &spec, &fault, &journal)?;
    let _turn = claim(&file, &format!("nemesis apply {fault} --node {}", spec.node))?;
    guard.check_cluster(&file)?;
    let lease_s = u32::try_from(lasts.as_secs()).context("--for is too long")?.max(1);
    let id = format!("hand-{}-{}", state::unique(), spec.node);
    let order = FaultOrder { id: &id, fault: &fault, spec: &spec, lease_s, cluster_file: &file.path };
    let unreachable = |error| Failure::new(Exit::Unreachable, anyhow!(with_causes(&error)));
    let node = file.connect(spec.node).map_err(unreachable)?;
    GuardArgs::check_way_in(&spec, &fault, node.as_ref())?;
    let applied = journal::apply(node.as_ref(), &journal, &order).map_err(|error| {
        let left = journal.entries().is_ok_and(|open| open.iter().any(|entry| entry.id == id));
        let exit = if left { Exit::CleanUpFailed } else { Exit::Unreachable };
        Failure::new(exit, anyhow!(with_causes(&error)))
    })?;
    if !journal::in_force(node.as_ref(), &order).map_err(unreachable)? {
        eprintln!("`{fault}` was applied on host `{}`, and is not in force", spec.host);
        return Ok(Exit::Vacuous);
    }
    print(&format!("{id}\n"))?;
    let by = applied.by.map(|by| format!(" by {by}")).unwrap_or_default();
    eprintln!("{fault} on host {}{by}, for {lease_s} s; sooner: highwater nemesis undo {id}", spec.host);
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
        let hosts = file.hosts()?;
        for (spec, open) in hosts.iter().zip(nodes::each(&hosts, |spec| open_on(&file, spec))) {
            let open = open.map_err(|error| Failure::new(Exit::Unreachable, anyhow!(error)))?;
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
    // A host that cannot be asked keeps nobody else from being mended.
    let mut failures = Vec::new();
    if let Some(path) = cluster {
        let (found, unasked) = on_hosts(&ClusterFile::read(path)?, &entries)?;
        entries.extend(found);
        failures.extend(unasked);
    }
    if let Some(id) = id {
        entries.retain(|entry| entry.id == id);
        ensure_found(!entries.is_empty() || !failures.is_empty(), id)?;
    }
    let mut undone = 0;
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
            Err(error) => failures.push(format!("failed to undo `{}`: {error}", entry.id)),
        }
    }
    if failures.is_empty() {
        print(&format!("{undone} undone, nothing is open\n"))?;
        return Ok(Exit::Held);
    }
    Err(Failure::new(Exit::CleanUpFailed, anyhow!("{}", failures.join("; "))))
}

fn ensure_found(found: bool, id: &str) -> anyhow::Result<()> {
    ensure!(found, "no fault `{id}` is open (`highwater nemesis status` lists those that are)");
    Ok(())
}

/// What a host has on record.
fn open_on(file: &ClusterFile, spec: &HostSpec) -> Result<Vec<(String, String)>, String> {
    file.connect(spec.node)
        .and_then(|node| journal::open_on(node.as_ref(), &spec.state_dir))
        .map_err(|error| with_causes(&error))
}

/// What hosts have on record and this machine has not: another controller's, or one whose record here is lost.
/// The host knows the undo itself. And which hosts could not be asked.
fn on_hosts(
    file: &ClusterFile,
    known: &[journal::Entry],
) -> anyhow::Result<(Vec<journal::Entry>, Vec<String>)> {
    let (mut found, mut unasked) = (Vec::new(), Vec::new());
    let hosts = file.hosts()?;
    for (spec, open) in hosts.iter().zip(nodes::each(&hosts, |spec| open_on(file, spec))) {
        let open = open.unwrap_or_else(|error| {
            unasked.push(error);
            Vec::new()
        });
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
    Ok((found, unasked))
}
