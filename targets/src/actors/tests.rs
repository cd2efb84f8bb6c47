//! The actors against librdkafka's own mock cluster, each in a thread of this process: real clients and real
//! sockets, and a history that is read back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use history::plan::PLAN_VERSION;
use history::{
    Cell, Contents, Function, History, Load, Note, Offset, Outcome, Partition, Plan, Profile, Role, RunHash,
    Tag, TargetKind, Told, clock,
};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaErrorCode, RDKafkaRespErr};

use super::entry::{ActorError, act};
use super::protocol::{ActorEvent, ActorSpec, AdminReply, AdminRequest, Command, Job, Totals};

const TOPIC: &str = "highwater-test";
const PARTITIONS: u32 = 4;
const DEADLINE: Duration = Duration::from_secs(30);

/// A plan of so many records, sent as fast as the client takes them.
pub(super) fn plan(records: u64) -> Plan {
    let mut cell = Cell::default();
    cell.producer.insert("acks".to_owned(), "all".to_owned());
    // As long as any step of a test may take on a busy machine.
    cell.producer.insert("delivery.timeout.ms".to_owned(), "30000".to_owned());
    Plan {
        version: PLAN_VERSION,
        run: "test".to_owned(),
        run_hash: RunHash(11),
        seed: 7,
        target: TargetKind::Kafka,
        bootstrap: None,
        nodes: 3,
        workload: "log".to_owned(),
        nemeses: Vec::new(),
        checkers: Vec::new(),
        load: Load {
            duration_ms: 60_000,
            rate: None,
            records: Some(records),
            producers: 1,
            readers: 1,
            partitions: PARTITIONS,
            payload_bytes: 100,
            keys: 0,
            sync: false,
        },
        cell,
        profile: Profile::Short,
        profile_settings: Vec::new(),
        topic: TOPIC.to_owned(),
        flaw: None,
        schedule: Vec::new(),
        rerun: String::new(),
    }
}

/// The spec of an actor that records in `history`.
pub(super) fn spec(plan: &Plan, job: Job, index: u32, history: &Path) -> ActorSpec {
    ActorSpec {
        parent: std::process::id(),
        job,
        index,
        session: 0,
        sent_before: 0,
        plan: plan.clone(),
        partitions: plan.load.partitions,
        bootstrap: plan.bootstrap.clone().unwrap_or_default(),
        verbatim: BTreeMap::new(),
        history: Some(history.to_owned()),
        history_bytes_max: 1 << 26,
    }
}

fn mock() -> MockCluster<'static, DefaultProducerContext> {
    let cluster = MockCluster::new(3).expect("a mock cluster");
    cluster.create_topic(TOPIC, PARTITIONS as i32, 3).expect("a topic");
    cluster
}

fn on(cluster: &MockCluster<'static, DefaultProducerContext>, records: u64) -> Plan {
    Plan { bootstrap: Some(cluster.bootstrap_servers()), ..plan(records) }
}

/// An actor in a thread.
struct Running {
    thread: JoinHandle<Result<(), ActorError>>,
    commands: Sender<Command>,
    events: Receiver<ActorEvent>,
}

impl Running {
    /// Starts an actor, and waits until it is ready.
    fn start(spec: ActorSpec) -> Self {
        let (commands, listened) = mpsc::channel();
        let (tell, events) = mpsc::channel();
        let thread =
            thread::spawn(move || act(spec, listened, Box::new(move |event| drop(tell.send(event.clone())))));
        let running = Self { thread, commands, events };
        running.hear("it is ready", |event| (*event == ActorEvent::Ready).then_some(()));
        running
    }

    fn tell(&self, command: Command) {
        self.commands.send(command).expect("the actor listens");
    }

    fn hear<T>(&self, what: &str, mut pick: impl FnMut(&ActorEvent) -> Option<T>) -> T {
        let begun = clock::now();
        loop {
            let waited = Duration::from_nanos(clock::now().since(begun));
            let left =
                DEADLINE.checked_sub(waited).unwrap_or_else(|| panic!("deadline passed before {what}"));
            let event = self.events.recv_timeout(left).unwrap_or_else(|e| panic!("before {what}: {e}"));
            if let Some(found) = pick(&event) {
                return found;
            }
        }
    }

