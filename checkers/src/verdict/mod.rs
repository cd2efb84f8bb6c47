//! Assembles the judgement: every checker run, every guarantee given its word, one word for the run.

#[cfg(test)]
mod foreign;
mod headline;
mod run;
#[cfg(test)]
mod tests;
mod words;

use history::{History, Note, Role};

use crate::context::{Context, MAX_EXAMPLES};
use crate::guarantees::{GUARANTEES, Guarantee, Promise, Terms, advice};
use crate::judgement::Counts;
use crate::spec::{Kind, Spec};
use crate::{CATALOG, Expectation, Finding, Judged, Judgement, VERDICT_VERSION, Word, evidence, figures};

pub use words::Ending;

/// Judges a history with the checkers its plan names (all if it names none).
///
/// A checker that panics makes what it judges indeterminate, never held. Damage makes everything so.
#[must_use]
pub fn judge(history: &History) -> Judgement {
    let named = &history.plan.checkers;
    // A plan knows nothing of sinks: who reads one back wants it judged.
    let sinks = history.of(Role::Sink).next().is_some();
    let wanted = |spec: &&Spec| {
        let guarantees = || spec.kinds.iter().filter_map(|kind| kind.guarantee);
        named.is_empty()
            || named.iter().any(|name| name == spec.name)
            || (sinks && guarantees().any(Guarantee::needs_sinks))
    };
    let chosen: Vec<&'static Spec> = CATALOG.iter().copied().filter(wanted).collect();
    let missing = named.iter().filter(|name| !CATALOG.iter().any(|spec| spec.name == name.as_str()));
    let missing = missing.map(|name| format!("there is no checker `{name}` in this build")).collect();
    judge_with(history, &chosen, missing)
}

fn judge_with(history: &History, specs: &[&'static Spec], missing: Vec<String>) -> Judgement {
    match run::caught(|| Context::new(history)) {
        Ok(context) => assemble(&context, specs, missing),
        Err(message) => unreadable(history, &message),
    }
}

/// What the whole of a judgement is made from.
struct Case<'c, 'h> {
    context: &'c Context<'h>,
    counts: Counts,
    findings: Vec<Finding>,
    /// Checkers that panicked.
    panicked: Vec<&'static str>,
    /// The history as such cannot be believed.
    damaged: bool,
    /// The faults bit and enough was confirmed.
    exercised: bool,
}

fn assemble(context: &Context<'_>, specs: &[&'static Spec], missing: Vec<String>) -> Judgement {
    let run::Outcome { findings, panicked, mut caveats } = run::all(context, specs);
    caveats.extend(missing.iter().cloned());
    let faults = run::caught(|| evidence::faults(context)).unwrap_or_else(|message| {
        caveats.push(format!("the evidence could not be gathered: {message}"));
        Vec::new()
    });
    let shortfalls = run::caught(|| evidence::shortfalls(context)).unwrap_or_default();
    let figures = figures::measure(context, &faults);
    let counts = context.counts().clone();
    let damaged = !context.damage.is_empty();
    let case = Case { context, counts, findings, panicked, damaged, exercised: shortfalls.is_empty() };
    let guarantees: Vec<Judged> =
        GUARANTEES.iter().filter_map(|guarantee| case.guarantee(guarantee, specs)).collect();
    let doubts = context.damage.iter().chain(&context.doubts).chain(&context.sink_doubts);
    caveats.splice(0..0, doubts.cloned());
    let unsure = damaged || !missing.is_empty() || !case.panicked.is_empty();
    let word = words::overall(&guarantees, unsure, case.exercised);
    let headline = headline::write(&case, word, &guarantees, &caveats, &shortfalls);
    caveats.extend(remarks(context.history));
    Judgement {
        schema_version: VERDICT_VERSION,
        run: context.history.plan.run.clone(),
        word,
        headline,
        guarantees,
        findings: case.findings,
        faults,
        counts: case.counts,
        figures,
        caveats,
        assumed: context.assumed.clone(),
    }
}

