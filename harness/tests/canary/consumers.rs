//! A program of a consumer group (KIP-848), as operations on locks: who has been given a partition and has not let go
//! of it holds its lock.

use std::collections::BTreeSet;

use broker::core::{GroupAnswer, GroupAsk};
use broker::flaws::Flaw;
use broker::simulation::TOPIC;
use history::exchange::operations::Model;
use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use kafka_protocol::messages::{ConsumerGroupHeartbeatRequest, GroupId, TopicName};
use kafka_protocol::protocol::StrBytes;
use rand::RngExt;

use crate::Seen;
use crate::calls::Calls;
use crate::cluster::Cluster;

const GROUP: &str = "consumers";

/// Members come and go, and heartbeat in an order that the seed decides.
pub(crate) fn ownership(flaw: Option<Flaw>, seed: u64) -> Seen {
    let mut cluster = Cluster::new(flaw, seed);
    let mut calls = Calls::default();
    let mut members: Vec<Member> = vec![Member::new(0)];
    for process in 1..12 {
        for _ in 0..cluster.draw.random_range(3..8) {
            let at = cluster.draw.random_range(0..members.len());
            members[at].beat(&mut cluster, &mut calls);
        }
        if members.len() == 2 {
            let at = cluster.draw.random_range(0..2);
            members.remove(at).leave(&mut cluster, &mut calls);
        } else {
            members.push(Member::new(process));
        }
    }
    calls.judged(Model::Mutex, "null")
}

/// A member as a client library runs it.
struct Member {
    process: usize,
    epoch: i32,
    holds: BTreeSet<i32>,
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

impl Member {
    fn new(process: usize) -> Self {
        Self { process, epoch: 0, holds: BTreeSet::new() }
    }

    /// Says what it holds, and heeds the answer: first it lets go, then it takes.
    fn beat(&mut self, cluster: &mut Cluster, calls: &mut Calls) {
        let Some(GroupAnswer::ConsumerHeartbeat(answer)) = self.ask(cluster) else { return };
        assert_eq!(answer.error_code, 0, "{answer:?}");
        self.epoch = answer.member_epoch;
        let Some(assignment) = answer.assignment else { return };
        let told = assignment.topic_partitions.into_iter().flat_map(|topic| topic.partitions).collect();
        for partition in &self.holds - &told {
            calls.call(cluster, self.process, "release", &partition.to_string(), ("null", "null"));
        }
        for partition in &told - &self.holds {
            calls.call(cluster, self.process, "acquire", &partition.to_string(), ("null", "null"));
        }
        self.holds = told;
    }

    fn leave(mut self, cluster: &mut Cluster, calls: &mut Calls) {
        for partition in std::mem::take(&mut self.holds) {
            calls.call(cluster, self.process, "release", &partition.to_string(), ("null", "null"));
        }
        if self.epoch > 0 {
            self.epoch = -1;
            let answer = self.ask(cluster);
            assert!(matches!(answer, Some(GroupAnswer::ConsumerHeartbeat(_))), "{answer:?}");
        }
    }

    fn ask(&self, cluster: &mut Cluster) -> Option<GroupAnswer> {
        let owned = TopicPartitions::default()
            .with_topic_id(uuid::Uuid::from_bytes(TOPIC.0))
            .with_partitions(self.holds.iter().copied().collect());
        let owned = if self.holds.is_empty() { Vec::new() } else { vec![owned] };
        let request = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(GroupId(text(GROUP)))
            .with_member_id(text(&format!("member-{}", self.process)))
            .with_member_epoch(self.epoch)
            .with_rebalance_timeout_ms(60_000)
            .with_subscribed_topic_names(Some(vec![TopicName(text("t"))]))
            .with_topic_partitions(Some(owned));
        cluster.group(GROUP, 1, GroupAsk::ConsumerHeartbeat(request))
    }
}
