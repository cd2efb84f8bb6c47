//! The group coordinator: the groups of one partition of `__consumer_offsets`, and their offsets.

mod offsets;
mod records;
mod request;

use kafka_protocol::error::ResponseError;

use super::super::io::Output;
use super::super::refusal::Refusal;
use super::super::types::RequestId;
use super::{Effects, InternalTopic, Machine, Replayed, Scope};
pub use request::{Caller, GroupAnswer, GroupAsk, GroupRequest};

/// The groups of one partition.
#[derive(Default)]
pub(in crate::core) struct Groups {}

/// A write of the group coordinator that is under way.
pub(in crate::core) enum Token {}

impl Machine for Groups {
    type Request = GroupRequest;
    type Token = Token;

    const TOPIC: InternalTopic = InternalTopic::ConsumerOffsets;

    fn refuse(id: RequestId, request: GroupRequest, refusal: Refusal, out: &mut Vec<Output>) {
        let error = ResponseError::try_from_code(refusal.code()).unwrap_or(ResponseError::NotCoordinator);
        out.push(Output::GroupReply { id, answer: request.ask.refused(&request.group, error) });
    }

    fn replay(&mut self, _scope: Scope<'_>, _replayed: Replayed) {}

    fn loaded(&mut self, _scope: Scope<'_>, _effects: &mut Effects<'_, Token>) {}

    fn handle(
        &mut self,
        _: Scope<'_>,
        id: RequestId,
        request: GroupRequest,
        effects: &mut Effects<'_, Token>,
    ) {
        Self::refuse(id, request, Refusal::NotCoordinator, effects.out);
    }

    fn tick(&mut self, _scope: Scope<'_>, _effects: &mut Effects<'_, Token>) {}

    fn settled(&mut self, _: Scope<'_>, token: Token, _: Result<i64, Refusal>, _: &mut Effects<'_, Token>) {
        match token {}
    }

    fn overdue(&mut self, token: &Token, _out: &mut Vec<Output>) {
        match *token {}
    }

    fn unload(&mut self, _out: &mut Vec<Output>) {}
}
