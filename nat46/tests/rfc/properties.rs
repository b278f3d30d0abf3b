//! What holds for all packets: algebra over generated ones, and other people's parsers as second opinion.

use core::time::Duration;

use nat46::packet::{Packet, Transport};
use nat46::{HEADROOM, PacketBuf, Rewrite, Translator, Verdict};
use proptest::prelude::*;
use smoltcp::wire;

use crate::lab::{Lab, Out};
use crate::packets::{V4, V6, icmp, read, tcp, udp};

/// Protocol and body; ICMP as IPv4 numbers it.
fn bodies() -> impl Strategy<Value = (u8, Vec<u8>)> {
    let payload = prop::collection::vec(any::<u8>(), 0..600);
    prop_oneof![
        (any::<u8>(), payload.clone()).prop_map(|(flags, payload)| (6, tcp(flags & !2, &payload))),
        payload.clone().prop_map(|payload| (17, udp(&payload))),
        (any::<bool>(), any::<u32>(), payload.clone()).prop_map(|(reply, word, payload)| (
            1,
            icmp(if reply { 0 } else { 8 }, 0, word, &payload)
        )),
        (
            prop::sample::select(vec![33_u8, 47, 50, 132, 136, 253]),
            payload
        )
            .prop_map(|(number, payload)| (number, [vec![0; 8], payload].concat())),
    ]
}

prop_compose! {
    fn ipv4_packets()(
        (protocol, body) in bodies(),
        source in any::<[u8; 3]>(),
        destination in any::<[u8; 3]>(),
        tos in any::<u8>(),
        ttl in 3_u8..,
    ) -> V4 {
        let mut packet = V4::new(protocol, body);
        let [a, b, c] = source;
        packet.source = [11, a, b, c].into();
        let [a, b, c] = destination;
        packet.destination = [12, a, b, c].into();
        (packet.tos, packet.ttl) = (tos, ttl);
        packet.sealed()
    }
}

prop_compose! {
    fn ipv6_packets()(packet in ipv4_packets(), label in 0_u32..1 << 20) -> V6 {
        let protocol = if packet.protocol == 1 { 58 } else { packet.protocol };
        let mut body = packet.body;
        if packet.protocol == 1 {
            body[0] = if body[0] == 8 { 128 } else { 129 };
        }
        let mut new = V6::new(protocol, body);
        let embed = |address: core::net::Ipv4Addr| format!("2001:db8:64::{address}").parse().unwrap();
        (new.source, new.destination) = (embed(packet.source), embed(packet.destination));
        (new.class, new.hop_limit, new.label) = (packet.tos, packet.ttl, label);
        new.sealed()
    }
}

proptest! {
    /// There and back: all but the hop limit, and what the families do not share.
    #[test]
    fn rfc7915_4_then_5_a_packet_comes_back(packet in ipv4_packets()) {
        let lab = Lab::default();
        let bytes = packet.bytes();
        let there = lab.translate(&bytes).packet();
        prop_assert!(!has_checksum(packet.protocol) || read(&there).checksum_is_right());
        let back = read(&lab.translate(&there).packet());
        let before = read(&bytes);
        prop_assert_eq!((back.source, back.destination), (before.source, before.destination));
        prop_assert_eq!((back.class, back.protocol), (before.class, before.protocol));
        prop_assert_eq!(back.hop_limit, before.hop_limit - 2);
        prop_assert_eq!(without_zero(back.protocol, back.body), without_zero(before.protocol, before.body));
    }

    /// The same from IPv6; its flow label is lost (RFC 7915 §5.1).
    #[test]
    fn rfc7915_5_then_4_a_packet_comes_back(packet in ipv6_packets()) {
        let lab = Lab::default();
        let bytes = packet.bytes();
        let there = lab.translate(&bytes).packet();
        prop_assert!(!has_checksum(packet.protocol) || read(&there).checksum_is_right());
        let back = read(&lab.translate(&there).packet());
        let before = read(&bytes);
        prop_assert_eq!((back.source, back.destination), (before.source, before.destination));
        prop_assert_eq!((back.class, back.protocol, back.label), (before.class, before.protocol, 0));
        prop_assert_eq!(without_zero(back.protocol, back.body), without_zero(before.protocol, before.body));
    }

    /// Rewriting within a family and back gives the same bytes but for the hop limit.
    #[test]
    fn rfc3022_4_1_within_a_family_and_back(packet in ipv4_packets(), six in ipv6_packets()) {
        for bytes in [packet.bytes(), six.bytes()] {
            let parsed = Packet::parse(&bytes).unwrap();
            let ports = parsed.tuple().map_or((0, 0), |tuple| (tuple.source_port, tuple.destination_port));
            let other: core::net::IpAddr = if parsed.is_ipv6() {
                "2001:db8:2::9".parse().unwrap()
            } else {
                [203, 0, 113, 9].into()
            };
            let out = Rewrite {
                source: other,
                destination: parsed.destination(),
                source_port: 1025,
                destination_port: ports.1,
            };
            let back = Rewrite {
                source: parsed.source(),
                source_port: ports.0,
                ..out
            };
            let there = rewrite(&bytes, &out);
            prop_assert!(!has_checksum(parsed.protocol()) || read(&there).checksum_is_right());
            let mut again = read(&rewrite(&there, &back));
            let before = read(&bytes);
            again.hop_limit += 2;
            prop_assert_eq!(again.hop_limit, before.hop_limit);
            prop_assert_eq!(without_zero(again.protocol, again.body), without_zero(before.protocol, before.body));
        }
    }

    /// What is read is what was written.
    #[test]
    fn rfc791_3_1_and_rfc8200_3_a_packet_is_read_as_it_was_built(packet in ipv4_packets(), six in ipv6_packets()) {
        let bytes = packet.bytes();
        let read = Packet::parse(&bytes).unwrap();
        prop_assert_eq!((read.source(), read.destination()), (packet.source.into(), packet.destination.into()));
        prop_assert_eq!((read.protocol(), read.hop_limit(), read.traffic_class()), (packet.protocol, packet.ttl, packet.tos));
        prop_assert_eq!((read.len(), read.transport_offset(), read.dont_fragment()), (bytes.len(), 20, true));
        let bytes = six.bytes();
        let read = Packet::parse(&bytes).unwrap();
        prop_assert_eq!((read.source(), read.destination()), (six.source.into(), six.destination.into()));
        prop_assert_eq!((read.protocol(), read.hop_limit(), read.traffic_class()), (six.protocol, six.hop_limit, six.class));
        prop_assert_eq!((read.len(), read.transport_offset()), (bytes.len(), 40));
    }

    /// smoltcp reads the same fields, and finds the same checksums right.
    #[test]
    fn rfc9293_3_1_and_rfc768_smoltcp_agrees(packet in ipv4_packets(), six in ipv6_packets(), flip in any::<Option<(prop::sample::Index, u8)>>()) {
        for mut bytes in [packet.bytes(), six.bytes()] {
            if let Some((index, bits)) = flip {
                let at = index.index(bytes.len());
                bytes[at] ^= bits;
            }
            let Ok(ours) = Packet::parse(&bytes) else { continue };
            agree(&bytes, &ours);
            if let Out::Packet(out) = Lab::default().translate(&bytes) {
                agree(&out, &Packet::parse(&out).unwrap());
            }
        }
    }

    /// No bytes are too strange to be looked at, translated, and answered.
    #[test]
    fn any_bytes_at_all(bytes in prop::collection::vec(any::<u8>(), 0..200), version in prop::sample::select(vec![0x45_u8, 0x46, 0x4f, 0x60, 0x6f])) {
        let mut bytes = bytes;
        if let Some(first) = bytes.first_mut() {
            *first = version;
        }
        let _ = Lab::default().translate(&bytes);
    }
}

