//! What brokers ask each other about transactions: markers from a coordinator to the leaders of partitions
//! (WriteTxnMarkers), and from a leader to the coordinator whether a partition is part of a transaction
//! (AddPartitionsToTxn 4 and 5, KIP-890). Every question is safe to lose and to ask again.

use wire::marker::Marker;

use super::refusal::Refusal;
use super::types::PartitionKey;

/// A partition by its topic's name, which is how transactions speak of it.
pub type Place = (String, i32);

/// A producer's id and epoch.
pub type ProducerEpoch = (i64, i16);

/// Which question an answer belongs to. It comes back as it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Errand {
    /// Of a leader that holds something back until the coordinator has answered.
    Verify(u64),
    /// Of a coordinator that has markers written.
    Markers {
        /// The partition its state is kept in.
        shard: PartitionKey,
        /// Its epoch: another one does not wait for this.
        epoch: i32,
        /// Which of its questions.
        number: u64,
    },
}

/// The end of one producer's transaction, in these partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkerOrder {
    /// Whose, in which epoch.
    pub producer: ProducerEpoch,
    /// How it ended, and who says so.
    pub marker: Marker,
    /// Where.
    pub places: Vec<Place>,
}

/// A question to another broker, or to this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerRequest {
    /// To the leader of all of these partitions: append the markers.
    WriteMarkers(Vec<MarkerOrder>),
    /// To the coordinator: are these partitions part of the open transaction?
    AddPartitions {
        /// Which transactional id.
        transactional_id: String,
        /// Its producer.
        producer: ProducerEpoch,
        /// The partitions.
        places: Vec<Place>,
        /// Only say so; else add them (transaction version 2).
        verify_only: bool,
    },
}

/// What is answered: an error or none for each partition, in the order of the question.
pub type PeerAnswer = Vec<Option<Refusal>>;
