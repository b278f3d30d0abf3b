//! MTUs across the families (RFC 7915 §4.2, §5.2; RFC 1191 §7.1; RFC 8021). Points 3.4 to 3.8.

use crate::icmp::{error4, error6};
use crate::lab::Lab;
use crate::packets::{V4, V6, icmp, read, udp};

fn told_to_ipv6(lab: &Lab, packet: &V4) -> u32 {
    let new = read(&lab.translate(&packet.bytes()).packet());
    assert_eq!(new.body[..2], [2, 0]);
    u32::from(new.word(4)) << 16 | u32::from(new.word(6))
}

fn told_to_ipv4(lab: &Lab, packet: &V6) -> u32 {
    let new = read(&lab.translate(&packet.bytes()).packet());
    assert_eq!(new.body[..2], [3, 4]);
    assert_eq!(new.word(4), 0, "unused");
    new.word(6).into()
}

/// 3.4, 3.7 and 3.8: adjusted by 20, bound by both links, never below 1280.
#[test]
fn rfc7915_4_2_fragmentation_needed_becomes_packet_too_big() {
    for (advertised, mtu4, mtu6, wanted) in [
        (1400, 1500, 1520, 1420),
        (1500, 1500, 1500, 1500),
        (9000, 1500, 9000, 1520),
        (9000, 9000, 1500, 1500),
        (1300, 9000, 9000, 1320),
        (1280, 1500, 1520, 1300),
        (1259, 1500, 1520, 1280),
        (576, 1500, 1520, 1280),
        (1, 1500, 1520, 1280),
    ] {
        let lab = Lab {
            mtu4,
            mtu6,
            ..Lab::default()
        };
        let told = told_to_ipv6(&lab, &error4(3, 4, advertised));
        assert_eq!(told, wanted, "{advertised} over {mtu4} and {mtu6}");
    }
}

/// 3.4: a router that tells no MTU; the greatest plateau below the quoted length.
#[test]
fn rfc1191_7_1_plateaus() {
    let lab = Lab {
        mtu4: 70_000,
        mtu6: 70_000,
        ..Lab::default()
    };
    for (quoted_len, wanted) in [
        (65_535, 32_020),
        (32_001, 32_020),
        (32_000, 17_934),
        (17_914, 8186),
        (8166, 4372),
        (4352, 2022),
        (2002, 1512),
        (1493, 1512),
        (1492, 1280),
        (600, 1280),
    ] {
        let mut quoted = V4::new(17, udp(b"x"));
        (quoted.source, quoted.destination) = (quoted.destination, quoted.source);
        let mut quoted = quoted.bytes();
        quoted[2..4].copy_from_slice(&(quoted_len as u16).to_be_bytes());
        let packet = V4::new(1, icmp(3, 4, 0, &quoted)).sealed();
        assert_eq!(told_to_ipv6(&lab, &packet), wanted, "quoted {quoted_len}");
    }
}

/// 3.5 and 3.6: adjusted by 20, bound by both links, no less than IPv4's least; nothing wraps.
#[test]
fn rfc7915_5_2_packet_too_big_becomes_fragmentation_needed() {
    for (advertised, mtu4, mtu6, wanted) in [
        (1400, 1500, 1520, 1380),
        (1280, 1500, 1520, 1260),
        (9000, 1500, 9000, 1500),
        (9000, 9000, 1500, 1480),
        (19, 1500, 1520, 68),
        (1, 1500, 1520, 68),
        (0, 1500, 1520, 68),
        (u32::MAX, 1500, 1520, 1500),
        (u32::MAX, 100_000, 100_000, 65_535),
    ] {
        let lab = Lab {
            mtu4,
            mtu6,
            ..Lab::default()
        };
        let told = told_to_ipv4(&lab, &error6(2, 0, advertised));
        assert_eq!(told, wanted, "{advertised} over {mtu4} and {mtu6}");
    }
}

/// 3.5: a quoted packet with a Fragment header lost 8 bytes more on its way.
#[test]
fn rfc7915_5_2_a_fragment_header_in_the_quoted_packet_counts() {
    let mut quoted = V6::new(17, udp(&[0; 32]));
    (quoted.source, quoted.destination) = (quoted.destination, quoted.source);
    let quoted = quoted.fragment(7, 0, true).bytes();
    let packet = V6::new(58, icmp(2, 0, 1400, &quoted)).sealed();
    assert_eq!(told_to_ipv4(&Lab::default(), &packet), 1372);
}

/// 1.9: what a fragment is told lets its next fragment through.
#[test]
fn rfc7915_4_1_the_mtu_told_to_a_dont_fragment_fragment_fits() {
    for flags in [0x4000, 0x6000] {
        let lab = Lab {
            mtu6: 1400,
            ..Lab::default()
        };
        let mut packet = V4::new(99, vec![0; 1480]);
        packet.flags = flags;
        let (_, reply) = lab.translate(&packet.bytes()).reply();
        let told = read(&reply).word(6);
        assert_eq!(told, if flags == 0x4000 { 1380 } else { 1372 });
        packet.body.truncate((usize::from(told) - 20) & !7);
        assert!(lab.translate(&packet.bytes()).packet().len() <= 1400);
    }
}

/// 1.8 and 2.9: too big for the other side, and may not be fragmented.
#[test]
fn rfc7915_1_4_a_packet_too_long_for_the_next_link_is_reported() {
    let lab = Lab {
        mtu6: 1500,
        mtu4: 1400,
        ..Lab::default()
    };
    let fits = V4::new(6, vec![0x50; 1460]).bytes();
    assert_eq!(lab.translate(&fits).packet().len(), 1500);
    let mut long = V4::new(6, vec![0x50; 1461]);
    let (_, reply) = lab.translate(&long.bytes()).reply();
    assert_eq!(
        (read(&reply).body[..2].to_vec(), read(&reply).word(6)),
        (vec![3, 4], 1480)
    );
    // §4.1 judges by total length and 20, whatever options there are.
    (long.options, long.body) = (vec![1; 20], vec![0x50; 1441]);
    lab.translate(&long.bytes()).reply();

    let fits = V6::new(6, vec![0x50; 1380]).bytes();
    assert_eq!(lab.translate(&fits).packet().len(), 1400);
    let (_, reply) = lab.translate(&V6::new(6, vec![0x50; 1381]).bytes()).reply();
    assert_eq!(read(&reply).body[..8][..2], [2, 0]);
    assert_eq!(read(&reply).word(6), 1420);
}

/// 2.9: no IPv6 sender is told less than 1280, and what it then sends is fragmented.
#[test]
fn rfc8021_4_nobody_is_told_less_than_1280_and_1280_get_through() {
    let lab = Lab {
        mtu4: 600,
        ..Lab::default()
    };
    let (_, reply) = lab.translate(&V6::new(17, udp(&[1; 1300])).bytes()).reply();
    assert_eq!(read(&reply).word(6), 1280);
    let packet = V6::new(17, udp(&[1; 1232])).sealed();
    assert_eq!(packet.bytes().len(), 1280);
    let pieces = lab.translate(&packet.bytes()).pieces();
    assert!(pieces.iter().all(|piece| piece.len() <= 600));
    assert_eq!(pieces.len(), 3);
}
