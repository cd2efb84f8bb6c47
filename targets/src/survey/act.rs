//! The child's side: asks, and writes one line.

use std::io::{self, BufRead, Write};
use std::net::TcpStream;
use std::time::Duration;

use rdkafka::ClientConfig;

use super::order::{BrokerReport, Order, Report, Step};
use super::versions::{self, Spoken};
use crate::actors::ActorError;
use crate::causes::with_causes;
use crate::kafka::admin::Admin;
use crate::kafka::properties::put;
use crate::nodes::each;
use crate::process::die_with_parent;

/// Where librdkafka looks if nothing is said.
const KAFKA_PORT: u16 = 9092;

/// Reads an [`Order`] from stdin, looks, and writes what was found to stdout as a line of JSON.
///
/// # Errors
/// If stdin holds no order, or the process that asks is gone.
pub fn run_stdin() -> Result<(), ActorError> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(ActorError::Stdin)?;
    let order: Order = serde_json::from_str(&line).map_err(ActorError::Spec)?;
    die_with_parent(order.parent)?;
    let answer = serde_json::to_string(&look(&order)).map_err(ActorError::Spec)?;
    // A reader that is gone wants no answer.
    let _ = writeln!(io::stdout(), "{answer}");
    Ok(())
}

fn look(order: &Order) -> Result<Report, String> {
    let timeout = Duration::from_millis(order.timeout_ms);
    anybody(&order.bootstrap, timeout)?;
    let mut config = ClientConfig::new();
    for (name, value) in &order.properties {
        config.set(name, value);
    }
    put(&mut config, "bootstrap.servers", &order.bootstrap);
    let admin = Admin::new(&config).map_err(|error| with_causes(&error))?;
    let seen = admin.addresses(timeout).map_err(|error| with_causes(&error))?;
    let mut brokers: Vec<_> = seen
        .brokers
        .into_iter()
        .map(|(node, address)| BrokerReport {
            node,
            address,
            unreached: None,
            apis: None,
            settings: Err(String::new()),
        })
        .collect();
    brokers.sort_by_key(|broker| broker.node);
    if order.brokers {
        let secured = order
            .properties
            .get("security.protocol")
            .is_some_and(|name| !name.eq_ignore_ascii_case("plaintext"));
        let heard = each(&brokers, |broker| versions::ask(&broker.address, timeout, !secured));
        for (broker, heard) in brokers.iter_mut().zip(heard) {
            match heard {
                Ok(Spoken::Apis(apis)) => broker.apis = Some(apis),
                Ok(Spoken::Nothing) => {}
                Err(error) => broker.unreached = Some(error),
            }
            broker.settings = match &broker.unreached {
                None => admin.describe_broker(broker.node, timeout).map_err(|error| with_causes(&error)),
                Some(error) => Err(error.clone()),
            };
        }
    }
    let steps = order.topic.as_ref().map_or_else(Vec::new, |topic| may(&admin, topic, timeout));
    Ok(Report { cluster_id: seen.cluster_id, brokers, steps })
}

/// Whether anybody listens at one of the addresses. librdkafka would wait out its time where nobody does, and
/// not say why.
fn anybody(bootstrap: &str, timeout: Duration) -> Result<(), String> {
    let mut heard = Vec::new();
    for one in bootstrap.split(',').map(str::trim).filter(|one| !one.is_empty()) {
        let address = one.rsplit("://").next().unwrap_or(one);
        let has_port = address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let address = if has_port { address.to_owned() } else { format!("{address}:{KAFKA_PORT}") };
        match connect(&address, timeout) {
            Ok(_) => return Ok(()),
            Err(error) => heard.push(format!("{address}: {error}")),
        }
    }
    Err(format!("no broker of `{bootstrap}` answers ({})", heard.join("; ")))
}

/// Creates, describes and deletes a topic. It is deleted though it could not be described.
fn may(admin: &Admin, topic: &str, timeout: Duration) -> Vec<Step> {
    let step = |action: &str, error: Option<String>| Step { action: action.to_owned(), error };
    let created = admin.create(topic, 1, -1, &std::collections::BTreeMap::new(), timeout);
    let created = created.err().map(|error| with_causes(&error));
    let mut steps = vec![step("create", created)];
    if steps[0].error.is_none() {
        let described = admin.describe(topic, timeout).err().map(|error| with_causes(&error));
        steps.push(step("describe", described));
        steps.push(step("delete", admin.delete(topic, timeout).err().map(|error| with_causes(&error))));
    }
    steps
}

/// A connection to `HOST:PORT`, whichever of its addresses answers first.
pub(super) fn connect(address: &str, timeout: Duration) -> io::Result<TcpStream> {
    use std::net::ToSocketAddrs;
    let mut last = io::Error::new(io::ErrorKind::NotFound, "its name has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}
