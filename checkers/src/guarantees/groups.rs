//! What is promised to the members of a consumer group, and to whoever relies on them (guarantees §4).

use history::{FaultClass, Role};

use super::{Cause, Envelope, Promise, Terms, loss};

/// When members commit what they were handed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Commits {
    /// Before it is processed.
    First,
    /// On the client's timer, processed or not.
    Automatic,
    /// When it is processed.
    After,
}

impl Commits {
    /// What a member says of itself; `None` if that means nothing.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Some(match word {
            "before-processing" => Self::First,
            "automatic" => Self::Automatic,
            "after-processing" | "automatic-after-processing" => Self::After,
            _ => return None,
        })
    }
}

/// The terms of a consumer group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupTerms {
    /// When its members commit.
    pub commits: Commits,
    /// A member that finds no committed offset begins elsewhere than at the start of the log
    /// (`auto.offset.reset`).
    pub skips_the_start: bool,
}

impl Envelope {
    /// Whether a planned fault ends members of the group.
    #[must_use]
    pub fn ends_members(&self) -> bool {
        let ends =
            |class: &FaultClass| class.ends_applications() && class.applications() == Some(Role::Member);
        self.classes.iter().any(ends)
    }

    /// Why a group may be told committed offsets of the past, if it may.
    #[must_use]
    pub fn forgets_offsets(&self) -> Option<Cause> {
        let old = |class: &FaultClass| {
            matches!(
                class,
                FaultClass::Pause
                    | FaultClass::IsolateLeader
                    | FaultClass::IsolateMinority
                    | FaultClass::IsolateOneWay
                    | FaultClass::IsolateController
                    | FaultClass::PartialPartition
                    | FaultClass::IsolateCoordinator
                    // Taken for dead, and alive.
                    | FaultClass::SlowDisk
                    | FaultClass::ClockBump
                    | FaultClass::ClockSkew
                    | FaultClass::ClockStrobe
            )
        };
        if self.unknown || self.classes.iter().any(old) {
            Some(Cause::OldCoordinator)
        } else if self.loses_power() || self.classes.contains(&FaultClass::StaleDisk) {
            Some(Cause::OffsetsInMemory)
        } else if self.classes.contains(&FaultClass::PauseMember) && self.ends_members() {
            Some(Cause::EmptyGroup)
        } else {
            None
        }
    }
}

/// Whoever goes past a record was given it: a reader, or for a group whichever member has processed it. What the
/// brokers owe is the same; what the members owe depends on when they commit, and whether they live.
pub(super) fn given(terms: &Terms) -> Option<Promise> {
    let (kept, Some(group)) = (loss::given(terms)?, terms.group) else { return loss::given(terms) };
    Some(match group.commits {
        _ if !kept.is_must_hold() => kept,
        _ if group.skips_the_start => Promise::may_break(Cause::ResetToEnd),
        Commits::After => Promise::must_hold(Cause::CommitAfter),
        _ if !terms.envelope.ends_members() => Promise::must_hold(Cause::MembersLive),
        Commits::First => Promise::may_break(Cause::CommitFirst),
        Commits::Automatic => Promise::may_break(Cause::CommitAutomatic),
    })
}

/// No record is processed again: nobody promises that of a group that commits afterwards. One that commits first
/// does, as long as its offsets are kept.
pub(super) fn redelivery(terms: &Terms) -> Option<Promise> {
    Some(match (terms.group?.commits, terms.envelope.forgets_offsets()) {
        (Commits::After | Commits::Automatic, _) => Promise::none(Cause::AtLeastOnce),
        (Commits::First, Some(cause)) => Promise::may_break(cause),
        (Commits::First, None) => match loss::visible(terms) {
            Some(kept) if !kept.is_must_hold() => kept,
            _ => Promise::must_hold(Cause::AtMostOnce),
        },
    })
}

/// One owner a partition and generation, and no ear for older generations. Faults excuse nothing.
pub(super) fn ownership(terms: &Terms) -> Option<Promise> {
    terms.group.map(|_| Promise::must_hold(Cause::OneOwner))
}
