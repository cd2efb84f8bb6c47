//! Which requests the reference broker reads, at which versions, and how their bytes are laid out. This is
//! the one list of served APIs: the length guard walks these shapes, and ApiVersions advertises these ranges.
//!
//! The shapes follow the message definitions of Apache Kafka 4.1 (`clients/src/main/resources/common/message`).
//! They exist because `kafka-protocol` reserves memory for as many elements as an array claims to have,
//! before it has seen one of them.

use kafka_protocol::messages::ApiKey;

/// One API: its key, its versions and the layout of its request.
#[derive(Debug)]
pub struct Api {
    /// Which request.
    pub key: ApiKey,
    /// Lowest version that is read.
    pub min: i16,
    /// Highest version that is read.
    pub max: i16,
    /// First version with compact lengths and tagged fields (KIP-482).
    pub(crate) flexible: i16,
    pub(crate) request: &'static Shape,
}

impl Api {
    /// The lowest version to advertise. Produce says 0 although 0 to 2 are gone, as Kafka 4.1 does: older
    /// librdkafka silently turns compression off otherwise (KAFKA-18659).
    #[must_use]
    pub fn advertised_min(&self) -> i16 {
        if self.key == ApiKey::Produce { 0 } else { self.min }
    }
}

/// A struct: its fields in order, and the tagged fields the decoder knows.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) fields: &'static [Field],
    pub(crate) tags: &'static [(u32, &'static Shape)],
}

/// A field and the versions that have it.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) since: i16,
    pub(crate) until: i16,
    pub(crate) kind: Kind,
}

