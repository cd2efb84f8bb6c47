//! A host of a cluster file: root, tools, kernel, disk, clock, and what faults left.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nemesis::host::{HostSpec, Service};
use nemesis::journal;
use nemesis::node::{Node, NodeError, Request, quote};
use targets::nodes::ClusterFile;

use super::failed;
use super::look::{Look, State};

/// How long a host may take to answer.
const WITHIN: Duration = Duration::from_secs(15);
/// Less room than this, and a broker under load may stand still.
const FREE_MIN: u64 = 1 << 30;
/// What NTP keeps clocks within; more, and times of records and logs mislead.
const OFFSET_MAX_MS: f64 = 500.0;
/// How often the clock is read: the quickest answer says most.
const READINGS: usize = 3;

/// Programs of a host that faults are made of, what they are for, and the Debian package that has each.
const TOOLS: [(&str, &str, &str); 9] = [
    ("flock", "faults at all", "util-linux"),
    ("setsid", "faults at all", "util-linux"),
    ("iptables", "`cut` and `loss`", "iptables"),
    ("tc", "`delay`, `bandwidth` and their like", "iproute2"),
    ("ip", "`delay`, `bandwidth` and their like", "iproute2"),
    ("findmnt", "faults of disks", "util-linux"),
    ("perl", "`power-failure` (python3 or xfs_io will do)", "perl"),
    ("e2fsck", "`read-only`", "e2fsprogs"),
    ("getent", "peers given by name", "libc-bin"),
];

/// What a kernel must be able to do; `unshare -n` leaves nothing behind.
const KERNEL: [(&str, &str, &str); 3] = [
    (
        "netem",
        "unshare -n tc qdisc add dev lo root netem delay 1ms",
        "`delay`, `reorder`, `duplicate` and `corrupt` are not to be had (modprobe sch_netem; cloud kernels have it in linux-modules-extra, or not at all)",
    ),
    (
        "htb and u32",
        "unshare -n sh -c 'tc qdisc add dev lo root handle 1: htb && tc filter add dev lo parent 1: protocol ip prio 1 u32 match ip dst 127.0.0.1/32 flowid 1:'",
        "`bandwidth` and `delay` are not to be had (modprobe sch_htb cls_u32)",
    ),
    (
        "io throttle",
        "find /sys/fs/cgroup -name io.max -o -name blkio.throttle.write_bps_device | grep -q .",
        "`slow-disk` is not to be had (boot with cgroup v2 and its io controller)",
    ),
];

pub(super) fn look(file: &ClusterFile, spec: &HostSpec, clean: bool) -> Vec<Look> {
    let host = spec.host.as_str();
    let node = match file.connect(spec.node) {
        Ok(node) => node,
        Err(error) => return vec![failed(host, "connection", &error)],
    };
    let node = node.as_ref();
    let mut looks = Vec::new();
    let ask = |what: &str, script: &str| {
        node.script(&Request { what, script, stdin: &[], within: WITHIN, root: true })
    };
    match ask("become root", "id -u") {
        Ok(_) => looks.push(Look::new(host, "connection and root", State::Ok, "yes")),
        Err(error) => return vec![failed(host, "connection and root", &error)],
    }
    looks.extend(abilities(host, &ask));
    looks.push(process(host, spec, &ask));
    looks.extend(disk(host, spec, &ask));
    looks.push(clock(host, node));
    looks.extend(left(node, spec, clean));
    looks
}

/// Tools and what the kernel can do, all in one question: each costs its way there and back.
fn abilities(host: &str, ask: &dyn Fn(&str, &str) -> Result<String, NodeError>) -> Vec<Look> {
    let mut script = String::new();
    for (tool, ..) in TOOLS {
        script += &format!("command -v {tool} || echo\n");
    }
    for (_, probe, _) in KERNEL {
        script += &format!("if {probe} >/dev/null 2>&1; then echo is there; else echo; fi\n");
    }
    let said = match ask("look for tools", &script) {
        Ok(said) => said,
        Err(error) => return vec![failed(host, "tools", &error)],
    };
    let mut answers = said.lines();
    let mut answer = |what: &str, without: String| match answers.next() {
        Some(found) if !found.is_empty() => Look::new(host, what, State::Ok, found),
        _ => Look::new(host, what, State::Missing, without),
    };
    let mut looks = Vec::new();
    for (tool, need, package) in TOOLS {
        looks.push(answer(tool, format!("not there: no {need} (apt-get install {package})")));
    }
    for (what, _, without) in KERNEL {
        looks.push(answer(what, without.to_owned()));
    }
    looks
}

