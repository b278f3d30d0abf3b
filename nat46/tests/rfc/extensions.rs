//! ICMP extensions (RFC 4884), and the one that tells a router's address (RFC 5837, RFC 6791). Points 3.23 to
//! 3.28, 3.34.

use crate::lab::{Lab, translate};
use crate::packets::{Read, V4, V6, icmp, read, read_quote, sum, udp};

/// An MPLS label stack (RFC 4950), as routers add it.
const EXTENSION: [u8; 12] = [0x20, 0, 0xf8, 0x26, 0, 8, 1, 1, 0x03, 0xe8, 0x11, 0x40];

fn quoted4(len: usize) -> Vec<u8> {
    let mut quoted = V4::new(17, udp(&vec![7; len - 28]));
    (quoted.source, quoted.destination) = (quoted.destination, quoted.source);
    quoted.sealed().bytes()
}

fn quoted6(len: usize) -> Vec<u8> {
    let mut quoted = V6::new(17, udp(&vec![7; len - 48]));
    (quoted.source, quoted.destination) = (quoted.destination, quoted.source);
    quoted.sealed().bytes()
}

/// Time Exceeded with the quote padded to `padded` bytes, and an extension behind it.
fn with_extension4(quoted: &[u8], padded: usize) -> Vec<u8> {
    let mut rest = quoted.to_vec();
    rest.resize(padded, 0);
    rest.extend(EXTENSION);
    let word = (padded as u32 / 4) << 16;
    V4::new(1, icmp(11, 0, word, &rest)).sealed().bytes()
}

fn with_extension6(quoted: &[u8], padded: usize) -> Vec<u8> {
    let mut rest = quoted.to_vec();
    rest.resize(padded, 0);
    rest.extend(EXTENSION);
    let word = (padded as u32 / 8) << 24;
    V6::new(58, icmp(3, 0, word, &rest)).sealed().bytes()
}

/// Quote and extension of a translated error, by its own length attribute.
fn split(new: &Read) -> (&[u8], &[u8]) {
    assert!(new.checksum_is_right());
    let len = if new.protocol == 58 {
        usize::from(new.body[4]) * 8
    } else {
        usize::from(new.body[5]) * 4
    };
    assert!(len >= 128 && len % 4 == 0, "{len}");
    new.body[8..].split_at(len)
}

/// 3.23, 3.24: the padding goes, the datagram is translated, padded again, its length written in the
/// other unit, and the extension follows as it was.
#[test]
fn rfc4884_4_the_length_attribute_is_written_in_the_other_familys_unit() {
    for (quoted_len, padded) in [(60, 128), (128, 128), (131, 132), (200, 200)] {
        let bytes = with_extension4(&quoted4(quoted_len), padded);
        let new = read(&translate(&bytes).packet());
        let (quote, extension) = split(&new);
        assert_eq!(extension, EXTENSION, "quoted {quoted_len}");
        let inner = read_quote(quote);
        assert_eq!(inner.len, quoted_len + 20);
        assert!(quote[inner.len..].iter().all(|byte| *byte == 0));
        assert!(read(&quote[..inner.len]).checksum_is_right());
    }
    for (quoted_len, padded) in [(80, 128), (128, 128), (133, 136), (248, 248)] {
        let bytes = with_extension6(&quoted6(quoted_len), padded);
        let new = read(&translate(&bytes).packet());
        let (quote, extension) = split(&new);
        assert_eq!(extension, EXTENSION, "quoted {quoted_len}");
        let inner = read_quote(quote);
        assert_eq!(inner.len, quoted_len - 20);
        assert!(quote[inner.len..].iter().all(|byte| *byte == 0));
        assert!(read(&quote[..inner.len]).checksum_is_right());
    }
}

