//! What a leader checks of a client's records, and what it changes in them, before they are appended: Apache
//! Kafka's `LogValidator`. It needs the records themselves, so it runs before the log is asked; the log then
//! says first what else is wrong (not the leader, too few replicas).

use std::collections::BTreeMap;

use bytes::Bytes;
use wire::batch::{Header, stamped};
use wire::records::Opened;

use super::batch::{Batch, BatchInfo};
use super::refusal::Refusal;
use super::settings::Settings;

/// The settings of a topic that concern its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordPolicy {
    /// `cleanup.policy` says `compact`: a record without a key could never be superseded.
    pub compacted: bool,
    /// `message.timestamp.type=LogAppendTime`: the broker stamps records.
    pub append_time: bool,
    /// `message.timestamp.before.max.ms`: how far behind the broker's clock a producer's timestamp may be.
    pub before_max_ms: i64,
    /// `message.timestamp.after.max.ms`: how far ahead.
    pub after_max_ms: i64,
    /// `compression.type` by Kafka's number; `None` keeps what the producer chose.
    pub codec: Option<i16>,
    /// `max.message.bytes`, before and after any change.
    pub max_bytes: u64,
}

/// Kafka's names of its codecs, by number.
const CODECS: [&str; 5] = ["uncompressed", "gzip", "snappy", "lz4", "zstd"];

impl RecordPolicy {
    /// The policy of a topic with these settings of its own.
    #[must_use]
    pub fn of(settings: &Settings, configs: &BTreeMap<String, String>) -> Self {
        let number = |name| i64::try_from(settings.topic_number(configs, name)).unwrap_or(i64::MAX);
        let codec = settings.topic(configs, "compression.type");
        Self {
            compacted: settings.topic_has(configs, "cleanup.policy", "compact"),
            append_time: settings.topic(configs, "message.timestamp.type") == "LogAppendTime",
            before_max_ms: number("message.timestamp.before.max.ms"),
            after_max_ms: number("message.timestamp.after.max.ms"),
            codec: (0..).zip(CODECS).find_map(|(number, name)| (name == codec).then_some(number)),
            max_bytes: settings.topic_number(configs, "max.message.bytes"),
        }
    }
}

/// What is wrong with one record of a batch (KIP-467).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordFault {
    /// Which, from 0.
    pub index: i32,
    /// In words.
    pub reason: &'static str,
}

/// A batch after its checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validated {
    /// As it is to be appended.
    pub batch: Batch,
    /// Why it must not be, once nothing else is wrong.
    pub refusal: Option<Refusal>,
    /// The records that are to blame, if single ones are.
    pub faults: Vec<RecordFault>,
    /// The time it was stamped with, in ms since 1970; -1 if its timestamps are the producer's own.
    pub stamped_ms: i64,
}

/// Checks a whole batch with a right checksum. `wall_ms` is the time of day, in ms since 1970.
#[must_use]
pub fn validate(header: &Header, bytes: Bytes, policy: &RecordPolicy, wall_ms: i64) -> Validated {
    // What is too large as it came is refused for that, without a look inside.
    let too_large = bytes.len() as u64 > policy.max_bytes;
    let outcome = if too_large { Ok(bytes.clone()) } else { prepared(header, &bytes, policy, wall_ms) };
    let (bytes, refusal, faults) = match outcome {
        Ok(prepared) => (prepared, None, Vec::new()),
        Err(Fault { refusal, records }) => (bytes, Some(refusal), records),
    };
    let header = Header::parse(&bytes).unwrap_or(*header);
    let stamped_ms = if policy.append_time { wall_ms } else { -1 };
    Validated { batch: Batch { info: BatchInfo::read(&header, &bytes), bytes }, refusal, faults, stamped_ms }
}

/// Why a batch is refused, and which of its records are to blame.
struct Fault {
    refusal: Refusal,
    records: Vec<RecordFault>,
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, records: Vec::new() }
    }
}

/// The batch as it is to be appended.
fn prepared(header: &Header, bytes: &Bytes, policy: &RecordPolicy, wall_ms: i64) -> Result<Bytes, Fault> {
    let counted = header.count >= 1 && header.count - 1 == header.last_offset_delta;
    // Offsets are the broker's to give.
    if !counted || header.is_control() || header.base_offset != 0 {
        return Err(Refusal::InvalidRecord.into());
    }
    // Apache Kafka has no other word for what it cannot decompress.
    let opened = Opened::of(bytes).map_err(|_| Refusal::UnknownServerError)?;
    let newest = inspect(&opened, policy, wall_ms)?;
    let codec = policy.codec.filter(|codec| *codec != header.compression());
    let recoded = codec.map(|codec| opened.recoded(codec).map_err(|_| Refusal::UnknownServerError));
    let bytes = recoded.transpose()?.unwrap_or_else(|| bytes.clone());
    let time = if policy.append_time { wall_ms } else { newest };
    let right = header.max_timestamp == time && header.is_log_append_time() == policy.append_time;
    Ok(if right { bytes } else { stamped(&bytes, time, policy.append_time) })
}

