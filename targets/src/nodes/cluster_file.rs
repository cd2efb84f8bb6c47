//! The cluster file: which hosts there are, how each is reached, how its broker is started and stopped, and
//! which of them may be broken. TOML; a key nobody knows is a mistake, not a comment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use history::NodeId;
use nemesis::host::{HostSpec, Service};
use nemesis::node::{Node, NodeError};
use serde::{Deserialize, Serialize};

use super::libssh2::Libssh2Node;
use super::local::LocalNode;
use super::options::{Backend, SshOptions};
use super::ssh::SshNode;

/// A cluster file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClusterFileError {
    /// It cannot be read.
    #[error("failed to read cluster file `{path}`", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is no cluster file.
    #[error("cluster file `{path}`, line {line}: {reason}", path = path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where.
        line: usize,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// What it says cannot be.
    #[error("cluster file `{path}`: {reason}", path = path.display())]
    Contents {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what would be right.
        reason: String,
    },
}

/// What a cluster file says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterFile {
    /// The file itself; entries of the journal name it.
    #[serde(skip)]
    pub path: PathBuf,
    /// Brokers to start from, `HOST:PORT,…`.
    pub bootstrap: String,
    /// The id that the brokers must report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_id: Option<String>,
    /// Network namespace that the addresses are reachable from (a lab's).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Properties of librdkafka for whoever asks the brokers, such as `security.protocol`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kafka: BTreeMap<String, String>,
    /// How nodes are reached that say nothing of their own.
    #[serde(default)]
    pub ssh: Reach,
    /// What the brokers run under, by Kafka's names; their time-outs decide how long a fault must last.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// The hosts.
    #[serde(rename = "node")]
    nodes: Vec<NodeTable>,
}

/// How a node is reached.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reach {
    /// What speaks SSH; otherwise as [`SshOptions::usual_backend`] says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<Backend>,
    /// As whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Port of sshd.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// File of the private key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// File of known host keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known_hosts: Option<PathBuf>,
    /// A configuration file of ssh instead of the user's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<PathBuf>,
    /// Bastions on the way, as `ssh -J` takes them: `[user@]host[:port],…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jump: Option<String>,
    /// Socket of the agent, or `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_agent: Option<String>,
    /// Seconds that a connection may take to be there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_timeout: Option<u16>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeTable {
    id: i32,
    host: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(default = "broker_port")]
    broker_port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    controller_port: Option<u16>,
    #[serde(default)]
    local: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    backend: Option<Backend>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<PathBuf>,
    data_dir: String,
    #[serde(default = "state_dir")]
    state_dir: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid_file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    process: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kill: Option<String>,
    #[serde(default)]
    logs: Vec<String>,
    #[serde(default)]
    clock: Clock,
    #[serde(skip_serializing_if = "Option::is_none")]
    faketime_file: Option<String>,
    #[serde(default)]
    breakable: bool,
}

/// Whose clock a broker goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Clock {
    /// The machine's.
    #[default]
    System,
    /// One of libfaketime, in a file.
    Faketime,
}

const fn broker_port() -> u16 {
    9092
}

fn state_dir() -> String {
    "/var/tmp/highwater".to_owned()
}

impl ClusterFile {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read or what it says cannot be: with the line, and what would be right.
    pub fn read(path: &Path) -> Result<Self, ClusterFileError> {
        let read = |source| ClusterFileError::Read { path: path.to_owned(), source };
        let text = std::fs::read_to_string(path).map_err(read)?;
        // An undo may be asked for from another folder.
        let path = std::fs::canonicalize(path).map_err(read)?;
        Self::parse(&text, &path)
    }