/// 3.25: types that have no length attribute lose their extension.
#[test]
fn rfc4884_4_6_no_extension_where_the_target_has_no_length_attribute() {
    let mut rest = quoted4(60);
    rest.resize(128, 0);
    rest.extend(EXTENSION);
    for (kind, code, wanted) in [(3, 4, [2, 0]), (12, 0, [4, 0]), (3, 2, [4, 1])] {
        let word = 32 << 16 | if code == 4 { 1400 } else { 0 };
        let bytes = V4::new(1, icmp(kind, code, word, &rest)).sealed().bytes();
        let new = read(&translate(&bytes).packet());
        assert_eq!(new.body[..2], wanted);
        assert_eq!(new.body.len(), 8 + 60 + 20, "the datagram alone");
        assert_eq!(new.body[4], 0, "no length");
    }
}

/// 3.25: the quote is shortened first, to no less than 128 bytes.
#[test]
fn rfc7915_4_2_an_extension_that_fits_is_kept_at_the_price_of_the_quote() {
    let bytes = with_extension4(&quoted4(1016), 1016);
    let lab = Lab {
        mtu6: 1280,
        ..Lab::default()
    };
    let new = read(&lab.translate(&bytes).packet());
    let (quote, extension) = split(&new);
    assert_eq!((quote.len(), extension), (1040, &EXTENSION[..]));
    let bytes = with_extension6(&quoted6(1200), 1200);
    let new = read(&translate(&bytes).packet());
    let (quote, extension) = split(&new);
    assert_eq!((quote.len(), extension), (536, &EXTENSION[..]));
    assert_eq!(new.len, 576);
}

/// 3.26: a length that claims more than there is, is none.
#[test]
fn rfc4884_5_5_a_length_beyond_the_message_means_no_extension() {
    let word = 255 << 16;
    let bytes = V4::new(1, icmp(11, 0, word, &quoted4(60))).sealed().bytes();
    let new = read(&translate(&bytes).packet());
    assert_eq!((new.body[4], new.body.len()), (0, 8 + 80));
}

/// 3.27: routers that do not pad to 128 bytes are understood.
#[test]
fn rfc4884_4_a_length_below_128_is_accepted() {
    let bytes = with_extension4(&quoted4(68), 68);
    let new = read(&translate(&bytes).packet());
    let (quote, extension) = split(&new);
    assert_eq!((quote.len(), extension), (128, &EXTENSION[..]));
}

/// 3.28: an error of a router without an IPv4 address leaves with a stand-in. 3.34: which is told.
#[test]
fn rfc6791_4_the_ipv6_source_of_a_router_is_told_in_an_interface_information_object() {
    let mut packet = V6::new(58, icmp(3, 0, 0, &quoted6(60)));
    packet.source = "2001:db8:9999::1".parse().unwrap();
    let packet = packet.sealed();
    let lab = Lab::default();
    let plain = read(&lab.translate(&packet.bytes()).packet());
    assert_eq!(plain.source.to_string(), "192.0.0.8");
    assert_eq!((plain.body[5], plain.body.len()), (0, 8 + 40));

    let lab = Lab {
        reveal_source: true,
        ..lab
    };
    let new = read(&lab.translate(&packet.bytes()).packet());
    let (quote, extension) = split(&new);
    assert_eq!(read_quote(quote).len, 40);
    assert!(quote[40..].iter().all(|byte| *byte == 0));
    // RFC 4884 §7, RFC 5837 §4.1 and §4.2: version 2; class 2, role 0, an address; AFI 2.
    assert_eq!(sum(extension), 0xffff);
    assert_eq!(extension[0], 0x20);
    assert_eq!(extension[4..12], [0, 24, 2, 4, 0, 2, 0, 0]);
    assert_eq!(extension[12..], packet.source.octets());

    // A source that has a counterpart is told by it, and an extension that is there is left alone.
    let mapped = V6::new(58, icmp(3, 0, 0, &quoted6(60))).sealed();
    assert_eq!(
        read(&lab.translate(&mapped.bytes()).packet()).body.len(),
        48
    );
    let mut bytes = with_extension6(&quoted6(80), 128);
    bytes[8..24].copy_from_slice(&packet.source.octets());
    let mut repaired = V6::new(58, bytes[40..].to_vec());
    repaired.source = packet.source;
    let new = read(&lab.translate(&repaired.sealed().bytes()).packet());
    assert_eq!(split(&new).1, EXTENSION);
}
