//! The proof by mutation: clean histories show nothing, planted anomalies are all found and nothing with them.

use super::plants::{PLANTS, Plant, Planted};
use super::{CHECKERS, Script, simulated};
use crate::context::Context;
use crate::testing::Rng;
use crate::{CATALOG, Finding, Judged, Word, judge};

/// Seeds to try: a few in every run of the tests, as many as `HIGHWATER_SEEDS` says by hand.
fn seeds(few: u64) -> std::ops::Range<u64> {
    let told = std::env::var("HIGHWATER_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    0..told.unwrap_or(few)
}

fn findings(script: &Script) -> Vec<Finding> {
    let history = script.build();
    let context = Context::new(&history);
    let specs = CATALOG.iter().filter(|spec| CHECKERS.contains(&spec.name));
    specs.flat_map(|spec| (spec.check)(&context)).collect()
}

/// What is not legal. Records of others between two sends are how Kafka works.
fn illegal(findings: &[Finding]) -> Vec<&Finding> {
    let illegal = |finding: &&Finding| finding.allowed.is_none() && finding.kind != "int-send-skip";
    findings.iter().filter(illegal).collect()
}

/// Findings in few words.
fn tell<'f>(findings: impl IntoIterator<Item = &'f Finding>) -> String {
    let mut text = String::new();
    for Finding { kind, count, examples, allowed, .. } in findings {
        let legal = if allowed.is_some() { " (legal)" } else { "" };
        text.push_str(&format!("\n  {kind} {count}{legal}"));
        for witness in examples {
            let operations: Vec<String> = witness
                .operations
                .iter()
                .map(|each| format!("{}/{}", each.session, each.operation))
                .collect();
            text.push_str(&format!("\n    {} [{}]", witness.text, operations.join(" ")));
        }
    }
    text
}

#[test]
fn clean_histories_show_nothing() {
    for seed in seeds(2000) {
        let script = simulated(seed);
        let found = findings(&script);
        assert!(illegal(&found).is_empty(), "seed {seed}: {}", tell(illegal(&found)));
        let judgement = judge(&script.build());
        assert_eq!(judgement.word, Word::Held, "seed {seed}: {}", judgement.headline);
        let odd: Vec<&Judged> = judgement
            .guarantees
            .iter()
            .filter(|judged| !matches!(judged.word, Word::Held | Word::Noted | Word::NotSeen))
            .collect();
        assert!(odd.is_empty(), "seed {seed}: {odd:#?}");
    }
}

fn is_witness(finding: &Finding, planted: Planted) -> bool {
    let (process, number) = planted.operation;
    let name = history::view::worker_name(history::Role::Client, u32::try_from(process).expect("few"), 0);
    let mut operations = finding.examples.iter().flat_map(|witness| &witness.operations);
    operations.any(|operation| (&operation.session, operation.operation) == (&name, number as u64))
}

/// Plants one anomaly and looks for it; `None` if the history had no room.
fn try_one(seed: u64, name: &str, plant: Plant) -> Option<()> {
    let mut script = simulated(seed);
    let before = findings(&script);
    let planted = plant(&mut script, &mut Rng(seed ^ 0xbad))?;
    let found = findings(&script);
    let of_kind: Vec<&Finding> = found.iter().filter(|finding| finding.kind == planted.kind).collect();
    let grown = of_kind.iter().map(|finding| finding.count).sum::<u64>()
        > before
            .iter()
            .filter(|finding| finding.kind == planted.kind)
            .map(|finding| finding.count)
            .sum::<u64>();
    assert!(grown, "seed {seed}: {name} is not found: {}", tell(&found));
    let full = of_kind.iter().any(|finding| finding.count > 10);
    assert!(
        full || of_kind.iter().any(|finding| is_witness(finding, planted)),
        "seed {seed}: {name}, {planted:?}: {}",
        tell(of_kind.iter().copied())
    );
    let others: Vec<&Finding> =
        illegal(&found).into_iter().filter(|finding| finding.kind != planted.kind).collect();
    assert!(others.is_empty(), "seed {seed}: {name}, {planted:?}: {}", tell(others));
    Some(())
}

#[test]
fn every_plant_is_found_and_nothing_else() {
    let mut report = Vec::new();
    for (name, plant) in PLANTS {
        let all = seeds(300);
        let tried = all.end;
        let planted = all.filter(|seed| try_one(*seed, name, *plant).is_some()).count();
        report.push(format!("{name}: {planted} of {tried}"));
        assert!(planted as u64 > tried / 40, "only {planted} of {tried} histories had room for {name}");
    }
    eprintln!("{}", report.join("\n"));
}
