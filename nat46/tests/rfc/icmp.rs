//! ICMP types, codes and pointers (RFC 7915 §4.2, §5.2). Points 3.1, 3.2, 3.3, 3.9 to 3.11.

use nat46::DropReason;

use crate::lab::{Out, translate};
use crate::packets::{MF, V4, V6, icmp, read, udp};

/// An ICMP error about a packet that was sent by its destination.
pub(crate) fn error4(kind: u8, code: u8, word: u32) -> V4 {
    let mut quoted = V4::new(17, udp(b"quoted"));
    (quoted.source, quoted.destination) = (quoted.destination, quoted.source);
    V4::new(1, icmp(kind, code, word, &quoted.sealed().bytes())).sealed()
}

pub(crate) fn error6(kind: u8, code: u8, word: u32) -> V6 {
    let mut quoted = V6::new(17, udp(b"quoted"));
    (quoted.source, quoted.destination) = (quoted.destination, quoted.source);
    V6::new(58, icmp(kind, code, word, &quoted.sealed().bytes())).sealed()
}

/// Type, code and word of the translated message, which must be sound.
fn outcome(out: Out) -> Option<(u8, u8, u32)> {
    match out {
        Out::Packet(packet) => {
            let new = read(&packet);
            assert!(new.checksum_is_right());
            let word = u32::from(new.word(4)) << 16 | u32::from(new.word(6));
            Some((new.body[0], new.body[1], word))
        }
        Out::Drop(_) => None,
        other => panic!("{other:?}"),
    }
}

/// 3.1: every type and code of ICMP.
#[test]
fn rfc7915_4_2_every_type_and_code_of_icmp() {
    for kind in 0..=255 {
        for code in 0..=20 {
            let wanted = match (kind, code) {
                (8, _) => Some((128, code, 0)),
                (0, _) => Some((129, code, 0)),
                (3, 0 | 1 | 5 | 6 | 7 | 8 | 11 | 12) => Some((1, 0, 0)),
                (3, 2) => Some((4, 1, 6)),
                (3, 3) => Some((1, 4, 0)),
                (3, 4) => Some((2, 0, 1280)),
                (3, 9 | 10 | 13 | 15) => Some((1, 1, 0)),
                (11, _) => Some((3, code, 0)),
                (12, 0 | 2) => Some((4, 0, 0)),
                _ => None,
            };
            let found = outcome(translate(&error4(kind, code, 0).bytes()));
            assert_eq!(found, wanted, "type {kind} code {code}");
        }
    }
}

/// 3.2: every type and code of ICMPv6.
#[test]
fn rfc7915_5_2_every_type_and_code_of_icmpv6() {
    for kind in 0..=255 {
        for code in 0..=20 {
            let wanted = match (kind, code) {
                (128, _) => Some((8, code, 0)),
                (129, _) => Some((0, code, 0)),
                (1, 0 | 2 | 3) => Some((3, 1, 0)),
                (1, 1) => Some((3, 10, 0)),
                (1, 4) => Some((3, 3, 0)),
                (2, _) => Some((3, 4, 68)),
                (3, _) => Some((11, code, 0)),
                (4, 0) => Some((12, 0, 0)),
                (4, 1) => Some((3, 2, 0)),
                _ => None,
            };
            let found = outcome(translate(&error6(kind, code, 0).bytes()));
            assert_eq!(found, wanted, "type {kind} code {code}");
        }
    }
}

/// 3.3, figure 3: the pointer is the first byte of the word; the rest of it may be a length.
#[test]
fn rfc7915_4_2_figure_3_every_pointer() {
    for pointer in 0..=255_u32 {
        let wanted = match pointer {
            0 => Some(0),
            1 => Some(1),
            2 | 3 => Some(4),
            8 => Some(7),
            9 => Some(6),
            12..=15 => Some(8),
            16..=19 => Some(24),
            _ => None,
        };
        for code in [0, 2] {
            let found = outcome(translate(&error4(12, code, pointer << 24).bytes()));
            assert_eq!(found, wanted.map(|new| (4, 0, new)), "pointer {pointer}");
        }
    }
}

/// 3.3.1, figure 6: the pointer is 32 bits without a sign.
#[test]
fn rfc7915_5_2_figure_6_every_pointer() {
    let ends = [0xff, 0x100, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
    for pointer in (0..64).chain(ends) {
        let wanted = match pointer {
            0 => Some(0),
            1 => Some(1),
            4 | 5 => Some(2),
            6 => Some(9),
            7 => Some(8),
            8..=23 => Some(12),
            24..=39 => Some(16),
            _ => None,
        };
        let found = outcome(translate(&error6(4, 0, pointer).bytes()));
        let wanted = wanted.map(|new: u32| (12, 0, new << 24));
        assert_eq!(found, wanted, "pointer {pointer}");
    }
}

/// 3.9: the pseudo header of ICMPv6 holds the length.
#[test]
fn rfc7915_4_2_the_checksum_of_an_echo_of_any_length() {
    for len in [0, 1, 2, 55, 56, 1000] {
        let data = vec![0xa7; len];
        let out = translate(&V4::new(1, icmp(8, 0, 7, &data)).sealed().bytes());
        assert!(read(&out.packet()).checksum_is_right(), "4 to 6, {len}");
        let out = translate(&V6::new(58, icmp(129, 0, 7, &data)).sealed().bytes());
        assert!(read(&out.packet()).checksum_is_right(), "6 to 4, {len}");
    }
}

/// 3.10: no piece of an ICMP message is translated; an atomic fragment is no piece.
#[test]
fn rfc7915_1_2_fragments_of_icmp_are_dropped() {
    for flags in [MF, 4, MF | 4] {
        let mut packet = V4::new(1, icmp(8, 0, 7, &[0; 24]));
        packet.flags = flags;
        let wanted = Out::Drop(DropReason::FragmentedIcmp);
        assert_eq!(translate(&packet.bytes()), wanted, "{flags:#x}");
    }
    for (offset, more) in [(0, true), (32, false), (32, true)] {
        let packet = V6::new(58, icmp(128, 0, 7, &[0; 24])).fragment(1, offset, more);
        let wanted = Out::Drop(DropReason::FragmentedIcmp);
        assert_eq!(translate(&packet.bytes()), wanted, "{offset}");
    }
    let atomic = V6::new(58, icmp(128, 0, 7, &[0; 24])).sealed();
    let out = translate(&atomic.fragment(1, 0, false).bytes());
    assert!(read(&out.packet()).checksum_is_right());
}

/// 3.11: an error that arrives corrupt is dropped, not mended.
#[test]
fn rfc7915_5_a_corrupt_error_does_not_become_a_valid_one() {
    let mut packet = error4(3, 1, 0);
    packet.body[20] ^= 1;
    let wanted = Out::Drop(DropReason::IcmpChecksum);
    assert_eq!(translate(&packet.bytes()), wanted);
    let mut packet = error6(1, 0, 0);
    packet.body[60] ^= 1;
    assert_eq!(translate(&packet.bytes()), wanted);
}
