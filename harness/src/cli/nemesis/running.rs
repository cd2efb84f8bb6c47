//! Faults on a cluster that `highwater cluster up` keeps up: the cluster does the work.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};

use crate::cli::{Failure, Outcome, print};
use crate::cluster::protocol::{Answer, Request, Status, seconds};
use crate::cluster::{control, folder};
use crate::exit::Exit;

/// Asks a running cluster, that of this directory or the only one, and shows its answer.
pub(super) fn ask(cluster: Option<&Path>, request: &Request, json: bool) -> Outcome {
    let folder = match cluster {
        Some(folder) if folder::is_cluster(folder) => folder.to_path_buf(),
        Some(folder) => {
            let shown = folder.display();
            return Err(anyhow!("`{shown}` is no cluster's directory (give what `highwater cluster up` had as --data, or named as `data in`; or a cluster file)").into());
        }
        None => only()?,
    };
    let answer = control::ask(&folder, request)
        .with_context(|| {
            format!(
                "failed to reach a running cluster in `{}` (start it with `highwater cluster up --data DIR`)",
                folder.display()
            )
        })
        .map_err(|error| Failure::new(Exit::Unreachable, error))?;
    show(&folder, &answer, json)
}

fn show(folder: &Path, answer: &Answer, json: bool) -> Outcome {
    let text = match answer {
        Answer::Applied(fault) if json => serde_json::to_string(fault)?,
        Answer::Applied(fault) => fault.to_string(),
        Answer::Undone(undone) if json => serde_json::to_string(undone)?,
        Answer::Undone(undone) if undone.is_empty() => "nothing is in force".to_owned(),
        Answer::Undone(undone) => undone.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        Answer::Status(status) if json => serde_json::to_string(status)?,
        Answer::Status(status) => human(folder, status),
        Answer::Refused(reason) => return Err(anyhow!("{reason}").into()),
        Answer::Failed(reason) => return Err(Failure::new(Exit::Unreachable, anyhow!("{reason}"))),
        Answer::Unhealed(reason) => return Err(Failure::new(Exit::CleanUpFailed, anyhow!("{reason}"))),
    };
    print(&text)?;
    Ok(Exit::Held)
}

/// Whether any cluster of this user runs in a temporary directory.
pub(super) fn any() -> bool {
    folder::temporary().is_ok_and(|folders| folders.iter().any(|folder| control::listens(folder)))
}

/// The only cluster of this user that runs in a temporary directory.
fn only() -> Result<PathBuf, Failure> {
    let mut running = folder::temporary()?;
    running.retain(|folder| control::listens(folder));
    if running.len() > 1 {
        let named: Vec<_> = running.iter().map(|folder| format!("`{}`", folder.display())).collect();
        let named = named.join(", ");
        return Err(anyhow!("several clusters are running: {named} (choose one with --cluster)").into());
    }
    running.pop().ok_or_else(|| {
        let place = std::env::temp_dir();
        let error = anyhow!("no cluster is running in `{}` (start one with `highwater cluster up`, or give its --data as --cluster)", place.display());
        Failure::new(Exit::Unreachable, error)
    })
}

fn human(folder: &Path, status: &Status) -> String {
    let mut lines = vec![format!("cluster {} at {}", folder.display(), status.bootstrap)];
    for node in &status.nodes {
        let running = if node.running { "running" } else { "not running" };
        let fenced = if node.fenced { ", fenced" } else { "" };
        lines.push(format!("node {}: {running}{fenced}", node.node));
    }
    if status.faults.is_empty() {
        lines.push("nothing is in force".to_owned());
    }
    for fault in &status.faults {
        lines.push(format!("{fault}; in force for {:.1} s", seconds(fault.since_ms)));
        if !fault.partitions.is_empty() {
            lines.push(format!("  it led {}", fault.partitions.join(", ")));
        }
    }
    lines.join("\n")
}
