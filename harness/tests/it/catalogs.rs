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

#[test]
fn every_flaw_shows_as_a_kind_or_guarantee_some_checker_has() {
    for flaw in broker::flaws::FLAWS {
        let known = checkers::CATALOG
            .iter()
            .any(|spec| spec.name == flaw.shows || spec.kinds.iter().any(|kind| kind.name == flaw.shows));
        assert!(known, "flaw `{}` shows as `{}`, which no checker finds", flaw.name, flaw.shows);
    }
}
