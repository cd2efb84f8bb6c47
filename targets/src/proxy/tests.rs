//! The proxy between plain sockets: each behaviour as a peer sees it. That nothing passes is proved by
//! round trips over another link of the same single-threaded proxy, not by waiting.

mod impaired;

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use history::{Manner, NodeId, clock};
use nemesis::{End, Link};
use socket2::SockRef;

use super::LinkProxy;

/// No step takes longer than this.
const DEADLINE: Duration = Duration::from_secs(10);
const LINK: Link = Link { from: End::Clients, to: End::Node(NodeId(1)) };
const OTHER: Link = Link { from: End::Clients, to: End::Node(NodeId(2)) };

/// The listening end of a link.
struct Backend(TcpListener);

impl Backend {
    fn open(proxy: &LinkProxy, link: Link) -> (Self, SocketAddr) {
        let backend = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        backend.set_nonblocking(true).expect("a socket that does not block");
        let address = proxy.listen(link).expect("a listener");
        proxy.set_backend(link, Some(backend.local_addr().expect("an address"))).expect("a link");
        (Self(backend), address)
    }

    fn try_accept(&self) -> Option<TcpStream> {
        match self.0.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false).expect("a socket that blocks");
                stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
                Some(stream)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => panic!("accept: {error}"),
        }
    }

    fn accept(&self) -> TcpStream {
        until("the connection arrives", || self.try_accept())
    }
}

fn until<T>(what: &str, mut poll: impl FnMut() -> Option<T>) -> T {
    let started = clock::now();
    loop {
        if let Some(value) = poll() {
            return value;
        }
        assert!(
            u128::from(clock::now().since(started)) < DEADLINE.as_nanos(),
            "deadline passed before {what}"
        );
        std::thread::yield_now();
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the listener accepts");
    stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
    stream
}

fn receive(stream: &mut TcpStream, expected: &[u8]) {
    let mut bytes = vec![0; expected.len()];
    stream.read_exact(&mut bytes).expect("the bytes arrive");
    assert_eq!(bytes, expected);
}

/// Nothing, not even an end, is there to be read.
fn is_silent(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("a socket that does not block");
    let peeked = stream.peek(&mut [0]);
    stream.set_nonblocking(false).expect("a socket that blocks");
    matches!(peeked, Err(error) if error.kind() == ErrorKind::WouldBlock)
}

fn is_reset(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    matches!(stream.read_to_end(&mut rest), Err(error) if error.kind() == ErrorKind::ConnectionReset)
}

/// Gives the proxy every chance to pass what it must not pass.
fn exercise(proxy: &LinkProxy) {
    let (backend, address) = Backend::open(proxy, OTHER);
    for round in 0..20_u8 {
        let mut client = connect(address);
        client.write_all(&[round]).expect("written");
        let mut accepted = backend.accept();
        receive(&mut accepted, &[round]);
        accepted.write_all(&[round]).expect("written");
        receive(&mut client, &[round]);
    }
}

fn pair(proxy: &LinkProxy) -> (Backend, SocketAddr, TcpStream, TcpStream) {
    let (backend, address) = Backend::open(proxy, LINK);
    let mut client = connect(address);
    client.write_all(b"hello").expect("written");
    let mut accepted = backend.accept();
    receive(&mut accepted, b"hello");
    accepted.write_all(b"welcome").expect("written");
    receive(&mut client, b"welcome");
    (backend, address, client, accepted)
}

#[test]
fn bytes_and_ends_pass_both_ways() {
    let proxy = LinkProxy::start().expect("a proxy");
    let (_backend, _, mut client, mut accepted) = pair(&proxy);
    // A byte may be seen before it is counted.
    until("both greetings are counted", || (proxy.passed_bytes(LINK) == 12).then_some(()));

    let big: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    let sent = big.clone();
    let mut writer = client.try_clone().expect("a second handle");
    let writing = std::thread::spawn(move || {
        writer.write_all(&sent).expect("written");
        writer.shutdown(Shutdown::Write).expect("shut down");
    });
    let mut got = Vec::new();
    accepted.read_to_end(&mut got).expect("all of it, then its end");
    writing.join().expect("the writer");
    assert!(got == big, "{} bytes arrived of {}", got.len(), big.len());

    // The other direction is open still, until the backend closes it.
    accepted.write_all(b"bye").expect("written");
    drop(accepted);
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).expect("an orderly end");
    assert_eq!(rest, b"bye");
    until("the connection is counted as ended", || {
        (proxy.passed_bytes(LINK) == 12 + 3_000_000 + 3).then_some(())
    });
}

#[test]
fn a_held_link_passes_nothing_and_gives_everything_on_healing() {
    let proxy = LinkProxy::start().expect("a proxy");
    let (backend, address, mut client, mut accepted) = pair(&proxy);
    proxy.cut(&[LINK], Manner::Held).expect("cut");
    assert!(proxy.is_cut(LINK) && !proxy.is_cut(OTHER));

    client.write_all(b"request").expect("the kernel takes it");
    accepted.write_all(b"answer").expect("the kernel takes it");
    let mut late = connect(address);
    late.write_all(b"late").expect("the kernel takes it");
    exercise(&proxy);
    assert!(is_silent(&client) && is_silent(&accepted) && is_silent(&late));
    assert!(backend.try_accept().is_none(), "a new connection must not get through");

    let touched = proxy.heal(&[LINK]).expect("healed");
    assert_eq!((touched.connections, touched.bytes), (2, 7 + 6 + 4));
    receive(&mut accepted, b"request");
    receive(&mut client, b"answer");
    let mut late_accepted = backend.accept();
    receive(&mut late_accepted, b"late");
    assert_eq!(proxy.heal(&[LINK]).expect("healed again"), nemesis::Touched::default());
}

