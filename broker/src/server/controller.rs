//! The controller as a server: brokers connect, one JSON object a line. Every message is one step of the
//! state machine, and what they decide together is durable before anyone is told.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use wire::node::{ControllerSpec, NodeEvent};

use super::error::ServeError;
use super::lines::{self, Lines};
use super::node::{self, Stop};
use super::report::Reporter;
use super::{clock, metadata, storage};
use crate::core::settings::Settings;
use crate::core::{
    Controller, ControllerConfig, ControllerEvent, ControllerInput, ControllerOutput, FromController,
    PartitionImage, ToController,
};

const TICK: Duration = Duration::from_millis(20);

/// Messages decided together, at most.
const TOGETHER: usize = 1_000;

/// What a connection's task hands to the state machine; `None` is its end.
type Heard = (u64, Option<ToController>);

/// Serves until told to stop.
pub(super) async fn serve(
    spec: ControllerSpec,
    reporter: &Reporter,
    mut stop: Stop,
) -> Result<(), ServeError> {
    let settings = Settings::new(&spec.settings)?;
    let _lock = storage::lock(&spec.data)?;
    let recovered = metadata::read(&spec.data)?;
    let cluster_id = clock::fresh_id(-1, 0).to_string();
    let config = ControllerConfig { cluster_id, settings };
    let core = Controller::new(config, recovered, clock::millis());
    let mut server = Server {
        spec: &spec,
        reporter,
        core,
        connections: HashMap::new(),
        out: Vec::new(),
        awake: Awake { now_ms: clock::millis(), seen_ms: clock::millis() },
    };
    for (name, topic) in &server.core.snapshot().image.topics {
        (0..).zip(&topic.partitions).for_each(|(number, state)| partition(reporter, name, number, state));
    }
    let (listener, _) = node::listen(spec.listen, reporter).await?;
    let (heard, mut inbox) = mpsc::unbounded_channel::<Heard>();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last_connection = 0;
    loop {
        tokio::select! {
            biased;
            _ = stop.wait() => return Ok(()),
            Some(first) = inbox.recv() => {
                // All that has arrived is decided together: one write of the metadata, not one each.
                let more = std::iter::from_fn(|| inbox.try_recv().ok()).take(TOGETHER - 1);
                for (connection, message) in std::iter::once(first).chain(more).collect::<Vec<_>>() {
                    server.hear(connection, message);
                }
                server.act()?;
            }
            Ok((stream, _)) = listener.accept() => {
                last_connection += 1;
                server.connections.insert(last_connection, connect(last_connection, stream, heard.clone()));
            }
            _ = ticks.tick() => {
                server.step(ControllerInput::Tick);
                server.act()?;
            }
        }
    }
}

/// The time that counts for sessions. While the controller itself was paused, or its disk slow, brokers could
/// not be heard; that must not be held against them, so longer gaps than this do not count.
struct Awake {
    now_ms: u64,
    seen_ms: u64,
}

impl Awake {
    const LONGEST_GAP_MS: u64 = 200;

    fn now_ms(&mut self) -> u64 {
        let seen_ms = clock::millis();
        self.now_ms += seen_ms.saturating_sub(self.seen_ms).min(Self::LONGEST_GAP_MS);
        self.seen_ms = seen_ms;
        self.now_ms
    }
}

struct Server<'a> {
    spec: &'a ControllerSpec,
    reporter: &'a Reporter,
    core: Controller,
    connections: HashMap<u64, mpsc::UnboundedSender<Vec<u8>>>,
    out: Vec<ControllerOutput>,
    awake: Awake,
}

