//! A finding as a story: what was promised, what was done in which order, what each side saw, which fault
//! was at work, and how to see it again.

mod events;
mod said;
mod sides;
mod subject;
#[cfg(test)]
mod tests;
mod text;

use checkers::{CATALOG, Expectation, Finding, Judgement, Witness, Word};
use history::{History, Nanos, Note, Phase};
use serde::Serialize;

use crate::lines;
use crate::rundir::NodeLine;
use subject::Subject;

/// Version of a story's JSON.
const STORY_VERSION: u32 = 1;

/// One witness of a finding, told. As JSON its names are a contract; [`Story::text`] is for people.
#[derive(Debug, Serialize)]
pub struct Story {
    schema_version: u32,
    /// The run or file.
    pub file: String,
    /// The kind, kebab-case.
    pub kind: String,
    /// The checker, by catalog name.
    pub checker: String,
    /// Which witness it is, from 1.
    pub number: usize,
    /// How many records (or operations) the finding concerns.
    pub count: u64,
    /// The witness in a sentence.
    pub what: String,
    /// What the kind is.
    pub meaning: Option<&'static str>,
    /// What was promised; `None` if no configuration promises anything about it.
    pub promise: Option<Promise>,
    /// Why it is legal here, where its guarantee as such would be broken by it.
    pub allowed: Option<String>,
    /// What ran, and by which settings; what was assumed.
    pub settings: Vec<String>,
    /// What happened, in order of time.
    pub events: Vec<events::Event>,
    /// Events left out, because there are too many.
    pub omitted: usize,
    /// What happened in all, in numbers.
    pub totals: String,
    /// What each side saw: producers, logs, readers.
    pub sides: Vec<sides::Side>,
    /// The planned fault in force at that moment.
    pub fault: Option<u32>,
    /// Faults, and whether they bit; or why none is told of.
    pub faults: Vec<String>,
    /// Lines that show it again.
    pub again: Vec<String>,
}

/// What was promised.
#[derive(Debug, Serialize)]
pub struct Promise {
    guarantee: String,
    /// In a user's words.
    promise: String,
    expectation: Expectation,
    /// Why the configuration promises that.
    reason: String,
    /// Where that is written.
    source: String,
    word: Word,
    /// What was seen of it in the whole history.
    seen: String,
}

impl Story {
    /// Tells one witness of a finding, by its number from 1, and what the cluster's nodes said meanwhile. A
    /// finding without witnesses has one story.
    ///
    /// Returns `None` if the finding has no such witness.
    #[must_use]
    pub fn of(
        history: &History,
        judgement: &Judgement,
        finding: &Finding,
        number: usize,
        nodes: &[NodeLine],
    ) -> Option<Self> {
        let witness = match finding.examples.get(number.checked_sub(1)?) {
            Some(witness) => Some(witness),
            None if finding.examples.is_empty() && number == 1 => None,
            None => return None,
        };
        let subject = witness.map(|witness| Subject::of(history, witness)).unwrap_or_default();
        let (events, omitted) =
            events::tell(history, &subject, witness.and_then(|witness| witness.fault), nodes);
        let mut settings = vec![lines::setting(&history.plan)];
        settings.extend(lines::cell(&history.plan));
        settings.extend(lines::changed(&history.plan, judgement));
        Some(Self {
            schema_version: STORY_VERSION,
            file: judgement.run.clone(),
            kind: finding.kind.clone(),
            checker: finding.checker.clone(),
            number,
            count: finding.count,
            what: witness.map_or_else(|| finding.summary.clone(), |witness| witness.text.clone()),
            meaning: meaning(finding),
            promise: promise(judgement, finding),
            allowed: finding.allowed.clone(),
            settings,
            events,
            omitted,
            totals: lines::counts(judgement),
            sides: sides::all(history, &subject),
            fault: witness.and_then(|witness| witness.fault),
            faults: faults(judgement, witness),
            again: Vec::new(),
        })
    }
}

fn meaning(finding: &Finding) -> Option<&'static str> {
    let kinds = CATALOG.iter().filter(|spec| spec.name == finding.checker).flat_map(|spec| spec.kinds);
    kinds.into_iter().find(|kind| kind.name == finding.kind).map(|kind| kind.summary)
}

fn promise(judgement: &Judgement, finding: &Finding) -> Option<Promise> {
    let mut kinds = CATALOG.iter().flat_map(|spec| spec.kinds);
    let guarantee = kinds.find(|kind| kind.name == finding.kind)?.guarantee?.name;
    let judged = judgement.guarantees.iter().find(|judged| judged.guarantee == guarantee)?;
    Some(Promise {
        guarantee: judged.guarantee.clone(),
        promise: judged.promise.clone(),
        expectation: judged.expectation,
        reason: judged.reason.clone(),
        source: judged.source.clone(),
        word: judged.word,
        seen: judged.seen.clone(),
    })
}

fn faults(judgement: &Judgement, witness: Option<&Witness>) -> Vec<String> {
    let all = || judgement.faults.iter();
    match witness.and_then(|witness| witness.fault) {
        Some(number) => all().filter(|fault| fault.fault == number).map(lines::fault).collect(),
        None if judgement.faults.is_empty() => vec!["the history tells of no fault".to_owned()],
        // It is about the run as a whole.
        None if witness.is_none_or(|witness| witness.at_ms.is_none()) => all().map(lines::fault).collect(),
        None => vec!["no planned fault was in force at that moment".to_owned()],
    }
}

/// When the load began; of a history from elsewhere, when anything did.
fn start(history: &History) -> Nanos {
    let load = history.notes().find_map(|(_, at, note)| match note {
        Note::PhaseEntered { phase: Phase::Load } => Some(at),
        _ => None,
    });
    let first = || {
        let firsts = history.sessions.iter().filter_map(|session| session.operations().next());
        firsts.map(|operation| operation.invoked).min()
    };
    load.or_else(first).unwrap_or_default()
}
