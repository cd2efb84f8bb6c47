//! Producer sessions, a byte a record, and where each of their records lies in the final log.

use history::{History, Nanos, Offset, Outcome, Partition, Send, Session, Tag, Told};

use super::log::{Log, numbered};
use super::names::{Names, Ranks};
use super::tally::{self, Tally};
use super::{Extra, parallel};

/// The first place of a record in the final log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) partition: Partition,
    pub(crate) offset: Offset,
    /// How often it is there (3 is three times or more); with 0 the rest means nothing.
    pub(crate) copies: u32,
}

const NOWHERE: Place = Place { partition: Partition(0), offset: Offset(0), copies: 0 };

/// Position of a send: producer session and rank there, in order of sequence numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SendAt {
    pub(crate) producer: usize,
    pub(crate) send: usize,
}

/// What is known of a record, in a byte: what was told, the outcome, the copies, and whether the first of them
/// lies where it was acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State(u8);

const OUTCOME_SHIFT: u8 = 2;
const COPIES_SHIFT: u8 = 4;
const AS_ACKNOWLEDGED: u8 = 1 << 6;
const MOST_COPIES: u8 = 3;

impl State {
    pub(super) const fn new(told: Told, outcome: Outcome) -> Self {
        let told = match told {
            Told::Acked => 0,
            Told::Sent => 1,
            Told::Failed => 2,
            Told::Nothing => 3,
        };
        let outcome = match outcome {
            Outcome::Ok => 0,
            Outcome::Fail => 1,
            Outcome::Unknown => 2,
        };
        Self(told | outcome << OUTCOME_SHIFT)
    }

    const fn told(self) -> Told {
        match self.0 & 3 {
            0 => Told::Acked,
            1 => Told::Sent,
            2 => Told::Failed,
            _ => Told::Nothing,
        }
    }

    const fn failed(self) -> bool {
        (self.0 >> OUTCOME_SHIFT) & 3 == 1
    }

    const fn copies(self) -> u8 {
        (self.0 >> COPIES_SHIFT) & MOST_COPIES
    }
}

/// One producer session.
#[derive(Debug)]
pub(crate) struct Producer<'a> {
    pub(crate) session: &'a Session,
    pub(crate) tally: Tally,
    /// Index into the session by rank of sequence number; `None` while they are in order anyway.
    order: Option<Vec<u32>>,
    /// By rank.
    states: Vec<State>,
    /// Ranks of records that are not where they were acknowledged, with their first place. Sorted.
    elsewhere: Vec<(u32, Partition, Offset)>,
}

impl<'a> Producer<'a> {
    pub(crate) fn len(&self) -> usize {
        self.states.len()
    }

    /// The send of a rank.
    pub(crate) fn send(&self, rank: usize) -> Send {
        self.session.send(self.index(rank))
    }

    /// The number of a rank's send in its session.
    pub(crate) fn index(&self, rank: usize) -> usize {
        self.order.as_ref().map_or(rank, |order| order[rank] as usize)
    }

    /// What was told of the record of a rank.
    pub(crate) fn told(&self, rank: usize) -> Told {
        self.states[rank].told()
    }

    /// How often the record of a rank is in the final log; 3 is three times or more.
    pub(crate) fn copies(&self, rank: usize) -> u32 {
        self.states[rank].copies().into()
    }

    /// Whether the send of a rank certainly failed.
    pub(crate) fn failed(&self, rank: usize) -> bool {
        self.states[rank].failed()
    }

    /// Where the record of a rank lies.
    pub(crate) fn place(&self, rank: usize) -> Place {
        if self.states[rank].0 & AS_ACKNOWLEDGED != 0 {
            self.placed(rank, &self.send(rank))
        } else {
            self.moved(rank)
        }
    }

    /// Every send with its place, in order of sequence numbers.
    pub(crate) fn sends(&self) -> impl Iterator<Item = (Send, Place)> {
        self.in_order().enumerate().map(|(rank, send)| {
            let place = self.placed(rank, &send);
            (send, place)
        })
    }

    /// Every send, in order of sequence numbers.
    fn in_order(&self) -> impl Iterator<Item = Send> + use<'a, '_> {
        let straight = self.order.is_none().then(|| self.session.sends()).into_iter().flatten();
        let order = self.order.iter().flatten();
        straight.chain(order.map(|&index| self.session.send(index as usize)))
    }

    fn placed(&self, rank: usize, send: &Send) -> Place {
        let state = self.states[rank];
        match (send.partition, send.offset) {
            (Some(partition), Some(offset)) if state.0 & AS_ACKNOWLEDGED != 0 => {
                Place { partition, offset, copies: state.copies().into() }
            }
            _ => self.moved(rank),
        }
    }

