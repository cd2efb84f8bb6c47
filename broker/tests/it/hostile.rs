//! What strangers send: garbage, lies about lengths, halves of requests, floods of connections, and requests
//! whose answers nobody reads. The node serves everybody else meanwhile, and does not end.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use kafka_protocol::messages::ApiVersionsRequest;
use wire::frame;
use wire::schema::APIS;

use crate::client::{self, Client};
use crate::cluster::{Cluster, PATIENCE, until};
use crate::replication::{leader, produce, read_all};

const TOPIC: &str = "orders";
/// Frames sent by default; `HIGHWATER_FRAMES=N` sends as many as that.
const FRAMES: u64 = 400;

/// The same numbers for the same seed (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap_or(0)
    }
}

fn cluster() -> (Cluster, SocketAddr) {
    let cluster = Cluster::start(&[]);
    let mut client = Client::connect(cluster.address(1)).expect("connects");
    assert_eq!(client.create_topic(TOPIC, 1, 3, &[]), 0);
    produce(&cluster, "before");
    let address = cluster.address(leader(&cluster).0);
    (cluster, address)
}

/// The node still takes connections, requests and records.
fn serves(cluster: &Cluster, address: SocketAddr) {
    let answered =
        until("an answer", || Client::connect(address).ok()?.ask(&ApiVersionsRequest::default(), 0).ok());
    assert_eq!(answered.error_code, 0);
    let last = produce(cluster, "after");
    assert!(read_all(cluster, last).len() > 1);
}

fn strange(address: SocketAddr) -> TcpStream {
    let stream = until("a connection", || TcpStream::connect(address).ok());
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    stream
}

/// A frame that begins as a request of a served API and goes on with anything.
fn garbage(numbers: &mut Numbers) -> Vec<u8> {
    let api = &APIS[numbers.below(APIS.len())];
    let versions = usize::try_from(api.max - api.min + 1).expect("a range");
    let version = api.min + i16::try_from(numbers.below(versions)).expect("small");
    let mut body = Vec::new();
    body.extend((api.key as i16).to_be_bytes());
    body.extend(version.to_be_bytes());
    body.extend(7_i32.to_be_bytes());
    body.extend((-1_i16).to_be_bytes());
    for _ in 0..numbers.below(120) {
        // Mostly zeros: all garbage ends at the first length, and nothing behind it is read.
        let byte = if numbers.below(3) == 0 { numbers.next() as u8 } else { 0 };
        body.push(byte);
    }
    let length = i32::try_from(body.len()).expect("short");
    let mut frame = length.to_be_bytes().to_vec();
    frame.extend(body);
    frame
}

#[test]
fn garbage_ends_its_connection_and_nothing_else() {
    let (cluster, address) = cluster();
    let frames = std::env::var("HIGHWATER_FRAMES").ok().and_then(|text| text.parse().ok()).unwrap_or(FRAMES);
    for seed in 0..frames {
        let mut numbers = Numbers(seed);
        let mut stream = strange(address);
        stream.set_read_timeout(Some(Duration::from_millis(5))).expect("a time-out");
        for _ in 0..=numbers.below(4) {
            // The node may have closed it after the one before.
            let _ = stream.write_all(&garbage(&mut numbers));
        }
        if numbers.below(2) == 0 {
            let _ = stream.shutdown(Shutdown::Write);
        }
        let _ = stream.read(&mut [0; 256]);
    }
    serves(&cluster, address);
}

#[test]
fn lengths_that_lie_close_the_connection_at_once() {
    let (cluster, address) = cluster();
    for length in [i32::MAX, -1, i32::MIN, i32::try_from(frame::MAX_REQUEST).expect("fits") + 1, 3] {
        let mut stream = strange(address);
        stream.write_all(&length.to_be_bytes()).expect("writes");
        stream.write_all(&[0; 16]).expect("writes");
        let mut rest = Vec::new();
        let read = stream.read_to_end(&mut rest);
        assert!(rest.is_empty(), "{length}: no answer to {read:?}");
    }
    serves(&cluster, address);
}

#[test]
fn halves_of_requests_and_halves_of_connections_cost_nothing() {
    let (cluster, address) = cluster();
    let whole = frame::request(&client::fetch(TOPIC, 0, 0), 12, 1, "half").expect("encodes");
    let mut open = Vec::new();
    for cut in 1..whole.len() {
        let mut stream = strange(address);
        stream.write_all(&whole[..cut]).expect("writes");
        if cut % 2 == 0 {
            stream.shutdown(Shutdown::Write).expect("closes its half");
            assert_eq!(stream.read(&mut [0; 16]).expect("the other half closes too"), 0);
        } else {
            open.push(stream);
        }
    }
    serves(&cluster, address);
}

/// A flood of connections that each claim a large request and send little of it.
#[test]
fn a_flood_of_connections_leaves_room_for_the_others() {
    let (cluster, address) = cluster();
    let mut flood = Vec::new();
    for number in 0..600 {
        let Ok(mut stream) = TcpStream::connect(address) else { break };
        let length: i32 = if number % 2 == 0 { 60_000 } else { 90_000_000 };
        let _ = stream.write_all(&length.to_be_bytes());
        let _ = stream.write_all(&[0; 8]);
        flood.push(stream);
    }
    assert!(flood.len() > 100, "{} connections", flood.len());
    serves(&cluster, address);
    drop(flood);
    serves(&cluster, address);
}

#[test]
fn answers_that_nobody_reads_do_not_pile_up() {
    let (cluster, address) = cluster();
    let mut client = Client::connect(address).expect("connects");
    let large = client::batch(-1, 0, &["x".repeat(900_000)]);
    for _ in 0..8 {
        assert_eq!(client.produce(TOPIC, 1, large.clone()).expect("an answer").error_code, 0);
    }
    let mut deaf = strange(address);
    deaf.set_write_timeout(Some(Duration::from_millis(200))).expect("a time-out");
    let mut fetch = client::fetch(TOPIC, 0, 0);
    fetch.max_bytes = i32::MAX;
    fetch.topics[0].partitions[0].partition_max_bytes = i32::MAX;
    let request = frame::request(&fetch, 12, 1, "deaf").expect("encodes");
    for _ in 0..2_000 {
        if deaf.write_all(&request).is_err() {
            break;
        }
    }
    serves(&cluster, address);
}
