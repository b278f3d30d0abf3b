//! Whether a packet fits the link that it leaves by (RFC 7915 §4, §4.1, §5, §5.1).

use core::num::NonZeroU16;

use super::LONGEST_WITHOUT_DF;
use crate::offload::{Offload, Segmentation, SegmentationKind};
use crate::packet::{FRAGMENT_HEADER, Fragmentation, IPV4_HEADER, IPV6_HEADER, Packet};
use crate::{Config, Links};

/// No IPv6 link carries less (RFC 8200 §5).
const IPV6_MTU_MIN: usize = 1280;
/// No IPv4 link carries less (RFC 791 §3.2).
const IPV4_MTU_MIN: usize = 68;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    Whole,
    /// Into pieces no longer than this.
    Split(usize),
    /// The sender is told this MTU, in its own family.
    TooBig(u32),
    /// The other family has no such long packets.
    TooLong,
    /// As a super-packet of shorter segments.
    Segments(Segmentation),
}

#[inline]
pub(super) fn fit(
    config: &Config,
    packet: &Packet,
    to_ipv6: bool,
    links: Links,
    offload: Offload,
) -> Fit {
    let mtu = links.mtu_out as usize;
    let body = packet.len() - packet.transport_offset();
    if let Some(segmentation) = offload.segmentation {
        return segments(packet, to_ipv6, mtu, segmentation);
    }
    if packet.is_ipv6() && !to_ipv6 && IPV4_HEADER + body > usize::from(u16::MAX) {
        return Fit::TooLong;
    }
    match (packet.is_ipv6(), to_ipv6) {
        (false, true) if packet.dont_fragment() => {
            // §4.1 judges by 20, options or not; a fragment grows by 8 more (translation 1.9).
            let growth = 20 + packet.fragment().map_or(0, |_| FRAGMENT_HEADER);
            if packet.len() + growth > mtu {
                return Fit::TooBig(mtu.saturating_sub(growth) as u32);
            }
            Fit::Whole
        }
        (false, true) => {
            let limit = usize::from(config.lowest_ipv6_mtu.get())
                .min(mtu)
                .max(IPV6_MTU_MIN);
            let grown = IPV6_HEADER + body + packet.fragment().map_or(0, |_| FRAGMENT_HEADER);
            if grown > limit {
                Fit::Split(limit)
            } else {
                Fit::Whole
            }
        }
        (true, false) => {
            let len = IPV4_HEADER + body;
            let whole = packet.fragmentation == Fragmentation::Whole;
            if len <= mtu {
                Fit::Whole
            } else if whole && len > LONGEST_WITHOUT_DF {
                Fit::TooBig((mtu + 20).max(IPV6_MTU_MIN) as u32)
            } else {
                pieces(mtu)
            }
        }
        (false, false) if packet.len() <= mtu => Fit::Whole,
        // Which options go into which piece is more than a translator keeps: the sender is told.
        (false, false) if packet.dont_fragment() || packet.has_options() => Fit::TooBig(mtu as u32),
        (false, false) => pieces(mtu),
        (true, true) if packet.len() <= mtu => Fit::Whole,
        (true, true) => Fit::TooBig(mtu.max(IPV6_MTU_MIN) as u32),
    }
}

const fn pieces(mtu: usize) -> Fit {
    if mtu < IPV4_MTU_MIN {
        Fit::TooLong
    } else {
        Fit::Split(mtu)
    }
}

/// A super-packet is judged by its segments, never as a whole (translation 7.4, 7.5).
fn segments(packet: &Packet, to_ipv6: bool, mtu: usize, segmentation: Segmentation) -> Fit {
    let header = match (packet.is_ipv6(), to_ipv6) {
        (false, true) => IPV6_HEADER,
        (true, false) => IPV4_HEADER,
        (false, false) | (true, true) => packet.transport_offset(),
    };
    let header = header + packet.payload_offset() - packet.transport_offset();
    let room = mtu.saturating_sub(header);
    if usize::from(segmentation.size.get()) <= room {
        return Fit::Whole;
    }
    let size = u16::try_from(room).ok().and_then(NonZeroU16::new);
    match (segmentation.kind, size) {
        (SegmentationKind::Tcp { .. }, Some(size)) => Fit::Segments(Segmentation {
            size,
            ..segmentation
        }),
        // Borders of datagrams are data.
        (
            SegmentationKind::Tcp { .. } | SegmentationKind::Udp | SegmentationKind::UdpFragments,
            _,
        ) => {
            let mtu = if packet.is_ipv6() && !to_ipv6 {
                (mtu + 20).max(IPV6_MTU_MIN)
            } else if to_ipv6 && !packet.is_ipv6() {
                mtu.saturating_sub(20)
            } else {
                mtu
            };
            Fit::TooBig(mtu as u32)
        }
    }
}
