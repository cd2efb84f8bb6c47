//! First-in-first-out queues whose values are all different: no search, but bad patterns (Henzinger, Sezgin
//! & Vafeiadis, 2013; Bouajjani et al., 2015), with closed intervals.
//!
//! A dequeue gives what nobody enqueued, what another dequeue gave, or returns before its enqueue was called;
//! a is enqueued before b, b is dequeued, and a later or never; a dequeue finds the queue empty though at
//! every moment of it some value was inside. A value is inside, for certain, after the return of its enqueue
//! and before the call of its dequeue, both excluded. Each is one sweep: O(n log n).

use std::collections::HashMap;

use history::Outcome;
use history::exchange::operations::{Action, Operations, TextId};

use super::{Answer, Flaw, NEVER};

/// The life of one value.
#[derive(Clone, Copy)]
struct Life {
    enqueue: u32,
    /// When the enqueue was called and returned.
    entered: (i64, i64),
    dequeue: Option<u32>,
    /// When the dequeue was called and returned; never, if there is none.
    left: (i64, i64),
}

/// Judges one queue; `None` if a value is enqueued twice or nobody knows what a dequeue took.
pub(super) fn judge(operations: &Operations, members: &[u32]) -> Option<Answer> {
    let mut lives: HashMap<TextId, Life> = HashMap::with_capacity(members.len());
    let mut empties = Vec::new();
    let all = || members.iter().map(|op| (*op, &operations.all[*op as usize]));
    for (op, operation) in all() {
        let interval = (operation.call, operation.returned);
        match (operation.action, operation.outcome) {
            (_, Outcome::Fail) => {}
            (Action::Enqueue(value), _) => {
                let life = Life { enqueue: op, entered: interval, dequeue: None, left: (NEVER, NEVER) };
                if lives.insert(value, life).is_some() {
                    return None;
                }
            }
            (Action::Dequeue(None), Outcome::Ok) => empties.push((op, interval)),
            (Action::Dequeue(Some(_)), Outcome::Ok) => {}
            _ => return None,
        }
    }
    for (op, operation) in all() {
        let (Action::Dequeue(Some(value)), Outcome::Ok) = (operation.action, operation.outcome) else {
            continue;
        };
        let text = || operations.values.get(value);
        let Some(life) = lives.get_mut(&value) else {
            return Some(not(format!("dequeued {}, which nobody enqueued", text()), vec![op]));
        };
        if let Some(other) = life.dequeue {
            return Some(not(format!("dequeued {} twice", text()), vec![other, op]));
        }
        if operation.returned < life.entered.0 {
            let what = format!("dequeued {} before its enqueue was called", text());
            return Some(not(what, vec![op, life.enqueue]));
        }
        life.dequeue = Some(op);
        life.left = (operation.call, operation.returned);
    }
    // What may never have entered and never left says nothing.
    let lives: Vec<Life> =
        lives.into_values().filter(|life| life.dequeue.is_some() || life.entered.1 != NEVER).collect();
    Some(overtaking(&lives).or_else(|| not_empty(lives, empties)).unwrap_or(Answer::Linearizable))
}

/// A value that left before the one that had entered before it.
fn overtaking(lives: &[Life]) -> Option<Answer> {
    let mut by_return: Vec<&Life> = lives.iter().collect();
    by_return.sort_unstable_by_key(|life| life.entered.1);
    let mut by_call: Vec<&Life> = lives.iter().filter(|life| life.dequeue.is_some()).collect();
    by_call.sort_unstable_by_key(|life| life.entered.0);
    let mut before = by_return.into_iter().peekable();
    // Of those that had entered, the one whose dequeue is called last.
    let mut latest: Option<&Life> = None;
    for life in by_call {
        while let Some(other) = before.next_if(|other| other.entered.1 < life.entered.0) {
            if latest.is_none_or(|latest| other.left.0 > latest.left.0) {
                latest = Some(other);
            }
        }
        if let Some(other) = latest.filter(|other| life.left.1 < other.left.0) {
            let witnesses = [Some(other.enqueue), Some(life.enqueue), life.dequeue, other.dequeue];
            let what = "a value enqueued later was dequeued before another".to_owned();
            return Some(not(what, witnesses.into_iter().flatten().collect()));
        }
    }
    None
}

/// A dequeue that found the queue empty and cannot have.
fn not_empty(mut lives: Vec<Life>, mut empties: Vec<(u32, (i64, i64))>) -> Option<Answer> {
    lives.retain(|life| life.entered.1 < life.left.0);
    lives.sort_unstable_by_key(|life| life.entered.1);
    // Maximal stretches of time in which some value is inside at every moment. Open intervals that only
    // touch leave a moment between them.
    let mut stretches: Vec<(i64, i64, u32)> = Vec::new();
    for life in &lives {
        match stretches.last_mut() {
            Some((_, end, _)) if life.entered.1 < *end => *end = (*end).max(life.left.0),
            _ => stretches.push((life.entered.1, life.left.0, life.enqueue)),
        }
    }
    empties.sort_unstable();
    empties.into_iter().find_map(|(op, (call, returned))| {
        let place = stretches.partition_point(|(start, _, _)| *start < call).checked_sub(1)?;
        let (_, end, inside) = stretches[place];
        let what = || "found the queue empty, though something was inside all the time".to_owned();
        (returned < end).then(|| not(what(), vec![inside, op]))
    })
}

fn not(text: String, witnesses: Vec<u32>) -> Answer {
    Answer::Not(vec![Flaw::one("non-linearizable", text, witnesses)])
}
