//! What is recorded comes back, and only that.

use std::collections::BTreeMap;

use history::clock::ClockIdentity;
use history::{
    Application, ErrorCode, Event, FaultClass, LoadError, Nanos, NodeId, Note, Offset, Outcome, Partition,
    Phase, RecordError, Recorder, Role, Told,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use crate::sample::{UNGUARDED, acked, events, invoked, load, plan, record};

fn text() -> impl Strategy<Value = String> {
    any::<String>()
}

fn partition() -> impl Strategy<Value = Partition> {
    any::<u32>().prop_map(Partition)
}

fn offset() -> impl Strategy<Value = Offset> {
    any::<i64>().prop_map(Offset)
}

fn node() -> impl Strategy<Value = NodeId> {
    any::<i32>().prop_map(NodeId)
}

fn settings() -> impl Strategy<Value = BTreeMap<String, String>> {
    btree_map(text(), text(), 0..3)
}

fn of_a_session() -> impl Strategy<Value = Note> {
    let role = prop::sample::select(vec![Role::Runner, Role::Producer, Role::Admin]);
    prop_oneof![
        (role, any::<[u32; 3]>(), text(), settings()).prop_map(
            |(role, [index, session, pid], id, effective)| {
                let clock = ClockIdentity { boot_id: id.clone(), time_namespace: id, error_ns: None };
                Note::SessionStarted { role, index, session, pid, clock, effective }
            }
        ),
        Just(Note::SessionClosed),
        (any::<i32>(), text(), any::<bool>()).prop_map(|(code, text, fatal)| Note::ClientError {
            code: ErrorCode(code),
            text,
            fatal
        }),
        any::<u64>().prop_map(|total| Note::Retries { total }),
        (partition(), option::of(node()))
            .prop_map(|(partition, leader)| Note::ClientView { partition, leader }),
        any::<bool>().prop_map(|caught_up| Note::ReaderStopped { caught_up }),
        text().prop_map(|reason| Note::LoadStopped { reason }),
    ]
}

fn application() -> impl Strategy<Value = Application> {
    let role = prop::sample::select(vec![Role::Producer, Role::Reader]);
    (role, any::<u32>()).prop_map(|(role, index)| Application { role, index })
}

fn of_a_run() -> impl Strategy<Value = Note> {
    let phase = prop::sample::select(vec![Phase::SetUp, Phase::Load, Phase::Heal, Phase::End]);
    let class = prop::sample::select(vec![FaultClass::Kill, FaultClass::IsolateLeader]);
    prop_oneof![
        phase.prop_map(|phase| Note::PhaseEntered { phase }),
        (any::<u32>(), class, vec(node(), 0..3), vec(partition(), 0..3), vec(application(), 0..3)).prop_map(
            |(fault, class, nodes, partitions, applications)| Note::FaultInvoked {
                fault,
                class,
                nodes,
                partitions,
                applications
            }
        ),
        (any::<u32>(), vec(text(), 0..3)).prop_map(|(fault, by)| Note::FaultInjected { fault, by }),
        (any::<u32>(), any::<u64>(), any::<u64>()).prop_map(|(fault, connections, bytes)| {
            Note::FaultHealed { fault, connections, bytes, seen: Vec::new() }
        }),
        (any::<u32>(), text()).prop_map(|(fault, reason)| Note::FaultFailed { fault, reason }),
        (partition(), option::of(node()), any::<i32>(), vec(node(), 0..3), vec(node(), 0..3)).prop_map(
            |(partition, leader, epoch, isr, replicas)| Note::PartitionState {
                partition,
                leader,
                epoch,
                isr,
                replicas
            }
        ),
        (node(), any::<bool>()).prop_map(|(node, fenced)| Note::Fenced { node, fenced }),
        (node(), text()).prop_map(|(node, status)| Note::NodeDied { node, status }),
        settings().prop_map(|settings| Note::EffectiveTopic { settings }),
        (partition(), offset()).prop_map(|(partition, offset)| Note::FenceAcked { partition, offset }),
        (partition(), offset(), offset()).prop_map(|(partition, start, end)| Note::Watermarks {
            partition,
            start,
            end
        }),
        partition().prop_map(|partition| Note::Drained { partition }),
    ]
}

proptest! {
    #[test]
    fn every_note_comes_back(notes in vec(prop_oneof![of_a_session(), of_a_run()], 0..8)) {
        let dir = tempfile::tempdir().expect("a directory");
        let events: Vec<_> = notes.iter().cloned().map(Event::Note).collect();
        record(dir.path(), &events);
        let history = load(dir.path());
        prop_assert_eq!(&history.damage, &[]);
        let back: Vec<_> = history.sessions[0].notes.iter().map(|(_, note)| note.clone()).collect();
        prop_assert_eq!(back, notes);
    }
}

#[test]
fn sends_are_paired_and_a_missing_report_is_unknown() {
    let dir = tempfile::tempdir().expect("a directory");
    record(dir.path(), &events());
    let history = load(dir.path());
    assert_eq!(history.damage, []);
    let session = &history.sessions[0];
    assert_eq!((session.name().as_str(), session.closed), ("producer-0", true));
    let sends: Vec<_> = session.sends().collect();
    let [unreported, reported] = sends[..] else { panic!("two sends: {sends:?}") };
    assert_eq!((unreported.outcome, unreported.told), (Outcome::Unknown, Told::Nothing));
    assert_eq!((unreported.completed, unreported.key), (None, Some(0)));
    assert_eq!((reported.outcome, reported.told), (Outcome::Ok, Told::Acked));
    assert_eq!((reported.partition, reported.offset), (Some(Partition(1)), Some(Offset(1))));
    assert_eq!((reported.invoked, reported.completed), (Nanos(2_000_000), Some(Nanos(3_000_000))));
    assert_eq!(session.delivery(0).returned, Nanos(4_000_000));
    assert_eq!(session.notes.len(), 2);
}

#[test]
fn sequence_numbers_need_not_begin_at_zero() {
    let dir = tempfile::tempdir().expect("a directory");
    record(dir.path(), &[invoked(9), invoked(1), invoked(5), acked(5), acked(9), acked(1)]);
    let history = load(dir.path());
    assert_eq!(history.damage, []);
    assert!(history.sends().all(|send| send.offset == Some(Offset(send.tag.seq as i64))));
}

#[test]
fn segments_longer_than_several_chunks_come_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let rows: Vec<_> = (0..40_000).map(invoked).collect();
    record(dir.path(), &rows);
    let history = load(dir.path());
    assert_eq!(history.damage, []);
    assert!(history.sends().enumerate().all(|(number, send)| send.tag.seq == number as u64));
    assert_eq!(history.sends().count(), rows.len());
}

