//! Errors that a translator sends (RFC 7915 §4.4, §5.4), and those it must not. Points 3.29 to 3.35.

use core::num::NonZeroU32;
use core::time::Duration;

use nat46::packet::Packet;
use nat46::{DropReason, ErrorRate, HEADROOM, IcmpError, PacketBuf, Translator, Verdict};

use crate::lab::{Lab, Out};
use crate::packets::{V4, V6, icmp, read, tcp, udp};

/// The answer to a packet, if one may be sent.
fn answer(error: IcmpError, bytes: &[u8]) -> Option<Vec<u8>> {
    let packet = Packet::parse(bytes).unwrap();
    let mut translator = Translator::new(Lab::default().config, [7; 32]);
    let mut memory = [&[0; HEADROOM], bytes].concat();
    let mut buf = PacketBuf::new(&mut memory, HEADROOM..HEADROOM + bytes.len()).unwrap();
    match translator.reply_error(Duration::ZERO, error, &packet, &mut buf) {
        Verdict::Reply(sent) => {
            assert_eq!(sent, error);
            Some(buf.as_bytes().to_vec())
        }
        Verdict::Drop(reason) => {
            assert_eq!(reason, DropReason::ErrorNotAllowed(error));
            None
        }
        other => panic!("{other:?}"),
    }
}

/// The table of §4.4, §5.4 and RFC 6146.
#[test]
fn rfc7915_4_4_and_5_4_the_error_of_each_event() {
    let (to4, to6) = (V4::new(6, tcp(0x10, b"x")), V6::new(6, tcp(0x10, b"x")));
    let (to4, to6) = (to4.sealed().bytes(), to6.sealed().bytes());
    for (error, v4, v6) in [
        (IcmpError::TimeExceeded, [11, 0], [3, 0]),
        (IcmpError::TooBig { mtu: 1400 }, [3, 4], [2, 0]),
        (IcmpError::SourceRouteFailed { pointer: 43 }, [3, 5], [4, 0]),
        (IcmpError::AdminProhibited, [3, 13], [1, 1]),
        (IcmpError::NoRoute, [3, 0], [1, 0]),
        (IcmpError::HostUnreachable, [3, 1], [1, 3]),
        (IcmpError::ProtocolUnreachable, [3, 2], [1, 4]),
        (IcmpError::PortUnreachable, [3, 3], [1, 4]),
    ] {
        assert_eq!(
            read(&answer(error, &to4).unwrap()).body[..2],
            v4,
            "{error:?}"
        );
        assert_eq!(
            read(&answer(error, &to6).unwrap()).body[..2],
            v6,
            "{error:?}"
        );
    }
}

/// 3.33: from the translator's own address, about the packet as it came.
#[test]
fn rfc7915_4_4_an_error_quotes_the_packet_as_it_arrived() {
    let packet = V4::new(17, udp(&[3; 100])).sealed();
    let reply = read(&answer(IcmpError::NoRoute, &packet.bytes()).unwrap());
    assert_eq!(reply.source.to_string(), "203.0.113.1");
    assert_eq!(reply.destination, packet.source);
    assert!(reply.checksum_is_right() && reply.hop_limit > 1);
    assert_eq!(reply.body[8..], packet.bytes());
    let packet = V6::new(17, udp(&[3; 100])).sealed();
    let reply = read(&answer(IcmpError::NoRoute, &packet.bytes()).unwrap());
    assert_eq!(reply.source.to_string(), "2001:db8:ffff::1");
    assert_eq!(reply.destination, packet.source);
    assert_eq!(reply.body[8..], packet.bytes());
}

/// 3.22: at most 576 and 1280 bytes.
#[test]
fn rfc1812_4_3_2_3_an_error_is_no_longer_than_its_family_allows() {
    let long = V4::new(17, udp(&[3; 1400])).sealed().bytes();
    assert_eq!(answer(IcmpError::NoRoute, &long).unwrap().len(), 576);
    let long = V6::new(17, udp(&[3; 1400])).sealed().bytes();
    assert_eq!(answer(IcmpError::NoRoute, &long).unwrap().len(), 1280);
}