fn rewrite(bytes: &[u8], rewrite: &Rewrite) -> Vec<u8> {
    let packet = Packet::parse(bytes).unwrap();
    let lab = Lab::default();
    let mut memory = [&[0; HEADROOM], bytes].concat();
    let mut buf = PacketBuf::new(&mut memory, HEADROOM..HEADROOM + bytes.len()).unwrap();
    let mut translator = Translator::new(lab.config, [7; 32]);
    let links = lab.links(packet.is_ipv6());
    let verdict = translator.rewrite(Duration::ZERO, &packet, rewrite, links, &mut buf);
    assert_eq!(verdict, Verdict::Forward);
    buf.as_bytes().to_vec()
}

const fn has_checksum(protocol: u8) -> bool {
    matches!(protocol, 1 | 6 | 17 | 33 | 58 | 136)
}

/// 0x0000 and 0xffff are the same sum (RFC 1624 §3).
fn without_zero(protocol: u8, mut body: Vec<u8>) -> Vec<u8> {
    let at = match protocol {
        1 | 58 => 2,
        6 => 16,
        17 | 33 | 136 => 6,
        _ => return body,
    };
    if body[at..at + 2] == [0xff, 0xff] {
        body[at..at + 2].fill(0);
    }
    body
}

/// smoltcp's opinion of a packet without options and extension headers.
fn agree(bytes: &[u8], ours: &Packet) {
    let (source, destination): (wire::IpAddress, wire::IpAddress) = if ours.is_ipv6() {
        let theirs = wire::Ipv6Packet::new_checked(bytes).unwrap();
        assert_eq!(ours.source(), core::net::IpAddr::V6(theirs.src_addr()));
        assert_eq!(ours.hop_limit(), theirs.hop_limit());
        (theirs.src_addr().into(), theirs.dst_addr().into())
    } else {
        let theirs = wire::Ipv4Packet::new_checked(bytes).unwrap();
        assert!(theirs.verify_checksum());
        assert_eq!(ours.source(), core::net::IpAddr::V4(theirs.src_addr()));
        assert_eq!(ours.len(), usize::from(theirs.total_len()));
        (theirs.src_addr().into(), theirs.dst_addr().into())
    };
    let body = &bytes[ours.transport_offset()..ours.len()];
    if ours.fragment().is_some() {
        return;
    }
    match ours.transport() {
        Transport::Tcp {
            source_port,
            destination_port,
            flags,
            sequence,
        } => {
            let theirs = wire::TcpPacket::new_checked(body).unwrap();
            assert_eq!(
                (source_port, destination_port),
                (theirs.src_port(), theirs.dst_port())
            );
            assert_eq!(flags.0 & 1 != 0, theirs.fin());
            assert_eq!(sequence, theirs.seq_number().0 as u32);
            let right = read(&bytes[..ours.len()]).checksum_is_right();
            assert_eq!(theirs.verify_checksum(&source, &destination), right);
        }
        Transport::Udp {
            source_port,
            destination_port,
            len,
        } => {
            let theirs = wire::UdpPacket::new_checked(body).unwrap();
            assert_eq!(
                (source_port, destination_port),
                (theirs.src_port(), theirs.dst_port())
            );
            assert_eq!(len, theirs.len());
        }
        _ => {}
    }
}
