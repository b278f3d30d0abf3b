//! From IPv6 to IPv4: the header and the chain of extension headers (RFC 7915 §5.1, §5.1.1). Points 2.1 to
//! 2.10.

use std::collections::HashSet;

use nat46::packet::Packet;
use nat46::{DropReason, IcmpError};

use crate::lab::{Lab, Out, translate};
use crate::packets::{V6, read, tcp, udp};

/// An extension header of 8 bytes.
fn short(number: u8) -> (u8, Vec<u8>) {
    (number, vec![0, 0, 1, 4, 0, 0, 0, 0])
}

/// The table of §5.1 for a packet without Fragment header.
#[test]
fn rfc7915_5_1_every_field_of_the_ipv4_header() {
    let mut packet = V6::new(6, tcp(0x10, &[5; 1400])).sealed();
    (packet.class, packet.label) = (0xb9, 0xf_1234);
    let bytes = packet.bytes();
    let out = translate(&bytes).packet();
    let new = read(&out);
    assert_eq!((out.len(), new.header), (bytes.len() - 20, 20));
    assert_eq!((new.class, new.hop_limit, new.protocol), (0xb9, 63, 6));
    assert_eq!((new.df, new.fragment), (true, None));
    assert_eq!(new.source.to_string(), "192.0.2.33");
    assert_eq!(new.destination.to_string(), "198.51.100.7");
    assert!(new.checksum_is_right());
}

/// 2.1: the limit of 1260 is on the result, whatever extension headers were cut off.
#[test]
fn rfc7915_5_1_dont_fragment_is_set_above_1260_bytes_of_ipv4() {
    for (len, df) in [(28, false), (1260, false), (1261, true), (1300, true)] {
        for extensions in [vec![], vec![short(60)]] {
            let mut packet = V6::new(17, udp(&vec![1; len - 28])).sealed();
            packet.extensions = extensions;
            let out = translate(&packet.bytes()).packet();
            assert_eq!((out.len(), read(&out).df), (len, df));
        }
    }
}

/// 2.2: identifications of packets that may be fragmented do not repeat within 65,536 of them.
#[test]
fn rfc6864_4_3_identifications_do_not_repeat() {
    let bytes = V6::new(17, udp(b"x")).sealed().bytes();
    let packet = Packet::parse(&bytes).unwrap();
    let lab = Lab::default();
    let mut translator = nat46::Translator::new(lab.config, [9; 32]);
    let rewrite = nat46::Rewrite {
        source: [192, 0, 2, 33].into(),
        destination: [198, 51, 100, 7].into(),
        source_port: 1,
        destination_port: 2,
    };
    let mut seen = HashSet::new();
    let mut steps = HashSet::new();
    let mut last = 0;
    for _ in 0..65_536 {
        let mut memory = bytes.clone();
        let mut buf = nat46::PacketBuf::new(&mut memory, 0..bytes.len()).unwrap();
        let now = core::time::Duration::ZERO;
        let verdict = translator.rewrite(now, &packet, &rewrite, lab.links(true), &mut buf);
        assert_eq!(verdict, nat46::Verdict::Forward);
        let id = read(buf.as_bytes()).id as u16;
        assert!(seen.insert(id), "{id} twice");
        steps.insert(id.wrapping_sub(last));
        last = id;
    }
    // RFC 7739: the next cannot be told from the one before.
    assert!(steps.len() > 1000, "{} steps", steps.len());
}

/// 2.3: an atomic fragment is whole, but keeps its identification and may be fragmented.
#[test]
fn rfc6946_4_an_atomic_fragment_is_a_whole_packet() {
    for payload in [b"x".to_vec(), vec![1; 1300]] {
        let packet = V6::new(17, udp(&payload)).sealed();
        let new = read(&translate(&packet.fragment(0xabcd_1234, 0, false).bytes()).packet());
        assert_eq!((new.id, new.df, new.fragment), (0x1234, false, None));
        assert!(new.checksum_is_right());
    }
}

/// The right column of the table of §5.1.1.
#[test]
fn rfc7915_5_1_1_a_fragment_keeps_offset_flag_and_low_identification() {
    for (offset, more) in [(0, true), (1232, true), (1232, false)] {
        let mut packet = V6::new(17, udp(&[3; 16])).sealed();
        packet.hop_limit = 9;
        let packet = packet.fragment(0x9999_0042, offset, more);
        let new = read(&translate(&packet.bytes()).packet());
        assert_eq!(new.fragment, Some((offset.into(), more)));
        assert_eq!((new.id, new.df, new.hop_limit), (0x42, false, 8));
        assert_eq!((new.protocol, new.body.len()), (17, 24));
    }
}

