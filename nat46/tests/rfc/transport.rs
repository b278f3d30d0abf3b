//! Transport checksums and the maximum segment size (RFC 7915 §4.5, §5.5; RFC 1624). Points 4.1 to 4.13.

use nat46::{DropReason, MssClamp, UdpZero};

use crate::lab::{Lab, Out, translate};
use crate::packets::{MF, V4, V6, read, tcp, udp};

/// 4.1, 4.9: updated, for every transport with a pseudo header; also of a first fragment.
#[test]
fn rfc7915_4_5_checksums_are_updated() {
    for (protocol, body) in [
        (6, tcp(0x18, b"some data")),
        (17, udp(b"some data")),
        (136, udp(b"some data")),
        (33, vec![1; 24]),
    ] {
        let packet = V4::new(protocol, body.clone()).sealed();
        let new = read(&translate(&packet.bytes()).packet());
        assert!(new.checksum_is_right(), "4 to 6, {protocol}");
        let packet = V6::new(protocol, body).sealed();
        let new = read(&translate(&packet.bytes()).packet());
        assert!(new.checksum_is_right(), "6 to 4, {protocol}");
    }
    // The first piece of a datagram has the checksum of the whole.
    let whole = V4::new(17, udp(&[0x3c; 64])).sealed();
    let wanted = read(&translate(&whole.bytes()).packet()).word(6);
    let mut first = whole;
    first.flags = MF;
    first.body.truncate(32);
    assert_eq!(read(&translate(&first.bytes()).packet()).word(6), wanted);
}

/// 4.2: what was wrong stays wrong.
#[test]
fn rfc7915_5_a_wrong_checksum_stays_wrong() {
    for flip in [1, 0x80] {
        let mut packet = V4::new(6, tcp(0x10, b"data")).sealed();
        packet.body[17] ^= flip;
        assert!(!read(&translate(&packet.bytes()).packet()).checksum_is_right());
        let mut packet = V6::new(17, udp(b"data")).sealed();
        packet.body[9] ^= flip;
        assert!(!read(&translate(&packet.bytes()).packet()).checksum_is_right());
    }
}

/// 4.3, 4.7: a UDP checksum that comes out as zero is sent as 0xffff, both ways; 0xffff is a value like
/// any other.
#[test]
fn rfc768_a_checksum_of_zero_is_sent_as_all_ones() {
    let (mut to6, mut to4) = (0, 0);
    for number in 0..=u16::MAX {
        let body = udp(&number.to_be_bytes());
        let new = read(&translate(&V4::new(17, body.clone()).sealed().bytes()).packet());
        assert_ne!(new.word(6), 0);
        to6 += u32::from(new.word(6) == 0xffff);
        let new = read(&translate(&V6::new(17, body).sealed().bytes()).packet());
        assert_ne!(new.word(6), 0);
        to4 += u32::from(new.word(6) == 0xffff);
    }
    assert!(to6 > 0 && to4 > 0, "the case came up");
}

/// 4.4, 4.5: the policies for UDP without a checksum.
#[test]
fn rfc7915_4_5_udp_without_a_checksum() {
    let whole = V4::new(17, udp(b"none"));
    let mut first = V4::new(17, udp(&[1; 32]));
    first.flags = MF;
    let mut later = first.clone();
    later.flags = MF | 5;
    let dropped = Out::Drop(DropReason::UdpWithoutChecksum);
    let mut lab = Lab::default();
    for (policy, whole_passes, first_passes) in [
        (UdpZero::Drop, false, false),
        (UdpZero::Compute, true, false),
        (UdpZero::Pass, true, true),
    ] {
        lab.config.udp_zero = policy;
        let out = lab.translate(&whole.bytes());
        if whole_passes {
            let new = read(&out.packet());
            assert_eq!(new.checksum_is_right(), policy == UdpZero::Compute);
            assert_eq!(new.word(6) == 0, policy == UdpZero::Pass);
        } else {
            assert_eq!(out, dropped);
        }
        let out = lab.translate(&first.bytes());
        assert_eq!(out != dropped, first_passes, "{policy:?}");
        assert!(matches!(lab.translate(&later.bytes()), Out::Packet(_)));
    }
}

