//! ConsumerGroupDescribe (KIP-848).

use std::collections::BTreeMap;

use kafka_protocol::messages::consumer_group_describe_response::{
    Assignment, DescribedGroup, Member as Described, TopicPartitions,
};
use kafka_protocol::messages::{GroupId, TopicName};

use super::super::super::super::image::ClusterImage;
use super::super::super::super::types::Uuid;
use super::super::request::text;
use super::{Consumer, Member, Share};

impl Consumer {
    /// What ConsumerGroupDescribe tells.
    pub(in super::super) fn describe(
        &self,
        group: &str,
        image: &ClusterImage,
        version: i16,
    ) -> DescribedGroup {
        let nothing = Share::new();
        let member = |member: &Member| {
            let names = member.topics.iter().map(|name| TopicName(text(name.as_str())));
            let target = self.target.get(&member.id).unwrap_or(&nothing);
            let described = Described::default()
                .with_member_id(text(member.id.as_str()))
                .with_instance_id(member.instance.as_deref().map(text))
                .with_rack_id(member.rack.as_deref().map(text))
                .with_member_epoch(member.epoch)
                .with_client_id(text(member.client_id.as_str()))
                .with_client_host(text(member.client_host.as_str()))
                .with_subscribed_topic_names(names.collect())
                .with_subscribed_topic_regex(member.regex.as_deref().map(text))
                .with_assignment(assignment(&member.assigned, image))
                .with_target_assignment(assignment(target, image));
            // Version 1 tells consumer members (1) from classic ones, of which there are none here.
            if version >= 1 { described.with_member_type(1) } else { described }
        };
        DescribedGroup::default()
            .with_group_id(GroupId(text(group)))
            .with_group_state(text(self.state()))
            .with_group_epoch(self.epoch)
            .with_assignment_epoch(self.assignment_epoch)
            .with_assignor_name(text(self.assignor().name()))
            .with_members(self.members.values().map(member).collect())
    }
}

fn assignment(share: &Share, image: &ClusterImage) -> Assignment {
    let mut topics: BTreeMap<Uuid, Vec<i32>> = BTreeMap::new();
    share.iter().for_each(|(topic, partition)| topics.entry(*topic).or_default().push(*partition));
    let topic = |(id, partitions): (Uuid, Vec<i32>)| {
        let name = image.topic(id).map_or("", |(name, _)| name);
        TopicPartitions::default()
            .with_topic_id(uuid::Uuid::from_bytes(id.0))
            .with_topic_name(TopicName(text(name)))
            .with_partitions(partitions)
    };
    Assignment::default().with_topic_partitions(topics.into_iter().map(topic).collect())
}
