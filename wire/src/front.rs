//! What a proxy in front of a Kafka cluster must rewrite, so that clients stay behind it: the addresses of
//! brokers in answers, and the versions of answers that it could not rewrite. Everything else passes untouched.
//!
//! Answers to Produce and Fetch name brokers too, from versions 10 and 16 on (KIP-951): the versions before are
//! the last that are offered.

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, DescribeClusterRequest, DescribeClusterResponse,
    FindCoordinatorRequest, FindCoordinatorResponse, MetadataRequest, MetadataResponse, ResponseHeader,
};
use kafka_protocol::protocol::{Decodable, HeaderVersion, Message, Request, StrBytes};

use crate::frame::{self, FrameError};

/// The version that brokers are asked for in.
const QUESTION: i16 = 4;
/// More than an answer about a cluster's brokers ever has.
const ANSWER_MAX: usize = 16 << 20;

/// Where a broker is: its id, host and port.
pub type Broker = (i32, String, u16);

/// The last version of an API that clients may speak through the proxy; `None` is any.
fn last_version(key: i16) -> Option<i16> {
    let is = |api: ApiKey| key == api as i16;
    match key {
        _ if is(ApiKey::Metadata) => Some(MetadataResponse::VERSIONS.max),
        _ if is(ApiKey::FindCoordinator) => Some(FindCoordinatorResponse::VERSIONS.max),
        _ if is(ApiKey::DescribeCluster) => Some(DescribeClusterResponse::VERSIONS.max),
        _ if is(ApiKey::Produce) => Some(9),
        _ if is(ApiKey::Fetch) => Some(15),
        _ => None,
    }
}

/// The requests of one connection whose answers name brokers, or versions.
#[derive(Debug, Default)]
pub struct Session {
    asked: HashMap<i32, (i16, i16)>,
}

impl Session {
    /// Takes note of a request: a frame without its length.
    pub fn request(&mut self, frame: &[u8]) {
        let Some(head) = frame.first_chunk::<8>() else { return };
        let [k0, k1, v0, v1, correlation @ ..] = *head;
        let (key, version) = (i16::from_be_bytes([k0, k1]), i16::from_be_bytes([v0, v1]));
        let named = [ApiKey::Metadata, ApiKey::FindCoordinator, ApiKey::DescribeCluster, ApiKey::ApiVersions];
        if named.iter().any(|api| *api as i16 == key) {
            self.asked.insert(i32::from_be_bytes(correlation), (key, version));
        }
    }

    /// The answer as the client may have it, length included; `None` if it is to pass as it is. `via` tells
    /// where the client finds a broker.
    ///
    /// # Errors
    /// If the answer should be rewritten and is not understood, or `via` fails.
    pub fn answer(
        &mut self,
        frame: &Bytes,
        via: &mut dyn FnMut(Broker) -> Result<(String, u16), FrameError>,
    ) -> Result<Option<Bytes>, FrameError> {
        let correlation = frame.first_chunk::<4>().map(|bytes| i32::from_be_bytes(*bytes));
        let correlation = correlation.ok_or(FrameError::Header)?;
        let Some((key, version)) = self.asked.remove(&correlation) else { return Ok(None) };
        let answer = if key == ApiKey::Metadata as i16 {
            let mut body = decode::<MetadataRequest>(frame, version)?;
            for broker in &mut body.brokers {
                rewrite(broker.node_id.0, &mut broker.host, &mut broker.port, via)?;
            }
            encode(&body, version, correlation)?
        } else if key == ApiKey::FindCoordinator as i16 {
            let mut body = decode::<FindCoordinatorRequest>(frame, version)?;
            rewrite(body.node_id.0, &mut body.host, &mut body.port, via)?;
            for found in &mut body.coordinators {
                rewrite(found.node_id.0, &mut found.host, &mut found.port, via)?;
            }
            encode(&body, version, correlation)?
        } else if key == ApiKey::DescribeCluster as i16 {
            let mut body = decode::<DescribeClusterRequest>(frame, version)?;
            for broker in &mut body.brokers {
                rewrite(broker.broker_id.0, &mut broker.host, &mut broker.port, via)?;
            }
            encode(&body, version, correlation)?
        } else {
            versions(frame, version, correlation)?
        };
        Ok(Some(answer))
    }
}

fn decode<R: Request>(frame: &Bytes, version: i16) -> Result<R::Response, FrameError> {
    let mut rest = frame.clone();
    ResponseHeader::decode(&mut rest, R::Response::header_version(version)).map_err(frame::malformed)?;
    R::Response::decode(&mut rest, version).map_err(frame::malformed)
}

