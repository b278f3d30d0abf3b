//! Packets rewritten in place: from either family to either.

mod address;
mod apply;
mod error;
mod fit;
mod header;
mod interface;
mod mss;
mod partial;
pub(crate) mod plain;
mod reply;
mod table;
mod transport;

use core::net::IpAddr;
use core::time::Duration;

use crate::identification::Identifications;
use crate::offload::{Checksum, Offload};
use crate::packet::{
    Addresses, FRAGMENT_HEADER, Fragmentation, IPV4_HEADER, IPV6_HEADER, Obstacle, Packet,
    TcpFlags, Transport, protocol,
};
use crate::rate_limit::Bucket;
use crate::{
    Config, DropReason, IcmpError, Links, PacketBuf, Pieces, Rewrite, TrafficClass, Verdict,
};

use fit::Fit;
use header::{DONT_FRAGMENT, Ipv4, Ipv6, fragment_flags};
pub use partial::complete_checksum;
use partial::{finish_checksum, settle_offload};

/// The longest IPv4 packet that may be fragmented on its way (RFC 7915 §5.1).
const LONGEST_WITHOUT_DF: usize = 1260;

/// Rewrites packets in place, and builds the ICMP errors that a router owes.
///
/// Holds no state of any flow: identifications (RFC 7739), the rate of errors, and choices.
#[derive(Clone, Debug)]
pub struct Translator {
    config: Config,
    /// The bits of an arriving traffic class that stay, and those that are set.
    class_kept: u8,
    class_set: u8,
    identifications: Identifications,
    /// Errors sent to IPv4 and to IPv6 hosts.
    errors: [Bucket; 2],
}