#[test]
fn sessions_are_ordered_by_role_index_and_session() {
    let dir = tempfile::tempdir().expect("a directory");
    for (role, index, session) in
        [(Role::Drain, 0, 0), (Role::Producer, 10, 0), (Role::Producer, 2, 1), (Role::Producer, 2, 0)]
    {
        drop(Recorder::create(dir.path(), role, index, session, UNGUARDED).expect("created"));
    }
    let names: Vec<_> = load(dir.path()).sessions.iter().map(history::Session::name).collect();
    assert_eq!(names, ["producer-2", "producer-2.1", "producer-10", "drain-0"]);
}

#[test]
fn an_empty_directory_is_an_empty_history_and_a_missing_one_is_an_error() {
    let dir = tempfile::tempdir().expect("a directory");
    let history = load(dir.path());
    assert!(history.sessions.is_empty() && history.damage.is_empty());
    assert!(matches!(history::load(plan(), &dir.path().join("none")), Err(LoadError::Io { .. })));
}

#[test]
fn one_session_can_be_looked_at_while_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let session = |index| history::load::session(folder.path(), Role::Producer, index, 0).unwrap();
    assert!(session(0).is_none());
    let mut recorder = Recorder::create(folder.path(), Role::Producer, 0, 0, UNGUARDED).unwrap();
    assert_eq!(session(0).expect("it has begun").send_count(), 0);
    (0..3).for_each(|seq| recorder.record(Nanos(seq), &invoked(seq)).unwrap());
    let seen = session(0).expect("it is there");
    assert_eq!((seen.send_count(), seen.closed), (3, false));
    assert!(session(1).is_none());
}

#[test]
fn a_session_on_record_is_never_overwritten() {
    let dir = tempfile::tempdir().expect("a directory");
    record(dir.path(), &events());
    let again = Recorder::create(dir.path(), Role::Producer, 0, 0, UNGUARDED);
    assert!(matches!(again, Err(RecordError::Exists { .. })), "{again:?}");
    assert_eq!(load(dir.path()).sends().count(), 2);
}

#[test]
fn the_size_guard_stops_new_work_and_still_takes_reports() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut recorder = Recorder::create(dir.path(), Role::Producer, 0, 0, 1000).expect("created");
    let mut sent = 0;
    let refused = loop {
        match recorder.record(Nanos(sent), &invoked(sent)) {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, RecordError::SizeGuard { max_bytes: 1000, .. }), "{refused:?}");
    assert!(refused.to_string().contains("(raise --max-disk)"), "{refused}");
    for seq in 0..sent {
        recorder.record(Nanos(sent + seq), &acked(seq)).expect("a report is still taken");
    }
    assert!(recorder.bytes() <= 2000, "{}", recorder.bytes());
    drop(recorder);
    let history = load(dir.path());
    assert_eq!(history.damage, []);
    assert_eq!(history.sends().filter(|send| send.told == Told::Acked).count() as u64, sent);
}

#[test]
fn a_disabled_recorder_leaves_nothing() {
    let mut recorder = Recorder::disabled();
    recorder.record(Nanos(0), &invoked(0)).expect("nothing to fail");
    assert_eq!(recorder.bytes(), 0);
}
