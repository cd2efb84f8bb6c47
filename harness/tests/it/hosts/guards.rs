//! Guards that ask before anything is broken: whether it is the right cluster, whether somebody else is at work
//! on it, and whether the way in would be cut.

use std::fs;
use std::process::{Command, Stdio};

use super::stand::Stand;
use super::{HEALED, apply, is_whole};
use crate::cluster::Up;
use crate::stage::{Stage, poll};

#[test]
fn brokers_that_say_they_are_another_cluster_are_left_alone() {
    let stage = Stage::new();
    let up = Up::start(&stage, "--nodes 1");
    let file = stage.results.path().join("c.toml");
    let broken = stage.results.path().join("broken");
    let apply = |bootstrap: &str, id: &str, typed: &str| {
        let text = format!(
            "bootstrap = \"{bootstrap}\"\n{id}[[node]]\nid = 1\nhost = \"here\"\nlocal = true\nbreakable = true\ndata_dir = \"/\"\n\
             pid_file = \"/nowhere\"\nstart = \"touch {}\"\n",
            broken.display()
        );
        fs::write(&file, text).expect("writable");
        let line = format!(
            "nemesis apply kill --node 1 --allow-destructive --confirm-cluster-id {typed} --cluster {}",
            file.display()
        );
        let mut command = stage.command(&line);
        let output =
            command.env("HIGHWATER_STATE", stage.results.path().join("state")).output().expect("it starts");
        assert!(!broken.exists(), "nothing was run");
        (output.status.code().expect("it exits"), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = apply(&up.bootstrap, "cluster_id = \"x\"\n", "y");
    assert!(code == 2 && said.contains("add --confirm-cluster-id x"), "exit {code}: {said}");
    for in_file in ["cluster_id = \"x\"\n", ""] {
        let (code, said) = apply(&up.bootstrap, in_file, "x");
        assert!(
            code == 3 && said.contains("not `x`") && said.contains("another cluster"),
            "exit {code}: {said}"
        );
    }
    drop(up);
    let (code, said) = apply("127.0.0.1:1", "cluster_id = \"x\"\n", "x");
    assert!(code == 3 && said.contains("nobody says whether this is cluster `x`"), "exit {code}: {said}");
}

#[test]
fn brokers_of_a_namespace_are_asked_from_within_it() {
    let Some(stand) = Stand::new("inside") else { return };
    let stage = Stage::new();
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/run/netns/{}", stand.namespace)).arg(env!("CARGO_BIN_EXE_highwater"));
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command.args(["cluster", "up", "--nodes", "1", "--data"]).arg(stage.results.path().join("cluster"));
    let up = Up::spawn(command);
    let text = fs::read_to_string(stand.cluster_file()).expect("readable");
    let with = |id: &str| {
        let first = format!("bootstrap = \"{}\"\n{id}", up.bootstrap);
        let text = text.replace("bootstrap = \"127.0.0.1:9092\"\n", &first);
        fs::write(stand.cluster_file(), text).expect("writable");
    };
    with("");
    let (_, said) = stand.run(&format!("doctor --cluster {}", stand.cluster_file().display()));
    let id = said.lines().find_map(|line| line.split_once("cluster id: ")).expect("it was looked at").1;
    let id = id.split(' ').next().expect("a word").to_owned();
    with("cluster_id = \"another\"\n");
    let (code, said) = stand.run(&(apply(&stand, "pause", "5m") + " --confirm-cluster-id another"));
    assert!(code == 3 && said.contains(&id), "exit {code}: {said}");
    assert!(is_whole(&stand) && stand.on_record() == 0);
    with(&format!("cluster_id = \"{id}\"\n"));
    let (code, said) = stand.run(&(apply(&stand, "pause", "5m") + " --confirm-cluster-id " + &id));
    assert_eq!(code, 0, "{said}");
    assert_eq!(stand.run("nemesis undo --all").0, 0);
}

#[test]
fn a_second_command_on_a_cluster_is_told_who_is_at_work() {
    let Some(stand) = Stand::new("turn") else { return };
    let goes_on = stand.path("goes-on");
    stand.tool(
        "iptables",
        &format!("while [ ! -e {} ]; do sleep 0.05; done; exec /usr/sbin/iptables \"$@\"", goes_on.display()),
    );
    let first = stand.command(&apply(&stand, "cut", "5m")).spawn().expect("the binary starts");
    assert!(poll(HEALED, || stand.on_record() == 1), "at work");
    let (code, said) = stand.run(&apply(&stand, "kill", "5m"));
    let by = format!("process {} (highwater nemesis apply cut --node 1) is at work", first.id());
    assert!(code == 3 && said.contains(&by), "exit {code}: {said}");
    assert!(stand.broker().is_some(), "nothing was broken");
    fs::write(&goes_on, "").expect("writable");
    let output = first.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(stand.run(&apply(&stand, "pause", "5m")).0, 0, "its turn is over, its fault goes on");
    let (code, said) = stand.run("nemesis undo --all");
    assert!(code == 0 && said.contains("2 undone"), "{said}");
    assert!(is_whole(&stand));
}

#[test]
fn the_way_in_is_never_cut() {
    let Some(stand) = Stand::new("way-in") else { return };
    let refused = |line: &str, part: &str| {
        stand.write_cluster_file(&format!("breakable = true\n{line}"));
        for fault in ["cut", "loss", "bandwidth"] {
            let (code, said) = stand.run(&apply(&stand, fault, "5s"));
            assert!(code == 2 && said.contains(part), "{fault}: exit {code}: {said}");
            assert!(is_whole(&stand) && stand.on_record() == 0);
        }
    };
    refused("broker_port = 2222", "port 2222 of host `127.0.0.1` is the broker's and ssh's");
    // The file is silent about the port of ssh, and its configuration leads us there.
    let root = stand.dir.path().display();
    let config = format!(
        "Host *\n Port 2222\n User root\n IdentityFile {root}/user\n UserKnownHostsFile {root}/known\n"
    );
    fs::write(stand.path("config"), config).expect("writable");
    stand.write_cluster_file("breakable = true\ncontroller_port = 2222");
    let text = fs::read_to_string(stand.cluster_file()).expect("readable");
    fs::write(
        stand.cluster_file(),
        text.replace("port = 2222\nkey", &format!("config = \"{root}/config\"\nkey"))
            .replace("backend = \"ssh2\"\n", ""),
    )
    .expect("writable");
    let (code, said) = stand.run(&apply(&stand, "cut", "5s"));
    assert!(code == 2 && said.contains("ssh came in at port 2222"), "exit {code}: {said}");
    assert!(is_whole(&stand) && stand.on_record() == 0);
}
