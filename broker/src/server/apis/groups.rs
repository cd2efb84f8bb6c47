//! The APIs of groups: each question goes to the coordinator that this broker may be, one a group, and what it
//! answers is put together again.

use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;

use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::{
    ApiKey, ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, ConsumerGroupHeartbeatRequest,
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse, GroupId,
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
    LeaveGroupResponse, ListGroupsRequest, ListGroupsResponse, SyncGroupRequest,
};
use kafka_protocol::protocol::{Encodable, HeaderVersion};
use wire::frame::{FrameError, Head};

use super::{group_offsets, text};
use crate::core::{Caller, GroupAnswer, GroupAsk, GroupRequest, Refusal};
use crate::server::clock;
use crate::server::connection::{Answer, Closed};
use crate::server::engine::Host;

/// A client, and the request it has made.
pub(super) struct Asker<'a> {
    pub(super) host: &'a Rc<Host>,
    pub(super) peer: IpAddr,
    pub(super) head: Head,
}

impl Asker<'_> {
    /// Asks the coordinator of a group, now; what it says comes later.
    pub(super) fn ask(
        &self,
        group: &str,
        ask: GroupAsk,
    ) -> impl Future<Output = Result<GroupAnswer, Closed>> + use<> {
        let caller = Caller {
            client_id: self.head.client.clone(),
            // As Java prints an address.
            client_host: format!("/{}", self.peer),
            version: self.head.version,
            fresh: clock::next_id(self.host.spec.node_id),
        };
        let answer = self.host.ask_group(GroupRequest { group: group.to_owned(), caller, ask });
        async move { answer.await.ok_or(Closed::Ending) }
    }

    /// Answers with what `finish` makes of the coordinator's answer; it gets one of the kind it asked for.
    pub(super) fn one<R: Encodable + HeaderVersion + 'static>(
        self,
        group: &str,
        ask: GroupAsk,
        finish: impl FnOnce(i16, GroupAnswer) -> Option<R> + 'static,
    ) -> Answer {
        let answer = self.ask(group, ask);
        let head = self.head;
        Box::pin(async move {
            let response = finish(head.version, answer.await?).ok_or(Closed::Ending)?;
            Ok(Some(head.answer(&response)?))
        })
    }
}

/// Takes a request of these APIs.
///
/// # Errors
/// If the request cannot be read.
pub(super) fn handle(host: &Rc<Host>, peer: IpAddr, head: Head) -> Result<Answer, Closed> {
    let asker = Asker { host, peer, head };
    match asker.head.key {
        ApiKey::JoinGroup => join(asker),
        ApiKey::SyncGroup => {
            let request: SyncGroupRequest = asker.head.body()?;
            let group = request.group_id.clone();
            Ok(asker.one(&group, GroupAsk::Sync(request), |_, answer| match answer {
                GroupAnswer::Sync(response) => Some(response),
                _ => None,
            }))
        }
        ApiKey::Heartbeat => {
            let request: HeartbeatRequest = asker.head.body()?;
            let group = request.group_id.clone();
            Ok(asker.one(&group, GroupAsk::Heartbeat(request), |_, answer| match answer {
                GroupAnswer::Heartbeat(code) => Some(HeartbeatResponse::default().with_error_code(code)),
                _ => None,
            }))
        }
        ApiKey::LeaveGroup => leave(asker),
        ApiKey::DescribeGroups => describe(&asker),
        ApiKey::ConsumerGroupHeartbeat => {
            let request: ConsumerGroupHeartbeatRequest = asker.head.body()?;
            let group = request.group_id.clone();
            Ok(asker.one(&group, GroupAsk::ConsumerHeartbeat(request), |_, answer| match answer {
                GroupAnswer::ConsumerHeartbeat(response) => Some(response),
                _ => None,
            }))
        }
        ApiKey::ConsumerGroupDescribe => describe_consumers(&asker),
        ApiKey::ListGroups => list(&asker),
        ApiKey::DeleteGroups => delete(&asker),
        ApiKey::OffsetCommit => group_offsets::commit(asker),
        ApiKey::OffsetFetch => group_offsets::fetch(&asker),
        ApiKey::OffsetDelete => group_offsets::delete(asker),
        key => Err(Closed::Frame(FrameError::Unserved { key: key as i16, version: asker.head.version })),
    }
}

