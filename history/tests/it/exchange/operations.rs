//! Generic operations: what is read, what is refused and in which words, and that nothing else happens.

use history::Outcome;
use history::exchange::operations::{Action, LINE_BYTES_MAX, Model, Operations, OperationsError, read};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::data;

fn parse(model: Model, text: impl AsRef<[u8]>) -> Result<Operations, String> {
    read(text.as_ref(), "calls.jsonl", model).map_err(|error: OperationsError| error.to_string())
}

/// A line with a function, an input and an output, between 3 and 9.
fn line(f: &str, input: &str, output: &str) -> String {
    format!(
        r#"{{"process":0,"f":"{f}","key":"x","input":{input},"output":{output},"call_ns":3,"return_ns":9}}"#
    )
}

#[test]
fn examples_are_read() {
    let log = parse(Model::Log, data("operations-log.jsonl")).unwrap();
    let said: Vec<String> = log.all.iter().map(|operation| log.describe(operation)).collect();
    let expected = [
        r#"append ["a", "b"]: offset 0"#,
        r#"read from 0: ["a"]"#,
        r#"append ["c"] (outcome unknown)"#,
        "end offset: 2 or more",
        r#"read from 2 to the end: ["c"]"#,
    ];
    assert_eq!(said, expected);
    let register = parse(Model::CasRegister, data("operations-cas-register.jsonl")).unwrap();
    let said: Vec<String> = register.all.iter().map(|operation| register.describe(operation)).collect();
    assert_eq!(said, ["write 1", "cas 1 to 2: swapped", "cas 1 to 3: was another value", "read: 2"]);
}

#[test]
fn what_failed_and_what_nobody_knows() {
    let text = [
        r#"{"process":0,"f":"write","key":"x","input":1,"output":"fail","call_ns":0,"return_ns":1}"#,
        r#"{"process":0,"f":"write","key":"x","input":1,"type":"fail","call_ns":0,"return_ns":1}"#,
        r#"{"process":0,"f":"write","key":"x","input":1,"type":"info","call_ns":0,"return_ns":1}"#,
        r#"{"process":"c","f":"read","key":"x","output":{"value":7},"call_ns":0,"return_ns":null,"more":[]}"#,
        r#"{"process":0,"f":"write","input":null,"call_ns":0,"return_ns":0}"#,
    ]
    .join("\r\n");
    let history = parse(Model::Register, format!("\u{feff}{text}\n\n")).unwrap();
    let outcomes: Vec<Outcome> = history.all.iter().map(|operation| operation.outcome).collect();
    let expected = [Outcome::Fail, Outcome::Fail, Outcome::Unknown, Outcome::Unknown, Outcome::Ok];
    assert_eq!(outcomes, expected);
    assert_eq!(history.all[2].returned, i64::MAX);
    assert_eq!((history.all[4].line, history.keys.len()), (5, 2));
}

