//! JSON (RFC 8259), strictly.

use super::{DEPTH_MAX, Inside, Problem, Scan, Shape, Word, canonical};

/// A scanner of one line of JSON.
#[derive(Debug)]
pub(crate) struct Json<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

/// A byte in every place of a word.
const fn each(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// How many bytes of a string come before a quote, a backslash or a control character. Eight are looked at at a
/// time: a byte that is subtracted from one that is lower borrows its highest bit, and what comes before it
/// borrows nothing.
#[inline]
fn plain(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(Ok(word)) = bytes.get(at..at + 8).map(<[u8; 8]>::try_from) {
        let word = u64::from_le_bytes(word);
        let is = |byte: u8| {
            let other = word ^ each(byte);
            other.wrapping_sub(each(1)) & !other
        };
        let control = word.wrapping_sub(each(b' ')) & !word;
        let found = (is(b'"') | is(b'\\') | control) & each(0x80);
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..=31)).count()
}

impl<'a> Json<'a> {
    pub(crate) const fn new(text: &'a str) -> Self {
        Self { text, bytes: text.as_bytes(), at: 0 }
    }

    /// The next byte; 0 at the end, which is nowhere legal.
    #[inline]
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    #[inline]
    fn space(&mut self) -> u8 {
        loop {
            let byte = self.peek();
            if byte > b' ' || !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                return byte;
            }
            self.at += 1;
        }
    }

    /// The inside of a string, escapes and all, and whether there are any.
    #[inline]
    fn string(&mut self) -> Result<(&'a [u8], bool), Problem> {
        if self.space() != b'"' {
            return Err(self.problem("a string is expected"));
        }
        let from = self.at + 1;
        let (mut at, mut escaped) = (from, false);
        loop {
            at += plain(&self.bytes[at.min(self.bytes.len())..]);
            match self.bytes.get(at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    at += 2;
                }
                _ => {
                    self.at = at;
                    return Err(self.problem("a string is not closed, or holds a control character"));
                }
            }
        }
        self.at = at + 1;
        Ok((&self.bytes[from..at], escaped))
    }

    /// A string as it is meant.
    fn unescaped(&mut self, arena: &mut String) -> Result<Word, Problem> {
        self.space();
        let from = self.at;
        let (raw, escaped) = self.string()?;
        if let (false, Some(number)) = (escaped, canonical(raw)) {
            return Ok(Word::Number(number));
        }
        if !escaped {
            return Ok(Word::store(&self.text[from + 1..self.at - 1], arena));
        }
        let text: String = serde_json::from_str(&self.text[from..self.at]).map_err(|_| {
            self.at = from;
            self.problem("a string holds an unknown escape")
        })?;
        Ok(Word::of(&text, arena))
    }

    #[inline]
    fn colon(&mut self) -> Result<(), Problem> {
        if self.space() != b':' {
            return Err(self.problem("`:` is expected"));
        }
        self.at += 1;
        Ok(())
    }

    /// A number; `None` if it is not an `i64`. Its text is what was passed.
    #[inline]
    fn number(&mut self) -> Result<Option<i64>, Problem> {
        let from = self.at;
        let negative = self.peek() == b'-';
        self.at += usize::from(negative);
        let first = self.at;
        let mut value: u64 = 0;
        while let digit @ b'0'..=b'9' = self.peek() {
            value = value.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
            self.at += 1;
        }
        let digits = self.at - first;
        if digits == 0 || (digits > 1 && self.bytes[first] == b'0') {
            self.at = from;
            return Err(self.problem("a value is expected"));
        }
        if matches!(self.peek(), b'.' | b'e' | b'E') {
            self.fraction()?;
            return Ok(None);
        }
        if digits > 18 {
            return Ok(self.text[from..self.at].parse().ok());
        }
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        Ok(Some(if negative { -value } else { value }))
    }

    #[cold]
    fn fraction(&mut self) -> Result<(), Problem> {
        let digits = |scan: &mut Self| {
            let from = scan.at;
            while scan.peek().is_ascii_digit() {
                scan.at += 1;
            }
            if scan.at == from { Err(scan.problem("a digit is expected")) } else { Ok(()) }
        };
        if self.peek() == b'.' {
            self.at += 1;
            digits(self)?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            digits(self)?;
        }
        Ok(())
    }

    fn literal(&mut self) -> Result<&'static str, Problem> {
        for word in ["null", "true", "false"] {
            if self.bytes[self.at..].starts_with(word.as_bytes()) {
                self.at += word.len();
                return Ok(word);
            }
        }
        Err(self.problem("a value is expected"))
    }

    fn skip_within(&mut self, depth: u32) -> Result<(), Problem> {
        match self.space() {
            b'"' => {
                let from = self.at;
                if self.string()?.1 {
                    let known = serde_json::from_str::<serde::de::IgnoredAny>(&self.text[from..self.at]);
                    known.map_err(|_| self.problem("a string holds an unknown escape"))?;
                }
            }
            open @ (b'[' | b'{') => {
                if depth == 0 {
                    return Err(self.problem("arrays and objects are nested too deep"));
                }
                let mut inside = self.open()?;
                while self.more(&mut inside)? {
                    if open == b'{' {
                        self.name()?;
                    }
                    self.skip_within(depth - 1)?;
                }
            }
            b'-' | b'0'..=b'9' => {
                self.number()?;
            }
            _ => {
                self.literal()?;
            }
        }
        Ok(())
    }
}

