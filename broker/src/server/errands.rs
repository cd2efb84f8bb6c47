//! What brokers ask each other about transactions, on the wire: WriteTxnMarkers and AddPartitionsToTxn, one
//! connection to each broker for either, questions sent as they come and answered in order. Whatever goes wrong
//! with a connection, everything asked on it counts as unanswered, and may have been done.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use kafka_protocol::messages::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, ProducerId, TopicName, TransactionalId, WriteTxnMarkersRequest,
};
use kafka_protocol::protocol::StrBytes;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use wire::frame;

use super::engine::Host;
use crate::core::{Errand, Input, PeerAnswer, PeerRequest, Place, Refusal};

const MARKERS: i16 = 1;
/// The lowest that says `verify_only`.
const ADD_PARTITIONS: i16 = 4;
const CONNECT: Duration = Duration::from_millis(500);
const READ: usize = 1 << 12;
/// An answer is as long as its question, about.
const LONGEST: usize = 1 << 24;

type Question = (Errand, PeerRequest);

/// The links of a broker: to whom, and whether for markers.
#[derive(Default)]
pub(super) struct Links(RefCell<HashMap<(i32, bool), mpsc::UnboundedSender<Question>>>);

impl Links {
    /// Sends a question, on a link that begins with the first.
    pub(super) fn ask(&self, host: &Rc<Host>, node: i32, errand: Errand, request: PeerRequest) {
        // A leader that waits for its followers must not hold up the answers of a coordinator.
        let markers = matches!(request, PeerRequest::WriteMarkers(_));
        let mut links = self.0.borrow_mut();
        let link = links.entry((node, markers)).or_insert_with(|| {
            let (sender, questions) = mpsc::unbounded_channel();
            tokio::task::spawn_local(keep(Rc::clone(host), node, questions));
            sender
        });
        let _ = link.send((errand, request));
    }
}

/// A question whose answer is owed.
struct Owed {
    errand: Errand,
    correlation: i32,
    request: PeerRequest,
    deadline: Instant,
}

/// Whom we talk to, and how long an answer may take.
struct Peer<'a> {
    host: &'a Rc<Host>,
    node: i32,
    address: SocketAddr,
    patience: Duration,
}

async fn keep(host: Rc<Host>, node: i32, mut questions: mpsc::UnboundedReceiver<Question>) {
    let patience = Duration::from_millis(host.settings.number("request.timeout.ms"));
    while let Some(first) = questions.recv().await {
        let mut owed = VecDeque::new();
        let address = host.address(node);
        let stream = match address {
            Some(address) => open(address).await,
            None => None,
        };
        if let (Some(stream), Some(address)) = (stream, address) {
            let peer = Peer { host: &host, node, address, patience };
            converse(peer, stream, first, &mut questions, &mut owed).await;
        } else {
            host.step(Input::PeerAnswer { errand: first.0, answer: None });
        }
        for Owed { errand, .. } in owed {
            host.step(Input::PeerAnswer { errand, answer: None });
        }
    }
}

async fn open(address: SocketAddr) -> Option<TcpStream> {
    let stream = timeout(CONNECT, TcpStream::connect(address)).await.ok()?.ok()?;
    let _ = SockRef::from(&stream).set_tcp_nodelay(true);
    Some(stream)
}

/// Asks and hears until the connection breaks, an answer is overdue, or the broker is reached elsewhere.
async fn converse(
    Peer { host, node, address, patience }: Peer<'_>,
    stream: TcpStream,
    first: Question,
    questions: &mut mpsc::UnboundedReceiver<Question>,
    owed: &mut VecDeque<Owed>,
) {
    let (mut reader, mut writer) = stream.into_split();
    let (feed, mut bytes_to_write) = mpsc::unbounded_channel::<Bytes>();
    let writing = async {
        while let Some(bytes) = bytes_to_write.recv().await {
            if writer.write_all(&bytes).await.is_err() {
                break;
            }
        }
    };
    tokio::pin!(writing);
    let mut buffer = BytesMut::new();
    let mut correlation = 0;
    let mut next = Some(first);
    loop {
        if let Some((errand, request)) = next.take() {
            correlation += 1;
            let bytes = encode(&request, correlation);
            let deadline = Instant::now() + patience;
            owed.push_back(Owed { errand, correlation, request, deadline });
            let Some(bytes) = bytes else { return };
            let _ = feed.send(bytes);
        }
        let deadline = owed.front().map_or_else(|| Instant::now() + patience, |owed| owed.deadline);
        tokio::select! {
            question = questions.recv() => {
                if question.is_none() || host.address(node) != Some(address) {
                    if let Some((errand, _)) = question {
                        host.step(Input::PeerAnswer { errand, answer: None });
                    }
                    return;
                }
                next = question;
            }
            read = reader.read_buf(&mut buffer) => {
                if !matches!(read, Ok(read) if read > 0) || hear(host, &mut buffer, owed).is_none() {
                    return;
                }
                buffer.reserve(READ);
            }
            () = &mut writing => return,
            () = sleep_until(deadline) => {
                if !owed.is_empty() {
                    return;
                }
            }
        }
    }
}

