//! Anomalies, each planted at a random place of a clean script: what is to be found, and by which operation.

use std::collections::BTreeSet;

use history::{Function, Outcome};

use super::commits::{committed_back, committed_beyond};
use super::script::{Given, Micro, Op, Script, Sent};
use super::sinks::{applied_twice, never_applied};
use crate::testing::Rng;

/// What was planted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Planted {
    /// The kind of finding.
    pub(crate) kind: &'static str,
    /// An operation that must be among its witnesses, by process and number.
    pub(crate) operation: (usize, usize),
}

/// Damages a script, if it has room for it.
pub(crate) type Plant = fn(&mut Script, &mut Rng) -> Option<Planted>;

/// Every anomaly of this file.
pub(crate) const PLANTS: &[(&str, Plant)] = &[
    ("a record that readers passed by", lost),
    ("one record of a transaction that took effect", lost_of_unknown),
    ("the last record of a partition", unseen),
    ("a record at two offsets", duplicate),
    ("two readers that disagree", disagreeing_reads),
    ("an acknowledgement of another offset", wrong_acknowledgement),
    ("a value nobody sent", phantom),
    ("a value nobody sent in place of one", replaced),
    ("a gap inside a poll", gap_inside),
    ("a gap between polls", gap_between),
    ("a record again inside a poll", again_inside),
    ("a record again in the next poll", again_between),
    ("sends in each other's place", swapped),
    ("sends of one operation in each other's place", swapped_inside),
    ("sends of one key in each other's place", swapped_key),
    ("a record of others between two sends", separated),
    ("a commit below the one before", committed_back),
    ("a commit past a record nobody was given", committed_beyond),
    ("a record without a row in the sink", never_applied),
    ("a record in two rows of the sink", applied_twice),
];

pub(super) type At = (usize, usize);

/// A send of an operation that came back, and where it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Acked {
    pub(super) at: At,
    pub(super) sent: Sent,
}

pub(super) fn acked(script: &Script) -> Vec<Acked> {
    let mut acked = Vec::new();
    each(script, |at, op| {
        if op.outcome == Outcome::Ok {
            acked.extend(op.sends().map(|sent| Acked { at, sent: *sent }));
        }
    });
    acked
}

fn each(script: &Script, mut see: impl FnMut(At, &Op)) {
    for (process, ops) in script.processes.iter().enumerate() {
        ops.iter().enumerate().for_each(|(index, op)| see((process, index), op));
    }
}

pub(super) fn pick<T: Copy>(of: &[T], rng: &mut Rng) -> Option<T> {
    (!of.is_empty()).then(|| of[rng.below(of.len())])
}

/// The highest offset of a partition that an operation that came back was given.
fn read_up_to(script: &Script, partition: u32) -> Option<i64> {
    let ok = script.ops().filter(|op| op.outcome == Outcome::Ok).flat_map(Op::given);
    ok.filter(|given| given.partition == partition).map(|given| given.offset).max()
}

/// Every offset of a partition that is known.
fn highest(script: &Script, partition: u32) -> i64 {
    let given = script.ops().flat_map(Op::given).filter(|given| given.partition == partition);
    let sent = script.ops().flat_map(Op::sends).filter(|sent| sent.partition == partition);
    given.map(|given| given.offset).chain(sent.filter_map(|sent| sent.offset)).max().unwrap_or(0)
}

fn forget(script: &mut Script, partition: u32, value: i64) {
    for poll in script.ops_mut().flat_map(Op::polls_mut) {
        poll.retain(|given| (given.partition, given.value) != (partition, value));
    }
}

/// Where a record is, as far as anybody says.
fn place(script: &Script, sent: Sent) -> Option<i64> {
    let same = |given: &&Given| (given.partition, given.value) == (sent.partition, sent.value);
    sent.offset.or_else(|| script.ops().flat_map(Op::given).find(same).map(|given| given.offset))
}

/// How many polls returned a value.
fn readers(script: &Script, partition: u32, value: i64) -> usize {
    let given = script.ops().flat_map(Op::given);
    given.filter(|given| (given.partition, given.value) == (partition, value)).count()
}

fn lost(script: &mut Script, rng: &mut Rng) -> Option<Planted> {
    let Acked { at, sent } = pick(&acked(script), rng)?;
    let offset = sent.offset?;
    forget(script, sent.partition, sent.value);
    (read_up_to(script, sent.partition)? > offset).then_some(Planted { kind: "lost-write", operation: at })
}