impl<'a> Scan<'a> for Json<'a> {
    #[inline]
    fn shape(&mut self) -> Shape {
        match self.space() {
            b'[' => Shape::Array,
            b'{' => Shape::Map,
            _ => Shape::Scalar,
        }
    }

    fn place(&self) -> usize {
        self.at
    }

    fn rewind(&mut self, place: usize) {
        self.at = place;
    }

    fn since(&self, place: usize) -> &'a str {
        self.text.get(place..self.at).unwrap_or_default().trim()
    }

    #[inline]
    fn open(&mut self) -> Result<Inside, Problem> {
        let open = self.space();
        if !matches!(open, b'[' | b'{') {
            return Err(self.problem("an array or object is expected"));
        }
        self.at += 1;
        Ok(Inside::of(open))
    }

    #[inline]
    fn more(&mut self, inside: &mut Inside) -> Result<bool, Problem> {
        if inside.left {
            return Ok(false);
        }
        match (self.space(), std::mem::replace(&mut inside.first, false)) {
            (close, _) if close == inside.close => {
                self.at += 1;
                inside.left = true;
                Ok(false)
            }
            (_, true) => Ok(true),
            (b',', false) => {
                self.at += 1;
                if self.space() == inside.close {
                    return Err(self.problem("a value is expected"));
                }
                Ok(true)
            }
            (0, _) => Err(self.problem("the line ends early")),
            _ => Err(self.problem("`,` is expected")),
        }
    }

    #[inline]
    fn name(&mut self) -> Result<&'a [u8], Problem> {
        let (name, _) = self.string()?;
        self.colon()?;
        Ok(name)
    }

    fn key(&mut self, arena: &mut String) -> Result<Word, Problem> {
        let key = self.unescaped(arena)?;
        self.colon()?;
        Ok(key)
    }

    #[inline]
    fn symbol(&mut self) -> Result<&'a [u8], Problem> {
        Ok(self.string()?.0)
    }

    #[inline]
    fn word(&mut self, arena: &mut String) -> Result<Option<Word>, Problem> {
        match self.space() {
            b'-' | b'0'..=b'9' => {
                let from = self.at;
                Ok(Some(match self.number()? {
                    Some(number) => Word::Number(number),
                    None => Word::store(&self.text[from..self.at], arena),
                }))
            }
            b'"' => self.unescaped(arena).map(Some),
            b'[' | b'{' => Err(self.problem("a number or string is expected")),
            _ => Ok(match self.literal()? {
                "null" => None,
                word => Some(Word::store(word, arena)),
            }),
        }
    }

    fn skip(&mut self) -> Result<(), Problem> {
        self.skip_within(DEPTH_MAX)
    }

    fn finish(&mut self) -> Result<(), Problem> {
        self.space();
        if self.at < self.bytes.len() { Err(self.problem("more follows the operation")) } else { Ok(()) }
    }

    #[cold]
    fn problem(&self, what: &str) -> Problem {
        // Whatever is missing at the end is missing because the line was cut.
        let cut = self.at >= self.bytes.len();
        Problem::at(self.at, if cut { "the line ends early" } else { what })
    }
}
