//! Files that are wrong, by accident or on purpose: an error that names file, line and reason, never a
//! panic, never a file's worth of memory.

use history::exchange::{Format, Notation};
use proptest::prelude::*;
use rand::{Rng, RngExt, SeedableRng};

use super::{data, read, read_as};

const JSON: Format = Format::Jepsen(Notation::Json);
const EDN: Format = Format::Jepsen(Notation::Edn);

/// What a legal history is turned into by one line put behind it.
fn after_clean(line: &str) -> Result<(), String> {
    let clean = r#"{"index":0,"type":"invoke","f":"send","process":0,"time":5,"value":[["send",0,1]]}
{"index":1,"type":"ok","f":"send","process":0,"time":6,"value":[["send",0,[0,1]]]}
{"index":2,"type":"invoke","f":"txn","process":1,"time":7,"value":[["send",0,2],["poll"]]}
"#;
    read_as(format!("{clean}{line}\n"), JSON).map(|_| ())
}

#[test]
fn what_is_illegal_names_file_line_and_reason() {
    let deep = format!("{{\"value\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let long = format!("{{\"error\":\"{}\"}}", "x".repeat(10_000_000));
    for (line, says) in [
        ("{", "the line ends early"),
        ("nonsense", "an operation is expected"),
        ("[1]", "an operation is expected"),
        ("{}", "it has no `type`"),
        (r#"{"type":"ok"}"#, "it has no `f`"),
        (r#"{"type":"ok","f":"poll"}"#, "it has no `process`"),
        (r#"{"type":"maybe"}"#, "`type` is none of invoke, ok, fail, info"),
        (r#"{"type":7}"#, "a string is expected"),
        (r#"{"type":"ok"} x"#, "more follows"),
        (r#"{"type":"ok","type":"ok"}"#, "`type` is given twice"),
        (r#"{"index":2,"time":8,"type":"ok","f":"x","process":"n"}"#, "index 2 follows index 2"),
        (r#"{"index":1,"time":8,"type":"ok","f":"x","process":"n"}"#, "index 1 follows index 2"),
        (r#"{"index":-1}"#, "`index` is no whole number"),
        (r#"{"index":3,"time":-1}"#, "`time` is no whole number"),
        (r#"{"index":3,"time":1.5}"#, "`time` is no whole number"),
        (r#"{"index":3,"time":99999999999999999999}"#, "`time` is no whole number"),
        (r#"{"type":"invoke","f":"poll","process":3}"#, "some lines have a `time`"),
        (
            r#"{"type":"ok","f":"poll","process":3,"time":9,"value":[["poll",{}]]}"#,
            "process 3 completes an operation it did not invoke",
        ),
        (
            r#"{"type":"invoke","f":"poll","process":1,"time":9,"value":[["poll"]]}"#,
            "while that of line 3 is open",
        ),
        (
            r#"{"type":"ok","f":"txn","process":1,"time":6,"value":null}"#,
            "it completes before its invocation on line 3",
        ),
        (r#"{"type":"ok","f":"poll","process":1,"time":9,"value":[["poll",{}]]}"#, "`f` is another"),
        (
            r#"{"type":"ok","f":"txn","process":1,"time":9,"value":[["send",0,2]]}"#,
            "another number of micro-operations",
        ),
        (
            r#"{"type":"ok","f":"txn","process":1,"time":9,"value":[["send",0,3],["poll"]]}"#,
            "another key or value",
        ),
        (
            r#"{"type":"ok","f":"txn","process":1,"time":9,"value":[["poll"],["send",0,2]]}"#,
            "another micro-operation",
        ),
        (
            r#"{"type":"ok","f":"txn","process":1,"time":9,"value":7}"#,
            "a list of micro-operations is expected",
        ),
        (r#"{"type":"ok","f":"txn","process":1,"time":9,"value":[["mop"]]}"#, "neither `send` nor `poll`"),
        (
            r#"{"type":"ok","f":"txn","process":1,"time":9,"value":[["send",0,[-7,2]],["poll"]]}"#,
            "an offset is negative",
        ),
        (
            r#"{"type":"ok","f":"txn","process":1,"time":9,"value":[["send",0,["a",2]],["poll"]]}"#,
            "an offset is no whole number",
        ),
        (
            r#"{"type":"ok","f":"txn","process":1,"time":9,"value":[["send",0,[99999999999999999999,2]]]}"#,
            "an offset is no whole number",
        ),
        (
            r#"{"type":"ok","f":"txn","process":1,"time":9,"value":[["poll",{"0":[[-1,2]]}]]}"#,
            "a polled record is",
        ),
        (
            r#"{"type":"ok","f":"txn","process":1,"time":9,"value":[["poll",{"0":[[1]]}]]}"#,
            "a polled record is",
        ),
        (r#"{"type":"ok","f":"txn","process":1,"time":9,"value":[["poll",[[1,2]]]]}"#, "a map by key"),
        (
            r#"{"type":"invoke","f":"send","process":3,"time":9,"value":[["send",0]]}"#,
            "a send has a key and a value",
        ),
        (
            r#"{"type":"invoke","f":"send","process":3,"time":9,"value":[["send",0,null]]}"#,
            "the value of a send is null",
        ),
        (
            r#"{"type":"invoke","f":"send","process":3,"time":9,"value":[["send",null,1]]}"#,
            "the key of a send is null",
        ),
        (
            r#"{"type":"invoke","f":"send","process":3,"time":9,"value":[["send",0,{"a":1}]]}"#,
            "a number or string is expected",
        ),
        (
            r#"{"type":"invoke","f":"send","process":3,"time":9,"value":[["send",0,1]]}"#,
            "value `1` of key `0` is sent a second time",
        ),
        (
            r#"{"type":"invoke","f":"send","process":3,"time":9,"value":[["send",0,3],["send",0,3]]}"#,
            "value `3` of key `0` is sent a second time",
        ),
        (deep.as_str(), "nested too deep"),
        (long.as_str(), "it is longer than 8 MiB"),
    ] {
        let error = after_clean(line).expect_err(says);
        assert!(error.starts_with("failed to import `file`: line 4: "), "{error}");
        assert!(error.contains(says), "{says:?} is expected: {error}");
        assert!(error.len() < 300, "{error}");
    }
    let broken = [b"{\"type\":\"ok\"".as_slice(), &[0xff, 0xfe], b"}"].concat();
    assert!(read_as(broken, JSON).expect_err("it is not text").contains("line 1: it is not UTF-8"));
    for empty in ["", "\n\r\n", "\u{feff}"] {
        assert_eq!(read_as(empty, JSON).expect("nothing is wrong with nothing").history.operation_count(), 0);
    }
    assert!(read_as("{:type :ok", EDN).expect_err("cut").contains("line 1: column 11: the line ends early"));
}

#[test]
fn what_is_merely_odd_is_read() {
    for line in [
        r#"{"type":"info","f":"kill","process":"nemesis","time":4,"value":[["send",{}]]}"#,
        r#"{"type":"info","f":"txn","process":1,"time":9,"value":null,"error":{"a":[1]}}"#,
        r#"{"type":"info","f":"txn","process":1,"time":9}"#,
        r#"{"type":"invoke","f":"debug-topic-partitions","process":2,"time":9,"value":{"x":null}}"#,
        r#"{"type":"invoke","f":"send","process":2,"time":3,"value":[["send","0","one"]],"extra":[1,{"a":2}]}"#,
        r#"{"type":"invoke","f":"send","process":9223372036854775807,"time":9223372036854775807,"value":[["send",-1,-9223372036854775808]]}"#,
    ] {
        assert_eq!(after_clean(line), Ok(()), "{line}");
    }
    let crlf = data("jepsen-clean.jsonl").replace('\n', "\r\n");
    assert_eq!(read(format!("\u{feff}{crlf}")).expect("legal").remarks, Vec::<String>::new());
}

/// Damages a text in a few places: bytes replaced, cut out, put in, lines swapped or said twice.
fn damaged(text: &[u8], random: &mut impl Rng) -> Vec<u8> {
    let mut bytes = text.to_vec();
    for _ in 0..random.random_range(1..4) {
        if bytes.is_empty() {
            break;
        }
        let at = random.random_range(0..bytes.len());
        match random.random_range(0..6) {
            0 => bytes[at] = random.random(),
            1 => bytes[at] = b"[]{}(),:\"\\-0129 ne\n#_;"[random.random_range(0..22)],
            2 => _ = bytes.drain(at..(at + random.random_range(1..20)).min(bytes.len())),
            3 => bytes.insert(at, b"[{\"9-\\"[random.random_range(0..6)]),
            4 => bytes.truncate(at),
            _ => {
                let piece: Vec<u8> = bytes[at..(at + 90).min(bytes.len())].to_vec();
                let to = random.random_range(0..bytes.len());
                bytes.splice(to..to, piece);
            }
        }
    }
    bytes
}

/// Every format is given damaged histories; HIGHWATER_HISTORIES says how many of each.
#[test]
fn damaged_files_never_panic() {
    let count = std::env::var("HIGHWATER_HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(2000);
    let clean = data("jepsen-clean.jsonl");
    let mut lines = Vec::new();
    history::exchange::write_lines(&read(&clean).expect("legal").history, &mut lines).expect("memory");
    let head = |text: &str, count| text.lines().take(count).collect::<Vec<_>>().join("\n").into_bytes();
    let files = [
        (JSON, head(&clean, 40)),
        (EDN, head(&data("jepsen-clean-txn.edn"), 30)),
        (Format::Lines, head(&String::from_utf8_lossy(&lines), 40)),
        (Format::Verifiable, super::verifiable::BOTH.as_bytes().to_vec()),
    ];
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(5);
    for (format, text) in &files {
        let mut refused = 0;
        for _ in 0..count {
            let text = damaged(text, &mut random);
            if let Err(error) = read_as(&text, *format) {
                refused += 1;
                assert!(error.starts_with("failed to import `file`: line "), "{error}");
            }
        }
        assert!(refused > count / 4, "{format:?}: {refused} of {count} were refused");
        eprintln!("{format:?}: {refused} of {count} damaged files refused");
    }
}

proptest! {
    #[test]
    fn random_bytes_are_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for format in [JSON, EDN, Format::Lines, Format::Verifiable] {
            let _ = read_as(&bytes, format);
        }
        let _ = read(&bytes);
    }
}