    /// Reads its text.
    ///
    /// # Errors
    /// As [`ClusterFile::read`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, ClusterFileError> {
        let mut file: Self = toml::from_str(text).map_err(|error| {
            let line =
                error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            ClusterFileError::Parse {
                path: path.to_owned(),
                line,
                reason: error.message().replace('\n', " "),
            }
        })?;
        file.path = path.to_owned();
        file.hosts()?;
        Ok(file)
    }

    /// The hosts as faults need to know them, in order of their ids.
    ///
    /// # Errors
    /// If a node says neither how its broker is run, or two are the same.
    pub fn hosts(&self) -> Result<Vec<HostSpec>, ClusterFileError> {
        let wrong = |reason: String| ClusterFileError::Contents { path: self.path.clone(), reason };
        if self.nodes.is_empty() {
            return Err(wrong("it names no node (add a table [[node]])".to_owned()));
        }
        if self.ssh.connect_timeout == Some(0) {
            return Err(wrong("`connect_timeout` is 0 (give seconds, at least 1)".to_owned()));
        }
        if let Some(jump) = &self.ssh.jump
            && (jump.starts_with('-') || jump.contains(char::is_whitespace) || jump.is_empty())
        {
            return Err(wrong(format!("`jump` is `{jump}` (give [user@]host[:port], or several by commas)")));
        }
        let mut hosts = Vec::new();
        for node in &self.nodes {
            let id = node.id;
            let service = match (&node.unit, &node.pid_file, &node.start) {
                (Some(_), None, None) if node.stop.is_some() || node.kill.is_some() => {
                    return Err(wrong(format!(
                        "node `{id}` has `stop` or `kill` beside `unit` (systemd stops a unit; leave them out)"
                    )));
                }
                (Some(unit), None, None) => Service::Unit(unit.clone()),
                (None, Some(pid_file), Some(start)) => Service::Command {
                    pid_file: pid_file.clone(),
                    process: node.process.clone(),
                    start: start.clone(),
                    stop: node.stop.clone(),
                    kill: node.kill.clone(),
                },
                _ => {
                    return Err(wrong(format!(
                        "node `{id}` does not say how its broker is run (give `unit`, or `pid_file` and `start`)"
                    )));
                }
            };
            for (name, value) in [("data_dir", &node.data_dir), ("state_dir", &node.state_dir)] {
                if !value.starts_with('/') {
                    return Err(wrong(format!(
                        "`{name}` of node `{id}` is `{value}` (give an absolute path)"
                    )));
                }
            }
            let faketime_file = match (node.clock, &node.faketime_file) {
                (Clock::System, None) => None,
                (Clock::Faketime, Some(file)) if file.starts_with('/') => Some(file.clone()),
                (Clock::Faketime, _) => {
                    return Err(wrong(format!(
                        "node `{id}` has `clock = \"faketime\"` (give `faketime_file`, an absolute path)"
                    )));
                }
                (Clock::System, Some(_)) => {
                    return Err(wrong(format!(
                        "node `{id}` has a `faketime_file` and no `clock = \"faketime\"` (add it, or leave the file out)"
                    )));
                }
            };
            if node.host.starts_with('-') || node.host.contains(char::is_whitespace) || node.host.is_empty() {
                return Err(wrong(format!(
                    "`host` of node `{id}` is `{}` (give a name or an address)",
                    node.host
                )));
            }
            if self.backend(node) == Some(Backend::Ssh2)
                && let Some(needs) = self.options(node).needs_openssh()
            {
                return Err(wrong(format!(
                    "node `{id}` has `backend = \"ssh2\"`, which cannot do what `{needs}` says (set `backend = \"openssh\"`, or leave `{needs}` out)"
                )));
            }
            if hosts.iter().any(|other: &HostSpec| other.node == NodeId(id)) {
                return Err(wrong(format!("node `{id}` is there twice (give each its own `id`)")));
            }
            hosts.push(HostSpec {
                node: NodeId(id),
                host: node.host.clone(),
                address: node.address.clone().unwrap_or_else(|| node.host.clone()),
                broker_port: node.broker_port,
                controller_port: node.controller_port,
                ssh_port: node.port.or(self.ssh.port).unwrap_or(22),
                data_dir: node.data_dir.clone(),
                state_dir: node.state_dir.clone(),
                service,
                logs: node.logs.clone(),
                faketime_file,
                breakable: node.breakable,
            });
        }
        hosts.sort_by_key(|host| host.node);
        Ok(hosts)
    }

    /// Connects to a node.
    ///
    /// # Errors
    /// If it cannot be reached.
    pub fn connect(&self, node: NodeId) -> Result<Arc<dyn Node>, NodeError> {
        let Some(table) = self.nodes.iter().find(|table| NodeId(table.id) == node) else {
            return Err(NodeError::Unreachable {
                host: format!("node {node}"),
                command: format!("cat {}", self.path.display()),
                stderr: "the cluster file has no such node".to_owned(),
            });
        };
        if table.local {
            return Ok(Arc::new(LocalNode::new(table.host.clone())));
        }
        let options = self.options(table);
        match self.backend(table).unwrap_or_else(|| options.usual_backend()) {
            Backend::Ssh2 => Ok(Arc::new(Libssh2Node::connect(options)?)),
            Backend::OpenSsh => Ok(Arc::new(SshNode::connect(options)?)),
        }
    }

    fn backend(&self, node: &NodeTable) -> Option<Backend> {
        node.backend.or(self.ssh.backend)
    }

    fn options(&self, node: &NodeTable) -> SshOptions {
        SshOptions {
            host: node.host.clone(),
            user: node.user.clone().or_else(|| self.ssh.user.clone()),
            port: node.port.or(self.ssh.port),
            key: node.key.clone().or_else(|| self.ssh.key.clone()),
            known_hosts: self.ssh.known_hosts.clone(),
            config: self.ssh.config.clone(),
            jump: self.ssh.jump.clone(),
            identity_agent: self.ssh.identity_agent.clone(),
            connect_timeout: self.ssh.connect_timeout.map(|seconds| Duration::from_secs(seconds.into())),
            namespace: self.namespace.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
bootstrap = \"b1:9092\"
[ssh]
user = \"kafka\"
[[node]]
id = 1
host = \"b1\"
data_dir = \"/data\"
unit = \"kafka\"
";

    fn error(text: &str) -> String {
        ClusterFile::parse(text, Path::new("c.toml")).map(drop).unwrap_err().to_string()
    }

    #[test]
    fn what_is_not_said_is_what_kafka_and_ssh_would_say() {
        let hosts = ClusterFile::parse(GOOD, Path::new("c.toml")).unwrap().hosts().unwrap();
        let host = &hosts[0];
        assert_eq!((host.broker_port, host.ssh_port, host.address.as_str()), (9092, 22, "b1"));
        assert!(!host.breakable, "nothing may be broken unless the file says so");
    }

    #[test]
    fn mistakes_are_told_with_their_place_and_remedy() {
        assert!(error("bootstrap = 3\n").contains("cluster file `c.toml`, line 1"));
        let unknown = error(&GOOD.replace("[ssh]\nuser", "[ssh]\nusr"));
        assert!(unknown.contains("line 3") && unknown.contains("usr"), "{unknown}");
        let no_service = error(&GOOD.replace("unit = \"kafka\"\n", ""));
        assert!(
            no_service.contains("node `1` does not say how its broker is run (give `unit`"),
            "{no_service}"
        );
        let relative = error(&GOOD.replace("/data", "data"));
        assert!(relative.contains("absolute path"), "{relative}");
        let no_file = error(&GOOD.replace("unit =", "clock = \"faketime\"\nunit ="));
        assert!(no_file.contains("give `faketime_file`"), "{no_file}");
        let no_clock = error(&GOOD.replace("unit =", "faketime_file = \"/f\"\nunit ="));
        assert!(no_clock.contains("no `clock = \"faketime\"`"), "{no_clock}");
        let option = error(&GOOD.replace("host = \"b1\"", "host = \"-oProxyCommand=x\""));
        assert!(option.contains("give a name or an address"), "{option}");
        let systemd = error(&GOOD.replace("unit = \"kafka\"", "unit = \"kafka\"\nstop = \"x\""));
        assert!(systemd.contains("systemd stops a unit"), "{systemd}");
        let ssh = |line: &str| error(&GOOD.replace("[ssh]\n", &format!("[ssh]\n{line}\n")));
        assert!(ssh("connect_timeout = 0").contains("at least 1"));
        assert!(ssh("jump = \"-oProxyCommand=x\"").contains("give [user@]host[:port]"));
        for only_ssh in ["jump = \"bastion\"", "config = \"/c\""] {
            let (needs, _) = only_ssh.split_once(' ').unwrap();
            let text = ssh(&format!("backend = \"ssh2\"\n{only_ssh}"));
            assert!(text.contains("`backend = \"ssh2\"`") && text.contains(&format!("`{needs}`")), "{text}");
            let other = GOOD.replace("[ssh]\n", &format!("[ssh]\nbackend = \"openssh\"\n{only_ssh}\n"));
            assert!(ClusterFile::parse(&other, Path::new("c.toml")).is_ok());
        }
        assert!(ssh("backend = \"libssh\"").contains("expected `ssh2` or `openssh`"));
        let (_, node) = GOOD.split_once("[[node]]").unwrap();
        assert!(error(&format!("{GOOD}[[node]]{node}")).contains("there twice"));
    }
}
