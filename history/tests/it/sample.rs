//! Small histories to record.

use std::path::Path;

use history::{
    Cell, Contents, ErrorCode, Event, History, Load, Nanos, Note, Offset, Outcome, Partition, Phase, Plan,
    Profile, Recorder, Role, RunHash, Tag, TargetKind, Told,
};

/// No limit.
pub(crate) const UNGUARDED: u64 = u64::MAX;

pub(crate) fn plan() -> Plan {
    Plan {
        version: history::plan::PLAN_VERSION,
        run: "test".to_owned(),
        run_hash: RunHash(1),
        seed: 1,
        target: TargetKind::Reference,
        bootstrap: None,
        nodes: 3,
        workload: "log".to_owned(),
        nemeses: Vec::new(),
        checkers: Vec::new(),
        load: Load {
            duration_ms: 1000,
            rate: None,
            records: None,
            producers: 1,
            readers: 1,
            partitions: 4,
            payload_bytes: 100,
            keys: 0,
            sync: false,
        },
        cell: Cell::default(),
        profile: Profile::Short,
        profile_settings: Vec::new(),
        topic: "t".to_owned(),
        flaw: None,
        schedule: Vec::new(),
        rerun: String::new(),
    }
}

pub(crate) fn load(dir: &Path) -> History {
    history::load(plan(), dir).expect("the history loads")
}

pub(crate) fn tag(seq: u64) -> Tag {
    Tag { producer: 0, session: 0, seq }
}

pub(crate) fn invoked(seq: u64) -> Event {
    Event::SendInvoked {
        tag: tag(seq),
        partition: Some(Partition(seq as u32 % 4)),
        key: Some(seq * 3),
        payload_bytes: 100,
        intended: Nanos(seq * 10),
    }
}

pub(crate) fn acked(seq: u64) -> Event {
    Event::SendCompleted {
        tag: tag(seq),
        partition: None,
        offset: Some(Offset(seq as i64)),
        outcome: Outcome::Ok,
        told: Told::Acked,
        error: ErrorCode::NONE,
    }
}

/// Notes, two sends, one of them never reported on, and a delivery.
pub(crate) fn events() -> Vec<Event> {
    vec![
        Event::Note(Note::PhaseEntered { phase: Phase::Load }),
        invoked(0),
        invoked(1),
        acked(1),
        Event::Delivered {
            polled: Nanos(5),
            partition: Partition(1),
            offset: Offset(1),
            tag: Some(tag(1)),
            contents: Contents::Intact,
        },
        Event::Note(Note::SessionClosed),
    ]
}

/// Records `events` as `producer-0`, a millisecond apart, and seals the segment.
pub(crate) fn record(dir: &Path, events: &[Event]) {
    let mut recorder =
        Recorder::create(dir, Role::Producer, 0, 0, UNGUARDED).expect("the segment is created");
    for (number, event) in events.iter().enumerate() {
        recorder.record(Nanos(number as u64 * 1_000_000), event).expect("the event is recorded");
    }
}
