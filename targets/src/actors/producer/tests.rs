//! The producer's loop with a client that does as the test says: what is on record, and in which order.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::mpsc::{self, Sender};

use history::record::{Decoded, decode};
use history::{History, Offset, Partition, Plan};
use rdkafka::types::RDKafkaErrorCode as Code;
use tempfile::TempDir;

use super::super::protocol::{ActorSpec, Job};
use super::super::tests::{plan, spec};
use super::*;

/// What the client does, and what it saw.
#[derive(Default)]
struct Play {
    /// Answers to the first sends; every later one is taken.
    answers: VecDeque<Accepted>,
    /// Every later one is answered with this instead.
    always: Option<Accepted>,
    /// The error of every report.
    error: ErrorCode,
    /// Nothing is ever reported.
    silent: bool,
    /// Said at the next poll.
    remark: Option<Remark>,
    /// Tokens, in the order of the calls.
    sends: Vec<u64>,
    /// Taken and not yet reported.
    pending: Vec<(u64, Option<Partition>)>,
    /// The most that ever were.
    pending_max: usize,
    /// How long was waited, call by call.
    waits: Vec<Duration>,
}

struct Fake(Rc<RefCell<Play>>, Plan);

impl Producer for Fake {
    fn send(&mut self, record: Outgoing<'_>) -> Accepted {
        let mut play = self.0.borrow_mut();
        let Decoded::Intact(tag) = decode(self.1.run_hash, record.payload) else { panic!("it is whole") };
        assert_eq!((tag.producer, tag.seq), (0, record.token));
        play.sends.push(record.token);
        let always = play.always.unwrap_or(Accepted::Queued);
        let answer = play.answers.pop_front().unwrap_or(always);
        if answer == Accepted::Queued {
            play.pending.push((record.token, record.partition));
            play.pending_max = play.pending_max.max(play.pending.len());
        }
        answer
    }

    fn poll(
        &mut self,
        timeout: Duration,
        completions: &mut Vec<Completion>,
        remarks: &mut Vec<(Nanos, Remark)>,
    ) {
        let mut play = self.0.borrow_mut();
        play.waits.push(timeout);
        remarks.extend(play.remark.take().map(|remark| (clock::now(), remark)));
        if play.silent {
            return;
        }
        let error = play.error;
        for (token, partition) in std::mem::take(&mut play.pending) {
            let offset = (error == ErrorCode::NONE).then_some(Offset(token as i64));
            completions.push(Completion { token, at: clock::now(), partition, offset, error });
        }
    }
}

/// One producer and all around it.
struct Stage {
    play: Rc<RefCell<Play>>,
    actor: Actor<Fake>,
    commands: Sender<Command>,
    events: mpsc::Receiver<ActorEvent>,
    folder: TempDir,
}

impl Stage {
    fn new(plan: &Plan, play: Play) -> Self {
        Self::guarded(plan, play, 1 << 26)
    }

    fn guarded(plan: &Plan, play: Play, history_bytes_max: u64) -> Self {
        Self::with(plan, play, |spec| spec.history_bytes_max = history_bytes_max)
    }

    fn with(plan: &Plan, play: Play, change: impl FnOnce(&mut ActorSpec)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (commands, listened) = mpsc::channel();
        let (tell, events) = mpsc::channel();
        let mut spec = spec(plan, Job::Producer, 0, folder.path());
        change(&mut spec);
        let line = Box::new(move |event: &ActorEvent| drop(tell.send(event.clone())));
        let session = Session::start(spec, listened, line).expect("a session");
        let play = Rc::new(RefCell::new(play));
        let start = clock::now();
        let workload = workloads::find(&plan.workload).expect("a workload");
        let actor = Actor {
            session,
            client: Fake(Rc::clone(&play), plan.clone()),
            script: (workload.script)(&plan.load, 0, plan.seed),
            acknowledged: true,
            retries: true,
            report_ns: NANOS_PER_MILLI,
            start,
            end: Nanos(start.0 + plan.load.duration_ms * NANOS_PER_MILLI),
            completions: Vec::new(),
            remarks: Vec::new(),
            open: 0,
            stopped: false,
            payload: Vec::new(),
            key: Vec::new(),
        };
        Self { play, actor, commands, events, folder }
    }

