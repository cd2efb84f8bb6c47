//! One line of a Jepsen history: an invocation or completion, its fields in any order. All buffers are kept
//! from line to line.

use crate::exchange::scan::{Problem, Scan, Shape, Word};

/// How a line stands to its operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Invoke,
    Ok,
    Fail,
    Info,
}

/// What a line's `f` says, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    /// `send`, `poll`, `txn`: what it is, its micro-operations say.
    Micros {
        /// It was called a transaction.
        txn: bool,
    },
    Assign,
    Subscribe,
    Crash,
    /// Something else, as `debug-topic-partitions`.
    Other,
}

/// Who made the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Process {
    /// A client.
    Client(i64),
    /// A nemesis, or whoever else has a name.
    Named,
}

/// One micro-operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Micro {
    Send {
        key: Word,
        offset: Option<i64>,
        value: Word,
    },
    /// A poll, and where in [`Line::polled`] its records end.
    Poll {
        end: usize,
    },
}

/// One polled record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Polled {
    pub(super) key: Word,
    pub(super) offset: i64,
    pub(super) value: Word,
}

/// What stands in `value`.
#[derive(Debug, Default)]
pub(super) enum Value {
    /// There is none, or it is null.
    #[default]
    Absent,
    /// Micro-operations, in [`Line::micros`].
    Micros,
    /// Something else; why it is no list of micro-operations. Plain words are in [`Line::keys`].
    Other(Problem),
}

/// One line.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) index: Option<i64>,
    pub(super) kind: Option<Kind>,
    pub(super) verb: Option<Verb>,
    pub(super) process: Option<Process>,
    pub(super) time: Option<i64>,
    pub(super) value: Value,
    pub(super) micros: Vec<Micro>,
    pub(super) polled: Vec<Polled>,
    pub(super) keys: Vec<Word>,
    pub(super) seek_to_beginning: bool,
    pub(super) rebalanced: Vec<Word>,
    pub(super) error: Option<String>,
    pub(super) arena: String,
}

/// Characters kept of an error's text.
const ERROR_MAX: usize = 200;

/// The fields that may be given once.
const ONCE: [&[u8]; 6] = [b"index", b"type", b"f", b"process", b"time", b"value"];

