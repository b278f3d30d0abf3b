//! The packet that an error quotes (RFC 7915 §4.3, §5.3). Points 3.12 to 3.22.

use nat46::DropReason;

use crate::lab::{Out, translate};
use crate::packets::{MF, Read, V4, V6, icmp, read, read_quote, sum, tcp, udp};

/// What comes of an error about `quoted`, whose direction is turned here: the error, and its quote.
fn about4(quoted: &[u8]) -> (Read, Vec<u8>) {
    let packet = V4::new(1, icmp(11, 0, 0, quoted)).sealed();
    let new = read(&translate(&packet.bytes()).packet());
    assert!(new.checksum_is_right());
    let quote = new.body[8..].to_vec();
    (new, quote)
}

fn about6(quoted: &[u8]) -> (Read, Vec<u8>) {
    let packet = V6::new(58, icmp(3, 0, 0, quoted)).sealed();
    let new = read(&translate(&packet.bytes()).packet());
    assert!(new.checksum_is_right());
    let quote = new.body[8..].to_vec();
    (new, quote)
}

fn turned4(protocol: u8, body: Vec<u8>) -> V4 {
    let mut quoted = V4::new(protocol, body);
    (quoted.source, quoted.destination) = (quoted.destination, quoted.source);
    quoted
}

fn turned6(protocol: u8, body: Vec<u8>) -> V6 {
    let mut quoted = V6::new(protocol, body);
    (quoted.source, quoted.destination) = (quoted.destination, quoted.source);
    quoted
}

/// 3.12 and 3.14: translated like any packet but for its hop limit; its addresses go the other way.
#[test]
fn rfc7915_4_3_the_quoted_header_is_translated_and_keeps_its_hop_limit() {
    let mut quoted = turned4(17, udp(b"quoted!!")).sealed();
    (quoted.ttl, quoted.tos) = (1, 0x2e);
    let (new, quote) = about4(&quoted.bytes());
    let inner = read(&quote);
    assert_eq!((inner.hop_limit, inner.class), (1, 0x2e));
    assert_eq!(
        (inner.source, inner.destination),
        (new.destination, new.source)
    );
    assert!(inner.checksum_is_right());

    let mut quoted = turned6(17, udp(b"quoted!!")).sealed();
    (quoted.hop_limit, quoted.class) = (0, 0x2e);
    let (new, quote) = about6(&quoted.bytes());
    let inner = read(&quote);
    assert_eq!((inner.hop_limit, inner.class), (0, 0x2e));
    assert_eq!(
        (inner.source, inner.destination),
        (new.destination, new.source)
    );
    assert!(inner.checksum_is_right());
}

/// 3.12: its header checksum, which routers change, is not looked at.
#[test]
fn rfc7915_4_3_the_header_checksum_of_the_quoted_packet_is_not_verified() {
    let mut quoted = turned4(17, udp(b"quoted!!")).sealed().bytes();
    quoted[10] ^= 0x55;
    let (_, quote) = about4(&quoted);
    assert!(read(&quote).checksum_is_right());
}

/// 3.13: its length is computed from what it claims, not from what is there.
#[test]
fn rfc7915_4_3_the_length_of_a_truncated_quote_is_the_claimed_one() {
    for present in [28, 40, 60] {
        let quoted = turned4(6, tcp(0x10, &[9; 1000])).sealed().bytes();
        let (_, quote) = about4(&quoted[..present]);
        assert_eq!(quote.len(), present + 20);
        assert_eq!(read_quote(&quote).len, quoted.len() + 20);
    }
    for present in [48, 60, 80] {
        let quoted = turned6(6, tcp(0x10, &[9; 1000])).sealed().bytes();
        let (_, quote) = about6(&quoted[..present]);
        assert_eq!(quote.len(), present - 20);
        assert_eq!(read_quote(&quote).len, quoted.len() - 20);
        assert_eq!(sum(&quote[..20]), 0xffff);
    }
    // Options and extension headers count in the claimed length, too.
    let mut quoted = turned4(6, tcp(0x10, &[9; 100])).sealed();
    quoted.options = vec![1; 8];
    let (_, quote) = about4(&quoted.bytes()[..48]);
    assert_eq!(read_quote(&quote).len, 40 + 120);
    let mut quoted = turned6(6, tcp(0x10, &[9; 100])).sealed();
    quoted.extensions = vec![(0, vec![0; 8])];
    let (_, quote) = about6(&quoted.bytes()[..60]);
    assert_eq!(read_quote(&quote).len, 20 + 120);
}

/// 3.15 and 3.18: what is inside is translated by what it is, not by what the error is.
#[test]
fn rfc7915_4_3_a_quoted_echo_becomes_the_other_familys_echo() {
    for (kind, wanted) in [(8, 128), (0, 129)] {
        let quoted = turned4(1, icmp(kind, 0, 0x1234_0001, b"ping")).sealed();
        let inner = read(&about4(&quoted.bytes()).1);
        assert_eq!((inner.protocol, inner.body[0]), (58, wanted));
        assert!(inner.checksum_is_right());
    }
    for (kind, wanted) in [(128, 8), (129, 0)] {
        let quoted = turned6(58, icmp(kind, 0, 0x1234_0001, b"ping")).sealed();
        let inner = read(&about6(&quoted.bytes()).1);
        assert_eq!((inner.protocol, inner.body[0]), (1, wanted));
        assert!(inner.checksum_is_right());
    }
}