impl Translator {
    /// A translator; `seed` makes its identifications unpredictable.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        let (class_kept, class_set) = match config.traffic_class {
            TrafficClass::Copy => (0xff, 0),
            TrafficClass::Set(class) => (0, class),
        };
        Self {
            config,
            class_kept,
            class_set,
            identifications: Identifications::new(&seed),
            errors: [Bucket::default(), Bucket::default()],
        }
    }

    /// Gives a packet its new addresses and ports, in its own family or the other.
    ///
    /// `packet` is what [`Packet::parse`] made of the bytes in `buf`. An ICMP error belongs to
    /// [`rewrite_error`](Self::rewrite_error).
    #[inline(always)]
    pub fn rewrite(
        &mut self,
        now: Duration,
        packet: &Packet,
        rewrite: &Rewrite,
        links: Links,
        buf: &mut PacketBuf<'_>,
    ) -> Verdict {
        if self.rewrite_plain(packet, rewrite, links, buf).is_some() {
            return Verdict::Forward;
        }
        // A copy, so that a packet that goes the short way need not stand in memory.
        let packet = *packet;
        self.rewrite_any(now, &packet, rewrite, links, buf)
    }

    /// [`rewrite`](Self::rewrite) for any packet, one step after the other.
    #[cold]
    fn rewrite_any(
        &mut self,
        now: Duration,
        packet: &Packet,
        rewrite: &Rewrite,
        links: Links,
        buf: &mut PacketBuf<'_>,
    ) -> Verdict {
        // The order of the checks decides which error a packet with several faults earns
        // (translation 5.9): validate, options, hop limit, addresses, size, transport.
        let Some(to) = Addresses::new(rewrite.source, rewrite.destination) else {
            return Verdict::Drop(DropReason::MixedFamilies);
        };
        if !matches_buffer(packet, buf) {
            return Verdict::Drop(DropReason::Mismatch);
        }
        if let Some(reason) = address::illegal(packet) {
            return Verdict::Drop(reason);
        }
        let crosses = packet.is_ipv6() != to.is_ipv6();
        if let Some(verdict) = self.obstructed(now, packet, crosses, buf) {
            return verdict;
        }
        if let Some(reason) = untranslatable(packet, crosses) {
            return Verdict::Drop(reason);
        }
        if let Err(reason) = settle_offload(packet, buf) {
            return Verdict::Drop(reason);
        }
        let fit = fit::fit(&self.config, packet, to.is_ipv6(), links, buf.offload());
        match fit {
            Fit::TooBig(mtu) => {
                return self.reply_error(now, IcmpError::TooBig { mtu }, packet, buf);
            }
            Fit::TooLong => return Verdict::Drop(DropReason::TooLong),
            Fit::Whole => {}
            Fit::Segments(segmentation) => {
                let segmentation = Some(segmentation);
                buf.set_offload(Offload {
                    segmentation,
                    ..buf.offload()
                });
            }
            Fit::Split(_) => finish_checksum(packet, buf),
        }
        let checksum = buf.offload().checksum;
        let body = buf
            .as_bytes_mut()
            .get_mut(packet.transport_offset()..)
            .unwrap_or_default();
        let policy = self.config.udp_zero;
        if let Err(reason) = transport::rewrite(packet, to, rewrite, policy, checksum, body) {
            return Verdict::Drop(reason);
        }
        self.clamp(packet, to, links, checksum, body);
        let limit = match fit {
            Fit::Split(limit) => Some(limit),
            Fit::Whole | Fit::Segments(_) | Fit::TooBig(_) | Fit::TooLong => None,
        };
        let verdict = self.write_header(packet, to, limit, buf);
        if verdict == Verdict::Forward
            && !to.is_ipv6()
            && buf.as_bytes().len() > usize::from(u16::MAX)
        {
            let header = IPV4_HEADER + packet.payload_offset() - packet.transport_offset();
            return Pieces::of_super_packet(packet.protocol(), header, buf)
                .map_or(Verdict::Drop(DropReason::TooLong), Verdict::Split);
        }
        verdict
    }

    /// What stands in the way of any packet: source routes, Segments Left, an expiring hop limit.
    fn obstructed(
        &mut self,
        now: Duration,
        packet: &Packet,
        crosses: bool,
        buf: &mut PacketBuf<'_>,
    ) -> Option<Verdict> {
        let error = match packet.obstacle.filter(|_| crosses) {
            Some(Obstacle::SourceRoute) => IcmpError::SourceRouteFailed { pointer: 0 },
            Some(Obstacle::SegmentsLeft { pointer }) => IcmpError::SourceRouteFailed { pointer },
            Some(Obstacle::BehindFragment) => {
                return Some(Verdict::Drop(DropReason::HeaderBehindFragment));
            }
            None if packet.hop_limit() <= 1 => IcmpError::TimeExceeded,
            None => return None,
        };
        Some(self.reply_error(now, error, packet, buf))
    }

    fn clamp(
        &self,
        packet: &Packet,
        to: Addresses,
        links: Links,
        checksum: Checksum,
        body: &mut [u8],
    ) {
        let Transport::Tcp { flags, .. } = packet.transport() else {
            return;
        };
        if !flags.contains(TcpFlags::SYN) {
            return;
        }
        let bound = mss::bound(self.config.mss, links, packet.is_ipv6(), to.is_ipv6());
        let header = body.get_mut(..packet.payload_offset() - packet.transport_offset());
        if let (Some(most), Some(header)) = (bound, header) {
            mss::clamp(most, !matches!(checksum, Checksum::Partial { .. }), header);
        }
    }

    /// The last step: the IP header, in front of a transport header that is as it leaves. `limit`: the
    /// packet leaves in pieces no longer than that.
    fn write_header(
        &mut self,
        packet: &Packet,
        to: Addresses,
        limit: Option<usize>,
        buf: &mut PacketBuf<'_>,
    ) -> Verdict {
        match (packet.is_ipv6(), to) {
            (
                false,
                Addresses::V4 {
                    source,
                    destination,
                },
            ) => {
                header::readdress_v4(buf.as_bytes_mut(), source, destination, 1);
            }
            (
                true,
                Addresses::V6 {
                    source,
                    destination,
                },
            ) => {
                header::readdress_v6(buf.as_bytes_mut(), source, destination, 1);
            }
            (
                false,
                Addresses::V6 {
                    source,
                    destination,
                },
            ) => {
                let fragment = packet.fragment().or_else(|| limit.map(|_| packet.whole()));
                let grown = IPV6_HEADER + fragment.map_or(0, |_| FRAGMENT_HEADER);
                let body = packet.len() - packet.transport_offset();
                if reframe(packet, grown, buf).is_none() {
                    return Verdict::Drop(DropReason::NoRoom);
                }
                let header = Ipv6 {
                    traffic_class: self.class(packet.traffic_class()),
                    payload_len: (grown - IPV6_HEADER + body) as u16,
                    next_header: other_family(packet.protocol()),
                    hop_limit: packet.hop_limit() - 1,
                    source,
                    destination,
                };
                match fragment {
                    None => header.write(buf.as_bytes_mut()),
                    Some(fragment) => header.write_fragment(fragment, buf.as_bytes_mut()),
                }
            }
            (
                true,
                Addresses::V4 {
                    source,
                    destination,
                },
            ) => {
                let total_len = IPV4_HEADER + packet.len() - packet.transport_offset();
                if reframe(packet, IPV4_HEADER, buf).is_none() {
                    return Verdict::Drop(DropReason::NoRoom);
                }
                let (identification, flags) = self.fragmentation(packet.fragmentation, total_len);
                Ipv4 {
                    tos: self.class(packet.traffic_class()),
                    total_len: total_len as u16,
                    identification,
                    flags,
                    ttl: packet.hop_limit() - 1,
                    protocol: other_family(packet.protocol()),
                    source,
                    destination,
                }
                .write(buf.as_bytes_mut());
            }
        }
        let Some(limit) = limit else {
            return Verdict::Forward;
        };
        let fragment = packet.fragment().unwrap_or_else(|| packet.whole());
        Pieces::of_datagram(to.is_ipv6(), limit, fragment, buf)
            .map_or(Verdict::Drop(DropReason::TooLong), Verdict::Split)
    }

    /// Identification and flags of an IPv4 packet of `len` bytes that was IPv6 (RFC 7915 §5.1, §5.1.1).
    #[inline]
    fn fragmentation(&mut self, fragmentation: Fragmentation, len: usize) -> (u16, u16) {
        match fragmentation {
            Fragmentation::Fragment(fragment) => {
                (fragment.identification as u16, fragment_flags(fragment))
            }
            Fragmentation::Atomic { identification } => (identification as u16, 0),
            // RFC 6864 §4.1: of packets that are never fragmented, any value.
            Fragmentation::Whole if len > LONGEST_WITHOUT_DF => (0, DONT_FRAGMENT),
            Fragmentation::Whole => (self.identifications.next(), 0),
        }
    }

    #[inline]
    fn class(&self, arrived: u8) -> u8 {
        arrived & self.class_kept | self.class_set
    }

    /// The source of the errors that a packet's sender gets.
    fn own(&self, ipv6: bool) -> Option<IpAddr> {
        if ipv6 {
            self.config.own_ipv6.map(IpAddr::V6)
        } else {
            self.config.own_ipv4.map(IpAddr::V4)
        }
    }
}

