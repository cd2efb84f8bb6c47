//! `group-commit-first`: a consumer group whose members commit what they were handed before they process it.

use super::{group, log};
use crate::spec::{Commit, Consumers, Spec};

pub(crate) static SPEC: Spec = Spec {
    name: "group-commit-first",
    summary: "as `group`, with members that commit before they process (at most once)",
    docs: "\
As `group`, except that a member commits a batch before it processes it, and processes nothing of a batch whose \
commit was not confirmed; it then goes back to where the batch began. No record is processed twice, and what a \
member had committed and not processed when it died is processed by nobody: at most once.",
    checks: group::SPEC.checks,
    consumers: Consumers::Members(Commit::BeforeProcessing),
    script: log::script,
};
