//! Packets that arrive late, slowly, twice, damaged or in another order, by `tc`. What leaves for the peers
//! goes into a class of our own, everything else (ssh, clients, other brokers) passes it by. Only what carries
//! our handle is ever made or removed: where somebody else has set up a root qdisc, nothing is done.
//!
//! Needs `sch_htb` and `cls_u32`, and all but bandwidth `sch_netem`: there is no other way to hold packets back.

use std::fmt::Write as _;

use super::Procedure;
use super::fault::Peer;
use super::spec::HostSpec;
use crate::node::quote;

/// The handle of our qdiscs: `HW`.
pub(super) const HANDLE: &str = "4857:";
/// A broker that cannot say a word is cut off, and `cut` does that better.
const KBIT_MIN: u32 = 8;
/// As fast as anything.
const UNHINDERED: &str = "32gbit";
/// Packets that may wait at once; by default netem drops from the thousandth on.
const LIMIT: u32 = 100_000;
/// So much may leave at once.
const BURST: &str = "64kb";

/// `hw_ip` gives a peer's address, `hw_devs` the interfaces towards all peers.
fn functions(peers: &[Peer]) -> String {
    let addresses = peers.iter().map(|peer| quote(&peer.address)).collect::<Vec<_>>().join(" ");
    format!(
        "hw_ip() {{\n  case $1 in *:*) echo \"$1\";; *[!0-9.]*) getent ahosts \"$1\" | awk '{{ print $1; exit }}';; *) echo \"$1\";; esac\n}}\n\
         hw_dev() {{\n  ip -o route get \"$1\" 2>/dev/null | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p'\n}}\n\
         hw_devs() {{\n  for a in {addresses}; do hw_dev \"$(hw_ip \"$a\")\"; done | sort -u\n}}\n"
    )
}

/// How packets are held back: the rate of their class, and what becomes of those that wait.
struct Shape {
    rate: String,
    discipline: String,
    /// What it is done with, in the report.
    by: &'static str,
}

impl Shape {
    /// By netem, which does to each packet what it is told.
    fn netem(what: &str) -> Self {
        Self {
            rate: UNHINDERED.to_owned(),
            discipline: format!("netem limit {LIMIT} {what}"),
            by: "tc netem",
        }
    }

    /// So many kilobits a second, with what 400 ms of that hold in waiting.
    fn narrow(kbit: u32, by: &'static str) -> Self {
        let kbit = kbit.max(KBIT_MIN);
        let waiting = kbit.saturating_mul(50).max(6000);
        Self { rate: format!("{kbit}kbit"), discipline: format!("bfifo limit {waiting}"), by }
    }

    /// Adds it to the class of `$dev`; fails where the kernel has none.
    fn add(&self) -> String {
        let (rate, discipline) = (&self.rate, &self.discipline);
        format!(
            "tc class add dev $dev parent {HANDLE} classid {HANDLE}2 htb rate {rate} burst {BURST} quantum 60000 && \
             tc qdisc add dev $dev parent {HANDLE}2 handle 4858: {discipline}"
        )
    }
}

/// Which packets go into our class: those of these ports of the peer, or all, and never those of ssh.
fn filters(host: &HostSpec, peers: &[Peer]) -> String {
    let mut text = String::new();
    // The way of ssh first, and unhindered, whoever the far end is. A priority belongs to one protocol.
    let ssh = host.ssh_port;
    for peer in peers {
        let address = quote(&peer.address);
        let _ = write!(
            text,
            "ip=$(hw_ip {address}); dev=$(hw_dev $ip)\n\
             case $ip in *:*) v=ip6; t=ipv6; m=128; o=2;; *) v=ip; t=ip; m=32; o=1;; esac\n\
             for way in sport dport; do\n  \
             tc filter add dev $dev parent {HANDLE} protocol $t prio $o u32 match $v dst $ip/$m match $v protocol 6 0xff match $v $way {ssh} 0xffff flowid {HANDLE}\ndone\n\
             in=\"tc filter add dev $dev parent {HANDLE} protocol $t prio 1$o u32 match $v dst $ip/$m\"\n"
        );
        if peer.here.is_empty() && peer.there.is_empty() {
            let _ = writeln!(text, "$in flowid {HANDLE}2 || hw_lacks u32");
        }
        let ways = [("sport", &peer.here), ("dport", &peer.there)];
        for (way, port) in ways.into_iter().flat_map(|(way, ports)| ports.iter().map(move |port| (way, port)))
        {
            let _ = writeln!(
                text,
                "$in match $v protocol 6 0xff match $v {way} {port} 0xffff flowid {HANDLE}2 || hw_lacks u32"
            );
        }
    }
    text
}

