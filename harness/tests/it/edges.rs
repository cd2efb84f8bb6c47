//! The edges between rooms: every manifest is read against the table of `docs/ARCHITECTURE.md`, so that
//! the table in the document is the one that holds.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace")
}

/// The table between the markers of the architecture page: room → rooms it may name.
fn allowed() -> BTreeMap<String, BTreeSet<String>> {
    let page = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).expect("the page is there");
    let table = page.split("<!-- edges -->").nth(1).expect("the page has an edge table");
    table
        .lines()
        .filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'))
        .map(|row| row.split('|').map(str::trim).collect::<Vec<_>>())
        .filter(|cells| cells[0].starts_with('`'))
        .map(|cells| {
            let names = |text: &str| {
                text.split(',')
                    .map(|name| name.trim().trim_matches('`').to_owned())
                    .filter(|name| !name.is_empty() && name != "none")
                    .collect::<BTreeSet<_>>()
            };
            (cells[0].trim_matches('`').to_owned(), names(cells[1]))
        })
        .collect()
}

#[test]
fn manifests_name_only_the_rooms_they_may() {
    let allowed = allowed();
    let workspace: toml::Table =
        fs::read_to_string(root().join("Cargo.toml")).expect("manifest").parse().expect("valid TOML");
    let members: BTreeSet<String> = workspace["workspace"]["members"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|member| member.as_str().expect("a name").to_owned())
        .collect();
    assert_eq!(members, allowed.keys().cloned().collect(), "the table lists every room, and no other");

    for (room, may) in &allowed {
        let manifest: toml::Table = fs::read_to_string(root().join(room).join("Cargo.toml"))
            .expect("manifest")
            .parse()
            .expect("valid TOML");
        let named: BTreeSet<String> = ["dependencies", "dev-dependencies", "build-dependencies"]
            .iter()
            .filter_map(|section| manifest.get(*section)?.as_table())
            .flat_map(|table| table.keys().cloned())
            .filter(|name| members.contains(name))
            .collect();
        let stray: Vec<_> = named.difference(may).collect();
        assert!(stray.is_empty(), "`{room}` names {stray:?}, which the edge table does not allow");
    }
}

/// `harness` may name `broker` only to serve a node, to list its flaws and to check its settings.
#[test]
fn the_harness_knows_the_broker_only_to_serve_it() {
    for (path, text) in super::tidy::sources(&root().join("harness/src")) {
        for line in text.lines().filter(|line| line.contains("broker::")) {
            assert!(
                ["broker::serve_stdin", "broker::flaws", "broker::settings"]
                    .iter()
                    .any(|may| line.contains(may)),
                "{}: {line}",
                path.display()
            );
        }
    }
}
