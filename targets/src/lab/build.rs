//! Builds a lab and takes it down. Taking down goes by what the system shows, not by what was meant to be
//! built, so that a build that was cut off leaves nothing either.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use history::{Nanos, clock};
use nemesis::host::start_script;
use nemesis::node::{Node, NodeError, Request};

use super::files::{BACKEND, BROKER_PORT, CLIENTS, CLUSTER_ID, LOGGING, Layout, SETTINGS, write};
use super::jars::{Kafka, missing_tools};
use crate::nodes::{Backend, ClusterFile, ClusterFileError, LocalNode};

/// How long the brokers may take to listen.
const READY: Duration = Duration::from_secs(120);
/// How long a step of the building may take.
const STEP: Duration = Duration::from_secs(90);
/// A disk takes at most this, in MiB; only what is written is taken.
const DISK_MB: u32 = 4096;
/// A broker's heap where nothing else is asked for, in MiB.
pub const HEAP_MB: u32 = 384;
/// How often a broker is asked.
const LOOK: Duration = Duration::from_millis(300);

/// What a lab is to be.
#[derive(Debug, Clone)]
pub struct LabOptions {
    /// Where its files go.
    pub dir: PathBuf,
    /// Where fetched jars are kept.
    pub cache: PathBuf,
    /// Brokers, each a controller too.
    pub brokers: u32,
    /// Which Apache Kafka.
    pub kafka: Kafka,
    /// A disk image with ext4 for each broker.
    pub disks: bool,
    /// Size of a disk, in MiB; it takes only what is written.
    pub disk_mb: u32,
    /// Heap of a broker, in MiB.
    pub heap_mb: u32,
    /// The brokers' clocks are libfaketime's, so that faults can move them.
    pub faketime: bool,
    /// Broker settings by Kafka's names.
    pub settings: BTreeMap<String, String>,
    /// What reaches its hosts.
    pub backend: Backend,
}

impl LabOptions {
    /// Three brokers with a disk each.
    #[must_use]
    pub fn new(dir: PathBuf, cache: PathBuf, kafka: Kafka) -> Self {
        let settings = SETTINGS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self {
            dir,
            cache,
            brokers: 3,
            kafka,
            disks: true,
            disk_mb: DISK_MB,
            heap_mb: HEAP_MB,
            faketime: false,
            settings: settings.collect(),
            backend: BACKEND,
        }
    }
}

/// The lab could not be built or taken down.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// It is there already, or parts of one.
    #[error("a lab is up already: {0} (take it down with `highwater lab down`)")]
    Up(String),
    /// Programs are missing.
    #[error("a lab needs {0}")]
    Tools(String),
    /// Apache Kafka is not to be had.
    #[error("{0}")]
    Jars(String),
    /// A file.
    #[error("failed to write `{path}`", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A step failed.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// Its own cluster file.
    #[error(transparent)]
    ClusterFile(#[from] ClusterFileError),
    /// A broker did not come up.
    #[error("broker {node} does not listen after {seconds} s; its log ends: {log}")]
    Late {
        /// Which.
        node: u32,
        /// How long it was given.
        seconds: u64,
        /// The end of its log.
        log: String,
    },
    /// Something is left.
    #[error("the lab is not gone: {0}")]
    Left(String),
    /// Somebody asked for an end.
    #[error("stopped while the lab was built; nothing of it is left")]
    Stopped,
}

/// What a lab has on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Leftovers {
    /// Network namespaces.
    pub namespaces: Vec<String>,
    /// Processes inside them.
    pub processes: Vec<u32>,
    /// Loop devices on its disk images.
    pub loops: Vec<String>,
    /// Its folder.
    pub files: bool,
}

impl Leftovers {
    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl std::fmt::Display for Leftovers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let files = if self.files { "files" } else { "no files" };
        let (namespaces, processes, loops) = (self.namespaces.len(), self.processes.len(), self.loops.len());
        write!(f, "{namespaces} namespaces, {processes} processes, {loops} loop devices, {files}")
    }
}

fn sh(what: &str, script: &str) -> Result<String, NodeError> {
    let node = LocalNode::new("this machine");
    node.script(&Request { what, script, stdin: &[], within: STEP, root: true })
}

/// Where libfaketime is.
fn faketime() -> Result<String, LabError> {
    let found = sh(
        "look for libfaketime",
        "ls /usr/lib/*/faketime/libfaketime.so.1 /usr/lib*/faketime/libfaketime.so.1 2>/dev/null | head -n 1",
    )?;
    let library = found.trim();
    if library.is_empty() {
        return Err(LabError::Tools("`libfaketime`, to move clocks (apt-get install faketime)".to_owned()));
    }
    Ok(library.to_owned())
}

