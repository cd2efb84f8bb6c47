//! What is promised of the effects that records have outside of the log. No setting of brokers or clients
//! promises any: an application and its sink do, so the user says what they promise (`effects=…`).

use super::{Cause, EFFECT_DUPLICATES, EFFECT_LOSS, Guarantee, Promise, Terms};

/// How often each record takes effect, as the user says that it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effects {
    /// Once and only once.
    ExactlyOnce,
    /// Once or more often.
    AtLeastOnce,
    /// Once or never.
    AtMostOnce,
}

impl Effects {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::ExactlyOnce, Self::AtLeastOnce, Self::AtMostOnce];

    /// The word for it, as the setting `effects` has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ExactlyOnce => "exactly-once",
            Self::AtLeastOnce => "at-least-once",
            Self::AtMostOnce => "at-most-once",
        }
    }

    /// What a word means; `None` if it means nothing.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|effects| effects.name() == name)
    }

    const fn cause(self) -> Cause {
        match self {
            Self::ExactlyOnce => Cause::EffectsExactlyOnce,
            Self::AtLeastOnce => Cause::EffectsAtLeastOnce,
            Self::AtMostOnce => Cause::EffectsAtMostOnce,
        }
    }
}

/// Every record takes effect. Says nothing where no sink was read back.
pub(super) fn applied(terms: &Terms) -> Option<Promise> {
    terms.sinks.then(|| promise(terms, |effects| effects != Effects::AtMostOnce))
}

/// No record takes effect twice. Says nothing where no sink was read back.
pub(super) fn applied_once(terms: &Terms) -> Option<Promise> {
    terms.sinks.then(|| promise(terms, |effects| effects != Effects::AtLeastOnce))
}

/// Faults excuse nothing: who promises an effect promises it through them.
fn promise(terms: &Terms, includes: impl Fn(Effects) -> bool) -> Promise {
    match terms.effects {
        None => Promise::none(Cause::EffectsUnsaid),
        Some(effects) if includes(effects) => Promise::must_hold(effects.cause()),
        Some(effects) => Promise::may_break(effects.cause()),
    }
}

impl Guarantee {
    /// Whether it is judged on the rows of sinks, so that nobody can say while one is not whole.
    pub(crate) fn needs_sinks(&self) -> bool {
        [&EFFECT_LOSS, &EFFECT_DUPLICATES].iter().any(|of| of.name == self.name)
    }
}
