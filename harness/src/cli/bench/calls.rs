//! Calls on objects, made up: every client always has one under way, which takes effect at some moment of
//! it, so they are linearizable unless one is spoilt.

use std::fmt::Write;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Load {
    /// One register, every write different.
    Distinct,
    /// Registers of ten values, one for every hundred calls.
    Register,
    /// Strings, put, appended to and got, one for every two hundred calls.
    Strings,
    /// One log: appends, and reads to its end.
    Log,
}

impl Load {
    /// Every load.
    pub(super) const ALL: [Self; 4] = [Self::Distinct, Self::Register, Self::Strings, Self::Log];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Distinct => "register, distinct writes",
            Self::Register => "registers of ten values",
            Self::Strings => "kv",
            Self::Log => "log",
        }
    }

    const fn objects(self, calls: u64) -> u64 {
        match self {
            Self::Distinct | Self::Log => 1,
            Self::Register => calls.div_ceil(100),
            Self::Strings => calls.div_ceil(200),
        }
    }
}

/// One object, as it is at the moment.
#[derive(Clone, Default)]
struct Object {
    value: Option<u64>,
    string: String,
    log: Vec<u64>,
}

/// `calls` of `clients`, as JSON Lines in order of call. `spoilt`: one read late in the history saw what was
/// not there.
pub(super) fn calls(load: Load, calls: u64, clients: u64, spoilt: bool, seed: u64) -> String {
    let mut draw = ChaCha8Rng::seed_from_u64(seed);
    // When a call takes effect, is made and returns, and whose it is.
    let mut moments = Vec::new();
    for client in 0..clients {
        let mut time = draw.random_range(0..500);
        for _ in 0..calls / clients {
            let length = draw.random_range(1..1000_u64);
            moments.push((time + draw.random_range(0..=length), time, time + length, client));
            time += length + draw.random_range(1..100_u64);
        }
    }
    moments.sort_unstable();
    let mut objects = vec![Object::default(); load.objects(calls) as usize];
    let mut left = if spoilt { moments.len() as u64 * 9 / 10 } else { u64::MAX };
    let mut lines: Vec<(u64, String)> = Vec::with_capacity(moments.len());
    for (number, (_, call, returned, client)) in (1_u64..).zip(moments) {
        let key = draw.random_range(0..objects.len());
        left = left.saturating_sub(1);
        let (said, spoilt_now) = act(load, &mut objects[key], number, left == 0, &mut draw);
        if spoilt_now {
            left = u64::MAX;
        }
        let line = format!(
            "{{\"process\":{client},\"key\":\"k{key}\",{said},\"call_ns\":{call},\"return_ns\":{returned}}}\n"
        );
        lines.push((call, line));
    }
    lines.sort_unstable();
    lines.into_iter().map(|(_, line)| line).collect()
}

/// One call taking effect: its function, input and output as JSON, and whether it was spoilt.
fn act(load: Load, object: &mut Object, number: u64, spoil: bool, draw: &mut ChaCha8Rng) -> (String, bool) {
    let reads = draw.random_bool(0.5);
    match load {
        Load::Distinct | Load::Register if reads => {
            let mut seen = object.value;
            if spoil {
                seen = Some(u64::MAX);
            }
            let seen = seen.map_or("null".to_owned(), |seen| seen.to_string());
            (format!("\"f\":\"read\",\"input\":null,\"output\":{{\"value\":{seen}}}"), spoil)
        }
        Load::Distinct | Load::Register => {
            let value = if load == Load::Distinct { number } else { draw.random_range(0..10) };
            object.value = Some(value);
            (format!("\"f\":\"write\",\"input\":{value},\"output\":null"), false)
        }
        Load::Strings if reads => {
            let mut seen = object.string.clone();
            let spoil = spoil && seen.pop().is_some();
            (format!("\"f\":\"get\",\"input\":null,\"output\":{{\"value\":\"{seen}\"}}"), spoil)
        }
        Load::Strings => {
            let piece = format!("a{}b", draw.random_range(0..20));
            let function = if draw.random_bool(0.2) { "put" } else { "append" };
            if function == "put" {
                object.string.clear();
            }
            object.string.push_str(&piece);
            (format!("\"f\":\"{function}\",\"input\":\"{piece}\",\"output\":null"), false)
        }
        Load::Log if reads => {
            let from = object.log.len().saturating_sub(2);
            let mut seen = object.log[from..].to_vec();
            // Swapped, since to have missed the last append may be legal: it may still have been under way.
            let spoil = spoil && seen.len() == 2;
            if spoil {
                seen.reverse();
            }
            let mut said = format!(
                "\"f\":\"read\",\"input\":{{\"offset\":{from},\"strict_end\":true}},\"output\":{{\"values\":"
            );
            let _ = write!(said, "{seen:?}}}");
            (said, spoil)
        }
        Load::Log => {
            let offset = object.log.len();
            object.log.push(number);
            (format!("\"f\":\"append\",\"input\":[{number}],\"output\":{{\"offset\":{offset}}}"), false)
        }
    }
}
