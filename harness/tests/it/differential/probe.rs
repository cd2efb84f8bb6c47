//! The client of the differential test: raw frames over one connection, and the transcript of what came back.
//! It is nobody's client library, so nothing is smoothed over: every error code is on record.

use std::fmt::{Display, Write as _};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{GroupId, TopicName, TransactionalId};
use kafka_protocol::protocol::{Request, StrBytes};
use wire::frame;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a step is repeated while the broker says that it is not ready for it.
const ATTEMPTS: u32 = 400;

pub(super) struct Probe {
    bootstrap: String,
    stream: TcpStream,
    correlation: i32,
    area: &'static str,
    pub(super) transcript: String,
}

pub(super) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub(super) fn topic(name: &str) -> TopicName {
    TopicName(text(name))
}

pub(super) fn group(name: &str) -> GroupId {
    GroupId(text(name))
}

pub(super) fn transactional(name: &str) -> TransactionalId {
    TransactionalId(text(name))
}

/// Kafka's name of an error code.
pub(super) fn error(code: i16) -> String {
    if code == 0 {
        return "ok".to_owned();
    }
    ResponseError::try_from_code(code).map_or_else(|| format!("error {code}"), |error| error.to_string())
}

impl Probe {
    pub(super) fn connect(bootstrap: &str) -> Self {
        let stream = open(bootstrap);
        let bootstrap = bootstrap.to_owned();
        Self { bootstrap, stream, correlation: 0, area: "", transcript: String::new() }
    }

    /// A second client of the same broker.
    pub(super) fn peer(&self) -> Self {
        Self::connect(&self.bootstrap)
    }

    /// What the next steps are about.
    pub(super) fn area(&mut self, area: &'static str) {
        self.area = area;
    }

    /// Writes down what a step led to.
    pub(super) fn note(&mut self, step: impl Display, result: impl Display) {
        writeln!(self.transcript, "{}: {step}: {result}", self.area).expect("a string takes everything");
    }

    pub(super) fn send<R: Request>(&mut self, request: &R, version: i16) -> i32 {
        self.correlation += 1;
        let bytes = frame::request(request, version, self.correlation, "differential").expect("encodes");
        self.stream.write_all(&bytes).expect("the broker listens");
        self.correlation
    }

    /// Asks, and waits for the answer.
    pub(super) fn ask<R: Request>(&mut self, request: &R, version: i16) -> R::Response {
        let sent = self.send(request, version);
        let (correlation, response) =
            self.receive::<R>(version).unwrap_or_else(|| panic!("{}: the connection was closed", self.area));
        assert_eq!(correlation, sent, "answers come in order");
        response
    }

    /// Asks; `None` if the broker closed the connection instead, which is then opened again.
    pub(super) fn try_ask<R: Request>(&mut self, request: &R, version: i16) -> Option<R::Response> {
        self.send(request, version);
        let answer = self.receive::<R>(version);
        if answer.is_none() {
            self.stream = open(&self.bootstrap);
        }
        answer.map(|(_, response)| response)
    }

    /// [`Probe::try_ask`] of a topic that was just made, again and again while `code` finds that the broker does
    /// not know yet that it leads it.
    pub(super) fn ask_leader<R: Request>(
        &mut self,
        request: &R,
        version: i16,
        code: impl Fn(&R::Response) -> i16,
    ) -> Option<R::Response> {
        let mut answer = None;
        for _ in 0..ATTEMPTS {
            answer = self.try_ask(request, version);
            let unready = ResponseError::NotLeaderOrFollower.code();
            if answer.as_ref().is_none_or(|answer| code(answer) != unready) {
                return answer;
            }
            std::thread::park_timeout(Duration::from_millis(25));
        }
        answer
    }

