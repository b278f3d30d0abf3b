//! DNS over TCP, from pods and to name servers.

use core::net::SocketAddr;
use core::time::Duration;

use alloc::sync::Arc;

use egress_gateway::sim::{
    Act, Errand, Event, LinkConfig, Manners, Parsed, Payload, Transport, craft,
};
use egress_gateway::{Gateway, Options, Side};
use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, RecordType};

use crate::lab::{Lab, PAGE, named};
use crate::world::{POD, RESOLVER, TCP_ACK, TCP_SYN, World, plan, segment, socket};

const A: u16 = 1;
const TXT: u16 = 16;

fn fetch(transport: Transport) -> Errand {
    let act = Act::Fetch {
        port: 80,
        page: PAGE,
    };
    Errand::new(named("www.example", A, transport), act)
}

#[test]
fn a_truncated_reply_of_a_server_is_asked_for_again_over_tcp() {
    let mut lab = Lab::new(&plan("dns-nat46"), LinkConfig::clean(), 1);
    lab.manners(Manners {
        truncates: true,
        ..Manners::default()
    });
    lab.pod(&[POD], vec![fetch(Transport::Udp)]);
    lab.succeed();
    let queries = lab.net[lab.dns].app().queries();
    assert!(queries.iter().any(|query| query.over_tcp));
    assert!(
        queries
            .iter()
            .all(|query| query.from.ip() == crate::world::ip("10.20.2.2")),
        "from the external self IP"
    );
}

#[test]
fn a_truncated_reply_is_asked_for_again_under_loss() {
    for seed in 1..10 {
        let mut lab = Lab::new(&plan("dns-nat46"), LinkConfig::lossy(0.1), seed);
        lab.manners(Manners {
            truncates: true,
            ..Manners::default()
        });
        lab.pod(
            &[POD],
            vec![Errand::new(
                named("www.example", A, Transport::Udp),
                Act::Resolve,
            )],
        );
        lab.succeed();
    }
}

#[test]
fn a_pod_may_ask_over_tcp() {
    let mut lab = Lab::new(&plan("dns-nat46"), LinkConfig::clean(), 2);
    lab.pod(&[POD], vec![fetch(Transport::Tcp), fetch(Transport::Tcp)]);
    lab.succeed();
}

#[test]
fn an_answer_too_long_for_udp_reaches_the_pod_over_tcp() {
    let mut lab = Lab::new(&plan("dns-nat46"), LinkConfig::clean(), 3);
    let big = Errand::new(named("big.example", TXT, Transport::Udp), Act::Resolve);
    lab.pod(&[POD], vec![big]);
    lab.succeed();
    let log = lab.net[lab.pods[0]].app().log();
    let length = log.iter().find_map(|entry| match &entry.event {
        Event::Answered { message, .. } => Some(message.len()),
        _ => None,
    });
    assert!(length.is_some_and(|length| length > 3000), "{length:?}");
}

/// The newest segment to a client: its flags and its sequence number.
fn last_to(world: &World, client: SocketAddr) -> Option<(u8, u32)> {
    world.sent.iter().rev().find_map(|(_, side, bytes)| {
        let parsed = Parsed::new(bytes).ok()?;
        if *side != Side::Inside || parsed.destination_socket() != client {
            return None;
        }
        match parsed.payload {
            Payload::Tcp {
                flags, sequence, ..
            } => Some((flags, sequence)),
            _ => None,
        }
    })
}

/// A handshake; gives the sequence number that the gateway's data start with.
fn connect(world: &mut World, client: SocketAddr, server: SocketAddr) -> Option<u32> {
    world.sent.clear();
    let _ = world.arrive(Side::Inside, &segment(client, server, TCP_SYN));
    let (flags, sequence) = last_to(world, client)?;
    if flags != TCP_SYN | TCP_ACK {
        return None;
    }
    let next = sequence.wrapping_add(1);
    let ack = craft::tcp(client, server, TCP_ACK, (2, next), None, &[]);
    let _ = world.arrive(Side::Inside, &ack);
    Some(next)
}

/// Whether a query over TCP is answered.
fn is_answered(world: &mut World, client: SocketAddr) -> bool {
    let server = socket(RESOLVER);
    let Some(next) = connect(world, client, server) else {
        return false;
    };
    let mut query = Message::new(7, MessageType::Query, OpCode::Query);
    let name = Name::from_ascii("www.example.").unwrap();
    query.add_query(Query::query(name, RecordType::A));
    query.metadata.recursion_desired = true;
    let query = query.to_vec().unwrap();
    let mut framed = u16::try_from(query.len()).unwrap().to_be_bytes().to_vec();
    framed.extend(query);
    world.sent.clear();
    let asked = craft::tcp(client, server, TCP_ACK, (2, next), None, &framed);
    let _ = world.arrive(Side::Inside, &asked);
    world.sent.iter().any(|(_, _, bytes)| {
        let parsed = Parsed::new(bytes).unwrap();
        let to_client = parsed.destination_socket() == client;
        to_client && matches!(&parsed.payload, Payload::Tcp { data, .. } if data.len() > 2)
    })
}

#[test]
fn half_open_connections_leave_room_for_those_who_ask() {
    let mut world = World::new("dns-nat46").name("www.example", &["2001:db8:46::80"]);
    let server = socket(RESOLVER);
    // One pod's, then those of a whole subnet.
    for port in 1..=70 {
        let flood = SocketAddr::new(crate::world::ip("10.244.1.66"), 30_000 + port);
        let _ = world.arrive(Side::Inside, &segment(flood, server, TCP_SYN));
    }
    let of_flood = |world: &World| {
        let all = world
            .sent
            .iter()
            .filter_map(|(_, _, bytes)| Parsed::new(bytes).ok());
        let mut ports: Vec<u16> = all.map(|one| one.destination_socket().port()).collect();
        ports.sort_unstable();
        ports.dedup();
        ports.len()
    };
    assert_eq!(of_flood(&world), 4, "one pod has four half-open ones");
    assert!(is_answered(&mut world, socket("10.244.1.10:40001")));
    for host in 1..=200 {
        let flood = socket(&format!("10.244.1.{host}:30000"));
        let _ = world.arrive(Side::Inside, &segment(flood, server, TCP_SYN));
    }
    assert!(is_answered(&mut world, socket("10.244.1.11:40002")));
    // The first pod's own are over after five seconds.
    world.pass(Duration::from_secs(6));
    assert!(is_answered(&mut world, socket("10.244.1.66:40003")));
}

#[test]
fn whoever_asks_for_no_page_is_let_go() {
    let plan = plan("dns-nat46");
    let mut world = World::with_plan(&plan, 1);
    let mut options = Options::default();
    options.sorry_page = Some(Arc::from(b"sorry".as_slice()));
    world.gateway = Gateway::with_options(&plan, &options, [1; 32]).unwrap();
    world.add_name("www.example", &["2001:db8:46::80"]);
    let sorry = SocketAddr::new(plan.dns46.as_ref().unwrap().sorry.into(), 80);
    // As many as one pod may have; its queries are not among them.
    for port in 0..16 {
        let reader = SocketAddr::new(crate::world::ip(POD), 41_000 + port);
        assert!(connect(&mut world, reader, sorry).is_some());
    }
    assert!(is_answered(&mut world, socket("10.244.1.10:40001")));
    world.sent.clear();
    world.pass(Duration::from_secs(11));
    let (flags, _) = last_to(&world, socket("10.244.1.10:41000")).unwrap();
    assert_eq!(flags & 0x04, 0x04, "reset");
    assert!(connect(&mut world, socket("10.244.1.10:42000"), sorry).is_some());
}
