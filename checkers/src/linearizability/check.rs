//! All objects of a history, in parallel, within a budget.
//!
//! Each object is given a short slice of time first and longer ones in turn (dovetailing), so that one hard
//! object does not hide a violation in another. Once one is found, nobody gets more than the first slice.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use history::clock;
use history::exchange::operations::{Model, Operations, TextId};

use super::models::{self, Object};
use super::search::{Ended, Preference, Search};
use super::{Answer, Flaw, log, queue, register};

/// What a check may cost, and what it has to know.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// The first value of every register.
    pub initial: TextId,
    /// How long to search.
    pub timeout: Duration,
    /// How many bytes a search may remember.
    pub memory: usize,
}

/// What was found of one object that is not known to be linearizable.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The object, in [`Operations::keys`].
    pub key: TextId,
    /// The answer, never [`Answer::Linearizable`].
    pub answer: Answer,
    /// The longest legal order found of operations at the beginning.
    pub prefix: Vec<u32>,
    /// The operation that has no place behind `prefix`, though it must have one next.
    pub stuck: Option<u32>,
}

/// What a check found.
#[derive(Debug, Clone)]
pub struct Report {
    /// How many objects there are.
    pub objects: usize,
    /// Those not known to be linearizable, in order of key.
    pub judged: Vec<Judged>,
}

impl Report {
    /// Some object is not linearizable.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.judged.iter().any(|judged| matches!(judged.answer, Answer::Not(_)))
    }
}

/// Judges a history. Deterministic but for what time-outs cut off.
#[must_use]
pub fn check(operations: &Operations, settings: &Settings) -> Report {
    match operations.model {
        Model::Register | Model::CasRegister => {
            run(operations, settings, &models::Register { initial: settings.initial })
        }
        Model::Kv => run(operations, settings, &models::Kv::new(&operations.values)),
        Model::Mutex => run(operations, settings, &models::Mutex),
        Model::Queue => run(operations, settings, &models::Fifo),
        Model::Log => run(operations, settings, &models::Log { operations }),
    }
}

/// The first slice of an object; each further one is longer by a factor.
const FIRST_SLICE: Duration = Duration::from_micros(500);
const GROWTH: u32 = 4;
/// What finding the longest prefix may cost where a violation is already proved.
const PREFIX_SLICE: Duration = Duration::from_millis(200);
/// Operations from which several threads share the work.
const THREADS_FROM: usize = 5_000;
/// Operations of a log up to which it is searched: every state is a copy of the whole log.
const LOG_SEARCH_MAX: usize = 10_000;
/// Room a remembered configuration takes: 16 bytes, a control byte, and the places that stay free.
const CONFIGURATION_BYTES: usize = 36;

struct Task<'a, O: Object> {
    key: TextId,
    search: Search<'a, O>,
    /// The same with another preference, whose turn is next; none if there is no other.
    other: Option<Search<'a, O>>,
    slice: Duration,
    turns: u32,
    /// The answer, if only the longest prefix is still looked for.
    proved: Option<Vec<Flaw>>,
}

impl<O: Object> Task<'_, O> {
    /// Bytes its searches hold.
    fn bytes(&self) -> usize {
        let other = self.other.as_ref().map_or(0, |other| other.bytes(CONFIGURATION_BYTES));
        self.search.bytes(CONFIGURATION_BYTES) + other
    }
}

struct Work<'a, O: Object> {
    operations: &'a Operations,
    object: &'a O,
    settings: &'a Settings,
    by_key: &'a [Vec<u32>],
    deadline: u64,
    fresh: AtomicUsize,
    paused: Mutex<VecDeque<Task<'a, O>>>,
    /// Bytes that paused searches hold.
    held: AtomicUsize,
    broken: AtomicBool,
    judged: Mutex<Vec<Judged>>,
}

fn run<O: Object>(operations: &Operations, settings: &Settings, object: &O) -> Report {
    let mut by_key = vec![Vec::new(); operations.keys.len()];
    for (op, operation) in operations.all.iter().enumerate() {
        by_key[operation.key as usize].push(op as u32);
    }
    let work = Work {
        operations,
        object,
        settings,
        by_key: &by_key,
        deadline: after(settings.timeout),
        fresh: AtomicUsize::new(0),
        paused: Mutex::new(VecDeque::new()),
        held: AtomicUsize::new(0),
        broken: AtomicBool::new(false),
        judged: Mutex::new(Vec::new()),
    };
    // Below that a thread takes longer to start than its work.
    let threads = match operations.all.len() {
        ..THREADS_FROM => 1,
        _ => std::thread::available_parallelism().map_or(1, usize::from).min(by_key.len()),
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|| work.help());
        }
        work.help();
    });
    let mut judged = work.judged.into_inner().unwrap_or_else(PoisonError::into_inner);
    judged.sort_unstable_by_key(|judged| judged.key);
    Report { objects: by_key.len(), judged }
}