/// The buffer holds the packet that was parsed; bytes behind it (padding of a link) are cut off.
#[inline]
fn matches_buffer(packet: &Packet, buf: &mut PacketBuf<'_>) -> bool {
    let version = buf.as_bytes().first().map_or(0, |byte| byte >> 4);
    let matches =
        buf.as_bytes().len() >= packet.len() && version == if packet.is_ipv6() { 6 } else { 4 };
    if matches {
        buf.truncate(packet.len());
    }
    matches
}

/// Why a packet that is sound has no translation (RFC 7915 §1.2, §4.2, §5.2).
fn untranslatable(packet: &Packet, crosses: bool) -> Option<DropReason> {
    let number = packet.protocol();
    match packet.transport() {
        Transport::IcmpError => return Some(DropReason::UntranslatableQuote),
        // RFC 5508 REQ-11: others than queries and errors may drop, in the family too.
        Transport::IcmpOther { .. } => return Some(DropReason::UntranslatableIcmp),
        Transport::Tcp { .. }
        | Transport::Udp { .. }
        | Transport::IcmpQuery { .. }
        | Transport::Other
        | Transport::NonFirstFragment => {}
    }
    if !crosses {
        return None;
    }
    let icmp = if packet.is_ipv6() {
        protocol::ICMPV6
    } else {
        protocol::ICMP
    };
    if number == icmp && packet.fragment().is_some() {
        return Some(DropReason::FragmentedIcmp);
    }
    if number == protocol::IGMP && !packet.is_ipv6() {
        return Some(DropReason::UntranslatableIcmp);
    }
    foreign(packet.is_ipv6(), number).then_some(DropReason::UntranslatableProtocol)
}

/// Numbers that would be another thing in the other family (translation 1.4): extension headers and
/// ICMPv6 in IPv4, ICMP in IPv6.
const fn foreign(ipv6: bool, number: u8) -> bool {
    match number {
        protocol::ICMP => ipv6,
        0 | 43 | protocol::FRAGMENT | protocol::ICMPV6 | 60 => !ipv6,
        _ => false,
    }
}

/// The number of the same protocol in the other family.
#[inline]
const fn other_family(number: u8) -> u8 {
    match number {
        protocol::ICMP => protocol::ICMPV6,
        protocol::ICMPV6 => protocol::ICMP,
        _ => number,
    }
}

/// Makes room for a header of `new` bytes in front of the transport header.
#[inline]
fn reframe(packet: &Packet, new: usize, buf: &mut PacketBuf<'_>) -> Option<()> {
    buf.reframe(packet.transport_offset(), new)?;
    let offload = buf.offload();
    if !offload.is_plain() {
        buf.set_offload(offload.moved(packet.transport_offset() as u16, new as u16));
    }
    Some(())
}