fn lost_of_unknown(script: &mut Script, rng: &mut Rng) -> Option<Planted> {
    let mut proven = Vec::new();
    each(script, |at, op| {
        let (count, known) = (op.sends().count(), op.sends().filter(|sent| sent.offset.is_some()));
        if op.outcome == Outcome::Unknown && count > 1 {
            proven.extend(known.map(|sent| Acked { at, sent: *sent }));
        }
    });
    let Acked { at, sent } = pick(&proven, rng)?;
    if readers(script, sent.partition, sent.value) == 0 {
        return None;
    }
    forget(script, sent.partition, sent.value);
    let op = &script.processes[at.0][at.1];
    let read: BTreeSet<(u32, i64)> = script
        .ops()
        .filter(|op| op.outcome == Outcome::Ok)
        .flat_map(Op::given)
        .map(|given| (given.partition, given.value))
        .collect();
    let others = op.sends().any(|other| read.contains(&(other.partition, other.value)));
    let passed = read_up_to(script, sent.partition)? > sent.offset?;
    (others && passed).then_some(Planted { kind: "lost-write", operation: at })
}

fn unseen(script: &mut Script, rng: &mut Rng) -> Option<Planted> {
    let last: Vec<Acked> = acked(script)
        .into_iter()
        .filter(|each| each.sent.offset.is_none_or(|offset| offset == highest(script, each.sent.partition)))
        .collect();
    let Acked { at, sent } = pick(&last, rng)?;
    let there = place(script, sent);
    let details = script.ops().filter_map(|op| op.detail.as_ref());
    let committed: Vec<_> = details.flat_map(|detail| &detail.committed).copied().collect();
    // A commit past it would be found as well.
    let behind = |offset: i64| there.is_none_or(|there| offset > there);
    if committed.iter().any(|(partition, offset)| partition.0 == sent.partition && behind(offset.0)) {
        return None;
    }
    forget(script, sent.partition, sent.value);
    Some(Planted { kind: "unseen", operation: at })
}

fn duplicate(script: &mut Script, rng: &mut Rng) -> Option<Planted> {
    let Acked { at, sent } = pick(&acked(script), rng)?;
    let offset = highest(script, sent.partition) + 1 + i64::try_from(rng.below(9)).expect("small");
    // The final polls are the last operations of the last processes.
    let copy = Given { partition: sent.partition, offset, value: sent.value };
    let all = rng.chance(50);
    for ops in script.processes.iter_mut().rev().take(if all { 9 } else { 1 }) {
        let last = ops.last_mut().filter(|op| op.function == Function::Poll && op.outcome == Outcome::Ok);
        let Some(poll) = last.and_then(|op| op.polls_mut().last()) else { break };
        poll.push(copy);
    }
    let seen = readers(script, sent.partition, sent.value) > 1;
    seen.then_some(Planted { kind: "duplicate", operation: at })
}

/// A record that a poll returned: the operation, the micro-operation, the place there.
fn some_given(
    script: &Script,
    rng: &mut Rng,
    fits: impl Fn(&Op, &Given) -> bool,
) -> Option<(At, usize, usize, Given)> {
    let mut all = Vec::new();
    each(script, |at, op| {
        for (step, micro) in op.steps.iter().enumerate() {
            let Micro::Poll(given) = micro else { continue };
            for (index, each) in given.iter().enumerate().filter(|(_, given)| fits(op, given)) {
                all.push((at, step, index, *each));
            }
        }
    });
    pick(&all, rng)
}

fn poll_mut(script: &mut Script, at: At, step: usize) -> &mut Vec<Given> {
    match &mut script.processes[at.0][at.1].steps[step] {
        Micro::Poll(given) => given,
        Micro::Send(_) => unreachable!("it was a poll before"),
    }
}

fn disagreeing_reads(script: &mut Script, rng: &mut Rng) -> Option<Planted> {
    let (at, step, index, given) = some_given(script, rng, |_, _| true)?;
    let invoked = script.processes[at.0][at.1].invoked;
    let others: Vec<Acked> = acked(script)
        .into_iter()
        .filter(|other| other.sent.partition == given.partition && other.sent.value != given.value)
        .filter(|other| script.processes[other.at.0][other.at.1].completed.is_some_and(|done| done < invoked))
        .collect();
    let other = pick(&others, rng)?.sent;
    let ok = |value: i64| {
        let ok = script.ops().filter(|op| op.outcome == Outcome::Ok).flat_map(Op::given);
        ok.filter(|each| (each.partition, each.value) == (given.partition, value)).count()
    };
    if ok(given.value) < 3 || ok(other.value) < 2 {
        return None;
    }
    poll_mut(script, at, step)[index].value = other.value;
    Some(Planted { kind: "inconsistent-offsets", operation: at })
}