/// Takes every whole answer that has come. `None`: they make no sense.
fn hear(host: &Rc<Host>, buffer: &mut BytesMut, owed: &mut VecDeque<Owed>) -> Option<()> {
    while let Some(bytes) = frame::split(buffer, LONGEST).ok()? {
        let Owed { errand, correlation, request, .. } = owed.pop_front()?;
        let answer = decode(&request, bytes, correlation);
        let sound = answer.is_some();
        host.step(Input::PeerAnswer { errand, answer });
        sound.then_some(())?;
    }
    Some(())
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// Partitions by topic, in the order in which topics are first met.
pub(super) fn by_topic(places: &[Place]) -> Vec<(&str, Vec<i32>)> {
    let mut topics: Vec<(&str, Vec<i32>)> = Vec::new();
    let mut index = HashMap::new();
    for (topic, partition) in places {
        let at = *index.entry(topic.as_str()).or_insert_with(|| {
            topics.push((topic, Vec::new()));
            topics.len() - 1
        });
        topics[at].1.push(*partition);
    }
    topics
}

fn encode(request: &PeerRequest, correlation: i32) -> Option<Bytes> {
    match request {
        PeerRequest::WriteMarkers(orders) => {
            let markers = orders.iter().map(|order| {
                let topics = by_topic(&order.places).into_iter().map(|(topic, partitions)| {
                    WritableTxnMarkerTopic::default()
                        .with_name(TopicName(text(topic)))
                        .with_partition_indexes(partitions)
                });
                WritableTxnMarker::default()
                    .with_producer_id(ProducerId(order.producer.0))
                    .with_producer_epoch(order.producer.1)
                    .with_transaction_result(order.marker.committed)
                    .with_coordinator_epoch(order.marker.coordinator_epoch)
                    .with_topics(topics.collect())
            });
            let request = WriteTxnMarkersRequest::default().with_markers(markers.collect());
            frame::request(&request, MARKERS, correlation, "coordinator").ok()
        }
        PeerRequest::AddPartitions { transactional_id, producer, places, verify_only } => {
            let topics = by_topic(places).into_iter().map(|(topic, partitions)| {
                AddPartitionsToTxnTopic::default()
                    .with_name(TopicName(text(topic)))
                    .with_partitions(partitions)
            });
            let transaction = AddPartitionsToTxnTransaction::default()
                .with_transactional_id(TransactionalId(text(transactional_id)))
                .with_producer_id(ProducerId(producer.0))
                .with_producer_epoch(producer.1)
                .with_verify_only(*verify_only)
                .with_topics(topics.collect());
            let request = AddPartitionsToTxnRequest::default().with_transactions(vec![transaction]);
            frame::request(&request, ADD_PARTITIONS, correlation, "leader").ok()
        }
    }
}

/// An error or none for every partition, in the order of the question.
fn decode(request: &PeerRequest, bytes: Bytes, expected: i32) -> Option<PeerAnswer> {
    let mut codes: HashMap<(usize, String, i32), i16> = HashMap::new();
    let correlation = match request {
        PeerRequest::WriteMarkers(_) => {
            let (correlation, response) = frame::response::<WriteTxnMarkersRequest>(bytes, MARKERS).ok()?;
            for (at, marker) in response.markers.into_iter().enumerate() {
                for topic in marker.topics {
                    for one in topic.partitions {
                        codes.insert((at, topic.name.to_string(), one.partition_index), one.error_code);
                    }
                }
            }
            correlation
        }
        PeerRequest::AddPartitions { .. } => {
            let (correlation, response) =
                frame::response::<AddPartitionsToTxnRequest>(bytes, ADD_PARTITIONS).ok()?;
            for topic in response.results_by_transaction.into_iter().flat_map(|one| one.topic_results) {
                for one in topic.results_by_partition {
                    codes.insert((0, topic.name.to_string(), one.partition_index), one.partition_error_code);
                }
            }
            correlation
        }
    };
    let asked: Vec<(usize, &Place)> = match request {
        PeerRequest::WriteMarkers(orders) => orders
            .iter()
            .enumerate()
            .flat_map(|(at, order)| order.places.iter().map(move |place| (at, place)))
            .collect(),
        PeerRequest::AddPartitions { places, .. } => places.iter().map(|place| (0, place)).collect(),
    };
    let said = |(at, (topic, partition)): (usize, &Place)| match codes.get(&(at, topic.clone(), *partition)) {
        Some(0) => None,
        Some(code) => Some(refusal(*code)),
        None => Some(Refusal::CoordinatorNotAvailable),
    };
    (correlation == expected).then(|| asked.into_iter().map(said).collect())
}

/// What may be answered; anything else is like no answer: ask again.
fn refusal(code: i16) -> Refusal {
    let known = [
        Refusal::UnknownTopicOrPartition,
        Refusal::NotLeaderOrFollower,
        Refusal::NotEnoughReplicas,
        Refusal::NotEnoughReplicasAfterAppend,
        Refusal::InvalidProducerEpoch,
        Refusal::InvalidTxnState,
        Refusal::InvalidProducerIdMapping,
        Refusal::ConcurrentTransactions,
        Refusal::TransactionCoordinatorFenced,
        Refusal::ProducerFenced,
        Refusal::TransactionAbortable,
    ];
    known.into_iter().find(|known| known.code() == code).unwrap_or(Refusal::CoordinatorNotAvailable)
}