#[test]
fn a_held_link_keeps_bounded_memory() {
    let proxy = LinkProxy::start().expect("a proxy");
    let (_backend, _, mut client, mut accepted) = pair(&proxy);
    proxy.cut(&[LINK], Manner::Held).expect("cut");
    // The sender runs into its window: the proxy reads nothing.
    client.set_nonblocking(true).expect("a socket that does not block");
    let chunk = vec![7; 1 << 16];
    let mut sent = 0_usize;
    loop {
        match client.write(&chunk) {
            Ok(written) => sent += written,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("write: {error}"),
        }
        assert!(sent < 256 << 20, "the proxy swallows everything");
    }
    assert!(proxy.heal(&[LINK]).expect("healed").bytes > 0);
    client.set_nonblocking(false).expect("a socket that blocks");
    drop(client);
    let mut got = Vec::new();
    accepted.read_to_end(&mut got).expect("all of it");
    assert_eq!(got.len(), sent);
}

#[test]
fn the_end_of_a_backend_during_a_hold_is_learned_on_healing() {
    for abort in [false, true] {
        let proxy = LinkProxy::start().expect("a proxy");
        let (_backend, _, mut client, mut accepted) = pair(&proxy);
        proxy.cut(&[LINK], Manner::Held).expect("cut");
        accepted.write_all(b"last words").expect("the kernel takes it");
        if abort {
            SockRef::from(&accepted).set_linger(Some(Duration::ZERO)).expect("linger");
        }
        drop(accepted);
        proxy.set_backend(LINK, None).expect("a link");
        exercise(&proxy);
        assert!(is_silent(&client));

        proxy.heal(&[LINK]).expect("healed");
        let mut words = Vec::new();
        let ended = client.read_to_end(&mut words);
        assert_eq!(ended.is_err(), abort, "{ended:?}");
        if !abort {
            assert_eq!(words, b"last words");
        }
    }
}

#[test]
fn a_reset_link_resets_old_and_new_connections_until_healed() {
    let proxy = LinkProxy::start().expect("a proxy");
    let (backend, address, mut client, mut accepted) = pair(&proxy);
    proxy.cut(&[LINK], Manner::Reset).expect("cut");
    assert!(is_reset(&mut client) && is_reset(&mut accepted));
    assert!(is_reset(&mut connect(address)));
    assert!(backend.try_accept().is_none());
    let touched = proxy.heal(&[LINK]).expect("healed");
    assert_eq!(touched.connections, 2);

    let mut client = connect(address);
    client.write_all(b"again").expect("written");
    receive(&mut backend.accept(), b"again");
}

#[test]
fn a_hold_turned_into_a_reset_throws_the_bytes_away() {
    let proxy = LinkProxy::start().expect("a proxy");
    let (_backend, _, mut client, mut accepted) = pair(&proxy);
    proxy.cut(&[LINK], Manner::Held).expect("cut");
    client.write_all(b"doomed").expect("the kernel takes it");
    proxy.cut(&[LINK], Manner::Reset).expect("cut");
    // Healed before the connection may have noticed: it dies all the same.
    assert_eq!(proxy.heal(&[LINK]).expect("healed").bytes, 6);
    assert!(is_reset(&mut accepted) && is_reset(&mut client));
}

#[test]
fn a_dead_backend_resets_its_clients_at_once() {
    let proxy = LinkProxy::start().expect("a proxy");
    let (backend, address, mut client, accepted) = pair(&proxy);
    SockRef::from(&accepted).set_linger(Some(Duration::ZERO)).expect("linger");
    drop(accepted);
    assert!(is_reset(&mut client), "a reset passes");

    drop(backend);
    assert!(is_reset(&mut connect(address)), "a refusal is a reset");
    proxy.set_backend(LINK, None).expect("a link");
    assert!(is_reset(&mut connect(address)), "nobody there is a reset");
}

#[test]
fn a_client_that_resets_resets_the_backend() {
    let proxy = LinkProxy::start().expect("a proxy");
    let (_backend, _, client, mut accepted) = pair(&proxy);
    SockRef::from(&client).set_linger(Some(Duration::ZERO)).expect("linger");
    drop(client);
    assert!(is_reset(&mut accepted));
}

#[test]
fn the_address_of_a_link_outlives_its_backends_and_dies_with_the_proxy() {
    let proxy = LinkProxy::start().expect("a proxy");
    let (first, address) = Backend::open(&proxy, LINK);
    drop(first);
    let (second, same) = Backend::open(&proxy, LINK);
    assert_eq!(address, same);
    let mut client = connect(address);
    client.write_all(b"second").expect("written");
    receive(&mut second.accept(), b"second");
    assert!(proxy.cut(&[OTHER], Manner::Held).is_err(), "there is no such link");
    drop(proxy);
    let mut rest = Vec::new();
    assert!(matches!(client.read_to_end(&mut rest), Ok(0) | Err(_)));
    assert!(TcpStream::connect(address).is_err(), "the port is free again");
}
