//! Catalogs name each other by string only; here every string is resolved.

#[test]
fn every_check_a_workload_asks_for_exists() {
    for workload in workloads::CATALOG {
        for check in workload.checks {
            assert!(
                checkers::CATALOG.iter().any(|spec| spec.name == *check),
                "workload `{}` asks for checker `{check}`, which there is not",
                workload.name
            );
        }
    }
}

/// `docs/catalog.md` is what `highwater list … --long` prints; UPDATE_DOCS=1 writes it anew.
#[test]
fn the_catalog_page_is_what_the_lists_say() {
    let mut page = String::from(
        "# Everything built in\n\nGenerated from the catalogs; `UPDATE_DOCS=1 cargo test -p harness` writes it anew.\n",
    );
    for what in ["workloads", "nemeses", "checkers", "flaws", "exit-codes"] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_highwater"))
            .args(["list", what, "--long"])
            .output();
        let text = String::from_utf8(output.expect("it starts").stdout).expect("UTF-8");
        page.push_str(&format!("\n## {what}\n\n```\n{}```\n", text.trim_start()));
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/catalog.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &page).expect("docs are writable");
    }
    let stored = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(stored, page, "run UPDATE_DOCS=1 cargo test -p harness");
}