/// As `shape` says; where the kernel cannot, as `instead` does, if anything.
fn shaped(host: &HostSpec, peers: &[Peer], shape: &Shape, instead: Option<&Shape>) -> Procedure {
    let functions = functions(peers);
    let kind = shape.discipline.split(' ').next().unwrap_or_default();
    let other = instead.map_or_else(
        || format!("hw_lacks {kind}"),
        |other| {
            format!(
                "{{ tc class del dev $dev classid {HANDLE}2 2>/dev/null || true; by='{}'; {} || hw_lacks htb; }}",
                other.by,
                other.add()
            )
        },
    );
    let apply = format!(
        "set -e\n{functions}devs=$(hw_devs)\n[ -n \"$devs\" ] || {{ echo 'no route to the peers' >&2; exit 78; }}\n\
         for dev in $devs; do\n  root=$(tc qdisc show dev $dev root | head -n 1)\n  \
         case $root in ''|*' 0: '*) ;; *) echo \"interface $dev has a qdisc of somebody else: $root (remove it, or leave this fault out)\" >&2; exit 78;; esac\ndone\n\
         hw_lacks() {{\n  echo \"this kernel lacks what \\`tc … $1\\` needs (modprobe sch_$1; cloud kernels have it in linux-modules-extra, or not at all)\" >&2\n  exit 1\n}}\n\
         by='{by}'\nfor dev in $devs; do\n  tc qdisc add dev $dev root handle {HANDLE} htb default 0 || hw_lacks htb\n  \
         {{ {add}; }} || {other}\ndone\n{filters}echo \"by $by\"\n",
        by = shape.by,
        add = shape.add(),
        filters = filters(host, peers),
    );
    Procedure {
        apply,
        undo: format!(
            "{functions}for dev in $(hw_devs); do\n  if tc qdisc show dev $dev root | grep -q ' {HANDLE} '; then\n    \
             tc -s class show dev $dev | awk '/class htb {HANDLE}2 / {{ f=1 }} f && /Sent/ {{ print \"touched\", $4, $2; exit }}'\n    \
             tc qdisc del dev $dev root handle {HANDLE}\n  fi\ndone\n"
        ),
        in_force: format!(
            "{functions}devs=$(hw_devs)\n[ -n \"$devs\" ] || exit 1\nfor dev in $devs; do tc qdisc show dev $dev | grep -q ' 4858: ' || exit 1; done\n"
        ),
        gone: format!(
            "{functions}for dev in $(hw_devs); do\n  all=$(tc qdisc show dev $dev) || exit 1\n  case $all in *' {HANDLE} '*) exit 1;; esac\ndone\n"
        ),
    }
}

/// Each waits, for a time that varies by `jitter_ms` either way; or, where there is no netem and this is wanted, for
/// its turn on a link of so many kilobits a second.
pub(super) fn delay(
    host: &HostSpec,
    peers: &[Peer],
    ms: u32,
    jitter_ms: u32,
    or_kbit: Option<u32>,
) -> Procedure {
    let jitter = if jitter_ms == 0 { String::new() } else { format!(" {jitter_ms}ms") };
    let instead = or_kbit.map(|kbit| Shape::narrow(kbit, "tc htb for want of netem"));
    shaped(host, peers, &Shape::netem(&format!("delay {ms}ms{jitter}")), instead.as_ref())
}

/// A part leaves at once, the rest waits: so the part overtakes it.
pub(super) fn reorder(host: &HostSpec, peers: &[Peer], percent: u8, ms: u32) -> Procedure {
    let (percent, ms) = (percent.min(100), ms.max(1));
    shaped(host, peers, &Shape::netem(&format!("delay {ms}ms reorder {percent}%")), None)
}

/// A part leaves twice.
pub(super) fn duplicate(host: &HostSpec, peers: &[Peer], percent: u8) -> Procedure {
    shaped(host, peers, &Shape::netem(&format!("duplicate {}%", percent.min(100))), None)
}

/// A part has one bit turned; TCP's checksum finds most of them, and asks again.
pub(super) fn corrupt(host: &HostSpec, peers: &[Peer], percent: u8) -> Procedure {
    shaped(host, peers, &Shape::netem(&format!("corrupt {}%", percent.min(100))), None)
}

/// At so many kilobits a second.
pub(super) fn bandwidth(host: &HostSpec, peers: &[Peer], kbit: u32) -> Procedure {
    shaped(host, peers, &Shape::narrow(kbit, "tc htb"), None)
}
