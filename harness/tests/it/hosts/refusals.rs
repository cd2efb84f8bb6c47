//! What must be refused is, in one line that names the host and what it said, and nothing is broken.

use super::stand::{BACKENDS, Stand, sh};
use super::{apply, is_whole};

#[test]
fn what_is_not_clearly_asked_for_is_refused_and_nothing_is_broken() {
    BACKENDS.into_iter().for_each(refuses_what_is_not_asked_for);
}

fn refuses_what_is_not_asked_for(backend: &'static str) {
    let Some(stand) = Stand::over(backend, "guard") else { return };
    let file = stand.cluster_file().display().to_string();
    let refused = |line: &str, exit: i32, part: &str| {
        let (code, said) = stand.run(line);
        assert!(code == exit && said.contains(part), "`{line}`: exit {code}: {said}");
        assert!(is_whole(&stand) && stand.on_record() == 0, "`{line}` broke something");
        let (_, status) = stand.run("nemesis status");
        assert!(status.contains("no fault is open"), "{status}");
    };
    let quietly = format!("nemesis apply kill --cluster {file} --node 1");
    refused(&quietly, 2, "--allow-destructive");
    refused(
        &format!("nemesis apply kill --cluster {file} --node 9 --allow-destructive"),
        2,
        "has no node `9`",
    );
    refused(
        &format!("nemesis apply kill --cluster {file} --node 2 --allow-destructive"),
        2,
        "`breakable = true`",
    );
    if stand.inside("tc qdisc add dev lo root netem delay 1ms").is_ok() {
        stand.inside("tc qdisc del dev lo root").expect("ours");
    } else {
        refused(&apply(&stand, "delay", "5s"), 3, "this kernel lacks");
    }
    stand
        .inside("tc qdisc add dev lo root handle 77: tbf rate 100mbit burst 32kb latency 50ms")
        .expect("tbf");
    refused(&apply(&stand, "bandwidth", "5s"), 3, "a qdisc of somebody else");
    stand.inside("tc qdisc show dev lo | grep -q ' 77: '").expect("it is left alone");
    stand.inside("tc qdisc del dev lo root").expect("ours");
    refused(&apply(&stand, "clock-bump", "5s"), 3, "shares its clock");
    std::fs::rename(stand.path("user"), stand.path("user.away")).expect("renamed");
    refused(&apply(&stand, "kill", "5s"), 3, "does not let `root` in");
    std::fs::rename(stand.path("user.away"), stand.path("user")).expect("renamed");
    let known = std::fs::read(stand.path("known")).expect("readable");
    sh(&format!(
        "cd {}; printf '[127.0.0.1]:2222 %s\\n' \"$(cut -d' ' -f1,2 user.pub)\" >known",
        stand.dir.path().display()
    ))
    .expect("written");
    refused(&apply(&stand, "kill", "5s"), 3, "shows a key that is not on record");
    std::fs::write(stand.path("known"), known).expect("written");
    stand.write_cluster_file("breakable = true\nprocess = \"some-other-program\"");
    refused(&apply(&stand, "kill", "5s"), 3, "the broker does not run: nobody to hit");
}

#[test]
fn a_host_that_cannot_do_it_is_named_with_what_it_said() {
    BACKENDS.into_iter().for_each(says_what_a_host_cannot_do);
}

fn says_what_a_host_cannot_do(backend: &'static str) {
    let Some(stand) = Stand::over(backend, "bad") else { return };
    let refused = |fault: &str, exit: i32, parts: &[&str]| {
        let (code, said) = stand.run(&apply(&stand, fault, "5s"));
        assert!(code == exit && parts.iter().all(|part| said.contains(part)), "{fault}: exit {code}: {said}");
        let errors = said.lines().filter(|line| line.starts_with("error")).count();
        assert!(errors == 1 && said.trim().lines().count() == 1, "one line: {said}");
        assert!(is_whole(&stand) && stand.on_record() == 0, "{fault} broke something");
        assert!(stand.run("nemesis status").1.contains("no fault is open"));
    };
    // Another user than root, whom sudo wants a password from.
    stand.tool("id", "echo 1000");
    stand.tool("sudo", "echo 'sudo: a password is required' >&2; exit 1");
    refused("kill", 3, &["sudo on host `127.0.0.1` refuses", "a password is required", "NOPASSWD"]);
    stand.no_tool("id");
    stand.no_tool("sudo");
    let no_chains = "case \"$*\" in *-N*) echo 'iptables: no such thing' >&2; exit 3;; esac; exec /usr/sbin/iptables \"$@\"";
    stand.tool("iptables", no_chains);
    refused("cut", 3, &["failed to apply `cut` on host `127.0.0.1`", "exit 3", "no such thing"]);
    // One that answers nothing cannot say either that nothing is left, so the record stays.
    stand.tool("iptables", "echo 'iptables: gone mad' >&2; exit 3");
    let (code, said) = stand.run(&apply(&stand, "cut", "5m"));
    assert!(code == 6 && said.contains("it is still in force after its undo"), "exit {code}: {said}");
    stand.no_tool("iptables");
    let (code, said) = stand.run("nemesis undo --all");
    assert!(code == 0 && said.contains("nothing is open"), "exit {code}: {said}");
    let whole = std::fs::read_to_string(stand.cluster_file()).expect("readable");
    let with = |from: &str, to: &str| {
        let changed = whole.replace(from, to);
        assert_ne!(changed, whole, "{from} is there");
        std::fs::write(stand.cluster_file(), changed).expect("writable");
    };
    let data = stand.path("data").display().to_string();
    with(&format!("data_dir = \"{data}\""), "data_dir = \"/etc\"");
    for fault in ["disk-full", "power-failure", "read-only"] {
        refused(fault, 3, &["host `127.0.0.1`", "data directory /etc is not on its own mount but on /"]);
    }
    with(&format!("data_dir = \"{data}\""), "data_dir = \"/nowhere\"");
    refused("disk-full", 3, &["host `127.0.0.1`", "data directory /nowhere is not there"]);
    refused("snapshot", 3, &["host `127.0.0.1`", "does not look like a data directory"]);
    with("port = 2222", "port = 2");
    refused(
        "kill",
        3,
        &["failed to reach host `127.0.0.1`", "Connection refused", "ssh -l root -p 2 127.0.0.1 true"],
    );
}
