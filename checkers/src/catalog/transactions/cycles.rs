//! Cycles of transactions: the history as plain columns, the search, and what it found in words.

use history::view::Operation;
use history::{Delivery, Nanos, Offset, Outcome, Partition, Send, Session};

use super::facts::Facts;
use super::{G0, G1C, G2, REALTIME_CYCLE, Tally, WW_G1C, story};
use crate::context::{Context, MAX_EXAMPLES, SendAt, involved, partition};
use crate::graph::{Arrow, Class, Cycle, Dependencies, NEVER, Relation, cycles, picture};
use crate::spec::Kind;
use crate::{Finding, Witness};

/// Operations of one transaction shown in a picture; longer cycles are told in words alone.
const MOST_IN_PICTURE: usize = 24;

pub(super) fn check(context: &Context<'_>, facts: &Facts) -> Vec<Finding> {
    let strict = context.terms.strict_serializable;
    // Without transactions each operation is on one partition, or a poll that promises nothing across
    // several: partitions are then judged one by one, and that is complete.
    if !facts.transactional && !strict {
        return Vec::new();
    }
    let columns = Columns::new(context, facts);
    let mut found = cycles(&columns.dependencies, strict);
    found.retain(|cycle| cycle.class != Class::RealTime || !cycle.one_partition);
    let kinds: [(Class, &Kind); 5] = [
        (Class::G1c, &G1C),
        (Class::G0, &G0),
        (Class::WwG1c, &WW_G1C),
        (Class::G2, &G2),
        (Class::RealTime, &REALTIME_CYCLE),
    ];
    kinds
        .into_iter()
        .filter_map(|(class, kind)| {
            let of_class: Vec<&Cycle> = found.iter().filter(|cycle| cycle.class == class).collect();
            columns.finding(kind, &of_class)
        })
        .collect()
}

/// Where a node is in the history.
#[derive(Clone, Copy)]
struct At {
    session: u32,
    operation: u32,
}

struct Columns<'c, 'h> {
    context: &'c Context<'h>,
    dependencies: Dependencies,
    at: Vec<At>,
}

impl<'c, 'h> Columns<'c, 'h> {
    fn new(context: &'c Context<'h>, facts: &Facts) -> Self {
        let mut dependencies = Dependencies::new(context.logs.iter().map(|log| log.entries.len()));
        let mut at = Vec::new();
        let (mut writes, mut reads) = (Vec::new(), Vec::new());
        for (number, session) in (0..).zip(&context.history.sessions) {
            if session.role == history::Role::Drain || !session.reads_log() {
                continue;
            }
            let error = session.clock.error_ns.unwrap_or(0);
            let (mut sends, mut deliveries) = (session.sends(), session.deliveries());
            for (index, operation) in (0..).zip(session.operations()) {
                if !committed(context, facts, session, &operation) {
                    continue;
                }
                places_written(context, sends.seek(operation.sends.clone()), &mut writes);
                places_read(context, deliveries.seek(operation.deliveries.clone()), &mut reads);
                if writes.is_empty() && reads.is_empty() {
                    continue;
                }
                let returned = operation.completed.filter(|_| operation.outcome == Outcome::Ok);
                let interval = (
                    operation.invoked.0.saturating_sub(error),
                    returned.map_or(NEVER, |at| at.0.saturating_add(error)),
                );
                dependencies.add(interval, number, &mut writes, &mut reads);
                at.push(At { session: number, operation: index });
            }
        }
        Self { context, dependencies, at }
    }

    fn finding(&self, kind: &Kind, found: &[&Cycle]) -> Option<Finding> {
        let mut tally = Tally::default();
        for cycle in found {
            tally.add(|| self.witness(cycle));
        }
        debug_assert!(tally.examples.len() <= MAX_EXAMPLES);
        let picture = found
            .first()
            .filter(|cycle| cycle.steps.len() <= MOST_IN_PICTURE)
            .map(|cycle| self.picture(kind, cycle));
        let mut finding = tally.finding(self.context, kind)?;
        finding.picture = picture;
        Some(finding)
    }

