//! From IPv4 to IPv6: the header (RFC 7915 §4, §4.1). Points 1.1 to 1.12.

use nat46::{DropReason, IcmpError, TrafficClass};

use crate::lab::{Lab, Out, translate};
use crate::packets::{DF, MF, V4, icmp, read, tcp, udp};

/// 1.1: version, header length, total length and header checksum are checked, and padding is cut.
#[test]
fn rfc1812_5_2_2_what_is_no_sound_ipv4_packet_is_dropped_in_silence() {
    let sound = V4::new(6, tcp(0x10, b"data")).sealed().bytes();
    let broken: [fn(&mut Vec<u8>); 6] = [
        |bytes| bytes[0] = 0x55,
        |bytes| bytes[0] = 0x44,
        |bytes| bytes[0] = 0x4f,
        |bytes| bytes[3] = 19,
        |bytes| bytes[3] += 1,
        |bytes| bytes[10] ^= 1,
    ];
    for (index, breaks) in broken.iter().enumerate() {
        let mut bytes = sound.clone();
        breaks(&mut bytes);
        assert!(matches!(translate(&bytes), Out::NoPacket(_)), "{index}");
    }
    for len in 0..sound.len() {
        assert!(translate(&sound[..len]).is_silent(), "{len} bytes");
    }
    let padded = [&sound[..], &[0; 6]].concat();
    assert_eq!(translate(&padded), translate(&sound));
}

/// The table of §4.1; 1.2: all eight bits of the ToS.
#[test]
fn rfc7915_4_1_every_field_of_the_ipv6_header() {
    for tos in [0, 0x48, 0xb8, 0xff] {
        let mut packet = V4::new(6, tcp(0x10, b"data")).sealed();
        packet.tos = tos;
        let bytes = packet.bytes();
        let out = translate(&bytes).packet();
        let new = read(&out);
        assert_eq!((new.class, new.label), (tos, 0));
        assert_eq!(out.len(), bytes.len() + 20);
        assert_eq!((new.protocol, new.hop_limit), (6, 63));
        assert_eq!(new.source.to_string(), "2001:db8:64::c000:221");
        assert_eq!(new.destination.to_string(), "2001:db8:64::c633:6407");
        assert_eq!(new.fragment, None);
        assert!(new.checksum_is_right());
    }
}

/// 1.2 and 1.12: an option to force the traffic class; what else Diffserv asks for is left to others.
#[test]
fn rfc7915_4_1_the_traffic_class_may_be_forced() {
    let mut lab = Lab::default();
    lab.config.traffic_class = TrafficClass::Set(0);
    let mut packet = V4::new(6, tcp(0x10, b"")).sealed();
    packet.tos = 0xff;
    assert_eq!(read(&lab.translate(&packet.bytes()).packet()).class, 0);
}

/// 1.3: a Fragment header for fragments, with or without DF, and for nothing else.
#[test]
fn rfc7915_4_a_fragment_header_for_fragments_alone() {
    for (flags, fragment) in [
        (0, None),
        (DF, None),
        (MF, Some((0, true))),
        (DF | MF, Some((0, true))),
        (MF | 3, Some((24, true))),
        (DF | 3, Some((24, false))),
    ] {
        let mut packet = V4::new(17, udp(&[7; 16])).sealed();
        packet.flags = flags;
        let new = read(&translate(&packet.bytes()).packet());
        assert_eq!(new.fragment, fragment, "flags {flags:#06x}");
        if fragment.is_some() {
            assert_eq!(new.id, 0x1234, "16 bits, zeros in front");
        }
    }
}

/// 1.4: numbers that IPv6 reads as extension headers or as its own ICMP.
#[test]
fn rfc7915_4_5_protocols_that_would_be_extension_headers_are_dropped() {
    for protocol in [0, 43, 44, 58, 60] {
        let out = translate(&V4::new(protocol, vec![0; 32]).bytes());
        let wanted = Out::Drop(DropReason::UntranslatableProtocol);
        assert_eq!(out, wanted, "protocol {protocol}");
    }
}

/// 1.5: every other transport is carried as it is.
#[test]
fn rfc7915_4_5_every_other_transport_is_forwarded() {
    for protocol in (0..=255).filter(|p| ![0, 1, 2, 6, 17, 33, 43, 44, 58, 60, 136].contains(p)) {
        let body: Vec<u8> = (0..40).collect();
        let new = read(&translate(&V4::new(protocol, body.clone()).bytes()).packet());
        assert_eq!((new.protocol, new.body), (protocol, body));
    }
}

