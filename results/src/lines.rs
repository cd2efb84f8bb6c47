//! What a report says besides its table, a line each: faults, counts, findings, settings. Human and
//! Markdown reports share these sentences and differ only in how they set them.

use checkers::{FaultEvidence, Finding, Judgement, Witness};
use history::{Plan, TargetKind};

use crate::table::Rows;
use crate::words;

/// Witnesses shown of a finding; `verdict.json` has more.
const WITNESSES: usize = 3;

/// The guarantees, one a row.
pub(crate) fn verdict_rows(judgement: &Judgement) -> Rows {
    let mut rows = Rows::new(["guarantee", "promised", "seen", "evidence"]);
    for judged in &judgement.guarantees {
        let promised = match judged.reason.as_str() {
            "" => words::promised(judged.expectation).to_owned(),
            reason => format!("{}: {reason}", words::promised(judged.expectation)),
        };
        let cells =
            vec![judged.promise.clone(), promised, words::word(judged.word).to_owned(), judged.seen.clone()];
        rows.push(cells, 2, words::color(judged.word));
    }
    rows
}

/// What ran, in one line.
pub(crate) fn setting(plan: &Plan) -> String {
    if plan.is_imported() {
        return format!("{}: a history from elsewhere", plan.run);
    }
    let target = match (plan.target, &plan.bootstrap) {
        (TargetKind::Reference, _) => format!("reference cluster of {} nodes", plan.nodes),
        (TargetKind::Lab, _) => format!("lab of {} Apache Kafka brokers", plan.nodes),
        (TargetKind::Kafka, Some(bootstrap)) => format!("kafka at {bootstrap}"),
        (TargetKind::Kafka, None) => "kafka".to_owned(),
    };
    let nemeses = if plan.nemeses.is_empty() { "none".to_owned() } else { plan.nemeses.join(", ") };
    let flaw = plan.flaw.as_ref().map(|flaw| format!(", planted flaw {flaw}")).unwrap_or_default();
    let seed = plan.seed;
    format!("{}: {target}, workload {}, nemesis {nemeses}{flaw}, seed {seed}", plan.run, plan.workload)
}

/// The settings that were named, by scope.
pub(crate) fn cell(plan: &Plan) -> Option<String> {
    let cell = &plan.cell;
    let scopes = [
        ("topic", &cell.topic),
        ("producer", &cell.producer),
        ("consumer", &cell.consumer),
        ("broker", &cell.broker),
        ("librdkafka", &cell.librdkafka),
    ];
    let mut named = Vec::new();
    for (scope, settings) in scopes {
        for (name, value) in settings {
            // What the profile filled in is listed by itself.
            if !plan.profile_settings.contains(&format!("{scope}.{name}={value}")) {
                named.push(format!("{name}={value}"));
            }
        }
    }
    (!named.is_empty()).then(|| format!("settings: {}", named.join(", ")))
}

/// One line a fault.
pub(crate) fn fault(fault: &FaultEvidence) -> String {
    let bitten = if fault.bitten { "bit" } else { "DID NOT BITE" };
    let recovery = match fault.recovery_ms {
        Some(ms) => format!("; written again after {}", seconds(ms)),
        None => String::new(),
    };
    format!("{} {} {bitten}: {}{recovery}", fault.fault, fault.nemesis, fault.detail)
}

