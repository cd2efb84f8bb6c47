//! `highwater doctor`: whether this machine, and the hosts of a cluster file, have what faults need, and what
//! was left behind.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use nemesis::journal;
use nemesis::node::{Node, Request};
use serde::Serialize;
use targets::causes::with_causes;
use targets::lab;
use targets::nodes::ClusterFile;

use super::{Outcome, print};
use crate::exit::Exit;
use crate::state;

const EXAMPLES: &str = "\
Examples:
  highwater doctor                               what this machine has for a lab
  highwater doctor --cluster c.toml --format json";

/// How long a host may take to answer.
const WITHIN: Duration = Duration::from_secs(15);

/// Programs of a host that faults are made of, and the Debian package that has each.
const HOST_TOOLS: [(&str, &str); 6] = [
    ("iptables", "iptables"),
    ("tc", "iproute2"),
    ("flock", "util-linux"),
    ("findmnt", "util-linux"),
    ("setsid", "util-linux"),
    ("perl", "perl"),
];

/// Look what faults need, and what was left behind
#[derive(Args, Debug)]
#[command(before_help = EXAMPLES)]
pub(super) struct DoctorCommand {
    /// Look at the hosts of this cluster file
    #[arg(long, value_name = "FILE")]
    cluster: Option<PathBuf>,
    /// For people or for a script
    #[arg(long, value_parser = ["human", "json"], default_value = "human")]
    format: String,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Look {
    host: String,
    what: String,
    /// `ok`, `missing` (some faults are not to be had) or `failed` (nothing is).
    state: &'static str,
    /// What was found, and the remedy.
    text: String,
}

impl DoctorCommand {
    pub(super) fn execute(self) -> Outcome {
        let mut looks = Vec::new();
        here(&mut looks)?;
        if let Some(path) = &self.cluster {
            let file = ClusterFile::read(path)?;
            for spec in file.hosts()? {
                match file.connect(spec.node) {
                    Ok(node) => host(node.as_ref(), &spec.data_dir, &spec.state_dir, &mut looks),
                    Err(error) => looks.push(Look {
                        host: spec.host.clone(),
                        what: "connection".to_owned(),
                        state: "failed",
                        text: with_causes(&error),
                    }),
                }
            }
        }
        if self.format == "json" {
            let report = serde_json::json!({ "schema_version": 1, "looks": looks });
            print(&format!("{}\n", serde_json::to_string_pretty(&report)?))?;
        } else {
            for Look { host, what, state, text } in &looks {
                print(&format!("{state:<8}{host}: {what}: {text}\n"))?;
            }
        }
        let failed = looks.iter().any(|look| look.state == "failed");
        Ok(if failed { Exit::Unreachable } else { Exit::Held })
    }
}

fn here(looks: &mut Vec<Look>) -> anyhow::Result<()> {
    let mut add = |what: &str, state, text: String| {
        looks.push(Look { host: "this machine".to_owned(), what: what.to_owned(), state, text });
    };
    let missing = lab::missing_tools();
    for (tool, package) in lab::TOOLS {
        if missing.iter().any(|(other, _)| other == tool) {
            add(tool, "missing", format!("a lab needs it (apt-get install {package})"));
        } else {
            add(tool, "ok", "is there".to_owned());
        }
    }
    let root = nix::unistd::Uid::effective().is_root();
    let state = if root { "ok" } else { "missing" };
    add("root", state, if root { "yes" } else { "a lab needs it (sudo highwater lab up)" }.to_owned());
    let open = state::journal()?.entries()?;
    if open.is_empty() {
        add("undo journal", "ok", "no fault is open".to_owned());
    } else {
        add(
            "undo journal",
            "failed",
            format!("{} faults are open (highwater nemesis undo --all)", open.len()),
        );
    }
    Ok(())
}

fn host(node: &dyn Node, data_dir: &str, state_dir: &str, looks: &mut Vec<Look>) {
    let mut add = |what: &str, state, text: String| {
        looks.push(Look { host: node.host().to_owned(), what: what.to_owned(), state, text });
    };
    let ask = |what: &'static str, script: &str| {
        node.script(&Request { what, script, stdin: &[], within: WITHIN, root: true })
    };
    match ask("become root", "id -u") {
        Ok(_) => add("connection and root", "ok", "yes".to_owned()),
        Err(error) => return add("connection and root", "failed", with_causes(&error)),
    }
    for (tool, package) in HOST_TOOLS {
        match ask("look for a tool", &format!("command -v {tool}")) {
            Ok(path) => add(tool, "ok", path.trim().to_owned()),
            Err(_) => add(tool, "missing", format!("some faults need it (apt-get install {package})")),
        }
    }
    let netem = "tc qdisc add dev lo root handle 4857: netem delay 0ms 2>/dev/null && tc qdisc del dev lo root handle 4857:";
    match ask("look for netem", &format!("tc qdisc show dev lo root | grep -qv ' 0: ' && exit 1; {netem}")) {
        Ok(_) => add("netem", "ok", "delays can be made".to_owned()),
        Err(_) => add("netem", "missing", "`delay` is not to be had: the kernel lacks sch_netem".to_owned()),
    }
    let quoted = nemesis::node::quote(data_dir);
    match ask("look at the disk", &format!("findmnt -n -o TARGET,FSTYPE,AVAIL --target {quoted}")) {
        Ok(mount) => add(
            "data directory",
            "ok",
            format!("{data_dir} on {}", mount.split_whitespace().collect::<Vec<_>>().join(" ")),
        ),
        Err(error) => add("data directory", "failed", with_causes(&error)),
    }
    match journal::open_on(node, state_dir) {
        Ok(open) if open.is_empty() => add("leftovers", "ok", "none".to_owned()),
        Ok(open) => add(
            "leftovers",
            "failed",
            format!("{} faults are on record (highwater nemesis undo --all --cluster FILE)", open.len()),
        ),
        Err(error) => add("leftovers", "failed", with_causes(&error)),
    }
}
