//! Small histories: operations take effect at a moment between call and return, so they are linearizable;
//! then some are spoilt.

use history::Outcome;
use history::exchange::operations::{Action, Model, Operation, Operations, TextId};

use super::draw::Draw;

/// Whether values are appended, written or enqueued once or several times.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Distinct,
    Repeated,
}

/// The number of the first value of registers.
pub(super) const INITIAL: TextId = 0;
/// Values beside the first one.
const VALUES: u64 = 12;
/// Values where they are to be repeated.
const FEW: u64 = 3;

/// A history of two to eight operations on one object.
pub(super) fn generate(model: Model, manner: Manner, draw: &mut Draw) -> Operations {
    let mut history = Operations::new(model);
    history.keys.add("\"x\"");
    history.values.add(if model == Model::Kv { "" } else { "null" });
    for value in 1..=VALUES {
        history.values.add(&format!("v{value}"));
    }
    let count = 2 + draw.below(7);
    let span = 4 + draw.below(20);
    let mut fresh = 0;
    let mut sketches: Vec<Sketch> = (0..count)
        .map(|process| {
            let call = draw.below(span) as i64;
            let length = draw.below(8) as i64;
            let outcome = match draw.below(10) {
                0 | 1 => Outcome::Unknown,
                2 if draw.once_in(2) => Outcome::Fail,
                _ => Outcome::Ok,
            };
            // Four moments a tick, so that several fit into touching intervals.
            let late = if outcome == Outcome::Unknown { 20 } else { 0 };
            let moment = call * 4 + draw.below(((length + late) * 4 + 1) as u64) as i64;
            let happens = outcome == Outcome::Ok || outcome == Outcome::Unknown && !draw.once_in(3);
            Sketch { process: process as TextId, call, returned: call + length, moment, outcome, happens }
        })
        .collect();
    sketches.sort_by_key(|sketch| sketch.moment);
    let mut object = Vec::new();
    let mut held = INITIAL;
    let mut locked = false;
    for sketch in sketches {
        let mut value = |draw: &mut Draw| match manner {
            Manner::Distinct => {
                fresh = fresh % VALUES + 1;
                fresh as TextId
            }
            Manner::Repeated => 1 + draw.below(FEW) as TextId,
        };
        let action = match model {
            Model::Register | Model::CasRegister => {
                let action = match draw.below(if model == Model::Register { 2 } else { 4 }) {
                    0 => Action::Read(held),
                    1 => Action::Write(value(draw)),
                    _ => {
                        let (from, to) = (draw.below(FEW + 1) as TextId, value(draw));
                        Action::Cas { from, to, swapped: sketch.outcome == Outcome::Unknown || held == from }
                    }
                };
                if sketch.happens {
                    match action {
                        Action::Write(value) => held = value,
                        Action::Cas { from, to, .. } if held == from => held = to,
                        _ => {}
                    }
                }
                action
            }
            Model::Kv => strings(&mut history, &mut held, sketch.happens, value(draw), draw),
            Model::Mutex => {
                let action = if locked { Action::Release } else { Action::Acquire };
                locked ^= sketch.happens;
                action
            }
            Model::Queue => {
                let action = match draw.below(2) {
                    0 => Action::Enqueue(value(draw)),
                    _ => Action::Dequeue(object.first().copied()),
                };
                match action {
                    Action::Enqueue(value) if sketch.happens => object.push(value),
                    Action::Dequeue(Some(_)) if sketch.happens => {
                        object.remove(0);
                    }
                    _ => {}
                }
                action
            }
            Model::Log => logs(&mut history, &mut object, &sketch, &mut value, draw),
        };
        history.all.push(sketch.operation(action, history.all.len() as u32 + 1));
    }
    if draw.once_in(2) {
        for _ in 0..=draw.below(2) {
            spoil(&mut history, draw);
        }
    }
    // The order of the file says nothing.
    for place in (1..history.all.len()).rev() {
        let other = draw.below(place as u64 + 1) as usize;
        history.all.swap(place, other);
    }
    history
}

struct Sketch {
    process: TextId,
    call: i64,
    returned: i64,
    moment: i64,
    outcome: Outcome,
    happens: bool,
}

impl Sketch {
    fn operation(&self, action: Action, line: u32) -> Operation {
        let unknown = self.outcome == Outcome::Unknown;
        Operation {
            call: self.call,
            returned: if unknown { i64::MAX } else { self.returned },
            action,
            process: self.process,
            key: 0,
            line,
            outcome: self.outcome,
        }
    }
}

