//! What a checker is: a name, the kinds of findings it makes, and a pure function from a history.

use crate::Finding;
use crate::context::Context;
use crate::guarantees::Guarantee;
use crate::judgement::Counts;

/// One checker of the catalog.
#[derive(Debug)]
pub struct Spec {
    /// Its name, kebab-case.
    pub name: &'static str,
    /// What it finds, in at most 79 columns.
    pub summary: &'static str,
    /// What exactly counts, what does not, and why.
    pub docs: &'static str,
    /// The kinds of findings it makes.
    pub kinds: &'static [Kind],
    /// The check itself.
    pub(crate) check: fn(&Context<'_>) -> Vec<Finding>,
}

/// One kind of finding.
#[derive(Debug)]
pub struct Kind {
    /// Its name, kebab-case.
    pub name: &'static str,
    /// What it means, one sentence.
    pub summary: &'static str,
    /// What is counted: `acknowledged records lost`.
    pub noun: &'static str,
    /// Out of how many, if that means something.
    pub of: Basis,
    /// The guarantee it breaks; `None` for kinds that say the run itself meant too little.
    pub guarantee: Option<&'static Guarantee>,
}

impl Kind {
    /// `812 of 9920 acknowledged records lost`, or `second copies: 3`.
    pub(crate) fn phrase(&self, count: u64, counts: &Counts) -> String {
        match self.of.total(counts) {
            Some(total) => format!("{count} of {total} {}", self.noun),
            None => format!("{}: {count}", self.noun),
        }
    }

    /// A finding of this kind.
    pub(crate) fn finding(
        &self,
        checker: &'static Spec,
        count: u64,
        summary: String,
        examples: Vec<crate::Witness>,
    ) -> Finding {
        Finding {
            checker: checker.name.to_owned(),
            kind: self.name.to_owned(),
            count,
            summary,
            examples,
            picture: None,
            allowed: None,
        }
    }
}

/// What a count of findings is a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// Acknowledged records.
    Acked,
    /// Records sent with acks=0.
    Unconfirmed,
    /// Records never reported on.
    Untold,
    /// Records of ours in the drained log.
    InLog,
    /// Records delivered to readers.
    Delivered,
    /// Nothing countable.
    Nothing,
}

impl Basis {
    fn total(self, counts: &Counts) -> Option<u64> {
        match self {
            Self::Acked => Some(counts.acked),
            Self::Unconfirmed => Some(counts.unconfirmed),
            Self::Untold => Some(counts.untold),
            Self::InLog => Some(counts.in_log),
            Self::Delivered => Some(counts.delivered),
            Self::Nothing => None,
        }
    }
}