/// How a field is laid out.
#[derive(Debug)]
pub(crate) enum Kind {
    /// So many bytes.
    Fixed(usize),
    /// A string, perhaps null.
    Text,
    /// Bytes with a length, perhaps null.
    Blob,
    /// An array of structs, perhaps null.
    Array(&'static Shape),
    /// A struct behind a byte that says whether it is there.
    Maybe(&'static Shape),
    /// An array of values of so many bytes each.
    Numbers(usize),
    /// An array of strings.
    Texts,
}

const BOOL: Kind = Kind::Fixed(1);
const INT8: Kind = Kind::Fixed(1);
const INT16: Kind = Kind::Fixed(2);
const INT32: Kind = Kind::Fixed(4);
const INT64: Kind = Kind::Fixed(8);
const UUID: Kind = Kind::Fixed(16);

const fn all(kind: Kind) -> Field {
    between(0, i16::MAX, kind)
}

const fn since(since: i16, kind: Kind) -> Field {
    between(since, i16::MAX, kind)
}

const fn until(until: i16, kind: Kind) -> Field {
    between(0, until, kind)
}

const fn between(since: i16, until: i16, kind: Kind) -> Field {
    Field { since, until, kind }
}

const fn shape(fields: &'static [Field]) -> Shape {
    Shape { fields, tags: &[] }
}

/// The entry of an API key, `None` if it is not served.
#[must_use]
pub fn find(key: i16) -> Option<&'static Api> {
    APIS.iter().find(|api| api.key as i16 == key)
}

/// Every served API.
pub static APIS: &[Api] = &[
    Api { key: ApiKey::Produce, min: 3, max: 13, flexible: 9, request: &PRODUCE },
    Api { key: ApiKey::Fetch, min: 4, max: 16, flexible: 12, request: &FETCH },
    Api { key: ApiKey::ListOffsets, min: 1, max: 8, flexible: 6, request: &LIST_OFFSETS },
    Api { key: ApiKey::Metadata, min: 0, max: 13, flexible: 9, request: &METADATA },
    Api { key: ApiKey::OffsetCommit, min: 2, max: 9, flexible: 8, request: &OFFSET_COMMIT },
    Api { key: ApiKey::OffsetFetch, min: 1, max: 9, flexible: 6, request: &OFFSET_FETCH },
    Api { key: ApiKey::FindCoordinator, min: 0, max: 5, flexible: 3, request: &FIND_COORDINATOR },
    Api { key: ApiKey::JoinGroup, min: 0, max: 9, flexible: 6, request: &JOIN_GROUP },
    Api { key: ApiKey::Heartbeat, min: 0, max: 4, flexible: 4, request: &HEARTBEAT },
    Api { key: ApiKey::LeaveGroup, min: 0, max: 5, flexible: 4, request: &LEAVE_GROUP },
    Api { key: ApiKey::SyncGroup, min: 0, max: 5, flexible: 4, request: &SYNC_GROUP },
    Api { key: ApiKey::DescribeGroups, min: 0, max: 6, flexible: 5, request: &DESCRIBE_GROUPS },
    Api { key: ApiKey::ListGroups, min: 0, max: 5, flexible: 3, request: &LIST_GROUPS },
    Api { key: ApiKey::ApiVersions, min: 0, max: 4, flexible: 3, request: &API_VERSIONS },
    Api { key: ApiKey::CreateTopics, min: 2, max: 7, flexible: 5, request: &CREATE_TOPICS },
    Api { key: ApiKey::DeleteTopics, min: 1, max: 6, flexible: 4, request: &DELETE_TOPICS },
    Api { key: ApiKey::InitProducerId, min: 0, max: 5, flexible: 2, request: &INIT_PRODUCER_ID },
    Api { key: ApiKey::OffsetForLeaderEpoch, min: 2, max: 4, flexible: 4, request: &OFFSET_FOR_LEADER_EPOCH },
    Api { key: ApiKey::AddPartitionsToTxn, min: 0, max: 5, flexible: 3, request: &ADD_PARTITIONS_TO_TXN },
    Api { key: ApiKey::AddOffsetsToTxn, min: 0, max: 4, flexible: 3, request: &ADD_OFFSETS_TO_TXN },
    Api { key: ApiKey::EndTxn, min: 0, max: 5, flexible: 3, request: &END_TXN },
    Api { key: ApiKey::WriteTxnMarkers, min: 1, max: 1, flexible: 1, request: &WRITE_TXN_MARKERS },
    Api { key: ApiKey::TxnOffsetCommit, min: 0, max: 5, flexible: 3, request: &TXN_OFFSET_COMMIT },
    Api { key: ApiKey::DescribeConfigs, min: 1, max: 4, flexible: 4, request: &DESCRIBE_CONFIGS },
    Api { key: ApiKey::DeleteGroups, min: 0, max: 2, flexible: 2, request: &DELETE_GROUPS },
    Api { key: ApiKey::OffsetDelete, min: 0, max: 0, flexible: i16::MAX, request: &OFFSET_DELETE },
    Api { key: ApiKey::DescribeCluster, min: 0, max: 2, flexible: 0, request: &DESCRIBE_CLUSTER },
    Api { key: ApiKey::CreatePartitions, min: 0, max: 3, flexible: 2, request: &CREATE_PARTITIONS },
    Api { key: ApiKey::AlterConfigs, min: 0, max: 2, flexible: 2, request: &ALTER_CONFIGS },
    Api {
        key: ApiKey::IncrementalAlterConfigs,
        min: 0,
        max: 1,
        flexible: 1,
        request: &INCREMENTAL_ALTER_CONFIGS,
    },
    Api { key: ApiKey::DeleteRecords, min: 0, max: 2, flexible: 2, request: &DELETE_RECORDS },
    Api { key: ApiKey::ElectLeaders, min: 0, max: 2, flexible: 2, request: &ELECT_LEADERS },
    Api {
        key: ApiKey::AlterPartitionReassignments,
        min: 0,
        max: 1,
        flexible: 0,
        request: &ALTER_PARTITION_REASSIGNMENTS,
    },
    Api {
        key: ApiKey::ListPartitionReassignments,
        min: 0,
        max: 0,
        flexible: 0,
        request: &LIST_PARTITION_REASSIGNMENTS,
    },
    Api { key: ApiKey::DescribeLogDirs, min: 1, max: 4, flexible: 2, request: &DESCRIBE_LOG_DIRS },
    Api {
        key: ApiKey::DescribeTopicPartitions,
        min: 0,
        max: 0,
        flexible: 0,
        request: &DESCRIBE_TOPIC_PARTITIONS,
    },
    Api { key: ApiKey::DescribeAcls, min: 1, max: 3, flexible: 2, request: &DESCRIBE_ACLS },
    Api { key: ApiKey::CreateAcls, min: 1, max: 3, flexible: 2, request: &CREATE_ACLS },
    Api { key: ApiKey::DeleteAcls, min: 1, max: 3, flexible: 2, request: &DELETE_ACLS },
    Api { key: ApiKey::DescribeProducers, min: 0, max: 0, flexible: 0, request: &DESCRIBE_PRODUCERS },
    Api { key: ApiKey::DescribeTransactions, min: 0, max: 0, flexible: 0, request: &DESCRIBE_TRANSACTIONS },
    Api { key: ApiKey::ListTransactions, min: 0, max: 1, flexible: 0, request: &LIST_TRANSACTIONS },
    Api {
        key: ApiKey::ConsumerGroupHeartbeat,
        min: 0,
        max: 1,
        flexible: 0,
        request: &CONSUMER_GROUP_HEARTBEAT,
    },
    Api {
        key: ApiKey::ConsumerGroupDescribe,
        min: 0,
        max: 1,
        flexible: 0,
        request: &CONSUMER_GROUP_DESCRIBE,
    },
];

static PRODUCE: Shape = shape(&[
    all(Kind::Text),
    all(INT16),
    all(INT32),
    all(Kind::Array(&shape(&[
        until(12, Kind::Text),
        since(13, UUID),
        all(Kind::Array(&shape(&[all(INT32), all(Kind::Blob)]))),
    ]))),
]);

static FETCH: Shape = shape(&[
    until(14, INT32),
    all(INT32),
    all(INT32),
    all(INT32),
    all(INT8),
    since(7, INT32),
    since(7, INT32),
    all(Kind::Array(&shape(&[
        until(12, Kind::Text),
        since(13, UUID),
        all(Kind::Array(&shape(&[
            all(INT32),
            since(9, INT32),
            all(INT64),
            since(12, INT32),
            since(5, INT64),
            all(INT32),
        ]))),
    ]))),
    since(7, Kind::Array(&shape(&[until(12, Kind::Text), since(13, UUID), all(Kind::Numbers(4))]))),
    since(11, Kind::Text),
]);

static LIST_OFFSETS: Shape = shape(&[
    all(INT32),
    since(2, INT8),
    all(Kind::Array(&shape(&[
        all(Kind::Text),
        all(Kind::Array(&shape(&[all(INT32), since(4, INT32), all(INT64)]))),
    ]))),
    since(10, INT32),
]);

static METADATA: Shape = shape(&[
    all(Kind::Array(&shape(&[since(10, UUID), all(Kind::Text)]))),
    since(4, BOOL),
    between(8, 10, BOOL),
    since(8, BOOL),
]);

static OFFSET_COMMIT: Shape = shape(&[
    all(Kind::Text),
    since(1, INT32),
    since(1, Kind::Text),
    since(7, Kind::Text),
    between(2, 4, INT64),
    all(Kind::Array(&shape(&[
        until(9, Kind::Text),
        since(10, UUID),
        all(Kind::Array(&shape(&[all(INT32), all(INT64), since(6, INT32), all(Kind::Text)]))),
    ]))),
]);

static OFFSET_FETCH: Shape = shape(&[
    until(7, Kind::Text),
    until(7, Kind::Array(&shape(&[all(Kind::Text), all(Kind::Numbers(4))]))),
    since(
        8,
        Kind::Array(&shape(&[
            all(Kind::Text),
            since(9, Kind::Text),
            since(9, INT32),
            all(Kind::Array(&shape(&[until(9, Kind::Text), since(10, UUID), all(Kind::Numbers(4))]))),
        ])),
    ),
    since(7, BOOL),
]);

static JOIN_GROUP: Shape = shape(&[
    all(Kind::Text),
    all(INT32),
    since(1, INT32),
    all(Kind::Text),
    since(5, Kind::Text),
    all(Kind::Text),
    all(Kind::Array(&shape(&[all(Kind::Text), all(Kind::Blob)]))),
    since(8, Kind::Text),
]);

static HEARTBEAT: Shape = shape(&[all(Kind::Text), all(INT32), all(Kind::Text), since(3, Kind::Text)]);

static LEAVE_GROUP: Shape = shape(&[
    all(Kind::Text),
    until(2, Kind::Text),
    since(3, Kind::Array(&shape(&[all(Kind::Text), all(Kind::Text), since(5, Kind::Text)]))),
]);

static SYNC_GROUP: Shape = shape(&[
    all(Kind::Text),
    all(INT32),
    all(Kind::Text),
    since(3, Kind::Text),
    since(5, Kind::Text),
    since(5, Kind::Text),
    all(Kind::Array(&shape(&[all(Kind::Text), all(Kind::Blob)]))),
]);

static DESCRIBE_GROUPS: Shape = shape(&[all(Kind::Texts), since(3, BOOL)]);

static LIST_GROUPS: Shape = shape(&[since(4, Kind::Texts), since(5, Kind::Texts)]);

static CONSUMER_GROUP_HEARTBEAT: Shape = shape(&[
    all(Kind::Text),
    all(Kind::Text),
    all(INT32),
    all(Kind::Text),
    all(Kind::Text),
    all(INT32),
    all(Kind::Texts),
    since(1, Kind::Text),
    all(Kind::Text),
    all(Kind::Array(&shape(&[all(UUID), all(Kind::Numbers(4))]))),
]);

static CONSUMER_GROUP_DESCRIBE: Shape = shape(&[all(Kind::Texts), all(BOOL)]);

static DELETE_GROUPS: Shape = shape(&[all(Kind::Texts)]);

static OFFSET_DELETE: Shape = shape(&[
    all(Kind::Text),
    all(Kind::Array(&shape(&[all(Kind::Text), all(Kind::Array(&shape(&[all(INT32)])))]))),
]);

static FIND_COORDINATOR: Shape = shape(&[until(3, Kind::Text), since(1, INT8), since(4, Kind::Texts)]);

static API_VERSIONS: Shape = shape(&[since(3, Kind::Text), since(3, Kind::Text)]);

static CREATE_TOPICS: Shape = shape(&[
    all(Kind::Array(&shape(&[
        all(Kind::Text),
        all(INT32),
        all(INT16),
        all(Kind::Array(&shape(&[all(INT32), all(Kind::Numbers(4))]))),
        all(Kind::Array(&shape(&[all(Kind::Text), all(Kind::Text)]))),
    ]))),
    all(INT32),
    all(BOOL),
]);

static DELETE_TOPICS: Shape =
    shape(&[since(6, Kind::Array(&shape(&[all(Kind::Text), all(UUID)]))), until(5, Kind::Texts), all(INT32)]);

static INIT_PRODUCER_ID: Shape = shape(&[all(Kind::Text), all(INT32), since(3, INT64), since(3, INT16)]);

static OFFSET_FOR_LEADER_EPOCH: Shape = shape(&[
    since(3, INT32),
    all(Kind::Array(&shape(&[
        all(Kind::Text),
        all(Kind::Array(&shape(&[all(INT32), all(INT32), all(INT32)]))),
    ]))),
]);

static DESCRIBE_CONFIGS: Shape = shape(&[
    all(Kind::Array(&shape(&[all(INT8), all(Kind::Text), all(Kind::Texts)]))),
    all(BOOL),
    since(3, BOOL),
]);

static DESCRIBE_CLUSTER: Shape = shape(&[all(BOOL), since(1, INT8), since(2, BOOL)]);

static CREATE_PARTITIONS: Shape = shape(&[
    all(Kind::Array(&shape(&[
        all(Kind::Text),
        all(INT32),
        all(Kind::Array(&shape(&[all(Kind::Numbers(4))]))),
    ]))),
    all(INT32),
    all(BOOL),
]);

static ALTER_CONFIGS: Shape = shape(&[
    all(Kind::Array(&shape(&[
        all(INT8),
        all(Kind::Text),
        all(Kind::Array(&shape(&[all(Kind::Text), all(Kind::Text)]))),
    ]))),
    all(BOOL),
]);

static INCREMENTAL_ALTER_CONFIGS: Shape = shape(&[
    all(Kind::Array(&shape(&[
        all(INT8),
        all(Kind::Text),
        all(Kind::Array(&shape(&[all(Kind::Text), all(INT8), all(Kind::Text)]))),
    ]))),
    all(BOOL),
]);

static DELETE_RECORDS: Shape = shape(&[
    all(Kind::Array(&shape(&[all(Kind::Text), all(Kind::Array(&shape(&[all(INT32), all(INT64)])))]))),
    all(INT32),
]);

static ELECT_LEADERS: Shape =
    shape(&[since(1, INT8), all(Kind::Array(&shape(&[all(Kind::Text), all(Kind::Numbers(4))]))), all(INT32)]);

static ALTER_PARTITION_REASSIGNMENTS: Shape = shape(&[
    all(INT32),
    since(1, BOOL),
    all(Kind::Array(&shape(&[
        all(Kind::Text),
        all(Kind::Array(&shape(&[all(INT32), all(Kind::Numbers(4))]))),
    ]))),
]);

static LIST_PARTITION_REASSIGNMENTS: Shape =
    shape(&[all(INT32), all(Kind::Array(&shape(&[all(Kind::Text), all(Kind::Numbers(4))])))]);

static DESCRIBE_LOG_DIRS: Shape =
    shape(&[all(Kind::Array(&shape(&[all(Kind::Text), all(Kind::Numbers(4))])))]);

static DESCRIBE_TOPIC_PARTITIONS: Shape = shape(&[
    all(Kind::Array(&shape(&[all(Kind::Text)]))),
    all(INT32),
    all(Kind::Maybe(&shape(&[all(Kind::Text), all(INT32)]))),
]);

static DESCRIBE_ACLS: Shape = ACL;

static CREATE_ACLS: Shape = shape(&[all(Kind::Array(&ACL))]);

static DELETE_ACLS: Shape = shape(&[all(Kind::Array(&ACL))]);

/// An access control list entry, or a filter of them.
const ACL: Shape = shape(&[
    all(INT8),
    all(Kind::Text),
    since(1, INT8),
    all(Kind::Text),
    all(Kind::Text),
    all(INT8),
    all(INT8),
]);

static PARTITIONS: Shape = shape(&[all(Kind::Text), all(Kind::Numbers(4))]);

static ADD_PARTITIONS_TO_TXN: Shape = shape(&[
    since(
        4,
        Kind::Array(&shape(&[
            all(Kind::Text),
            all(INT64),
            all(INT16),
            all(BOOL),
            all(Kind::Array(&PARTITIONS)),
        ])),
    ),
    until(3, Kind::Text),
    until(3, INT64),
    until(3, INT16),
    until(3, Kind::Array(&PARTITIONS)),
]);

static ADD_OFFSETS_TO_TXN: Shape = shape(&[all(Kind::Text), all(INT64), all(INT16), all(Kind::Text)]);

static END_TXN: Shape = shape(&[all(Kind::Text), all(INT64), all(INT16), all(BOOL)]);

static WRITE_TXN_MARKERS: Shape = shape(&[all(Kind::Array(&shape(&[
    all(INT64),
    all(INT16),
    all(BOOL),
    all(Kind::Array(&PARTITIONS)),
    all(INT32),
])))]);

static TXN_OFFSET_COMMIT: Shape = shape(&[
    all(Kind::Text),
    all(Kind::Text),
    all(INT64),
    all(INT16),
    since(3, INT32),
    since(3, Kind::Text),
    since(3, Kind::Text),
    all(Kind::Array(&shape(&[
        all(Kind::Text),
        all(Kind::Array(&shape(&[all(INT32), all(INT64), since(2, INT32), all(Kind::Text)]))),
    ]))),
]);

static DESCRIBE_PRODUCERS: Shape = shape(&[all(Kind::Array(&PARTITIONS))]);

static DESCRIBE_TRANSACTIONS: Shape = shape(&[all(Kind::Texts)]);

static LIST_TRANSACTIONS: Shape = shape(&[all(Kind::Texts), all(Kind::Numbers(8)), since(1, INT64)]);

/// The shape of an answer that one broker reads from another, and its first flexible version.
pub(crate) fn response(key: i16) -> Option<(&'static Shape, i16)> {
    let known = [
        (ApiKey::Fetch, &FETCH_RESPONSE, 12),
        (ApiKey::AddPartitionsToTxn, &ADD_PARTITIONS_TO_TXN_RESPONSE, 3),
        (ApiKey::WriteTxnMarkers, &WRITE_TXN_MARKERS_RESPONSE, 1),
    ];
    known.into_iter().find(|(known, ..)| *known as i16 == key).map(|(_, shape, flexible)| (shape, flexible))
}

static RESULTS: Shape = shape(&[all(Kind::Text), all(Kind::Array(&shape(&[all(INT32), all(INT16)])))]);

static ADD_PARTITIONS_TO_TXN_RESPONSE: Shape = shape(&[
    all(INT32),
    since(4, INT16),
    since(4, Kind::Array(&shape(&[all(Kind::Text), all(Kind::Array(&RESULTS))]))),
    until(3, Kind::Array(&RESULTS)),
]);

static WRITE_TXN_MARKERS_RESPONSE: Shape =
    shape(&[all(Kind::Array(&shape(&[all(INT64), all(Kind::Array(&RESULTS))])))]);

static FETCH_RESPONSE: Shape = shape(&[
    all(INT32),
    since(7, INT16),
    since(7, INT32),
    all(Kind::Array(&shape(&[
        until(12, Kind::Text),
        since(13, UUID),
        all(Kind::Array(&Shape {
            fields: &[
                all(INT32),
                all(INT16),
                all(INT64),
                all(INT64),
                since(5, INT64),
                all(Kind::Array(&shape(&[all(INT64), all(INT64)]))),
                since(11, INT32),
                all(Kind::Blob),
            ],
            // Diverging epoch, current leader, snapshot id.
            tags: &[
                (0, &shape(&[all(INT32), all(INT64)])),
                (1, &shape(&[all(INT32), all(INT32)])),
                (2, &shape(&[all(INT64), all(INT32)])),
            ],
        })),
    ]))),
]);
