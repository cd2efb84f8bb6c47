//! A reference cluster that stays up for other people's clients, until a signal ends it, and is broken and
//! mended meanwhile by whoever asks for it over its control socket.

pub(crate) mod control;
mod faults;
pub(crate) mod folder;
pub(crate) mod protocol;
mod settings;

use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context, anyhow};
use history::{Note, Profile};
use targets::process::Supervisor;
use targets::reference::{ClusterOptions, Proxied, ReferenceCluster};

use self::control::{Asked, Control};
use self::faults::Faults;
use self::folder::Folder;
use self::protocol::{Answer, Undone};
use crate::cli::{Failure, print};
use crate::exit::Exit;
use crate::runner::{SignalWatch, Verbosity};

/// How often the cluster is looked at between signals.
const LOOK: Duration = Duration::from_millis(100);

/// Longer than the production profile's broker session, which a restart on old data has to wait for.
const START_WITHIN: Duration = Duration::from_secs(60);

/// What is to be started.
#[derive(Debug)]
pub(crate) struct UpOptions {
    /// How many brokers; `None` is what the folder holds, else three.
    pub(crate) nodes: Option<u32>,
    /// Broker settings as given.
    pub(crate) set: Vec<(String, String)>,
    /// Where data stays; `None` is nowhere.
    pub(crate) data: Option<PathBuf>,
    /// The first broker's port; the others follow.
    pub(crate) port_base: Option<u16>,
    /// Time-outs where none are set.
    pub(crate) profile: Profile,
    /// A planted flaw, by catalog name.
    pub(crate) flaw: Option<String>,
    /// How much goes to stderr.
    pub(crate) verbosity: Verbosity,
}

/// What the cluster waits for.
enum Wake {
    Signal,
    Asked(Asked),
}

/// Starts a cluster, prints its bootstrap list, and keeps it up until SIGINT or SIGTERM.
///
/// # Errors
/// Usage, if a setting or the folder is wrong; unreachable, if the cluster does not come up, loses its
/// controller, or does not go down in an orderly way.
pub(crate) fn up(options: &UpOptions) -> Result<Exit, Failure> {
    // Before anything is started: a signal during the start is then not lost.
    let (sender, wakes) = channel();
    let _watch = SignalWatch::start(sender.clone(), |_| Wake::Signal)
        .map_err(|error| Failure::new(Exit::Bug, error))?;
    let mut folder = Folder::open(options.data.as_deref())?;
    let nodes = folder.nodes(options.nodes)?;
    let ports = folder.ports(options.port_base, nodes)?;
    let settings = settings::settle(&options.set, options.profile, nodes)?;
    let say = |text: String| {
        if options.verbosity >= Verbosity::Normal {
            eprintln!("{text}");
        }
    };

    let mut cluster_options =
        ClusterOptions::new(nodes, folder.path().join("nodes"), folder.path().join("logs"))?;
    cluster_options.settings = settings.effective;
    cluster_options.flaw.clone_from(&options.flaw);
    cluster_options.ports = ports;
    // Faults cut nodes off from each other, never from their clients: those need no detour.
    cluster_options.proxied = Proxied::Nodes;
    cluster_options.start_within = START_WITHIN;
    let unreachable = |error: anyhow::Error| Failure::new(Exit::Unreachable, error);
    let supervisor = Supervisor::new().map_err(|error| Failure::new(Exit::Bug, error))?;
    let mut cluster = ReferenceCluster::start(cluster_options, &supervisor)
        .map_err(|error| unreachable(anyhow::Error::new(error)))?;
    folder.remember(nodes, cluster.broker_ports())?;
    let control = Control::listen(folder.path(), &sender, Wake::Asked).with_context(|| {
        format!("failed to listen in `{}` (choose another --data)", folder.path().display())
    })?;
    let mut faults = Faults::default();

    say(format!("data in {}{}", folder.path().display(), folder.fate()));
    say(format!("logs in {}", folder.path().join("logs").display()));
    say(format!("set: {}", settings.said.join(" ")));
    print(&cluster.bootstrap())?;
    say(format!("{nodes} nodes are ready; Ctrl-C or SIGTERM ends them"));

    loop {
        match wakes.recv_timeout(LOOK) {
            Ok(Wake::Signal) => break,
            Ok(Wake::Asked(Asked { request, reply })) => {
                let answer = faults.handle(request, &mut cluster);
                told(&answer).into_iter().for_each(&say);
                // Whoever asked may be gone; the cluster is as it is all the same.
                let _ = reply.send(answer);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(unreachable(anyhow!("the signal thread is gone")));
            }
        }
        faults.expire(&mut cluster).iter().map(healed).for_each(&say);
        for (_, note) in cluster.events() {
            if let Some(text) = line(&note, options.verbosity) {
                say(text);
            }
        }
        if let Some(how) = cluster.controller_failure() {
            return Err(unreachable(anyhow!("the controller {how}")));
        }
    }
    drop(control);
    say("ending the cluster; another signal kills it".to_owned());
    // Whoever is impatient need not wait for the nodes to finish in order; they die with this process.
    std::thread::spawn(move || {
        // Requests that come too late are answered by their sender's end.
        if wakes.iter().any(|wake| matches!(wake, Wake::Signal)) {
            std::process::exit(i32::from(Exit::Terminated.code()));
        }
    });
    faults.end(&mut cluster).iter().map(healed).for_each(&say);
    cluster.shutdown().context("the cluster did not end in an orderly way").map_err(unreachable)?;
    Ok(Exit::Held)
}

fn told(answer: &Answer) -> Vec<String> {
    match answer {
        Answer::Applied(fault) => vec![fault.to_string()],
        Answer::Undone(undone) => undone.iter().map(Undone::to_string).collect(),
        Answer::Failed(reason) | Answer::Unhealed(reason) => vec![reason.clone()],
        Answer::Refused(_) | Answer::Status(_) => Vec::new(),
    }
}

fn healed(result: &Result<Undone, String>) -> String {
    match result {
        Ok(undone) => undone.to_string(),
        Err(reason) => reason.clone(),
    }
}

fn line(note: &Note, verbosity: Verbosity) -> Option<String> {
    match note {
        Note::NodeDied { node, status } => Some(format!("node {} died: {status} (it stays down)", node.0)),
        Note::Fenced { node, fenced } if verbosity >= Verbosity::Verbose => {
            Some(format!("node {} is {}", node.0, if *fenced { "fenced" } else { "unfenced" }))
        }
        _ => None,
    }
}
