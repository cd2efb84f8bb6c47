//! Anomalies of committed offsets, planted into a clean script.

use history::{Detail, Function, Offset, Outcome};

use super::plants::{Acked, At, Planted, acked, pick};
use super::script::{Op, Script};
use crate::testing::Rng;

/// A partition's offset in a commit that came back.
#[derive(Debug, Clone, Copy)]
struct Place {
    at: At,
    index: usize,
    partition: u32,
    offset: i64,
    /// The same of the commit before, if nothing moved the process since.
    before: Option<i64>,
    /// Something was given since the process was moved.
    given: bool,
    /// Another one of the process comes later.
    followed: bool,
}

/// Every one whose process tells of what moves it.
fn places(script: &Script) -> Vec<Place> {
    let mut all: Vec<Place> = Vec::new();
    if script.subscribes && !script.transactions {
        return all;
    }
    for (process, ops) in script.processes.iter().enumerate() {
        let mut before = std::collections::BTreeMap::new();
        let mut given = std::collections::BTreeSet::new();
        for (number, op) in ops.iter().enumerate() {
            let takes = matches!(op.function, Function::Assign | Function::Subscribe | Function::Crash);
            if (takes && op.outcome != Outcome::Fail) || moves(op) {
                before.clear();
                given.clear();
            }
            if !moves(op) {
                given.extend(op.given().map(|given| given.partition));
            }
            let committed = op.detail.iter().flat_map(|detail| &detail.committed);
            for (index, (partition, offset)) in committed.enumerate() {
                if op.outcome != Outcome::Ok {
                    continue;
                }
                let same = |place: &&mut Place| (place.at.0, place.partition) == (process, partition.0);
                all.iter_mut().filter(same).for_each(|place| place.followed = true);
                let place = Place {
                    at: (process, number),
                    index,
                    partition: partition.0,
                    offset: offset.0,
                    before: before.insert(partition.0, offset.0),
                    given: given.contains(&partition.0),
                    followed: false,
                };
                all.push(place);
            }
        }
    }
    all
}

fn moves(op: &Op) -> bool {
    op.detail.as_ref().is_some_and(|detail| !detail.rebalanced.is_empty())
}

fn set(script: &mut Script, place: Place, offset: i64) {
    let detail = script.processes[place.at.0][place.at.1].detail.get_or_insert_with(Detail::default);
    detail.committed[place.index].1 = Offset(offset);
}

pub(super) fn committed_back(script: &mut Script, rng: &mut Rng) -> Option<Planted> {
    let place = pick(&places(script), rng)?;
    let before = place.before.filter(|before| *before > 0)?;
    set(script, place, before - 1);
    Some(Planted { kind: "commit-regress", operation: place.at })
}

pub(super) fn committed_beyond(script: &mut Script, rng: &mut Rng) -> Option<Planted> {
    let fits = |place: &Place| place.given && !place.followed;
    let places: Vec<Place> = places(script).into_iter().filter(fits).collect();
    let place = pick(&places, rng)?;
    let until = script.processes[place.at.0][place.at.1].completed?;
    let behind = |sent: &Acked| {
        sent.sent.partition == place.partition
            && sent.sent.offset.is_some_and(|offset| offset >= place.offset)
    };
    let sent = pick(&acked(script).into_iter().filter(behind).collect::<Vec<_>>(), rng)?.sent;
    let early = script.ops().filter(|op| op.invoked <= until).flat_map(Op::given);
    if early.into_iter().any(|given| (given.partition, given.value) == (sent.partition, sent.value)) {
        return None;
    }
    set(script, place, sent.offset? + 1);
    Some(Planted { kind: "commit-beyond", operation: place.at })
}
