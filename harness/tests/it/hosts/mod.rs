//! Faults on a host over SSH: each is put in force, healed in time though its controller was killed, and
//! leaves nothing; and what must be refused is.

mod backends;
mod clocks;
mod doctor;
mod guards;
mod lab;
mod refusals;
mod secured;
mod stand;
mod ways;

use std::time::Duration;

use nemesis::host::HostFault;

use self::stand::{BACKENDS, Stand};
use crate::stage::poll;

/// A fault's own time, the dead-man's look every second, and a slow machine.
const HEALED: Duration = Duration::from_secs(40);

fn apply(stand: &Stand, fault: &str, lasts: &str) -> String {
    let file = stand.cluster_file().display().to_string();
    format!("nemesis apply {fault} --cluster {file} --node 1 --for {lasts} --allow-destructive")
}

/// How the outside sees that a fault is in force.
fn in_force(stand: &Stand, fault: &str) -> bool {
    let inside = |script: &str| stand.inside(script).is_ok();
    let data = stand.path("data").display().to_string();
    match fault {
        "kill" | "stop" => stand.broker().is_none(),
        "pause" => stand.broker().is_some_and(|(_, stopped)| stopped),
        "cut" => inside("iptables -S | grep -q DROP"),
        "loss" => inside("iptables -S | grep -q statistic"),
        "bandwidth" => inside("tc class show dev lo | grep -q 'htb 4857:2 .*rate 1Mbit'"),
        "delay" | "reorder" | "duplicate" | "corrupt" => inside("tc qdisc show dev lo | grep -q netem"),
        "slow-disk" => stand.throttled(),
        "truncate-log" => {
            stand.broker().is_some() && inside(&format!("! seq 1 4000 | cmp -s - {}", stand.segment()))
        }
        "flip-bit" => {
            stand.broker().is_some()
                && inside(&format!("[ $(seq 1 4000 | cmp -l - {} | wc -l) = 1 ]", stand.segment()))
        }
        "snapshot" => {
            stand.broker().is_some()
                && inside(&format!(
                    "ls {}/*/snapshot-of-1/more/meta.properties",
                    stand.path("state").display()
                ))
        }
        "power-failure" => stand.broker().is_none(),
        "disk-full" => inside(&format!(
            "dd if=/dev/zero of={data}/try bs=64k count=4 2>/dev/null; e=$?; rm -f {data}/try; [ $e != 0 ]"
        )),
        "read-only" => inside(&format!("! touch {data}/try 2>/dev/null")),
        other => panic!("`{other}` leaves nothing to be seen"),
    }
}

/// How the outside sees that nothing is left.
fn is_whole(stand: &Stand) -> bool {
    let data = stand.path("data").display().to_string();
    stand.broker().is_some_and(|(_, stopped)| !stopped)
        && stand.inside("! iptables -S | grep -q HIGHWATER && ! tc qdisc show dev lo | grep -q 4857").is_ok()
        && stand.inside(&format!("findmnt -n {data} >/dev/null && head -c 200000 /dev/zero >{data}/try && sync {data}/try && rm {data}/try")).is_ok()
        && stand.inside(&format!("! ls -A {data} | grep -q highwater")).is_ok()
        && !stand.throttled()
}

const LASTING: [&str; 13] = [
    "kill",
    "stop",
    "pause",
    "cut",
    "loss",
    "bandwidth",
    "power-failure",
    "slow-disk",
    "disk-full",
    "read-only",
    "truncate-log",
    "flip-bit",
    "snapshot",
];
const OF_NETEM: [&str; 4] = ["delay", "reorder", "duplicate", "corrupt"];

/// What this machine's kernel can do; the rest is told as not tested.
fn lasting() -> Vec<&'static str> {
    let mut faults = LASTING.to_vec();
    if stand::sh("unshare -n tc qdisc add dev lo root netem delay 1ms").is_ok() {
        faults.extend(OF_NETEM);
    } else {
        stand::skip("delay, reorder, duplicate, corrupt: the kernel has no netem");
    }
    let throttles = "find /sys/fs/cgroup -name io.max -o -name blkio.throttle.write_bps_device | grep -q .";
    if stand::sh(throttles).is_err() {
        stand::skip("slow-disk: no control group throttles");
        faults.retain(|fault| *fault != "slow-disk");
    }
    faults
}

/// A log that was cut is what it was again once its leader has sent it; here nobody does.
fn replicate(stand: &Stand, fault: &str) {
    if fault == "truncate-log" {
        stand.write_log();
    }
    assert!(stand.inside(&format!("seq 1 4000 | cmp -s - {}", stand.segment())).is_ok(), "{fault}: mended");
}

/// Each fault takes its time, so that several hosts go through a part of them each.
fn part(number: usize) -> impl Iterator<Item = &'static str> {
    lasting().into_iter().skip(number).step_by(PARTS)
}

const PARTS: usize = 3;

#[test]
fn every_fault_heals_by_itself_when_its_controller_is_killed_1() {
    heals_by_itself(0);
}