impl Line {
    /// Reads a line, in place of the one before.
    pub(super) fn read<'a>(&mut self, scan: &mut impl Scan<'a>) -> Result<(), Problem> {
        self.clear();
        if scan.shape() != Shape::Map {
            return Err(scan.problem("an operation is expected: `{\"type\": …, \"f\": …, …}` or `{:type …}`"));
        }
        let mut inside = scan.open()?;
        let mut seen = 0_u8;
        while scan.more(&mut inside)? {
            let name = scan.name()?;
            let Some(field) = ONCE.iter().position(|field| *field == name) else {
                self.rare(name, scan)?;
                continue;
            };
            if seen & (1 << field) != 0 {
                return Err(scan.problem(&format!("`{}` is given twice", String::from_utf8_lossy(name))));
            }
            seen |= 1 << field;
            match field {
                0 => self.index = whole(scan, &mut self.arena, "index")?,
                1 => self.kind = Some(kind(scan)?),
                2 => self.verb = Some(verb(scan)?),
                3 => {
                    self.process = match scan.word(&mut self.arena)? {
                        Some(Word::Number(number)) => Some(Process::Client(number)),
                        Some(Word::Text(..)) => Some(Process::Named),
                        None => None,
                    }
                }
                4 => self.time = whole(scan, &mut self.arena, "time")?,
                _ => self.value(scan)?,
            }
        }
        scan.finish()
    }

    /// What a word of this line says.
    pub(super) fn text(&self, from: u32, to: u32) -> &str {
        self.arena.get(from as usize..to as usize).unwrap_or_default()
    }

    /// As new, but for the room in its buffers.
    pub(super) fn clear(&mut self) {
        (self.index, self.kind, self.verb, self.process, self.time) = (None, None, None, None, None);
        (self.value, self.seek_to_beginning, self.error) = (Value::Absent, false, None);
        self.micros.clear();
        self.polled.clear();
        self.keys.clear();
        self.rebalanced.clear();
        self.arena.clear();
    }

    fn value<'a>(&mut self, scan: &mut impl Scan<'a>) -> Result<(), Problem> {
        let place = scan.place();
        let Err(problem) = self.micro_operations(scan) else { return Ok(()) };
        // It may belong to a nemesis, whose values look like anything.
        scan.rewind(place);
        self.micros.clear();
        self.polled.clear();
        self.value = Value::Other(problem);
        if scan.shape() == Shape::Array && self.words(scan).is_ok() {
            return Ok(());
        }
        self.keys.clear();
        scan.rewind(place);
        scan.skip()
    }

    /// A list of plain words: the keys that are assigned or subscribed to.
    fn words<'a>(&mut self, scan: &mut impl Scan<'a>) -> Result<(), Problem> {
        let mut inside = scan.open()?;
        while scan.more(&mut inside)? {
            match scan.word(&mut self.arena)? {
                Some(word) => self.keys.push(word),
                None => return Err(scan.problem("a key is null")),
            }
        }
        Ok(())
    }

    fn micro_operations<'a>(&mut self, scan: &mut impl Scan<'a>) -> Result<(), Problem> {
        if scan.shape() == Shape::Scalar {
            return match scan.word(&mut self.arena)? {
                None => Ok(()),
                Some(_) => Err(scan.problem("a list of micro-operations is expected")),
            };
        }
        let mut inside = scan.open()?;
        while scan.more(&mut inside)? {
            let mut micro = scan.open()?;
            if !scan.more(&mut micro)? {
                return Err(scan.problem("a micro-operation is empty"));
            }
            match scan.symbol()? {
                b"send" => self.send(scan, &mut micro)?,
                b"poll" => {
                    if scan.more(&mut micro)? {
                        self.polled(scan)?;
                    }
                    self.micros.push(Micro::Poll { end: self.polled.len() });
                }
                _ => return Err(scan.problem("a micro-operation is neither `send` nor `poll`")),
            }
            if scan.more(&mut micro)? {
                return Err(scan.problem("a micro-operation is too long"));
            }
        }
        self.value = Value::Micros;
        Ok(())
    }

    /// `k v`, `k [offset v]` or `k [null v]`, behind `send`.
    fn send<'a, S: Scan<'a>>(
        &mut self,
        scan: &mut S,
        micro: &mut crate::exchange::scan::Inside,
    ) -> Result<(), Problem> {
        let missing = |scan: &mut S| scan.problem("a send has a key and a value");
        if !scan.more(micro)? {
            return Err(missing(scan));
        }
        let key = scan.word(&mut self.arena)?.ok_or_else(|| scan.problem("the key of a send is null"))?;
        if !scan.more(micro)? {
            return Err(missing(scan));
        }
        let (mut offset, mut value) = (None, None);
        if scan.shape() == Shape::Array {
            let mut pair = scan.open()?;
            if scan.more(&mut pair)? {
                // -1 is how clients say that a broker told no offset.
                offset = place(scan, &mut self.arena)?.filter(|offset| *offset != -1);
            }
            if scan.more(&mut pair)? {
                value = scan.word(&mut self.arena)?;
            }
            if scan.more(&mut pair)? {
                return Err(scan.problem("`[offset, value]` is expected"));
            }
        } else {
            value = scan.word(&mut self.arena)?;
        }
        let value = value.ok_or_else(|| scan.problem("the value of a send is null"))?;
        if offset.is_some_and(i64::is_negative) {
            return Err(scan.problem("an offset is negative"));
        }
        self.micros.push(Micro::Send { key, offset, value });
        Ok(())
    }

    /// `{k [[offset v] …] …}`, or null.
    fn polled<'a>(&mut self, scan: &mut impl Scan<'a>) -> Result<(), Problem> {
        if scan.shape() == Shape::Scalar {
            return match scan.word(&mut self.arena)? {
                None => Ok(()),
                Some(_) => Err(scan.problem("the records of a poll are a map by key")),
            };
        }
        if scan.shape() != Shape::Map {
            return Err(scan.problem("the records of a poll are a map by key"));
        }
        let mut keys = scan.open()?;
        while scan.more(&mut keys)? {
            let key = scan.key(&mut self.arena)?;
            let mut records = scan.open()?;
            while scan.more(&mut records)? {
                let mut pair = scan.open()?;
                let offset = if scan.more(&mut pair)? { place(scan, &mut self.arena)? } else { None };
                let value = if scan.more(&mut pair)? { scan.word(&mut self.arena)? } else { None };
                let (Some(offset @ 0..), Some(value), false) = (offset, value, scan.more(&mut pair)?) else {
                    return Err(scan.problem("a polled record is `[offset, value]`, its offset not below 0"));
                };
                self.polled.push(Polled { key, offset, value });
            }
        }
        Ok(())
    }

    /// Fields that few lines have.
    #[cold]
    fn rare<'a>(&mut self, name: &[u8], scan: &mut impl Scan<'a>) -> Result<(), Problem> {
        let place = scan.place();
        match name {
            b"seek-to-beginning?" | b"seek-to-beginning" | b"seek_to_beginning"
                if scan.shape() == Shape::Scalar =>
            {
                if let Some(Word::Text(from, to)) = scan.word(&mut self.arena)? {
                    self.seek_to_beginning = self.text(from, to) == "true";
                }
            }
            b"rebalance-log" | b"rebalance_log" if scan.shape() == Shape::Array => {
                if self.rebalances(scan).is_err() {
                    scan.rewind(place);
                    scan.skip()?;
                }
            }
            b"error" => {
                let text = if scan.shape() == Shape::Scalar {
                    match scan.word(&mut self.arena)? {
                        Some(Word::Text(from, to)) => Some(self.text(from, to).to_owned()),
                        Some(Word::Number(number)) => Some(number.to_string()),
                        None => None,
                    }
                } else {
                    scan.skip()?;
                    Some(scan.since(place).to_owned())
                };
                self.error = text.map(|text| text.chars().take(ERROR_MAX).collect());
            }
            _ => scan.skip()?,
        }
        Ok(())
    }

    /// `[{"type": "assigned", "keys": [k …]} …]`.
    fn rebalances<'a>(&mut self, scan: &mut impl Scan<'a>) -> Result<(), Problem> {
        let mut entries = scan.open()?;
        while scan.more(&mut entries)? {
            if scan.shape() != Shape::Map {
                scan.skip()?;
                continue;
            }
            let mut entry = scan.open()?;
            while scan.more(&mut entry)? {
                if scan.name()? != b"keys" || scan.shape() != Shape::Array {
                    scan.skip()?;
                    continue;
                }
                let mut keys = scan.open()?;
                while scan.more(&mut keys)? {
                    self.rebalanced.extend(scan.word(&mut self.arena)?);
                }
            }
        }
        Ok(())
    }
}