    fn finish(self) -> Totals {
        let totals = self.hear("it is done", |event| match event {
            ActorEvent::Done { totals, .. } => Some(*totals),
            _ => None,
        });
        self.thread.join().expect("no panic").expect("no error");
        totals
    }
}

/// Runs a producer from start to end.
fn produce(plan: &Plan, index: u32, history: &Path) -> Totals {
    let producer = Running::start(spec(plan, Job::Producer, index, history));
    producer.tell(Command::Go { start: clock::now() });
    producer.finish()
}

/// Has the fences written.
fn fence(plan: &Plan, history: &Path) -> BTreeMap<Partition, Offset> {
    let admin = Running::start(spec(plan, Job::Admin, 0, history));
    admin.tell(Command::Admin {
        id: 9,
        request: AdminRequest::Fence { partitions: PARTITIONS, timeout_ms: 20_000 },
    });
    let fences = admin.hear("the fences are written", |event| match event {
        ActorEvent::Reply { id: 9, reply: AdminReply::Fences { fences } } => Some(fences.clone()),
        _ => None,
    });
    admin.tell(Command::Stop);
    admin.finish();
    fences
}

fn load(plan: &Plan, history: &Path) -> History {
    let history = history::load(plan.clone(), history).expect("a readable history");
    assert_eq!(history.damage, []);
    history
}

/// What a role was handed, and that all of it is whole and in the order of the log.
fn delivered(history: &History, role: Role) -> BTreeMap<Tag, (Partition, Offset)> {
    let mut next: BTreeMap<Partition, Offset> = BTreeMap::new();
    let mut tags = BTreeMap::new();
    for delivery in history.of(role).flat_map(|session| session.deliveries()) {
        assert_eq!(delivery.contents, Contents::Intact);
        assert!(delivery.polled <= delivery.returned);
        let expected = next.entry(delivery.partition).or_default();
        assert_eq!(delivery.offset, *expected);
        expected.0 += 1;
        let tag = delivery.tag.expect("an intact record has a tag");
        assert_eq!(tags.insert(tag, (delivery.partition, delivery.offset)), None, "{tag} is there once");
    }
    tags
}

fn noted(history: &History, role: Role, wanted: impl Fn(&Note) -> bool) -> usize {
    history.of(role).flat_map(|session| &session.notes).filter(|(_, note)| wanted(note)).count()
}

#[test]
fn what_producers_send_is_followed_fenced_and_drained() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = mock();
    let mut plan = on(&cluster, 1000);
    plan.load.producers = 2;
    let reader = Running::start(spec(&plan, Job::Reader, 0, folder.path()));
    let totals: Vec<_> = (0..2).map(|index| produce(&plan, index, folder.path())).collect();
    assert!(totals.iter().all(|totals| (totals.sent, totals.acked, totals.in_doubt) == (500, 500, 0)));
    let fences = fence(&plan, folder.path());
    assert_eq!(fences.len(), PARTITIONS as usize);
    reader.tell(Command::Finish { fences: fences.clone(), deadline_ms: 20_000 });
    assert_eq!(reader.finish().delivered, 1000, "fences are not counted");
    let drain = Job::Drain { fences: fences.clone(), deadline_ms: 20_000 };
    Running::start(spec(&plan, drain, 0, folder.path())).finish();

    let history = load(&plan, folder.path());
    let log = delivered(&history, Role::Drain);
    assert_eq!(log, delivered(&history, Role::Reader));
    let mut sent = BTreeSet::new();
    for send in history.sends() {
        assert_eq!((send.outcome, send.told), (Outcome::Ok, Told::Acked));
        assert!(send.invoked <= send.completed.expect("it was reported on"));
        assert_eq!(log[&send.tag], (send.partition.expect("known"), send.offset.expect("known")));
        sent.insert(send.tag);
    }
    assert_eq!((sent.len(), log.len()), (1000, 1000 + fences.len()));
    assert!(history.sessions.iter().all(|session| session.closed));
    assert!(history.of(Role::Producer).all(|session| session.effective["acks"] == "-1"));
    assert_eq!(noted(&history, Role::Drain, |note| matches!(note, Note::Drained { .. })), 4);
    assert_eq!(noted(&history, Role::Drain, |note| matches!(note, Note::Watermarks { .. })), 4);
    assert_eq!(noted(&history, Role::Reader, |note| *note == Note::ReaderStopped { caught_up: true }), 1);
    for (partition, offset) in fences {
        let fenced = Note::FenceAcked { partition, offset };
        assert_eq!(noted(&history, Role::Admin, |note| *note == fenced), 1);
    }
}

