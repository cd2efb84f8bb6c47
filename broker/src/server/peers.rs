//! The following side on the wire: one connection to each leader, one Fetch at a time on it. Version 15, so
//! that topics go by id and the follower's broker epoch goes with it (KIP-903).

use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ReplicaState};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::{BrokerId, FetchRequest, FetchResponse};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use wire::{batch, frame};

use super::engine::{Host, Order};
use super::storage;
use crate::core::{
    self, EpochEnd, FetchedData, FetchedPartition, Input, PartitionKey, Reader, Refusal, Uuid,
};

const VERSION: i16 = 15;
const CONNECT: Duration = Duration::from_millis(500);
/// How much longer than the long poll an answer may take. A link that swallows bytes is noticed by this.
const GRACE: Duration = Duration::from_millis(1_000);
/// Room for a read: a full buffer would otherwise grow by a few bytes at a time.
const READ: usize = 1 << 16;
/// A leader's answer is bounded by `replica.fetch.response.max.bytes` and one batch more.
const LONGEST: usize = 1 << 30;

/// Starts the task that fetches from a leader, and returns where to put the fetches.
pub(super) fn follow(host: Rc<Host>, leader: i32) -> mpsc::UnboundedSender<Order> {
    let (sender, mut orders) = mpsc::unbounded_channel::<Order>();
    tokio::task::spawn_local(async move {
        let mut link: Option<Link> = None;
        let mut next = orders.recv().await;
        while let Some(order) = next.take() {
            let Order { correlation, request } = order;
            let patience = Duration::from_millis(request.max_wait_ms) + GRACE;
            let patience =
                patience.min(Duration::from_millis(host.settings.number("replica.socket.timeout.ms")));
            let address = host.address(leader);
            if link.as_ref().is_some_and(|link| Some(link.address) != address) {
                link = None;
            }
            let attempt = async {
                let mut link = match link.take() {
                    Some(link) => link,
                    None => Link::open(address?).await?,
                };
                let partitions = link.fetch(&request).await?;
                Some((link, partitions))
            };
            tokio::select! {
                biased;
                // A newer fetch replaces this one; its answer would come on a connection of its own.
                newer = orders.recv() => next = newer,
                outcome = timeout(patience, attempt) => {
                    let partitions = outcome.ok().flatten().map(|(kept, partitions)| {
                        link = Some(kept);
                        partitions
                    });
                    host.step(Input::FetchResponse { from: leader, correlation, partitions });
                    next = orders.recv().await;
                }
            }
        }
    });
    sender
}

/// A connection to a leader.
struct Link {
    address: SocketAddr,
    stream: TcpStream,
    buffer: BytesMut,
    correlation: i32,
}

impl Link {
    async fn open(address: SocketAddr) -> Option<Self> {
        let stream = timeout(CONNECT, TcpStream::connect(address)).await.ok()?.ok()?;
        let _ = SockRef::from(&stream).set_tcp_nodelay(true);
        Some(Self { address, stream, buffer: BytesMut::new(), correlation: 0 })
    }

    async fn fetch(&mut self, request: &core::FetchRequest) -> Option<Vec<FetchedPartition>> {
        self.correlation = self.correlation.wrapping_add(1);
        let bytes = frame::request(&encode(request), VERSION, self.correlation, "replica").ok()?;
        self.stream.write_all(&bytes).await.ok()?;
        let answer = self.read().await?;
        let (correlation, response) = frame::fetch_response(answer, VERSION).ok()?;
        (correlation == self.correlation && response.error_code == 0).then(|| decode(response))
    }

    async fn read(&mut self) -> Option<Bytes> {
        loop {
            if let Some(frame) = frame::split(&mut self.buffer, LONGEST).ok()? {
                return Some(frame);
            }
            self.buffer.reserve(READ);
            if self.stream.read_buf(&mut self.buffer).await.ok()? == 0 {
                return None;
            }
        }
    }
}

fn encode(request: &core::FetchRequest) -> FetchRequest {
    let mut topics: Vec<FetchTopic> = Vec::new();
    let mut index = HashMap::new();
    for fetch in &request.partitions {
        let at = *index.entry(fetch.key.topic).or_insert_with(|| {
            topics.push(FetchTopic::default().with_topic_id(uuid::Uuid::from_bytes(fetch.key.topic.0)));
            topics.len() - 1
        });
        topics[at].partitions.push(
            FetchPartition::default()
                .with_partition(fetch.key.partition)
                .with_current_leader_epoch(fetch.current_leader_epoch)
                .with_fetch_offset(fetch.fetch_offset)
                .with_last_fetched_epoch(fetch.last_fetched_epoch)
                .with_log_start_offset(fetch.log_start)
                .with_partition_max_bytes(i32::try_from(fetch.max_bytes).unwrap_or(i32::MAX)),
        );
    }
    let mut out = FetchRequest::default()
        .with_max_wait_ms(i32::try_from(request.max_wait_ms).unwrap_or(i32::MAX))
        .with_min_bytes(i32::try_from(request.min_bytes).unwrap_or(i32::MAX))
        .with_max_bytes(i32::try_from(request.max_bytes).unwrap_or(i32::MAX))
        .with_session_epoch(-1)
        .with_topics(topics);
    if let Reader::Replica(replica) = request.reader {
        out.replica_state = ReplicaState::default()
            .with_replica_id(BrokerId(replica.node))
            .with_replica_epoch(replica.broker_epoch);
    }
    out
}

fn decode(response: FetchResponse) -> Vec<FetchedPartition> {
    let mut out = Vec::new();
    for topic in response.responses {
        for data in topic.partitions {
            let key =
                PartitionKey { topic: Uuid(topic.topic_id.into_bytes()), partition: data.partition_index };
            out.push(FetchedPartition { key, result: result(data) });
        }
    }
    out
}

fn result(data: PartitionData) -> Result<FetchedData, Refusal> {
    if data.error_code == Refusal::OffsetOutOfRange.code() && data.log_start_offset >= 0 {
        return Ok(FetchedData {
            high_watermark: data.high_watermark,
            log_start: data.log_start_offset,
            out_of_range: true,
            diverging: None,
            batches: Vec::new(),
        });
    }
    if data.error_code != 0 {
        return Err(refusal(data.error_code));
    }
    let diverging = &data.diverging_epoch;
    let diverging = (diverging.end_offset >= 0)
        .then_some(EpochEnd { epoch: diverging.epoch, end_offset: diverging.end_offset });
    let mut batches = Vec::new();
    for found in batch::iter(data.records.unwrap_or_default()) {
        // A link that breaks checksums does not exist, but a broker does not take a batch on trust.
        let Ok((header, bytes)) = found else { break };
        if batch::Header::check(&bytes).is_err() {
            return Err(Refusal::InvalidRecord);
        }
        batches.push(storage::batch(&header, bytes));
    }
    let (high_watermark, log_start) = (data.high_watermark, data.log_start_offset);
    Ok(FetchedData { high_watermark, log_start, out_of_range: false, diverging, batches })
}

/// What a leader may say to a replica. Anything else is treated like the news that it does not lead: ask
/// again later, or whom the metadata names then.
fn refusal(code: i16) -> Refusal {
    let known = [
        Refusal::OffsetOutOfRange,
        Refusal::UnknownTopicOrPartition,
        Refusal::FencedLeaderEpoch,
        Refusal::UnknownLeaderEpoch,
        Refusal::OffsetNotAvailable,
        Refusal::UnknownTopicId,
        Refusal::StaleBrokerEpoch,
    ];
    known.into_iter().find(|refusal| refusal.code() == code).unwrap_or(Refusal::NotLeaderOrFollower)
}
