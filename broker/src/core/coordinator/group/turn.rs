//! One event at a coordinator of groups: what may be looked at, and what is to be done about it.

use kafka_protocol::error::ResponseError;

use super::super::super::io::Output;
use super::super::super::refusal::Refusal;
use super::super::super::types::RequestId;
use super::super::{Effects, Entry, Scope};
use super::Token;
use super::request::GroupAnswer;

/// The scope and the effects of one event.
pub(super) struct Turn<'s, 'e, 'o> {
    pub(super) scope: Scope<'s>,
    pub(super) effects: &'e mut Effects<'o, Token>,
}

impl Turn<'_, '_, '_> {
    pub(super) fn answer(&mut self, id: RequestId, answer: GroupAnswer) {
        self.effects.out.push(Output::GroupReply { id, answer });
    }

    /// Asks for a write, whose token comes back when it is settled.
    pub(super) fn write(&mut self, entries: Vec<Entry>, token: Token) {
        let timeout_ms = self.scope.settings.number("offsets.commit.timeout.ms");
        self.effects.write(entries, token, timeout_ms);
    }

    /// A broker setting that is a number.
    pub(super) fn setting(&self, name: &str) -> u64 {
        self.scope.settings.number(name)
    }
}

/// What a client is told of a write that failed (Apache Kafka, `CoordinatorOperationExceptionHelper` and
/// `GroupCoordinatorService.handleOperationException`).
pub(super) fn write_error(refusal: Refusal) -> ResponseError {
    match refusal {
        Refusal::NotEnoughReplicas
        | Refusal::NotEnoughReplicasAfterAppend
        | Refusal::RequestTimedOut
        | Refusal::UnknownTopicOrPartition
        | Refusal::UnknownTopicId => ResponseError::CoordinatorNotAvailable,
        Refusal::NotLeaderOrFollower => ResponseError::NotCoordinator,
        _ => ResponseError::UnknownServerError,
    }
}
