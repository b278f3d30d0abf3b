//! An input of the nat46 targets: four octets of choices, then a packet.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::num::NonZeroU32;

use nat46::packet::Packet;
use nat46::{Config, ErrorRate, Links, LowestIpv6Mtu, MssClamp, Rewrite, TrafficClass, UdpZero};

use crate::oracle::repair;

const MTUS: [u32; 8] = [68, 576, 1280, 1300, 1420, 1500, 9000, 65_535];
pub(crate) const OWN_IPV4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
pub(crate) const OWN_IPV6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

/// What a translator is asked to do with which packet.
pub(crate) struct Case {
    choices: [u8; 4],
    /// The packet; lengths and checksums repaired if the input says so.
    pub(crate) packet: Vec<u8>,
}

impl Case {
    /// Splits an input; `None` if it is too short for the choices.
    pub(crate) fn read(data: &[u8]) -> Option<Self> {
        let (choices, packet) = data.split_first_chunk::<4>()?;
        let mut packet = packet.to_vec();
        if choices[0] & 1 != 0 {
            repair(&mut packet);
        }
        Some(Self {
            choices: *choices,
            packet,
        })
    }

    /// The links on either side.
    pub(crate) fn links(&self) -> Links {
        let [_, mtus, ..] = self.choices;
        let pick = |index: u8| MTUS[usize::from(index & 7)];
        // No IPv6 link carries less than 1280 bytes (RFC 8200 §5).
        let least = |ipv6: bool| if ipv6 { 1280 } else { 68 };
        let ipv6 = self.packet.first().is_some_and(|byte| byte >> 4 == 6);
        Links {
            mtu_in: pick(mtus).max(least(ipv6)),
            mtu_out: pick(mtus >> 4).max(least(ipv6 ^ self.crosses())),
        }
    }

    /// The translator's choices.
    pub(crate) fn config(&self) -> Config {
        let [_, _, choices, number] = self.choices;
        let some = NonZeroU32::MIN;
        let mut config = Config::DEFAULT;
        config.own_ipv4 = (choices & 1 == 0).then_some(OWN_IPV4);
        config.own_ipv6 = (choices & 1 == 0).then_some(OWN_IPV6);
        config.udp_zero = match choices >> 1 & 3 {
            0 => UdpZero::Drop,
            1 => UdpZero::Pass,
            _ => UdpZero::Compute,
        };
        config.error_rate = match choices >> 3 & 3 {
            0 => ErrorRate::Off,
            1 => ErrorRate::Limited {
                per_second: some,
                burst: some,
            },
            _ => ErrorRate::Unlimited,
        };
        config.mss = match choices >> 5 & 3 {
            0 => MssClamp::Off,
            1 => MssClamp::Max(u16::from(number) * 16),
            _ => MssClamp::Auto,
        };
        if choices & 0x80 != 0 {
            config.traffic_class = TrafficClass::Set(number);
            config.lowest_ipv6_mtu = LowestIpv6Mtu::new(1280 + u16::from(number)).unwrap();
        }
        config
    }

    /// New addresses for a packet, in its own family or the other.
    pub(crate) fn rewrite(&self, packet: &Packet) -> Rewrite {
        let (source, destination): (IpAddr, IpAddr) = if packet.is_ipv6() ^ self.crosses() {
            (
                Ipv6Addr::new(0x2001, 0xdb8, 0x46, 0, 0, 0, 0, 0x64).into(),
                Ipv6Addr::new(0x2001, 0xdb8, 0xcafe, 0, 0, 0, 0, 0x50).into(),
            )
        } else {
            (
                Ipv4Addr::new(203, 0, 113, 7).into(),
                Ipv4Addr::new(198, 51, 100, 9).into(),
            )
        };
        let [_, _, _, number] = self.choices;
        let source_port = 4000 + u16::from(number);
        Rewrite {
            source,
            destination,
            source_port,
            destination_port: 443,
        }
    }

    /// Whether the packet goes to the other family.
    pub(crate) fn crosses(&self) -> bool {
        self.choices[0] & 2 != 0
    }

    /// A choice among what can be done beside translating.
    pub(crate) fn pick(&self) -> u8 {
        self.choices[0] >> 2
    }
}