/// Looks what there is of a lab in `dir`.
///
/// # Errors
/// If the system cannot be asked.
pub fn leftovers(dir: &Path) -> Result<Leftovers, LabError> {
    let said = sh(
        "look for a lab",
        &format!(
            "ip netns list | awk '{{print $1}}' | grep -E '^{CLIENTS}(-[0-9]+)?$' | while read -r n; do echo \"namespace $n\"; \
             ip netns pids $n | sed 's/^/process /'; done\n\
             losetup -l -n -O NAME,BACK-FILE | awk -v d={}/ 'index($2, d)==1 {{ print \"loop\", $1 }}'",
            nemesis::node::quote(&dir.display().to_string())
        ),
    )?;
    let mut found = Leftovers { files: dir.exists(), ..Leftovers::default() };
    for line in said.lines() {
        match line.split_once(' ') {
            Some(("namespace", name)) => found.namespaces.push(name.to_owned()),
            Some(("process", pid)) => found.processes.extend(pid.parse::<u32>()),
            Some(("loop", device)) => found.loops.push(device.to_owned()),
            _ => {}
        }
    }
    Ok(found)
}

/// Builds a lab and starts its brokers. `tell` hears of each step, and says whether to go on: it is asked before every
/// step and while the brokers come up.
///
/// # Errors
/// If something is missing, a step fails or `tell` says no; what was built is taken down then.
pub fn up(options: &LabOptions, tell: &mut dyn Tell) -> Result<Layout, LabError> {
    let missing: Vec<_> = missing_tools()
        .iter()
        .map(|(tool, package)| format!("`{tool}` (apt-get install {package})"))
        .collect();
    if !missing.is_empty() {
        return Err(LabError::Tools(missing.join(", ")));
    }
    let found = leftovers(&options.dir)?;
    if !found.is_empty() {
        return Err(LabError::Up(found.to_string()));
    }
    let faketime = options.faketime.then(faketime).transpose()?;
    step(tell, "jars")?;
    let class_path = options.kafka.class_path(&options.cache, tell)?;
    let layout = Layout { dir: options.dir.clone(), brokers: options.brokers, faketime: options.faketime };
    match build(&layout, options, &class_path, faketime.as_deref(), tell) {
        Ok(()) => Ok(layout),
        Err(error) => match down(&options.dir) {
            Ok(()) => Err(error),
            // What is left is the worse news.
            Err(left) => Err(LabError::Left(format!("{left}; it was taken down because of this: {error}"))),
        },
    }
}

/// Who hears how the building goes.
pub trait Tell {
    /// A step begins.
    fn step(&mut self, what: &str);

    /// Whether to go on; asked often.
    fn go_on(&self) -> bool;
}

fn step(tell: &mut dyn Tell, what: &str) -> Result<(), LabError> {
    if !tell.go_on() {
        return Err(LabError::Stopped);
    }
    tell.step(what);
    Ok(())
}

fn build(
    layout: &Layout,
    options: &LabOptions,
    class_path: &str,
    faketime: Option<&str>,
    tell: &mut dyn Tell,
) -> Result<(), LabError> {
    let file =
        |path: PathBuf, text: &str| write(&path, text).map_err(|source| LabError::File { path, source });
    let dir = layout.dir.display().to_string();
    file(layout.cluster_file(), &layout.cluster_toml(&options.settings, options.backend))?;
    for node in 1..=layout.brokers {
        let own = layout.node(node);
        file(own.join("server.properties"), &layout.properties(node, &options.settings))?;
        file(own.join("start.sh"), &layout.start(node, class_path, options.heap_mb, faketime))?;
        if faketime.is_some() {
            file(layout.clock(node), "+0.000\n")?;
        }
        file(own.join("sshd.conf"), &layout.sshd(node))?;
        for (name, text) in LOGGING {
            file(own.join(name), text)?;
        }
    }
    step(tell, "namespaces")?;
    sh("build the lab", &network(layout, &dir))?;
    for node in 1..=layout.brokers {
        step(tell, &format!("host {node}"))?;
        sh("build a host of the lab", &host(layout, node, options, class_path))?;
    }
    step(tell, "brokers")?;
    let cluster = ClusterFile::read(&layout.cluster_file())?;
    let mut hosts = Vec::new();
    for spec in cluster.hosts()? {
        let node = cluster.connect(spec.node)?;
        node.script(&Request {
            what: "start the broker",
            script: &start_script(&spec),
            stdin: &[],
            within: STEP,
            root: true,
        })?;
        hosts.push(node);
    }
    let started = clock::now();
    for (node, host) in (1..).zip(&hosts) {
        wait_listening(layout, node, host.as_ref(), started, tell)?;
    }
    Ok(())
}

fn wait_listening(
    layout: &Layout,
    node: u32,
    host: &dyn Node,
    started: Nanos,
    tell: &dyn Tell,
) -> Result<(), LabError> {
    let script = format!("ss -Hltn 'sport = :{BROKER_PORT}' | grep -q .");
    let look =
        Request { what: "look for the broker", script: &script, stdin: &[], within: STEP, root: false };
    while host.run(&look)?.code != 0 {
        if !tell.go_on() {
            return Err(LabError::Stopped);
        }
        if Duration::from_nanos(clock::now().since(started)) > READY {
            let log = fs::read_to_string(layout.node(node).join("log")).unwrap_or_default();
            return Err(LabError::Late {
                node,
                seconds: READY.as_secs(),
                log: nemesis::node::one_line(&log),
            });
        }
        std::thread::park_timeout(LOOK);
    }
    Ok(())
}

