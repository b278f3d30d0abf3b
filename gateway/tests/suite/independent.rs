//! Endpoint-independent bindings: pods reach each other through SNAT addresses, and strangers get in
//! where the filter lets them.

use core::net::SocketAddr;
use core::time::Duration;

use egress_gateway::sim::{Payload, craft};
use egress_gateway::{DropReason, Gateway, Options, Side, Verdict};
use snatpool::Filter;

use crate::world::*;

const CLIENT: &str = "10.244.1.10:40000";
const OTHER: &str = "10.244.1.11:50000";
const STUN: &str = "203.0.113.1:3478";

fn world(filter: Filter) -> World {
    let mut world = World::new("mixed");
    let options = Options::endpoint_independent(filter);
    world.gateway = Gateway::with_options(&plan("mixed"), &options, [1; 32]).unwrap();
    world
}

/// The outside transport address of a pod's socket, as a server outside sees it.
fn outside(world: &mut World, client: &str) -> SocketAddr {
    let packet = craft::udp(socket(client), socket(STUN), b"who am I?");
    world.cross(Side::Inside, &packet).source_socket()
}

#[test]
fn rfc4787_req9_pods_reach_each_other_through_snat_addresses() {
    let mut world = world(Filter::Address);
    let (client, other) = (socket(CLIENT), socket(OTHER));
    let client_outside = outside(&mut world, CLIENT);
    let other_outside = outside(&mut world, OTHER);
    // The other has to send first, as the filter wants it.
    let first = craft::udp(other, client_outside, b"hello");
    let _ = world.arrive(Side::Inside, &first);
    world.sent.clear();
    let sent = craft::udp(client, other_outside, b"hello yourself");
    let delivered = world.answered(Side::Inside, &sent);
    assert_eq!(delivered.destination_socket(), other);
    assert_eq!(
        delivered.source_socket(),
        client_outside,
        "the external source"
    );
    let back = craft::udp(other, client_outside, b"and back");
    let delivered = world.answered(Side::Inside, &back);
    assert_eq!(delivered.destination_socket(), client);
    assert_eq!(delivered.source_socket(), other_outside);
}

#[test]
fn bindings_per_flow_refuse_hairpins() {
    let mut world = World::new("mixed");
    let own = outside(&mut world, CLIENT);
    let reason = world.dropped(Side::Inside, &craft::udp(socket(OTHER), own, b"hello"));
    assert_eq!(reason, DropReason::Refused(snatpool::Refused::Hairpin));
}

#[test]
fn rfc4787_req8_the_filter_decides_who_gets_in() {
    let stranger = socket("203.0.113.99:1234");
    let neighbour = socket("203.0.113.1:1234");
    for (filter, from_stranger, from_neighbour) in [
        (Filter::Endpoint, true, true),
        (Filter::Address, false, true),
        (Filter::AddressPort, false, false),
    ] {
        let mut world = world(filter);
        let own = outside(&mut world, CLIENT);
        for (from, passes) in [(stranger, from_stranger), (neighbour, from_neighbour)] {
            let verdict = world.arrive(Side::Outside, &craft::udp(from, own, b"hello"));
            assert_eq!(
                verdict == Verdict::Forward,
                passes,
                "{filter:?} from {from}"
            );
        }
    }
}

#[test]
fn rfc5382_req4_an_unsolicited_syn_is_answered_after_six_seconds() {
    let mut world = world(Filter::AddressPort);
    let syn = segment(socket(CLIENT), socket(STUN), TCP_SYN);
    let own = world.cross(Side::Inside, &syn).source_socket();
    let unsolicited = segment(socket("203.0.113.99:1234"), own, TCP_SYN);
    assert_eq!(world.arrive(Side::Outside, &unsolicited), Verdict::Consumed);
    world.sent.clear();
    world.pass(Duration::from_secs(5));
    assert_eq!(world.sent, []);
    world.pass(Duration::from_secs(2));
    let refusal = world.only(Side::Outside);
    assert!(matches!(
        refusal.payload,
        Payload::IcmpError {
            kind: 3,
            code: 3,
            ..
        }
    ));
    assert_eq!(world.gateway.stats().drops["syn-unanswered"], 1);
}

#[test]
fn rfc5382_req4_an_unsolicited_syn_that_is_met_is_dropped_in_silence() {
    let mut world = world(Filter::AddressPort);
    let syn = segment(socket(CLIENT), socket(STUN), TCP_SYN);
    let own = world.cross(Side::Inside, &syn).source_socket();
    let peer = socket("203.0.113.99:1234");
    let unsolicited = segment(peer, own, TCP_SYN);
    assert_eq!(world.arrive(Side::Outside, &unsolicited), Verdict::Consumed);
    // The counterpart of a simultaneous open.
    world.cross(Side::Inside, &segment(socket(CLIENT), peer, TCP_SYN));
    world.pass(Duration::from_secs(10));
    assert_eq!(world.sent, []);
    world.cross(Side::Outside, &segment(peer, own, TCP_SYN));
}
