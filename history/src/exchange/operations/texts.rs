//! Distinct texts, stored once and named by small numbers in order of first appearance.

use std::hash::{DefaultHasher, Hasher};

use super::TextId;

/// Distinct texts. Adding and finding are O(length); a text costs its bytes and about 20 more.
#[derive(Debug, Clone, Default)]
pub struct Texts {
    /// All of them, one after the other.
    bytes: String,
    /// Where each ends.
    ends: Vec<usize>,
    /// Open addressing over a power of two: number + 1, or 0 for a free place.
    table: Vec<u32>,
}

impl Texts {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// A text by its number.
    #[must_use]
    pub fn get(&self, id: TextId) -> &str {
        let id = id as usize;
        let start = if id == 0 { 0 } else { self.ends[id - 1] };
        &self.bytes[start..self.ends[id]]
    }

    /// The number of a text, if it is there.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<TextId> {
        if self.table.is_empty() { None } else { self.place(text).1 }
    }

    /// The number of a text, added if it is new; `None` if there are 2^32 - 1 others.
    pub fn try_add(&mut self, text: &str) -> Option<TextId> {
        if (self.ends.len() + 1) * 8 > self.table.len() * 7 {
            self.grow();
        }
        let (place, known) = self.place(text);
        if known.is_some() {
            return known;
        }
        let id = TextId::try_from(self.ends.len()).ok().filter(|id| *id < u32::MAX)?;
        self.bytes.push_str(text);
        self.ends.push(self.bytes.len());
        self.table[place] = id + 1;
        Some(id)
    }

    /// The number of a text, added if it is new.
    ///
    /// # Panics
    /// If there are 2^32 - 1 others.
    pub fn add(&mut self, text: &str) -> TextId {
        self.try_add(text).expect("fewer than 2^32 texts")
    }

    /// Where a text is or would be, and its number if it is there.
    fn place(&self, text: &str) -> (usize, Option<TextId>) {
        let mask = self.table.len() - 1;
        let mut place = hash(text) & mask;
        loop {
            match self.table[place] {
                0 => return (place, None),
                id if self.get(id - 1) == text => return (place, Some(id - 1)),
                _ => place = (place + 1) & mask,
            }
        }
    }

    fn grow(&mut self) {
        let places = (self.table.len() * 2).max(16);
        let mask = places - 1;
        let mut table = vec![0; places];
        for id in 0..self.ends.len() {
            let mut place = hash(self.get(id as TextId)) & mask;
            while table[place] != 0 {
                place = (place + 1) & mask;
            }
            table[place] = id as u32 + 1;
        }
        self.table = table;
    }
}

/// SipHash: a hostile file cannot make texts collide at will.
fn hash(text: &str) -> usize {
    let mut hasher = DefaultHasher::new();
    hasher.write(text.as_bytes());
    hasher.finish() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_one_number() {
        let mut texts = Texts::default();
        let ids: Vec<TextId> = (0..1000).map(|i| texts.add(&format!("v{}", i % 500))).collect();
        assert_eq!(texts.len(), 500);
        assert_eq!(ids[..500], ids[500..]);
        assert_eq!((texts.get(7), texts.find("v7"), texts.find("w")), ("v7", Some(7), None));
        assert_eq!(Texts::default().find(""), None);
    }
}