    /// From the beginning of the load to the end of the session; what is on record then.
    fn run(&mut self) -> History {
        self.actor.load().expect("nothing is wrong with the recording");
        self.actor.settle().expect("nothing is wrong with the recording");
        let plan = self.actor.session.plan().clone();
        let history = history::load(plan, self.folder.path()).expect("a readable history");
        assert_eq!(history.damage, []);
        history
    }
}

/// Outcome, told and error of every send.
fn sends(history: &History) -> Vec<(Outcome, Told, i32)> {
    history.sends().map(|send| (send.outcome, send.told, send.error.0)).collect()
}

fn closed(history: &History) -> bool {
    history.sessions.iter().all(|session| session.closed)
}

const ACKED: (Outcome, Told, i32) = (Outcome::Ok, Told::Acked, 0);

#[test]
fn paced_records_leave_when_due_and_never_before() {
    let mut plan = plan(20);
    plan.load.rate = Some(1000);
    let mut stage = Stage::new(&plan, Play::default());
    let start = stage.actor.start;
    let history = stage.run();
    assert_eq!(sends(&history), [ACKED; 20]);
    for (number, send) in history.sends().enumerate() {
        assert_eq!(send.intended, Nanos(start.0 + number as u64 * NANOS_PER_MILLI));
        assert!(send.invoked >= send.intended, "a late record keeps its intended time, none is early");
    }
    assert!(closed(&history));
    let waits = &stage.play.borrow().waits;
    assert!(waits.iter().all(|wait| *wait <= SHORT_WAIT), "{waits:?}");
}

/// The application died after 13 of 20 records, and its next session begins when all 20 were due long ago.
#[test]
fn a_later_session_goes_on_behind_the_earlier_ones_at_the_rate() {
    let mut plan = plan(20);
    plan.load.rate = Some(500);
    let mut stage = Stage::with(&plan, Play::default(), |spec| (spec.session, spec.sent_before) = (1, 13));
    let begun = stage.actor.start;
    stage.actor.start = Nanos(begun.0 - 1_000_000_000);
    let history = stage.run();
    assert_eq!(sends(&history), [ACKED; 7], "the rest of its share");
    let all: Vec<_> = history.sends().collect();
    for (seq, send) in (0_u64..).zip(&all) {
        assert_eq!(send.tag, Tag { producer: 0, session: 1, seq }, "numbers of its own");
        let turn = (13 + seq) % u64::from(plan.load.partitions);
        assert_eq!(send.partition.map(|partition| u64::from(partition.0)), Some(turn));
        assert!(send.intended >= begun, "what was missed is not made up for");
    }
    assert!(all.windows(2).all(|pair| pair[1].intended.since(pair[0].intended) == 2 * NANOS_PER_MILLI));
}

#[test]
fn a_full_queue_is_waited_out_with_the_same_record() {
    let answers = VecDeque::from([Accepted::Full, Accepted::Full, Accepted::Queued, Accepted::Full]);
    let mut stage = Stage::new(&plan(2), Play { answers, ..Play::default() });
    let history = stage.run();
    assert_eq!(stage.play.borrow().sends, [0, 0, 0, 1, 1]);
    assert_eq!(sends(&history), [ACKED; 2]);
}

#[test]
fn a_record_never_taken_before_the_end_of_the_load_certainly_failed() {
    let mut plan = plan(1);
    plan.load.duration_ms = 5;
    let mut stage = Stage::new(&plan, Play { always: Some(Accepted::Full), ..Play::default() });
    let history = stage.run();
    // Too late for its only record is a fair ending on a busy machine.
    assert!(
        sends(&history).iter().all(|send| *send == (Outcome::Fail, Told::Failed, Code::QueueFull as i32))
    );
    assert!(closed(&history));
}

