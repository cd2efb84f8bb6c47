//! Linearizability by its definition: some operations of unknown outcome never happen, the others are put
//! into every order that real time allows.

use history::Outcome;
use history::exchange::operations::{Action, Operation, Operations};

use crate::linearizability::models::Object;

fn takes_part(operation: &Operation) -> bool {
    operation.outcome != Outcome::Fail
}

/// What may have become of an object after one operation.
fn after<O: Object>(object: &O, state: &O::State, operation: &Operation) -> Option<O::State> {
    let known = operation.outcome == Outcome::Ok;
    if known
        || matches!(
            operation.action,
            Action::Write(_)
                | Action::Cas { .. }
                | Action::Concat(_)
                | Action::Acquire
                | Action::Release
                | Action::Enqueue(_)
                | Action::Dequeue(_)
                | Action::Append { .. }
        )
    {
        object.step(state, operation.action, known)
    } else {
        // A read that nobody heard of.
        Some(state.clone())
    }
}

/// Some order exists. Exponential.
pub(super) fn is_linearizable<O: Object>(object: &O, operations: &Operations) -> bool {
    let all: Vec<&Operation> = operations.all.iter().filter(|one| takes_part(one)).collect();
    extend(object, &all, 0, &object.initial(), &mut Vec::new())
}

fn extend<O: Object>(
    object: &O,
    all: &[&Operation],
    placed: u32,
    state: &O::State,
    dead: &mut Vec<(u32, O::State)>,
) -> bool {
    let open = || (0..all.len()).filter(|one| placed & (1 << one) == 0);
    if open().all(|one| all[one].outcome == Outcome::Unknown) {
        return true;
    }
    if dead.iter().any(|(other, held)| *other == placed && held == state) {
        return false;
    }
    let earliest = open().map(|one| all[one].returned).min().unwrap_or(i64::MAX);
    for one in open().filter(|one| all[*one].call <= earliest) {
        if let Some(next) = after(object, state, all[one])
            && extend(object, all, placed | 1 << one, &next, dead)
        {
            return true;
        }
    }
    dead.push((placed, state.clone()));
    false
}

/// The operations named are a legal beginning in this order.
pub(super) fn is_order<O: Object>(object: &O, operations: &Operations, order: &[u32]) -> bool {
    let mut state = object.initial();
    for (place, op) in order.iter().enumerate() {
        let operation = &operations.all[*op as usize];
        let late = (0..operations.all.len() as u32)
            .filter(|other| !order[..=place].contains(other) && takes_part(&operations.all[*other as usize]))
            .any(|other| operations.all[other as usize].returned < operation.call);
        match object.step(&state, operation.action, operation.outcome == Outcome::Ok) {
            Some(next) if !late => state = next,
            _ => return false,
        }
    }
    true
}