fn kind<'a>(scan: &mut impl Scan<'a>) -> Result<Kind, Problem> {
    Ok(match scan.symbol()? {
        b"invoke" => Kind::Invoke,
        b"ok" => Kind::Ok,
        b"fail" => Kind::Fail,
        b"info" => Kind::Info,
        _ => return Err(scan.problem("`type` is none of invoke, ok, fail, info")),
    })
}

fn verb<'a>(scan: &mut impl Scan<'a>) -> Result<Verb, Problem> {
    Ok(match scan.symbol()? {
        b"send" | b"poll" => Verb::Micros { txn: false },
        b"txn" => Verb::Micros { txn: true },
        b"assign" => Verb::Assign,
        b"subscribe" => Verb::Subscribe,
        b"crash" => Verb::Crash,
        _ => Verb::Other,
    })
}

/// A whole number that is not negative, or null.
fn whole<'a>(scan: &mut impl Scan<'a>, arena: &mut String, what: &str) -> Result<Option<i64>, Problem> {
    match scan.word(arena)? {
        Some(Word::Number(number @ 0..)) => Ok(Some(number)),
        None => Ok(None),
        _ => Err(scan.problem(&format!("`{what}` is no whole number from 0 to {}", i64::MAX))),
    }
}

/// An offset, or null.
fn place<'a>(scan: &mut impl Scan<'a>, arena: &mut String) -> Result<Option<i64>, Problem> {
    match scan.word(arena)? {
        Some(Word::Number(number)) => Ok(Some(number)),
        None => Ok(None),
        Some(Word::Text(..)) => Err(scan.problem("an offset is no whole number of 64 bits")),
    }
}
