//! EDN (github.com/edn-format/edn) as far as histories hold it: maps, vectors, lists, sets, keywords,
//! strings, numbers, `nil`, tags (ignored), `#_` and comments.

use super::{DEPTH_MAX, Inside, Problem, Scan, Shape, Word, canonical};

/// A scanner of one line of EDN.
#[derive(Debug)]
pub(crate) struct Edn<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Edn<'a> {
    pub(crate) const fn new(text: &'a str) -> Self {
        Self { text, bytes: text.as_bytes(), at: 0 }
    }

    #[inline]
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    /// Skips what means nothing, and gives the byte that follows; 0 at the end.
    #[inline]
    fn space(&mut self) -> u8 {
        loop {
            match self.peek() {
                b' ' | b',' | b'\t' | b'\r' | b'\n' => self.at += 1,
                b';' => self.at = self.bytes.len(),
                byte => return byte,
            }
        }
    }

    /// Skips tags, as `#jepsen.history.Op` before a map.
    fn tags(&mut self) -> Result<u8, Problem> {
        loop {
            match (self.space(), self.bytes.get(self.at + 1)) {
                (b'#', Some(next)) if next.is_ascii_alphabetic() => {
                    self.at += 1;
                    self.token();
                }
                (b'#', Some(b'{')) => {
                    self.at += 1;
                    return Ok(b'{');
                }
                (b'#', _) => return Err(self.problem("an unknown dispatch")),
                (byte, _) => return Ok(byte),
            }
        }
    }

    /// The bytes up to a delimiter.
    fn token(&mut self) -> &'a str {
        let from = self.at;
        while !matches!(self.peek(), 0..=32 | b',' | b';' | b'"' | b'(' | b')' | b'[' | b']' | b'{' | b'}') {
            self.at += 1;
        }
        &self.text[from..self.at]
    }

    /// The inside of a string, escapes and all.
    fn string(&mut self) -> Result<&'a str, Problem> {
        let from = self.at + 1;
        self.at = from;
        loop {
            match self.bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => self.at += 2,
                Some(_) => self.at += 1,
                None => return Err(self.problem("a string is not closed")),
            }
        }
        self.at += 1;
        Ok(&self.text[from..self.at - 1])
    }

    /// A scalar as text: a keyword without its colon, a string without its quotes.
    fn scalar(&mut self) -> Result<Scalar<'a>, Problem> {
        match self.tags()? {
            b'"' => {
                let from = self.at;
                let raw = self.string()?;
                if !raw.contains('\\') {
                    return Ok(Scalar::Text(raw));
                }
                // EDN's escapes are those of JSON.
                match serde_json::from_str(&self.text[from..self.at]) {
                    Ok(text) => Ok(Scalar::Unescaped(text)),
                    Err(_) => Err(self.problem("a string holds an unknown escape")),
                }
            }
            b':' => {
                self.at += 1;
                match self.token() {
                    "" => Err(self.problem("a keyword is expected")),
                    keyword => Ok(Scalar::Text(keyword)),
                }
            }
            0 => Err(self.problem("the line ends early")),
            b'[' | b'(' | b'{' => Err(self.problem("a number or string is expected")),
            b'\\' => {
                self.at += 1;
                let Some(character) = self.text.get(self.at..).and_then(|rest| rest.chars().next()) else {
                    return Err(self.problem("a character is expected"));
                };
                let from = self.at;
                self.at += character.len_utf8();
                self.token();
                Ok(Scalar::Text(&self.text[from..self.at]))
            }
            first => match self.token() {
                "" => Err(self.problem("a value is expected")),
                "nil" => Ok(Scalar::Null),
                token => {
                    let numeric = first.is_ascii_digit() || matches!(first, b'-' | b'+');
                    if !numeric && !first.is_ascii_alphabetic() && !matches!(first, b'*' | b'_' | b'?' | b'=')
                    {
                        return Err(self.problem("a value is expected"));
                    }
                    // `N` marks a number of any size.
                    Ok(Scalar::Text(if numeric { token.trim_end_matches('N') } else { token }))
                }
            },
        }
    }

    fn skip_within(&mut self, depth: u32) -> Result<(), Problem> {
        let open = self.tags()?;
        if !matches!(open, b'[' | b'(' | b'{') {
            return self.scalar().map(|_| ());
        }
        if depth == 0 {
            return Err(self.problem("vectors and maps are nested too deep"));
        }
        let mut inside = self.open()?;
        while self.more(&mut inside)? {
            self.skip_within(depth - 1)?;
        }
        Ok(())
    }
}

