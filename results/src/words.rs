//! Verdict words and promises as people read them, with the colour of each.

use checkers::{Expectation, Word};
use tabled::settings::Color;

/// A verdict word as text: `held`, `not seen`.
#[must_use]
pub const fn word(word: Word) -> &'static str {
    match word {
        Word::Held => "held",
        Word::Broken => "broken",
        Word::Shown => "shown",
        Word::NotSeen => "not seen",
        Word::NotExercised => "not exercised",
        Word::Noted => "noted",
        Word::Indeterminate => "indeterminate",
    }
}

/// What is promised, as text.
pub(crate) const fn promised(expectation: Expectation) -> &'static str {
    match expectation {
        Expectation::MustHold => "must hold",
        Expectation::MayBreak => "may break",
        Expectation::MustBreak => "must break",
        Expectation::NoGuarantee => "nothing promised",
    }
}

/// Red is for what is wrong, yellow for what says less than it seems to.
pub(crate) const fn color(word: Word) -> Color {
    match word {
        Word::Held => Color::FG_GREEN,
        Word::Broken => Color::FG_RED,
        Word::Shown => Color::FG_CYAN,
        Word::NotExercised | Word::Indeterminate => Color::FG_YELLOW,
        Word::NotSeen | Word::Noted => Color::FG_WHITE,
    }
}
