//! Applies and undoes faults on hosts, the journal first.

use std::path::Path;
use std::time::Duration;

use super::entry::{Entry, Journal, JournalError};
use super::host;
use crate::host::{HostFault, HostSpec, procedure};
use crate::node::{Node, NodeError, Request};

/// How long applying or undoing may take: a broker starts in it.
pub(super) const WITHIN: Duration = Duration::from_secs(90);
/// How long a look may take.
pub(super) const LOOK: Duration = Duration::from_secs(15);

/// A fault to apply.
#[derive(Debug, Clone, Copy)]
pub struct FaultOrder<'a> {
    /// Tags what it makes; unique, of letters, digits and `-`.
    pub id: &'a str,
    /// What to apply.
    pub fault: &'a HostFault,
    /// To whom.
    pub spec: &'a HostSpec,
    /// The host heals itself after so many seconds without a renewal.
    pub lease_s: u32,
    /// How the host can be reached again, for an undo by another process.
    pub cluster_file: &'a Path,
}

/// What a fault touched, as far as the host counts it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Applied {
    /// Bytes by which the files shrank at a power failure, or were cut.
    pub lost_bytes: u64,
    /// Packets dropped, or held up on their way.
    pub packets: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// There was nothing left to undo: its host had healed itself.
    pub already: bool,
    /// By which mechanism, or on which file, where that is the host's choice.
    pub by: Option<String>,
    /// What was seen of its effect when it was undone.
    pub seen: Vec<String>,
}

impl Applied {
    fn read(text: &str) -> Self {
        let mut found = Self::default();
        for line in text.lines() {
            let mut words = line.split(' ');
            let what = words.next();
            let mut number = || words.next().and_then(|word| word.parse::<i64>().ok()).unwrap_or(0);
            match what {
                Some("lost") => found.lost_bytes += u64::try_from(number()).unwrap_or(0),
                Some("dropped" | "touched") => {
                    found.packets += u64::try_from(number()).unwrap_or(0);
                    found.bytes += u64::try_from(number()).unwrap_or(0);
                }
                Some("already") => found.already = true,
                Some("by") => found.by = line.get(3..).map(str::to_owned),
                Some("seen") => found.seen.extend(line.get(5..).map(str::to_owned)),
                _ => {}
            }
        }
        found
    }
}

/// An order failed.
#[derive(Debug, thiserror::Error)]
pub enum OperateError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The host.
    #[error(transparent)]
    Node(#[from] NodeError),
}

pub(super) fn as_root<'a>(what: &'a str, script: &'a str, within: Duration) -> Request<'a> {
    Request { what, script, stdin: &[], within, root: true }
}

/// Puts the fault on record here and there, starts the dead-man timer, and applies it. After an error the
/// entry stays open unless the host has proved it gone.
///
/// # Errors
/// If the journal cannot be written, the host cannot be reached, or the fault cannot be applied.
pub fn apply(node: &dyn Node, journal: &Journal, order: &FaultOrder<'_>) -> Result<Applied, OperateError> {
    let FaultOrder { id, fault, spec, lease_s, cluster_file } = *order;
    let steps = procedure(fault, spec, id);
    journal.write(&Entry {
        id: id.to_owned(),
        node: spec.node,
        host: spec.host.clone(),
        fault: fault.name().to_owned(),
        cluster_file: cluster_file.to_owned(),
        state_dir: spec.state_dir.clone(),
        undo: steps.undo.clone(),
        gone: steps.gone.clone(),
    })?;
    let script = host::arm(&spec.state_dir, id, fault.name(), &steps, lease_s);
    let what = format!("apply `{}`", fault.name());
    let applied = node.script(&as_root(&what, &script, WITHIN));
    match applied {
        Ok(said) => Ok(Applied::read(&said)),
        Err(error) => {
            // Refused or undone half way: if the host can say that nothing is left, nothing is.
            if error.nothing_ran()
                || matches!(error, NodeError::Failed { .. })
                    && open_on(node, &spec.state_dir)
                        .is_ok_and(|open| open.iter().all(|(other, _)| other != id))
            {
                journal.close(id)?;
            }
            Err(error.into())
        }
    }
}

/// Whether the mechanism is in force.
///
/// # Errors
/// If the host cannot be asked.
pub fn in_force(node: &dyn Node, order: &FaultOrder<'_>) -> Result<bool, NodeError> {
    let script = procedure(order.fault, order.spec, order.id).in_force;
    Ok(node.run(&as_root("look whether a fault is in force", &script, LOOK))?.code == 0)
}

/// Undoes a fault, has the host prove it gone, and closes its entry. What is gone already is no error.
///
/// # Errors
/// If the host cannot be reached or something may still be in force; the entry stays open then.
pub fn undo(node: &dyn Node, journal: &Journal, entry: &Entry) -> Result<Applied, OperateError> {
    let script = host::heal(&entry.state_dir, &entry.id, &entry.undo, &entry.gone);
    let what = format!("undo `{}`", entry.fault);
    let said = node.script(&as_root(&what, &script, WITHIN))?;
    journal.close(&entry.id)?;
    Ok(Applied::read(&said))
}

/// Renews the leases of the faults whose ids begin with `prefix`; `tick` must differ from the last one.
///
/// # Errors
/// If the host cannot be reached.
pub fn renew(node: &dyn Node, state_dir: &str, prefix: &str, tick: u64) -> Result<(), NodeError> {
    node.script(&as_root("renew leases", &host::renew(state_dir, prefix, tick), LOOK)).map(drop)
}

/// The faults on a host's own record: id and kind.
///
/// # Errors
/// If the host cannot be asked.
pub fn open_on(node: &dyn Node, state_dir: &str) -> Result<Vec<(String, String)>, NodeError> {
    let said = node.script(&as_root("list open faults", &host::list(state_dir), LOOK))?;
    let pair = |line: &str| line.split_once('\t').map(|(id, kind)| (id.to_owned(), kind.to_owned()));
    Ok(said.lines().filter_map(pair).collect())
}