/// Looks at every record; the highest timestamp of them.
fn inspect(opened: &Opened, policy: &RecordPolicy, wall_ms: i64) -> Result<i64, Fault> {
    let header = opened.header();
    let mut untimely = false;
    let mut records = Vec::new();
    let mut newest = -1;
    let mut index = 0;
    let read = opened.inspect(|record| {
        newest = newest.max(record.timestamp);
        let age_ms = wall_ms.saturating_sub(record.timestamp);
        let timed = !policy.append_time && record.timestamp != -1;
        let reason = if record.offset != header.base_offset.saturating_add(i64::from(index)) {
            "its offset is not the next one"
        } else if policy.compacted && record.key.is_none() {
            "it has no key, and the topic is compacted"
        } else if timed && age_ms > policy.before_max_ms {
            untimely = true;
            "its timestamp is too far behind the time of day (see `message.timestamp.before.max.ms`)"
        } else if timed && age_ms.saturating_neg() > policy.after_max_ms {
            untimely = true;
            "its timestamp is too far ahead of the time of day (see `message.timestamp.after.max.ms`)"
        } else if policy.append_time && header.is_log_append_time() {
            untimely = true;
            "it claims that a broker has stamped it"
        } else {
            ""
        };
        if !reason.is_empty() {
            records.push(RecordFault { index, reason });
        }
        index += 1;
    });
    if read.is_err() {
        return Err(Refusal::InvalidRecord.into());
    }
    match records.is_empty() {
        true => Ok(newest),
        // A wrong time is what is told if both are wrong.
        false if untimely => Err(Fault { refusal: Refusal::InvalidTimestamp, records }),
        false => Err(Fault { refusal: Refusal::InvalidRecord, records }),
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use kafka_protocol::records::{
        Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
    };

    use super::*;

    const NOW_MS: i64 = 1_700_000_000_000;

    fn settings(pairs: &[(&str, &str)]) -> RecordPolicy {
        let configs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        RecordPolicy::of(&Settings::default(), &configs)
    }

    /// A batch of records with these keys and times.
    fn batch(records: &[(Option<&'static str>, i64)]) -> Bytes {
        let record = |(at, (key, timestamp)): (i64, &(Option<&'static str>, i64))| Record {
            transactional: false,
            control: false,
            partition_leader_epoch: -1,
            producer_id: -1,
            producer_epoch: -1,
            timestamp_type: TimestampType::Creation,
            offset: at,
            sequence: at as i32 - 1,
            timestamp: *timestamp,
            key: key.map(Bytes::from),
            value: Some(Bytes::from_static(b"a value, a value, a value, a value, a value, a value")),
            headers: Default::default(),
            delete_horizon: false,
        };
        let records: Vec<Record> = (0..).zip(records).map(record).collect();
        let mut out = BytesMut::new();
        let options = RecordEncodeOptions { version: 2, compression: Compression::None };
        RecordBatchEncoder::encode(&mut out, &records, &options).expect("encodes");
        out.freeze()
    }

    fn check(bytes: &Bytes, pairs: &[(&str, &str)]) -> Validated {
        validate(&Header::check(bytes).expect("whole"), bytes.clone(), &settings(pairs), NOW_MS)
    }

    /// The batch with some bytes of its header changed, and the checksum that fits.
    fn forged(bytes: &Bytes, at: usize, change: &[u8]) -> Bytes {
        let mut out = BytesMut::from(&bytes[..]);
        out[at..at + change.len()].copy_from_slice(change);
        let crc = crc32c::crc32c(&out[21..]);
        out[17..21].copy_from_slice(&crc.to_be_bytes());
        out.freeze()
    }

    #[test]
    fn what_is_right_is_appended_as_it_came() {
        let bytes = batch(&[(None, NOW_MS), (Some("k"), NOW_MS - 5)]);
        let found = check(&bytes, &[]);
        assert_eq!((found.refusal, found.stamped_ms), (None, -1));
        assert_eq!(found.batch.bytes, bytes);
    }

    #[test]
    fn a_compacted_topic_takes_no_record_without_a_key() {
        let bytes = batch(&[(Some("k"), NOW_MS), (None, NOW_MS)]);
        for policy in ["compact", "compact,delete"] {
            let found = check(&bytes, &[("cleanup.policy", policy)]);
            assert_eq!(found.refusal, Some(Refusal::InvalidRecord), "{policy}");
            assert_eq!(found.faults.iter().map(|fault| fault.index).collect::<Vec<_>>(), [1], "{policy}");
        }
        assert_eq!(check(&bytes, &[("cleanup.policy", "delete")]).refusal, None);
    }

    #[test]
    fn timestamps_too_far_from_the_time_of_day_are_refused_and_none_is_none() {
        let hour = 3_600_000;
        let refusal = |time, pairs: &[(&str, &str)]| check(&batch(&[(None, time)]), pairs).refusal;
        assert_eq!(refusal(NOW_MS + hour, &[]), None);
        assert_eq!(refusal(NOW_MS + hour + 1, &[]), Some(Refusal::InvalidTimestamp));
        assert_eq!(refusal(0, &[]), None, "the past has no limit unless one is set");
        let before = [("message.timestamp.before.max.ms", "1000")];
        assert_eq!(refusal(NOW_MS - 1_000, &before), None);
        assert_eq!(refusal(NOW_MS - 1_001, &before), Some(Refusal::InvalidTimestamp));
        assert_eq!(refusal(-1, &before), None);
        let stamped = [("message.timestamp.type", "LogAppendTime"), before[0]];
        assert_eq!(refusal(0, &stamped), None, "the producer's clock does not matter then");
    }

    #[test]
    fn the_broker_stamps_if_the_topic_says_so_and_corrects_a_wrong_maximum() {
        let bytes = batch(&[(None, 5), (None, 7)]);
        let found = check(&bytes, &[("message.timestamp.type", "LogAppendTime")]);
        assert_eq!((found.refusal, found.stamped_ms), (None, NOW_MS));
        let header = Header::check(&found.batch.bytes).expect("a right checksum");
        assert!(header.is_log_append_time());
        assert_eq!((header.max_timestamp, found.batch.info.max_timestamp), (NOW_MS, NOW_MS));
        let again = check(&found.batch.bytes, &[("message.timestamp.type", "LogAppendTime")]);
        assert_eq!(again.refusal, Some(Refusal::InvalidTimestamp), "a producer must not claim it");
        let lying = forged(&bytes, 35, &9_i64.to_be_bytes());
        assert_eq!(check(&lying, &[]).batch.bytes, bytes);
    }

    #[test]
    fn batches_are_recoded_as_the_topic_says() {
        let plain = batch(&[(None, 5), (None, 7)]);
        for (name, number) in [("gzip", 1), ("snappy", 2), ("lz4", 3), ("zstd", 4)] {
            let packed = check(&plain, &[("compression.type", name)]).batch;
            let header = Header::check(&packed.bytes).expect("a right checksum");
            assert_eq!((header.compression(), packed.info.size as usize), (number, packed.bytes.len()));
            assert_eq!(check(&packed.bytes, &[("compression.type", "uncompressed")]).batch.bytes, plain);
            assert_eq!(check(&packed.bytes, &[]).batch.bytes, packed.bytes, "the producer's choice stays");
        }
    }

    #[test]
    fn records_must_add_up() {
        let bytes = batch(&[(None, 5), (None, 7)]);
        let refusal = |bytes: &Bytes| {
            let header = Header::parse(bytes).expect("a header");
            validate(&header, bytes.clone(), &settings(&[]), NOW_MS).refusal
        };
        assert_eq!(refusal(&bytes), None);
        let invalid = Some(Refusal::InvalidRecord);
        assert_eq!(refusal(&forged(&bytes, 57, &0_i32.to_be_bytes())), invalid, "no records");
        assert_eq!(refusal(&forged(&bytes, 57, &1_i32.to_be_bytes())), invalid, "fewer than offsets");
        assert_eq!(refusal(&forged(&bytes, 22, &[0x20])), invalid, "a control batch");
        assert_eq!(refusal(&forged(&bytes, 0, &50_i64.to_be_bytes())), invalid, "an offset of its own");
        assert_eq!(refusal(&forged(&bytes, 22, &[7])), Some(Refusal::UnknownServerError), "an unknown codec");
        // More records than there are, and fewer: the header agrees with itself.
        for count in [1_i32, 3] {
            let delta = forged(&bytes, 23, &(count - 1).to_be_bytes());
            assert_eq!(refusal(&forged(&delta, 57, &count.to_be_bytes())), invalid, "{count} records");
        }
        // The offset delta of the first record: after its length, attributes and time.
        assert_eq!(refusal(&forged(&bytes, wire::batch::HEADER + 3, &[2])), invalid, "an offset twice");
    }

    #[test]
    fn what_is_too_large_is_left_to_the_log_to_refuse() {
        let bytes = batch(&[(None, NOW_MS + 9_000_000_000)]);
        assert_eq!(check(&bytes, &[("max.message.bytes", "10")]).refusal, None);
    }
}
