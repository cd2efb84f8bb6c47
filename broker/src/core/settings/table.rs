//! The table itself. Defaults are those of Apache Kafka 4.1.2 (its own DescribeConfigs).

use super::{Kind, Setting};

const fn at_broker(name: &'static str, default: &'static str, kind: Kind, doc: &'static str) -> Setting {
    Setting { broker: name, topic: "", default, kind, accepts: &[], doc }
}

const fn at_both(
    broker: &'static str,
    topic: &'static str,
    default: &'static str,
    kind: Kind,
    doc: &'static str,
) -> Setting {
    Setting { broker, topic, default, kind, accepts: &[], doc }
}

const fn only(mut setting: Setting, accepts: &'static [&'static str]) -> Setting {
    setting.accepts = accepts;
    setting
}

const FOREVER: &str = "9223372036854775807";

/// Every setting, by broker name.
pub static SETTINGS: &[Setting] = &[
    at_broker("auto.create.topics.enable", "true", Kind::Boolean, "create a topic that a client asks about"),
    at_broker(
        "auto.leader.rebalance.enable",
        "true",
        Kind::Boolean,
        "now and then give every partition back to its preferred leader",
    ),
    at_broker(
        "broker.heartbeat.interval.ms",
        "2000",
        Kind::Int(1),
        "how often a broker tells the controller that it lives",
    ),
    at_broker(
        "broker.session.timeout.ms",
        "9000",
        Kind::Int(1),
        "without a heartbeat for so long a broker is fenced",
    ),
    only(
        at_both(
            "compression.type",
            "compression.type",
            "producer",
            Kind::Word,
            "the codec of what is appended, at its usual level; `producer` keeps what was sent",
        ),
        &["producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"],
    ),
    at_broker(
        "controlled.shutdown.enable",
        "true",
        Kind::Boolean,
        "a broker that is told to end gives away what it leads first",
    ),
    at_broker(
        "default.replication.factor",
        "1",
        Kind::Int(1),
        "replicas of a topic created without saying how many",
    ),
    at_broker("delete.topic.enable", "true", Kind::Boolean, "whether topics can be deleted"),
    at_broker(
        "eligible.leader.replicas.version",
        "0",
        Kind::Int(0),
        "from 1 on, replicas that left a small ISR may lead, and its high watermark stands still (KIP-966)",
    ),
    at_broker(
        "group.consumer.heartbeat.interval.ms",
        "5000",
        Kind::Int(1),
        "how often members of a consumer group are told to heartbeat",
    ),
    at_broker("group.consumer.max.size", "2147483647", Kind::Int(1), "most members of a consumer group"),
    at_broker(
        "group.consumer.session.timeout.ms",
        "45000",
        Kind::Int(1),
        "without a heartbeat for so long a member of a consumer group is out",
    ),
    at_broker(
        "group.initial.rebalance.delay.ms",
        "3000",
        Kind::Int(0),
        "first wait for members of a new group",
    ),
    at_broker(
        "group.max.session.timeout.ms",
        "1800000",
        Kind::Int(1),
        "longest session a member may ask for",
    ),
    at_broker("group.max.size", "2147483647", Kind::Int(1), "most members of a classic group"),
    at_broker("group.min.session.timeout.ms", "6000", Kind::Int(1), "shortest session a member may ask for"),
    at_broker(
        "leader.imbalance.check.interval.seconds",
        "300",
        Kind::Long(1),
        "how often preferred leaders are elected",
    ),
    at_broker("log.cleaner.backoff.ms", "15000", Kind::Long(0), "how often logs to compact are looked for"),
    at_broker(
        "log.cleaner.dedupe.buffer.size",
        "134217728",
        Kind::Long(1),
        "memory for the keys of one compaction; what does not fit waits for the next",
    ),
    at_both(
        "log.cleaner.delete.retention.ms",
        "delete.retention.ms",
        "86400000",
        Kind::Long(0),
        "tombstones and markers stay for so long after the compaction that meets them first",
    ),
    at_broker("log.cleaner.enable", "true", Kind::Boolean, "compact topics whose `cleanup.policy` says so"),
    at_both(
        "log.cleaner.max.compaction.lag.ms",
        "max.compaction.lag.ms",
        FOREVER,
        Kind::Long(1),
        "a record older than that is compacted whatever the dirty ratio",
    ),
    at_both(
        "log.cleaner.min.cleanable.ratio",
        "min.cleanable.dirty.ratio",
        "0.5",
        Kind::Ratio,
        "a log is compacted once more than this share of it is dirty",
    ),
    at_both(
        "log.cleaner.min.compaction.lag.ms",
        "min.compaction.lag.ms",
        "0",
        Kind::Long(0),
        "a record younger than that is not compacted",
    ),
    only(
        at_both("log.cleanup.policy", "cleanup.policy", "delete", Kind::Word, "what becomes of old records"),
        &["delete", "compact", "compact,delete", "delete,compact"],
    ),
    at_both(
        "log.flush.interval.messages",
        "flush.messages",
        FOREVER,
        Kind::Long(1),
        "fsync after so many records",
    ),
    at_both("log.flush.interval.ms", "flush.ms", FOREVER, Kind::Long(0), "fsync after so long"),
    at_broker(
        "log.flush.offset.checkpoint.interval.ms",
        "60000",
        Kind::Int(0),
        "how often it is written down up to where logs are known to be good",
    ),
    at_both(
        "log.message.timestamp.after.max.ms",
        "message.timestamp.after.max.ms",
        "3600000",
        Kind::Long(0),
        "a record stamped further ahead of the broker's clock is refused",
    ),
    at_both(
        "log.message.timestamp.before.max.ms",
        "message.timestamp.before.max.ms",
        FOREVER,
        Kind::Long(0),
        "a record stamped further behind the broker's clock is refused",
    ),
    only(
        at_both(
            "log.message.timestamp.type",
            "message.timestamp.type",
            "CreateTime",
            Kind::Word,
            "whose clock stamps a record",
        ),
        &["CreateTime", "LogAppendTime"],
    ),
    at_both(
        "log.retention.bytes",
        "retention.bytes",
        "-1",
        Kind::Long(-1),
        "old segments go while a partition is larger than that without them; -1 keeps them",
    ),
    at_broker(
        "log.retention.check.interval.ms",
        "300000",
        Kind::Long(1),
        "how often segments that may be deleted are looked for",
    ),
    at_both(
        "log.retention.ms",
        "retention.ms",
        "604800000",
        Kind::Long(-1),
        "segments go once their newest record is older; -1 keeps them",
    ),
    at_both(
        "log.roll.ms",
        "segment.ms",
        "604800000",
        Kind::Long(1),
        "a segment is full once it spans so long",
    ),
    at_both(
        "log.segment.bytes",
        "segment.bytes",
        "1073741824",
        Kind::Int(1_048_576),
        "size of a segment file",
    ),
    at_both(
        "message.max.bytes",
        "max.message.bytes",
        "1048588",
        Kind::Int(0),
        "largest batch a producer may send",
    ),
    at_both(
        "min.insync.replicas",
        "min.insync.replicas",
        "1",
        Kind::Int(1),
        "with fewer in-sync replicas acks=all is refused",
    ),
    at_broker("num.partitions", "1", Kind::Int(1), "partitions of a topic created without saying how many"),
    at_broker(
        "offset.metadata.max.bytes",
        "4096",
        Kind::Int(0),
        "longest note a client may add to an offset",
    ),
    at_broker(
        "offsets.commit.timeout.ms",
        "5000",
        Kind::Int(1),
        "longest wait for an offset commit to be replicated",
    ),
    at_broker(
        "offsets.retention.check.interval.ms",
        "600000",
        Kind::Long(1),
        "how often offsets that may go are looked for",
    ),
    at_broker("offsets.retention.minutes", "10080", Kind::Int(1), "how long offsets nobody uses are kept"),
    at_broker("offsets.topic.num.partitions", "50", Kind::Int(1), "partitions of `__consumer_offsets`"),
    at_broker(
        "offsets.topic.replication.factor",
        "3",
        Kind::Int(1),
        "replicas of `__consumer_offsets`, as far as there are brokers",
    ),
    at_broker(
        "offsets.topic.segment.bytes",
        "104857600",
        Kind::Int(1),
        "size of a segment file of `__consumer_offsets`",
    ),
    at_broker(
        "producer.id.expiration.check.interval.ms",
        "600000",
        Kind::Int(1),
        "how often producers that may be forgotten are looked for",
    ),
    at_broker(
        "producer.id.expiration.ms",
        "86400000",
        Kind::Int(1),
        "a producer that has written nothing to a partition for so long is forgotten there",
    ),
    at_broker("replica.fetch.backoff.ms", "1000", Kind::Int(0), "wait after a failed fetch from a leader"),
    at_broker("replica.fetch.max.bytes", "1048576", Kind::Int(0), "most bytes of a partition in a fetch"),
    at_broker(
        "replica.fetch.min.bytes",
        "1",
        Kind::Int(0),
        "bytes a leader waits for before it answers a replica",
    ),
    at_broker(
        "replica.fetch.response.max.bytes",
        "10485760",
        Kind::Int(0),
        "most bytes in the answer to a replica's fetch",
    ),
    at_broker(
        "replica.fetch.wait.max.ms",
        "500",
        Kind::Int(0),
        "longest a leader lets a replica's fetch wait",
    ),
    at_broker(
        "replica.high.watermark.checkpoint.interval.ms",
        "5000",
        Kind::Long(1),
        "how often high watermarks are written down",
    ),
    at_broker(
        "replica.lag.time.max.ms",
        "30000",
        Kind::Long(1),
        "a follower that has not caught up for so long leaves the ISR",
    ),
    at_broker(
        "replica.socket.timeout.ms",
        "30000",
        Kind::Int(1),
        "longest wait for a leader's answer to a replica's fetch",
    ),
    at_broker(
        "request.timeout.ms",
        "30000",
        Kind::Int(1),
        "longest wait for a write of the transaction coordinator and for its markers",
    ),
    at_broker(
        "transaction.abort.timed.out.transaction.cleanup.interval.ms",
        "10000",
        Kind::Int(1),
        "how often transactions that are open for too long are looked for",
    ),
    at_broker(
        "transaction.max.timeout.ms",
        "900000",
        Kind::Int(1),
        "longest time-out of transactions that a producer may ask for",
    ),
    at_broker(
        "transaction.partition.verification.enable",
        "true",
        Kind::Boolean,
        "refuse records of a transaction whose coordinator does not know that the partition is part of it",
    ),
    at_broker(
        "transaction.remove.expired.transaction.cleanup.interval.ms",
        "3600000",
        Kind::Int(1),
        "how often transactional ids that may be forgotten are looked for",
    ),
    at_broker(
        "transaction.state.log.min.isr",
        "2",
        Kind::Int(1),
        "`min.insync.replicas` of `__transaction_state`, as far as there are replicas",
    ),
    at_broker(
        "transaction.state.log.num.partitions",
        "50",
        Kind::Int(1),
        "partitions of `__transaction_state`",
    ),
    at_broker(
        "transaction.state.log.replication.factor",
        "3",
        Kind::Int(1),
        "replicas of `__transaction_state`, as far as there are brokers",
    ),
    at_broker(
        "transaction.state.log.segment.bytes",
        "104857600",
        Kind::Int(1),
        "size of a segment file of `__transaction_state`",
    ),
    only(
        at_broker(
            "transaction.version",
            "1",
            Kind::Word,
            "the finalized feature of that name; 2 raises the producer's epoch with every transaction (KIP-890)",
        ),
        &["1", "2"],
    ),
    at_broker(
        "transactional.id.expiration.ms",
        "604800000",
        Kind::Int(1),
        "a transactional id that nobody has used for so long is forgotten",
    ),
    at_both(
        "unclean.leader.election.enable",
        "unclean.leader.election.enable",
        "false",
        Kind::Boolean,
        "elect a replica outside the ISR when no member of it lives",
    ),
];