/// Namespaces, bridge and keys.
fn network(layout: &Layout, dir: &str) -> String {
    let mut text = format!(
        "set -e\nip netns add {CLIENTS}\nip -n {CLIENTS} link set lo up\nip -n {CLIENTS} link add br0 type bridge\n\
         ip -n {CLIENTS} addr add 10.77.0.254/24 dev br0\nip -n {CLIENTS} link set br0 up\n\
         ssh-keygen -q -t ed25519 -N '' -f {dir}/host\nssh-keygen -q -t ed25519 -N '' -f {dir}/user\nmkdir -p /run/sshd\n"
    );
    for node in 1..=layout.brokers {
        let (name, address) = (Layout::namespace(node), Layout::address(node));
        text += &format!(
            "ip netns add {name}\nip -n {name} link set lo up\n\
             ip -n {CLIENTS} link add p{node} type veth peer name eth0 netns {name}\n\
             ip -n {CLIENTS} link set p{node} master br0 up\nip -n {name} addr add {address}/24 dev eth0\n\
             ip -n {name} link set eth0 up\nprintf '{address} %s\\n' \"$(cut -d' ' -f1,2 {dir}/host.pub)\" >>{dir}/known_hosts\n"
        );
    }
    text
}

/// One host: its disk, its `sshd` with mounts of its own, and a formatted log directory, synced: Kafka's formatter
/// leaves `bootstrap.checkpoint` in the page cache, and a broker that loses it with its power never starts again.
fn host(layout: &Layout, node: u32, options: &LabOptions, class_path: &str) -> String {
    let own = layout.node(node).display().to_string();
    let name = Layout::namespace(node);
    let (disk, mount) = if options.disks {
        (
            format!(
                "truncate -s {}M {own}/disk\nmkfs.ext4 -q -F {own}/disk\ndevice=$(losetup -f --show {own}/disk)\n",
                options.disk_mb
            ),
            format!("mount -o noatime $1 {own}/data && "),
        )
    } else {
        ("device=none\n".to_owned(), String::new())
    };
    format!(
        "set -e\nmkdir -p {own}/data {own}/state\n{disk}\
         setsid nohup nsenter --net=/run/netns/{name} unshare -m sh -c 'mount --make-rprivate / && {mount}exec \"$0\" -D -e -f {own}/sshd.conf' \
         \"$(command -v sshd)\" $device </dev/null >/dev/null 2>{own}/sshd.log &\n\
         n=0; until grep -q 'Server listening' {own}/sshd.log 2>/dev/null; do n=$((n+1)); [ $n -lt 200 ] || {{ cat {own}/sshd.log >&2; exit 1; }}; sleep 0.05; done\n\
         pid=$(ip netns pids {name} | head -n 1)\n\
         nsenter -t $pid --net --mount java -Xmx128m -XX:TieredStopAtLevel=1 -cp '{class_path}' kafka.tools.StorageTool format -t {CLUSTER_ID} -c {own}/server.properties >{own}/format.log 2>&1 || {{ cat {own}/format.log >&2; exit 1; }}\n\
         [ $device = none ] || nsenter -t $pid --mount sync -f {own}/data\n"
    )
}

/// Takes a lab down, and proves it gone: processes by their ids, mounts with them, loop devices, namespaces,
/// files.
///
/// # Errors
/// If something is left.
pub fn down(dir: &Path) -> Result<(), LabError> {
    for _ in 0..40 {
        let found = leftovers(dir)?;
        if found.processes.is_empty() {
            break;
        }
        for pid in found.processes {
            // It may have ended since it was seen.
            let _ = sh("end a process of the lab", &format!("kill -KILL {pid} 2>/dev/null || true"));
        }
        std::thread::park_timeout(Duration::from_millis(100));
    }
    let found = leftovers(dir)?;
    for device in &found.loops {
        sh("free a loop device", &format!("losetup -d {device}"))?;
    }
    for namespace in &found.namespaces {
        sh("remove a namespace", &format!("ip netns del {namespace}"))?;
    }
    if dir.join("cluster.toml").exists() {
        fs::remove_dir_all(dir).map_err(|source| LabError::File { path: dir.to_owned(), source })?;
    }
    let mut left = leftovers(dir)?;
    for _ in 0..20 {
        if left.loops.is_empty() {
            break;
        }
        // A device is freed with its last user, a moment after its mount is gone.
        std::thread::park_timeout(Duration::from_millis(100));
        left = leftovers(dir)?;
    }
    if left.is_empty() { Ok(()) } else { Err(LabError::Left(left.to_string())) }
}