fn join(asker: Asker<'_>) -> Result<Answer, Closed> {
    let request: JoinGroupRequest = asker.head.body()?;
    let group = request.group_id.clone();
    Ok(asker.one(&group, GroupAsk::Join(request), |version, answer| match answer {
        // Versions before 7 have no null for a name.
        GroupAnswer::Join(response) if version < 7 => {
            let name = response.protocol_name.clone().unwrap_or_default();
            Some(response.with_protocol_name(Some(name)))
        }
        GroupAnswer::Join(response) => Some::<JoinGroupResponse>(response),
        _ => None,
    }))
}

fn leave(asker: Asker<'_>) -> Result<Answer, Closed> {
    let mut request: LeaveGroupRequest = asker.head.body()?;
    if asker.head.version < 3 {
        request.members = vec![MemberIdentity::default().with_member_id(request.member_id.clone())];
    }
    let group = request.group_id.clone();
    Ok(asker.one(&group, GroupAsk::Leave(request), |version, answer| match answer {
        // Before version 3 there is one member, and its error is that of the whole.
        GroupAnswer::Leave(response) if version < 3 => {
            let of_member = response.members.first().map_or(0, |member| member.error_code);
            let code = if response.error_code == 0 { of_member } else { response.error_code };
            Some(LeaveGroupResponse::default().with_error_code(code))
        }
        GroupAnswer::Leave(response) => Some(response),
        _ => None,
    }))
}

fn describe(asker: &Asker<'_>) -> Result<Answer, Closed> {
    let request: DescribeGroupsRequest = asker.head.body()?;
    let asked: Vec<_> =
        request.groups.iter().map(|group| asker.ask(group.as_str(), GroupAsk::Describe)).collect();
    let head = asker.head.clone();
    Ok(Box::pin(async move {
        let mut groups = Vec::with_capacity(asked.len());
        for answer in asked {
            if let GroupAnswer::Describe(group) = answer.await? {
                groups.push(*group);
            }
        }
        Ok(Some(head.answer(&DescribeGroupsResponse::default().with_groups(groups))?))
    }))
}

fn describe_consumers(asker: &Asker<'_>) -> Result<Answer, Closed> {
    let request: ConsumerGroupDescribeRequest = asker.head.body()?;
    let ask = |group: &GroupId| asker.ask(group.as_str(), GroupAsk::ConsumerDescribe);
    let asked: Vec<_> = request.group_ids.iter().map(ask).collect();
    let head = asker.head.clone();
    Ok(Box::pin(async move {
        let mut groups = Vec::with_capacity(asked.len());
        for answer in asked {
            if let GroupAnswer::ConsumerDescribe(group) = answer.await? {
                groups.push(*group);
            }
        }
        Ok(Some(head.answer(&ConsumerGroupDescribeResponse::default().with_groups(groups))?))
    }))
}

fn delete(asker: &Asker<'_>) -> Result<Answer, Closed> {
    let request: DeleteGroupsRequest = asker.head.body()?;
    let mut asked = HashMap::new();
    for group in request.groups_names {
        let answer = asker.ask(group.as_str(), GroupAsk::Delete);
        asked.entry(group).or_insert(answer);
    }
    let head = asker.head.clone();
    Ok(Box::pin(async move {
        let mut results = Vec::with_capacity(asked.len());
        for (group, answer) in asked {
            if let GroupAnswer::Delete(code) = answer.await? {
                results.push(DeletableGroupResult::default().with_group_id(group).with_error_code(code));
            }
        }
        Ok(Some(head.answer(&DeleteGroupsResponse::default().with_results(results))?))
    }))
}

/// ListGroups: what this broker coordinates. While some of it is still being loaded the list would be short of
/// groups, so the client is told to come back.
fn list(asker: &Asker<'_>) -> Result<Answer, Closed> {
    let request: ListGroupsRequest = asker.head.body()?;
    let (groups, loading) = asker.host.with(|engine| engine.core.groups());
    let response = ListGroupsResponse::default();
    let response = if loading {
        response.with_error_code(Refusal::CoordinatorLoadInProgress.code())
    } else {
        let passes = |filter: &[kafka_protocol::protocol::StrBytes], value: &str| {
            filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(value))
        };
        let mut groups = groups;
        groups.retain(|group| {
            passes(&request.states_filter, &group.group_state)
                && passes(&request.types_filter, &group.group_type)
        });
        if asker.head.version < 4 {
            groups.iter_mut().for_each(|group| group.group_state = text(""));
        }
        if asker.head.version < 5 {
            groups.iter_mut().for_each(|group| group.group_type = text(""));
        }
        response.with_groups(groups)
    };
    super::ready(&asker.head, &response)
}