/// 3.16: as little as eight bytes behind the header; a checksum that is not there is left alone.
#[test]
fn rfc792_eight_bytes_of_a_quoted_segment_are_enough() {
    for (bytes, whole) in [
        (turned4(6, tcp(0x10, b"x")).sealed().bytes(), false),
        (turned4(17, udp(b"x")).sealed().bytes(), true),
    ] {
        let (_, quote) = about4(&bytes[..28]);
        assert_eq!(quote.len(), 48);
        assert_eq!(quote[40..44], bytes[20..24], "ports");
        if whole {
            assert_ne!(quote[46..48], bytes[26..28], "the checksum of UDP is there");
        } else {
            assert_eq!(quote[44..48], bytes[24..28], "sequence number");
        }
    }
    let bytes = turned6(6, tcp(0x10, b"x")).sealed().bytes();
    assert_eq!(about6(&bytes[..48]).1[20..], bytes[40..48]);
}

/// 3.17: updated, never verified, never computed anew; no checksum stays none.
#[test]
fn rfc7915_5_3_a_quoted_checksum_is_updated_only() {
    let zero4 = turned4(17, udp(b"none")).bytes();
    assert_eq!(read(&about4(&zero4).1).word(6), 0);
    let zero6 = turned6(17, udp(b"none")).bytes();
    assert_eq!(read(&about6(&zero6).1).word(6), 0);
    let mut wrong = turned4(17, udp(b"wrong")).sealed();
    wrong.body[7] ^= 1;
    assert!(!read(&about4(&wrong.bytes()).1).checksum_is_right());
    let mut wrong = turned6(6, tcp(0x10, b"wrong")).sealed();
    wrong.body[17] ^= 1;
    assert!(!read(&about6(&wrong.bytes()).1).checksum_is_right());
}

/// 3.18 and 3.19: pieces of ICMP and errors about errors; a quoted tunnel is a transport like any other.
#[test]
fn rfc7915_4_3_translation_stops_at_the_first_quoted_packet() {
    let dropped = Out::Drop(DropReason::UntranslatableQuote);
    let inner = turned4(17, udp(b"x")).bytes();
    for body in [
        icmp(3, 1, 0, &inner),
        icmp(11, 0, 0, &inner),
        icmp(5, 0, 0, &inner),
    ] {
        let packet = V4::new(1, icmp(11, 0, 0, &turned4(1, body).bytes())).sealed();
        assert_eq!(translate(&packet.bytes()), dropped);
    }
    let inner = turned6(17, udp(b"x")).bytes();
    for body in [
        icmp(1, 0, 0, &inner),
        icmp(3, 0, 0, &inner),
        icmp(135, 0, 0, &[0; 16]),
    ] {
        let packet = V6::new(58, icmp(3, 0, 0, &turned6(58, body).bytes())).sealed();
        assert_eq!(translate(&packet.bytes()), dropped);
    }
    let mut piece = turned4(1, icmp(8, 0, 7, &[0; 16]));
    piece.flags = MF;
    let packet = V4::new(1, icmp(11, 1, 0, &piece.bytes())).sealed();
    assert_eq!(translate(&packet.bytes()), dropped);

    for number in [4, 41, 47, 50] {
        let (_, quote) = about4(&turned4(number, vec![0x11; 40]).bytes());
        assert_eq!(read(&quote).protocol, number);
    }
}

/// 3.20: a quote that ends in its own headers has nothing to say; later fragments have a header only.
#[test]
fn rfc7915_4_3_a_quote_without_its_whole_header_is_dropped() {
    let mut quoted = turned4(17, udp(b"x")).sealed();
    quoted.options = vec![1; 8];
    let bytes = quoted.bytes();
    for present in 0..28 {
        let packet = V4::new(1, icmp(3, 1, 0, &bytes[..present])).sealed();
        assert!(translate(&packet.bytes()).is_silent(), "{present} bytes");
    }
    let mut quoted = turned6(17, udp(b"x")).sealed();
    quoted.extensions = vec![(60, vec![0; 8])];
    let bytes = quoted.fragment(1, 0, false).bytes();
    for present in 0..56 {
        let packet = V6::new(58, icmp(1, 0, 0, &bytes[..present])).sealed();
        assert!(translate(&packet.bytes()).is_silent(), "{present} bytes");
    }
    let mut later = turned4(17, vec![0xee; 24]);
    later.flags = 3;
    let inner = read(&about4(&later.bytes()).1);
    assert_eq!((inner.fragment, inner.id), (Some((24, false)), 0x1234));
    assert_eq!(
        inner.body, [0xee; 24],
        "no header, so no checksum and no ports"
    );
    let later = turned6(6, vec![0xee; 24]).fragment(0x5555_4321, 24, true);
    let inner = read(&about6(&later.bytes()).1);
    assert_eq!((inner.fragment, inner.id), (Some((24, true)), 0x4321));
    assert_eq!(inner.body, [0xee; 24]);
}

/// 3.21: Don't Fragment by the length that the quoted packet has as IPv4.
#[test]
fn rfc7915_5_3_dont_fragment_of_the_quoted_packet_is_by_its_length() {
    for (claimed, df) in [(1280, false), (1281, true)] {
        let bytes = turned6(17, udp(&vec![0; claimed - 48])).sealed().bytes();
        let inner = read_quote(&about6(&bytes[..100]).1);
        assert_eq!((inner.df, inner.id, inner.len), (df, 0, claimed - 20));
    }
}

/// 3.22: no error is longer than its family allows, and none is fragmented or refused for its length.
#[test]
fn rfc4443_2_4_c_errors_are_cut_to_their_longest() {
    let quoted = turned4(17, udp(&[7; 1400])).sealed().bytes();
    let (new, _) = about4(&quoted);
    assert_eq!(new.len, 1280);
    let quoted = turned6(17, udp(&[7; 1100])).sealed().bytes();
    let (new, _) = about6(&quoted);
    assert_eq!(new.len, 576, "RFC 1812 §4.3.2.3");
}
