//! Matrices that expand, and files that are refused.

use super::*;

fn expanded(text: &str) -> Matrix {
    expand(text, Some(7)).unwrap_or_else(|error| panic!("{error:#}"))
}

#[test]
fn the_built_in_matrices_run() {
    for (name, _) in READY_MADE {
        let matrix = load(name, Some(1)).unwrap();
        assert_eq!(matrix.name, *name);
    }
    let matrix = load("durability", Some(1)).unwrap();
    assert_eq!(matrix.axes, ["acks", "min.insync.replicas", "replication.factor"]);
    // 24 combinations: 6 need more replicas than there are, 2 cut off a leader that is alone.
    assert_eq!((matrix.cells.len(), matrix.skipped.len()), (16, 8));
    assert!(matrix.skipped.iter().all(|(_, reason)| !reason.is_empty()));
}

#[test]
fn cells_come_in_a_fixed_order_with_their_own_seeds() {
    let text = "name = 'm'\nrepeats = 2\n[run]\nduration = '30s'\nsync = true\n[set]\nlinger.ms = 5\n\
                [axes]\nacks = [1, 'all']\nnemesis = ['none', 'kill,pause']\nflush.messages = [1]";
    let (first, again) = (expanded(text), expanded(text));
    let labels: Vec<_> = first.cells.iter().map(|cell| cell.label.as_str()).collect();
    assert_eq!(
        labels,
        [
            "acks=1 flush.messages=1 nemesis=none",
            "acks=1 flush.messages=1 nemesis=kill,pause",
            "acks=all flush.messages=1 nemesis=none",
            "acks=all flush.messages=1 nemesis=kill,pause",
        ]
    );
    let seeds = |matrix: &Matrix| -> Vec<Option<u64>> {
        matrix.cells.iter().flat_map(|cell| &cell.runs).map(|run| run.seed).collect()
    };
    assert_eq!(seeds(&first), seeds(&again));
    let mut distinct = seeds(&first);
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), 8, "4 cells, 2 repeats");
    let run = &first.cells[1].runs[0];
    assert!(run.load.sync && run.settings.set.contains(&("linger.ms".to_owned(), "5".to_owned())));
    assert_ne!(seeds(&first), seeds(&expand(text, Some(8)).unwrap()));
}

#[test]
fn files_that_could_not_run_are_refused_in_one_line() {
    let axes = "[axes]\nacks = [1]\n";
    for (text, says) in [
        ("", "missing field"),
        ("name = 'm'\n[axes]\n", "there are no axes"),
        ("name = 'm'\n[axes]\nack = [1]", "did you mean `acks`?"),
        ("name = 'm'\n[axes]\nacks = [5]", "cannot be `5`"),
        ("name = 'm'\n[axes]\nacks = []", "has no values"),
        ("name = 'm'\n[axes]\nacks = 1", "is no list"),
        ("name = 'm'\n[axes]\nacks = [1, '1']", "twice"),
        ("name = 'm'\n[axes]\nnemesis = ['kil']", "kill"),
        (&format!("name = 'm'\nrepeats = 0\n{axes}"), "`repeats`"),
        (&format!("name = 'm'\nrepeat = 2\n{axes}"), "unknown field `repeat`"),
        (&format!("name = 'm'\n[run]\ndurration = '8s'\n{axes}"), "--duration"),
        (&format!("name = 'm'\n[run]\nduration = '1s'\n{axes}"), "cell acks=1"),
        (&format!("name = 'm'\n[run]\nseed = 1\n{axes}"), "at the top"),
        (&format!("name = 'm'\n[set]\nacks = 1\n{axes}"), "leave one out"),
        (
            &format!("name = 'm'\n{axes}[[exclude]]\nwhen = {{ retries = 1 }}\nreason = 'x'"),
            "which is no axis",
        ),
        (
            &format!("name = 'm'\n{axes}[[exclude]]\nwhen = {{ acks = 1 }}\nreason = 'x'"),
            "every cell is excluded",
        ),
    ] {
        let error = format!("{:#}", expand(text, Some(1)).expect_err(text));
        assert!(error.contains(says), "{text}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
    let error = load("durabilty", Some(1)).unwrap_err().to_string();
    assert!(error.contains("did you mean `durability`?"), "{error}");
}