#[test]
fn a_fence_that_is_not_there_leaves_its_partition_undrained() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = mock();
    let plan = on(&cluster, 40);
    produce(&plan, 0, folder.path());
    // The first is a record that is there, the second lies beyond the end.
    let fences = BTreeMap::from([(Partition(0), Offset(9)), (Partition(1), Offset(1000))]);
    let drain = Job::Drain { fences, deadline_ms: 60_000 };
    let drain = Running::start(spec(&plan, drain, 0, folder.path()));
    drain.hear("both are read as far as they go", |event| {
        matches!(event, ActorEvent::Progress { totals } if totals.delivered == 20).then_some(())
    });
    drain.tell(Command::Stop);
    drain.finish();
    let history = load(&plan, folder.path());
    assert_eq!(noted(&history, Role::Drain, |note| *note == Note::Drained { partition: Partition(0) }), 1);
    assert_eq!(noted(&history, Role::Drain, |note| matches!(note, Note::Drained { .. })), 1);
    assert_eq!(delivered(&history, Role::Drain).len(), 20);
}

#[test]
fn past_its_deadline_a_drain_or_a_reader_is_done_all_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = mock();
    let plan = on(&cluster, 0);
    let fences: BTreeMap<_, _> = (0..PARTITIONS).map(|number| (Partition(number), Offset(0))).collect();
    let reader = Running::start(spec(&plan, Job::Reader, 0, folder.path()));
    reader.tell(Command::Finish { fences: fences.clone(), deadline_ms: 1 });
    let drain = Running::start(spec(&plan, Job::Drain { fences, deadline_ms: 1 }, 0, folder.path()));
    assert_eq!((reader.finish(), drain.finish()), (Totals::default(), Totals::default()));
    let history = load(&plan, folder.path());
    assert_eq!(noted(&history, Role::Drain, |note| matches!(note, Note::Drained { .. })), 0);
    assert_eq!(noted(&history, Role::Reader, |note| *note == Note::ReaderStopped { caught_up: false }), 1);
}

/// What becomes of one record where every produce request is answered with `error`.
fn refused_with(error: RDKafkaRespErr, retries: &str) -> (Outcome, Told) {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = mock();
    let mut plan = on(&cluster, 1);
    plan.cell.producer.insert("retries".to_owned(), retries.to_owned());
    if retries != "0" {
        plan.cell.producer.insert("delivery.timeout.ms".to_owned(), "500".to_owned());
    }
    // More of them than attempts fit into that time-out.
    cluster.request_errors(RDKafkaApiKey::Produce, &[error; 200]);
    let totals = produce(&plan, 0, folder.path());
    let history = load(&plan, folder.path());
    let send = history.sends().next().expect("one record");
    assert_eq!((totals.sent, totals.acked), (1, 0));
    assert_eq!(totals.failed + totals.in_doubt, 1);
    assert!(send.error.0 != 0 && send.offset.is_none());
    (send.outcome, send.told)
}

#[test]
fn an_error_is_certain_only_where_the_table_says_so() {
    use RDKafkaRespErr::{
        RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
    };
    let definite = (Outcome::Fail, Told::Failed);
    let open = (Outcome::Unknown, Told::Failed);
    assert_eq!(refused_with(RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, "0"), definite);
    assert_eq!(refused_with(RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, "1000"), open);
    assert_eq!(refused_with(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, "0"), definite);
    assert_eq!(refused_with(RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, "0"), open);
}

#[test]
fn without_acknowledgements_nothing_is_certain() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = mock();
    let mut plan = on(&cluster, 100);
    plan.cell.producer.insert("acks".to_owned(), "0".to_owned());
    produce(&plan, 0, folder.path());
    let history = load(&plan, folder.path());
    assert_eq!(history.sends().count(), 100);
    for send in history.sends() {
        assert_eq!((send.outcome, send.told, send.offset), (Outcome::Unknown, Told::Sent, None));
    }
}