/// 1.6: checked, and decremented once.
#[test]
fn rfc7915_4_1_time_to_live_is_decremented_once_and_reported_when_it_ends() {
    for (ttl, left) in [(255, Some(254)), (2, Some(1)), (1, None), (0, None)] {
        let mut packet = V4::new(17, udp(b"x")).sealed();
        packet.ttl = ttl;
        let out = translate(&packet.bytes());
        match left {
            Some(left) => assert_eq!(read(&out.packet()).hop_limit, left),
            None => {
                let (error, reply) = out.reply();
                assert_eq!(error, IcmpError::TimeExceeded);
                let reply = read(&reply);
                assert_eq!(reply.body[..2], [11, 0]);
                assert_eq!(reply.body[8..], packet.bytes(), "quoted as it came");
            }
        }
    }
}

/// 1.7: options vanish, malformed ones are no packet, an unexpired source route is reported.
#[test]
fn rfc7915_4_1_options_are_ignored_but_for_an_unexpired_source_route() {
    let with = |options: &[u8]| {
        let mut packet = V4::new(6, tcp(0x10, b"data")).sealed();
        packet.options = options.to_vec();
        translate(&packet.bytes())
    };
    let plain = with(&[]);
    // No operation, timestamp, end and what stands behind it; expired source routes.
    for harmless in [
        &[1, 1, 1, 1][..],
        &[68, 4, 5, 0],
        &[0, 131, 3, 4],
        &[131, 7, 8, 10, 0, 0, 1, 0],
        &[137, 3, 4, 0],
    ] {
        assert_eq!(with(harmless), plain, "{harmless:?}");
    }
    for route in [
        &[131, 7, 4, 10, 0, 0, 1, 0][..],
        &[137, 7, 7, 10, 0, 0, 1, 0],
        &[1, 131, 7, 4, 10, 0, 0, 1],
    ] {
        let (error, reply) = with(route).reply();
        assert_eq!(error, IcmpError::SourceRouteFailed { pointer: 0 });
        assert_eq!(read(&reply).body[..2], [3, 5]);
    }
    // Option lengths of 0 and 1 would be an endless loop; 9 is behind the header.
    for malformed in [
        &[7, 0, 0, 0][..],
        &[7, 1, 0, 0],
        &[7, 9, 4, 0],
        &[1, 1, 1, 7],
    ] {
        assert!(matches!(with(malformed), Out::NoPacket(_)), "{malformed:?}");
    }
}

/// 1.10: outer growth is 40 - ihl, and 8 for a Fragment header.
#[test]
fn rfc7915_4_1_the_payload_length_is_total_length_less_the_header() {
    for options in (0..=40).step_by(4) {
        for flags in [DF, MF] {
            let mut packet = V4::new(17, udp(&[1; 24])).sealed();
            (packet.options, packet.flags) = (vec![1; options], flags);
            let bytes = packet.bytes();
            let out = translate(&bytes).packet();
            let fragment = if flags == MF { 8 } else { 0 };
            assert_eq!(out.len(), bytes.len() + 40 - (20 + options) + fragment);
            assert_eq!(read(&out).body.len(), 32);
        }
    }
}

/// 1.11: a total length of 0 is no packet without an offload interface.
#[test]
fn rfc791_3_1_a_total_length_of_zero_is_no_packet() {
    let mut bytes = V4::new(6, tcp(0x10, b"data")).sealed().bytes();
    bytes[2..4].fill(0);
    assert!(translate(&bytes).is_silent());
}

/// IGMP is single-hop.
#[test]
fn rfc7915_4_2_igmp_is_dropped() {
    let out = translate(&V4::new(2, vec![0x16, 0, 0, 0, 0, 0, 0, 0]).bytes());
    assert_eq!(out, Out::Drop(DropReason::UntranslatableIcmp));
}

/// Echo: type, and the checksum with its pseudo header; code, identifier and data are copied.
#[test]
fn rfc7915_4_2_echo_keeps_all_but_type_and_checksum() {
    for (kind, new_kind) in [(8, 128), (0, 129)] {
        let packet = V4::new(1, icmp(kind, 0, 0xbeef_0007, b"ping!")).sealed();
        let new = read(&translate(&packet.bytes()).packet());
        assert_eq!((new.protocol, new.body[0]), (58, new_kind));
        assert_eq!(new.body[4..], packet.body[4..]);
        assert!(new.checksum_is_right());
    }
}
