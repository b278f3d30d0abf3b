//! Addresses (RFC 7915 §1.2, §6; RFC 6052; RFC 7757; RFC 1812 §5.3.7). Points 6.1 to 6.12. Prefixes and rows by
//! themselves are tested beside their code.

use nat46::DropReason;
use nat46::address::rfc6052::Prefix;
use nat46::address::rfc7757::{Mapping, Siit};
use nat46::packet::Packet;

use crate::lab::{Lab, Out, translate};
use crate::packets::{V4, V6, read, udp};

/// 6.1: six lengths, both ways, against the table of §2.2 filled in by hand.
#[test]
fn rfc6052_2_2_every_prefix_length_both_ways() {
    for (prefix, embedded) in [
        ("2001:db8::/32", "2001:db8:c000:221::"),
        ("2001:db8:100::/40", "2001:db8:1c0:2:21::"),
        ("2001:db8:122::/48", "2001:db8:122:c000:2:2100::"),
        ("2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"),
        ("2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::"),
        ("2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33"),
    ] {
        let prefix = Prefix::new(prefix.parse().unwrap()).unwrap();
        let siit = Siit::new(&[], prefix);
        let bytes = V4::new(17, udp(b"x")).sealed().bytes();
        let rewrite = siit.rewrite(&Packet::parse(&bytes).unwrap()).unwrap();
        let embedded: core::net::Ipv6Addr = embedded.parse().unwrap();
        assert_eq!(rewrite.source, embedded);

        let mut packet = V6::new(17, udp(b"x"));
        packet.source = embedded;
        packet.destination = prefix.embed([198, 51, 100, 7].into());
        let rewrite = siit.rewrite(&Packet::parse(&packet.bytes()).unwrap());
        assert_eq!(rewrite.unwrap().source.to_string(), "192.0.2.33");
    }
}

/// 6.2: a suffix that is not zero is ignored.
#[test]
fn rfc6052_2_2_the_suffix_is_ignored() {
    let prefix = Prefix::new("2001:db8:122::/48".parse().unwrap()).unwrap();
    let with_suffix = "2001:db8:122:c000:2:21ff:ffff:ffff".parse().unwrap();
    assert_eq!(prefix.extract(with_suffix), Some([192, 0, 2, 33].into()));
}

/// 6.3: the well-known prefix holds global addresses only, in either direction and place.
#[test]
fn rfc6052_3_1_packets_with_private_addresses_under_the_well_known_prefix_are_dropped() {
    let prefix = Prefix::new("64:ff9b::/96".parse().unwrap()).unwrap();
    for (source, destination, passes) in [
        ([8, 8, 8, 8], [1, 1, 1, 1], true),
        ([10, 0, 0, 1], [1, 1, 1, 1], false),
        ([8, 8, 8, 8], [192, 168, 0, 1], false),
        ([100, 64, 0, 1], [1, 1, 1, 1], false),
        ([8, 8, 8, 8], [203, 0, 113, 9], false),
    ] {
        let mut packet = V4::new(17, udp(b"x"));
        (packet.source, packet.destination) = (source.into(), destination.into());
        let bytes = packet.bytes();
        let parsed = Packet::parse(&bytes).unwrap();
        assert_eq!(Siit::new(&[], prefix).rewrite(&parsed).is_ok(), passes);
        let allowed = Siit::new(&[], prefix.allow_non_global());
        assert!(allowed.rewrite(&parsed).is_ok(), "a switch, for labs");
        let mut packet = V6::new(17, udp(b"x"));
        packet.source = prefix.embed(source.into());
        packet.destination = prefix.embed(destination.into());
        let bytes = packet.bytes();
        let parsed = Packet::parse(&bytes).unwrap();
        assert_eq!(Siit::new(&[], prefix).rewrite(&parsed).is_ok(), passes);
    }
}

/// 6.8: sources that no router forwards, in silence.
#[test]
fn rfc1812_5_3_7_packets_from_illegal_sources_are_dropped_in_silence() {
    let illegal = Out::Drop(DropReason::IllegalSource);
    for source in [
        [0, 0, 0, 0],
        [0, 1, 2, 3],
        [127, 0, 0, 1],
        [224, 0, 0, 1],
        [239, 9, 9, 9],
        [255; 4],
    ] {
        for body in [udp(b"x"), crate::packets::tcp(2, b"")] {
            let protocol = if body.len() == 20 { 6 } else { 17 };
            let mut packet = V4::new(protocol, body);
            packet.source = source.into();
            // Before the hop limit is looked at.
            packet.ttl = 1;
            assert_eq!(translate(&packet.sealed().bytes()), illegal, "{source:?}");
        }
    }
    let rows = ["::", "::1", "ff02::1", "fe80::1", "::ffff:8.8.8.8"].map(|source| {
        let source: core::net::Ipv6Addr = source.parse().unwrap();
        let row = Mapping::new(
            "192.0.2.1/32".parse().unwrap(),
            ipnet::Ipv6Net::from(source),
        );
        (source, row.unwrap())
    });
    for (source, row) in rows {
        let lab = Lab {
            rows: vec![row],
            ..Lab::default()
        };
        let mut packet = V6::new(17, udp(b"x"));
        (packet.source, packet.hop_limit) = (source, 1);
        assert_eq!(lab.translate(&packet.sealed().bytes()), illegal, "{source}");
    }
}

/// 6.9: destinations that are no host of another link, in silence.
#[test]
fn rfc7915_1_2_groups_and_link_local_destinations_are_dropped_in_silence() {
    let illegal = Out::Drop(DropReason::IllegalDestination);
    for destination in [
        [224, 0, 0, 251],
        [255; 4],
        [127, 0, 0, 1],
        [0, 0, 0, 0],
        [169, 254, 1, 1],
    ] {
        let mut packet = V4::new(17, udp(b"x"));
        packet.destination = destination.into();
        assert_eq!(
            translate(&packet.sealed().bytes()),
            illegal,
            "{destination:?}"
        );
    }
}

/// 6.5, 6.6: a row before the prefix, and the longest row.
#[test]
fn rfc7757_3_rows_come_before_the_prefix() {
    let row = |ipv4: &str, ipv6: &str| {
        Mapping::new(ipv4.parse().unwrap(), ipv6.parse().unwrap()).unwrap()
    };
    let lab = Lab {
        rows: vec![
            row("198.51.0.0/16", "2001:db8:aaaa::/112"),
            row("198.51.100.7/32", "2001:db8:bbbb::7/128"),
        ],
        ..Lab::default()
    };
    let new = read(
        &lab.translate(&V4::new(17, udp(b"x")).sealed().bytes())
            .packet(),
    );
    assert_eq!(new.destination.to_string(), "2001:db8:bbbb::7");
    assert_eq!(new.source.to_string(), "2001:db8:64::c000:221");
    assert!(new.checksum_is_right(), "a row is not checksum-neutral");
}