/// 3.31: never about an error, a redirect, a later fragment, a group, or a source that is no host.
#[test]
fn rfc1812_4_3_2_7_and_rfc4443_2_4_e_nobody_is_told_about_such_packets() {
    let error = IcmpError::AdminProhibited;
    let inner = V4::new(17, udp(b"x")).bytes();
    let mut silent = Vec::new();
    for kind in [3, 4, 5, 11, 12] {
        silent.push(V4::new(1, icmp(kind, 0, 0, &inner)).sealed().bytes());
        silent.push(V4::new(1, icmp(kind, 0, 0, &[])).sealed().bytes());
    }
    let mut later = V4::new(17, udp(&[0; 16]));
    later.flags = 2;
    silent.push(later.bytes());
    for source in [
        [0, 0, 0, 0],
        [127, 0, 0, 1],
        [224, 0, 0, 1],
        [240, 0, 0, 1],
        [255; 4],
    ] {
        let mut packet = V4::new(17, udp(b"x"));
        packet.source = source.into();
        silent.push(packet.bytes());
    }
    for destination in [[224, 0, 0, 251], [255; 4]] {
        let mut packet = V4::new(17, udp(b"x"));
        packet.destination = destination.into();
        silent.push(packet.bytes());
    }
    let inner = V6::new(17, udp(b"x")).bytes();
    for kind in [1, 2, 3, 4, 100, 127, 137] {
        silent.push(V6::new(58, icmp(kind, 0, 0, &inner)).sealed().bytes());
    }
    silent.push(V6::new(17, udp(&[0; 16])).fragment(1, 8, true).bytes());
    for source in ["::", "::1", "ff02::1"] {
        let mut packet = V6::new(17, udp(b"x"));
        packet.source = source.parse().unwrap();
        silent.push(packet.bytes());
    }
    let mut group = V6::new(17, udp(b"x"));
    group.destination = "ff0e::1".parse().unwrap();
    silent.push(group.bytes());
    for bytes in &silent {
        assert_eq!(answer(error, bytes), None, "{bytes:02x?}");
    }
    // RFC 4443 §2.4 (e.3): Packet Too Big alone answers a packet to a group.
    assert!(answer(IcmpError::TooBig { mtu: 1280 }, &group.bytes()).is_some());
    // An echo is answered, as all peers do.
    let echo = V6::new(58, icmp(128, 0, 7, b"x")).sealed();
    assert!(answer(error, &echo.bytes()).is_some());
}

/// 3.32: on, limited, off.
#[test]
fn rfc7915_4_4_the_rate_of_errors_is_configurable() {
    let mut packet = V4::new(17, udp(b"x")).sealed();
    packet.ttl = 1;
    let bytes = packet.bytes();
    let parsed = Packet::parse(&bytes).unwrap();
    let mut lab = Lab::default();
    let two = NonZeroU32::new(2).unwrap();
    for (rate, sent_at_once, sent_a_second_later) in [
        (ErrorRate::Off, 0, 0),
        (ErrorRate::Unlimited, 10, 10),
        (
            ErrorRate::Limited {
                per_second: NonZeroU32::MIN,
                burst: two,
            },
            2,
            1,
        ),
    ] {
        lab.config.error_rate = rate;
        let mut translator = Translator::new(lab.config, [7; 32]);
        for (now, wanted) in [(0, sent_at_once), (1, sent_a_second_later)] {
            let mut sent = 0;
            for _ in 0..10 {
                let mut memory = [&[0; HEADROOM], &bytes[..]].concat();
                let range = HEADROOM..HEADROOM + bytes.len();
                let mut buf = PacketBuf::new(&mut memory, range).unwrap();
                let error = IcmpError::TimeExceeded;
                let now = Duration::from_secs(now);
                match translator.reply_error(now, error, &parsed, &mut buf) {
                    Verdict::Reply(_) => sent += 1,
                    Verdict::Drop(DropReason::ErrorRateLimited(_)) => {}
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(sent, wanted, "{rate:?} at {now}");
        }
    }
}

/// 3.29: sources that no packet may have are let through in errors, which tell of routers that are
/// configured so. Under a prefix for local use they map.
#[test]
fn rfc7915_4_1_an_error_from_an_illegal_source_is_translated() {
    let mut quoted = V4::new(17, udp(b"x"));
    (quoted.source, quoted.destination) = (quoted.destination, quoted.source);
    for source in [[127, 0, 0, 1], [0, 0, 0, 0], [10, 0, 0, 1]] {
        let mut packet = V4::new(1, icmp(11, 0, 0, &quoted.clone().sealed().bytes()));
        packet.source = source.into();
        let new = read(&Lab::default().translate(&packet.sealed().bytes()).packet());
        let [a, b, c, d] = source;
        let wanted = format!("2001:db8:64::{a}.{b}.{c}.{d}");
        assert_eq!(new.source, wanted.parse::<core::net::Ipv6Addr>().unwrap());
    }
    let mut packet = V4::new(17, udp(b"x"));
    packet.source = [127, 0, 0, 1].into();
    let out = Lab::default().translate(&packet.sealed().bytes());
    assert_eq!(out, Out::Drop(DropReason::IllegalSource));
}

/// 3.30: nothing but the outer source has a stand-in.
#[test]
fn rfc6791_3_1_only_the_outer_source_has_a_stand_in() {
    let strange: core::net::Ipv6Addr = "2001:db8:9999::1".parse().unwrap();
    let mut quoted = V6::new(17, udp(b"x"));
    (quoted.source, quoted.destination) = (quoted.destination, quoted.source);
    let error = V6::new(58, icmp(3, 0, 0, &quoted.bytes()));
    let mut elsewhere = error;
    elsewhere.destination = strange;
    let out = Lab::default().translate(&elsewhere.sealed().bytes());
    assert_eq!(out, Out::Unmapped);
    for inner in [true, false] {
        let mut quoted = quoted.clone();
        if inner {
            quoted.source = strange;
        } else {
            quoted.destination = strange;
        }
        let error = V6::new(58, icmp(3, 0, 0, &quoted.bytes())).sealed();
        assert_eq!(Lab::default().translate(&error.bytes()), Out::Unmapped);
    }
}
