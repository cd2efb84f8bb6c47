//! The files of a lab: one folder with everything but the namespaces.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::nodes::{Backend, ClusterFile, ClusterFileError};

/// The namespace that clients run in; it has the bridge.
pub const CLIENTS: &str = "hw-lab";
/// What a broker and a controller of the lab listen on.
pub(super) const BROKER_PORT: u16 = 9092;
pub(super) const CONTROLLER_PORT: u16 = 9093;
/// What brokers of a lab run under where nothing else is asked for: time-outs that a virtual machine with little
/// memory keeps, and that fit a run of half a minute.
pub const SETTINGS: &[(&str, &str)] = &[
    ("broker.session.timeout.ms", "4000"),
    ("broker.heartbeat.interval.ms", "700"),
    ("replica.lag.time.max.ms", "5000"),
    ("replica.fetch.wait.max.ms", "100"),
    ("replica.fetch.backoff.ms", "100"),
    ("group.consumer.heartbeat.interval.ms", "300"),
    ("group.consumer.min.heartbeat.interval.ms", "300"),
    ("group.consumer.min.session.timeout.ms", "500"),
    ("group.consumer.session.timeout.ms", "2000"),
    ("group.initial.rebalance.delay.ms", "0"),
    ("group.min.session.timeout.ms", "500"),
    // Who led once leads again only if a fault moves leadership: what a run shows is its faults' doing.
    ("auto.leader.rebalance.enable", "false"),
];

/// Files that make the brokers' logs begin their lines with a time to the millisecond and its zone, whichever of the
/// three logging libraries their jars have; slf4j-simple is told by its properties.
pub(super) const LOGGING: [(&str, &str); 2] = [
    (
        "log4j2.properties",
        "status = error\nappender.out.type = Console\nappender.out.name = out\nappender.out.layout.type = PatternLayout\n\
         appender.out.layout.pattern = %d{yyyy-MM-dd HH:mm:ss,SSSZ} %p %m (%c)%n\nrootLogger.level = info\n\
         rootLogger.appenderRef.out.ref = out\n",
    ),
    (
        "log4j.properties",
        "log4j.rootLogger=INFO, out\nlog4j.appender.out=org.apache.log4j.ConsoleAppender\n\
         log4j.appender.out.layout=org.apache.log4j.PatternLayout\n\
         log4j.appender.out.layout.ConversionPattern=%d{yyyy-MM-dd HH:mm:ss,SSSZ} %p %m (%c)%n\n",
    ),
];
const SIMPLE_LOGGING: &str = "-Dorg.slf4j.simpleLogger.showDateTime=true '-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss,SSSZ'";

/// What reaches a lab's hosts where nothing else is asked for.
pub const BACKEND: Backend = Backend::Ssh2;

/// A fixed id, so that formatting needs no answer from a tool.
pub(super) const CLUSTER_ID: &str = "aGlnaHdhdGVyLWxhYi0wMA";

/// Where things of a lab are.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The folder.
    pub dir: PathBuf,
    /// Brokers, with ids from 1.
    pub brokers: u32,
    /// Their clocks are libfaketime's.
    pub faketime: bool,
}

impl Layout {
    /// The network namespace of a broker.
    #[must_use]
    pub fn namespace(node: u32) -> String {
        format!("{CLIENTS}-{node}")
    }

    /// Its address in the lab's own network.
    #[must_use]
    pub fn address(node: u32) -> String {
        format!("10.77.0.{node}")
    }

    /// Where its files are.
    #[must_use]
    pub fn node(&self, node: u32) -> PathBuf {
        self.dir.join(format!("node-{node}"))
    }

    /// The file that a broker's libfaketime reads its clock from.
    #[must_use]
    pub fn clock(&self, node: u32) -> PathBuf {
        self.node(node).join("clock")
    }

    /// The lab's cluster file.
    #[must_use]
    pub fn cluster_file(&self) -> PathBuf {
        self.dir.join("cluster.toml")
    }

    /// `HOST:PORT,…` for clients in the namespace [`CLIENTS`].
    #[must_use]
    pub fn bootstrap(&self) -> String {
        let all: Vec<_> =
            (1..=self.brokers).map(|node| format!("{}:{BROKER_PORT}", Self::address(node))).collect();
        all.join(",")
    }

    /// The cluster file of a lab with these broker settings, whether or not it is built yet.
    ///
    /// # Errors
    /// If what is built there has a file that cannot be read.
    pub fn cluster(&self, settings: &BTreeMap<String, String>) -> Result<ClusterFile, ClusterFileError> {
        let path = self.cluster_file();
        if path.exists() {
            ClusterFile::read(&path)
        } else {
            ClusterFile::parse(&self.cluster_toml(settings, BACKEND), &path)
        }
    }

