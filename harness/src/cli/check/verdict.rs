//! The verdict on calls as a stored run keeps it, so that they are listed like any other.

use checkers::{Counts, Expectation, Figures, Finding, Judged, Judgement, VERDICT_VERSION, Witness, Word};

use super::operations::Done;
use crate::exit::Exit;

impl Done {
    /// The judgement of run `run`.
    pub(in crate::cli) fn judgement(&self, run: &str) -> Judgement {
        let (word, headline) = match self.exit {
            Exit::Held => (Word::Held, "linearizable"),
            Exit::Broken => (Word::Broken, "not linearizable"),
            _ => (Word::Indeterminate, "nobody can say whether it is linearizable"),
        };
        let findings = self.findings().into_iter().map(|found| Finding {
            checker: found.checker.to_owned(),
            kind: found.kind.to_owned(),
            count: found.count,
            summary: found.summary,
            examples: found.examples.into_iter().map(|example| witness(example.text)).collect(),
            picture: None,
            allowed: None,
        });
        let seen = self.summary();
        Judgement {
            schema_version: VERDICT_VERSION,
            run: run.to_owned(),
            word,
            headline: format!("{headline}: {seen}"),
            guarantees: vec![Judged {
                guarantee: "linearizability".to_owned(),
                promise: "each object behaves as if its operations happened one at a time".to_owned(),
                expectation: Expectation::MustHold,
                reason: "that is what was asked".to_owned(),
                source: "Herlihy and Wing 1990".to_owned(),
                word,
                seen,
                advice: None,
            }],
            findings: findings.collect(),
            faults: Vec::new(),
            counts: Counts::default(),
            figures: Figures::default(),
            caveats: self.caveats.clone(),
            assumed: Vec::new(),
        }
    }
}

const fn witness(text: String) -> Witness {
    Witness {
        text,
        tag: None,
        partition: None,
        offset: None,
        at_ms: None,
        fault: None,
        operations: Vec::new(),
    }
}