#[test]
fn a_record_the_client_refuses_certainly_failed() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = mock();
    let mut plan = on(&cluster, 1);
    plan.load.payload_bytes = 5000;
    plan.cell.producer.insert("max.request.size".to_owned(), "2000".to_owned());
    let totals = produce(&plan, 0, folder.path());
    assert_eq!((totals.sent, totals.failed, totals.in_doubt), (1, 1, 0));
    let history = load(&plan, folder.path());
    let send = history.sends().next().expect("one record");
    assert_eq!((send.outcome, send.told), (Outcome::Fail, Told::Failed));
    assert_eq!(send.error.0, RDKafkaErrorCode::MessageSizeTooLarge as i32);
}

#[test]
fn the_bare_loop_sends_everything_and_records_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = mock();
    let plan = on(&cluster, 500);
    let spec = ActorSpec { history: None, ..spec(&plan, Job::Bare, 0, folder.path()) };
    let bare = Running::start(spec);
    bare.tell(Command::Go { start: clock::now() });
    let totals = bare.finish();
    assert_eq!((totals.sent, totals.acked), (500, 500));
    assert_eq!(std::fs::read_dir(folder.path()).expect("readable").count(), 0);
}

#[test]
fn a_plan_without_its_workload_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut plan = plan(1);
    plan.workload = "tides".to_owned();
    plan.bootstrap = Some("127.0.0.1:1".to_owned());
    let (_commands, listened) = mpsc::channel();
    let acted = act(spec(&plan, Job::Producer, 0, folder.path()), listened, Box::new(|_| ()));
    assert!(matches!(acted, Err(ActorError::Workload(name)) if name == "tides"));
}

/// A plan of this workload, whose consumers are members that commit by themselves.
fn grouped(cluster: &MockCluster<'static, DefaultProducerContext>, workload: &str, records: u64) -> Plan {
    let mut plan = on(cluster, records);
    plan.workload = workload.to_owned();
    for (name, value) in [("auto.offset.reset", "earliest"), ("enable.auto.commit", "false")] {
        plan.cell.consumer.insert(name.to_owned(), value.to_owned());
    }
    plan
}

/// Runs one member on records that are there already, until its group is past the fences; how many it processed.
fn consume(plan: &Plan, folder: &Path) -> u64 {
    let member = Running::start(spec(plan, Job::Member, 0, folder));
    produce(plan, 0, folder);
    let fences = fence(plan, folder);
    member.tell(Command::Finish { fences, deadline_ms: 25_000 });
    member.finish().delivered
}

#[test]
fn a_member_processes_and_commits_everything_and_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = mock();
    let plan = grouped(&cluster, "group", 300);
    assert_eq!(consume(&plan, folder.path()), 300, "fences are not counted");
    let history = load(&plan, folder.path());
    assert_eq!(delivered(&history, Role::Member).len(), 300 + PARTITIONS as usize);
    let member = history.of(Role::Member).next().expect("one member");
    assert!(member.closed);
    assert_eq!(member.effective["commit"], "after-processing");
    assert_eq!(member.effective["group.id"], "highwater-test-group");
    let details: Vec<_> = member.details().collect();
    let given = details.iter().flat_map(|detail| &detail.assigned).count();
    let taken = details.iter().flat_map(|detail| &detail.revoked).count();
    assert_eq!((given, taken), (PARTITIONS as usize, PARTITIONS as usize));
    let committed = member.recorded().filter(|operation| operation.function == Function::Commit);
    let invoked = noted(&history, Role::Member, |note| matches!(note, Note::CommitInvoked { .. }));
    assert_eq!(committed.filter(|operation| operation.outcome == Outcome::Ok).count(), invoked);
    assert_eq!(noted(&history, Role::Member, |note| *note == Note::ReaderStopped { caught_up: true }), 1);
}

/// What was not confirmed is not processed, and comes again.
#[test]
fn a_member_that_commits_first_processes_nothing_that_is_not_committed() {
    use RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED as REFUSED;
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = mock();
    let plan = grouped(&cluster, "group-commit-first", 300);
    cluster.request_errors(RDKafkaApiKey::OffsetCommit, &[REFUSED; 3]);
    assert_eq!(consume(&plan, folder.path()), 300);
    let history = load(&plan, folder.path());
    assert_eq!(delivered(&history, Role::Member).len(), 300 + PARTITIONS as usize, "each once");
    let member = history.of(Role::Member).next().expect("one member");
    let of = |function| member.recorded().filter(move |operation| operation.function == function);
    assert!(of(Function::Commit).any(|operation| operation.outcome == Outcome::Unknown));
    assert!(of(Function::Other).count() > 0, "it went back");
}
