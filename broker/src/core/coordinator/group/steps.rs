//! The steps of consumer groups: a heartbeat or a time-out changes the group at once, what changed is written
//! down, and whoever asked is answered when that is committed.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::ConsumerGroupHeartbeatResponse;

use super::super::super::types::RequestId;
use super::super::Entry;
use super::classic::State;
use super::request::text;
use super::turn::Turn;
use super::{
    Caller, Consumer, Group, GroupAnswer, GroupAsk, Groups, Heartbeat, Step, Token, consumer, records,
};

impl Groups {
    pub(super) fn replay_consumer(&mut self, entry: &Entry) {
        let Some((name, stored)) = consumer::read(entry) else { return };
        if stored == consumer::StoredConsumer::Group(None) {
            if let Some(group) = self.groups.get_mut(&name) {
                group.consumer = None;
            }
        } else if entry.value.is_some() {
            self.groups.entry(name).or_default().consumer.get_or_insert_default().restore(stored);
        } else if let Some(consumer) = self.groups.get_mut(&name).and_then(|group| group.consumer.as_mut()) {
            consumer.restore(stored);
        }
    }

    pub(super) fn consumer_heartbeat(
        &mut self,
        turn: &mut Turn<'_, '_, '_>,
        name: &str,
        id: RequestId,
        caller: &Caller,
        ask: GroupAsk,
    ) {
        let GroupAsk::ConsumerHeartbeat(request) = &ask else { return };
        let heartbeat = Heartbeat { request, caller };
        let outcome = heartbeat.check().and_then(|()| {
            let vacant = Group::default();
            let group = self.groups.get(name).unwrap_or(&vacant);
            let before = group.consumer.clone();
            // A classic group that is empty becomes one of these; one that is not has to be left first.
            let joins = heartbeat.joins() && group.classic.state() == State::Empty;
            if before.is_none() && !joins {
                return Err((ResponseError::GroupIdNotFound, "There is no such consumer group."));
            }
            let mut consumer = before.clone().unwrap_or_default();
            let answer = consumer.heartbeat(turn.scope, &heartbeat)?;
            Ok((before, consumer, answer))
        });
        let (before, consumer, answer) = match outcome {
            Ok(outcome) => outcome,
            Err((error, why)) => {
                let refused = ConsumerGroupHeartbeatResponse::default()
                    .with_error_code(error.code())
                    .with_error_message(Some(text(why)));
                turn.answer(id, GroupAnswer::ConsumerHeartbeat(refused));
                return;
            }
        };
        let mut entries = consumer.changes(name, before.as_ref());
        let group = self.groups.entry(name.to_owned()).or_default();
        if before.is_none() && !group.classic.is_vacant() {
            group.classic = Default::default();
            entries.insert(0, records::group(name, None));
        }
        group.consumer = Some(consumer);
        let answer = Some((id, ask, GroupAnswer::ConsumerHeartbeat(answer)));
        // With nothing to write this still waits for what has been: the answer rests on it.
        turn.write(entries, Token::Step(Box::new(Step { group: name.to_owned(), before, answer })));
    }

    /// A step is written down, or was not.
    pub(super) fn stepped(&mut self, turn: &mut Turn<'_, '_, '_>, step: Step, error: Option<ResponseError>) {
        let Step { group, before, answer } = step;
        if error.is_some()
            && let Some(found) = self.groups.get_mut(&group)
        {
            found.consumer = before;
        }
        if let Some((id, ask, answer)) = answer {
            turn.answer(id, error.map_or(answer, |error| ask.refused(&group, error)));
        }
    }
}

impl Group {
    /// Lets the time-outs of a consumer group take effect.
    pub(super) fn tick_consumer(&mut self, turn: &mut Turn<'_, '_, '_>, name: &str) {
        let now_ms = turn.scope.now_ms;
        let due = |consumer: &&Consumer| consumer.is_due(now_ms);
        let Some(before) = self.consumer.as_ref().filter(due).cloned() else { return };
        let Some(consumer) = &mut self.consumer else { return };
        consumer.expire(now_ms);
        let entries = consumer.changes(name, Some(&before));
        let step = Step { group: name.to_owned(), before: Some(before), answer: None };
        turn.write(entries, Token::Step(Box::new(step)));
    }
}