#[test]
fn values_that_mean_the_same_are_one() {
    let text = [line("write", "1.0", "null"), line("read", "null", r#"{"value":1}"#)].join("\n");
    let history = parse(Model::Register, text).unwrap();
    assert_eq!(history.all[0].action, Action::Write(0));
    assert_eq!(history.all[1].action, Action::Read(0));
    let far = ["123456789012345678901234567890", "123456789012345678901234567891"];
    let text = far.map(|value| line("write", value, "null")).join("\n");
    assert_eq!(parse(Model::Register, text).unwrap().values.len(), 2);
}

#[test]
fn mistakes_name_file_line_and_reason() {
    let good = line("write", "1", "null");
    let nested = "[".repeat(200_000) + &"]".repeat(200_000);
    for (model, wrong, reason) in [
        (Model::Register, "{".to_owned(), "EOF while parsing"),
        (Model::Register, "7".to_owned(), "invalid type"),
        (Model::Register, good.replace("\"call_ns\":3,", ""), "missing field `call_ns`"),
        (Model::Register, good.replace(",\"return_ns\":9", ""), "missing field `return_ns`"),
        (Model::Register, good.replace(":9", ":2"), "`return_ns` 2 is before `call_ns` 3"),
        (Model::Register, good.replace(":9", ":9e99"), "invalid type"),
        (Model::Register, good.replace(":9", ":99999999999999999999"), "invalid"),
        (Model::Register, good.replace("\"call_ns\":3", "\"call_ns\":3,\"call_ns\":3"), "duplicate field"),
        (Model::Register, good.replace("\"process\":0", "\"process\":[]"), "`process` is `[]`"),
        (Model::Register, good.replace("\"f\"", "\"type\":\"invoke\",\"f\""), "--from jepsen"),
        (Model::Register, line("cas", "[1,2]", "true"), "has no function `cas`"),
        (Model::Register, line("write", &nested, "null"), "nested deeper than 64"),
        (Model::Register, line("read", "null", "null"), "expected `{\"value\":…}`"),
        (Model::CasRegister, line("cas", "[1]", "true"), "expected `[from,to]`"),
        (Model::CasRegister, line("cas", "[1,2]", "\"ok\""), "expected true or false"),
        (Model::Kv, line("put", "1", "null"), "expected a string"),
        (Model::Kv, line("get", "null", r#"{"value":1}"#), "expected `{\"value\":\"…\"}`"),
        (Model::Queue, line("enqueue", "null", "null"), "other than null"),
        (Model::Log, line("append", "1", r#"{"offset":0}"#), "expected `[values]`"),
        (Model::Log, line("append", "[1]", r#"{"offset":-1}"#), "n from 0"),
        (Model::Log, line("read", "{}", r#"{"values":[]}"#), "expected `{\"offset\":n}`"),
        (Model::Log, line("read", r#"{"offset":18446744073709551615}"#, r#"{"values":[]}"#), "n from 0"),
        (Model::Log, line("read", r#"{"offset":0}"#, r#"{"values":3}"#), "expected `{\"values\":[…]}`"),
        (Model::Log, line("end_offset", r#"{"weak":1}"#, r#"{"offset":0}"#), "lower bound"),
        (Model::Log, line("end_offset", "null", "3"), "expected `{\"offset\":n}`"),
    ] {
        let error = parse(model, format!("\n{wrong}\n")).unwrap_err();
        assert!(error.starts_with("failed to read `calls.jsonl`, line 2: "), "{error}");
        assert!(error.contains(reason), "{error} (expected: {reason})");
        assert!(error.len() < 600, "{} characters", error.len());
    }
}

#[test]
fn bytes_that_are_no_text_and_lines_without_end() {
    let error = parse(Model::Register, b"\n{\"f\":\"\xff\"}").unwrap_err();
    assert!(error.contains("line 2: byte 7 of the line is not UTF-8"), "{error}");
    let long = line("write", &format!("\"{}\"", "x".repeat(10_000_000)), "null");
    let error = parse(Model::Register, long).unwrap_err();
    assert!(error.contains(&format!("line 1: it is longer than {LINE_BYTES_MAX} bytes")), "{error}");
    let error = parse(Model::Log, "9".repeat(10_000_000)).unwrap_err();
    assert!(error.contains("line 1: it is longer"), "{error}");
}

/// Damaged files; by hand, `HIGHWATER_HISTORIES=1000000` tries more.
const DAMAGED: u64 = 20_000;

#[test]
fn damaged_files_are_read_or_refused() {
    let rounds =
        std::env::var("HIGHWATER_HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(DAMAGED);
    let whole = [data("operations-log.jsonl"), data("operations-cas-register.jsonl")];
    let mut refused = 0;
    for seed in 0..rounds {
        let mut draw = ChaCha8Rng::seed_from_u64(seed);
        let mut bytes = whole[seed as usize % 2].clone().into_bytes();
        for _ in 0..draw.random_range(1..4) {
            let at = draw.random_range(0..bytes.len());
            match draw.random_range(0..5) {
                0 => bytes[at] = draw.next_u32() as u8,
                1 => drop(bytes.remove(at)),
                2 => bytes.truncate(at.max(30)),
                3 => bytes[at] = b"{}[]\",:0-e.\n"[draw.random_range(0..12)],
                _ => {
                    let piece = bytes[at..(at + 20).min(bytes.len())].to_vec();
                    let to = draw.random_range(0..bytes.len());
                    bytes.splice(to..to, piece);
                }
            }
        }
        let model = Model::ALL[draw.random_range(0..Model::ALL.len())];
        let model = if draw.random_range(0..4) > 0 {
            [Model::Log, Model::CasRegister][seed as usize % 2]
        } else {
            model
        };
        match parse(model, &bytes) {
            Ok(history) => history.all.iter().for_each(|operation| drop(history.describe(operation))),
            Err(error) => {
                assert!(error.starts_with("failed to read `calls.jsonl`, line "), "seed {seed}: {error}");
                refused += 1;
            }
        }
    }
    eprintln!("{refused} of {rounds} damaged files are refused");
    assert!(refused > rounds / 2 && refused < rounds, "{refused} of {rounds}");
}