enum Scalar<'a> {
    Null,
    Text(&'a str),
    Unescaped(String),
}

impl Scalar<'_> {
    fn word(&self, arena: &mut String) -> Option<Word> {
        match self {
            Self::Null => None,
            Self::Text(text) => Some(Word::of(text, arena)),
            Self::Unescaped(text) => Some(Word::of(text, arena)),
        }
    }
}

impl<'a> Scan<'a> for Edn<'a> {
    fn shape(&mut self) -> Shape {
        match self.tags() {
            Ok(b'[' | b'(') => Shape::Array,
            Ok(b'{') => Shape::Map,
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

    fn open(&mut self) -> Result<Inside, Problem> {
        let open = self.tags()?;
        if !matches!(open, b'[' | b'(' | b'{') {
            return Err(self.problem("a vector or map is expected"));
        }
        self.at += 1;
        Ok(Inside::of(open))
    }

    fn more(&mut self, inside: &mut Inside) -> Result<bool, Problem> {
        loop {
            match self.space() {
                _ if inside.left => return Ok(false),
                close if close == inside.close => {
                    self.at += 1;
                    inside.left = true;
                    return Ok(false);
                }
                b']' | b')' | b'}' => return Err(self.problem("a bracket closes what it did not open")),
                0 => return Err(self.problem("the line ends early")),
                b'#' if self.bytes.get(self.at + 1) == Some(&b'_') => {
                    self.at += 2;
                    self.skip_within(DEPTH_MAX / 2)?;
                }
                _ => return Ok(true),
            }
        }
    }

    fn name(&mut self) -> Result<&'a [u8], Problem> {
        self.symbol()
    }

    fn key(&mut self, arena: &mut String) -> Result<Word, Problem> {
        match self.word(arena)? {
            Some(key) => Ok(key),
            None => Err(self.problem("a key is nil")),
        }
    }

    fn symbol(&mut self) -> Result<&'a [u8], Problem> {
        match self.tags()? {
            b'"' => self.string().map(str::as_bytes),
            b'[' | b'(' | b'{' => Err(self.problem("a keyword is expected")),
            b':' => {
                self.at += 1;
                Ok(self.token().as_bytes())
            }
            _ => match self.token() {
                "" => Err(self.problem("a keyword is expected")),
                token => Ok(token.as_bytes()),
            },
        }
    }

    fn word(&mut self, arena: &mut String) -> Result<Option<Word>, Problem> {
        // The usual case by a short way: a number.
        let from = self.at;
        if matches!(self.space(), b'0'..=b'9' | b'-') {
            let token = self.token();
            if let Some(number) = canonical(token.as_bytes()) {
                return Ok(Some(Word::Number(number)));
            }
        }
        self.at = from;
        Ok(self.scalar()?.word(arena))
    }

    fn skip(&mut self) -> Result<(), Problem> {
        self.skip_within(DEPTH_MAX)
    }

    fn finish(&mut self) -> Result<(), Problem> {
        match self.space() {
            0 if self.at >= self.bytes.len() => Ok(()),
            _ => Err(self.problem("more follows the operation")),
        }
    }

    #[cold]
    fn problem(&self, what: &str) -> Problem {
        // Whatever is missing at the end is missing because the line was cut.
        let cut = self.at >= self.bytes.len();
        Problem::at(self.at, if cut { "the line ends early" } else { what })
    }
}
