//! Keys and processes by number, in order of appearance. Both are small whole numbers nearly always.

use std::collections::HashMap;

use crate::exchange::scan::Word;

/// Numbers below this are looked up in a table.
const SMALL: usize = 1 << 16;
const NONE: u32 = u32::MAX;

/// The keys: partition `i` is the `i`-th distinct one.
#[derive(Debug, Default)]
pub(super) struct Keys {
    small: Vec<u32>,
    others: HashMap<String, u32>,
    pub(super) names: Vec<String>,
}

impl Keys {
    /// The partition of a key.
    #[inline]
    pub(super) fn partition(&mut self, key: Word, arena: &str) -> u32 {
        if let Word::Number(number) = key
            && let Ok(place) = usize::try_from(number)
            && place < SMALL
        {
            match self.small.get(place) {
                Some(known) if *known != NONE => return *known,
                _ => {}
            }
            if place >= self.small.len() {
                self.small.resize(place + 1, NONE);
            }
            self.small[place] = self.add(number.to_string());
            return self.small[place];
        }
        let name = match key {
            Word::Number(number) => number.to_string(),
            Word::Text(from, to) => arena.get(from as usize..to as usize).unwrap_or_default().to_owned(),
        };
        if let Some(known) = self.others.get(&name) {
            return *known;
        }
        let partition = self.add(name.clone());
        self.others.insert(name, partition);
        partition
    }

    fn add(&mut self, name: String) -> u32 {
        self.names.push(name);
        u32::try_from(self.names.len() - 1).unwrap_or(NONE - 1)
    }
}

/// The processes, numbered from 0.
#[derive(Debug, Default)]
pub(super) struct Processes {
    small: Vec<u32>,
    others: HashMap<i64, u32>,
    count: u32,
}

impl Processes {
    /// The number of a process, and whether it is new.
    #[inline]
    pub(super) fn number(&mut self, process: i64) -> (usize, bool) {
        let slot = match usize::try_from(process) {
            Ok(place) if place < SMALL => {
                if place >= self.small.len() {
                    self.small.resize(place + 1, NONE);
                }
                &mut self.small[place]
            }
            _ => self.others.entry(process).or_insert(NONE),
        };
        let new = *slot == NONE;
        if new {
            *slot = self.count;
            self.count += 1;
        }
        (*slot as usize, new)
    }
}