    /// The next answer; `None` if the broker closed the connection.
    pub(super) fn receive<R: Request>(&mut self, version: i16) -> Option<(i32, R::Response)> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).ok()?;
        let mut body = vec![0; usize::try_from(i32::from_be_bytes(length)).expect("a length")];
        self.stream.read_exact(&mut body).ok()?;
        Some(frame::response::<R>(Bytes::from(body), version).expect("an answer"))
    }

    /// Asks again and again while the answer is one of a broker that is still getting ready.
    pub(super) fn settle<T>(&mut self, mut ask: impl FnMut(&mut Self) -> (i16, T)) -> (i16, T) {
        const UNSETTLED: [ResponseError; 5] = [
            ResponseError::CoordinatorNotAvailable,
            ResponseError::CoordinatorLoadInProgress,
            ResponseError::NotCoordinator,
            ResponseError::ConcurrentTransactions,
            ResponseError::NotLeaderOrFollower,
        ];
        for _ in 0..ATTEMPTS {
            let (code, answer) = ask(self);
            if !UNSETTLED.iter().any(|error| error.code() == code) {
                return (code, answer);
            }
            std::thread::park_timeout(Duration::from_millis(25));
        }
        panic!("{}: the broker does not settle", self.area);
    }
}

fn open(bootstrap: &str) -> TcpStream {
    let stream = TcpStream::connect(bootstrap).expect("the broker listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    stream.set_nodelay(true).expect("an option");
    stream
}

/// A record batch as a producer sends it, with every field open to mischief.
#[derive(Clone)]
pub(super) struct Batch {
    pub(super) producer: (i64, i16),
    pub(super) sequence: i32,
    pub(super) attributes: i16,
    pub(super) timestamp: i64,
    pub(super) magic: u8,
    pub(super) records: Vec<(Option<&'static str>, String)>,
}

impl Batch {
    /// Records without keys.
    pub(super) fn of(values: &[&str]) -> Self {
        Self {
            producer: (-1, -1),
            sequence: -1,
            attributes: 0,
            timestamp: 1_700_000_000_000,
            magic: 2,
            records: values.iter().map(|value| (None, (*value).to_owned())).collect(),
        }
    }

    pub(super) fn keyed(key: &'static str, value: &str) -> Self {
        Self { records: vec![(Some(key), value.to_owned())], ..Self::of(&[]) }
    }

    pub(super) fn from(self, producer: (i64, i16), sequence: i32) -> Self {
        Self { producer, sequence, ..self }
    }

    pub(super) fn transactional(self) -> Self {
        Self { attributes: self.attributes | 0x10, ..self }
    }

    pub(super) fn bytes(&self) -> Bytes {
        let mut records = BytesMut::new();
        for (delta, (key, value)) in (0..).zip(&self.records) {
            let mut record = BytesMut::new();
            record.put_u8(0);
            varint(&mut record, 0);
            varint(&mut record, delta);
            match key {
                None => varint(&mut record, -1),
                Some(key) => {
                    varint(&mut record, i64::try_from(key.len()).expect("short"));
                    record.put_slice(key.as_bytes());
                }
            }
            varint(&mut record, i64::try_from(value.len()).expect("short"));
            record.put_slice(value.as_bytes());
            varint(&mut record, 0);
            varint(&mut records, i64::try_from(record.len()).expect("short"));
            records.put_slice(&record);
        }
        let count = i32::try_from(self.records.len()).expect("few");
        let mut summed = BytesMut::new();
        summed.put_i16(self.attributes);
        summed.put_i32(count - 1);
        summed.put_i64(self.timestamp);
        summed.put_i64(self.timestamp);
        summed.put_i64(self.producer.0);
        summed.put_i16(self.producer.1);
        summed.put_i32(self.sequence);
        summed.put_i32(count);
        summed.put_slice(&records);
        let mut out = BytesMut::new();
        out.put_i64(0);
        out.put_i32(i32::try_from(summed.len() + 9).expect("short"));
        out.put_i32(-1);
        out.put_u8(self.magic);
        out.put_u32(crc32c::crc32c(&summed));
        out.put_slice(&summed);
        out.freeze()
    }
}

fn varint(out: &mut BytesMut, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest >= 0x80 {
        out.put_u8((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.put_u8(rest as u8);
}
