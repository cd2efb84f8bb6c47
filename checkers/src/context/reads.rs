//! What one walk over a reading session tells: which deliveries are not what the log says, where it did not
//! go on to the next record, and what it was given.

use history::{Contents, Delivery, Offset, Partition, Role, Session, Tag};

use super::log::Log;
use super::names::Names;
use super::sends::Producer;
use super::{caught_up, is_fence, parallel};

/// A delivery that is not of the record next in the log after the one before it, of the same partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    /// The one before it.
    pub(crate) last: u32,
    pub(crate) delivery: u32,
    /// The highest offset given until then.
    pub(crate) highest: Offset,
}

/// One session that reads: a reader, or a drain.
#[derive(Debug)]
pub(crate) struct Reads<'a> {
    pub(crate) session: &'a Session,
    /// Records given, fences left out.
    pub(crate) delivered: u64,
    /// Deliveries that are not of an intact record that was sent, did not certainly fail and lies there in
    /// the log. Fences are not among them.
    pub(crate) irregular: Vec<u32>,
    /// In order.
    pub(crate) turns: Vec<Turn>,
    /// By partition and position in its log, whether something was given there; kept of readers that were
    /// given until the fences, and read them all.
    given: Vec<Vec<u64>>,
    /// Partitions it names.
    pub(super) partitions: usize,
}

impl<'a> Reads<'a> {
    /// Positions of a log at which it was given nothing.
    pub(crate) fn missed(&self, partition: usize, log: &Log) -> impl Iterator<Item = usize> {
        let given = self.given.get(partition).map_or(&[][..], Vec::as_slice);
        let words = log.entries.len().div_ceil(64);
        (0..words).flat_map(move |word| {
            let in_word = (log.entries.len() - word * 64).min(64);
            let mut missed = !given.get(word).copied().unwrap_or(0) & (u64::MAX >> (64 - in_word));
            std::iter::from_fn(move || {
                let bit = missed.trailing_zeros() as usize;
                missed &= missed.wrapping_sub(1);
                (bit < 64).then_some(word * 64 + bit)
            })
        })
    }

    /// The irregular deliveries with their indices.
    pub(crate) fn irregulars(&self) -> impl Iterator<Item = (usize, Delivery)> + use<'a, '_> {
        self.irregular.iter().map(|&index| (index as usize, self.session.delivery(index as usize)))
    }
}

/// Where a session stands in one partition.
#[derive(Clone, Copy)]
struct Stand {
    last: u32,
    offset: Offset,
    position: Option<usize>,
    highest: Offset,
}

/// Walks over sessions, which read what is in `logs`.
pub(super) fn collect<'a>(
    sessions: &[&'a Session],
    producers: &[Producer<'_>],
    names: &Names,
    logs: &[Log],
) -> Vec<Reads<'a>> {
    parallel::map(sessions, |session| walk(session, producers, names, logs))
}

fn walk<'a>(session: &'a Session, producers: &[Producer<'_>], names: &Names, logs: &[Log]) -> Reads<'a> {
    let (delivered, partitions) = (0, 0);
    let mut reads =
        Reads { session, delivered, irregular: Vec::new(), turns: Vec::new(), given: Vec::new(), partitions };
    if caught_up(session) {
        reads.given = logs.iter().map(|log| vec![0; log.entries.len().div_ceil(64)]).collect();
    }
    let mut hints = vec![0; logs.len()];
    let mut stands: Vec<Option<Stand>> = vec![None; logs.len()];
    let mut moves = moves(session).peekable();
    for (index, delivery) in (0..).zip(session.deliveries()) {
        while let Some((_, partitions)) = moves.next_if(|(before, _)| *before <= index as usize) {
            // Where it goes on afterwards is for its group to say.
            for partition in partitions {
                stands.get_mut(partition.0 as usize).map(Option::take);
            }
        }
        let at = delivery.partition.0 as usize;
        reads.partitions = reads.partitions.max(at + 1);
        let log = logs.get(at);
        let position = log.and_then(|log| log.locate(delivery.offset, &mut hints[at]));
        if !is_fence(delivery.tag) {
            reads.delivered += 1;
            if !is_regular(&delivery, position, log, names, producers) {
                reads.irregular.push(index);
            }
        }
        let Some(log) = log else { continue };
        if let Some(position) = position
            && let Some(given) = reads.given.get_mut(at)
        {
            given[position / 64] |= 1 << (position % 64);
        }
        let last = stands[at];
        let (offset, highest) = (delivery.offset, last.map_or(delivery.offset, |last| last.highest));
        stands[at] = Some(Stand { last: index, offset, position, highest: highest.max(offset) });
        if let Some(last) = last.filter(|last| log.complete && !last.goes_on_to(offset, position)) {
            reads.turns.push(Turn { last: last.last, delivery: index, highest: last.highest });
        }
    }
    reads
}

/// The partitions that a group gave to a member or took from it, and the deliveries it had been given before.
fn moves(session: &Session) -> impl Iterator<Item = (usize, &[Partition])> {
    let member = (session.role == Role::Member).then(|| session.recorded());
    member.into_iter().flatten().filter_map(|operation| {
        let moved = operation.detail.map(|detail| detail.rebalanced.as_slice())?;
        (!moved.is_empty()).then_some((operation.deliveries.end, moved))
    })
}

impl Stand {
    /// Whether this is what comes next: the next offset, or the next record behind a hole in the log.
    fn goes_on_to(&self, offset: Offset, position: Option<usize>) -> bool {
        let next = self.position.map(|position| position + 1);
        offset.0 == self.offset.0 + 1 || (position.is_some() && position == next)
    }
}

fn is_regular(
    delivery: &Delivery,
    position: Option<usize>,
    log: Option<&Log>,
    names: &Names,
    producers: &[Producer<'_>],
) -> bool {
    let there = position.and_then(|position| log?.number(position));
    let same = |tag: Tag| {
        let number = there?;
        let (producer, rank) = names.find(tag)?;
        (names.split(number) == (producer, rank) && !producers[producer].failed(rank)).then_some(())
    };
    delivery.contents == Contents::Intact && delivery.tag.and_then(same).is_some()
}
