//! What the coordinator of a transactional id is asked and answers.

use super::super::super::errands::{PeerAnswer, Place, ProducerEpoch};
use super::super::super::refusal::Refusal;
use super::state::TxnState;

/// A question about one transactional id.
#[derive(Debug, Clone)]
pub struct TxnRequest {
    /// The transactional id.
    pub transactional_id: String,
    /// What.
    pub ask: TxnAsk,
}

/// What is asked.
#[derive(Debug, Clone)]
pub enum TxnAsk {
    /// InitProducerId.
    Init {
        /// How long a transaction may stay open, in milliseconds.
        timeout_ms: i32,
        /// Who the producer thinks it is (KIP-360).
        expected: Option<ProducerEpoch>,
        /// A producer id nobody has, if one is at hand ([`TxnAnswer::NeedsProducerId`]).
        fresh: Option<i64>,
    },
    /// AddPartitionsToTxn, and AddOffsetsToTxn, which adds a partition of `__consumer_offsets`.
    Add {
        /// Whose transaction.
        producer: ProducerEpoch,
        /// The partitions.
        places: Vec<Place>,
        /// Only say whether they are part of it (AddPartitionsToTxn 4 and later, KIP-890).
        verify_only: bool,
    },
    /// EndTxn.
    End {
        /// Whose transaction.
        producer: ProducerEpoch,
        /// Or aborted.
        committed: bool,
        /// Raise the epoch with it (EndTxn 5, transaction version 2, KIP-890).
        bump: bool,
        /// A producer id nobody has, if one is at hand.
        fresh: Option<i64>,
    },
    /// DescribeTransactions of one id.
    Describe,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TxnAnswer {
    /// To [`TxnAsk::Init`] and [`TxnAsk::End`]: the producer as it is from now on.
    Producer(Result<ProducerEpoch, Refusal>),
    /// Ask again, and bring a fresh producer id.
    NeedsProducerId,
    /// To [`TxnAsk::Add`]: an error or none a partition, in the order of the question.
    Places(PeerAnswer),
    /// To [`TxnAsk::Describe`].
    Described(Result<TxnDescription, Refusal>),
}

impl TxnAsk {
    /// The answer that says nothing but this error.
    pub(super) fn refused(&self, refusal: Refusal) -> TxnAnswer {
        match self {
            Self::Init { .. } | Self::End { .. } => TxnAnswer::Producer(Err(refusal)),
            Self::Add { places, .. } => TxnAnswer::Places(vec![Some(refusal); places.len()]),
            Self::Describe => TxnAnswer::Described(Err(refusal)),
        }
    }
}

/// A transactional id in full (DescribeTransactions, KIP-664).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TxnDescription {
    /// Its state.
    pub state: TxnState,
    /// Its producer.
    pub producer: ProducerEpoch,
    /// How long a transaction may stay open, in milliseconds.
    pub timeout_ms: i32,
    /// When the transaction began, in ms since 1970; -1 if none is open.
    pub started_ms: i64,
    /// The partitions in it.
    pub places: Vec<Place>,
}

/// A transactional id in a line (ListTransactions, KIP-664).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TxnListing {
    /// Its name.
    pub transactional_id: String,
    /// Its producer id.
    pub producer_id: i64,
    /// Its state.
    pub state: TxnState,
    /// When the transaction began, in ms since 1970; -1 if none is open.
    pub started_ms: i64,
}

/// What the machine is given: questions, and what became of its own.
#[derive(Debug)]
pub(in crate::core) enum TxnInput {
    Asked(TxnRequest),
    /// A leader's answer to an order of markers; `None` if none came.
    Written {
        epoch: i32,
        number: u64,
        answer: Option<PeerAnswer>,
    },
}
