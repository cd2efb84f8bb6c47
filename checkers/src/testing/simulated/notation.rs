//! Tiny operation-level histories as text, one operation a line, each after the one before it:
//!
//! ```text
//! c0 send ok 0@5=1          process 0 sent value 1 to partition 0, acknowledged at offset 5 (`0@?=1`: no offset)
//! c1 poll ok 0@5=1 0@6=2    process 1 polled two records; outcomes are ok, fail, unknown
//! c1 txn ok send 0@7=3 poll 0@5=1 poll
//! c1 poll ok 0@5=1 moved 0  a rebalance moved partition 0 meanwhile
//! c1 assign ok 0 1          also subscribe; seek is an assignment that begins anew
//! c1 commit ok 0@7          offset 7 of partition 0: the next to be read
//! c1 crash unknown          also other: anything that touches no record
//! s0 rows 0=1 0=2           what sink 0 holds: partition and value; `cut` instead, if it was not read to its end
//! set enable.idempotence=false
//! ```

use history::{Detail, Function, Offset, Outcome, Partition};

use super::script::{Given, Micro, Op, Script, Sent, Table};
use crate::CATALOG;
use crate::context::Context;

/// Holds the findings of every checker of operations against `expected` (`duplicate 2, poll-skip 1 (legal)`,
/// in order of name).
#[track_caller]
pub(crate) fn check_operations(text: &str, expected: &str) {
    let history = operations(text).build();
    let context = Context::new(&history);
    let specs = CATALOG.iter().filter(|spec| super::CHECKERS.contains(&spec.name));
    let mut found: Vec<String> = specs
        .flat_map(|spec| (spec.check)(&context))
        .map(|finding| {
            assert!(finding.examples.iter().all(|witness| !witness.operations.is_empty()), "{finding:?}");
            let legal = if finding.allowed.is_some() { " (legal)" } else { "" };
            format!("{} {}{legal}", finding.kind, finding.count)
        })
        .collect();
    found.sort();
    assert_eq!(found.join(", "), expected, "{text}");
}

/// Reads the notation.
pub(crate) fn operations(text: &str) -> Script {
    let mut script = Script::default();
    let mut clock = 1_000_000;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words[0] == "set" {
            let (name, value) = words[1].split_once('=').expect("NAME=VALUE");
            script.settings.push((name.to_owned(), value.to_owned()));
            continue;
        }
        if words[0].starts_with('s') {
            let row = |word: &&str| {
                let (partition, value) = word.split_once('=').expect("PARTITION=VALUE");
                (number(partition), value.parse().expect("a value"))
            };
            let rows = words[2..].iter().map(row).collect();
            script.tables.push(Table { rows, closed: words[1] == "rows" });
            continue;
        }
        let process: usize = words[0].strip_prefix('c').and_then(|number| number.parse().ok()).expect("cN");
        while script.processes.len() <= process {
            script.processes.push(Vec::new());
        }
        clock += 2_000_000;
        let op = operation(&words[1..], clock);
        script.subscribes |= op.function == Function::Subscribe;
        script.transactions |= op.function == Function::Txn;
        let named = op.detail.iter().flat_map(|detail| detail.partitions.iter().map(|partition| partition.0));
        let used = op.sends().map(|sent| sent.partition).chain(op.given().map(|given| given.partition));
        script.partitions =
            named.chain(used).map(|partition| partition + 1).fold(script.partitions, u32::max);
        script.processes[process].push(op);
    }
    script
}

fn operation(words: &[&str], at: u64) -> Op {
    let function = match words[0] {
        "send" => Function::Send,
        "poll" => Function::Poll,
        "txn" => Function::Txn,
        "assign" | "seek" => Function::Assign,
        "subscribe" => Function::Subscribe,
        "commit" => Function::Commit,
        "crash" => Function::Crash,
        "other" => Function::Other,
        other => panic!("no such operation: {other}"),
    };
    let outcome = match words[1] {
        "ok" => Outcome::Ok,
        "fail" => Outcome::Fail,
        "unknown" => Outcome::Unknown,
        other => panic!("no such outcome: {other}"),
    };
    let mut detail = Detail { seek_to_beginning: words[0] == "seek", ..Detail::default() };
    let mut steps = Vec::new();
    let mut what = words[0];
    if what == "poll" {
        steps.push(Micro::Poll(Vec::new()));
    }
    for word in &words[2..] {
        if matches!(*word, "send" | "poll" | "moved") {
            what = *word;
            if what == "poll" {
                steps.push(Micro::Poll(Vec::new()));
            }
            continue;
        }
        match what {
            "moved" => detail.rebalanced.push(Partition(number(word))),
            "commit" => {
                let (partition, offset) = word.split_once('@').expect("PARTITION@OFFSET");
                let offset = Offset(offset.parse().expect("an offset"));
                detail.committed.push((Partition(number(partition)), offset));
            }
            "assign" | "seek" | "subscribe" => detail.partitions.push(Partition(number(word))),
            _ => {
                let (partition, record) = word.split_once('@').expect("PARTITION@OFFSET=VALUE");
                let (offset, value) = record.split_once('=').expect("OFFSET=VALUE");
                let (partition, value) = (number(partition), value.parse().expect("a value"));
                match steps.last_mut() {
                    Some(Micro::Poll(given)) if what == "poll" => {
                        given.push(Given { partition, offset: offset.parse().expect("an offset"), value });
                    }
                    _ => {
                        let offset = offset.parse().ok();
                        steps.push(Micro::Send(Sent { partition, value, offset, key: None }));
                    }
                }
            }
        }
    }
    let detail = (detail != Detail::default()).then_some(detail);
    Op { function, outcome, invoked: at, completed: Some(at + 1_000_000), steps, detail }
}

fn number(text: &str) -> u32 {
    text.parse().expect("a number")
}
