//! What a broker speaks: ApiVersions version 0, by hand. librdkafka asks it too, and tells nobody.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::time::Duration;

use super::act::connect;

const API_VERSIONS: i16 = 18;
/// No honest answer is longer.
const ANSWER_MAX: usize = 64 << 10;
const CLIENT: &str = "highwater";

/// What a broker said.
pub(super) enum Spoken {
    /// Its APIs: lowest and highest version by number.
    Apis(BTreeMap<i16, (i16, i16)>),
    /// It was reached, and cannot be asked in the clear.
    Nothing,
}

/// Connects, and asks if `plain`; a broker that is there and says nothing sensible speaks TLS or SASL.
///
/// # Errors
/// Why it cannot be reached.
pub(super) fn ask(address: &str, timeout: Duration, plain: bool) -> Result<Spoken, String> {
    let mut stream = connect(address, timeout).map_err(|error| error.to_string())?;
    if !plain {
        return Ok(Spoken::Nothing);
    }
    let mut exchange = || -> io::Result<Vec<u8>> {
        stream.set_read_timeout(Some(timeout))?;
        stream.set_write_timeout(Some(timeout))?;
        stream.write_all(&request())?;
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let length = usize::try_from(i32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > ANSWER_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut answer = vec![0; length];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    };
    Ok(exchange().ok().and_then(|answer| apis(&answer)).map_or(Spoken::Nothing, Spoken::Apis))
}

fn request() -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(API_VERSIONS.to_be_bytes());
    body.extend(0_i16.to_be_bytes());
    body.extend(1_i32.to_be_bytes());
    body.extend(u16::try_from(CLIENT.len()).unwrap_or(0).to_be_bytes());
    body.extend(CLIENT.as_bytes());
    let mut frame = u32::try_from(body.len()).unwrap_or(0).to_be_bytes().to_vec();
    frame.extend(body);
    frame
}

/// Correlation id, error code, and an array of three numbers each; `None` for anything else.
fn apis(answer: &[u8]) -> Option<BTreeMap<i16, (i16, i16)>> {
    let (head, rows) = answer.split_at_checked(10)?;
    let count = usize::try_from(i32::from_be_bytes(head[6..10].try_into().ok()?)).ok()?;
    if head[4..6] != [0, 0] || rows.len() != count.checked_mul(6)? {
        return None;
    }
    let number = |row: &[u8], at: usize| i16::from_be_bytes([row[at], row[at + 1]]);
    Some(rows.chunks_exact(6).map(|row| (number(row, 0), (number(row, 2), number(row, 4)))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_and_anything_else_is_none() {
        let mut answer = vec![0, 0, 0, 1, 0, 0, 0, 0, 0, 2];
        answer.extend([0, 18, 0, 0, 0, 4, 0, 22, 0, 0, 0, 5]);
        assert_eq!(apis(&answer), Some(BTreeMap::from([(18, (0, 4)), (22, (0, 5))])));
        assert_eq!(apis(&answer[..20]), None, "cut off");
        assert_eq!(apis(b"HTTP/1.1 400 Bad Request"), None);
        answer[5] = 35;
        assert_eq!(apis(&answer), None, "an error");
    }
}
