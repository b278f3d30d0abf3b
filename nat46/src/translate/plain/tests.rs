extern crate alloc;

use alloc::vec;
use alloc::vec::Vec;
use core::num::NonZeroU32;
use core::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::packet::protocol;
use crate::{Config, ErrorRate, HEADROOM, LowestIpv6Mtu, MssClamp, TrafficClass, Verdict};

/// A buffer with a TCP or UDP packet in it; not all of them are plain.
#[derive(Clone, Debug)]
struct Case {
    bytes: Vec<u8>,
    rewrite: Rewrite,
    links: Links,
    config: Config,
}

fn addresses(ipv6: bool) -> impl Strategy<Value = IpAddr> {
    (any::<u128>(), any::<u32>()).prop_map(move |(wide, narrow)| {
        if ipv6 {
            IpAddr::V6(Ipv6Addr::from_bits(wide >> 3 | 1 << 125))
        } else {
            IpAddr::V4(Ipv4Addr::from_bits(narrow))
        }
    })
}

prop_compose! {
    fn configs()(
        class in any::<Option<u8>>(),
        lowest in 1280_u16..2000,
        clamp in any::<bool>(),
        udp_zero in prop::sample::select(vec![crate::UdpZero::Drop, crate::UdpZero::Pass, crate::UdpZero::Compute]),
    ) -> Config {
        Config {
            traffic_class: class.map_or(TrafficClass::Copy, TrafficClass::Set),
            lowest_ipv6_mtu: LowestIpv6Mtu::new(lowest).unwrap_or(LowestIpv6Mtu::MIN),
            mss: if clamp { MssClamp::Auto } else { MssClamp::Off },
            error_rate: ErrorRate::Limited { per_second: NonZeroU32::MIN, burst: NonZeroU32::MIN },
            own_ipv4: Some(Ipv4Addr::new(192, 0, 2, 1)),
            udp_zero,
            ..Config::DEFAULT
        }
    }
}

fn cases() -> impl Strategy<Value = Case> {
    (any::<bool>(), any::<bool>()).prop_flat_map(|(from_ipv6, to_ipv6)| {
        (
            (addresses(from_ipv6), addresses(from_ipv6)),
            (addresses(to_ipv6), addresses(to_ipv6)),
            any::<[u16; 4]>(),
            prop::sample::select(vec![0_usize, 1, 7, 500, 1190, 1200, 1240, 1441, 1460]),
            (
                any::<bool>(),
                any::<u8>(),
                any::<u8>(),
                0_u8..4,
                any::<u16>(),
            ),
            (1280_u32..1600, 1280_u32..1600),
            configs(),
        )
            .prop_map(|(old, new, ports, len, header, mtus, config)| {
                let rewrite = Rewrite {
                    source: new.0,
                    destination: new.1,
                    source_port: ports[2],
                    destination_port: ports[3],
                };
                let bytes = packet(old, (ports[0], ports[1]), len, header);
                let links = Links {
                    mtu_in: mtus.0,
                    mtu_out: mtus.1,
                };
                Case {
                    bytes,
                    rewrite,
                    links,
                    config,
                }
            })
    })
}

/// `header`: TCP and not UDP, class, control bits, hop limit, identification and checksum.
fn packet(
    addresses: (IpAddr, IpAddr),
    ports: (u16, u16),
    len: usize,
    (is_tcp, class, flags, hops, number): (bool, u8, u8, u8, u16),
) -> Vec<u8> {
    let mut body = [ports.0.to_be_bytes(), ports.1.to_be_bytes()].concat();
    if is_tcp {
        body.extend([0, 0, 0, 1, 0, 0, 0, 2, 0x50, flags, 1, 0]);
        body.extend(number.to_be_bytes());
        body.extend([0, 0]);
    } else {
        body.extend((len as u16 + 8).to_be_bytes());
        body.extend(number.to_be_bytes());
    }
    body.extend((0..len).map(|index| index as u8));
    let number_of = if is_tcp { protocol::TCP } else { protocol::UDP };
    let mut bytes = Vec::new();
    match addresses {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            bytes.extend([0x45, class]);
            bytes.extend((20 + body.len() as u16).to_be_bytes());
            bytes.extend(number.to_be_bytes());
            bytes.extend([flags & 0x40, 0, hops, number_of, 0, 0]);
            bytes.extend(source.octets());
            bytes.extend(destination.octets());
            let sum = Sum::ZERO.bytes(&bytes).checksum();
            bytes[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            bytes.extend([0x60 | class >> 4, class << 4, 0, 0]);
            bytes.extend((body.len() as u16).to_be_bytes());
            bytes.extend([number_of, hops]);
            bytes.extend(source.octets());
            bytes.extend(destination.octets());
        }
        _ => unreachable!("one packet, one family"),
    }
    bytes.extend(body);
    bytes
}

proptest! {
    /// The short way, the recipe's way and the long way end at the same bytes and the same verdict.
    #[test]
    fn the_short_way_ends_where_the_long_way_does(case in cases()) {
        let parsed = Packet::parse(&case.bytes).unwrap();
        let now = Duration::ZERO;
        let mut long = Translator::new(case.config, [7; 32]);
        let (mut short, mut recipes) = (long.clone(), long.clone());
        let recipe = long.recipe(&parsed, &case.rewrite);

        let mut memory = [&[0; HEADROOM], &case.bytes[..], &[0; 64]].concat();
        let range = HEADROOM..HEADROOM + case.bytes.len();
        let (mut second, mut third) = (memory.clone(), memory.clone());
        let mut wanted = PacketBuf::new(&mut memory, range.clone()).unwrap();
        let mut found = PacketBuf::new(&mut second, range.clone()).unwrap();
        let mut applied = PacketBuf::new(&mut third, range).unwrap();

        let verdict = long.rewrite_any(now, &parsed, &case.rewrite, case.links, &mut wanted);
        prop_assert_eq!(short.rewrite(now, &parsed, &case.rewrite, case.links, &mut found), verdict);
        prop_assert_eq!(found.range(), wanted.range());
        prop_assert_eq!(found.as_bytes(), wanted.as_bytes());
        if let Some(recipe) = recipe {
            let applied_verdict = recipes.apply(now, &recipe, &parsed, case.links, &mut applied);
            prop_assert_eq!(applied_verdict, verdict);
            prop_assert_eq!(applied.as_bytes(), wanted.as_bytes());
        } else {
            prop_assert!(!matches!(verdict, Verdict::Forward));
        }
    }

    /// A packet that is read the short way is read as on the long way.
    #[test]
    fn a_plain_packet_is_read_like_any_other(case in cases(), flip in any::<Option<(prop::sample::Index, u8)>>()) {
        let mut bytes = case.bytes;
        if let Some((index, bits)) = flip {
            let at = index.index(bytes.len().min(64));
            bytes[at] ^= bits;
        }
        let long = match bytes[0] >> 4 {
            4 => crate::packet::parse_any_ipv4(&bytes),
            6 => crate::packet::parse_any_ipv6(&bytes),
            _ => return Ok(()),
        };
        match Packet::parse(&bytes) {
            Ok(packet) => prop_assert_eq!(Ok(Packet { plain: 0, ..packet }), long),
            Err(error) => prop_assert_eq!(Err(error), long),
        }
    }
}
