//! The command line as scripts use it: exit codes, one clear line for every mistake, lists and help.

use std::path::Path;

use assert_cmd::Command;

fn highwater() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_highwater"));
    command.env_remove("HIGHWATER_RESULTS");
    command
}

/// Runs it, and gives exit code, stdout and stderr.
fn outcome(args: &[&str], dir: &Path) -> (i32, String, String) {
    let output = highwater().current_dir(dir).args(args).output().expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    (output.status.code().expect("it exits by itself"), text(&output.stdout), text(&output.stderr))
}

#[test]
fn bad_input_is_exit_2_and_one_clear_line() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("hush.properties"), "sasl.password=hush\nhush\n").unwrap();
    std::fs::write(dir.path().join("bad.toml"), "name = 'm'\n[axes]\nnemesis = ['quake']\n").unwrap();
    for (args, says) in [
        (&[][..], "no command"),
        (&["rnu"], "run"),
        (&["run", "--nemesis", "kil"], "`kill`"),
        (&["run", "--nemesis", "none,kill"], "stands alone"),
        (&["run", "--workload", "lgo"], "possible values: group, group-commit-first, log"),
        (&["run", "--flaw", "ack-before-apend"], "`ack-before-append`"),
        (&["run", "--durration", "1s"], "--duration"),
        (&["run", "--duration", "10"], "500ms, 10s"),
        (&["run", "--duration", "1s"], "too short"),
        (&["run", "--rate", "0"], "`max`"),
        (&["run", "--partitions", "0"], "1..=10000"),
        (&["run", "--producers", "0"], "1..=1000"),
        (&["run", "--payload-bytes", "31"], "32"),
        (&["run", "--seed", "many"], "--seed"),
        (&["run", "--set", "acks"], "KEY=VALUE"),
        (&["run", "--set", "ack=1"], "did you mean `acks`?"),
        (&["run", "--set", "acks=maybe"], "cannot be `maybe`"),
        (&["run", "--set", "min.insync.replicas=3", "--set", "replication.factor=2"], "min.insync.replicas"),
        (&["run", "--set", "enable.idempotence=true", "--set", "acks=0"], "acks=all"),
        (&["run", "--set", "group.id=g"], "a group of its own"),
        (&["run", "-X", "nonsense.property=1"], "nonsense.property"),
        (&["run", "--config", "hush.properties"], "line 2 is not KEY=VALUE"),
        (&["run", "--config", "none.properties"], "failed to read `none.properties`"),
        (&["run", "--topic", "a topic"], "a topic"),
        (&["run", "--allow-existing-topic"], "--topic"),
        (&["run", "--max-disk", "4 gigs"], "4GiB"),
        (&["run", "-q", "-v"], "--quiet"),
        (&["run", "-o", "no/such/dir/verdict.json"], "no/such/dir/verdict.json"),
        (&["run", "--target", "kafka"], "--bootstrap HOST:PORT"),
        (&["run", "--target", "kafka", "--bootstrap", "a:1", "--nemesis", "kill"], "--nemesis none"),
        (&["run", "--target", "kafka", "--bootstrap", "a:1", "--set", "broker.num.partitions=1"], "cluster"),
        (
            &["run", "--target", "kafka", "--bootstrap", "a:1", "--flaw", "duplicate-on-retry"],
            "reference broker",
        ),
        (&["run", "--bootstrap", "a:1"], "--target kafka"),
        (&["matrix"], "FILE|NAME"),
        (&["matrix", "durabilty"], "did you mean `durability`?"),
        (&["matrix", "bad.toml"], "quake"),
        (&["check"], "RUN"),
        (&["check", "latest"], "failed to open run `latest`"),
        (&["list"], "WHAT"),
        (&["list", "nemesis"], "`nemeses`"),
        // Of the contract, and not built yet.
        (&["gate", "matrix.toml"], "command `gate` is not in this build"),
        (&["run", "--target", "mqtt"], "`--target mqtt` is not in this build"),
        (&["run", "--sink", "x"], "flag `--sink` is not in this build"),
        (&["run", "--nemesis", "kill@1s"], "does not say how long"),
        (&["run", "--nemesis", "kill@1s+20s"], "--duration 21s"),
        (&["run", "--nemesis", "kill,pause@1s+1s"], "do not go together"),
        (&["run", "--cluster", "c.toml"], "--target kafka"),
        (&["run", "--target", "kafka", "--cluster", "c.toml"], "c.toml"),
        (&["run", "--format", "junit"], "`--format junit` is not in this build"),
        (&["matrix", "durability", "--shard", "1/2"], "flag `--shard` is not in this build"),
        (&["list", "claims"], "`<WHAT> claims` is not in this build"),
    ] {
        let (code, stdout, stderr) = outcome(args, dir.path());
        assert_eq!(code, 2, "{args:?}: {stderr}");
        assert!(stdout.is_empty(), "{args:?}: stdout carries results only: {stdout}");
        assert_eq!(stderr.trim_end().lines().count(), 1, "{args:?}: {stderr}");
        assert!(stderr.starts_with("error: ") && stderr.contains(says), "{args:?}: {stderr}");
        assert!(!stderr.contains("hush\n"), "{args:?}: {stderr}");
    }
    let left: Vec<_> =
        std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "nothing is left behind: {left:?}");
}