/// 4.4: what is computed covers the datagram, not what stands behind it.
#[test]
fn rfc7915_4_5_a_computed_checksum_covers_the_udp_length() {
    let mut lab = Lab::default();
    lab.config.udp_zero = UdpZero::Compute;
    let mut packet = V4::new(17, udp(b"odd"));
    packet.body.extend(b"behind the datagram");
    let mut new = read(&lab.translate(&packet.bytes()).packet());
    new.body.truncate(11);
    assert!(new.checksum_is_right());
    packet.body.truncate(10);
    assert!(matches!(lab.translate(&packet.bytes()), Out::NoPacket(_)));
}

/// 4.6: illegal from IPv6, unless the operator says otherwise; never fed to the formula.
#[test]
fn rfc8200_8_1_udp_from_ipv6_without_a_checksum() {
    let packet = V6::new(17, udp(b"none"));
    let mut lab = Lab::default();
    for policy in [UdpZero::Drop, UdpZero::Compute] {
        lab.config.udp_zero = policy;
        let out = lab.translate(&packet.bytes());
        assert_eq!(out, Out::Drop(DropReason::UdpWithoutChecksum));
    }
    lab.config.udp_zero = UdpZero::Pass;
    assert_eq!(read(&lab.translate(&packet.bytes()).packet()).word(6), 0);
}

/// 4.8: too short for its own header.
#[test]
fn rfc1858_a_transport_header_that_is_cut_is_dropped() {
    for (protocol, len) in [(6, 19), (6, 13), (17, 7), (17, 1), (1, 7)] {
        for flags in [0, MF] {
            // A fragment with more behind it holds a multiple of eight bytes.
            let len = if flags == MF { len & !7 } else { len };
            let mut packet = V4::new(protocol, tcp(0x10, b"")[..len].to_vec());
            packet.flags = flags;
            let out = translate(&packet.bytes());
            assert!(out.is_silent(), "{protocol} of {len}, {flags:#x}: {out:?}");
        }
        let mut packet = V6::new(protocol, tcp(0x10, b"")[..len].to_vec());
        packet.protocol = if protocol == 1 { 58 } else { protocol };
        assert!(
            translate(&packet.bytes()).is_silent(),
            "{protocol} of {len}"
        );
    }
}

/// 4.9: UDP-Lite has no "none".
#[test]
fn rfc3828_3_1_a_udp_lite_checksum_of_zero_is_sent_as_all_ones() {
    let mut came_up = false;
    for number in 0..=u16::MAX {
        let packet = V4::new(136, udp(&number.to_be_bytes())).sealed();
        let new = read(&translate(&packet.bytes()).packet());
        assert_ne!(new.word(6), 0);
        came_up |= new.word(6) == 0xffff;
    }
    assert!(came_up);
}

/// 4.10: transports without a pseudo header are carried byte by byte.
#[test]
fn rfc7915_4_5_sctp_gre_and_esp_are_not_touched() {
    for protocol in [47, 50, 51, 132] {
        let body: Vec<u8> = (1..60).collect();
        let new = read(&translate(&V4::new(protocol, body.clone()).bytes()).packet());
        assert_eq!(new.body, body);
        let new = read(&translate(&V6::new(protocol, body.clone()).bytes()).packet());
        assert_eq!(new.body, body);
    }
}

/// 4.11: under a checksum-neutral prefix no byte of the transport changes.
#[test]
fn rfc6052_4_1_a_neutral_prefix_leaves_the_checksum_alone() {
    use nat46::{Config, HEADROOM, PacketBuf, Rewrite, Translator, Verdict};
    let packet = V4::new(6, tcp(0x10, b"data")).sealed();
    let bytes = packet.bytes();
    let parsed = nat46::packet::Packet::parse(&bytes).unwrap();
    let mut memory = [&[0; HEADROOM], &bytes[..]].concat();
    let mut buf = PacketBuf::new(&mut memory, HEADROOM..HEADROOM + bytes.len()).unwrap();
    let rewrite = Rewrite {
        source: "64:ff9b::192.0.2.33".parse().unwrap(),
        destination: "64:ff9b::198.51.100.7".parse().unwrap(),
        source_port: 40_000,
        destination_port: 443,
    };
    let links = Lab::default().links(false);
    let mut translator = Translator::new(Config::DEFAULT, [7; 32]);
    let now = core::time::Duration::ZERO;
    let verdict = translator.rewrite(now, &parsed, &rewrite, links, &mut buf);
    assert_eq!(verdict, Verdict::Forward);
    assert_eq!(buf.as_bytes()[40..], packet.body);
}