/// 2.4: three kinds are skipped; what is behind others is payload.
#[test]
fn rfc7915_5_1_three_extension_headers_are_skipped_and_no_other() {
    let mut packet = V6::new(6, tcp(0x10, b"data")).sealed();
    let plain = translate(&packet.bytes()).packet();
    let mut routing = short(43);
    routing.1[3] = 0;
    packet.extensions = vec![short(0), short(60), routing, short(60)];
    let without_id = |bytes: &[u8]| [&bytes[..4], &bytes[6..10], &bytes[12..]].concat();
    let skipped = translate(&packet.bytes()).packet();
    assert_eq!(without_id(&skipped), without_id(&plain));
    for number in [50, 51, 135, 139, 59, 254, 99] {
        let body: Vec<u8> = (0..24).collect();
        let new = read(&translate(&V6::new(number, body.clone()).bytes()).packet());
        assert_eq!((new.protocol, new.body), (number, body));
    }
}

/// 2.5: every Routing header is looked at; the pointer names the byte itself.
#[test]
fn rfc7915_5_1_segments_left_is_reported_at_its_offset() {
    let left = |segments| (43, vec![0, 0, 0, segments, 0, 0, 0, 0]);
    for (extensions, pointer) in [
        (vec![left(1)], 43),
        (vec![short(0), left(2)], 51),
        (vec![left(0), left(255)], 51),
    ] {
        let mut packet = V6::new(17, udp(b"x")).sealed();
        packet.extensions = extensions;
        let (error, reply) = translate(&packet.bytes()).reply();
        assert_eq!(error, IcmpError::SourceRouteFailed { pointer });
        let reply = read(&reply);
        assert_eq!(reply.body[..2], [4, 0]);
        assert_eq!(reply.body[4..8], u32::from(pointer).to_be_bytes());
    }
}

/// 2.6: extension headers of RFC 7045 §4 behind a Fragment header, in later fragments too.
#[test]
fn rfc7915_5_1_1_an_extension_header_behind_a_fragment_header_is_dropped() {
    for number in [0, 43, 44, 51, 60, 135, 139, 140, 253, 254] {
        for (offset, more) in [(0, true), (16, false), (0, false)] {
            let packet = V6::new(number, vec![0; 16]).fragment(1, offset, more);
            let wanted = Out::Drop(DropReason::HeaderBehindFragment);
            assert_eq!(translate(&packet.bytes()), wanted, "{number} at {offset}");
        }
    }
    for number in [50, 59, 99] {
        let packet = V6::new(number, vec![0; 16]).fragment(1, 0, true);
        assert!(matches!(translate(&packet.bytes()), Out::Packet(_)));
    }
}

/// 2.7: the chain is inside the packet, and not endless.
#[test]
fn rfc8200_4_a_chain_that_leaves_the_packet_or_never_ends_is_no_packet() {
    for claimed in [3, 255] {
        let mut packet = V6::new(17, udp(b"x"));
        packet.extensions = vec![(60, vec![0, claimed, 0, 0, 0, 0, 0, 0])];
        assert!(matches!(translate(&packet.bytes()), Out::NoPacket(_)));
    }
    let mut packet = V6::new(17, udp(b"x")).sealed();
    packet.extensions = vec![short(60); 8];
    assert!(matches!(translate(&packet.bytes()), Out::Packet(_)));
    packet.extensions = vec![short(60); 9];
    assert!(matches!(translate(&packet.bytes()), Out::NoPacket(_)));
    // A header that is cut in two.
    for len in 1..8 {
        let bytes = V6::new(60, vec![0; len]).bytes();
        assert!(matches!(translate(&bytes), Out::NoPacket(_)), "{len}");
    }
}

/// 2.8: jumbograms, and what would be longer than IPv4 allows.
#[test]
fn rfc7915_5_1_what_ipv4_cannot_hold_is_dropped() {
    let mut packet = V6::new(17, Vec::new());
    packet.extensions = vec![(0, vec![0, 0, 0xc2, 4, 0, 1, 0, 0])];
    let mut jumbo = packet.bytes();
    jumbo[4..6].fill(0);
    jumbo.extend([0; 64]);
    assert!(matches!(translate(&jumbo), Out::NoPacket(_)));
    let lab = Lab {
        mtu4: 65_535,
        ..Lab::default()
    };
    let longest = V6::new(99, vec![0; 65_515]).bytes();
    assert_eq!(lab.translate(&longest).packet().len(), 65_535);
    let longer = V6::new(99, vec![0; 65_516]).bytes();
    assert_eq!(lab.translate(&longer), Out::Drop(DropReason::TooLong));
}

/// 2.10: checked, and decremented once.
#[test]
fn rfc7915_5_1_hop_limit_is_decremented_once_and_reported_when_it_ends() {
    for (hop_limit, left) in [(255, Some(254)), (2, Some(1)), (1, None), (0, None)] {
        let mut packet = V6::new(17, udp(b"x")).sealed();
        packet.hop_limit = hop_limit;
        let out = translate(&packet.bytes());
        match left {
            Some(left) => assert_eq!(read(&out.packet()).hop_limit, left),
            None => {
                let (error, reply) = out.reply();
                assert_eq!(error, IcmpError::TimeExceeded);
                assert_eq!(read(&reply).body[..2], [3, 0]);
                assert_eq!(read(&reply).body[8..], packet.bytes());
            }
        }
    }
}
