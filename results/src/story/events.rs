//! The events of a story, from all sessions: the records' own way, whatever else was at their place, and
//! what happened to the cluster around it.

use history::view::Step;
use history::{
    Contents, Delivery, FENCE_PRODUCER, History, Nanos, Note, Operation, Outcome, Partition, Send, Session,
    Told,
};
use serde::Serialize;

use super::said::{self, Weight};
use super::subject::Subject;
use crate::rundir::NodeLine;

/// Micro-operations told of one operation.
const STEPS_MAX: usize = 8;
/// Events of one story.
pub(super) const EVENTS_MAX: usize = 60;

/// One line of a story.
#[derive(Debug, Serialize)]
pub struct Event {
    /// Nanoseconds of the history's own clock.
    pub at_ns: u64,
    /// Nanoseconds after the load began; of a history from elsewhere, after its first operation.
    pub after_start_ns: i64,
    /// The session.
    pub who: String,
    /// What it did or saw.
    pub what: String,
    /// How far the time may be off, in nanoseconds; 0 where it was told by the history's own clock.
    #[serde(skip_serializing_if = "is_zero")]
    pub error_ns: u64,
    /// Among events of one moment: what was seen before what was done.
    #[serde(skip)]
    order: u8,
    /// It is what the story is about, not what went on around it.
    #[serde(skip)]
    own: bool,
    #[serde(skip)]
    weight: Weight,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
const fn is_zero(error_ns: &u64) -> bool {
    *error_ns == 0
}

impl Event {
    fn new(at: Nanos, order: u8, session: &Session, what: String) -> Self {
        let (who, weight) = (session.name(), Weight::Much);
        Self { at_ns: at.0, after_start_ns: 0, who, what, error_ns: 0, order, own: true, weight }
    }
}

/// The events in order of time, and how many were left out.
pub(super) fn tell(
    history: &History,
    subject: &Subject,
    fault: Option<u32>,
    nodes: &[NodeLine],
) -> (Vec<Event>, usize) {
    let mut all = gather(history, subject, fault);
    let topic = history.plan.topic.as_str();
    all.extend(nodes.iter().filter_map(|line| {
        Some(Event {
            at_ns: line.at.0,
            after_start_ns: 0,
            who: line.node.clone(),
            what: said::named_as_here(topic, line),
            error_ns: line.error_ns,
            order: 1,
            own: false,
            weight: said::weight(topic, subject, line)?,
        })
    }));
    let count = all.len();
    let mut events = choose(all);
    let omitted = count - events.len();
    events.sort_by_key(|event| (event.at_ns, event.order));
    let start = i128::from(super::start(history).0);
    for event in &mut events {
        let after = i128::from(event.at_ns) - start;
        event.after_start_ns = i64::try_from(after).unwrap_or(if after < 0 { i64::MIN } else { i64::MAX });
    }
    (events, omitted)
}

/// Of too many events, the first and last of what the story is about, and of what went on around it what says most,
/// the nearest first.
fn choose(mut events: Vec<Event>) -> Vec<Event> {
    if events.len() <= EVENTS_MAX {
        return events;
    }
    events.sort_by_key(|event| (event.at_ns, event.order));
    let (mut own, mut around): (Vec<Event>, Vec<Event>) = events.into_iter().partition(|event| event.own);
    if own.len() > EVENTS_MAX {
        let half = EVENTS_MAX / 2;
        own.drain(half..own.len() - half);
    }
    let distance =
        |event: &Event| own.iter().map(|other| other.at_ns.abs_diff(event.at_ns)).min().unwrap_or(0);
    around.sort_by_key(|event| (event.weight, distance(event)));
    around.truncate(EVENTS_MAX - own.len());
    own.extend(around);
    own
}

fn gather(history: &History, subject: &Subject, fault: Option<u32>) -> Vec<Event> {
    let mut events = Vec::new();
    for (place, session) in history.sessions.iter().enumerate() {
        let mut covered = Vec::new();
        for (_, number) in subject.operations.iter().filter(|(of, _)| *of == place) {
            let operation = session.operation(*number);
            covered.push((operation.sends.clone(), operation.deliveries.clone()));
            tell_operation(history, session, &operation, subject, &mut events);
        }
        for (number, send) in session.sends().enumerate() {
            let told = covered.iter().any(|(sends, _)| sends.contains(&number));
            if !told && subject.concerns(Some(send.tag), send.partition, send.offset) {
                tell_send(history, session, &send, &mut events);
            }
        }
        for (number, delivery) in session.deliveries().enumerate() {
            let told = covered.iter().any(|(_, deliveries)| deliveries.contains(&number));
            // The place in a sink's row is the application's word.
            let place = session.reads_log().then_some((delivery.partition, delivery.offset)).unzip();
            if !told && subject.concerns(delivery.tag, place.0, place.1) {
                tell_delivery(history, session, number, &delivery, &mut events);
            }
        }
        for (at, note) in &session.notes {
            if let Some(what) = note_text(history, note, subject) {
                let own = fault.is_some() && fault_of(note) == fault;
                events.push(Event { own, ..Event::new(*at, 1, session, what) });
            }
        }
    }
    events
}

const fn fault_of(note: &Note) -> Option<u32> {
    match note {
        Note::FaultInvoked { fault, .. }
        | Note::FaultInjected { fault, .. }
        | Note::FaultHealed { fault, .. }
        | Note::FaultFailed { fault, .. } => Some(*fault),
        _ => None,
    }
}

fn tell_operation(
    history: &History,
    session: &Session,
    operation: &Operation<'_>,
    subject: &Subject,
    events: &mut Vec<Event>,
) {
    let function = format!("{:?}", operation.function).to_lowercase();
    let line = operation.line.map(|line| format!(" (line {line})")).unwrap_or_default();
    let mut steps: Vec<String> =
        operation.steps().map(|step| step_text(history, session, step, subject)).collect();
    if let Some(detail) = operation.detail {
        let names = |partitions: &[Partition]| {
            partitions
                .iter()
                .map(|partition| history.partition_name(*partition))
                .collect::<Vec<_>>()
                .join(", ")
        };
        if !detail.partitions.is_empty() {
            steps.push(format!("partitions {}", names(&detail.partitions)));
        }
        if !detail.assigned.is_empty() {
            steps.push(format!("was given partitions {}", names(&detail.assigned)));
        }
        if !detail.revoked.is_empty() {
            let how = if detail.lost { "lost" } else { "gave up" };
            steps.push(format!("{how} partitions {}", names(&detail.revoked)));
        }
        if !detail.rebalanced.is_empty() && detail.assigned.is_empty() && detail.revoked.is_empty() {
            steps.push(format!("a rebalance moved {}", names(&detail.rebalanced)));
        }
        steps.extend(detail.committed.iter().map(|(partition, offset)| {
            format!("commits offset {offset} of {}", place_text(history, Some(*partition)))
        }));
        steps.extend(detail.fetched.iter().map(|(partition, offset)| {
            format!("was told that offset {offset} of {} is committed", place_text(history, Some(*partition)))
        }));
        let made = session.sends_in(operation.sends.clone()).zip(&detail.inputs);
        steps.extend(made.filter_map(|(send, input)| {
            let (partition, offset) = (*input)?;
            let output = history.name_of(send.tag);
            Some(format!("made {output} of offset {offset} of {}", place_text(history, Some(partition))))
        }));
        steps.extend(detail.error.as_ref().map(|error| format!("error {error}")));
    }
    let more = steps.len().saturating_sub(STEPS_MAX);
    steps.truncate(STEPS_MAX);
    if more > 0 {
        steps.push(format!("and {more} more"));
    }
    let what = format!("{function}{line} begins");
    events.push(Event::new(operation.invoked, 2, session, what));
    let outcome = match (operation.completed, operation.outcome) {
        (None, _) => "never came back",
        (_, Outcome::Ok) => "is ok",
        (_, Outcome::Fail) => "failed",
        (_, Outcome::Unknown) => "came back without a certain outcome",
    };
    let joint = if steps.is_empty() { "" } else { ": " };
    let what = format!("{function}{line} {outcome}{joint}{}", steps.join("; "));
    let (at, order) = ending(operation.invoked, operation.completed);
    events.push(Event::new(at, order, session, what));
}

fn step_text(history: &History, session: &Session, step: Step, subject: &Subject) -> String {
    match step {
        Step::Send(number) => {
            let send = session.send(number);
            let offset = send.offset.map(|offset| format!(" at offset {offset}")).unwrap_or_default();
            format!("sent {} to {}{offset}", history.name_of(send.tag), place_text(history, send.partition))
        }
        Step::Poll(range) if range.is_empty() => "polled nothing".to_owned(),
        Step::Poll(range) => {
            // Of a long poll, what lies around the place in question.
            let near = |record: &Delivery| {
                Some(record.partition) == subject.partition && Some(record.offset) >= subject.offset
            };
            let place = session.deliveries_in(range.clone()).position(|record| near(&record)).unwrap_or(0);
            let most = range.len().saturating_sub(STEPS_MAX);
            let first = range.start + place.saturating_sub(STEPS_MAX / 2).min(most);
            let numbers = first..(first + STEPS_MAX).min(range.end);
            let mut parts: Vec<String> = Vec::new();
            parts.extend((first > range.start).then(|| format!("{} more before", first - range.start)));
            let records = numbers.clone().zip(session.deliveries_in(numbers.clone()));
            parts.extend(records.map(|(number, record)| {
                let partition = history.partition_name(record.partition);
                format!("{} ({partition}@{})", record_text(history, session, number, &record), record.offset)
            }));
            let behind = range.end - numbers.end;
            parts.extend((behind > 0).then(|| format!("{behind} more behind")));
            format!("polled {}", parts.join(", "))
        }
    }
}

fn tell_send(history: &History, session: &Session, send: &Send, events: &mut Vec<Event>) {
    let record = history.name_of(send.tag);
    let what = format!("sends record {record} to {}", place_text(history, send.partition));
    events.push(Event::new(send.invoked, 2, session, what));
    let offset = send.offset.map(|offset| format!(" at offset {offset}")).unwrap_or_default();
    let told = match send.told {
        Told::Acked => format!("is told that record {record} is acknowledged{offset}"),
        Told::Sent => format!("is told that record {record} was written to a socket (acks=0)"),
        Told::Failed if send.outcome == Outcome::Fail => {
            format!("is told that record {record} failed, for certain")
        }
        Told::Failed => format!(
            "is told that record {record} failed{offset} (error {}); it may be in the log all the same",
            send.error
        ),
        Told::Nothing => format!("is never told anything of record {record}"),
    };
    let (at, order) = ending(send.invoked, send.completed);
    events.push(Event::new(at, order, session, told));
}

fn tell_delivery(
    history: &History,
    session: &Session,
    number: usize,
    delivery: &Delivery,
    events: &mut Vec<Event>,
) {
    let record = record_text(history, session, number, delivery);
    let what = if session.reads_log() {
        let partition = place_text(history, Some(delivery.partition));
        format!("is given record {record} at offset {} of {partition}", delivery.offset)
    } else {
        format!("holds record {record} in row {}", number + 1)
    };
    events.push(Event::new(delivery.returned, 0, session, what));
}

/// When an end is told: what never came is told behind its beginning.
fn ending(invoked: Nanos, completed: Option<Nanos>) -> (Nanos, u8) {
    completed.map_or((invoked, 3), |at| (at, 0))
}

/// What a delivered record is called; one that nobody sent by its text.
pub(super) fn record_text(
    history: &History,
    session: &Session,
    number: usize,
    delivery: &Delivery,
) -> String {
    let name = match (delivery.tag, session.foreign_value(number)) {
        (Some(tag), _) if tag.producer == FENCE_PRODUCER => "that is the fence".to_owned(),
        (Some(tag), _) => history.name_of(tag),
        (None, Some(value)) => format!("{value}, which nobody sent"),
        (None, None) => "of somebody else".to_owned(),
    };
    if delivery.contents == Contents::Corrupt { format!("{name}, damaged") } else { name }
}

pub(super) fn place_text(history: &History, partition: Option<Partition>) -> String {
    match partition {
        Some(partition) => format!("partition {}", history.partition_name(partition)),
        None => "a partition of the client's choice".to_owned(),
    }
}

/// What a note tells about faults, the cluster and the partition in question.
fn note_text(history: &History, note: &Note, subject: &Subject) -> Option<String> {
    let here = |partition: &Partition| subject.partition.is_none_or(|subject| subject == *partition);
    let place = |partition: &Partition| place_text(history, Some(*partition));
    let node = |leader: Option<history::NodeId>| match leader {
        Some(node) => format!("node {node}"),
        None => "nobody".to_owned(),
    };
    Some(match note {
        Note::PhaseEntered { phase } => format!("phase {} begins", format!("{phase:?}").to_lowercase()),
        Note::FaultInvoked { fault, class, applications, .. } if !applications.is_empty() => {
            let names: Vec<String> = applications.iter().map(ToString::to_string).collect();
            format!("fault {fault} ({class}) is about to hit {}", names.join(", "))
        }
        Note::FaultInvoked { fault, class, partitions, .. } if class.is_administrative() => {
            let places: Vec<String> = partitions.iter().map(place).collect();
            let what = if places.is_empty() { "the topic".to_owned() } else { places.join(", ") };
            format!("fault {fault} ({class}) is about to ask the cluster for a change of {what}")
        }
        Note::FaultInvoked { fault, class, nodes, .. } => {
            let nodes: Vec<String> = nodes.iter().map(ToString::to_string).collect();
            format!("fault {fault} ({class}) is about to hit nodes {}", nodes.join(", "))
        }
        Note::FaultInjected { fault, by } if by.is_empty() => format!("fault {fault} is in force"),
        Note::FaultInjected { fault, by } => format!("fault {fault} is in force, by {}", by.join(", ")),
        Note::FaultHealed { fault, seen, .. } if seen.is_empty() => format!("fault {fault} is healed"),
        Note::FaultHealed { fault, seen, .. } => format!("fault {fault} is healed: {}", seen.join("; ")),
        Note::FaultFailed { fault, reason } => format!("fault {fault} failed: {reason}"),
        Note::PartitionState { partition, leader, epoch, isr, .. } if here(partition) => {
            let isr: Vec<String> = isr.iter().map(ToString::to_string).collect();
            let (place, leader) = (place(partition), node(*leader));
            let epoch = if *epoch < 0 { String::new() } else { format!(" in epoch {epoch}") };
            format!("{place} is led by {leader}{epoch}; in sync: {}", isr.join(", "))
        }
        Note::ClientView { partition, leader } if here(partition) => {
            format!("takes {} for the leader of {}", node(*leader), place(partition))
        }
        Note::Fenced { node, fenced } => {
            format!("node {node} is {}", if *fenced { "fenced" } else { "unfenced" })
        }
        Note::Coordinator { node: coordinator } => {
            format!("the group is coordinated by {}", node(*coordinator))
        }
        Note::NodeDied { node, status } => format!("node {node} died: {status}"),
        Note::ClientError { text, fatal: true, .. } => format!("its client can do no more: {text}"),
        Note::Watermarks { partition, start, end } if subject.partition == Some(*partition) => {
            format!("{} reaches from offset {start} to {end}", place(partition))
        }
        Note::FenceAcked { partition, offset } if subject.partition == Some(*partition) => {
            format!("wrote the fence of {} at offset {offset}", place(partition))
        }
        Note::ReaderStopped { caught_up } => {
            let how = if *caught_up { "having read every fence" } else { "before it had read every fence" };
            format!("stops reading, {how}")
        }
        Note::Drained { partition } if subject.partition == Some(*partition) => {
            format!("has read {} up to its fence", place(partition))
        }
        Note::LoadStopped { reason } => format!("the load stops early: {reason}"),
        _ => return None,
    })
}
