//! Packets that do not arrive, by `iptables`. Only what carries our tag is ever made or removed: a chain of our
//! own, hooked in front. No rule ever matches the port of ssh.

use std::fmt::Write as _;

use super::Procedure;
use super::fault::{Direction, Peer};
use super::spec::HostSpec;
use crate::node::quote;

/// What our chains begin with.
pub(super) const CHAIN: &str = "HIGHWATER-";

/// The chain of a fault; iptables takes 28 characters.
fn chain(id: &str) -> String {
    let id: String = id.chars().filter(char::is_ascii_alphanumeric).take(18).collect();
    format!("{CHAIN}{id}")
}

fn tool(address: &str) -> &'static str {
    if address.contains(':') { "ip6tables" } else { "iptables" }
}

impl Direction {
    /// Whether packets are meant whose source (`-s`) or destination (`-d`) the peer is.
    const fn covers(self, arriving: bool) -> bool {
        match self {
            Self::Both => true,
            Self::In => arriving,
            Self::Out => !arriving,
        }
    }
}

/// The rules about one peer, each ending in `what`.
fn rules(text: &mut String, chain: &str, host: &HostSpec, peer: &Peer, direction: Direction, what: &str) {
    let (tool, address, ssh) = (tool(&peer.address), quote(&peer.address), host.ssh_port);
    let mut rule = |matching: &str| {
        if !direction.covers(matching.starts_with("-s")) {
            return;
        }
        // Writing to a string does not fail.
        let _ = writeln!(text, "{tool} -w 5 -A {chain} -p tcp {matching} {what}");
    };
    if peer.here.is_empty() && peer.there.is_empty() {
        rule(&format!("-s {address} -m multiport ! --ports {ssh}"));
        rule(&format!("-d {address} -m multiport ! --ports {ssh}"));
    }
    for port in peer.here.iter().filter(|port| **port != ssh) {
        rule(&format!("-s {address} --dport {port}"));
        rule(&format!("-d {address} --sport {port}"));
    }
    for port in peer.there.iter().filter(|port| **port != ssh) {
        rule(&format!("-d {address} --dport {port}"));
        rule(&format!("-s {address} --sport {port}"));
    }
}

fn with_chain(
    host: &HostSpec,
    id: &str,
    peers: &[Peer],
    direction: Direction,
    what: &str,
    by: &str,
) -> Procedure {
    let chain = chain(id);
    let mut tools: Vec<_> = peers.iter().map(|peer| tool(&peer.address)).collect();
    tools.sort_unstable();
    tools.dedup();
    let (mut apply, mut undo) = (String::from("set -e\n"), String::new());
    let (mut in_force, mut gone) = (String::from("set -e\n"), String::new());
    for tool in &tools {
        let _ = writeln!(apply, "{tool} -w 5 -N {chain}");
        let _ = write!(
            undo,
            "command -v {tool} >/dev/null || {{ echo '{tool} is not there' >&2; exit 1; }}\n\
             if {tool} -w 5 -S | grep -q -e '{chain}'; then\n  \
             {tool} -w 5 -nvxL {chain} | awk 'NR>2 {{ p+=$1; b+=$2 }} END {{ print \"dropped\", p+0, b+0 }}'\n  \
             for hook in INPUT OUTPUT; do\n    while {tool} -w 5 -D $hook -j {chain} 2>/dev/null; do :; done\n  done\n  \
             {tool} -w 5 -F {chain}; {tool} -w 5 -X {chain}\nfi\n"
        );
        for hook in ["INPUT", "OUTPUT"] {
            let _ = writeln!(in_force, "{tool} -w 5 -C {hook} -j {chain}");
        }
        let _ = writeln!(gone, "all=$({tool} -w 5 -S) || exit 1\ncase $all in *{chain}*) exit 1;; esac");
    }
    for peer in peers {
        rules(&mut apply, &chain, host, peer, direction, what);
    }
    for tool in &tools {
        let _ = writeln!(apply, "{tool} -w 5 -I INPUT 1 -j {chain}\n{tool} -w 5 -I OUTPUT 1 -j {chain}");
    }
    let _ = writeln!(apply, "echo 'by {by}'");
    Procedure { apply, undo, in_force, gone }
}

/// Drops what comes, what goes, or both; or answers with a reset.
pub(super) fn cut(host: &HostSpec, id: &str, peers: &[Peer], direction: Direction, reset: bool) -> Procedure {
    with_chain(
        host,
        id,
        peers,
        direction,
        if reset { "-j REJECT --reject-with tcp-reset" } else { "-j DROP" },
        if reset { "iptables REJECT" } else { "iptables DROP" },
    )
}

/// Drops some, at random.
pub(super) fn loss(host: &HostSpec, id: &str, peers: &[Peer], percent: u8) -> Procedure {
    let probability = f64::from(percent.min(100)) / 100.0;
    with_chain(
        host,
        id,
        peers,
        Direction::Both,
        &format!("-m statistic --mode random --probability {probability:.2} -j DROP"),
        "iptables -m statistic",
    )
}