    fn moved(&self, rank: usize) -> Place {
        let copies = self.copies(rank);
        if copies == 0 {
            return NOWHERE;
        }
        let found = self.elsewhere.binary_search_by_key(&(rank as u32), |(rank, ..)| *rank);
        let (_, partition, offset) = self.elsewhere[found.expect("a record in the log has a place")];
        Place { partition, offset, copies }
    }
}

/// The producer sessions, ordered by producer and session, and their records' names. The load lasted
/// `from..=until`, as far as that is known.
pub(super) fn collect(
    history: &History,
    from: Option<Nanos>,
    until: Option<Nanos>,
) -> (Vec<Producer<'_>>, Names) {
    let sessions: Vec<&Session> = history.senders().collect();
    let walked = parallel::map(&sessions, |session| {
        let walk = tally::walk(session, from, until);
        let mut ranks = Ranks::of(session, walk.first, walk.usual);
        let states = match &ranks.order {
            None => walk.states,
            Some(order) => order.iter().map(|&index| walk.states[index as usize]).collect(),
        };
        let (tally, order, elsewhere) = (walk.tally, ranks.order.take(), Vec::new());
        (Producer { session, tally, order, states, elsewhere }, ranks)
    });
    let mut walked = walked;
    walked.sort_by_key(|(_, ranks)| ranks.key);
    let (producers, ranks) = walked.into_iter().unzip();
    (producers, Names::new(ranks))
}

/// Notes where every record lies, and returns the copies beyond the first. Corrupt records are nobody's:
/// their tags cannot be trusted.
pub(super) fn place(producers: &mut Vec<Producer<'_>>, names: &Names, logs: &[Log]) -> Vec<Extra> {
    let mut extras = Vec::new();
    for (partition, log) in numbered(logs) {
        for (position, number) in log.numbers() {
            let (producer, rank) = names.split(number);
            let state = &mut producers[producer].states[rank];
            match state.copies() {
                0 => state.0 += 1 << COPIES_SHIFT,
                copies => {
                    state.0 += if copies < MOST_COPIES { 1 << COPIES_SHIFT } else { 0 };
                    extras.push(Extra {
                        tag: names.tag(number),
                        partition,
                        offset: log.entries.offset(position),
                    });
                }
            }
        }
    }
    let confirmed = parallel::map(&(0..producers.len()).collect::<Vec<usize>>(), |&index| {
        as_acknowledged(&producers[index], index, names, logs)
    });
    let mut astray = false;
    for (producer, (states, all)) in producers.iter_mut().zip(confirmed) {
        producer.states = states;
        astray |= !all;
    }
    if astray {
        place_elsewhere(producers, names, logs);
    }
    extras
}

/// The states of a producer's records, with those marked whose only copy is where it was acknowledged; and
/// whether that is true of all in the log.
fn as_acknowledged(producer: &Producer<'_>, index: usize, names: &Names, logs: &[Log]) -> (Vec<State>, bool) {
    let mut all = true;
    let mut hints = vec![0; logs.len()];
    let mut states = producer.states.clone();
    for ((rank, send), state) in producer.in_order().enumerate().zip(&mut states) {
        let there = match (send.partition, send.offset) {
            _ if state.copies() != 1 => false,
            (Some(partition), Some(offset)) => logs.get(partition.0 as usize).is_some_and(|log| {
                let position = log.locate(offset, &mut hints[partition.0 as usize]);
                let number = position.and_then(|position| log.number(position));
                number.is_some_and(|number| names.split(number) == (index, rank))
            }),
            _ => false,
        };
        state.0 |= if there { AS_ACKNOWLEDGED } else { 0 };
        all &= there || state.copies() == 0;
    }
    (states, all)
}

fn place_elsewhere(producers: &mut [Producer<'_>], names: &Names, logs: &[Log]) {
    for (partition, log) in numbered(logs) {
        for (position, number) in log.numbers() {
            let (producer, rank) = names.split(number);
            let producer = &mut producers[producer];
            if producer.states[rank].0 & AS_ACKNOWLEDGED == 0 {
                producer.elsewhere.push((rank as u32, partition, log.entries.offset(position)));
            }
        }
    }
    for producer in producers {
        // Stable: the first place of a record stays first.
        producer.elsewhere.sort_by_key(|(rank, ..)| *rank);
        producer.elsewhere.dedup_by_key(|(rank, ..)| *rank);
        producer.elsewhere.shrink_to_fit();
    }
}

/// The send of a tag.
pub(super) fn find(names: &Names, tag: Tag) -> Option<SendAt> {
    names.find(tag).map(|(producer, send)| SendAt { producer, send })
}
