//! The scanners against serde_json, and on what no line may hold.

use proptest::prelude::*;

use super::*;

fn whole<'a>(mut scan: impl Scan<'a>) -> Result<(), String> {
    scan.skip().and_then(|()| scan.finish()).map_err(|problem| problem.to_string())
}

/// Depth alone is judged differently.
fn agrees(text: &str) {
    let ours = whole(Json::new(text));
    let theirs = serde_json::from_str::<serde_json::Value>(text);
    // serde_json refuses numbers that no `f64` can hold; here they are texts.
    let range = theirs.as_ref().is_err_and(|error| error.to_string().contains("number out of range"));
    assert!(range || ours.is_ok() == theirs.is_ok(), "{text:?}: {ours:?}, {theirs:?}");
}

#[test]
fn json_is_what_serde_says_it_is() {
    for text in [
        "",
        " ",
        "1",
        "-1",
        "-",
        "01",
        "1.",
        "1.5e",
        "1.5e+3",
        "1e5",
        "-0",
        "[1,2]",
        "[1,2,]",
        "[,]",
        "[1 2]",
        "[1}",
        "{\"a\":1}",
        "{\"a\" 1}",
        "{a:1}",
        "{\"a\":1,}",
        "\"\\u00e9\"",
        "\"\\x\"",
        "\"\\",
        "\"a\u{1}\"",
        "nul",
        "null",
        "truefalse",
        "[[[]]]",
        "{}{}",
        "[]]",
        "99999999999999999999999",
        "\u{feff}1",
        "\"é\"",
        "[\"\\é\"]",
    ] {
        agrees(text);
    }
}

#[test]
fn nesting_is_bounded() {
    for open in ["[", "{\"a\":", "{:a ", "#{", "(", "#_", "#a "] {
        let deep = open.repeat(1_000_000);
        assert!(whole(Json::new(&deep)).is_err());
        assert!(whole(Edn::new(&deep)).is_err(), "{open}");
    }
}

#[test]
fn words_are_numbers_where_they_can_be() {
    let mut arena = String::new();
    for (text, number) in [
        ("12", Some(12)),
        ("-12", Some(-12)),
        ("9223372036854775807", Some(i64::MAX)),
        ("-9223372036854775808", Some(i64::MIN)),
        ("9223372036854775808", None),
        ("1.0", None),
        ("\"12\"", Some(12)),
        ("\"012\"", None),
        ("\"-0\"", None),
    ] {
        let json = Json::new(text).word(&mut arena).unwrap().unwrap();
        let edn = Edn::new(text).word(&mut arena).unwrap().unwrap();
        for word in [json, edn] {
            assert_eq!(matches!(word, Word::Number(_)), number.is_some(), "{text}: {word:?}");
            assert!(number.is_none_or(|number| word == Word::Number(number)), "{text}: {word:?}");
        }
    }
    assert_eq!(Edn::new("nil").word(&mut arena).unwrap(), None);
    assert_eq!(Edn::new("12N").word(&mut arena).unwrap(), Some(Word::Number(12)));
    arena.clear();
    assert_eq!(Json::new(r#""a\nb""#).word(&mut arena).unwrap(), Some(Word::Text(0, 3)));
    assert_eq!(arena, "a\nb");
}

proptest! {
    #[test]
    fn any_text_is_scanned_without_panic(text in ".{0,60}") {
        let _ = whole(Edn::new(&text));
        agrees(&text);
    }

    #[test]
    fn almost_json_is_judged_as_serde_does(text in r#"[\[\]{}:,"\\0-9a-fu.eE+-]{0,24}"#) {
        agrees(&text);
    }

    #[test]
    fn almost_edn_never_panics(text in r#"[\[\](){}:,"\\0-9a-z#_;é N-]{0,40}"#) {
        let _ = whole(Edn::new(&text));
        let mut arena = String::new();
        let _ = Edn::new(&text).word(&mut arena);
        let _ = Edn::new(&text).symbol();
    }
}
