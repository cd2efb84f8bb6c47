//! Changes of a topic: more partitions, other settings, and what librdkafka does not ask for here, other replicas
//! and elections. Those are asked for on connections of our own, of one broker after the other until one does it:
//! librdkafka would insist on one of them, which a fault may have cut off.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use history::{NodeId, Partition};
use rdkafka::admin::{AlterConfig, ConfigSource, NewPartitions, ResourceSpecifier};
use wire::administration::{self, Granted};
use wire::frame::FrameError;

use super::admin::{Addresses, Admin, AdminError, PartitionView, options};
use crate::secure::{Security, read_answer};

/// How long a broker may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(1);

type Settings = BTreeMap<String, String>;

impl Admin {
    /// The brokers that are there, and the partitions of a topic; none if nobody knows it yet.
    ///
    /// # Errors
    /// If nobody answers within `timeout`.
    pub fn view(
        &self,
        topic: &str,
        timeout: Duration,
    ) -> Result<(Vec<NodeId>, Vec<PartitionView>), AdminError> {
        let metadata = self.metadata(topic, timeout)?;
        let brokers = metadata.brokers().iter().map(|broker| NodeId(broker.id())).collect();
        Ok((brokers, Self::partitions_of(&metadata, topic)))
    }

    /// Adds partitions to a topic until there are so many.
    ///
    /// # Errors
    /// If the cluster refuses or does not answer.
    pub fn add_partitions(&self, topic: &str, total: u32, timeout: Duration) -> Result<(), AdminError> {
        let new = NewPartitions::new(topic, total as usize);
        let results = self.runtime.block_on(self.client.create_partitions([&new], &options(timeout)));
        let action = "add partitions to topic";
        match self.single(action, topic, results)? {
            Ok(_) => Ok(()),
            Err((_, code)) => Err(AdminError::Refused { action, name: topic.to_owned(), code }),
        }
    }

    /// The settings that are a topic's own, by Kafka's names.
    ///
    /// # Errors
    /// If the cluster refuses or does not answer.
    pub fn own_settings(&self, topic: &str, timeout: Duration) -> Result<Settings, AdminError> {
        let entries = self.entries(&ResourceSpecifier::Topic(topic), "describe topic", topic, timeout)?;
        let own = entries.into_iter().filter(|entry| entry.source == ConfigSource::DynamicTopic);
        Ok(own.filter_map(|entry| Some((entry.name, entry.value?))).collect())
    }

    /// Changes one of a topic's own settings, or takes it away. What librdkafka asks for replaces all of them, so that
    /// where it has to the others are read first and said again.
    ///
    /// # Errors
    /// If the cluster refuses or does not answer.
    pub fn alter(
        &self,
        topic: &str,
        name: &str,
        value: Option<&str>,
        timeout: Duration,
    ) -> Result<(), AdminError> {
        let action = "change settings of topic";
        if self.security.is_some() {
            let question = administration::alteration(topic, name, value);
            return self.request(action, topic, question, administration::altered, timeout);
        }
        let mut own = self.own_settings(topic, timeout)?;
        match value {
            Some(value) => drop(own.insert(name.to_owned(), value.to_owned())),
            None => drop(own.remove(name)),
        }
        let mut all = AlterConfig::new(ResourceSpecifier::Topic(topic));
        for (name, value) in &own {
            all = all.set(name, value);
        }
        let results = self.runtime.block_on(self.client.alter_configs([&all], &options(timeout)));
        match self.single(action, topic, results)? {
            Ok(_) => Ok(()),
            Err((_, code)) => Err(AdminError::Refused { action, name: topic.to_owned(), code }),
        }
    }

    /// Asks for a partition to have these replicas, the preferred leader first.
    ///
    /// # Errors
    /// If the cluster refuses, or no broker answers.
    pub fn reassign(
        &self,
        topic: &str,
        partition: Partition,
        replicas: &[NodeId],
        timeout: Duration,
    ) -> Result<(), AdminError> {
        let replicas: Vec<i32> = replicas.iter().map(|node| node.0).collect();
        let question = administration::reassignment(topic, partition.0, &replicas, millis(timeout));
        self.request("reassign replicas of topic", topic, question, administration::reassigned, timeout)
    }

    /// Has leaders elected: the preferred ones, or, with `unclean`, whoever lives where nobody leads. One that leads
    /// already is no failure, nor is it if some of the partitions have nobody fit.
    ///
    /// # Errors
    /// If the cluster refuses it for all partitions, or no broker answers.
    pub fn elect(
        &self,
        topic: &str,
        unclean: bool,
        partitions: &[Partition],
        timeout: Duration,
    ) -> Result<(), AdminError> {
        let partitions: Vec<u32> = partitions.iter().map(|partition| partition.0).collect();
        let question = administration::election(topic, unclean, &partitions, millis(timeout));
        self.request("elect leaders of topic", topic, question, administration::elected, timeout)
    }

    /// Asks one broker after the other, since some clusters have one that must be asked.
    fn request(
        &self,
        action: &'static str,
        topic: &str,
        question: Result<Bytes, FrameError>,
        answer: fn(&mut BytesMut) -> Result<Option<Granted>, FrameError>,
        timeout: Duration,
    ) -> Result<(), AdminError> {
        let failed = |reason: String| AdminError::Denied { action, name: topic.to_owned(), reason };
        let question = question.map_err(|error| failed(error.to_string()))?;
        let security = self.security.as_ref().ok_or_else(|| failed("nobody can be asked".to_owned()))?;
        let Addresses { brokers, .. } = self.addresses(timeout)?;
        let mut last = "there is no broker".to_owned();
        for (_, address) in brokers {
            match ask(&address, security, &question, answer, timeout) {
                Ok(granted) if granted.elsewhere => last = format!("`{address}` is not the controller"),
                Ok(granted) => {
                    return match granted.refused.first() {
                        Some((_, reason)) if granted.granted.is_empty() => Err(failed(reason.clone())),
                        _ => Ok(()),
                    };
                }
                Err(error) => last = format!("`{address}` did not answer: {error}"),
            }
        }
        Err(failed(last))
    }
}

fn millis(timeout: Duration) -> i32 {
    i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX)
}

fn ask(
    address: &str,
    security: &Security,
    question: &[u8],
    answer: fn(&mut BytesMut) -> Result<Option<Granted>, FrameError>,
    timeout: Duration,
) -> io::Result<Granted> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host).trim_matches(['[', ']']);
    let to = address.to_socket_addrs()?.next().ok_or(io::ErrorKind::NotFound)?;
    let socket = TcpStream::connect_timeout(&to, CONNECT)?;
    socket.set_read_timeout(Some(timeout))?;
    socket.set_write_timeout(Some(timeout))?;
    let granted = security.secure(socket, host).and_then(|mut stream| {
        stream.write_all(question)?;
        stream.flush()?;
        read_answer(stream.as_mut(), answer)
    });
    granted.map_err(|error| match error.kind() {
        // So the system says that the time is over.
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => error,
    })
}