/// Whether the broker's process is found as the file says.
fn process(host: &str, spec: &HostSpec, ask: &dyn Fn(&str, &str) -> Result<String, NodeError>) -> Look {
    let how = match &spec.service {
        Service::Unit(unit) => format!("unit {unit}"),
        Service::Command { pid_file, .. } => format!("pid file {pid_file}"),
    };
    match ask("look for the broker", &nemesis::host::pid_script(spec)) {
        Ok(pid) if !pid.trim().is_empty() => {
            Look::new(host, "broker", State::Ok, format!("process {} by {how}", pid.trim()))
        }
        Ok(_) => Look::new(host, "broker", State::Note, format!("no process is running by {how}")),
        Err(error) => failed(host, "broker", &error),
    }
}

/// Where the data is, and what that allows.
fn disk(host: &str, spec: &HostSpec, ask: &dyn Fn(&str, &str) -> Result<String, NodeError>) -> Vec<Look> {
    let data = quote(&spec.data_dir);
    let script = format!(
        "findmnt -n -b -o TARGET,FSTYPE,SOURCE --target {data} && df --output=avail -B1 {data} | tail -n 1"
    );
    let said = match ask("look at the disk", &script) {
        Ok(said) => said,
        Err(error) => return vec![failed(host, "data directory", &error)],
    };
    let mut words = said.split_whitespace();
    let (mount, kind) = (words.next().unwrap_or("?").to_owned(), words.next().unwrap_or("?").to_owned());
    let free: u64 = words.last().and_then(|free| free.parse().ok()).unwrap_or(0);
    let state = if free < FREE_MIN { State::Note } else { State::Ok };
    let mut looks = vec![
        Look::new(host, "data directory", State::Ok, format!("{} on {mount} ({kind})", spec.data_dir)),
        Look::new(host, "free disk", state, format!("{} MiB", free >> 20)),
    ];
    looks.push(match ask("look at the mount", &nemesis::host::mount_script(spec)) {
        Err(NodeError::Failed { stderr, .. }) => Look::new(
            host,
            "own mount",
            State::Missing,
            format!("{stderr}: no `power-failure`, `disk-full` or `read-only`"),
        ),
        Err(error) => failed(host, "own mount", &error),
        Ok(_) if kind == "ext4" || kind == "xfs" => {
            Look::new(host, "own mount", State::Ok, format!("{kind} can be shut down"))
        }
        Ok(_) => Look::new(
            host,
            "own mount",
            State::Missing,
            format!("{kind} cannot be shut down: no `power-failure`"),
        ),
    });
    looks
}

/// How far the host's clock is from ours, give or take half the way there and back.
fn clock(host: &str, node: &dyn Node) -> Look {
    let mut best: Option<(f64, f64)> = None;
    for _ in 0..READINGS {
        let request = Request {
            what: "read the clock",
            script: "date +%s.%N",
            stdin: &[],
            within: WITHIN,
            root: false,
        };
        let (wall, begun) = (SystemTime::now(), Instant::now());
        let said = match node.script(&request) {
            Ok(said) => said,
            Err(error) => return failed(host, "clock", &error),
        };
        let half_ms = begun.elapsed().as_secs_f64() * 500.0;
        let ours_ms =
            wall.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64() * 1000.0) + half_ms;
        let Ok(theirs) = said.trim().parse::<f64>() else {
            return Look::new(host, "clock", State::Note, format!("`date` says `{}`", said.trim()));
        };
        if best.is_none_or(|(_, error_ms)| half_ms < error_ms) {
            best = Some((theirs * 1000.0 - ours_ms, half_ms));
        }
    }
    let (offset_ms, error_ms) = best.unwrap_or_default();
    let text = format!("{offset_ms:+.0} ms ± {error_ms:.0} ms from this machine's");
    if offset_ms.abs() > OFFSET_MAX_MS + error_ms {
        return Look::new(host, "clock", State::Note, format!("{text} (have NTP set it)"));
    }
    Look::new(host, "clock", State::Ok, text)
}

/// Faults on record there, and what carries our tag without a record.
fn left(node: &dyn Node, spec: &HostSpec, clean: bool) -> Vec<Look> {
    let host = spec.host.as_str();
    let mut looks = Vec::new();
    match journal::leftovers(node, spec, clean) {
        Ok(left) if left.is_empty() => looks.push(Look::new(host, "leftovers", State::Ok, "none")),
        Ok(left) if clean => {
            looks.push(Look::new(host, "leftovers", State::Ok, format!("removed {}", left.join(", "))));
        }
        Ok(left) => {
            let text = format!("{} (--clean removes what nobody owns)", left.join(", "));
            looks.push(Look::new(host, "leftovers", State::Failed, text));
        }
        Err(error) => looks.push(failed(host, "leftovers", &error)),
    }
    match journal::open_on(node, &spec.state_dir) {
        Ok(open) if open.is_empty() => looks.push(Look::new(host, "open faults", State::Ok, "none")),
        Ok(open) => {
            let text = format!("{} are on record (highwater nemesis undo --all --cluster FILE)", open.len());
            looks.push(Look::new(host, "open faults", State::Failed, text));
        }
        Err(error) => looks.push(failed(host, "open faults", &error)),
    }
    looks
}