#[test]
fn every_fault_heals_by_itself_when_its_controller_is_killed_2() {
    heals_by_itself(1);
}

#[test]
fn every_fault_heals_by_itself_when_its_controller_is_killed_3() {
    heals_by_itself(2);
}

fn heals_by_itself(number: usize) {
    // Both ways to reach a host are killed under their faults.
    let backend = BACKENDS[number % BACKENDS.len()];
    let Some(stand) = Stand::over(backend, &format!("dead{number}")) else { return };
    for fault in part(number) {
        let mut controller = stand.command(&apply(&stand, fault, "4s")).spawn().expect("the binary starts");
        assert!(poll(HEALED, || stand.on_record() == 1), "{fault}: on the host's record");
        controller.kill().expect("it can be killed");
        controller.wait().expect("it ends");
        assert!(poll(HEALED, || in_force(&stand, fault)), "{fault}: in force, though nobody controls it");
        assert!(poll(HEALED, || stand.on_record() == 0), "{fault}: healed by its host");
        assert!(poll(HEALED, || is_whole(&stand)), "{fault}: nothing is left");
        replicate(&stand, fault);
        let (code, said) = stand.run("nemesis undo --all");
        assert_eq!(code, 0, "{fault}: {said}");
        assert!(said.contains("0 undone, nothing is open"), "{fault}: {said}");
    }
}

#[test]
fn every_fault_is_undone_by_hand_once_and_for_all() {
    let Some(stand) = Stand::new("hand") else { return };
    for fault in lasting() {
        let (code, said) = stand.run(&apply(&stand, fault, "5m"));
        assert_eq!(code, 0, "{fault}: {said}");
        assert!(in_force(&stand, fault), "{fault}: {said}");
        let (_, status) = stand.run("nemesis status");
        assert!(status.contains(fault), "{fault}: {status}");
        let (code, said) = stand.run("nemesis undo --all");
        assert!(code == 0 && said.contains("1 undone"), "{fault}: {said}");
        assert!(poll(HEALED, || is_whole(&stand)), "{fault}: nothing is left");
        replicate(&stand, fault);
        let (code, said) = stand.run("nemesis undo --all");
        assert!(code == 0 && said.contains("0 undone"), "{fault}: {said}");
    }
    for fault in ["drop-cache", "restart"] {
        let before = stand.broker().expect("it runs").0;
        let (code, said) = stand.run(&apply(&stand, fault, "5m"));
        assert_eq!(code, 0, "{fault}: {said}");
        assert_eq!(stand.broker().expect("it runs").0 == before, fault == "drop-cache");
        assert_eq!(stand.run("nemesis undo --all").0, 0);
    }
}

#[test]
fn a_power_failure_takes_what_was_not_synced_and_leaves_what_was() {
    let Some(stand) = Stand::new("power") else { return };
    let data = stand.path("data").display().to_string();
    stand.inside(&format!("cp /etc/passwd {data}/kept && sync {data}/kept {data}")).expect("writable");
    let line = apply(&stand, "power-failure", "5m");
    stand.inside(&format!("cp /etc/passwd {data}/lost")).expect("writable");
    let (code, said) = stand.run(&line);
    assert_eq!(code, 0, "{said}");
    assert!(stand.inside(&format!("cmp /etc/passwd {data}/kept")).is_ok(), "what was synced is there");
    assert!(stand.inside(&format!("! cmp /etc/passwd {data}/lost")).is_ok(), "what was not is gone");
    assert_eq!(stand.run("nemesis undo --all").0, 0);
    assert!(is_whole(&stand));
}

#[test]
fn a_broker_comes_back_with_its_snapshot_though_its_controller_is_killed() {
    let Some(stand) = Stand::new("stale") else { return };
    let (code, said) = stand.run(&apply(&stand, "restore-snapshot", "5m"));
    assert!(code == 3 && said.contains("no snapshot of this node"), "exit {code}: {said}");
    assert_eq!(stand.run(&apply(&stand, "snapshot", "5m")).0, 0);
    let segment = stand.segment();
    stand.inside(&format!("echo later >>{segment}; sync {segment}")).expect("writable");
    let mut controller = stand.command(&apply(&stand, "restore-snapshot", "4s")).spawn().expect("it starts");
    assert!(poll(HEALED, || stand.on_record() == 2), "on the host's record");
    controller.kill().expect("it can be killed");
    controller.wait().expect("it ends");
    assert!(poll(HEALED, || stand.on_record() == 1), "healed by its host");
    assert!(poll(HEALED, || is_whole(&stand)), "the broker runs");
    replicate(&stand, "restore-snapshot");
    let (code, said) = stand.run("nemesis undo --all");
    assert!(code == 0 && said.contains("1 undone"), "{said}");
    assert!(
        stand.inside(&format!("! ls -d {}/*/", stand.path("state").display())).is_ok(),
        "no copy is left"
    );
}

