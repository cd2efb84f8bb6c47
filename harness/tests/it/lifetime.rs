//! Nothing outlives a run: not when it is killed in any phase, not when it is stopped, not when it fails.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::stage::{Background, Process, Stage, children_of, poll};

const GONE: Duration = Duration::from_secs(2);

fn stop(process: Process) {
    let pid = Pid::from_raw(i32::try_from(process.pid).expect("a process id"));
    // It may have ended by itself meanwhile.
    let _ = kill(pid, Signal::SIGSTOP);
}

/// SIGKILL of the runner in each phase, with children running and stopped.
#[test]
fn no_process_outlives_a_runner_that_is_killed() {
    for phase in ["quiet", "load", "fault 1", "healing", "demanding progress", "draining"] {
        for stopped in [false, true] {
            let stage = Stage::new();
            let mut run = Background::start(stage.command("run --nemesis kill --duration 5s --seed 2"));
            run.read_until(phase);
            let children = children_of(run.pid());
            assert!(children.len() >= 4, "in `{phase}` the runner has children: {children:?}");
            if stopped {
                children.iter().step_by(2).copied().for_each(stop);
            }
            run.signal(Signal::SIGKILL);
            let alive = || children.iter().filter(|child| child.lives()).collect::<Vec<_>>();
            assert!(
                poll(GONE, || alive().is_empty()),
                "in `{phase}` (stopped: {stopped}) outlived: {:?}",
                alive()
            );
        }
    }
}

#[test]
fn a_run_that_is_interrupted_heals_drains_judges_and_cleans_up() {
    let stage = Stage::new();
    let mut run = Background::start(stage.command("run --duration 60s --seed 3"));
    run.read_until("fault 1");
    let children = children_of(run.pid());
    run.signal(Signal::SIGINT);
    let ended = run.finish();
    assert_eq!(ended.code, 130, "{}", ended.all());
    let verdict = stage.verdict();
    assert!(verdict["counts"]["acked"].as_u64() > Some(0), "{}", ended.all());
    assert!(children.iter().all(|child| !child.lives()), "{}", ended.all());
    assert!(!stage.latest().join("cluster").exists(), "the cluster's data is removed");
}

#[test]
fn an_unreachable_cluster_is_exit_3() {
    let stage = Stage::new();
    let ended = stage.run("run --target kafka --bootstrap 127.0.0.1:1 --nemesis none -q");
    assert_eq!(ended.code, 3, "{}", ended.all());
    let errors: Vec<_> = ended.stderr.lines().collect();
    assert_eq!(errors.len(), 1, "one clear error: {}", ended.all());
    assert!(errors[0].contains("127.0.0.1:1"), "{}", ended.all());
}

/// A full disk while recording, by a limit on the size of files.
#[test]
fn a_full_disk_ends_the_run_with_one_error_and_nothing_left() {
    let stage = Stage::new();
    let binary = env!("CARGO_BIN_EXE_highwater");
    let mut command = std::process::Command::new("sh");
    // 512-byte blocks: 400 KiB holds the first window of a segment, and not the second.
    command
        .args(["-c", &format!("ulimit -f 800; exec '{binary}' run --nemesis none --rate 2000 --seed 1 -q")]);
    command.env("HIGHWATER_RESULTS", stage.results.path());
    command.stdin(std::process::Stdio::null());
    let output = command.output().expect("a shell");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(5), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "one clear error: {stderr}");
    assert!(stderr.contains("File too large") && stderr.contains("--results"), "{stderr}");
    assert!(!stage.latest().join("cluster").exists(), "the cluster's data is removed");
}
