//! The records of `__consumer_offsets`, in Kafka's own schemas (`OffsetCommitKey.json` and its neighbours in
//! Apache Kafka's `group-coordinator`), so that other people's tools can read the topic.

use bytes::Bytes;

use super::super::{Entry, Reader, Writer};
use super::offsets::{Committed, Place};

const OFFSET_COMMIT: i16 = 1;
const GROUP_METADATA: i16 = 2;

/// A classic group as it is written down: what a new coordinator must know to let its members go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredGroup {
    pub(super) protocol_type: String,
    pub(super) generation: i32,
    pub(super) protocol: Option<String>,
    pub(super) leader: Option<String>,
    /// Time of day of the last change of its state, ms; -1 is not known.
    pub(super) state_ms: i64,
    pub(super) members: Vec<StoredMember>,
}

/// A member in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredMember {
    pub(super) id: String,
    pub(super) instance: Option<String>,
    pub(super) client_id: String,
    pub(super) client_host: String,
    pub(super) rebalance_ms: i32,
    pub(super) session_ms: i32,
    /// Its metadata under the selected protocol.
    pub(super) subscription: Bytes,
    pub(super) assignment: Bytes,
}

/// A record that was understood; no value is a tombstone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stored {
    Offset { group: String, place: Place, committed: Option<Committed> },
    Group { group: String, stored: Option<StoredGroup> },
}

pub(super) fn offset(group: &str, place: &Place, committed: Option<&Committed>) -> Entry {
    let key = Writer::new(OFFSET_COMMIT).text(group).text(&place.0).i32(place.1).done();
    let value = committed.map(|committed| match committed.expire_ms {
        // Only version 1 has room for it, and none for the leader epoch.
        Some(expire_ms) => Writer::new(1)
            .i64(committed.offset)
            .text(&committed.metadata)
            .i64(committed.commit_ms)
            .i64(expire_ms)
            .done(),
        None => Writer::new(3)
            .i64(committed.offset)
            .i32(committed.leader_epoch)
            .text(&committed.metadata)
            .i64(committed.commit_ms)
            .done(),
    });
    Entry { key, value }
}

pub(super) fn group(group: &str, stored: Option<&StoredGroup>) -> Entry {
    let key = Writer::new(GROUP_METADATA).text(group).done();
    let value = stored.map(|stored| {
        let mut out = Writer::new(3)
            .text(&stored.protocol_type)
            .i32(stored.generation)
            .maybe_text(stored.protocol.as_deref())
            .maybe_text(stored.leader.as_deref())
            .i64(stored.state_ms)
            .i32(i32::try_from(stored.members.len()).unwrap_or(i32::MAX));
        for member in &stored.members {
            out = out
                .text(&member.id)
                .maybe_text(member.instance.as_deref())
                .text(&member.client_id)
                .text(&member.client_host)
                .i32(member.rebalance_ms)
                .i32(member.session_ms)
                .blob(&member.subscription)
                .blob(&member.assignment);
        }
        out.done()
    });
    Entry { key, value }
}

/// What a record says; `None` if it is of a kind or version that is not known here.
pub(super) fn read(entry: Entry) -> Option<Stored> {
    let mut key = Reader::new(entry.key);
    match key.i16()? {
        0 | OFFSET_COMMIT => {
            let (group, topic, partition) = (key.text()?, key.text()?, key.i32()?);
            let committed = match entry.value {
                Some(value) => Some(read_offset(Reader::new(value))?),
                None => None,
            };
            Some(Stored::Offset { group, place: (topic, partition), committed })
        }
        GROUP_METADATA => {
            let group = key.text()?;
            let stored = match entry.value {
                Some(value) => Some(read_group(Reader::new(value))?),
                None => None,
            };
            Some(Stored::Group { group, stored })
        }
        _ => None,
    }
}

fn read_offset(mut value: Reader) -> Option<Committed> {
    let version = value.i16().filter(|version| (0..=3).contains(version))?;
    Some(Committed {
        offset: value.i64()?,
        leader_epoch: if version == 3 { value.i32()? } else { -1 },
        metadata: value.text()?,
        commit_ms: value.i64()?,
        expire_ms: if version == 1 { Some(value.i64()?).filter(|at| *at >= 0) } else { None },
    })
}

fn read_group(mut value: Reader) -> Option<StoredGroup> {
    let version = value.i16().filter(|version| (0..=3).contains(version))?;
    let mut stored = StoredGroup {
        protocol_type: value.text()?,
        generation: value.i32()?,
        protocol: value.maybe_text()?,
        leader: value.maybe_text()?,
        state_ms: if version >= 2 { value.i64()? } else { -1 },
        members: Vec::new(),
    };
    for _ in 0..value.i32()? {
        let id = value.text()?;
        let instance = if version >= 3 { value.maybe_text()? } else { None };
        let (client_id, client_host) = (value.text()?, value.text()?);
        let rebalance_ms = if version >= 1 { Some(value.i32()?) } else { None };
        let session_ms = value.i32()?;
        stored.members.push(StoredMember {
            id,
            instance,
            client_id,
            client_host,
            rebalance_ms: rebalance_ms.unwrap_or(session_ms),
            session_ms,
            subscription: value.blob()?,
            assignment: value.blob()?,
        });
    }
    Some(stored)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let place = ("orders".to_owned(), 3);
        for (leader_epoch, expire_ms) in [(4, None), (-1, Some(99))] {
            let metadata = "note".to_owned();
            let committed = Committed { offset: 17, leader_epoch, metadata, commit_ms: 5, expire_ms };
            let stored = Stored::Offset {
                group: "g".to_owned(),
                place: place.clone(),
                committed: Some(committed.clone()),
            };
            assert_eq!(read(offset("g", &place, Some(&committed))), Some(stored));
        }
        let member = StoredMember {
            id: "m-1".to_owned(),
            instance: Some("i".to_owned()),
            client_id: "c".to_owned(),
            client_host: "/127.0.0.1".to_owned(),
            rebalance_ms: 1,
            session_ms: 2,
            subscription: Bytes::from_static(b"s"),
            assignment: Bytes::from_static(b"a"),
        };
        let written = StoredGroup {
            protocol_type: "consumer".to_owned(),
            generation: 7,
            protocol: Some("range".to_owned()),
            leader: None,
            state_ms: 12,
            members: vec![member],
        };
        let stored = Stored::Group { group: "g".to_owned(), stored: Some(written.clone()) };
        assert_eq!(read(group("g", Some(&written))), Some(stored));
        assert_eq!(read(group("g", None)), Some(Stored::Group { group: "g".to_owned(), stored: None }));
    }

    #[test]
    fn a_record_of_another_kind_is_passed_over() {
        let key = Writer::new(77).text("g").done();
        assert_eq!(read(Entry { key, value: None }), None);
    }
}