/// 4.12: only SYNs, only lowered, only where the option is; at odd offsets too.
#[test]
fn rfc9293_3_7_1_the_maximum_segment_size_is_lowered_never_raised() {
    let syn = |options: &[u8]| {
        let mut body = tcp(0x02, options);
        body[12] = (((20 + options.len()) / 4) << 4) as u8;
        body
    };
    let mut lab = Lab {
        mtu6: 1400,
        ..Lab::default()
    };
    for (policy, most) in [
        (MssClamp::Off, 1460),
        (MssClamp::Auto, 1340),
        (MssClamp::Max(1000), 1000),
        (MssClamp::Max(9000), 1460),
    ] {
        lab.config.mss = policy;
        for (options, at) in [
            (&[2, 4, 5, 180][..], 22),
            (&[1, 2, 4, 5, 180, 0, 0, 0], 23),
            (&[3, 3, 7, 2, 4, 5, 180, 1], 25),
        ] {
            let new = read(
                &lab.translate(&V4::new(6, syn(options)).sealed().bytes())
                    .packet(),
            );
            assert_eq!(new.word(at), most, "{policy:?} {options:?}");
            assert!(new.checksum_is_right());
            let new = read(
                &lab.translate(&V6::new(6, syn(options)).sealed().bytes())
                    .packet(),
            );
            assert_eq!(new.word(at), most, "{policy:?} {options:?}");
            assert!(new.checksum_is_right());
        }
    }
    lab.config.mss = MssClamp::Max(1000);
    // No option, a malformed one, an endless one; and a segment that is no SYN.
    for options in [
        &[][..],
        &[1, 1, 1, 1],
        &[2, 3, 9, 9],
        &[8, 0, 0, 0],
        &[2, 4, 1, 0],
    ] {
        let packet = V4::new(6, syn(options)).sealed();
        let new = read(&lab.translate(&packet.bytes()).packet());
        assert_eq!(new.body[20..], *options);
    }
    let mut body = syn(&[2, 4, 5, 180]);
    body[13] = 0x10;
    let new = read(&lab.translate(&V4::new(6, body).sealed().bytes()).packet());
    assert_eq!(new.word(22), 1460);
}

/// 4.13: ports, and identifiers, are in the same update.
#[test]
fn rfc6146_3_7_ports_and_identifiers_change_in_the_same_update() {
    use nat46::packet::Packet;
    use nat46::{HEADROOM, PacketBuf, Rewrite, Translator, Verdict};
    for (source_port, destination_port) in [(1, 2), (0xffff, 0xfffe), (0, 0)] {
        for (protocol, body) in [
            (6, tcp(0x10, b"data")),
            (17, udp(b"data")),
            (1, crate::packets::icmp(8, 0, 0x4242_0001, b"data")),
        ] {
            let bytes = V4::new(protocol, body).sealed().bytes();
            let packet = Packet::parse(&bytes).unwrap();
            let mut memory = [&[0; HEADROOM], &bytes[..]].concat();
            let range = HEADROOM..HEADROOM + bytes.len();
            let mut buf = PacketBuf::new(&mut memory, range).unwrap();
            let rewrite = Rewrite {
                source: "2001:db8::1".parse().unwrap(),
                destination: "2001:db8::2".parse().unwrap(),
                source_port,
                destination_port,
            };
            let mut translator = Translator::new(Lab::default().config, [7; 32]);
            let (now, links) = (core::time::Duration::ZERO, Lab::default().links(false));
            let verdict = translator.rewrite(now, &packet, &rewrite, links, &mut buf);
            assert_eq!(verdict, Verdict::Forward);
            let new = read(buf.as_bytes());
            assert!(new.checksum_is_right());
            if protocol == 1 {
                assert_eq!(new.word(4), source_port);
            } else {
                assert_eq!((new.word(0), new.word(2)), (source_port, destination_port));
            }
        }
    }
}