fn wrong_acknowledgement(script: &mut Script, rng: &mut Rng) -> Option<Planted> {
    let Acked { at, sent } = pick(&acked(script), rng)?;
    let (.., there) = some_given(script, rng, |op, given| {
        op.outcome == Outcome::Ok && given.partition == sent.partition && given.value != sent.value
    })?;
    if readers(script, sent.partition, sent.value) == 0 {
        return None;
    }
    let mut sends = script.processes[at.0][at.1].sends_mut();
    sends.find(|each| each.value == sent.value)?.offset = Some(there.offset);
    Some(Planted { kind: "inconsistent-offsets", operation: at })
}

fn phantom(script: &mut Script, rng: &mut Rng) -> Option<Planted> {
    let (at, step, index, given) = some_given(script, rng, |_, _| true)?;
    let offset = highest(script, given.partition) + 7;
    let nobody = Given { partition: given.partition, offset, value: -1 };
    poll_mut(script, at, step).insert(index, nobody);
    Some(Planted { kind: "phantom", operation: at })
}

fn replaced(script: &mut Script, rng: &mut Rng) -> Option<Planted> {
    let (at, step, index, _) = some_given(script, rng, |_, _| true)?;
    poll_mut(script, at, step)[index].value = -1;
    Some(Planted { kind: "phantom", operation: at })
}

/// Values that readers must be given: of operations that came back.
fn due(script: &Script) -> BTreeSet<(u32, i64)> {
    acked(script).into_iter().map(|each| (each.sent.partition, each.sent.value)).collect()
}

fn moved(op: &Op, partition: u32) -> bool {
    op.detail.as_ref().is_some_and(|detail| detail.rebalanced.iter().any(|moved| moved.0 == partition))
}

fn gap_inside(script: &mut Script, rng: &mut Rng) -> Option<Planted> {
    let due = due(script);
    let (at, step, index, given) = some_given(script, rng, |op, given| {
        let same: Vec<&Given> = op.given().filter(|each| each.partition == given.partition).collect();
        let ends = [same.first(), same.last()].contains(&Some(&given));
        !ends && due.contains(&(given.partition, given.value)) && !moved(op, given.partition)
    })?;
    poll_mut(script, at, step).remove(index);
    let elsewhere =
        script.ops().filter(|op| op.outcome == Outcome::Ok).flat_map(Op::given).any(|each| *each == given);
    elsewhere.then_some(Planted { kind: "int-poll-skip", operation: at })
}

/// The first record of a partition in an operation of a process that has a place in it, with the last one
/// it was given there.
fn continued(script: &Script) -> Vec<(At, usize, usize, Given, Given)> {
    let mut all = Vec::new();
    if script.subscribes && !script.transactions {
        // Nobody tells of rebalances, so nobody can say where a process is.
        return all;
    }
    for (process, ops) in script.processes.iter().enumerate() {
        let mut last: std::collections::BTreeMap<u32, Given> = std::collections::BTreeMap::new();
        for (number, op) in ops.iter().enumerate() {
            if matches!(op.function, Function::Assign | Function::Subscribe) && op.outcome != Outcome::Fail {
                let detail = op.detail.clone().unwrap_or_default();
                last.retain(|partition, _| {
                    !detail.seek_to_beginning && detail.partitions.iter().any(|named| named.0 == *partition)
                });
            }
            let mut here = std::collections::BTreeMap::new();
            for (step, micro) in op.steps.iter().enumerate() {
                let Micro::Poll(polled) = micro else { continue };
                for (index, given) in polled.iter().enumerate() {
                    let first = here.insert(given.partition, *given).is_none();
                    if let Some(before) =
                        last.get(&given.partition).filter(|_| first && !moved(op, given.partition))
                    {
                        all.push(((process, number), step, index, *given, *before));
                    }
                }
            }
            if op.outcome == Outcome::Ok {
                last.extend(here);
            }
            last.retain(|partition, _| !moved(op, *partition));
        }
    }
    all
}

fn gap_between(script: &mut Script, rng: &mut Rng) -> Option<Planted> {
    let due = due(script);
    let (at, step, index, given, _) = pick(&continued(script), rng)?;
    let op = &script.processes[at.0][at.1];
    let more = op.given().filter(|each| each.partition == given.partition).count() > 1;
    poll_mut(script, at, step).remove(index);
    let elsewhere =
        script.ops().filter(|op| op.outcome == Outcome::Ok).flat_map(Op::given).any(|each| *each == given);
    let fits = more && elsewhere && due.contains(&(given.partition, given.value));
    fits.then_some(Planted { kind: "poll-skip", operation: at })
}

fn again_inside(script: &mut Script, rng: &mut Rng) -> Option<Planted> {
    let (at, step, index, given) = some_given(script, rng, |op, given| !moved(op, given.partition))?;
    let poll = poll_mut(script, at, step);
    let later = index + 1 + rng.below(poll.len() - index);
    let between = poll[index + 1..later].iter().any(|each| each.partition != given.partition);
    poll.insert(later, given);
    (!between).then_some(Planted { kind: "int-nonmonotonic-poll", operation: at })
}

