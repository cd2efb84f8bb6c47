//! Links that are not cut and not whole: one direction held or swallowed, late bytes, few bytes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use history::{Manner, clock};
use nemesis::{Direction, Impairment, Touched};

use super::{Backend, LINK, OTHER, connect, exercise, is_reset, is_silent, pair, receive, until};
use crate::proxy::LinkProxy;

/// Both ends of the link of a pair, the direction's sender first.
fn along(direction: Direction, client: TcpStream, accepted: TcpStream) -> (TcpStream, TcpStream) {
    match direction {
        Direction::Requests => (client, accepted),
        Direction::Answers => (accepted, client),
    }
}

#[test]
fn a_held_direction_waits_for_healing_while_the_other_flows() {
    for direction in [Direction::Requests, Direction::Answers] {
        let proxy = LinkProxy::start().expect("a proxy");
        let (_backend, _, client, accepted) = pair(&proxy);
        let (mut held, mut flowing) = along(direction, client, accepted);
        proxy.impair(&[LINK], Impairment::Hold(direction)).expect("held");
        assert!(proxy.is_cut(LINK));

        held.write_all(b"nobody hears").expect("the kernel takes it");
        flowing.write_all(b"heard").expect("written");
        receive(&mut held, b"heard");
        exercise(&proxy);
        assert!(is_silent(&flowing));

        let touched = proxy.heal(&[LINK]).expect("healed");
        assert_eq!((touched.connections, touched.bytes), (1, 12), "{direction:?}");
        receive(&mut flowing, b"nobody hears");
        assert!(!proxy.is_cut(LINK));
        assert_eq!(proxy.heal(&[LINK]).expect("healed again"), Touched::default());
    }
}

#[test]
fn a_connection_made_while_a_direction_is_held_goes_one_way() {
    let proxy = LinkProxy::start().expect("a proxy");
    let (backend, address) = Backend::open(&proxy, LINK);
    proxy.impair(&[LINK], Impairment::Hold(Direction::Answers)).expect("held");
    let mut client = connect(address);
    client.write_all(b"question").expect("written");
    let mut accepted = backend.accept();
    receive(&mut accepted, b"question");
    accepted.write_all(b"answer").expect("the kernel takes it");
    drop(accepted);
    exercise(&proxy);
    assert!(is_silent(&client), "neither the answer nor the end of the connection");
    assert_eq!(proxy.heal(&[LINK]).expect("healed").connections, 1);
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).expect("the answer, then the end");
    assert_eq!(rest, b"answer");

    drop(backend);
    proxy.impair(&[LINK], Impairment::Hold(Direction::Answers)).expect("held");
    let mut refused = connect(address);
    exercise(&proxy);
    assert!(is_silent(&refused), "a refusal is an answer");
    proxy.heal(&[LINK]).expect("healed");
    assert!(is_reset(&mut refused));
}

#[test]
fn swallowed_answers_are_gone_and_their_connections_reset_on_healing() {
    let proxy = LinkProxy::start().expect("a proxy");
    let (backend, address, mut client, mut accepted) = pair(&proxy);
    let mut idle = connect(address);
    idle.write_all(b"idle").expect("written");
    let mut quiet = backend.accept();
    receive(&mut quiet, b"idle");
    proxy.impair(&[LINK], Impairment::Swallow(Direction::Answers)).expect("swallowed");

    client.write_all(b"request").expect("written");
    receive(&mut accepted, b"request");
    accepted.write_all(b"answer").expect("written");
    accepted.shutdown(Shutdown::Write).expect("shut down");
    exercise(&proxy);
    assert!(is_silent(&client), "neither the answer nor the end");
    client.write_all(b"again").expect("written");
    receive(&mut accepted, b"again");

    let touched = proxy.heal(&[LINK]).expect("healed");
    assert_eq!((touched.connections, touched.bytes), (2, 6));
    assert!(is_reset(&mut client) && is_reset(&mut accepted), "a stream with a hole is no stream");
    quiet.write_all(b"whole").expect("written");
    receive(&mut idle, b"whole");
}

#[test]
fn swallowed_bytes_never_come_back_under_another_fault() {
    let proxy = LinkProxy::start().expect("a proxy");
    let (_backend, _, mut client, mut accepted) = pair(&proxy);
    proxy.impair(&[LINK], Impairment::Swallow(Direction::Answers)).expect("swallowed");
    accepted.write_all(b"lost").expect("written");
    until("it is gone", || (proxy.struck_bytes(LINK) == 4).then_some(()));
    proxy.heal(&[LINK]).expect("healed");
    // Most likely cut before the connection has noticed that it was healed: the reset waits. Where it was quicker,
    // it is reset already, and takes nothing more.
    proxy.cut(&[LINK], Manner::Held).expect("cut");
    let _ = accepted.write_all(b"more");
    proxy.heal(&[LINK]).expect("healed");
    let mut rest = Vec::new();
    assert!(client.read_to_end(&mut rest).is_err() && rest.is_empty(), "{rest:?}");
}