#[test]
fn refused_records_certainly_failed_and_the_rest_goes_on() {
    let code = Code::UnknownPartition as i32;
    let answers = VecDeque::from([Accepted::Refused(ErrorCode(code))]);
    let mut stage = Stage::new(&plan(3), Play { answers, ..Play::default() });
    let history = stage.run();
    assert_eq!(sends(&history), [(Outcome::Fail, Told::Failed, code), ACKED, ACKED]);
    let totals = stage.actor.session.totals;
    assert_eq!((totals.sent, totals.acked, totals.failed, totals.in_doubt), (3, 2, 1, 0));
}

#[test]
fn reports_mean_what_the_tables_say() {
    let told = |error: Code, retries: bool| {
        let error = ErrorCode(error as i32);
        let mut stage = Stage::new(&plan(1), Play { error, ..Play::default() });
        stage.actor.retries = retries;
        let history = stage.run();
        assert!(closed(&history), "it was reported on");
        let (outcome, told, _) = sends(&history)[0];
        (outcome, told)
    };
    assert_eq!(told(Code::MessageTimedOut, false), (Outcome::Unknown, Told::Failed));
    assert_eq!(told(Code::NotEnoughReplicas, true), (Outcome::Unknown, Told::Failed));
    assert_eq!(told(Code::NotEnoughReplicas, false), (Outcome::Fail, Told::Failed));

    let mut stage = Stage::new(&plan(1), Play::default());
    stage.actor.acknowledged = false;
    let history = stage.run();
    assert_eq!(sends(&history), [(Outcome::Unknown, Told::Sent, 0)]);
    assert_eq!(history.sends().next().and_then(|send| send.offset), None, "nobody told an offset");
}

#[test]
fn what_is_never_reported_stays_open_and_the_session_too() {
    let mut stage = Stage::new(&plan(3), Play { silent: true, ..Play::default() });
    let history = stage.run();
    assert_eq!(sends(&history), [(Outcome::Unknown, Told::Nothing, 0); 3]);
    assert!(!closed(&history));
}

#[test]
fn in_step_there_is_one_record_at_a_time() {
    let mut plan = plan(200);
    let mut stage = Stage::new(&plan, Play::default());
    stage.run();
    assert_eq!(
        stage.play.borrow().pending_max as u64,
        BURST,
        "pipelined, the client is looked at now and then"
    );
    plan.load.sync = true;
    let mut stage = Stage::new(&plan, Play::default());
    assert_eq!(sends(&stage.run()), [ACKED; 200]);
    assert_eq!(stage.play.borrow().pending_max, 1);
}

#[test]
fn told_to_stop_it_sends_no_more_and_reports_the_rest() {
    let mut stage = Stage::new(&plan(u64::MAX), Play::default());
    stage.commands.send(Command::Stop).expect("it listens");
    let history = stage.run();
    assert_eq!(sends(&history), [ACKED; BURST as usize]);
    assert!(closed(&history));
}

#[test]
fn a_client_that_can_do_no_more_ends_the_load() {
    let fatal = Remark::Error { code: ErrorCode(Code::Fatal as i32), text: "fenced".to_owned(), fatal: true };
    let mut stage = Stage::new(&plan(u64::MAX), Play { remark: Some(fatal), ..Play::default() });
    let history = stage.run();
    assert_eq!(history.sends().count() as u64, BURST);
    let noted = history.notes().any(|(_, _, note)| matches!(note, Note::ClientError { fatal: true, .. }));
    assert!(noted);
}

#[test]
fn at_the_size_guard_nothing_is_sent_that_is_not_on_record() {
    let mut stage = Stage::guarded(&plan(u64::MAX), Play::default(), 1 << 16);
    let history = stage.run();
    let recorded: Vec<_> = history.sends().map(|send| send.tag.seq).collect();
    assert_eq!(stage.play.borrow().sends, recorded);
    assert!(sends(&history).iter().all(|send| *send == ACKED) && closed(&history));
    assert!(stage.events.try_iter().any(|event| matches!(event, ActorEvent::SizeGuard { .. })));
}
