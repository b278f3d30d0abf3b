//! Who owns what: mappings, the packets and answers that wait for them, and what is cached.

use core::time::Duration;

use dns46::StoreAction;
use egress_gateway::sim::{Payload, craft};
use egress_gateway::{DropReason, Event, Side, Verdict};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;

use crate::world::*;

const NAME: &str = "www.example";
const HOST: &str = "2001:db8::80";
const CLIENT: &str = "10.244.1.10:40000";

fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[test]
fn an_answer_leaves_when_the_store_has_acknowledged_its_mapping() {
    let mut world = World::new("dns-nat46").name(NAME, &[HOST]);
    world.store_is_quick = false;
    let asked_at = world.now;
    let id = world.ask_of(POD, NAME, RecordType::A);
    world.pass(milliseconds(50));
    assert_eq!(world.answer_to(id), None);
    let StoreAction::Put { address, host } = world.store_acts() else {
        panic!("a mapping is to be kept");
    };
    let (answered_at, answer) = world.answer_to(id).expect("an answer");
    assert_eq!(answered_at - asked_at, milliseconds(50));
    assert_eq!(addresses(&answer), [address]);
    assert_eq!(host.to_string(), HOST);
    assert!(world.store.mappings().eq([(address, host)]));
}

#[test]
fn a_store_that_never_acknowledges_costs_the_answer_but_not_the_time() {
    let mut world = World::new("dns-nat46").name(NAME, &[HOST]);
    world.store_is_quick = false;
    let asked_at = world.now;
    let id = world.ask_of(POD, NAME, RecordType::A);
    world.pass(milliseconds(1000));
    let (answered_at, answer) = world.answer_to(id).expect("an answer");
    assert_eq!(answer.metadata.response_code, ResponseCode::ServFail);
    assert_eq!(answered_at - asked_at, milliseconds(200));
    assert!(world.events.contains(&Event::StoreFailed));
    // The failure is not kept: a store that is back is asked again.
    world.store_is_quick = true;
    assert!(world.resolve(NAME).is_some());
}

#[test]
fn answers_that_need_no_new_mapping_never_wait_for_the_store() {
    let mut world = World::new("dns-nat46")
        .name(NAME, &[HOST])
        .name("v4.example", &["192.0.2.80"]);
    let first = world.resolve(NAME);
    world.store_is_quick = false;
    assert_eq!(world.resolve(NAME), first);
    assert_eq!(world.resolve("v4.example"), Some(ip("192.0.2.80")));
}

#[test]
fn a_packet_to_a_mapping_of_another_replica_is_held_until_the_store_tells_it() {
    let mut other = World::new("dns-nat46").name(NAME, &[HOST]);
    let address = other.resolve(NAME).expect("a mapped address");
    let mut world = World::new("dns-nat46");
    world.store = other.store;
    world.store_is_quick = false;
    let packet = segment(socket(CLIENT), (address, 80).into(), TCP_SYN);
    assert_eq!(world.arrive(Side::Inside, &packet), Verdict::Consumed);
    world.pass(milliseconds(50));
    assert_eq!(world.sent, []);
    assert!(matches!(world.store_acts(), StoreAction::Get { .. }));
    let left = world.only(Side::Outside);
    assert_eq!(left.destination_socket(), socket("[2001:db8::80]:80"));
}

#[test]
fn packets_that_waited_leave_in_their_order_and_once() {
    let mut other = World::new("dns-nat46").name(NAME, &[HOST]);
    let address = other.resolve(NAME).expect("a mapped address");
    let mut world = World::new("dns-nat46");
    world.store = other.store;
    world.store_is_quick = false;
    for number in 0..3_u8 {
        let packet = craft::udp(socket(CLIENT), (address, 7).into(), &[number]);
        assert_eq!(world.arrive(Side::Inside, &packet), Verdict::Consumed);
    }
    world.store_acts();
    assert!(world.operations.is_empty(), "one question for all of them");
    let left = world.sent.iter().map(|(_, side, packet)| {
        assert_eq!(*side, Side::Outside);
        *packet.last().unwrap()
    });
    assert!(left.eq(0..3));
}

#[test]
fn a_packet_to_an_address_that_the_store_does_not_know_is_refused() {
    let mut world = World::new("dns-nat46");
    world.store_is_quick = false;
    let packet = segment(socket(CLIENT), socket("10.40.100.60:80"), TCP_SYN);
    assert_eq!(world.arrive(Side::Inside, &packet), Verdict::Consumed);
    world.store_acts();
    let refusal = world.only(Side::Inside);
    // RFC 792: destination unreachable, host unreachable.
    let Payload::IcmpError {
        kind: 3, code: 1, ..
    } = refusal.payload
    else {
        panic!("{refusal:?}");
    };
    assert_eq!(refusal.destination, ip(POD));
    assert_eq!(world.gateway.stats().drops["unmapped"], 1);
}

#[test]
fn a_packet_whose_mapping_is_never_told_is_refused_when_the_store_is_given_up() {
    let mut world = World::new("dns-nat46");
    world.store_is_quick = false;
    let packet = segment(socket(CLIENT), socket("10.40.100.60:80"), TCP_SYN);
    assert_eq!(world.arrive(Side::Inside, &packet), Verdict::Consumed);
    world.pass(milliseconds(500));
    let sent_at = world.sent[0].0;
    assert_eq!(sent_at, world.now - milliseconds(300));
    world.only(Side::Inside);
}

