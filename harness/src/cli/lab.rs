//! `highwater lab`: Apache Kafka on this machine, as breakable as real hosts.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::{Args, Subcommand, ValueEnum};
use targets::causes::with_causes;
use targets::lab::{self, CLIENTS, KAFKA_VERSION, Kafka, LabError, LabOptions, Layout, Tell};
use targets::nodes::Backend;

use super::interrupt::Interrupt;
use super::{Failure, Outcome, print, quantity};
use crate::exit::Exit;
use crate::state;

const EXAMPLES: &str = "\
Examples:
  highwater lab up --disks                       three brokers, a disk each
  highwater lab up --kafka-home /opt/kafka --set broker.session.timeout.ms=3000
  highwater lab status
  highwater lab down";

const AFTER: &str = "\
The lab's addresses exist in its network namespaces only; `up` prints how a run gets there. Needs root, Java, and
on Debian openssh-server, iproute2, iptables and e2fsprogs; maven to fetch Apache Kafka.";

/// Apache Kafka in network namespaces of this machine, for faults over SSH
#[derive(Args, Debug)]
#[command(before_help = EXAMPLES, after_help = AFTER)]
pub(super) struct LabCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Build the lab and start its brokers
    #[command(before_help = EXAMPLES)]
    Up(UpCommand),
    /// Take the lab down, and prove that nothing is left
    #[command(before_help = EXAMPLES)]
    Down,
    /// Say what there is of a lab
    #[command(before_help = EXAMPLES)]
    Status,
}

#[derive(Args, Debug)]
struct UpCommand {
    /// Brokers, each a controller too
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=9))]
    brokers: u32,
    /// Version of Apache Kafka, from Maven Central
    #[arg(long, value_name = "VERSION", default_value = KAFKA_VERSION, conflicts_with = "kafka_home")]
    kafka: String,
    /// A Kafka distribution, or a folder of its jars, instead [default: the variable HIGHWATER_KAFKA_HOME]
    #[arg(long, value_name = "DIR")]
    kafka_home: Option<PathBuf>,
    /// A disk image with ext4 for each broker, which power failures and disk faults need
    #[arg(long)]
    disks: bool,
    /// Heap of a broker, in MiB
    #[arg(long, value_name = "N", default_value_t = lab::HEAP_MB, value_parser = clap::value_parser!(u32).range(128..=65536))]
    heap_mb: u32,
    /// What reaches the hosts: the library in this program, or the system's ssh
    #[arg(long, value_enum, value_name = "NAME", default_value_t = SshBackend::Ssh2)]
    ssh_backend: SshBackend,
    /// Brokers by a clock of libfaketime, which faults of clocks can move
    #[arg(long)]
    faketime: bool,
    /// A broker setting by Kafka's name
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = quantity::pair)]
    set: Vec<(String, String)>,
}

#[derive(ValueEnum, Debug, Clone, Copy)]
enum SshBackend {
    Ssh2,
    Openssh,
}

impl From<SshBackend> for Backend {
    fn from(backend: SshBackend) -> Self {
        match backend {
            SshBackend::Ssh2 => Self::Ssh2,
            SshBackend::Openssh => Self::OpenSsh,
        }
    }
}

impl LabCommand {
    pub(super) fn execute(self) -> Outcome {
        let dir = state::lab();
        match self.action {
            Action::Up(up) => up.execute(dir),
            Action::Down => {
                lab::down(&dir)
                    .map_err(|error| Failure::new(Exit::CleanUpFailed, anyhow!(with_causes(&error))))?;
                // Faults of hosts that are gone are gone with them.
                let file = Layout { dir, brokers: 0, faketime: false }.cluster_file();
                let journal = state::journal()?;
                for entry in journal.entries()?.iter().filter(|entry| entry.cluster_file == file) {
                    journal.close(&entry.id)?;
                }
                print("no lab is left\n")?;
                Ok(Exit::Held)
            }
            Action::Status => {
                let found = lab::leftovers(&dir).map_err(failure)?;
                print(&if found.is_empty() { "no lab\n".to_owned() } else { format!("{found}\n") })?;
                Ok(Exit::Held)
            }
        }
    }
}

fn failure(error: LabError) -> Failure {
    let exit = if matches!(error, LabError::Left(_)) { Exit::CleanUpFailed } else { Exit::Unreachable };
    Failure::new(exit, anyhow!(with_causes(&error)))
}

/// Tells the steps of a building on stderr, until a signal ends it.
pub(crate) struct Building<'a> {
    /// What lines begin with.
    pub(crate) beginning: &'a str,
    /// What ends it.
    pub(crate) interrupt: &'a Interrupt,
    /// Nothing is told.
    pub(crate) quiet: bool,
}

impl Tell for Building<'_> {
    fn step(&mut self, what: &str) {
        if !self.quiet {
            eprintln!("{}: {what}", self.beginning);
        }
    }

    fn go_on(&self) -> bool {
        self.interrupt.go_on()
    }
}

impl UpCommand {
    fn execute(self, dir: PathBuf) -> Outcome {
        let home = self.kafka_home.or_else(state::kafka_home);
        let kafka = home.map_or(Kafka::Version(self.kafka), Kafka::Home);
        let mut options = LabOptions::new(dir, state::cache(), kafka);
        (options.brokers, options.disks, options.heap_mb) = (self.brokers, self.disks, self.heap_mb);
        options.faketime = self.faketime;
        options.settings.extend(self.set);
        options.backend = self.ssh_backend.into();
        let interrupt = Interrupt::watch()?;
        let built =
            lab::up(&options, &mut Building { beginning: "lab", interrupt: &interrupt, quiet: false });
        let layout = built.map_err(|error| match (error, interrupt.exit()) {
            (error @ LabError::Stopped, Some(exit)) => Failure::new(exit, anyhow!(error)),
            (error, _) => failure(error),
        })?;
        let (bootstrap, file) = (layout.bootstrap(), layout.cluster_file());
        print(&format!(
            "bootstrap     {bootstrap}\ncluster file  {file}\n\
             run           highwater run --target lab\n\
             clients       nsenter --net=/run/netns/{CLIENTS} kcat -b {bootstrap} -L\n\
             break         highwater nemesis apply FAULT --cluster {file} --node N\n",
            file = file.display()
        ))?;
        Ok(Exit::Held)
    }
}
