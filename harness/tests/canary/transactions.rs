//! Programs of transactions: processes that send and poll in transactions of their own, which overlap, and their
//! history in the notation of Jepsen's Kafka workload.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;

use broker::core::{ProducerEpoch, Reader, Refusal, TxnAnswer, TxnAsk};
use broker::flaws::Flaw;
use history::History;
use history::exchange::{Format, Notation, Source, import};
use history::{Nanos, Plan};
use rand::RngExt;

use crate::cluster::{Cluster, PARTITIONS, SMALL_FETCH};
use crate::recording;

/// Transactions, those that a process begins while others are open included.
const TRANSACTIONS: usize = 220;
const PROCESSES: usize = 3;
/// Fetches of a poll from each partition.
const FETCHES: usize = 3;

/// Transactions of several processes, some of which abort, and a reader of everything in the end.
pub(crate) fn overlapping(flaw: Option<Flaw>, seed: u64) -> History {
    let mut cluster = Cluster::new(flaw, seed);
    let mut lines = Lines::default();
    let mut processes: Vec<Process> =
        (0..PROCESSES).map(|number| Process::new(&mut cluster, &mut lines, number)).collect();
    let mut begun = 0;
    while begun < TRANSACTIONS || processes.iter().any(|process| process.open.is_some()) {
        let at = cluster.draw.random_range(0..PROCESSES);
        let process = &mut processes[at];
        match &process.open {
            None if begun < TRANSACTIONS => {
                begun += 1;
                process.begin(&mut cluster, &mut lines);
            }
            None => {}
            Some(open) if open.planned.is_empty() => process.end(&mut cluster, &mut lines),
            Some(_) => process.go_on(&mut cluster),
        }
    }
    read_everything(&mut cluster, &mut lines);
    lines.history(&[("isolation.level", "read_committed")])
}

/// Operations of two sends each to one partition, outside of transactions and without idempotence.
pub(crate) fn pairs(flaw: Option<Flaw>, seed: u64) -> History {
    let mut cluster = Cluster::new(flaw, seed);
    let mut lines = Lines::default();
    for _ in 0..160 {
        let partition = cluster.draw.random_range(0..PARTITIONS);
        let values = [lines.value(), lines.value()];
        let sends = |offsets: [Option<i64>; 2]| -> Vec<Micro> {
            let send = |(value, offset)| Micro::Send { partition, value, offset };
            values.into_iter().zip(offsets).map(send).collect()
        };
        lines.invoke(&mut cluster, 0, "send", sends([None; 2]).iter());
        let offsets = values.map(|value| {
            let answer = cluster.produce(partition, -1, &[value.to_string()], None, None);
            answer.expect("answered").expect("taken")
        });
        let told = offsets.map(|offset| Some(offset).filter(|offset| *offset >= 0));
        lines.complete(&mut cluster, "ok", 0, "send", sends(told).iter());
    }
    read_everything(&mut cluster, &mut lines);
    lines.history(&[("enable.idempotence", "false")])
}

/// A process that reads every partition to its end.
fn read_everything(cluster: &mut Cluster, lines: &mut Lines) {
    cluster.world.run(500);
    let number = PROCESSES;
    lines.assign(cluster, number);
    let mut positions: BTreeMap<i32, i64> = (0..PARTITIONS).map(|partition| (partition, 0)).collect();
    let mut idle = 0;
    // Who is sent back to the start again and again never comes to the end.
    for _ in 0..80 {
        if idle == 5 {
            break;
        }
        lines.invoke(cluster, number, "poll", [Micro::Poll(Vec::new())].iter());
        let polled = poll(cluster, &mut positions);
        idle = if polled.is_empty() { idle + 1 } else { 0 };
        lines.complete(cluster, "ok", number, "poll", [Micro::Poll(polled)].iter());
    }
}