impl Server<'_> {
    fn hear(&mut self, connection: u64, message: Option<ToController>) {
        match message {
            Some(message) => self.step(ControllerInput::Message { connection, message }),
            None => {
                self.connections.remove(&connection);
                self.step(ControllerInput::Disconnected { connection });
            }
        }
    }

    fn step(&mut self, input: ControllerInput) {
        self.core.step(self.awake.now_ms(), input, &mut self.out);
    }

    /// Does what the steps since the last time want done. Snapshots grow out of each other, so the last one
    /// alone is written; and whoever is sent metadata is sent the newest at once, in place of the first.
    fn act(&mut self) -> Result<(), ServeError> {
        let mut snapshots = self.out.iter().filter_map(|output| match output {
            ControllerOutput::Persist(snapshot) => Some(snapshot),
            _ => None,
        });
        if let Some(snapshot) = snapshots.next_back() {
            metadata::write(&self.spec.data, snapshot)?;
        }
        let mut newest: Option<Vec<u8>> = None;
        let mut informed = HashSet::new();
        for output in self.out.drain(..) {
            let (connection, message) = match output {
                ControllerOutput::Persist(_) => continue,
                ControllerOutput::Event(event) => {
                    tell(self.reporter, &event);
                    continue;
                }
                ControllerOutput::Send { connection, message } => (connection, message),
            };
            let Some(sender) = self.connections.get(&connection) else { continue };
            let line = match message {
                FromController::Image(_) if !informed.insert(connection) => continue,
                FromController::Image(_) => {
                    // The same metadata goes to every broker: encoded once.
                    let image = || FromController::Image(self.core.snapshot().image.clone());
                    newest.get_or_insert_with(|| lines::encode(&image())).clone()
                }
                message => lines::encode(&message),
            };
            let _ = sender.send(line);
        }
        Ok(())
    }
}

fn tell(reporter: &Reporter, event: &ControllerEvent) {
    match event {
        ControllerEvent::Partition { topic, partition: number, state } => {
            reporter.log(format_args!(
                "{topic}-{number}: leader {} in epoch {}, in-sync replicas {:?}",
                state.leader, state.leader_epoch, state.isr
            ));
            partition(reporter, topic, *number, state);
        }
        ControllerEvent::Deleted { topic } => reporter.log(format_args!("{topic}: deleted")),
        ControllerEvent::Registered { node, broker_epoch } => {
            reporter.log(format_args!("broker {node}: registered under epoch {broker_epoch}"));
        }
        ControllerEvent::Fenced { node, fenced } => {
            reporter.log(format_args!("broker {node}: {}", if *fenced { "fenced" } else { "unfenced" }));
            reporter.event(&NodeEvent::Fenced { at: clock::nanos(), node: *node, fenced: *fenced });
        }
    }
}

fn partition(reporter: &Reporter, topic: &str, number: i32, state: &PartitionImage) {
    reporter.event(&NodeEvent::PartitionState {
        at: clock::nanos(),
        topic: topic.to_owned(),
        partition: number,
        leader: state.leader,
        epoch: state.leader_epoch,
        isr: state.isr.clone(),
        replicas: state.replicas.clone(),
    });
}

/// Starts the tasks of a connection, and returns where to put the lines to send. Reading and writing are
/// apart: a broker that reads nothing (a held link) must not stop what it says from being heard.
fn connect(
    connection: u64,
    stream: TcpStream,
    heard: mpsc::UnboundedSender<Heard>,
) -> mpsc::UnboundedSender<Vec<u8>> {
    let (sender, mut outbox) = mpsc::unbounded_channel::<Vec<u8>>();
    let _ = SockRef::from(&stream).set_tcp_nodelay(true);
    let (reader, mut writer) = stream.into_split();
    tokio::task::spawn_local(async move {
        let mut lines = Lines::new(reader);
        while let Some(message) = lines.next::<ToController>().await {
            let _ = heard.send((connection, Some(message)));
        }
        // Dropping the sender that the server holds ends the writer too.
        let _ = heard.send((connection, None));
    });
    tokio::task::spawn_local(async move {
        while let Some(line) = outbox.recv().await {
            if writer.write_all(&line).await.is_err() {
                return;
            }
        }
    });
    sender
}
