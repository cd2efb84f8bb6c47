//! Verdict words (`guarantees.md` §5), and what they come to for a whole run.

use crate::judgement::Word;
use crate::{Expectation, Judged};

/// How a run ends, as far as its judgement decides that; the binary maps it to exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Every guarantee held, or broke only where it may (0).
    Held,
    /// A guarantee is broken (1).
    Broken,
    /// The run put too little to the test (4).
    Vacuous,
    /// Nobody can say (5).
    Indeterminate,
}

impl Ending {
    /// The ending of a run with this word.
    #[must_use]
    pub const fn of(word: Word) -> Self {
        match word {
            Word::Broken => Self::Broken,
            Word::Indeterminate => Self::Indeterminate,
            Word::NotExercised => Self::Vacuous,
            Word::Held | Word::Shown | Word::NotSeen | Word::Noted => Self::Held,
        }
    }
}

/// The word for one guarantee. `unsure`: what was not seen may still have happened.
pub(super) fn word(expectation: Expectation, seen: bool, unsure: bool, exercised: bool) -> Word {
    match (expectation, seen) {
        (Expectation::NoGuarantee, _) => Word::Noted,
        (Expectation::MustHold, true) => Word::Broken,
        (Expectation::MayBreak | Expectation::MustBreak, true) => Word::Shown,
        (_, false) if unsure => Word::Indeterminate,
        (Expectation::MustHold, false) if exercised => Word::Held,
        (Expectation::MayBreak, false) => Word::NotSeen,
        (Expectation::MustHold | Expectation::MustBreak, false) => Word::NotExercised,
    }
}

/// The word for the run: broken before indeterminate before not exercised; else that of the first
/// guarantee judged, because the run's question is whether records are kept, and a duplicate where those are
/// allowed does not answer it. `unsure` concerns the run as a whole.
pub(super) fn overall(guarantees: &[Judged], unsure: bool, exercised: bool) -> Word {
    let any = |word: Word| guarantees.iter().any(|judged| judged.word == word);
    if any(Word::Broken) {
        Word::Broken
    } else if unsure || any(Word::Indeterminate) {
        Word::Indeterminate
    } else if !exercised || any(Word::NotExercised) {
        Word::NotExercised
    } else {
        guarantees.first().map_or(Word::NotExercised, |judged| judged.word)
    }
}