fn strings(
    history: &mut Operations,
    held: &mut TextId,
    happens: bool,
    value: TextId,
    draw: &mut Draw,
) -> Action {
    let (action, after) = match draw.below(5) {
        0 => (Action::Write(value), value),
        1 | 2 => {
            let longer = format!("{}{}", history.values.get(*held), history.values.get(value));
            (Action::Concat(value), history.values.add(&longer))
        }
        _ => (Action::Read(*held), *held),
    };
    if happens {
        *held = after;
    }
    action
}

fn logs(
    history: &mut Operations,
    log: &mut Vec<TextId>,
    sketch: &Sketch,
    value: &mut impl FnMut(&mut Draw) -> TextId,
    draw: &mut Draw,
) -> Action {
    let end = log.len() as u64;
    match draw.below(8) {
        0..=3 => {
            let count = if draw.once_in(3) { draw.below(4) } else { 1 };
            let values: Vec<TextId> = (0..count).map(|_| value(draw)).collect();
            if sketch.happens {
                log.extend_from_slice(&values);
            }
            let told = sketch.outcome == Outcome::Ok && !draw.once_in(12);
            Action::Append { values: history.add_run(values), base: told.then_some(end) }
        }
        4..=5 => {
            let offset = draw.below(end + 2);
            let rest = log.get(offset as usize..).unwrap_or_default();
            let strict_end = draw.once_in(2);
            let count = if strict_end { rest.len() as u64 } else { draw.below(rest.len() as u64 + 1) };
            // Beyond the end nothing is claimed falsely: the end is below the offset.
            let values = rest[..count as usize].to_vec();
            Action::ReadLog { offset, values: history.add_run(values), strict_end }
        }
        _ => {
            let weak = draw.once_in(2);
            Action::EndOffset { end: end - if weak { draw.below(end.min(2) + 1) } else { 0 }, weak }
        }
    }
}

/// Changes one operation so that the history may have become impossible.
fn spoil(history: &mut Operations, draw: &mut Draw) {
    let place = draw.below(history.all.len() as u64) as usize;
    let strings = history.model == Model::Kv;
    let mut operation = history.all[place];
    let other = draw.below(if strings { history.values.len() as u64 } else { VALUES / 2 }) as TextId;
    match operation.action {
        _ if draw.once_in(3) => {
            let by = draw.below(13) as i64 - 6;
            operation.call += by;
            if operation.returned != i64::MAX {
                operation.returned += by;
            }
        }
        Action::Read(_) => operation.action = Action::Read(other),
        Action::Cas { from, to, swapped } => operation.action = Action::Cas { from, to, swapped: !swapped },
        Action::Acquire => operation.action = Action::Release,
        Action::Release => operation.action = Action::Acquire,
        Action::Dequeue(value) => {
            let value = if value.is_some() && draw.once_in(2) { None } else { Some(other.max(1)) };
            operation.action = Action::Dequeue(value);
        }
        Action::Write(_) | Action::Concat(_) | Action::Enqueue(_) => operation.outcome = Outcome::Fail,
        Action::Append { values, base } => {
            operation.action = match draw.below(4) {
                0 => Action::Append { values, base: base.map(|base| base + 1) },
                1 => Action::Append { values, base: base.map(|base| base.saturating_sub(1)) },
                2 => {
                    operation.outcome = Outcome::Fail;
                    operation.action
                }
                _ => {
                    let fewer = values.count.saturating_sub(1);
                    let run = history.run(values)[..fewer as usize].to_vec();
                    Action::Append { values: history.add_run(run), base }
                }
            };
        }
        Action::ReadLog { offset, values, strict_end } => {
            let mut run = history.run(values).to_vec();
            let mut offset = offset;
            match draw.below(4) {
                0 => offset += 1,
                1 => {
                    run.pop();
                }
                2 if !run.is_empty() => {
                    let at = draw.below(run.len() as u64) as usize;
                    run[at] = other;
                }
                _ => run.push(other),
            }
            operation.action = Action::ReadLog { offset, values: history.add_run(run), strict_end };
        }
        Action::EndOffset { end, weak } => {
            operation.action = Action::EndOffset { end: (end + 1).saturating_sub(2 * draw.below(2)), weak };
        }
    }
    // What is not known to have completed saw nothing that could be spoilt.
    if operation.outcome == Outcome::Unknown
        && let Action::Append { values, .. } = operation.action
    {
        operation.action = Action::Append { values, base: None };
    }
    history.all[place] = operation;
}
