//! Fragmentation (RFC 7915 §4, §4.1, §5.1.1; RFC 791 §3.2). Points 5.1 to 5.9.

use nat46::{IcmpError, LowestIpv6Mtu};

use crate::lab::{Lab, Out, translate};
use crate::packets::{DF, MF, V4, V6, read, tcp, udp};

/// Bodies of pieces put together, which must be fragments in a row of one datagram.
fn assemble(pieces: &[Vec<u8>], limit: usize) -> Vec<u8> {
    let mut body = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        assert!(piece.len() <= limit, "{} bytes", piece.len());
        let piece = read(piece);
        let more = index + 1 < pieces.len();
        assert_eq!(piece.fragment, Some((body.len(), more)));
        assert_eq!(piece.id, read(&pieces[0]).id);
        body.extend(piece.body);
    }
    body
}

/// 5.1, 5.2: a packet with DF=0 is split where it outgrows 1280 bytes; without being a fragment the test
/// has no 8 for a Fragment header.
#[test]
fn rfc7915_4_1_a_packet_that_may_be_fragmented_is_split_above_the_lowest_mtu() {
    let packet = |len: usize| {
        let mut packet = V4::new(17, udp(&vec![1; len - 28]));
        packet.flags = 0;
        packet.sealed()
    };
    for (lowest, mtu6, limit) in [
        (1280, 1520, 1280),
        (1280, 1280, 1280),
        (1500, 1520, 1500),
        (1500, 1400, 1400),
        (9000, 1400, 1400),
    ] {
        let mut lab = Lab {
            mtu6,
            ..Lab::default()
        };
        lab.config.lowest_ipv6_mtu = LowestIpv6Mtu::new(lowest).unwrap();
        let fits = packet(limit - 20);
        assert_eq!(lab.translate(&fits.bytes()).packet().len(), limit);
        let pieces = lab.translate(&packet(limit - 19).bytes()).pieces();
        assert_eq!(pieces.len(), 2);
        assemble(&pieces, limit);
    }
    assert!(LowestIpv6Mtu::new(1279).is_none());
}

/// 5.3: the longest pieces that hold a multiple of eight bytes.
#[test]
fn rfc7915_4_1_pieces_are_as_long_as_fits() {
    let mut packet = V4::new(17, udp(&[1; 3000]));
    packet.flags = 0;
    for (mtu, first) in [(1280, 1232), (1500, 1448)] {
        let mut lab = Lab {
            mtu4: 9000,
            mtu6: mtu.into(),
            ..Lab::default()
        };
        lab.config.lowest_ipv6_mtu = LowestIpv6Mtu::new(mtu).unwrap();
        let pieces = lab.translate(&packet.clone().sealed().bytes()).pieces();
        assert_eq!(read(&pieces[0]).body.len(), first);
        assert_eq!(read(&pieces[0]).id, 0x1234, "0x0000 and the 16 bits");
    }
}

/// 5.3: pieces of a fragment go on from its own offset, and the last keeps its flag.
#[test]
fn rfc7915_4_1_pieces_of_a_fragment() {
    for more in [true, false] {
        let mut packet = V4::new(17, (0..1480).map(|i| i as u8).collect());
        packet.flags = 185 | if more { MF } else { 0 };
        let pieces = translate(&packet.bytes()).pieces();
        let mut offset = 185 * 8;
        for (index, piece) in pieces.iter().enumerate() {
            let piece = read(piece);
            assert_eq!(
                piece.fragment,
                Some((offset, more || index + 1 < pieces.len()))
            );
            offset += piece.body.len();
        }
        assert_eq!(offset, 185 * 8 + 1480);
    }
}

/// 5.4, 5.5: the checksum is fixed once, and nothing of the payload is lost.
#[test]
fn rfc7915_4_1_the_pieces_make_the_datagram_again() {
    for (protocol, body) in [
        (17, udp(&(0..2500).map(|i| i as u8).collect::<Vec<_>>())),
        (
            6,
            tcp(0x10, &(0..2500).map(|i| i as u8).collect::<Vec<_>>()),
        ),
    ] {
        let mut packet = V4::new(protocol, body);
        packet.flags = 0;
        let packet = packet.sealed();
        let pieces = translate(&packet.bytes()).pieces();
        let mut whole = read(&pieces[0]);
        whole.body = assemble(&pieces, 1280);
        assert!(whole.checksum_is_right());
        assert_eq!(whole.body[20..], packet.body[20..]);
    }
}

/// 5.6: malformed, or behind the end of the longest datagram.
#[test]
fn rfc791_3_2_malformed_fragments_are_no_packets() {
    for (flags, len) in [(MF, 23), (MF, 0), (0x1fff, 8), (MF | 0x1ffe, 24)] {
        let mut packet = V4::new(17, vec![0; len]);
        packet.flags = flags;
        assert!(
            matches!(translate(&packet.bytes()), Out::NoPacket(_)),
            "{flags:#x}"
        );
    }
    for (offset, more, len) in [(0, true, 23), (0xfff8, false, 8), (0xfff0, true, 24)] {
        let packet = V6::new(17, vec![0; len]).fragment(1, offset, more);
        assert!(
            matches!(translate(&packet.bytes()), Out::NoPacket(_)),
            "{offset}"
        );
    }
    let mut last = V4::new(17, vec![0; 7]);
    last.flags = 0x1fff;
    assert!(
        matches!(translate(&last.bytes()), Out::Packet(_)),
        "65,535 bytes exactly"
    );
}

/// 5.7: fragments from IPv6 are not put together.
#[test]
fn rfc7915_5_1_1_fragments_stay_fragments() {
    let packet = V6::new(17, udp(&[0; 1224])).sealed();
    let packet = packet.fragment(9, 0, true);
    assert_eq!(
        read(&translate(&packet.bytes()).packet()).fragment,
        Some((0, true))
    );
}

/// 5.8: no atomic fragments are made.
#[test]
fn rfc8021_no_atomic_fragments_are_made() {
    for flags in [0, DF] {
        let mut packet = V4::new(17, udp(b"x")).sealed();
        packet.flags = flags;
        assert_eq!(read(&translate(&packet.bytes()).packet()).fragment, None);
    }
}

/// 5.9: of several faults, the one that is looked at first is reported.
#[test]
fn rfc7915_4_1_the_first_failing_check_decides() {
    let lab = Lab {
        mtu6: 1280,
        ..Lab::default()
    };
    let mut packet = V4::new(17, udp(&[0; 1400]));
    packet.ttl = 1;
    packet.options = vec![131, 7, 4, 10, 0, 0, 1, 0];
    let route = IcmpError::SourceRouteFailed { pointer: 0 };
    assert_eq!(lab.translate(&packet.bytes()).reply().0, route);
    packet.options.clear();
    assert_eq!(
        lab.translate(&packet.bytes()).reply().0,
        IcmpError::TimeExceeded
    );
    packet.ttl = 2;
    let too_big = IcmpError::TooBig { mtu: 1260 };
    assert_eq!(lab.translate(&packet.bytes()).reply().0, too_big);
}
