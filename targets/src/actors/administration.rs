//! What the admin actor does where a fault is a request to the cluster: it looks, asks, and puts on record what
//! the cluster says of it.

use std::collections::BTreeMap;
use std::time::Duration;

use history::Note;

use super::entry::ActorError;
use super::protocol::{AdminReply, AdminRequest};
use super::shared::Session;
use crate::kafka::admin::{Admin, AdminError};

/// The topic's settings as they were last put on record.
pub(super) type Known = Option<BTreeMap<String, String>>;

/// Every setting of the topic, on record where something has changed.
pub(super) fn describe(
    session: &mut Session,
    admin: &Admin,
    known: &mut Known,
    timeout: Duration,
) -> Result<Result<AdminReply, AdminError>, ActorError> {
    let topic = session.plan().topic.clone();
    let described = admin.describe(&topic, timeout).and_then(|mut settings| {
        // Not a topic setting to Kafka, and as much a part of what is promised.
        let (_, partitions) = admin.view(&topic, timeout)?;
        if let Some(replicas) = partitions.iter().map(|view| view.replicas.len()).min() {
            settings.insert("replication.factor".to_owned(), replicas.to_string());
        }
        Ok(settings)
    });
    if let Ok(settings) = &described
        && known.as_ref() != Some(settings)
    {
        *known = Some(settings.clone());
        session.note(Note::EffectiveTopic { settings: settings.clone() })?;
    }
    Ok(described.map(|settings| AdminReply::Settings { settings }))
}

/// Asks the cluster for a change; requests for anything else do nothing.
pub(super) fn change(session: &Session, admin: &Admin, request: &AdminRequest) -> Result<(), AdminError> {
    let topic = &session.plan().topic;
    match request {
        AdminRequest::Reassign { partition, replicas, timeout_ms } => {
            admin.reassign(topic, *partition, replicas, Duration::from_millis(*timeout_ms))
        }
        AdminRequest::Elect { unclean, partitions, timeout_ms } => {
            admin.elect(topic, *unclean, partitions, Duration::from_millis(*timeout_ms))
        }
        AdminRequest::AddPartitions { total, timeout_ms } => {
            admin.add_partitions(topic, *total, Duration::from_millis(*timeout_ms))
        }
        AdminRequest::AlterTopic { name, value, timeout_ms } => {
            admin.alter(topic, name, value.as_deref(), Duration::from_millis(*timeout_ms))
        }
        _ => Ok(()),
    }
}
