//! Numbers for records: every send of the workload gets one, so that a log is a column of numbers and what
//! is known of a record a column of bytes.

use history::{Session, Tag};

/// Numbers end below this: the codes from here on mean something else (see `log`).
pub(super) const END: u32 = 1 << 31;

/// The tags of one producer session, by rank: their place in the order of sequence numbers.
#[derive(Debug)]
enum Tags {
    /// Every number from the first one on, all of the session's own producer.
    Dense { first: Tag, count: usize },
    /// Anything else.
    Sparse(Vec<Tag>),
}

/// The names of every record.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// Producer and session of each, sorted.
    keys: Vec<(u32, u32)>,
    tags: Vec<Tags>,
    /// Number of the first record of each.
    firsts: Vec<u32>,
}

/// A producer session's order, as far as it is not the usual one.
pub(super) struct Ranks {
    pub(super) key: (u32, u32),
    /// Index into the session by rank; `None` while they are in order anyway.
    pub(super) order: Option<Vec<u32>>,
    tags: Tags,
}

impl Ranks {
    /// Looks at the tags of a session. `usual` says whether each is the one before it plus one.
    pub(super) fn of(session: &Session, first: Option<Tag>, usual: bool) -> Self {
        let key = first.map_or((session.index, session.session), |tag| (tag.producer, tag.session));
        match first {
            Some(first) if !usual => {
                let tags: Vec<Tag> = session.sends().map(|send| send.tag).collect();
                Self::sparse(key, tags, first)
            }
            first => {
                let first = first.unwrap_or(Tag { producer: key.0, session: key.1, seq: 0 });
                let tags = Tags::Dense { first, count: session.send_count() };
                Self { key, order: None, tags }
            }
        }
    }

    fn sparse(key: (u32, u32), mut tags: Vec<Tag>, first: Tag) -> Self {
        let order = (!tags.is_sorted_by_key(|tag| tag.seq)).then(|| {
            let mut order: Vec<u32> = (0..tags.len() as u32).collect();
            order.sort_by_key(|&index| tags[index as usize].seq);
            order
        });
        tags.sort_by_key(|tag| tag.seq);
        let usual = |(rank, tag): (u64, &Tag)| *tag == Tag { seq: first.seq.wrapping_add(rank), ..first };
        let dense = tags.first() == Some(&first) && (0..).zip(&tags).all(usual);
        let tags = if dense { Tags::Dense { first, count: tags.len() } } else { Tags::Sparse(tags) };
        Self { key, order, tags }
    }
}

impl Names {
    /// Numbers the records of sessions, which are sorted by key. Returns the first number of each, too.
    ///
    /// # Panics
    /// If there are 2^31 records or more.
    pub(super) fn new(ranks: Vec<Ranks>) -> Self {
        let mut names = Self::default();
        let mut next = 0_usize;
        for rank in ranks {
            let first = u32::try_from(next).ok().filter(|first| *first < END);
            names.firsts.push(first.expect("a history of 2^31 records or more cannot be judged"));
            next += rank.tags.len();
            names.keys.push(rank.key);
            names.tags.push(rank.tags);
        }
        assert!(next < END as usize, "a history of 2^31 records or more cannot be judged");
        names
    }

    /// Producer session and rank of a tag, if it was ever sent.
    pub(super) fn find(&self, tag: Tag) -> Option<(usize, usize)> {
        let key = (tag.producer, tag.session);
        // Producers are numbered from 0, and most have one session.
        let producer = match self.keys.get(tag.producer as usize) {
            Some(usual) if *usual == key => tag.producer as usize,
            _ => self.keys.binary_search(&key).ok()?,
        };
        let rank = match &self.tags[producer] {
            Tags::Dense { first, count } => {
                let rank = usize::try_from(tag.seq.checked_sub(first.seq)?).ok()?;
                (rank < *count).then_some(rank)?
            }
            Tags::Sparse(tags) => {
                let rank = tags.binary_search_by_key(&tag.seq, |tag| tag.seq).ok()?;
                (tags[rank] == tag).then_some(rank)?
            }
        };
        Some((producer, rank))
    }

    /// The number of a tag.
    pub(super) fn number(&self, tag: Tag) -> Option<u32> {
        self.find(tag).map(|(producer, rank)| self.firsts[producer] + rank as u32)
    }

    /// Producer session and rank of a number.
    pub(super) fn split(&self, number: u32) -> (usize, usize) {
        let producer = self.firsts.partition_point(|first| *first <= number) - 1;
        (producer, (number - self.firsts[producer]) as usize)
    }

    /// The tag of a number.
    pub(super) fn tag(&self, number: u32) -> Tag {
        let (producer, rank) = self.split(number);
        match &self.tags[producer] {
            Tags::Dense { first, .. } => Tag { seq: first.seq + rank as u64, ..*first },
            Tags::Sparse(tags) => tags[rank],
        }
    }
}

impl Tags {
    fn len(&self) -> usize {
        match self {
            Self::Dense { count, .. } => *count,
            Self::Sparse(tags) => tags.len(),
        }
    }
}
