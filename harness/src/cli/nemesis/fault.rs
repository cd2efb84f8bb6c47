//! A fault of real hosts as the command line says it.

use std::path::PathBuf;

use anyhow::{Context, anyhow, bail, ensure};
use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, ValueEnum};
use history::NodeId;
use nemesis::host::{Direction, HostFault, HostSpec, LogName, Peer};
use targets::nodes::ClusterFile;

/// Which fault, on whom.
#[derive(Args, Debug)]
pub(super) struct FaultArgs {
    /// What breaks
    #[arg(value_name = "FAULT", value_parser = PossibleValuesParser::new(faults()))]
    pub(super) fault: String,
    /// The cluster file
    #[arg(long, value_name = "FILE")]
    pub(super) cluster: PathBuf,
    /// The broker to hit
    #[arg(long, value_name = "ID")]
    pub(super) node: i32,
    #[command(flatten)]
    pub(super) manner: MannerArgs,
}

/// How links and clocks are broken.
#[derive(Args, Debug)]
#[command(next_help_heading = "Real hosts")]
pub(super) struct MannerArgs {
    /// The brokers at the far end of its links [default: all others]
    #[arg(long = "peer", value_name = "ID")]
    peers: Vec<i32>,
    /// Which packets `cut` drops, as the node sees them
    #[arg(long, value_enum, default_value_t = Way::Both)]
    direction: Way,
    /// Cut links by resets instead of silence
    #[arg(long)]
    reset: bool,
    /// Packets hit by `loss`, `reorder`, `duplicate` and `corrupt`, of a hundred
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u8).range(1..=100))]
    percent: u8,
    /// Milliseconds of `delay`, `reorder`, `clock-bump` and `clock-strobe`
    #[arg(long, value_name = "N", default_value_t = 200, allow_negative_numbers = true)]
    ms: i64,
    /// Microseconds a second that a clock gains by `clock-skew`, or loses
    #[arg(long, value_name = "N", default_value_t = 100_000, allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(-100_000..=100_000))]
    ppm: i64,
    /// For how many milliseconds `clock-strobe` leaves a clock right, and as many wrong
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(10..=60_000))]
    period_ms: u32,
    /// Milliseconds by which a delay varies either way
    #[arg(long, value_name = "N", default_value_t = 0)]
    jitter_ms: u32,
    /// Kilobits a second of `bandwidth`
    #[arg(long, value_name = "N", default_value_t = 1000)]
    kbit: u32,
    /// KiB a second of `slow-disk`
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    kib: u32,
    /// The log that `truncate-log` and `flip-bit` damage [default: the one written last, Kafka's own apart]
    #[arg(long, value_name = "TOPIC/P", value_parser = log)]
    log: Option<LogName>,
    /// Bytes cut by `truncate-log`
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u64).range(1..=1 << 40))]
    bytes: u64,
    /// Draws the place of `flip-bit`
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// [`Direction`], for the command line.
#[derive(ValueEnum, Debug, Clone, Copy)]
enum Way {
    /// What arrives
    In,
    /// What leaves
    Out,
    /// All
    Both,
}

impl From<Way> for Direction {
    fn from(way: Way) -> Self {
        match way {
            Way::In => Self::In,
            Way::Out => Self::Out,
            Way::Both => Self::Both,
        }
    }
}

/// `TOPIC/P`; a topic's name has no character that could lead out of the data directory.
fn log(text: &str) -> anyhow::Result<LogName> {
    let (topic, partition) = super::partition(text)?;
    ensure!(
        topic.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) && !topic.starts_with('.'),
        "`{topic}` is no topic's name"
    );
    Ok(LogName { topic, partition })
}

/// The faults of hosts, by name.
pub(super) fn faults() -> impl Iterator<Item = PossibleValue> {
    HostFault::KINDS.iter().map(|kind| PossibleValue::new(kind.name).help(kind.summary))
}

