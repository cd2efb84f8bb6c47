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

/// `hw_ip` gives a peer's address, `hw_devs` the interfaces towards all peers.
fn functions(peers: &[Peer]) -> String {
    let addresses = peers.iter().map(|peer| quote(&peer.address)).collect::<Vec<_>>().join(" ");
    format!(
        "hw_ip() {{\n  case $1 in *:*) echo \"$1\";; *[!0-9.]*) getent ahosts \"$1\" | awk '{{ print $1; exit }}';; *) echo \"$1\";; esac\n}}\n\
         hw_dev() {{\n  ip -o route get \"$1\" 2>/dev/null | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p'\n}}\n\
         hw_devs() {{\n  for a in {addresses}; do hw_dev \"$(hw_ip \"$a\")\"; done | sort -u\n}}\n"
    )
}

fn shaped(host: &HostSpec, peers: &[Peer], rate: &str, discipline: &str) -> Procedure {
    let functions = functions(peers);
    let kind = discipline.split(' ').next().unwrap_or_default();
    let mut apply = format!(
        "set -e\n{functions}devs=$(hw_devs)\n[ -n \"$devs\" ] || {{ echo 'no route to the peers' >&2; exit 78; }}\n\
         for dev in $devs; do\n  root=$(tc qdisc show dev $dev root | head -n 1)\n  \
         case $root in ''|*' 0: '*) ;; *) echo \"interface $dev has a qdisc of somebody else: $root (remove it, or leave this fault out)\" >&2; exit 78;; esac\ndone\n\
         hw_lacks() {{\n  echo \"this kernel lacks what \\`tc … $1\\` needs (modprobe sch_$1; cloud kernels have it in linux-modules-extra, or not at all)\" >&2\n  exit 1\n}}\n\
         for dev in $devs; do\n  tc qdisc add dev $dev root handle {HANDLE} htb default 0 || hw_lacks htb\n  \
         tc class add dev $dev parent {HANDLE} classid {HANDLE}2 htb rate {rate} burst 64kb quantum 60000\n  \
         tc qdisc add dev $dev parent {HANDLE}2 handle 4858: {discipline} || hw_lacks {kind}\ndone\n"
    );
    // The way of ssh first, and unhindered, whoever the far end is. A priority belongs to one protocol.
    let ssh = host.ssh_port;
    for peer in peers {
        let address = quote(&peer.address);
        let _ = write!(
            apply,
            "ip=$(hw_ip {address}); dev=$(hw_dev $ip)\n\
             case $ip in *:*) v=ip6; t=ipv6; m=128; o=2;; *) v=ip; t=ip; m=32; o=1;; esac\n\
             for way in sport dport; do\n  \
             tc filter add dev $dev parent {HANDLE} protocol $t prio $o u32 match $v dst $ip/$m match $v protocol 6 0xff match $v $way {ssh} 0xffff flowid {HANDLE}\ndone\n\
             tc filter add dev $dev parent {HANDLE} protocol $t prio 1$o u32 match $v dst $ip/$m flowid {HANDLE}2 || hw_lacks u32\n"
        );
    }
    Procedure {
        apply,
        undo: format!(
            "{functions}for dev in $(hw_devs); do\n  if tc qdisc show dev $dev root | grep -q ' {HANDLE} '; then\n    \
             tc -s class show dev $dev | awk '/class htb {HANDLE}2 / {{ f=1 }} f && /Sent/ {{ print \"touched\", $4, $2; exit }}'\n    \
             tc qdisc del dev $dev root handle {HANDLE}\n  fi\ndone\n"
        ),
        in_force: format!(
            "{functions}devs=$(hw_devs)\n[ -n \"$devs\" ] || exit 1\nfor dev in $devs; do tc qdisc show dev $dev | grep -q '{kind} 4858: ' || exit 1; done\n"
        ),
        gone: format!(
            "{functions}for dev in $(hw_devs); do\n  all=$(tc qdisc show dev $dev) || exit 1\n  case $all in *' {HANDLE} '*) exit 1;; esac\ndone\n"
        ),
    }
}

/// Each waits, for a time that varies by `jitter_ms` either way.
pub(super) fn delay(host: &HostSpec, peers: &[Peer], ms: u32, jitter_ms: u32) -> Procedure {
    let jitter = if jitter_ms == 0 { String::new() } else { format!(" {jitter_ms}ms") };
    shaped(host, peers, UNHINDERED, &format!("netem limit {LIMIT} delay {ms}ms{jitter}"))
}

/// A part leaves at once, the rest waits: so the part overtakes it.
pub(super) fn reorder(host: &HostSpec, peers: &[Peer], percent: u8, ms: u32) -> Procedure {
    let (percent, ms) = (percent.min(100), ms.max(1));
    shaped(host, peers, UNHINDERED, &format!("netem limit {LIMIT} delay {ms}ms reorder {percent}%"))
}

/// A part leaves twice.
pub(super) fn duplicate(host: &HostSpec, peers: &[Peer], percent: u8) -> Procedure {
    shaped(host, peers, UNHINDERED, &format!("netem limit {LIMIT} duplicate {}%", percent.min(100)))
}

/// A part has one bit turned; TCP's checksum finds most of them, and asks again.
pub(super) fn corrupt(host: &HostSpec, peers: &[Peer], percent: u8) -> Procedure {
    shaped(host, peers, UNHINDERED, &format!("netem limit {LIMIT} corrupt {}%", percent.min(100)))
}

/// At so many kilobits a second, with what 400 ms of that hold in waiting.
pub(super) fn bandwidth(host: &HostSpec, peers: &[Peer], kbit: u32) -> Procedure {
    let kbit = kbit.max(KBIT_MIN);
    let waiting = kbit.saturating_mul(50).max(6000);
    shaped(host, peers, &format!("{kbit}kbit"), &format!("bfifo limit {waiting}"))
}