fn again_between(script: &mut Script, rng: &mut Rng) -> Option<Planted> {
    let (at, step, index, _, before) = pick(&continued(script), rng)?;
    poll_mut(script, at, step).insert(index, before);
    Some(Planted { kind: "nonmonotonic-poll", operation: at })
}

/// Exchanges two records of a partition, in acknowledgements and polls alike.
fn exchange(script: &mut Script, partition: u32, one: Sent, other: Sent) {
    let swap = |value: i64| {
        if value == one.value {
            other.value
        } else if value == other.value {
            one.value
        } else {
            value
        }
    };
    for op in script.ops_mut() {
        for given in op.polls_mut().flatten().filter(|given| given.partition == partition) {
            given.value = swap(given.value);
        }
        for sent in op.sends_mut().filter(|sent| sent.partition == partition) {
            if sent.value == one.value {
                sent.offset = other.offset;
            } else if sent.value == other.value {
                sent.offset = one.offset;
            }
        }
    }
}

/// Acknowledged sends of one process to one partition that follow one another, offsets known.
fn neighbours(script: &Script) -> Vec<(Acked, Acked)> {
    let acked = acked(script);
    let mut pairs = Vec::new();
    for (index, one) in acked.iter().enumerate() {
        let same = |other: &&Acked| other.at.0 == one.at.0 && other.sent.partition == one.sent.partition;
        if let Some(next) = acked[index + 1..].iter().find(same)
            && next.sent.offset.is_some()
            && one.sent.offset.is_some()
        {
            pairs.push((*one, *next));
        }
    }
    pairs
}

fn swap_some(
    script: &mut Script,
    rng: &mut Rng,
    kind: &'static str,
    fits: impl Fn(&(Acked, Acked)) -> bool,
) -> Option<Planted> {
    let pairs: Vec<(Acked, Acked)> = neighbours(script).into_iter().filter(fits).collect();
    let (one, other) = pick(&pairs, rng)?;
    exchange(script, one.sent.partition, one.sent, other.sent);
    Some(Planted { kind, operation: other.at })
}

fn swapped(script: &mut Script, rng: &mut Rng) -> Option<Planted> {
    swap_some(script, rng, "nonmonotonic-send", |(one, other)| one.at != other.at && one.sent.key.is_none())
}

fn swapped_inside(script: &mut Script, rng: &mut Rng) -> Option<Planted> {
    swap_some(script, rng, "int-nonmonotonic-send", |(one, other)| one.at == other.at)
}

fn swapped_key(script: &mut Script, rng: &mut Rng) -> Option<Planted> {
    swap_some(script, rng, "key-reorder", |(one, other)| {
        one.sent.key.is_some() && one.sent.key == other.sent.key
    })
}

/// The second send of an operation changes places with a later record of another process, so that those
/// between come between the operation's own.
fn separated(script: &mut Script, rng: &mut Rng) -> Option<Planted> {
    let acked = acked(script);
    let in_operation = |of: &Acked| -> Vec<Acked> {
        let same = acked.iter().filter(|each| (each.at, each.sent.partition) == (of.at, of.sent.partition));
        same.copied().collect()
    };
    let pairs: Vec<(Acked, Acked)> = neighbours(script)
        .into_iter()
        .filter(|(one, other)| one.at == other.at && one.sent.offset.map(|at| at + 1) == other.sent.offset)
        .filter(|(_, other)| in_operation(other).last().is_some_and(|last| last.sent == other.sent))
        .collect();
    let (_, second) = pick(&pairs, rng)?;
    let offset = second.sent.offset?;
    let partition = second.sent.partition;
    let next_of = |process: usize, after: i64| {
        let same =
            script.processes[process].iter().flat_map(Op::sends).filter(|sent| sent.partition == partition);
        same.filter_map(|sent| place(script, *sent)).filter(|offset| *offset > after).min()
    };
    let others: Vec<Acked> = acked
        .iter()
        .filter(|other| other.at.0 != second.at.0 && other.sent.partition == partition)
        .filter(|other| in_operation(other).len() == 1)
        .filter(|other| {
            let Some(theirs) = other.sent.offset.filter(|theirs| *theirs > offset) else { return false };
            let mine = next_of(second.at.0, offset).is_none_or(|next| next > theirs);
            mine && next_of(other.at.0, offset) == Some(theirs)
        })
        .copied()
        .collect();
    let other = pick(&others, rng)?;
    exchange(script, partition, second.sent, other.sent);
    Some(Planted { kind: "int-send-skip", operation: second.at })
}
