//! Whether each planned fault bit, how that is known, and how long recovery took (`guarantees.md` §6).

mod administration;
mod afflictions;
mod applications;
mod bite;
mod groups;
mod links;
mod recovery;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use history::FaultClass;

use crate::FaultEvidence;
use crate::context::Context;
pub(crate) use crate::context::is_confirmed;

/// Fewer confirmed records than this say nothing.
const FEWEST_CONFIRMED: u64 = 10;

/// The evidence of every planned fault, in the order of the plan.
pub(crate) fn faults(context: &Context<'_>) -> Vec<FaultEvidence> {
    let evidence = context.timeline.faults.iter().map(|fault| {
        let bite = bite::look(context, fault);
        FaultEvidence {
            fault: fault.planned.id,
            nemesis: fault.planned.nemesis.clone(),
            class: fault.planned.class,
            bitten: bite.bitten,
            detail: by_what(bite.detail, fault.by),
            recovery_ms: recovery::time(context, fault),
        }
    });
    evidence.collect()
}

/// With the means that a fault was carried out by, where there is more than one.
fn by_what(detail: String, by: &[String]) -> String {
    if by.is_empty() { detail } else { format!("{detail} (by {})", by.join(", ")) }
}

/// What keeps a run from meaning anything, each with what to raise. Empty if it was a fair trial.
pub(crate) fn shortfalls(context: &Context<'_>) -> Vec<String> {
    // What others recorded was no trial of ours: where it says too little, that is a doubt.
    if context.derived.is_some() {
        return Vec::new();
    }
    let mut by_class: BTreeMap<FaultClass, Vec<FaultEvidence>> = BTreeMap::new();
    for evidence in faults(context) {
        by_class.entry(evidence.class).or_default().push(evidence);
    }
    let mut shortfalls = Vec::new();
    for (class, evidence) in by_class {
        if let Some(first) = evidence.first().filter(|_| evidence.iter().all(|each| !each.bitten)) {
            shortfalls.push(format!("{class} did not bite: {}", first.detail));
        }
    }
    shortfalls.extend(too_little(context));
    shortfalls
}

fn too_little(context: &Context<'_>) -> Vec<String> {
    let confirmed: u64 = context.tally.acked + context.tally.unconfirmed;
    if confirmed < FEWEST_CONFIRMED {
        return vec![format!(
            "only {confirmed} records were confirmed, and fewer than {FEWEST_CONFIRMED} say nothing (raise \
             `--duration` or `--rate`)"
        )];
    }
    let unserved = context.tally.partitions.iter().enumerate();
    let unserved = unserved.filter(|(_, of)| of.tried >= FEWEST_CONFIRMED && of.confirmed == 0);
    unserved
        .map(|(partition, of)| {
            let tried = of.tried;
            format!("none of {tried} records for partition {partition} was confirmed (raise `--duration`)")
        })
        .collect()
}
