//! The table from an error of a send to what is certain about its record.
//!
//! A send failed for certain only where no broker can ever have appended it (`guarantees.md` §1 of the
//! design): librdkafka calls some errors "not persisted" though the old leader may have appended and
//! replicated the record first (KAFKA-13574), so its own word is not taken for it.

use history::{ErrorCode, Outcome};
use rdkafka::types::RDKafkaErrorCode as Code;

/// When an error is proof that the record was not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Definite {
    /// Always.
    Always,
    /// With retries=0 only: otherwise an earlier attempt may have written it.
    WithoutRetries,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The error.
    pub code: Code,
    /// When it is definite.
    pub definite: Definite,
    /// Why.
    pub reason: &'static str,
}

const fn row(code: Code, definite: Definite, reason: &'static str) -> Row {
    Row { code, definite, reason }
}

/// The definite errors. Every other error leaves the outcome unknown.
pub static ROWS: &[Row] = &[
    row(Code::PurgeQueue, Definite::Always, "purged from the client's queue before any attempt"),
    row(
        Code::MessageSizeTooLarge,
        Definite::WithoutRetries,
        "the broker refuses the batch before it appends",
    ),
    row(
        Code::TopicAuthorizationFailed,
        Definite::WithoutRetries,
        "the broker refuses the request before it appends",
    ),
    row(
        Code::ClusterAuthorizationFailed,
        Definite::WithoutRetries,
        "the broker refuses the request before it appends",
    ),
    row(
        Code::TransactionalIdAuthorizationFailed,
        Definite::WithoutRetries,
        "the broker refuses the request before it appends",
    ),
    row(Code::InvalidRecord, Definite::WithoutRetries, "the broker refuses the batch before it appends"),
    row(
        Code::NotEnoughReplicas,
        Definite::WithoutRetries,
        "checked before the append, unlike its AFTER_APPEND twin",
    ),
    row(
        Code::InvalidProducerEpoch,
        Definite::WithoutRetries,
        "fenced: the batch is refused before the append",
    ),
    row(Code::ProducerFenced, Definite::WithoutRetries, "fenced: the batch is refused before the append"),
    row(Code::Fenced, Definite::WithoutRetries, "fenced: the client sends nothing more"),
];

/// What is certain about a record whose send was reported with `error`.
#[must_use]
pub fn outcome(error: ErrorCode, retries: bool) -> Outcome {
    let row = ROWS.iter().find(|row| row.code as i32 == error.0);
    match row.map(|row| row.definite) {
        Some(Definite::Always) => Outcome::Fail,
        Some(Definite::WithoutRetries) if !retries => Outcome::Fail,
        _ => Outcome::Unknown,
    }
}

/// The documentation page of this table.
#[must_use]
pub fn page() -> String {
    let mut page = String::from(
        "# What an error says about a record\n\n\
         Generated from `targets/src/kafka/outcomes.rs`; `UPDATE_DOCS=1 cargo test -p targets` writes it anew.\n\n\
         A send has the outcome `fail` only if the client refused it at the call, or one of these errors was\n\
         reported. After every other error, and without a report, the outcome is `unknown`: the record may be in\n\
         the log, or still come.\n\n\
         | error | `fail` | why |\n|---|---|---|\n",
    );
    for row in ROWS {
        let when = match row.definite {
            Definite::Always => "always",
            Definite::WithoutRetries => "with `retries=0`",
        };
        page.push_str(&format!("| `{:?}` ({}) | {when} | {} |\n", row.code, row.code as i32, row.reason));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_definite_errors_fail() {
        let code = |code: Code| ErrorCode(code as i32);
        assert_eq!(outcome(code(Code::MessageTimedOut), false), Outcome::Unknown);
        assert_eq!(outcome(code(Code::NotLeaderForPartition), false), Outcome::Unknown);
        assert_eq!(outcome(code(Code::NotEnoughReplicasAfterAppend), false), Outcome::Unknown);
        assert_eq!(outcome(code(Code::NotEnoughReplicas), false), Outcome::Fail);
        assert_eq!(outcome(code(Code::NotEnoughReplicas), true), Outcome::Unknown);
        assert_eq!(outcome(code(Code::PurgeQueue), true), Outcome::Fail);
        assert_eq!(outcome(code(Code::PurgeInflight), true), Outcome::Unknown);
    }

    #[test]
    fn the_page_shows_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/outcomes.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, page()).expect("docs are writable");
        }
        let stored = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(stored, page(), "run UPDATE_DOCS=1 cargo test -p targets");
    }
}
