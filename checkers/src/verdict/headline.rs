//! One sentence that a person understands at once.

use history::FaultClass;

use super::Case;
use crate::guarantees::GUARANTEES;
use crate::judgement::Word;
use crate::{Expectation, Judged};

pub(super) fn write(
    case: &Case<'_, '_>,
    word: Word,
    guarantees: &[Judged],
    doubts: &[String],
    shortfalls: &[String],
) -> String {
    let because =
        |reasons: &[String]| reasons.first().cloned().unwrap_or_else(|| "no reason is known".to_owned());
    match word {
        Word::Broken => broken(case, guarantees),
        Word::Indeterminate => {
            let excused = guarantees.iter().find(|judged| judged.word == Word::Indeterminate);
            match (doubts, excused) {
                ([], Some(judged)) => format!("nobody can say: {}, {}", judged.seen, judged.reason),
                _ => format!("nobody can say: {}", because(doubts)),
            }
        }
        Word::NotExercised => format!("nothing was put to the test: {}", because(shortfalls)),
        Word::Held | Word::Shown | Word::NotSeen | Word::Noted => {
            let mut text = guarantees.first().map(|judged| main(case, judged)).unwrap_or_default();
            let others = guarantees.iter().skip(1).filter(|judged| judged.word == Word::Shown);
            for judged in others {
                text.push_str(&format!("; {}, as {}", judged.seen, clause(case, judged)));
            }
            text
        }
    }
}

fn broken(case: &Case<'_, '_>, guarantees: &[Judged]) -> String {
    let mut all = guarantees.iter().filter(|judged| judged.word == Word::Broken);
    let Some(first) = all.next() else { return String::new() };
    let more = match all.count() {
        0 => String::new(),
        1 => " (and one more promise is broken)".to_owned(),
        more => format!(" (and {more} more promises are broken)"),
    };
    format!("{}, though {}{more}", first.seen, clause(case, first))
}

/// The answer to the run's question.
fn main(case: &Case<'_, '_>, judged: &Judged) -> String {
    let under = faults(case);
    match judged.word {
        Word::Shown => format!("{}, as {}", judged.seen, clause(case, judged)),
        Word::NotSeen => format!("{} this time, {under}, though {}", judged.seen, clause(case, judged)),
        _ => format!("{}: {}, {under}", judged.promise, judged.seen),
    }
}

fn clause(case: &Case<'_, '_>, judged: &Judged) -> &'static str {
    let guarantee = GUARANTEES.iter().find(|guarantee| guarantee.name == judged.guarantee);
    let promise = guarantee.and_then(|guarantee| (guarantee.rule)(&case.context.terms));
    match (promise, judged.expectation) {
        (Some(promise), _) => promise.cause.clause(),
        (None, Expectation::MustHold) => "that is promised",
        (None, _) => "that is allowed",
    }
}

/// `under kill and isolate-leader`.
fn faults(case: &Case<'_, '_>) -> String {
    if case.context.terms.envelope.unknown {
        return "under faults that the history does not tell of".to_owned();
    }
    let classes: Vec<String> =
        case.context.terms.envelope.classes.iter().map(FaultClass::to_string).collect();
    if classes.is_empty() {
        "without any fault".to_owned()
    } else {
        format!("under {}", classes.join(" and "))
    }
}