fn encode<B>(body: &B, version: i16, correlation: i32) -> Result<Bytes, FrameError>
where
    B: kafka_protocol::protocol::Encodable + HeaderVersion,
{
    let header = ResponseHeader::default().with_correlation_id(correlation);
    frame::assemble(&header, B::header_version(version), body, version)
}

/// Nobody has no address, and is left alone.
fn rewrite(
    node: i32,
    host: &mut StrBytes,
    port: &mut i32,
    via: &mut dyn FnMut(Broker) -> Result<(String, u16), FrameError>,
) -> Result<(), FrameError> {
    let Ok(real) = u16::try_from(*port) else { return Ok(()) };
    if node < 0 || host.is_empty() {
        return Ok(());
    }
    let (new_host, new_port) = via((node, host.to_string(), real))?;
    *host = StrBytes::from_string(new_host);
    *port = i32::from(new_port);
    Ok(())
}

/// A broker that does not know the version answers in the oldest (KIP-511).
fn versions(frame: &Bytes, version: i16, correlation: i32) -> Result<Bytes, FrameError> {
    let read = |version| {
        let mut rest = frame.clone();
        ResponseHeader::decode(&mut rest, 0).map_err(frame::malformed)?;
        ApiVersionsResponse::decode(&mut rest, version).map_err(frame::malformed)
    };
    let refused = frame.get(4..6).is_some_and(|code| code != [0, 0]);
    let version = if refused { 0 } else { version };
    if version > ApiVersionsResponse::VERSIONS.max {
        return Err(FrameError::Unserved { key: ApiVersionsRequest::KEY, version });
    }
    let mut body: ApiVersionsResponse = read(version)?;
    for api in &mut body.api_keys {
        api.max_version = last_version(api.api_key).map_or(api.max_version, |last| api.max_version.min(last));
    }
    // What the cluster speaks in versions only that the proxy does not understand is not offered at all.
    body.api_keys.retain(|api| api.min_version <= api.max_version);
    let header = ResponseHeader::default().with_correlation_id(correlation);
    frame::assemble(&header, 0, &body, version)
}

/// Asks a broker where all of them are, length included.
///
/// # Errors
/// If the question cannot be said.
pub fn question() -> Result<Bytes, FrameError> {
    let body = MetadataRequest::default().with_topics(Some(Vec::new())).with_allow_auto_topic_creation(false);
    frame::request(&body, QUESTION, 0, "highwater-front")
}