/// New names, each used by nobody, for so many minutes; the pod's connection says something each
/// time if `alive`.
fn press(world: &mut World, minutes: u32, alive: Option<&[u8]>) {
    for minute in 0..minutes {
        let name = format!("n{minute}.example");
        world.add_name(&name, &[&format!("2001:db8:1::{minute:x}")]);
        let id = world.ask_of(POD, &name, RecordType::A);
        assert!(world.answer_to(id).is_some());
        if let Some(packet) = alive {
            let _ = world.arrive(Side::Inside, packet);
        }
        world.sent.clear();
        world.pass(Duration::from_secs(60));
    }
}

#[test]
fn a_mapping_in_use_survives_pressure_and_ends_without() {
    // A slice of six addresses.
    for in_use in [true, false] {
        let mut world = World::new("mixed").name(NAME, &[HOST]);
        let address = world.resolve(NAME).expect("a mapped address");
        let (client, server) = (socket(CLIENT), (address, 80).into());
        let syn = segment(client, server, TCP_SYN);
        let out = world.cross(Side::Inside, &syn);
        let (peer, own) = (out.destination_socket(), out.source_socket());
        world.cross(Side::Outside, &segment(peer, own, TCP_SYN | TCP_ACK));
        let ack = segment(client, server, TCP_ACK);
        world.cross(Side::Inside, &ack);
        if !in_use {
            let session = world.gateway.sessions().next().expect("a session").id;
            world.gateway.close_session(world.now, session);
        }
        press(&mut world, 180, in_use.then_some(&ack));
        let mapping = world
            .gateway
            .mappings()
            .find(|mapping| mapping.address == address);
        let stands = mapping.is_some_and(|mapping| mapping.host.to_string() == HOST);
        assert_eq!(stands, in_use);
        if in_use {
            let out = world.cross(Side::Inside, &ack);
            assert_eq!(out.destination, ip(HOST));
        }
    }
}

#[test]
fn a_derived_answer_is_not_given_after_its_mapping_was_removed() {
    let mut world = World::new("dns-nat46").name(NAME, &[HOST]);
    let address = world.resolve(NAME).expect("a mapped address");
    let asked = world.asked_upstream;
    assert_eq!(world.resolve(NAME), Some(address));
    let hits = |world: &World| world.gateway.cache_stats().unwrap().clients.derived_hits;
    assert_eq!((hits(&world), world.asked_upstream), (1, asked));

    let core::net::IpAddr::V4(mapped) = address else {
        panic!("{address}");
    };
    assert_eq!(
        world
            .gateway
            .remove_mapping(world.now, mapped)
            .map(Into::into),
        Some(ip(HOST))
    );
    world.pass(milliseconds(1));
    let again = world.resolve(NAME).expect("a mapped address");
    assert_eq!(hits(&world), 1, "no answer from the cache");
    assert_ne!(
        again, address,
        "an address rests before it is handed out again"
    );
    assert!(world.store.mappings().all(|(kept, _)| kept != mapped));
}

#[test]
fn mappings_that_were_stored_are_there_after_a_restart() {
    let mut before = World::new("dns-nat46").name(NAME, &[HOST]);
    let address = before.resolve(NAME).expect("a mapped address");
    let mut after = World::with_plan(&plan("dns-nat46"), 2).name(NAME, &[HOST]);
    assert_eq!(after.gateway.load(after.now, before.store.mappings()), 1);
    after.store = before.store;
    let packet = segment(socket(CLIENT), (address, 80).into(), TCP_SYN);
    assert_eq!(after.cross(Side::Inside, &packet).destination, ip(HOST));
    assert_eq!(after.resolve(NAME), Some(address));
}

#[test]
fn packets_without_room_to_wait_are_dropped() {
    let mut world = World::new("dns-nat46");
    world.store_is_quick = false;
    let mut verdicts = (0..100).map(|_| {
        let packet = craft::udp(socket(CLIENT), socket("10.40.100.60:7"), &[0; 1000]);
        world.arrive(Side::Inside, &packet)
    });
    assert!(verdicts.any(|verdict| verdict == Verdict::Drop(DropReason::NoRoom)));
}

#[test]
fn regression_a_mapping_removed_while_the_store_was_away_does_not_come_back() {
    let mut world = World::new("mixed").name(NAME, &[HOST]);
    let address = world.resolve(NAME).expect("a mapped address");
    let core::net::IpAddr::V4(mapped) = address else {
        panic!("{address}");
    };
    world.store_is_quick = false;
    world.gateway.remove_mapping(world.now, mapped);
    world.pass(Duration::from_secs(3));
    world.operations.clear();
    world.store_is_quick = true;
    assert_eq!(world.store.mappings().count(), 1, "nobody told the store");
    world.pass(Duration::from_secs(60));
    assert_eq!(world.store.mappings().count(), 0);
    let packet = segment(socket(CLIENT), (address, 80).into(), TCP_SYN);
    let _ = world.arrive(Side::Inside, &packet);
    world.only(Side::Inside);
}