    fn with<T>(&self, node: u32, use_it: impl FnOnce(&Session, &Operation<'_>) -> T) -> Option<T> {
        let At { session, operation } = self.at[node as usize];
        let session = &self.context.history.sessions[session as usize];
        let operation = match session.recorded_operations() {
            0 => session.operations().nth(operation as usize)?,
            _ => session.operation(operation as usize),
        };
        Some(use_it(session, &operation))
    }

    fn name(&self, node: u32) -> String {
        let name = self.with(node, |session, operation| story::name(self.context, session, operation));
        name.unwrap_or_else(|| "an operation".to_owned())
    }

    /// One cycle in words: every transaction once, and why it comes before the next.
    fn witness(&self, cycle: &Cycle) -> Witness {
        let steps = &cycle.steps;
        let mut text = String::new();
        for (index, (node, relation)) in steps.iter().enumerate() {
            let (next, _) = steps[(index + 1) % steps.len()];
            let joint = if index == 0 { "" } else { "; " };
            text.push_str(&format!(
                "{joint}T{} ({}) {}",
                index + 1,
                self.name(*node),
                self.why(*node, next, *relation)
            ));
            text.push_str(&format!(" T{}", (index + 1) % steps.len() + 1));
        }
        if cycle.knot > steps.len() {
            text.push_str(&format!(" (the shortest cycle of a knot of {})", cycle.knot));
        }
        let place = steps.iter().enumerate().find_map(|(index, (node, relation))| {
            let (next, _) = steps[(index + 1) % steps.len()];
            self.dependencies.because(*node, next, *relation)
        });
        let place = place.map(|because| {
            let log = &self.context.logs[because.partition as usize];
            (partition(because.partition as usize), log.entries.get(because.to as usize))
        });
        let operations = steps.iter().filter_map(|(node, _)| {
            let number = self.at[*node as usize].operation as usize;
            self.with(*node, |session, operation| involved(session, number, operation))
        });
        let first = steps.first().map(|(node, _)| Nanos(self.dependencies.nodes()[*node as usize].called));
        let witness = self.context.witness(
            text,
            place.and_then(|(_, entry)| entry.tag),
            place.map(|(partition, _)| partition),
            place.map(|(_, entry)| entry.offset),
            first,
        );
        if self.context.derived.is_some() { witness.with(operations) } else { witness }
    }

    /// `wrote x at offset 3 of partition 0, before y at offset 4 by`.
    fn why(&self, from: u32, to: u32, relation: Relation) -> String {
        let record = |partition: u32, position: u32| {
            let entry = self.context.logs[partition as usize].entries.get(position as usize);
            let name =
                entry.tag.map_or_else(|| "a record".to_owned(), |tag| self.context.history.name_of(tag));
            (name, entry.offset)
        };
        let named = |at: u32| self.context.history.partition_name(Partition(at));
        let because = self.dependencies.because(from, to, relation);
        match (relation, because) {
            (Relation::WriteWrite, Some(because)) => {
                let ((a, at), (b, next)) =
                    (record(because.partition, because.from), record(because.partition, because.to));
                let partition = named(because.partition);
                format!("wrote {a} at offset {at} of partition {partition}, before {b} at offset {next} by")
            }
            (Relation::WriteRead, Some(because)) => {
                let (name, offset) = record(because.partition, because.to);
                format!(
                    "wrote {name} at offset {offset} of partition {}, which was read by",
                    named(because.partition)
                )
            }
            (Relation::ReadWrite, Some(because)) => {
                let ((_, read), (name, offset)) =
                    (record(because.partition, because.from), record(because.partition, because.to));
                let partition = named(because.partition);
                format!("read partition {partition} up to offset {read} and not {name} at offset {offset} by")
            }
            (Relation::Process, _) => "was done by the same process before".to_owned(),
            _ => {
                let nodes = self.dependencies.nodes();
                let (ended, began) = (nodes[from as usize].returned, nodes[to as usize].called);
                let gap = began.saturating_sub(ended);
                format!("had ended {} before", nanos(gap))
            }
        }
    }

    fn picture(&self, kind: &Kind, cycle: &Cycle) -> String {
        let steps = &cycle.steps;
        let arrows: Vec<Arrow> = steps
            .iter()
            .enumerate()
            .map(|(index, (node, relation))| {
                let (next, _) = steps[(index + 1) % steps.len()];
                let because = self.dependencies.because(*node, next, *relation);
                let place = because.map_or_else(String::new, |because| {
                    let log = &self.context.logs[because.partition as usize];
                    let offset: Offset = log.entries.get(because.to as usize).offset;
                    format!(" {}@{offset}", self.context.history.partition_name(Partition(because.partition)))
                });
                let name = self.name(*node);
                Arrow {
                    name: format!("T{}: {}", index + 1, name.replacen("'s transaction", "", 1)),
                    detail: format!(
                        "{name} {} T{}",
                        self.why(*node, next, *relation),
                        (index + 1) % steps.len() + 1
                    ),
                    why: format!("{}{place}", relation.short()),
                }
            })
            .collect();
        picture(&format!("{}: {}", kind.name, kind.summary), &arrows)
    }
}

fn nanos(span: u64) -> String {
    if span < 1_000_000 { format!("{span} ns") } else { format!("{} ms", span / 1_000_000) }
}

/// It took effect: it ended well, or a committed reader was given something of it.
fn committed(context: &Context<'_>, facts: &Facts, session: &Session, operation: &Operation<'_>) -> bool {
    match operation.outcome {
        Outcome::Ok => true,
        Outcome::Fail => false,
        Outcome::Unknown => session
            .sends_in(operation.sends.clone())
            .any(|send| context.find(send.tag).is_some_and(|at| facts.seen(at))),
    }
}

fn places_written(context: &Context<'_>, sends: impl Iterator<Item = Send>, writes: &mut Vec<(u32, u32)>) {
    for send in sends.filter(|send| !context.is_doubtful(send.tag)) {
        let Some(place) = context.place_of(send.tag) else { continue };
        if let Some(position) = context.logs[place.partition.0 as usize].position(place.offset) {
            writes.push((
                place.partition.0,
                u32::try_from(position).expect("logs have fewer than 2^32 records"),
            ));
        }
    }
}

fn places_read(
    context: &Context<'_>,
    deliveries: impl Iterator<Item = Delivery>,
    reads: &mut Vec<(u32, u32)>,
) {
    for delivery in deliveries {
        let Some(log) = context.log(delivery.partition) else { continue };
        let Some(position) = log.position(delivery.offset) else { continue };
        // What it was given is what the log holds, and took effect; anything else is another finding.
        let failed = |at: SendAt| context.producers[at.producer].failed(at.send);
        let sound = delivery.tag.and_then(|tag| context.find(tag)).is_some_and(|at| !failed(at));
        if sound && log.entries.get(position).tag == delivery.tag {
            reads.push((
                delivery.partition.0,
                u32::try_from(position).expect("logs have fewer than 2^32 records"),
            ));
        }
    }
}
