//! Clocks that jump, run fast and jump to and fro, of a broker under libfaketime: the clock of this machine is
//! everybody's, and is never touched.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::stand::{Stand, sh, skip};
use super::{HEALED, apply, is_whole};
use crate::stage::poll;

/// Where Debian has it, and where others do.
const LIBRARIES: &str =
    "ls /usr/lib/*/faketime/libfaketime.so.1 /usr/lib*/faketime/libfaketime.so.1 2>/dev/null | head -n 1";
/// What is asked for, and by how many milliseconds the broker's clock must be seen wrong at least.
const FAULTS: [(&str, i64); 4] = [
    ("clock-bump --ms 60000", 59_000),
    ("clock-bump --ms -60000", 59_000),
    ("clock-skew --ppm 100000", 100),
    ("clock-strobe --ms 30000 --period-ms 100", 29_000),
];

/// A stand whose broker says again and again what time it is, and goes by libfaketime.
fn stand(name: &str) -> Option<Stand> {
    let library = sh(LIBRARIES).unwrap_or_default();
    if library.is_empty() {
        skip("clocks: libfaketime is not there (apt-get install faketime)");
        return None;
    }
    let stand = Stand::new(name)?;
    let root = stand.dir.path().display().to_string();
    fs::write(stand.path("clock"), "+0.000\n").expect("writable");
    fs::write(
        stand.path("real.sh"),
        format!("while :; do date +%s%3N >{root}/now.try; mv {root}/now.try {root}/now; sleep 0.01; done\n"),
    )
    .expect("writable");
    fs::write(
        stand.path("broker.sh"),
        format!(
            "echo $$ >{root}/pid\nexport LD_PRELOAD={library} FAKETIME_TIMESTAMP_FILE={root}/clock FAKETIME_NO_CACHE=1 DONT_FAKE_MONOTONIC=1\n\
             exec sh {root}/real.sh\n"
        ),
    )
    .expect("writable");
    stand.write_cluster_file(&format!(
        "breakable = true\nclock = \"faketime\"\nfaketime_file = \"{root}/clock\""
    ));
    let (code, said) = stand.run(&apply(&stand, "restart", "5m"));
    assert_eq!(code, 0, "{said}");
    assert_eq!(stand.run("nemesis undo --all").0, 0);
    assert!(poll(HEALED, || stand.path("now").exists()), "it says what time it is");
    Some(stand)
}

/// By how many milliseconds the broker's clock is ahead of ours.
fn ahead(stand: &Stand) -> i64 {
    let said = fs::read_to_string(stand.path("now")).unwrap_or_default();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    said.trim().parse::<i64>().unwrap_or_default() - i64::try_from(now).expect("small")
}

/// A machine that stands still makes whatever it says late by so much.
const LATE_MS: i64 = 2_000;

fn is_right(stand: &Stand) -> bool {
    ahead(stand).abs() < LATE_MS
        && is_whole(stand)
        && fs::read_to_string(stand.path("clock")).is_ok_and(|text| text == "+0.000\n")
        && !left(stand)
}

/// Whether anything of a fault of this stand is left where faults of clocks keep what they need.
fn left(stand: &Stand) -> bool {
    let library = |path: &Path| fs::read_to_string(path.join("library")).is_ok();
    let entries = fs::read_dir("/run").into_iter().flatten().filter_map(Result::ok);
    let named =
        |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with("highwater-clock-hand");
    // Others' stands may have theirs; ours is known by the processes that move it.
    let any = entries.filter(named).any(|entry| library(&entry.path()));
    any && sh(&format!("ip netns pids {} | while read -r p; do tr '\\0' ' ' </proc/$p/cmdline; done | grep -q highwater-clock", stand.namespace)).is_ok()
}

#[test]
fn a_clock_is_put_right_by_its_host_when_its_controller_is_killed() {
    let Some(stand) = stand("clock") else { return };
    for (fault, least) in FAULTS {
        let mut controller = stand.command(&apply(&stand, fault, "4s")).spawn().expect("the binary starts");
        assert!(poll(HEALED, || stand.on_record() == 1), "{fault}: on the host's record");
        controller.kill().expect("it can be killed");
        controller.wait().expect("it ends");
        assert!(
            poll(HEALED, || ahead(&stand).abs() >= least),
            "{fault}: in force, though nobody controls it"
        );
        assert!(poll(HEALED, || stand.on_record() == 0), "{fault}: healed by its host");
        assert!(poll(HEALED, || is_right(&stand)), "{fault}: {} ms, nothing is left", ahead(&stand));
        let (code, said) = stand.run("nemesis undo --all");
        assert!(code == 0 && said.contains("0 undone, nothing is open"), "{fault}: {said}");
    }
}

#[test]
fn a_clock_is_put_right_by_hand() {
    let Some(stand) = stand("clocks") else { return };
    for (fault, least) in FAULTS {
        let (code, said) = stand.run(&apply(&stand, fault, "5m"));
        assert!(code == 0 && said.contains("by libfaketime"), "{fault}: {said}");
        assert!(poll(HEALED, || ahead(&stand).abs() >= least), "{fault}: {} ms", ahead(&stand));
        let sign = if fault.contains("-60000") { -1 } else { 1 };
        assert!(poll(HEALED, || ahead(&stand) * sign >= least), "{fault}: the way that was asked for");
        let (code, said) = stand.run("nemesis undo --all");
        assert!(code == 0 && said.contains("1 undone"), "{fault}: {said}");
        assert!(poll(HEALED, || is_right(&stand)), "{fault}: {} ms", ahead(&stand));
    }
}

#[test]
fn a_broker_that_does_not_go_by_the_file_is_left_alone() {
    let Some(stand) = stand("noclock") else { return };
    let other = stand.path("other").display().to_string();
    fs::write(&other, "+0.000\n").expect("writable");
    stand.write_cluster_file(&format!("breakable = true\nclock = \"faketime\"\nfaketime_file = \"{other}\""));
    for (fault, _) in FAULTS {
        let (code, said) = stand.run(&apply(&stand, fault, "5s"));
        assert!(code == 3 && said.contains("does not run under libfaketime"), "{fault}: {code}: {said}");
        assert!(stand.on_record() == 0 && is_right(&stand), "{fault}");
    }
    // The machine's own clock is shared with everybody here.
    stand.write_cluster_file("breakable = true");
    for (fault, _) in FAULTS {
        let (code, said) = stand.run(&apply(&stand, fault, "5s"));
        assert!(code == 3 && said.contains("shares its clock"), "{fault}: {code}: {said}");
        assert!(stand.on_record() == 0 && is_right(&stand), "{fault}");
    }
}
