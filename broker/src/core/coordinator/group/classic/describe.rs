//! DescribeGroups, and who may delete what.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::GroupId;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};

use super::super::request::text;
use super::{CONSUMER, Classic, Member, State};

impl Classic {
    /// What DescribeGroups tells. Shares and metadata are only shown while they mean something.
    pub(in super::super) fn describe(&self, group: &str) -> DescribedGroup {
        let stable = self.state == State::Stable;
        let protocol = self.protocol.as_deref().filter(|_| stable);
        let member = |member: &Member| {
            let described = DescribedGroupMember::default()
                .with_member_id(text(member.id.as_str()))
                .with_group_instance_id(member.instance.as_deref().map(text))
                .with_client_id(text(member.client_id.as_str()))
                .with_client_host(text(member.client_host.as_str()));
            if stable {
                described
                    .with_member_metadata(member.metadata(protocol))
                    .with_member_assignment(member.assignment.clone())
            } else {
                described
            }
        };
        DescribedGroup::default()
            .with_group_id(GroupId(text(group)))
            .with_group_state(text(self.state.name()))
            .with_protocol_type(text(self.protocol_type.clone().unwrap_or_default()))
            .with_protocol_data(text(protocol.unwrap_or_default()))
            .with_members(self.members.values().map(member).collect())
    }

    /// Whether the group may be deleted.
    pub(in super::super) fn validate_delete(&self) -> Result<(), ResponseError> {
        if self.state == State::Empty { Ok(()) } else { Err(ResponseError::NonEmptyGroup) }
    }

    /// Whether single offsets may be deleted: of a group that is not empty only if it is known which topics it
    /// reads.
    pub(in super::super) fn validate_delete_offsets(&self) -> Result<(), ResponseError> {
        let consumers = self.protocol_type.as_deref() == Some(CONSUMER);
        if self.state == State::Empty || consumers { Ok(()) } else { Err(ResponseError::NonEmptyGroup) }
    }
}
