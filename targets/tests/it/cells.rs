//! Clusters one after another in one process, as a matrix runs its cells, leave no thread and no descriptor
//! behind. Counted in a process of its own: other tests of this program come and go.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use targets::process::Supervisor;
use targets::reference::{Proxied, ReferenceCluster};

use crate::{cluster, stand_in, until};

/// Threads and open descriptors of this process.
fn held() -> (usize, usize) {
    let count = |folder: &str| std::fs::read_dir(folder).expect("readable").count();
    (count("/proc/self/task"), count("/proc/self/fd"))
}

/// The part of the process that counts: says `nothing is left` or dies.
pub(crate) fn run_cells() {
    let folder = tempfile::tempdir().expect("a folder");
    let supervisor = Supervisor::new().expect("a supervisor");
    let before = held();
    let (with, without) = (Proxied::Everything, Proxied::Nothing);
    for (proxied, graceful) in [(with, true), (without, true), (with, false), (without, false)] {
        let options = cluster::options(folder.path(), proxied);
        let cluster = ReferenceCluster::start(options, &supervisor).unwrap_or_else(|e| panic!("{e}"));
        let during = held();
        assert!(during.0 > before.0 && during.1 > before.1, "{before:?} {during:?}");
        if graceful {
            cluster.shutdown().expect("everybody exits when asked to");
        } else {
            drop(cluster);
        }
        // A thread that has said its last word may be on its way out still.
        until(
            &format!("a cluster gives back what it held (proxied {proxied:?}, graceful {graceful})"),
            || (held() == before).then_some(()),
        );
    }
    stand_in::say("nothing is left");
}

#[test]
fn clusters_one_after_another_leave_nothing_behind() {
    let (program, args) = stand_in::command("cells");
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut cells = stand_in::Mortal(command.spawn().expect("a process"));
    let stdout = BufReader::new(cells.0.stdout.take().expect("a pipe"));
    let said = stdout.lines().map_while(Result::ok).any(|line| line == "nothing is left");
    assert!(said, "it says why on stderr");
}
