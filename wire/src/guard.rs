//! The length guard: walks a message along its shape before `kafka-protocol` decodes it, so that every array
//! count is known to be backed by bytes. Without it one flipped byte in a Fetch of 60 bytes asks for 21 GB,
//! and a failed allocation ends the process: it cannot be caught.

use thiserror::Error;

use crate::schema::{Kind, Shape};

/// How many array elements and tagged fields one message may hold: each costs the decoder up to some
/// hundred bytes of memory for as little as two bytes on the wire.
const ELEMENTS: usize = 100_000;

/// Why a message is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GuardError {
    /// A field or an element reaches past the end.
    #[error("message ends inside a field")]
    Truncated,
    /// A length below -1.
    #[error("negative length {0}")]
    Negative(i64),
    /// More elements than any honest client sends.
    #[error("message holds more than {ELEMENTS} elements (split the request)")]
    Elements,
    /// A tagged field whose size is not that of its content.
    #[error("tagged field {0} has another size than it says")]
    Tag(u32),
}

/// Walks one message, which may be followed by more bytes.
pub(crate) fn check(bytes: &[u8], shape: &Shape, version: i16, flexible: i16) -> Result<(), GuardError> {
    let mut walk = Walk { rest: bytes, version, compact: version >= flexible, elements: 0 };
    walk.shape(shape)
}

struct Walk<'a> {
    rest: &'a [u8],
    version: i16,
    compact: bool,
    elements: usize,
}

impl Walk<'_> {
    fn shape(&mut self, shape: &Shape) -> Result<(), GuardError> {
        for field in shape.fields {
            if (field.since..=field.until).contains(&self.version) {
                self.field(&field.kind)?;
            }
        }
        if self.compact { self.tags(shape.tags) } else { Ok(()) }
    }

    fn field(&mut self, kind: &Kind) -> Result<(), GuardError> {
        match kind {
            Kind::Fixed(size) => self.skip(*size),
            Kind::Text => self.text(),
            Kind::Blob => {
                let length = self.long_length()?;
                self.skip(length)
            }
            Kind::Array(shape) => self.each(|walk| walk.shape(shape)),
            Kind::Maybe(shape) => match i8::from_be_bytes(self.take()?) {
                // As `kafka-protocol` reads it: 1 is there, anything else is not.
                1 => self.shape(shape),
                _ => Ok(()),
            },
            Kind::Numbers(size) => self.each(|walk| walk.skip(*size)),
            Kind::Texts => self.each(Self::text),
        }
    }

    fn each(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<(), GuardError>,
    ) -> Result<(), GuardError> {
        for _ in 0..self.long_length()? {
            self.count()?;
            element(self)?;
        }
        Ok(())
    }

    fn text(&mut self) -> Result<(), GuardError> {
        let length = if self.compact {
            self.long_length()?
        } else {
            let raw = i16::from_be_bytes(self.take()?);
            nullable(i64::from(raw))?
        };
        self.skip(length)
    }

    fn tags(&mut self, known: &[(u32, &Shape)]) -> Result<(), GuardError> {
        for _ in 0..self.varint()? {
            self.count()?;
            let tag = self.varint()?;
            let size = self.varint()? as usize;
            if size > self.rest.len() {
                return Err(GuardError::Truncated);
            }
            // The decoder of a known tag ignores the size, so both ways through the bytes must agree.
            match known.iter().find(|(number, _)| *number == tag) {
                None => self.skip(size)?,
                Some((_, shape)) => {
                    let before = self.rest.len();
                    self.shape(shape)?;
                    if before - self.rest.len() != size {
                        return Err(GuardError::Tag(tag));
                    }
                }
            }
        }
        Ok(())
    }

    /// The length of an array, of bytes, or of a compact string; null counts as 0.
    fn long_length(&mut self) -> Result<usize, GuardError> {
        if self.compact {
            Ok((self.varint()? as usize).saturating_sub(1))
        } else {
            let raw = i32::from_be_bytes(self.take()?);
            nullable(i64::from(raw))
        }
    }

    /// As `kafka-protocol` reads it: a fifth byte ends the number whatever its top bit says.
    fn varint(&mut self) -> Result<u32, GuardError> {
        let mut value = 0;
        for place in 0..5 {
            let [byte] = self.take()?;
            value |= u32::from(byte & 0x7f) << (place * 7);
            if byte < 0x80 {
                break;
            }
        }
        Ok(value)
    }

    fn count(&mut self) -> Result<(), GuardError> {
        self.elements += 1;
        if self.elements > ELEMENTS { Err(GuardError::Elements) } else { Ok(()) }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], GuardError> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(GuardError::Truncated)?;
        self.rest = rest;
        Ok(*head)
    }

    fn skip(&mut self, size: usize) -> Result<(), GuardError> {
        self.rest = self.rest.get(size..).ok_or(GuardError::Truncated)?;
        Ok(())
    }
}

fn nullable(length: i64) -> Result<usize, GuardError> {
    match length {
        -1 => Ok(0),
        length => usize::try_from(length).map_err(|_| GuardError::Negative(length)),
    }
}