/// One poll: a few fetches from each partition, each from where the one before it ended. Told that its offset is
/// out of range it begins anew.
fn poll(cluster: &mut Cluster, positions: &mut BTreeMap<i32, i64>) -> Vec<(i32, i64, u64)> {
    let mut polled = Vec::new();
    for (partition, position) in positions {
        for _ in 0..FETCHES {
            match cluster.fetch(*partition, Reader::Committed, *position, SMALL_FETCH) {
                Ok((records, next)) => {
                    *position = next;
                    let one = |record: crate::cluster::Record| {
                        (*partition, record.offset.0, record.value.parse().expect("a number"))
                    };
                    polled.extend(records.into_iter().map(one));
                }
                Err(Refusal::OffsetOutOfRange) => *position = 0,
                Err(_) => {}
            }
        }
    }
    polled
}

/// A client with a producer and a consumer, which does everything in transactions.
struct Process {
    number: usize,
    id: String,
    producer: ProducerEpoch,
    sequences: BTreeMap<i32, i32>,
    positions: BTreeMap<i32, i64>,
    open: Option<Open>,
}

struct Open {
    planned: VecDeque<Micro>,
    done: Vec<Micro>,
    /// Where the consumer was before.
    positions: BTreeMap<i32, i64>,
}

impl Process {
    fn new(cluster: &mut Cluster, lines: &mut Lines, number: usize) -> Self {
        let id = format!("app-{number}");
        let producer = init(cluster, &id, 1_000 + number as i64);
        lines.assign(cluster, number);
        let positions = (0..PARTITIONS).map(|partition| (partition, 0)).collect();
        Self { number, id, producer, sequences: BTreeMap::new(), positions, open: None }
    }

    fn begin(&mut self, cluster: &mut Cluster, lines: &mut Lines) {
        let micros = cluster.draw.random_range(2..=4);
        let planned: VecDeque<Micro> = (0..micros)
            .map(|_| match cluster.draw.random_ratio(1, 2) {
                true => {
                    let partition = cluster.draw.random_range(0..PARTITIONS);
                    Micro::Send { partition, value: lines.value(), offset: None }
                }
                false => Micro::Poll(Vec::new()),
            })
            .collect();
        lines.invoke(cluster, self.number, "txn", planned.iter());
        self.open = Some(Open { planned, done: Vec::new(), positions: self.positions.clone() });
    }

    /// Does what it has planned next.
    fn go_on(&mut self, cluster: &mut Cluster) {
        let Some(open) = &mut self.open else { return };
        let done = match open.planned.pop_front() {
            Some(Micro::Send { partition, value, .. }) => {
                add(cluster, &self.id, self.producer, partition);
                let sequence = self.sequences.entry(partition).or_default();
                let numbers = (self.producer.0, self.producer.1, *sequence);
                let values = [value.to_string()];
                let answer = cluster.produce(partition, -1, &values, Some(numbers), Some(&self.id));
                let offset = answer.expect("answered").expect("taken");
                *sequence += 1;
                Micro::Send { partition, value, offset: Some(offset) }
            }
            Some(Micro::Poll(_)) => Micro::Poll(poll(cluster, &mut self.positions)),
            None => return,
        };
        open.done.push(done);
    }

    fn end(&mut self, cluster: &mut Cluster, lines: &mut Lines) {
        let Some(open) = self.open.take() else { return };
        let committed = cluster.draw.random_ratio(2, 3);
        if open.done.iter().any(|micro| matches!(micro, Micro::Send { .. })) {
            end(cluster, &self.id, self.producer, committed).expect("ended");
        }
        if !committed {
            self.positions = open.positions;
        }
        let kind = if committed { "ok" } else { "fail" };
        lines.complete(cluster, kind, self.number, "txn", open.done.iter());
    }
}

/// A producer of a transactional id begins; `fresh` is a producer id that nobody has.
pub(crate) fn init(cluster: &mut Cluster, id: &str, fresh: i64) -> ProducerEpoch {
    let ask = TxnAsk::Init { timeout_ms: 600_000, expected: None, fresh: Some(fresh) };
    patiently(cluster, id, &ask).expect("begins")
}

pub(crate) fn end(
    cluster: &mut Cluster,
    id: &str,
    producer: ProducerEpoch,
    committed: bool,
) -> Result<ProducerEpoch, Refusal> {
    patiently(cluster, id, &TxnAsk::End { producer, committed, bump: false, fresh: None })
}

