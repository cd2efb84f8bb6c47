//! The admin: creates and describes the topic, watches its partitions, writes the fences, deletes the
//! topic. The runner itself holds no Kafka client.

use std::collections::BTreeMap;
use std::time::Duration;

use history::record::{HEADER_BYTES, encode};
use history::{ErrorCode, Event, FENCE_PRODUCER, Nanos, Note, Offset, Partition, Tag, clock};
use rdkafka::ClientConfig;
use workloads::client::{Accepted, Outgoing, Producer};

use super::administration::{Known, change, describe};
use super::entry::ActorError;
use super::protocol::{ActorEvent, AdminReply, AdminRequest, Command};
use super::shared::Session;
use crate::causes::with_causes;
use crate::kafka::admin::{Admin, AdminError, PartitionView};
use crate::kafka::producer::KafkaProducer;
use crate::kafka::properties::{Use, group_of, put};
use crate::secure::Security;

const ASK: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(30);

/// What was last put on record.
#[derive(Default)]
struct Seen {
    partitions: BTreeMap<Partition, PartitionView>,
    settings: Known,
}

pub(super) fn act(mut session: Session) -> Result<(), ActorError> {
    let config = session.config(Use::Admin);
    let mut admin = Admin::new(&config)?;
    // Where these cannot be followed, what needs it is refused when the run is planned.
    if let Ok(security) = Security::of(&session.spec.verbatim) {
        admin = admin.asking(security);
    }
    session.begin(Some(&config))?;
    let mut seen = Seen::default();
    while let Ok(command) = session.commands.recv() {
        match command {
            Command::Stop => break,
            Command::Admin { id, request } => {
                let reply = answer(&mut session, &admin, &config, &mut seen, &request)?;
                session.say(&ActorEvent::Reply { id, reply });
            }
            Command::Go { .. } | Command::Finish { .. } | Command::Partitions { .. } => {}
        }
    }
    session.note(Note::SessionClosed)?;
    session.done(0);
    Ok(())
}

fn answer(
    session: &mut Session,
    admin: &Admin,
    config: &ClientConfig,
    seen: &mut Seen,
    request: &AdminRequest,
) -> Result<AdminReply, ActorError> {
    let topic = session.plan().topic.clone();
    let reply = match request {
        AdminRequest::Probe { timeout_ms } => {
            admin.probe(Duration::from_millis(*timeout_ms)).map(|cluster| AdminReply::Cluster { cluster })
        }
        AdminRequest::CreateTopic { may_exist, timeout_ms } => {
            create(session, admin, *may_exist, deadline(*timeout_ms))
                .map(|partitions| AdminReply::Partitions { partitions })
        }
        AdminRequest::DescribeTopic { timeout_ms } => {
            describe(session, admin, &mut seen.settings, Duration::from_millis(*timeout_ms))?
        }
        AdminRequest::View { record, timeout_ms } => {
            let view = admin.view(&topic, Duration::from_millis(*timeout_ms));
            if let (true, Ok((_, partitions))) = (*record, &view) {
                watch(session, &mut seen.partitions, partitions)?;
            }
            view.map(|(brokers, partitions)| AdminReply::View { brokers, partitions })
        }
        AdminRequest::Fence { partitions, timeout_ms } => {
            return fence(session, config, *partitions, deadline(*timeout_ms));
        }
        AdminRequest::DeleteGroup { timeout_ms } => {
            let group = group_of(&session.plan().run);
            admin.delete_group(&group, Duration::from_millis(*timeout_ms)).map(|()| AdminReply::Done)
        }
        AdminRequest::DeleteTopic { timeout_ms } => {
            admin.delete(&topic, Duration::from_millis(*timeout_ms)).map(|()| AdminReply::Done)
        }
        AdminRequest::Reassign { .. }
        | AdminRequest::Elect { .. }
        | AdminRequest::AddPartitions { .. }
        | AdminRequest::AlterTopic { .. } => change(session, admin, request).map(|()| AdminReply::Done),
        AdminRequest::OwnSettings { timeout_ms } => admin
            .own_settings(&topic, Duration::from_millis(*timeout_ms))
            .map(|settings| AdminReply::Settings { settings }),
    };
    Ok(reply.unwrap_or_else(|error| {
        let unreachable = matches!(error, AdminError::Unreachable { .. });
        AdminReply::Failed { reason: with_causes(&error), unreachable }
    }))
}