#[test]
fn lists_come_from_the_catalogs() {
    let dir = tempfile::tempdir().unwrap();
    let list = |what: &str| {
        let (code, stdout, stderr) = outcome(&["list", what], dir.path());
        assert_eq!((code, stderr.as_str()), (0, ""), "{what}");
        stdout.lines().map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(list("workloads"), names(&["group", "group-commit-first", "log"]));
    let nemeses: Vec<_> = ["none"].into_iter().chain(nemesis::CATALOG.iter().map(|spec| spec.name)).collect();
    assert_eq!(list("nemeses"), names(&nemeses));
    assert_eq!(list("checkers").len(), checkers::CATALOG.len());
    assert_eq!(list("flaws").len(), broker::flaws::FLAWS.len());
    assert_eq!(
        list("exit-codes"),
        names(&["6", "70", "1", "130", "143", "2", "3", "5", "4", "7", "0"]),
        "the code that wins over all others comes first"
    );
    let (_, long, _) = outcome(&["list", "nemeses", "--long"], dir.path());
    assert!(long.contains("SIGKILL") && long.lines().all(|line| line.len() <= 100), "{long}");
}

#[test]
fn help_leads_with_examples_and_names_what_is_built() {
    let dir = tempfile::tempdir().unwrap();
    for command in [
        &[][..],
        &["run"],
        &["matrix"],
        &["check"],
        &["runs"],
        &["list"],
        &["bench"],
        &["bench", "run"],
        &["explain"],
        &["history"],
        &["history", "export"],
        &["history", "import"],
        &["history", "show"],
        &["nemesis"],
        &["nemesis", "apply"],
        &["nemesis", "undo"],
        &["nemesis", "status"],
    ] {
        let (code, stdout, stderr) = outcome(&[command, &["--help"]].concat(), dir.path());
        assert_eq!((code, stderr.as_str()), (0, ""));
        assert!(stdout.starts_with("Examples:\n  highwater "), "{command:?}: {stdout}");
    }
    let (_, run, _) = outcome(&["run", "--help"], dir.path());
    for name in ["isolate-leader", "none", "ack-before-append", "log", "reference", "production"] {
        assert!(run.contains(name), "help names `{name}`");
    }
    assert!(!run.contains("--sink") && !run.contains("mqtt"), "what is not built is absent");
    let (code, stdout, _) = outcome(&["--version"], dir.path());
    assert_eq!((code, stdout.trim()), (0, concat!("highwater ", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn an_empty_results_directory_has_no_runs() {
    let dir = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) = outcome(&["runs"], dir.path());
    assert_eq!((code, stdout.as_str()), (0, ""));
    assert!(stderr.contains("no runs in `results/runs`"), "{stderr}");
    let output = highwater().env("HIGHWATER_RESULTS", dir.path()).arg("runs").output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains(&dir.path().display().to_string()));
}

#[test]
fn an_unwritable_results_directory_is_one_clear_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let (code, _, stderr) = outcome(&["run", "-q", "--results", "file"], dir.path());
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("--results DIR"), "{stderr}");
}