pub(crate) fn add(cluster: &mut Cluster, id: &str, producer: ProducerEpoch, partition: i32) {
    let places = vec![("t".to_owned(), partition)];
    for _ in 0..100 {
        let ask = TxnAsk::Add { producer, places: places.clone(), verify_only: false };
        match cluster.transact(id, ask) {
            Some(TxnAnswer::Places(results)) if results[0].is_none() => return,
            // The markers of the one before are on their way.
            Some(TxnAnswer::Places(results)) if results[0] == Some(Refusal::ConcurrentTransactions) => {}
            other => panic!("{other:?}"),
        }
        cluster.world.run(10);
    }
    panic!("a transaction never ends");
}

fn patiently(cluster: &mut Cluster, id: &str, ask: &TxnAsk) -> Result<ProducerEpoch, Refusal> {
    for _ in 0..100 {
        match cluster.transact(id, ask.clone()) {
            Some(TxnAnswer::Producer(Err(Refusal::ConcurrentTransactions))) | None => cluster.world.run(10),
            Some(TxnAnswer::Producer(result)) => return result,
            other => panic!("{other:?}"),
        }
    }
    Err(Refusal::ConcurrentTransactions)
}

/// What an operation did.
enum Micro {
    Send { partition: i32, value: u64, offset: Option<i64> },
    Poll(Vec<(i32, i64, u64)>),
}

/// The history, line by line.
#[derive(Default)]
struct Lines {
    text: String,
    index: usize,
    values: u64,
}

impl Lines {
    fn value(&mut self) -> u64 {
        self.values += 1;
        self.values
    }

    fn assign(&mut self, cluster: &mut Cluster, process: usize) {
        let keys: Vec<String> = (0..PARTITIONS).map(|partition| partition.to_string()).collect();
        let keys = format!("[{}]", keys.join(","));
        for kind in ["invoke", "ok"] {
            let now = cluster.now();
            self.line(now, kind, process, "assign", &keys);
        }
    }

    fn invoke<'a>(
        &mut self,
        cluster: &mut Cluster,
        process: usize,
        f: &str,
        micros: impl Iterator<Item = &'a Micro>,
    ) {
        let now = cluster.now();
        self.line(now, "invoke", process, f, &written(micros));
    }

    fn complete<'a>(
        &mut self,
        cluster: &mut Cluster,
        kind: &str,
        process: usize,
        f: &str,
        micros: impl Iterator<Item = &'a Micro>,
    ) {
        let now = cluster.now();
        self.line(now, kind, process, f, &written(micros));
    }

    fn line(&mut self, at: Nanos, kind: &str, process: usize, f: &str, value: &str) {
        let Self { text, index, .. } = self;
        writeln!(
            text,
            r#"{{"index":{index},"type":"{kind}","f":"{f}","process":{process},"time":{},"value":{value}}}"#,
            at.0
        )
        .expect("text takes everything");
        *index += 1;
    }

    fn history(self, settings: &[(&str, &str)]) -> History {
        let plan: Plan = recording::plan(settings, &[]);
        let mut source = Source::bytes("canary", self.text);
        import(&mut source, Format::Jepsen(Notation::Json), plan).expect("a history").history
    }
}

fn written<'a>(micros: impl Iterator<Item = &'a Micro>) -> String {
    let micro = |micro: &Micro| match micro {
        Micro::Send { partition, value, offset } => {
            let offset = offset.map_or("null".to_owned(), |offset| offset.to_string());
            format!(r#"["send",{partition},[{offset},{value}]]"#)
        }
        Micro::Poll(polled) => {
            let mut by_partition: BTreeMap<i32, Vec<String>> = BTreeMap::new();
            for (partition, offset, value) in polled {
                by_partition.entry(*partition).or_default().push(format!("[{offset},{value}]"));
            }
            let lists = by_partition.iter().map(|(key, list)| format!(r#""{key}":[{}]"#, list.join(",")));
            format!(r#"["poll",{{{}}}]"#, lists.collect::<Vec<_>>().join(","))
        }
    };
    format!("[{}]", micros.map(micro).collect::<Vec<_>>().join(","))
}