/// The counters that show the run meant something.
pub(crate) fn counts(judgement: &Judgement) -> String {
    let counts = &judgement.counts;
    let mut parts = vec![format!("{} sent", counts.sent), format!("{} acknowledged", counts.acked)];
    for (count, what) in [
        (counts.unconfirmed, "unconfirmed"),
        (counts.failed, "reported failed"),
        (counts.untold, "never reported on"),
        (counts.in_doubt, "in doubt"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    parts.push(format!("{} in the log", counts.in_log));
    parts.push(format!("{} delivered to readers", counts.delivered));
    let mut line = format!("records: {}", parts.join(", "));
    line.push_str(&format!("; {} leader changes", counts.leader_changes));
    if counts.unplanned_leader_changes > 0 {
        line.push_str(&format!(", and {} UNPLANNED", counts.unplanned_leader_changes));
    }
    if counts.retries > 0 {
        line.push_str(&format!("; {} requests retried", counts.retries));
    }
    line
}

/// Throughput and latency.
pub(crate) fn figures(judgement: &Judgement) -> String {
    let figures = &judgement.figures;
    let recovery = match figures.recovery_ms {
        Some(ms) => format!(", longest recovery {}", seconds(ms)),
        None => String::new(),
    };
    format!(
        "speed: {:.0} records/s acknowledged, latency p50 {} ms, p99 {} ms{recovery}",
        figures.throughput,
        millis(figures.p50_ms),
        millis(figures.p99_ms),
    )
}

/// The longest time for which a partition could not be written, and not be read, and how many there were.
pub(crate) fn outages(judgement: &Judgement) -> Option<String> {
    let outages = &judgement.figures.outages;
    // They are sorted, the longest first.
    let longest = |operation: &str| {
        let of: Vec<_> = outages.iter().filter(|outage| outage.operation == operation).collect();
        let first = of.first()?;
        let fault = first.fault.map_or_else(String::new, |fault| format!(", fault {fault}"));
        let lasting = if first.ended { "" } else { " or more" };
        Some(format!(
            "{} for {operation}s, longest {}{lasting} (partition {}, {} into the load{fault})",
            of.len(),
            seconds(first.lasted_ms),
            first.partition,
            seconds(first.at_ms),
        ))
    };
    let parts: Vec<String> = ["write", "read"].into_iter().filter_map(longest).collect();
    (!parts.is_empty()).then(|| format!("outages: {}", parts.join("; ")))
}

/// Latency by operation and phase, one line each.
pub(crate) fn latency(judgement: &Judgement) -> Vec<String> {
    let rows = &judgement.figures.latency;
    let told = |row: &checkers::Latency| {
        format!(
            "{} under {}: {} measured, p50 {} ms, p90 {} ms, p99 {} ms, p99.9 {} ms, longest {} ms",
            row.operation,
            row.phase,
            row.count,
            millis(row.p50_ms),
            millis(row.p90_ms),
            millis(row.p99_ms),
            millis(row.p999_ms),
            millis(row.max_ms),
        )
    };
    rows.iter().map(told).collect()
}

/// What a finding is, without its witnesses.
pub(crate) fn finding(finding: &Finding) -> String {
    format!("{} x{} ({}): {}", finding.kind, finding.count, finding.checker, finding.summary)
}

/// A finding's first witnesses, and how many more there are.
pub(crate) fn witnesses(finding: &Finding) -> Vec<String> {
    let mut lines: Vec<String> = finding.examples.iter().take(WITNESSES).map(witness).collect();
    let more = finding.count.saturating_sub(lines.len() as u64);
    if more > 0 && !lines.is_empty() {
        lines.push(format!("and {more} more (verdict.json names the first {})", finding.examples.len()));
    }
    lines
}

fn witness(witness: &Witness) -> String {
    let mut when = Vec::new();
    if let Some(ms) = witness.at_ms {
        when.push(format!("at {}", seconds(ms)));
    }
    if let Some(fault) = witness.fault {
        when.push(format!("during fault {fault}"));
    }
    if when.is_empty() { witness.text.clone() } else { format!("{} ({})", witness.text, when.join(", ")) }
}

/// What to change, one line an advice; guarantees with the same advice share it.
pub(crate) fn advice(judgement: &Judgement) -> Vec<String> {
    let mut lines: Vec<(&str, Vec<&str>)> = Vec::new();
    for judged in &judgement.guarantees {
        let Some(advice) = judged.advice.as_deref() else { continue };
        match lines.iter_mut().find(|(known, _)| *known == advice) {
            Some((_, promises)) => promises.push(&judged.promise),
            None => lines.push((advice, vec![&judged.promise])),
        }
    }
    lines.into_iter().map(|(advice, promises)| format!("{}: {advice}", promises.join("; "))).collect()
}

/// What was assumed or changed, so that nobody takes it for the default.
pub(crate) fn changed(plan: &Plan, judgement: &Judgement) -> Vec<String> {
    let mut lines = Vec::new();
    if !plan.profile_settings.is_empty() {
        lines.push(format!("changed to fit a short run: {}", plan.profile_settings.join(", ")));
    }
    if !judgement.assumed.is_empty() {
        lines.push(format!("assumed, because the history does not tell: {}", judgement.assumed.join(", ")));
    }
    lines
}

/// Milliseconds with as many digits as they deserve.
pub(crate) fn millis(ms: f64) -> String {
    if ms < 10.0 { format!("{ms:.1}") } else { format!("{ms:.0}") }
}

/// Milliseconds as seconds.
pub(crate) fn seconds(ms: u64) -> String {
    let tenths = (ms + 50) / 100;
    format!("{}.{} s", tenths / 10, tenths % 10)
}
