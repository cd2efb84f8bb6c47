//! The relay between a client and a broker that only repeats what it is told.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use history::{Manner, NodeId};
use nemesis::{End, Link};
use tokio::runtime::{Builder, Runtime};

use super::relay::Relay;
use crate::proxy::LinkProxy;

const DEADLINE: Duration = Duration::from_secs(10);
const LINK: Link = Link { from: End::Clients, to: End::Node(NodeId(5)) };

fn relay() -> (Runtime, Arc<Relay>) {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let relay = Relay::new(LinkProxy::start().expect("a proxy"), runtime.handle().clone());
    (runtime, Arc::new(relay))
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the link listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
    stream
}

/// A frame of Produce, which passes untouched.
fn frame(fill: u8) -> Vec<u8> {
    let body = [&[0, 0, 0, 9, 0, 0, 0, 1][..], &[fill; 70_000]].concat();
    let length = u32::try_from(body.len()).expect("small").to_be_bytes();
    [&length[..], &body].concat()
}

fn is_reset(stream: &mut TcpStream) -> bool {
    matches!(stream.read_to_end(&mut Vec::new()), Err(error) if error.kind() == ErrorKind::ConnectionReset)
}

#[test]
fn frames_pass_untouched_and_links_can_be_cut() {
    let (_runtime, relay) = relay();
    let broker = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = broker.local_addr().expect("an address").port();
    let address = relay.via((5, "127.0.0.1".to_owned(), port)).expect("a link");
    assert_eq!(relay.via((5, "localhost".to_owned(), port)).expect("the same"), address, "it has moved");
    assert_eq!((relay.nodes(), relay.addresses()), (vec![NodeId(5)], vec![address]));

    let mut client = connect(address);
    let echo = std::thread::spawn(move || {
        let (mut stream, _) = broker.accept().expect("a connection");
        stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
        let mut back = stream.try_clone().expect("a second handle");
        let _ = std::io::copy(&mut stream, &mut back);
    });
    for fill in 0..3 {
        client.write_all(&frame(fill)).expect("written");
        let mut got = vec![0; frame(fill).len()];
        client.read_exact(&mut got).expect("it comes back");
        assert!(got == frame(fill), "untouched");
    }
    relay.proxy.cut(&[LINK], Manner::Reset).expect("cut");
    assert!(is_reset(&mut client));
    echo.join().expect("it was told of the end");
}

#[test]
fn a_broker_that_is_gone_or_talks_nonsense_resets_its_clients() {
    let (_runtime, relay) = relay();
    let broker = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = broker.local_addr().expect("an address").port();
    let address = relay.via((5, "127.0.0.1".to_owned(), port)).expect("a link");
    let mut client = connect(address);
    let (mut stream, _) = broker.accept().expect("a connection");
    // No frame has so many bytes.
    stream.write_all(&[0xff; 8]).expect("written");
    assert!(is_reset(&mut client));
    drop((stream, broker));
    assert!(is_reset(&mut connect(address)), "nobody is there");
}