#[test]
fn late_bytes_come_in_order_and_not_before_their_time() {
    let proxy = LinkProxy::start().expect("a proxy");
    let (_backend, _, mut client, mut accepted) = pair(&proxy);
    let delay = Impairment::Delay { at_least_ms: 60, jitter_ms: 40, seed: 7 };
    proxy.impair(&[LINK], delay).expect("late");
    let began = clock::now();
    for number in 0..50_u8 {
        client.write_all(&[number]).expect("written");
        std::thread::yield_now();
    }
    client.shutdown(Shutdown::Write).expect("shut down");
    let mut got = Vec::new();
    accepted.read_to_end(&mut got).expect("all of it, then the end");
    assert!(clock::now().since(began) >= 60_000_000, "not before");
    assert_eq!(got, (0..50).collect::<Vec<u8>>());

    let began = clock::now();
    accepted.write_all(b"answer").expect("written");
    receive(&mut client, b"answer");
    assert!(clock::now().since(began) >= 60_000_000, "answers are late too");
    assert_eq!(proxy.heal(&[LINK]).expect("healed"), Touched { connections: 1, bytes: 56 });
}

#[test]
fn healing_a_slow_link_gives_what_is_under_way_at_once() {
    let proxy = LinkProxy::start().expect("a proxy");
    let (_backend, _, mut client, mut accepted) = pair(&proxy);
    // Longer than this test may last.
    let delay = Impairment::Delay { at_least_ms: 3_600_000, jitter_ms: 0, seed: 0 };
    proxy.impair(&[LINK], delay).expect("late");
    client.write_all(b"under way").expect("written");
    until("it is read", || (proxy.struck_bytes(LINK) == 9).then_some(()));
    proxy.heal(&[LINK]).expect("healed");
    receive(&mut accepted, b"under way");
    client.write_all(b"on time").expect("written");
    receive(&mut accepted, b"on time");
}

#[test]
fn a_slow_link_carries_many_chunks_at_once() {
    let proxy = LinkProxy::start().expect("a proxy");
    let (_backend, _, mut client, mut accepted) = pair(&proxy);
    proxy.impair(&[LINK], Impairment::Delay { at_least_ms: 3_600_000, jitter_ms: 9, seed: 1 }).expect("late");
    // Were each chunk to wait for the one before it, nothing would be read after the first.
    for chunk in 1..=20_u64 {
        client.write_all(&[7; 1000]).expect("written");
        until("it is under way", || (proxy.struck_bytes(LINK) == 1000 * chunk).then_some(()));
    }
    assert!(is_silent(&accepted));
    proxy.heal(&[LINK]).expect("healed");
    receive(&mut accepted, &[7; 20_000]);
}

#[test]
fn a_narrow_link_is_shared_by_its_connections() {
    let proxy = LinkProxy::start().expect("a proxy");
    let (backend, address, mut client, mut accepted) = pair(&proxy);
    let mut second = connect(address);
    second.write_all(b"hello").expect("written");
    let mut second_accepted = backend.accept();
    receive(&mut second_accepted, b"hello");
    proxy.impair(&[LINK], Impairment::Narrow { bytes_per_second: 100_000 }).expect("narrow");

    let began = clock::now();
    let sent = vec![7; 15_000];
    client.write_all(&sent).expect("the kernel takes it");
    second.write_all(&sent).expect("the kernel takes it");
    receive(&mut accepted, &sent);
    receive(&mut second_accepted, &sent);
    // 30 kB at 100 kB/s; the first piece of a twentieth of a second goes at once.
    assert!(clock::now().since(began) >= 240_000_000, "not before");
    let touched = proxy.heal(&[LINK]).expect("healed");
    assert_eq!(touched.connections, 2);
    assert!(touched.bytes >= 20_000, "{touched:?}");
    let big = vec![9; 3_000_000];
    let expected = big.clone();
    let writing = std::thread::spawn(move || client.write_all(&big).expect("written"));
    receive(&mut accepted, &expected);
    writing.join().expect("the writer");
}

#[test]
fn one_thing_at_a_time_is_wrong_with_a_link() {
    let proxy = LinkProxy::start().expect("a proxy");
    let _pair = pair(&proxy);
    let narrow = Impairment::Narrow { bytes_per_second: 1 };
    proxy.impair(&[LINK], narrow).expect("narrow");
    proxy.impair(&[LINK], narrow).expect("narrow already");
    let error = proxy.cut(&[LINK], Manner::Held).expect_err("it is narrow").to_string();
    assert_eq!(
        error,
        "the link from clients to node 1 is narrowed to 1 bytes a second already (undo that first)"
    );
    assert!(proxy.impair(&[LINK], Impairment::Hold(Direction::Answers)).is_err());
    proxy.heal(&[LINK]).expect("healed");
    proxy.cut(&[LINK], Manner::Held).expect("cut");
    let error = proxy.impair(&[LINK], narrow).expect_err("it is cut").to_string();
    assert_eq!(error, "the link from clients to node 1 is cut already (undo that first)");
    assert!(proxy.impair(&[OTHER], narrow).is_err(), "there is no such link");
}

#[test]
fn the_jitter_comes_from_the_seed() {
    use crate::proxy::gate::Flow;
    use crate::proxy::line::Line;

    // Draws of days, compared by the hour: what the clock does meanwhile makes no difference.
    let draws = |seed, stream| {
        let flow = Flow::Delayed { at_least_ms: 0, jitter_ms: u64::from(u32::MAX), seed };
        let mut line = Line::default();
        let began = clock::now();
        let dues: Vec<_> = (0..20).map(|_| line.due(flow, stream)).collect();
        assert!(dues.is_sorted(), "nothing overtakes");
        dues[0].since(began) / 3_600_000_000_000
    };
    assert_eq!(draws(1, 0), draws(1, 0));
    assert_ne!(draws(1, 0), draws(2, 0));
    assert_ne!(draws(1, 0), draws(1, 1));
}
