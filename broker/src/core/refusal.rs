//! Why a request is refused: the Kafka error codes this broker answers with.

use serde::{Deserialize, Serialize};

/// A Kafka error; the discriminant is the code on the wire (Apache Kafka, `Errors.java`).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, thiserror::Error,
)]
#[repr(i16)]
pub enum Refusal {
    /// `UNKNOWN_SERVER_ERROR`: what Apache Kafka says of records that it cannot decompress.
    #[error("records cannot be decompressed")]
    UnknownServerError = -1,
    /// `OFFSET_OUT_OF_RANGE`
    #[error("offset is out of range")]
    OffsetOutOfRange = 1,
    /// `UNKNOWN_TOPIC_OR_PARTITION`
    #[error("unknown topic or partition")]
    UnknownTopicOrPartition = 3,
    /// `NOT_LEADER_OR_FOLLOWER`
    #[error("this broker does not lead the partition")]
    NotLeaderOrFollower = 6,
    /// `REQUEST_TIMED_OUT`: the records are in the leader's log, their fate is unknown.
    #[error("request timed out")]
    RequestTimedOut = 7,
    /// `MESSAGE_TOO_LARGE`
    #[error("batch is larger than `max.message.bytes`")]
    MessageTooLarge = 10,
    /// `COORDINATOR_LOAD_IN_PROGRESS`
    #[error("the coordinator is reading its log")]
    CoordinatorLoadInProgress = 14,
    /// `COORDINATOR_NOT_AVAILABLE`
    #[error("the coordinator cannot say yet what became of that")]
    CoordinatorNotAvailable = 15,
    /// `NOT_COORDINATOR`
    #[error("this broker is not the coordinator")]
    NotCoordinator = 16,
    /// `INVALID_TOPIC_EXCEPTION`
    #[error("topic name is illegal, or differs from another only in `.` and `_`")]
    InvalidTopic = 17,
    /// `NOT_ENOUGH_REPLICAS`: nothing was written.
    #[error("fewer in-sync replicas than `min.insync.replicas`")]
    NotEnoughReplicas = 19,
    /// `NOT_ENOUGH_REPLICAS_AFTER_APPEND`: the records *are* written and may become visible.
    #[error("fewer in-sync replicas than `min.insync.replicas` after the append")]
    NotEnoughReplicasAfterAppend = 20,
    /// `INVALID_REQUIRED_ACKS`
    #[error("acks must be 0, 1 or -1")]
    InvalidRequiredAcks = 21,
    /// `INVALID_TIMESTAMP`
    #[error("a timestamp is too far from the time of day")]
    InvalidTimestamp = 32,
    /// `TOPIC_ALREADY_EXISTS`
    #[error("topic already exists")]
    TopicAlreadyExists = 36,
    /// `INVALID_PARTITIONS`
    #[error("impossible number of partitions")]
    InvalidPartitions = 37,
    /// `INVALID_REPLICATION_FACTOR`
    #[error("replication factor is below 1 or above the number of live brokers")]
    InvalidReplicationFactor = 38,
    /// `INVALID_REPLICA_ASSIGNMENT`
    #[error("the replicas are not distinct live brokers, or not as many for each partition")]
    InvalidReplicaAssignment = 39,
    /// `INVALID_CONFIG`
    #[error("a setting is unknown or has no such value")]
    InvalidConfig = 40,
    /// `NOT_CONTROLLER`: the sender knows of a newer state than the controller.
    #[error("the controller has not seen that state yet")]
    NotController = 41,
    /// `INVALID_REQUEST`
    #[error("invalid request")]
    InvalidRequest = 42,
    /// `OUT_OF_ORDER_SEQUENCE_NUMBER`
    #[error("producer sequence number is out of order")]
    OutOfOrderSequenceNumber = 45,
    /// `INVALID_PRODUCER_EPOCH`
    #[error("producer epoch is older than the last one seen")]
    InvalidProducerEpoch = 47,
    /// `INVALID_TXN_STATE`
    #[error("the transaction is not in a state that allows this")]
    InvalidTxnState = 48,
    /// `INVALID_PRODUCER_ID_MAPPING`
    #[error("the producer id is not the one of this transactional id")]
    InvalidProducerIdMapping = 49,
    /// `INVALID_TRANSACTION_TIMEOUT`
    #[error("the transaction time-out is below 1 or above `transaction.max.timeout.ms`")]
    InvalidTransactionTimeout = 50,
    /// `CONCURRENT_TRANSACTIONS`: ask again, the transaction before is still being ended.
    #[error("another transaction of this transactional id is still being ended")]
    ConcurrentTransactions = 51,
    /// `TRANSACTION_COORDINATOR_FENCED`
    #[error("the marker comes from a coordinator that has been replaced")]
    TransactionCoordinatorFenced = 52,
    /// `REASSIGNMENT_IN_PROGRESS`
    #[error("a reassignment of the partition is in progress")]
    ReassignmentInProgress = 60,
    /// `FENCED_LEADER_EPOCH`: the sender's leader epoch is older than ours.
    #[error("leader epoch is older than the broker's")]
    FencedLeaderEpoch = 74,
    /// `UNKNOWN_LEADER_EPOCH`: the sender's leader epoch is newer than ours.
    #[error("leader epoch is newer than the broker's")]
    UnknownLeaderEpoch = 75,
    /// `STALE_BROKER_EPOCH`
    #[error("broker epoch is not the registered one")]
    StaleBrokerEpoch = 77,
    /// `OFFSET_NOT_AVAILABLE`: a new leader does not know yet how far its log is committed (KIP-207).
    #[error("the new leader does not know its high watermark yet")]
    OffsetNotAvailable = 78,
    /// `PREFERRED_LEADER_NOT_AVAILABLE`
    #[error("the preferred leader is not alive, or not in sync")]
    PreferredLeaderNotAvailable = 80,
    /// `ELIGIBLE_LEADERS_NOT_AVAILABLE`
    #[error("no replica is alive")]
    EligibleLeadersNotAvailable = 83,
    /// `ELECTION_NOT_NEEDED`
    #[error("the partition is led already, as it should be")]
    ElectionNotNeeded = 84,
    /// `NO_REASSIGNMENT_IN_PROGRESS`
    #[error("no reassignment of the partition is in progress")]
    NoReassignmentInProgress = 85,
    /// `INVALID_RECORD`
    #[error("batch must not be written by a client")]
    InvalidRecord = 87,
    /// `PRODUCER_FENCED`
    #[error("a newer producer has taken over this transactional id")]
    ProducerFenced = 90,
    /// `INVALID_UPDATE_VERSION`
    #[error("partition epoch is not the current one")]
    InvalidUpdateVersion = 95,
    /// `UNKNOWN_TOPIC_ID`
    #[error("unknown topic id")]
    UnknownTopicId = 100,
    /// `DUPLICATE_BROKER_REGISTRATION`: an older incarnation's session has not expired.
    #[error("another incarnation of this broker still has a session")]
    DuplicateBrokerRegistration = 101,
    /// `TRANSACTIONAL_ID_NOT_FOUND`
    #[error("unknown transactional id")]
    TransactionalIdNotFound = 105,
    /// `INELIGIBLE_REPLICA`: a proposed ISR member is fenced or has restarted since (KIP-903).
    #[error("a proposed in-sync replica is fenced or has restarted")]
    IneligibleReplica = 107,
    /// `TRANSACTION_ABORTABLE`: the producer may abort and go on.
    #[error("the partition is not part of the transaction (abort it)")]
    TransactionAbortable = 120,
}

impl Refusal {
    /// The code on the wire.
    #[must_use]
    pub const fn code(self) -> i16 {
        self as i16
    }
}