fn after(duration: Duration) -> u64 {
    clock::now().0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

fn too_long() -> Answer {
    Answer::Unknown(format!(
        "an append was acknowledged without an offset and no read shows it, which takes a search, for at most {LOG_SEARCH_MAX} operations a log (read the log to its end after the run)"
    ))
}

impl<'a, O: Object> Work<'a, O> {
    /// Judges objects until none is left: fresh ones first, then paused ones in turn.
    fn help(&self) {
        loop {
            let fresh = self.fresh.fetch_add(1, Ordering::Relaxed);
            if let Some(members) = self.by_key.get(fresh) {
                self.begin(fresh as TextId, members);
                continue;
            }
            let task = self.paused.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            match task {
                Some(task) => self.go_on(task),
                None => return,
            }
        }
    }

    fn begin(&self, key: TextId, members: &'a [u32]) {
        let answer = match self.operations.model {
            Model::Register | Model::CasRegister => {
                register::judge(self.operations, members, self.settings.initial)
            }
            Model::Queue => queue::judge(self.operations, members),
            Model::Log => log::judge(self.operations, members),
            Model::Kv | Model::Mutex => None,
        };
        let (proved, slice) = match answer {
            Some(Answer::Linearizable) => return,
            Some(answer @ Answer::Unknown(_)) => {
                return self.conclude(Judged { key, answer, prefix: Vec::new(), stuck: None });
            }
            Some(Answer::Not(flaws)) => (Some(flaws), PREFIX_SLICE),
            None => (None, FIRST_SLICE),
        };
        if self.operations.model == Model::Log && members.len() > LOG_SEARCH_MAX {
            let answer = proved.map_or_else(too_long, Answer::Not);
            return self.conclude(Judged { key, answer, prefix: Vec::new(), stuck: None });
        }
        let search = |preference| Search::new(self.object, &self.operations.all, members, preference);
        let known = search(Preference::Known);
        let other = (proved.is_none() && known.has_unknown()).then(|| search(Preference::Called));
        self.go_on(Task { key, search: known, other, slice, turns: 0, proved });
    }

    fn go_on(&self, mut task: Task<'a, O>) {
        self.held.fetch_sub(task.bytes(), Ordering::Relaxed);
        let others = self.held.load(Ordering::Relaxed);
        let room = self.settings.memory.saturating_sub(others);
        let own =
            room.saturating_sub(task.other.as_ref().map_or(0, |other| other.bytes(CONFIGURATION_BYTES)));
        // A prefix is looked for even where time is over, a little.
        let until = after(task.slice);
        let until = if task.proved.is_some() { until } else { until.min(self.deadline) };
        let ended = task.search.run(until, own, CONFIGURATION_BYTES);
        let answer = match (ended, task.proved.take()) {
            (_, Some(flaws)) => Answer::Not(flaws),
            (Ended::Found, None) => return,
            (Ended::Exhausted, None) => {
                let (_, stuck) = task.search.stuck();
                let what = "has no place behind the longest legal beginning".to_owned();
                Answer::Not(vec![Flaw::one("non-linearizable", what, stuck.into_iter().collect())])
            }
            (Ended::Paused, None) if clock::now().0 >= self.deadline => Answer::Unknown(format!(
                "no answer within {} s (raise --timeout, or use more keys, fewer clients a key or values written once)",
                self.settings.timeout.as_secs_f64()
            )),
            (Ended::Paused, None) if task.bytes() >= room => Answer::Unknown(format!(
                "no answer within {} MiB of memory (use more keys, fewer clients a key or values written once)",
                self.settings.memory >> 20
            )),
            (Ended::Paused, None) if self.broken.load(Ordering::Relaxed) => {
                Answer::Unknown("left alone when another object was found not to be linearizable".to_owned())
            }
            (Ended::Paused, None) => {
                // The turn of the other; then both get more.
                match task.other.take() {
                    Some(other) if task.turns.is_multiple_of(2) => {
                        task.other = Some(std::mem::replace(&mut task.search, other))
                    }
                    Some(other) => {
                        task.other = Some(std::mem::replace(&mut task.search, other));
                        task.slice *= GROWTH;
                    }
                    None => task.slice *= GROWTH,
                }
                task.turns += 1;
                self.held.fetch_add(task.bytes(), Ordering::Relaxed);
                self.paused.lock().unwrap_or_else(PoisonError::into_inner).push_back(task);
                return;
            }
        };
        let (prefix, stuck) = task.search.stuck();
        self.conclude(Judged { key: task.key, answer, prefix, stuck });
    }

    fn conclude(&self, judged: Judged) {
        if matches!(judged.answer, Answer::Not(_)) {
            self.broken.store(true, Ordering::Relaxed);
        }
        self.judged.lock().unwrap_or_else(PoisonError::into_inner).push(judged);
    }
}