/// Cuts the answer to [`question`] from what has been read so far; `None` means more bytes are needed.
///
/// # Errors
/// If it is no such answer.
pub fn brokers(buffer: &mut BytesMut) -> Result<Option<Vec<Broker>>, FrameError> {
    let Some(frame) = frame::split(buffer, ANSWER_MAX)? else { return Ok(None) };
    let body = decode::<MetadataRequest>(&frame, QUESTION)?;
    let broker = |broker: &kafka_protocol::messages::metadata_response::MetadataResponseBroker| {
        Some((broker.node_id.0, broker.host.to_string(), u16::try_from(broker.port).ok()?))
    };
    Ok(Some(body.brokers.iter().filter_map(broker).collect()))
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::BrokerId;
    use kafka_protocol::messages::api_versions_response::ApiVersion;
    use kafka_protocol::messages::find_coordinator_response::Coordinator;
    use kafka_protocol::messages::metadata_response::MetadataResponseBroker;
    use kafka_protocol::protocol::Encodable;

    use super::*;

    /// The answer without its length, after its request went by.
    fn asked<R: Request>(session: &mut Session, version: i16, body: &R::Response, header: i16) -> Bytes
    where
        R::Response: Encodable,
    {
        let [key, version_bytes] = [R::KEY.to_be_bytes(), version.to_be_bytes()];
        session.request(&[&key[..], &version_bytes, &7_i32.to_be_bytes(), b"and so on"].concat());
        let head = ResponseHeader::default().with_correlation_id(7);
        frame::assemble(&head, header, body, version).expect("an answer").slice(4..)
    }

    fn moved(broker: Broker) -> Result<(String, u16), FrameError> {
        assert_eq!((broker.1.as_str(), broker.2), ("far.example", 9092));
        Ok(("127.0.0.1".to_owned(), 4000 + u16::try_from(broker.0).expect("small")))
    }

    #[test]
    fn brokers_are_found_behind_the_proxy_in_every_version() {
        for version in MetadataResponse::VERSIONS.min..=MetadataResponse::VERSIONS.max {
            let broker = MetadataResponseBroker::default()
                .with_node_id(BrokerId(3))
                .with_host(StrBytes::from_static_str("far.example"))
                .with_port(9092);
            let body = MetadataResponse::default().with_brokers(vec![broker]);
            let mut session = Session::default();
            let header = MetadataResponse::header_version(version);
            let frame = asked::<MetadataRequest>(&mut session, version, &body, header);
            let new = session.answer(&frame, &mut moved).expect("understood").expect("rewritten");
            let (correlation, told) =
                frame::response::<MetadataRequest>(new.slice(4..), version).expect("an answer");
            assert_eq!((correlation, told.brokers[0].port), (7, 4003));
            assert_eq!(told.brokers[0].host.as_str(), "127.0.0.1");
            assert_eq!(session.answer(&frame, &mut moved).expect("passes"), None, "nobody asked for that");
        }
    }

    #[test]
    fn coordinators_are_and_nobody_is_left_alone() {
        for version in FindCoordinatorResponse::VERSIONS.min..=FindCoordinatorResponse::VERSIONS.max {
            let found = |node, host, port| {
                Coordinator::default().with_node_id(BrokerId(node)).with_host(host).with_port(port)
            };
            let far = || StrBytes::from_static_str("far.example");
            let mut body = FindCoordinatorResponse::default();
            if version >= 4 {
                body.coordinators = vec![found(1, far(), 9092), found(-1, StrBytes::default(), -1)];
            } else {
                body = body.with_node_id(BrokerId(1)).with_host(far()).with_port(9092);
            }
            let mut session = Session::default();
            let header = FindCoordinatorResponse::header_version(version);
            let frame = asked::<FindCoordinatorRequest>(&mut session, version, &body, header);
            let new = session.answer(&frame, &mut moved).expect("understood").expect("rewritten");
            let told =
                frame::response::<FindCoordinatorRequest>(new.slice(4..), version).expect("an answer").1;
            match told.coordinators.as_slice() {
                [first, nobody] => assert_eq!((first.port, nobody.port), (4001, -1)),
                _ => assert_eq!(told.port, 4001),
            }
        }
    }

    #[test]
    fn versions_beyond_what_can_be_rewritten_are_not_offered() {
        let api = |key: ApiKey, min, max| {
            ApiVersion::default().with_api_key(key as i16).with_min_version(min).with_max_version(max)
        };
        let apis = vec![
            api(ApiKey::Metadata, 0, 99),
            api(ApiKey::Produce, 3, 13),
            api(ApiKey::FindCoordinator, 98, 99),
            api(ApiKey::Heartbeat, 0, 4),
        ];
        for version in 0..=4 {
            let mut session = Session::default();
            let body = ApiVersionsResponse::default().with_api_keys(apis.clone());
            let frame = asked::<ApiVersionsRequest>(&mut session, version, &body, 0);
            let new = session.answer(&frame, &mut moved).expect("understood").expect("rewritten");
            let told = frame::response::<ApiVersionsRequest>(new.slice(4..), version).expect("an answer").1;
            let offered: Vec<_> = told.api_keys.iter().map(|api| (api.api_key, api.max_version)).collect();
            assert_eq!(offered, [(3, MetadataResponse::VERSIONS.max), (0, 9), (12, 4)]);
        }
    }

    #[test]
    fn a_refusal_of_the_version_comes_in_the_oldest() {
        let mut session = Session::default();
        session.request(&[0, 18, 0, 5, 0, 0, 0, 7]);
        let body = ApiVersionsResponse::default().with_error_code(35);
        let head = ResponseHeader::default().with_correlation_id(7);
        let frame = frame::assemble(&head, 0, &body, 0).expect("an answer").slice(4..);
        let new = session.answer(&frame, &mut moved).expect("understood").expect("said again");
        assert_eq!(new.slice(4..), frame);
    }

    #[test]
    fn the_brokers_of_a_cluster_are_told() {
        let broker = MetadataResponseBroker::default()
            .with_node_id(BrokerId(2))
            .with_host(StrBytes::from_static_str("far.example"))
            .with_port(9092);
        let body = MetadataResponse::default().with_brokers(vec![broker]);
        let mut buffer = BytesMut::from(&encode(&body, QUESTION, 0).expect("an answer")[..]);
        assert!(brokers(&mut BytesMut::from(&buffer[..9])).expect("more is to come").is_none());
        let told = brokers(&mut buffer).expect("understood");
        assert_eq!(told, Some(vec![(2, "far.example".to_owned(), 9092)]));
        assert!(!question().expect("a question").is_empty());
    }
}