fn deadline(timeout_ms: u64) -> Nanos {
    Nanos(clock::now().0 + timeout_ms * 1_000_000)
}

/// Creates the topic, and waits until every partition has a leader and a full ISR.
fn create(
    session: &Session,
    admin: &Admin,
    may_exist: bool,
    deadline: Nanos,
) -> Result<Vec<PartitionView>, AdminError> {
    let plan = session.plan();
    let mut settings = plan.cell.topic.clone();
    let replicas = settings.remove("replication.factor").and_then(|value| value.parse().ok()).unwrap_or(-1);
    let left = || Duration::from_nanos(deadline.since(clock::now())).max(PAUSE);
    match admin.create(&plan.topic, plan.load.partitions, replicas, &settings, left()) {
        Err(AdminError::Exists(_)) if may_exist => {}
        created => created?,
    }
    loop {
        let views = admin.partitions(&plan.topic, ASK.min(left()));
        let ready = |views: &Vec<PartitionView>| {
            views.len() >= plan.load.partitions as usize
                && views.iter().all(|view| view.leader.is_some() && view.isr.len() == view.replicas.len())
        };
        match views {
            Ok(views) if ready(&views) || clock::now() >= deadline => return Ok(views),
            Err(error) if clock::now() >= deadline => return Err(error),
            _ => std::thread::sleep(PAUSE),
        }
    }
}

/// Puts the partitions that changed on record; metadata through the client library tells no epochs.
fn watch(
    session: &mut Session,
    seen: &mut BTreeMap<Partition, PartitionView>,
    views: &[PartitionView],
) -> Result<(), ActorError> {
    for view in views {
        if seen.get(&view.partition) != Some(view) {
            seen.insert(view.partition, view.clone());
            let PartitionView { partition, leader, isr, replicas } = view.clone();
            session.note(Note::PartitionState { partition, leader, epoch: -1, isr, replicas })?;
        }
    }
    Ok(())
}

/// Writes one fence record to every partition, with acks=all whatever the workload uses, again and again
/// until each is acknowledged or the deadline has passed.
fn fence(
    session: &mut Session,
    config: &ClientConfig,
    partitions: u32,
    deadline: Nanos,
) -> Result<AdminReply, ActorError> {
    let mut config = config.clone();
    let left_ms = deadline.since(clock::now()) / 1_000_000;
    put(&mut config, "acks", "all");
    put(&mut config, "linger.ms", "0");
    put(&mut config, "message.timeout.ms", &left_ms.clamp(100, 5000).to_string());
    put(&mut config, "enable.idempotence", "false");
    put(&mut config, "transactional.id", "");
    let mut client = KafkaProducer::new(&config, &session.plan().topic)?;
    let run = session.plan().run_hash;
    let mut open: BTreeMap<Partition, u64> = (0..partitions).map(|number| (Partition(number), 0)).collect();
    let mut fences: BTreeMap<Partition, Offset> = BTreeMap::new();
    let (mut completions, mut remarks, mut payload) = (Vec::new(), Vec::new(), Vec::new());
    let mut attempt = 0;
    while !open.is_empty() && clock::now() < deadline {
        for (partition, in_flight) in open.iter_mut().filter(|(_, in_flight)| **in_flight == 0) {
            attempt += 1;
            let tag = Tag { producer: FENCE_PRODUCER, session: attempt, seq: u64::from(partition.0) };
            encode(run, tag, HEADER_BYTES, &mut payload);
            let record = Outgoing {
                token: u64::from(partition.0),
                partition: Some(*partition),
                key: None,
                payload: &payload,
            };
            *in_flight = u64::from(client.send(record) == Accepted::Queued);
        }
        client.poll(PAUSE, &mut completions, &mut remarks);
        for completion in completions.drain(..) {
            let partition =
                Partition(u32::try_from(completion.token).expect("partitions are counted in 32 bits"));
            match completion.offset {
                Some(offset) if completion.error == ErrorCode::NONE => {
                    open.remove(&partition);
                    fences.insert(partition, offset);
                    session.record(completion.at, &Event::Note(Note::FenceAcked { partition, offset }))?;
                }
                _ => drop(open.insert(partition, 0)),
            }
        }
        session.remarks(&mut remarks)?;
    }
    Ok(AdminReply::Fences { fences })
}
