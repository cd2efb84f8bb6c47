//! Combinations of settings that cannot be: each is refused with one clear error before anything starts.

use std::collections::BTreeMap;

use history::{Cell, Scope};

use super::aliases::own_name;
use super::names::ENTRIES;

/// Requests that an idempotent producer may have in flight (KIP-98: brokers remember five batches).
pub(super) const IDEMPOTENT_IN_FLIGHT_MAX: u64 = 5;
/// librdkafka's default.
const MESSAGE_TIMEOUT_MS: u64 = 300_000;

/// A combination of settings that cannot be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CombinationError {
    /// Idempotence needs acks=all.
    #[error(
        "`enable.idempotence=true` needs `acks=all`, not `acks={acks}` (set acks=all, or switch idempotence off)"
    )]
    IdempotenceAcks {
        /// As given.
        acks: String,
    },
    /// Idempotence needs at most five requests in flight.
    #[error(
        "`enable.idempotence=true` allows at most 5 `max.in.flight.requests.per.connection`, not {in_flight}"
    )]
    IdempotenceInFlight {
        /// As given.
        in_flight: u64,
    },
    /// Idempotence needs retries.
    #[error("`enable.idempotence=true` needs `retries` of at least 1 (leave retries unset)")]
    IdempotenceRetries,
    /// The ISR can never be that large.
    #[error(
        "`min.insync.replicas={min_insync}` is more than `replication.factor={replicas}`: no write could ever be \
         acknowledged (lower min.insync.replicas or raise replication.factor)"
    )]
    MinInsync {
        /// As given.
        min_insync: u64,
        /// As given.
        replicas: u64,
    },
    /// There are not that many brokers.
    #[error("`replication.factor={replicas}` is more than the {nodes} nodes of the cluster (lower it)")]
    Replicas {
        /// As given.
        replicas: u64,
        /// Nodes of the reference cluster.
        nodes: u64,
    },
    /// The coordinator decides it under the newer protocol.
    #[error(
        "`group.protocol=consumer` leaves `{name}` to the brokers (leave it out; they have group.consumer.session.timeout.ms and group.consumer.heartbeat.interval.ms)"
    )]
    ConsumerProtocol {
        /// As given.
        name: &'static str,
    },
    /// A member would be out before it may have polled.
    #[error(
        "`session.timeout.ms={session}` is more than `max.poll.interval.ms={poll}` (raise max.poll.interval.ms)"
    )]
    PollInterval {
        /// As given.
        session: u64,
        /// As given.
        poll: u64,
    },
    /// Records would time out before they are sent.
    #[error("`delivery.timeout.ms={timeout}` is not more than `linger.ms={linger}` (raise it)")]
    Linger {
        /// As given.
        timeout: u64,
        /// As given.
        linger: u64,
    },
}

/// What a member of the newer protocol is told by its coordinator instead (KIP-848); librdkafka refuses these then.
const CLASSIC_ONLY: [&str; 3] =
    ["heartbeat.interval.ms", "partition.assignment.strategy", "session.timeout.ms"];

/// A producer's properties by their own names: what was set, and what was passed verbatim, which wins.
fn producer_properties(cell: &Cell) -> BTreeMap<&str, String> {
    let table = |name: &str| ENTRIES.iter().find(|row| row.scope == Scope::Producer && row.name == name);
    let set = cell.producer.iter().filter_map(|(name, value)| table(name)?.property(value));
    let verbatim = cell.librdkafka.iter().map(|(name, value)| (name.as_str(), value.clone()));
    set.chain(verbatim).map(|(name, value)| (own_name(name), value)).collect()
}

