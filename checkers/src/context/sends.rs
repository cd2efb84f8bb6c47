//! Producer sessions indexed by sequence number, and where each of their records lies in the final log.

use history::{History, Offset, Partition, Send, Session, Tag};

use super::Extra;
use super::log::{Log, numbered};

/// The first place of a record in the final log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) partition: Partition,
    pub(crate) offset: Offset,
    /// How often it is there; with 0 the rest means nothing.
    pub(crate) copies: u32,
}

const NOWHERE: Place = Place { partition: Partition(0), offset: Offset(0), copies: 0 };

/// Position of a send: producer session and index there, in order of sequence numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SendAt {
    pub(crate) producer: usize,
    pub(crate) send: usize,
}

/// One producer session.
#[derive(Debug)]
pub(crate) struct Producer<'a> {
    pub(crate) session: &'a Session,
    key: (u32, u32),
    /// Index into `session.sends` by rank of sequence number; `None` while they are in order anyway.
    order: Option<Vec<usize>>,
    /// Per send, in order of sequence numbers.
    pub(crate) places: Vec<Place>,
}

impl<'a> Producer<'a> {
    fn new(session: &'a Session) -> Self {
        let sends: Vec<u64> = session.sends().map(|send| send.tag.seq).collect();
        let key = session
            .sends()
            .next()
            .map_or((session.index, session.session), |send| (send.tag.producer, send.tag.session));
        let order = (!sends.is_sorted()).then(|| {
            let mut order: Vec<usize> = (0..sends.len()).collect();
            order.sort_by_key(|&index| sends[index]);
            order
        });
        Self { session, key, order, places: vec![NOWHERE; sends.len()] }
    }

    /// The send of a rank.
    pub(crate) fn send(&self, rank: usize) -> Send {
        self.session.send(self.order.as_ref().map_or(rank, |order| order[rank]))
    }

    /// Every send with its place, in order of sequence numbers.
    pub(crate) fn sends(&self) -> impl Iterator<Item = (Send, Place)> {
        self.places.iter().enumerate().map(|(rank, place)| (self.send(rank), *place))
    }

    fn rank(&self, seq: u64) -> Option<usize> {
        // Sequence numbers are dense in our own histories; imported ones may have gaps.
        let guess = usize::try_from(seq).ok().filter(|&guess| guess < self.places.len());
        if let Some(guess) = guess
            && self.send(guess).tag.seq == seq
        {
            return Some(guess);
        }
        let (mut low, mut high) = (0, self.places.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.send(middle).tag.seq.cmp(&seq) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }
}

/// The producer sessions, ordered for [`find`].
pub(super) fn collect(history: &History) -> Vec<Producer<'_>> {
    let mut producers: Vec<Producer<'_>> = history.senders().map(Producer::new).collect();
    producers.sort_by_key(|producer| producer.key);
    producers
}

/// The send of a tag.
pub(super) fn find(producers: &[Producer<'_>], tag: Tag) -> Option<SendAt> {
    let producer =
        producers.binary_search_by_key(&(tag.producer, tag.session), |producer| producer.key).ok()?;
    Some(SendAt { producer, send: producers[producer].rank(tag.seq)? })
}

/// Notes where every record lies, and returns the copies beyond the first. Corrupt records are nobody's:
/// their tags cannot be trusted.
pub(super) fn place(producers: &mut [Producer<'_>], logs: &[Log]) -> Vec<Extra> {
    let mut extras = Vec::new();
    for (partition, log) in numbered(logs) {
        for entry in &log.entries {
            let Some(tag) = entry.intact() else { continue };
            let Some(at) = find(producers, tag) else { continue };
            let place = &mut producers[at.producer].places[at.send];
            place.copies += 1;
            if place.copies == 1 {
                (place.partition, place.offset) = (partition, entry.offset);
            } else {
                extras.push(Extra { tag, partition, offset: entry.offset });
            }
        }
    }
    extras
}
