//! A query that the cache answers.

use core::hint::black_box;
use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;

use dnscache::{Client, Config, Event, ForwardZone, Name, Resolver, Transport, Verdict};

use super::Operation;

pub(super) const OPERATIONS: &[Operation] = &[Operation::new("dnscache-hit", hit)];

/// `www.example.com. A`, with a payload size of 1232 octets.
const QUERY: &[u8] = b"\x12\x34\x01\x00\0\x01\0\0\0\0\0\x01\x03www\x07example\x03com\0\0\x01\0\x01\
    \0\0\x29\x04\xd0\0\0\0\0\0\0";
/// Where the question ends, without the OPT record.
const QUESTION_END: usize = QUERY.len() - 11;
/// A CNAME to a name of its own, and two addresses of that.
const ANSWER: &[u8] = b"\xc0\x0c\0\x05\0\x01\0\0\x0e\x10\0\x06\x03cdn\xc0\x10\
    \xc0\x2d\0\x01\0\x01\0\0\x01\x2c\0\x04\xc0\0\x02\x50\
    \xc0\x2d\0\x01\0\x01\0\0\x01\x2c\0\x04\xc0\0\x02\x51";
const CLIENT: Client = Client {
    address: SocketAddr::new(core::net::IpAddr::V4(Ipv4Addr::new(10, 1, 2, 3)), 40_000),
    local: SocketAddr::new(core::net::IpAddr::V4(Ipv4Addr::new(10, 96, 0, 10)), 53),
    transport: Transport::Udp,
    token: 0,
};

/// The whole way of a cached answer: the query read, the entry found, the reply written.
fn hit() -> Box<dyn FnMut()> {
    let mut now = Duration::from_secs(1000);
    let mut resolver = filled(now);
    let mut out = [0; 1232];
    Box::new(move || {
        now += Duration::from_micros(1);
        let verdict = resolver.handle_query(now, CLIENT, black_box(QUERY), 0, &mut out);
        assert!(matches!(verdict, Verdict::Reply(_)), "{verdict:?}");
    })
}

/// A resolver that was asked once, and whose server has answered.
fn filled(now: Duration) -> Resolver {
    let server = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 53), 53));
    let mut config = Config::default();
    config
        .zones
        .push(ForwardZone::new(Name::root(), vec![server]));
    let mut resolver = Resolver::new(config, [7; 32]);
    let mut out = [0; 1232];
    let verdict = resolver.handle_query(now, CLIENT, QUERY, 0, &mut out);
    let Verdict::Parked(ticket) = verdict else {
        panic!("{verdict:?}")
    };
    let transmit = resolver
        .poll_transmit(now, &mut out)
        .expect("a query to the server");

    let mut reply = out[..QUESTION_END].to_vec();
    reply[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 3, 0, 0, 0, 0]);
    reply.extend(ANSWER);
    let own = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), transmit.source_port));
    resolver
        .handle_datagram(now, server, own, &reply)
        .expect("the reply to that query");
    while let Some(event) = resolver.poll_event() {
        match event {
            Event::Received { fetch, .. } => resolver.accept(now, fetch, 0),
            Event::Ready { .. } => {
                let verdict = resolver.answer(now, ticket, &mut out);
                assert!(matches!(verdict, Verdict::Reply(_)), "{verdict:?}");
            }
            _ => {}
        }
    }
    resolver
}