impl Case<'_, '_> {
    /// Judges one guarantee; `None` if it says nothing here, or no chosen checker looks at it.
    fn guarantee(&self, guarantee: &'static Guarantee, specs: &[&'static Spec]) -> Option<Judged> {
        let kinds: Vec<(&'static Spec, &'static Kind)> = specs
            .iter()
            .flat_map(|spec| spec.kinds.iter().map(move |kind| (*spec, kind)))
            .filter(|(_, kind)| kind.guarantee.is_some_and(|of| of.name == guarantee.name))
            .collect();
        let promise = (guarantee.rule)(&self.context.terms)?;
        let seen: Vec<(&Kind, &Finding)> = kinds
            .iter()
            .flat_map(|(_, kind)| {
                let of_it = self.findings.iter().filter(|finding| finding.kind == kind.name);
                of_it.map(|finding| (*kind, finding))
            })
            .collect();
        // What is legal here decides nothing, and is told only where there is nothing else.
        let breaking: Vec<(&Kind, &Finding)> =
            seen.iter().copied().filter(|(_, finding)| finding.allowed.is_none()).collect();
        let excuse =
            breaking.is_empty().then(|| seen.iter().find_map(|(_, finding)| finding.allowed.as_deref()));
        let excuse = excuse.flatten();
        let seen = if excuse.is_some() { seen } else { breaking };
        // Without a promise there is something to say only if something was seen.
        if kinds.is_empty() || (promise.expectation == Expectation::NoGuarantee && seen.is_empty()) {
            return None;
        }
        // The kind to count where nothing was seen: that of the guarantee's own checker.
        let main = kinds.iter().find(|(spec, _)| spec.name == guarantee.name).unwrap_or(&kinds[0]);
        let unsure = self.damaged
            || kinds.iter().any(|(spec, _)| self.panicked.contains(&spec.name))
            || (guarantee.needs_log && !self.context.doubts.is_empty())
            || (guarantee.needs_sinks() && !self.context.sink_doubts.is_empty());
        let unplanned = !seen.is_empty() && self.unplanned_explains(guarantee, promise);
        let word = if self.damaged || unplanned {
            Word::Indeterminate
        } else if excuse.is_some() && !unsure {
            Word::Noted
        } else if excuse.is_some() {
            Word::Indeterminate
        } else {
            words::word(promise.expectation, !seen.is_empty(), unsure, self.exercised)
        };
        let mut reason = excuse.unwrap_or(promise.cause.reason()).to_owned();
        if unplanned {
            reason.push_str("; but leadership moved without any planned fault, which may explain it");
        }
        Some(Judged {
            guarantee: guarantee.name.to_owned(),
            promise: guarantee.promise.to_owned(),
            expectation: promise.expectation,
            reason,
            source: promise.cause.source().to_owned(),
            word,
            seen: self.seen(&seen, main.1),
            advice: advice(guarantee, promise.cause, word).map(str::to_owned),
        })
    }

    /// A broken promise that a fault nobody planned may excuse: leadership moved, and under faults that
    /// move it the rule would not promise this.
    fn unplanned_explains(&self, guarantee: &Guarantee, promise: Promise) -> bool {
        promise.is_must_hold()
            && self.counts.unplanned_leader_changes > 0
            && !(guarantee.rule)(&with_outages(&self.context.terms)).is_some_and(Promise::is_must_hold)
    }

    fn seen(&self, seen: &[(&Kind, &Finding)], first: &Kind) -> String {
        if seen.is_empty() {
            return first.phrase(0, &self.counts);
        }
        let phrases = seen.iter().map(|(kind, finding)| kind.phrase(finding.count, &self.counts));
        phrases.collect::<Vec<String>>().join("; ")
    }
}

fn with_outages(terms: &Terms) -> Terms {
    let mut terms = terms.clone();
    for _ in 0..2 {
        terms.envelope.add(history::FaultClass::Kill);
    }
    terms
}

/// What a reader of the verdict should know besides, though it decides nothing.
fn remarks(history: &History) -> Vec<String> {
    let mut remarks = Vec::new();
    for (session, _, note) in history.notes() {
        match note {
            Note::LoadStopped { reason } => remarks.push(format!("the load stopped early: {reason}")),
            Note::FaultFailed { fault, reason } => {
                remarks.push(format!("fault {fault} could not be carried out: {reason}"));
            }
            Note::NodeDied { node, status } => {
                remarks.push(format!("node {node} ended without having been asked to: {status}"));
            }
            Note::ClientError { code, text, fatal: true } => {
                remarks.push(format!("{} can do no more: {text} ({code})", session.name()));
            }
            _ => {}
        }
    }
    let more = remarks.len().saturating_sub(MAX_EXAMPLES);
    remarks.truncate(MAX_EXAMPLES);
    if more > 0 {
        remarks.push(format!("and {more} more remarks of this sort"));
    }
    remarks
}

/// The judgement of a history that could not even be indexed.
fn unreadable(history: &History, message: &str) -> Judgement {
    let caveat = format!("the history could not be read: {message}");
    Judgement {
        schema_version: VERDICT_VERSION,
        run: history.plan.run.clone(),
        word: Word::Indeterminate,
        headline: format!("nobody can say: {caveat}"),
        guarantees: Vec::new(),
        findings: Vec::new(),
        faults: Vec::new(),
        counts: Counts::default(),
        figures: crate::Figures::default(),
        caveats: vec![caveat],
        assumed: Vec::new(),
    }
}