/// Refuses combinations that cannot be, verbatim properties included; `nodes` is known for the reference
/// cluster only.
///
/// # Errors
/// The first impossible combination.
pub fn check_combinations(cell: &Cell, nodes: Option<u32>) -> Result<(), CombinationError> {
    let properties = producer_properties(cell);
    let number = |own: &str| properties.get(own).and_then(|value| value.parse::<u64>().ok());
    if properties.get("enable.idempotence").is_some_and(|value| value == "true") {
        let acks = properties.get("request.required.acks").map_or("all", String::as_str);
        if acks != "all" && acks != "-1" {
            return Err(CombinationError::IdempotenceAcks { acks: acks.to_owned() });
        }
        let in_flight = number("max.in.flight.requests.per.connection");
        if let Some(in_flight) = in_flight.filter(|count| *count > IDEMPOTENT_IN_FLIGHT_MAX) {
            return Err(CombinationError::IdempotenceInFlight { in_flight });
        }
        if number("message.send.max.retries") == Some(0) {
            return Err(CombinationError::IdempotenceRetries);
        }
    }
    check_members(cell)?;
    let topic = |name: &str| cell.topic.get(name).and_then(|value| value.parse::<u64>().ok());
    let replicas = topic("replication.factor").unwrap_or(1);
    if let Some(min_insync) = topic("min.insync.replicas").filter(|count| *count > replicas) {
        return Err(CombinationError::MinInsync { min_insync, replicas });
    }
    if let Some(nodes) = nodes.map(u64::from).filter(|nodes| replicas > *nodes) {
        return Err(CombinationError::Replicas { replicas, nodes });
    }
    let timeout = number("message.timeout.ms").unwrap_or(MESSAGE_TIMEOUT_MS);
    // 0 is no time-out.
    if let Some(linger) = number("queue.buffering.max.ms").filter(|linger| 0 < timeout && timeout <= *linger)
    {
        return Err(CombinationError::Linger { timeout, linger });
    }
    Ok(())
}

/// Settings of members that cannot be together.
fn check_members(cell: &Cell) -> Result<(), CombinationError> {
    let given = |name: &str| cell.librdkafka.get(name).or_else(|| cell.consumer.get(name));
    if given("group.protocol").is_some_and(|protocol| protocol == "consumer")
        && let Some(name) = CLASSIC_ONLY.into_iter().find(|name| given(name).is_some())
    {
        return Err(CombinationError::ConsumerProtocol { name });
    }
    let number = |name: &str| given(name).and_then(|value| value.parse::<u64>().ok());
    match (number("session.timeout.ms"), number("max.poll.interval.ms")) {
        (Some(session), Some(poll)) if session > poll => {
            Err(CombinationError::PollInterval { session, poll })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(settings: &[(Scope, &str, &str)]) -> Cell {
        let mut cell = Cell::default();
        for (scope, name, value) in settings {
            cell.scope_mut(*scope).insert((*name).to_owned(), (*value).to_owned());
        }
        cell
    }

    #[test]
    fn impossible_combinations_are_refused() {
        use Scope::{Producer, Topic};
        let idempotent = (Producer, "enable.idempotence", "true");
        let refused =
            |settings: &[(Scope, &str, &str)]| check_combinations(&cell(settings), Some(3)).is_err();
        assert!(refused(&[idempotent, (Producer, "acks", "0")]));
        assert!(refused(&[idempotent, (Producer, "acks", "1")]));
        assert!(refused(&[idempotent, (Producer, "max.in.flight.requests.per.connection", "6")]));
        assert!(refused(&[idempotent, (Producer, "retries", "0")]));
        assert!(refused(&[(Topic, "min.insync.replicas", "3"), (Topic, "replication.factor", "2")]));
        assert!(refused(&[(Topic, "replication.factor", "4")]));
        assert!(refused(&[(Producer, "linger.ms", "100"), (Producer, "delivery.timeout.ms", "100")]));
        assert!(!refused(&[idempotent, (Producer, "acks", "all"), (Topic, "replication.factor", "3")]));
    }

    #[test]
    fn what_is_passed_verbatim_counts_under_every_name_and_wins() {
        let check = |acks: &str, verbatim: &[(&str, &str)]| {
            let mut cell =
                cell(&[(Scope::Producer, "enable.idempotence", "true"), (Scope::Producer, "acks", acks)]);
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            cell.librdkafka = verbatim.iter().map(owned).collect();
            check_combinations(&cell, None)
        };
        let in_flight = Err(CombinationError::IdempotenceInFlight { in_flight: 10 });
        assert_eq!(check("all", &[("max.in.flight", "10")]), in_flight);
        let acks = Err(CombinationError::IdempotenceAcks { acks: "1".to_owned() });
        assert_eq!(check("all", &[("request.required.acks", "1")]), acks);
        assert_eq!(
            check("all", &[("message.send.max.retries", "0")]),
            Err(CombinationError::IdempotenceRetries)
        );
        assert_eq!(check("1", &[("acks", "all")]), Ok(()));
        assert_eq!(check("1", &[("enable.idempotence", "false")]), Ok(()));
    }
}