    pub(super) fn cluster_toml(&self, settings: &BTreeMap<String, String>, backend: Backend) -> String {
        let dir = self.dir.display();
        let mut text = format!(
            "bootstrap = \"{}\"\ncluster_id = \"{CLUSTER_ID}\"\nnamespace = \"{CLIENTS}\"\n\n[ssh]\nbackend = \"{backend}\"\nuser = \"root\"\n\
             key = \"{dir}/user\"\nknown_hosts = \"{dir}/known_hosts\"\n",
            self.bootstrap()
        );
        text += "\n[settings]\n";
        for (name, value) in settings {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{name:?} = {value:?}");
        }
        for node in 1..=self.brokers {
            let own = self.node(node);
            let own = own.display();
            let _ = write!(
                text,
                "\n[[node]]\nid = {node}\nhost = \"{}\"\nbroker_port = {BROKER_PORT}\ncontroller_port = {CONTROLLER_PORT}\n\
                 data_dir = \"{own}/data\"\nstate_dir = \"{own}/state\"\npid_file = \"{own}/pid\"\nprocess = \"kafka.Kafka\"\n\
                 start = \"sh {own}/start.sh\"\nlogs = [\"{own}/log\"]\nbreakable = true\n",
                Self::address(node)
            );
            if self.faketime {
                let _ = writeln!(
                    text,
                    "clock = \"faketime\"\nfaketime_file = \"{}\"",
                    self.clock(node).display()
                );
            }
        }
        text
    }

    pub(super) fn properties(&self, node: u32, settings: &BTreeMap<String, String>) -> String {
        let address = Self::address(node);
        let voters: Vec<_> =
            (1..=self.brokers).map(|id| format!("{id}@{}:{CONTROLLER_PORT}", Self::address(id))).collect();
        let copies = self.brokers.min(3);
        let mut text = format!(
            "process.roles=broker,controller\nnode.id={node}\ncontroller.quorum.voters={}\n\
             listeners=PLAINTEXT://{address}:{BROKER_PORT},CONTROLLER://{address}:{CONTROLLER_PORT}\n\
             advertised.listeners=PLAINTEXT://{address}:{BROKER_PORT}\ncontroller.listener.names=CONTROLLER\n\
             log.dirs={}/logs\noffsets.topic.replication.factor={copies}\n\
             transaction.state.log.replication.factor={copies}\ntransaction.state.log.min.isr={}\n\
             auto.create.topics.enable=false\n",
            voters.join(","),
            self.node(node).join("data").display(),
            copies.min(2)
        );
        for (name, value) in settings {
            let _ = writeln!(text, "{name}={value}");
        }
        text
    }

    /// Writes its process id and becomes the broker, by a clock of its own if it is to have one. What waits goes by
    /// the monotonic clock, which is left alone; libfaketime's fix for older C libraries would end every wait at once.
    pub(super) fn start(&self, node: u32, class_path: &str, heap_mb: u32, faketime: Option<&str>) -> String {
        let own = self.node(node);
        let own = own.display();
        let clock = faketime.map_or_else(String::new, |library| {
            format!(
                "export LD_PRELOAD={library} FAKETIME_TIMESTAMP_FILE={} FAKETIME_NO_CACHE=1 FAKETIME_FORCE_MONOTONIC_FIX=0 DONT_FAKE_MONOTONIC=1 FAKETIME_DONT_FAKE_MONOTONIC=1\n",
                self.clock(node).display()
            )
        });
        format!(
            "cd {own} || exit 1\necho $$ >pid\n{clock}exec java -Xmx{heap_mb}m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 {SIMPLE_LOGGING} \
             -Dlog4j2.configurationFile=file:{own}/log4j2.properties -Dlog4j.configuration=file:{own}/log4j.properties -cp '{class_path}' kafka.Kafka {own}/server.properties >>log 2>&1 </dev/null\n"
        )
    }

    pub(super) fn sshd(&self, node: u32) -> String {
        let dir = self.dir.display();
        format!(
            "Port 22\nListenAddress {}\nHostKey {dir}/host\nAuthorizedKeysFile {dir}/user.pub\nStrictModes no\nUsePAM no\n\
             PidFile none\nPermitRootLogin prohibit-password\nPasswordAuthentication no\nMaxStartups 50\n",
            Self::address(node)
        )
    }
}

/// Writes a file of the lab.
pub(super) fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    std::fs::write(path, text)
}