#[test]
fn a_cut_of_one_direction_lets_the_other_pass() {
    let Some(stand) = Stand::new("way") else { return };
    for (direction, dropped, passed) in [("in", "-s", "-d"), ("out", "-d", "-s")] {
        let line = apply(&stand, "cut", "5m") + " --direction " + direction;
        let (code, said) = stand.run(&line);
        assert_eq!(code, 0, "{said}");
        let rules = stand.inside("iptables -S").expect("root");
        assert!(rules.contains(&format!("{dropped} 127.0.0.2/32")), "{direction}: {rules}");
        assert!(!rules.contains(&format!("{passed} 127.0.0.2/32")), "{direction}: {rules}");
        assert_eq!(stand.run("nemesis undo --all").0, 0);
    }
    assert!(is_whole(&stand));
}

#[test]
fn what_holds_packets_back_holds_back_the_peers_and_nobody_else() {
    let Some(stand) = Stand::new("shape") else { return };
    let (code, said) = stand.run(&(apply(&stand, "bandwidth", "5m") + " --kbit 64"));
    assert_eq!(code, 0, "{said}");
    let sent = |way: &str| {
        let through = "tc -s class show dev lo | awk '/htb 4857:2 / { f=1 } f && /Sent/ { print $4; exit }'";
        let before = stand.inside(through).expect("our class");
        let _ = stand.inside(&format!("bash -c \"echo x >/dev/{way}\""));
        (before, stand.inside(through).expect("our class"))
    };
    let (before, after) = sent("udp/127.0.0.3/9");
    assert_eq!(before, after, "others pass by");
    let (before, after) = sent("tcp/127.0.0.2/2222");
    assert_eq!(before, after, "so does ssh");
    let (before, after) = sent("tcp/127.0.0.2/9");
    assert_ne!(before, after, "peers pass through");
    let (code, said) = stand.run("nemesis undo --all");
    assert_eq!(code, 0, "{said}");
    assert!(is_whole(&stand));
}

#[test]
fn damage_has_the_place_and_the_size_that_was_asked_for() {
    let Some(stand) = Stand::new("damage") else { return };
    let segment = stand.segment();
    let (code, said) = stand.run(&(apply(&stand, "truncate-log", "5m") + " --log orders/0 --bytes 100"));
    assert!(code == 0 && said.contains("100 bytes of"), "{said}");
    let cut = format!("seq 1 4000 | head -c -100 | cmp -s - {segment}");
    assert!(stand.inside(&cut).is_ok(), "the end is gone, the rest is there");
    assert_eq!(stand.run("nemesis undo --all").0, 0);
    stand.write_log();
    let (code, said) = stand.run(&(apply(&stand, "truncate-log", "5m") + " --log payments/0 --bytes 9"));
    assert!(code == 0 && said.contains("9 bytes of") && said.contains("/more/payments-0/"), "{said}");
    assert_eq!(stand.run("nemesis undo --all").0, 0);
    let place = |seed: u64| {
        let line = apply(&stand, "flip-bit", "5m") + &format!(" --log orders/0 --seed {seed}");
        let (code, said) = stand.run(&line);
        assert_eq!(code, 0, "{said}");
        let place = stand.inside(&format!("seq 1 4000 | cmp -l - {segment} || true")).expect("readable");
        assert_eq!(stand.run("nemesis undo --all").0, 0);
        place
    };
    let one = place(71_993);
    assert_eq!(one.lines().count(), 1, "{one}");
    assert_eq!(one, place(71_993), "the seed decides");
    assert_ne!(one, place(71_995));
    replicate(&stand, "flip-bit");
    let (code, said) = stand.run(&(apply(&stand, "flip-bit", "5m") + " --log payments/3"));
    assert!(code == 3 && said.contains("there is no log") && said.contains("payments-3"), "{code}: {said}");
    let (code, said) = stand.run(&(apply(&stand, "truncate-log", "5m") + " --log ../../etc/3"));
    assert!(code == 2 && said.contains("is no topic"), "{code}: {said}");
    assert!(is_whole(&stand) && stand.on_record() == 0);
}

#[test]
fn a_plan_shows_every_command_with_its_undo_and_reaches_nobody() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("c.toml");
    let node =
        |id| format!("[[node]]\nid = {id}\nhost = \"192.0.2.{id}\"\ndata_dir = \"/d\"\nunit = \"kafka\"\n");
    std::fs::write(&file, format!("bootstrap = \"a:1\"\n{}{}", node(1), node(2))).expect("writable");
    for kind in &HostFault::KINDS {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_highwater"));
        command.args(["nemesis", "plan", kind.name, "--node", "1", "--cluster"]).arg(&file);
        let output = command.output().expect("the binary starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{}: {}", kind.name, String::from_utf8_lossy(&output.stderr));
        assert!(
            text.contains("# apply\n") && text.contains("# undo\n") && text.contains("# gone if\n"),
            "{text}"
        );
        assert!(!text.contains("--flush") && !text.contains("tc qdisc replace"), "{text}");
    }
}
