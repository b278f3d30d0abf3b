//! The floor does the same work as the peer: its packets are the peer's, but for what the peer leaves out.

use egress_peers::floor::{self, GROWTH};
use egress_peers::packet::{HOST, MAPPED, POD, SNAT, checksum_is_valid, from_host, from_pod};
use interproto::protocols::ip::{translate_ipv4_to_ipv6, translate_ipv6_to_ipv4};

#[test]
fn to_ipv6_is_interproto_with_the_hop_limit_decremented() {
    for length in [64, 1500] {
        let packet = from_pod(length);
        assert!(checksum_is_valid(&packet));
        let mut peer = translate_ipv4_to_ipv6(&packet, SNAT, HOST).unwrap();
        peer[7] -= 1;
        let mut own = vec![0; GROWTH];
        own.extend(packet);
        floor::to_ipv6(&mut own, SNAT, HOST);
        assert_eq!(own, peer);
        assert!(checksum_is_valid(&own));
    }
}

#[test]
fn to_ipv4_is_interproto_behind_the_header() {
    for length in [84, 1500] {
        let packet = from_host(length);
        assert!(checksum_is_valid(&packet));
        let peer = translate_ipv6_to_ipv4(&packet, MAPPED, POD).unwrap();
        let mut own = packet;
        floor::to_ipv4(&mut own, MAPPED, POD);
        assert_eq!(own[GROWTH + 20..], peer[20..]);
        assert_eq!(own[GROWTH + 12..GROWTH + 20], peer[12..20]);
        assert!(checksum_is_valid(&own[GROWTH..]));
    }
}