impl FaultArgs {
    /// The cluster, the host to hit, and the fault.
    pub(super) fn resolve(&self) -> anyhow::Result<(ClusterFile, HostSpec, HostFault)> {
        let file = ClusterFile::read(&self.cluster)?;
        let hosts = file.hosts()?;
        let host = |id: i32| {
            hosts.iter().find(|host| host.node == NodeId(id)).cloned().with_context(|| {
                let known: Vec<_> = hosts.iter().map(|host| host.node.to_string()).collect();
                format!("`{}` has no node `{id}` (it has {})", self.cluster.display(), known.join(", "))
            })
        };
        let spec = host(self.node)?;
        let peers = match self.manner.peers.as_slice() {
            [] => hosts.iter().filter(|other| other.node != spec.node).cloned().collect(),
            named => named.iter().map(|id| host(*id)).collect::<anyhow::Result<Vec<_>>>()?,
        };
        ensure!(
            peers.iter().all(|peer| peer.node != spec.node),
            "node `{}` is no peer of its own",
            self.node
        );
        let ports = |host: &HostSpec| std::iter::once(host.broker_port).chain(host.controller_port).collect();
        let peers: Vec<_> = peers
            .iter()
            .map(|peer| Peer { address: peer.address.clone(), here: ports(&spec), there: ports(peer) })
            .collect();
        // Whatever leaves for them, by whichever port: only a run takes links apart.
        let all = || {
            peers.iter().map(|peer| Peer { here: Vec::new(), there: Vec::new(), ..peer.clone() }).collect()
        };
        let needs_peers = matches!(
            self.fault.as_str(),
            "cut" | "loss" | "delay" | "reorder" | "duplicate" | "corrupt" | "bandwidth"
        );
        ensure!(
            !needs_peers || !peers.is_empty(),
            "`{}` needs a peer, and there is one node only",
            self.fault
        );
        let manner = &self.manner;
        let percent = manner.percent;
        let wait = || {
            u32::try_from(manner.ms).map_err(|_| anyhow!("--ms {} is no delay (give 0 or more)", manner.ms))
        };
        let fault = match self.fault.as_str() {
            "kill" => HostFault::Kill,
            "stop" => HostFault::Stop,
            "pause" => HostFault::Pause,
            "restart" => HostFault::Restart,
            "cut" => HostFault::Cut { peers, direction: manner.direction.into(), reset: manner.reset },
            "loss" => HostFault::Loss { peers, percent },
            "delay" => {
                HostFault::Delay { peers: all(), ms: wait()?, jitter_ms: manner.jitter_ms, or_kbit: None }
            }
            "reorder" => HostFault::Reorder { peers: all(), percent, ms: wait()? },
            "duplicate" => HostFault::Duplicate { peers: all(), percent },
            "corrupt" => HostFault::Corrupt { peers: all(), percent },
            "bandwidth" => HostFault::Bandwidth { peers: all(), kbit: manner.kbit },
            "drop-cache" => HostFault::DropCache,
            "power-failure" => HostFault::PowerFailure,
            "slow-disk" => HostFault::SlowDisk { kib: manner.kib },
            "disk-full" => HostFault::DiskFull,
            "read-only" => HostFault::ReadOnly,
            "truncate-log" => HostFault::TruncateLog { log: manner.log.clone(), bytes: manner.bytes },
            "flip-bit" => HostFault::FlipBit { log: manner.log.clone(), seed: manner.seed, stays: false },
            "snapshot" => HostFault::Snapshot,
            "restore-snapshot" => HostFault::RestoreSnapshot { keep_metadata: false },
            "clock-bump" => HostFault::ClockBump { ms: manner.ms },
            "clock-skew" => HostFault::ClockSkew { ppm: manner.ppm },
            "clock-strobe" => HostFault::ClockStrobe { ms: manner.ms, period_ms: manner.period_ms },
            other => bail!("there is no fault `{other}`"),
        };
        Ok((file, spec, fault))
    }
}
