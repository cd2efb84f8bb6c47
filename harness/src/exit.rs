//! Exit codes: what a script learns from `highwater`. The list is a contract; `highwater list exit-codes`
//! prints it from here.

use checkers::Ending;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Every guarantee held, or broke exactly where it may or must.
    Held,
    /// A guarantee is broken.
    Broken,
    /// Usage or configuration.
    Usage,
    /// The target is unreachable, or preflight failed.
    Unreachable,
    /// The fault never bit, or too little was acknowledged to say anything.
    Vacuous,
    /// Nobody can say.
    Indeterminate,
    /// Something may still be broken on a host.
    CleanUpFailed,
    /// Only a latency or recovery objective failed.
    ObjectiveFailed,
    /// Our own bug.
    Bug,
    /// Stopped by SIGINT, after healing.
    Interrupted,
    /// Stopped by SIGTERM, after healing.
    Terminated,
}

/// Every way to end, the one that wins over all others first.
pub(crate) const BY_PRECEDENCE: [Exit; 11] = [
    Exit::CleanUpFailed,
    Exit::Bug,
    Exit::Broken,
    Exit::Interrupted,
    Exit::Terminated,
    Exit::Usage,
    Exit::Unreachable,
    Exit::Indeterminate,
    Exit::Vacuous,
    Exit::ObjectiveFailed,
    Exit::Held,
];

impl Exit {
    /// The code, and what it means.
    const fn row(self) -> (u8, &'static str) {
        match self {
            Self::Held => (0, "every guarantee held, or broke exactly where it may"),
            Self::Broken => (1, "a guarantee is broken"),
            Self::Usage => (2, "usage or configuration"),
            Self::Unreachable => (3, "the target is unreachable, or preflight failed"),
            Self::Vacuous => {
                (4, "vacuous: the fault never bit, or too little was acknowledged to say anything")
            }
            Self::Indeterminate => (5, "indeterminate: a checker gave up, or the history is not whole"),
            Self::CleanUpFailed => (6, "clean-up failed: something may still be broken on a host"),
            Self::ObjectiveFailed => (7, "only a latency or recovery objective failed"),
            Self::Bug => (70, "a bug of highwater"),
            Self::Interrupted => (130, "stopped by SIGINT, after healing"),
            Self::Terminated => (143, "stopped by SIGTERM, after healing"),
        }
    }

    /// What the process exits with.
    pub(crate) const fn code(self) -> u8 {
        self.row().0
    }

    /// One line for people.
    pub(crate) const fn meaning(self) -> &'static str {
        self.row().1
    }

    /// The one of two that wins when both apply.
    pub(crate) fn worst(self, other: Self) -> Self {
        BY_PRECEDENCE.into_iter().find(|exit| *exit == self || *exit == other).unwrap_or(self)
    }
}

impl From<Ending> for Exit {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Held => Self::Held,
            Ending::Broken => Self::Broken,
            Ending::Vacuous => Self::Vacuous,
            Ending::Indeterminate => Self::Indeterminate,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_contract_in_its_order() {
        let codes = BY_PRECEDENCE.map(Exit::code);
        assert_eq!(codes, [6, 70, 1, 130, 143, 2, 3, 5, 4, 7, 0]);
    }

    #[test]
    fn the_earlier_of_two_wins_whichever_comes_first() {
        for (place, better) in BY_PRECEDENCE.into_iter().enumerate() {
            for worse in BY_PRECEDENCE.into_iter().skip(place) {
                assert_eq!(better.worst(worse), better);
                assert_eq!(worse.worst(better), better);
            }
        }
    }
}
