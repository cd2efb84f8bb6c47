//! The matrix table in its three formats.

use insta::assert_snapshot;

use super::*;

fn cells() -> Vec<MatrixRow> {
    let cell = |acks: &str, min_isr: &str, nemesis: &str, expectation, word, seen: &str| MatrixRow {
        settings: vec![
            ("acks".to_owned(), acks.to_owned()),
            ("min.insync.replicas".to_owned(), min_isr.to_owned()),
        ],
        nemesis: nemesis.to_owned(),
        expectation,
        word,
        seen: seen.to_owned(),
        k_of_n: (2, 3),
        throughput: 998.6,
        p99_ms: 4.25,
        recovery_ms: (nemesis != "none").then_some(2_130),
        seconds: 14.06,
    };
    vec![
        cell("1", "1", "none", Expectation::MustHold, Word::Held, "0 of 9900 acknowledged records lost"),
        cell("1", "1", "kill", Expectation::MayBreak, Word::Shown, "12 of 9900 acknowledged records lost"),
        cell("all", "2", "kill", Expectation::MustHold, Word::Broken, "3 of 9900 acknowledged records lost"),
    ]
}

fn axes() -> Vec<String> {
    vec!["acks".to_owned(), "min.insync.replicas".to_owned()]
}

#[test]
fn for_a_terminal() {
    assert_snapshot!(render_matrix(&cells(), &axes(), Format::Human { width: 120, color: false }), @r#"
    ╭──────┬─────────────────────┬───────┬───────────┬────────┬────────┬──────────────┬───────┬────────┬──────────┬────────╮
    │ acks │ min.insync.replicas │ fault │ promised  │ seen   │ k of n │ evidence     │ rec/s │ p99 ms │ recovery │ took s │
    ├──────┼─────────────────────┼───────┼───────────┼────────┼────────┼──────────────┼───────┼────────┼──────────┼────────┤
    │ 1    │ 1                   │ none  │ must hold │ held   │ 2 of 3 │ 0 of 9900    │ 999   │ 4.2    │ -        │ 14.1   │
    │      │                     │       │           │        │        │ acknowledged │       │        │          │        │
    │      │                     │       │           │        │        │ records lost │       │        │          │        │
    │ 1    │ 1                   │ kill  │ may break │ shown  │ 2 of 3 │ 12 of 9900   │ 999   │ 4.2    │ 2.1 s    │ 14.1   │
    │      │                     │       │           │        │        │ acknowledged │       │        │          │        │
    │      │                     │       │           │        │        │ records lost │       │        │          │        │
    │ all  │ 2                   │ kill  │ must hold │ broken │ 2 of 3 │ 3 of 9900    │ 999   │ 4.2    │ 2.1 s    │ 14.1   │
    │      │                     │       │           │        │        │ acknowledged │       │        │          │        │
    │      │                     │       │           │        │        │ records lost │       │        │          │        │
    ╰──────┴─────────────────────┴───────┴───────────┴────────┴────────┴──────────────┴───────┴────────┴──────────┴────────╯
    "#);
}

#[test]
fn as_markdown() {
    assert_snapshot!(render_matrix(&cells(), &axes(), Format::Markdown), @r#"
    | acks | min.insync.replicas | fault | promised | seen | k of n | evidence | rec/s | p99 ms | recovery | took s |
    | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
    | 1 | 1 | none | must hold | held | 2 of 3 | 0 of 9900 acknowledged records lost | 999 | 4.2 | - | 14.1 |
    | 1 | 1 | kill | may break | shown | 2 of 3 | 12 of 9900 acknowledged records lost | 999 | 4.2 | 2.1 s | 14.1 |
    | all | 2 | kill | must hold | broken | 2 of 3 | 3 of 9900 acknowledged records lost | 999 | 4.2 | 2.1 s | 14.1 |
    "#);
}

#[test]
fn as_csv() {
    assert_snapshot!(render_matrix(&cells(), &axes(), Format::Csv), @r#"
    acks,min.insync.replicas,fault,promised,seen,k,n,evidence,records_per_s,p99_ms,recovery_ms,seconds
    1,1,none,must hold,held,2,3,0 of 9900 acknowledged records lost,999,4.2,,14.1
    1,1,kill,may break,shown,2,3,12 of 9900 acknowledged records lost,999,4.2,2130,14.1
    all,2,kill,must hold,broken,2,3,3 of 9900 acknowledged records lost,999,4.2,2130,14.1
    "#);
}

#[test]
fn an_axis_that_a_cell_does_not_set_is_a_dash() {
    let text = render_matrix(&cells(), &["linger.ms".to_owned()], Format::Csv);
    assert!(text.lines().nth(1).is_some_and(|line| line.starts_with("-,none,")), "{text}");
}
