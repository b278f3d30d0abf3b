//! What a recorded packet had left to a device: captures on the sending host are taken before checksums are
//! completed and segments cut.

use core::net::IpAddr;
use core::num::NonZeroU16;

use nat46::checksum::Sum;
use nat46::offload::{Checksum, Offload, Segmentation, SegmentationKind};
use nat46::packet::{Packet, Transport, protocol};

/// Segments of a super-packet are taken to have been cut to this MTU.
const MTU: usize = 1500;

/// What is left to do for a packet, by what its bytes show.
pub(super) fn of(bytes: &[u8]) -> Offload {
    let Ok(packet) = Packet::parse(bytes) else {
        return Offload::NONE;
    };
    let (kind, offset) = match packet.transport() {
        Transport::Tcp { .. } => (protocol::TCP, 16),
        Transport::Udp { .. } => (protocol::UDP, 6),
        _ => return Offload::NONE,
    };
    let start = packet.transport_offset();
    let end = packet.payload().end;
    let field = bytes.get(start + offset..start + offset + 2);
    let length = u32::try_from(end - start).unwrap_or(u32::MAX);
    let addresses = match (packet.source(), packet.destination()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => Sum::ZERO.ipv4(source).ipv4(destination),
        (IpAddr::V6(source), IpAddr::V6(destination)) => Sum::ZERO.ipv6(source).ipv6(destination),
        _ => return Offload::NONE,
    };
    let pseudo_header = !addresses.word(kind.into()).word(length).checksum();
    if field != Some(&pseudo_header.to_be_bytes()) {
        return Offload::NONE;
    }
    let (Ok(start), Ok(offset)) = (u16::try_from(start), u16::try_from(offset)) else {
        return Offload::NONE;
    };
    let headers = packet.payload_offset();
    let size = u16::try_from(MTU.saturating_sub(headers)).unwrap_or(0);
    let is_many = bytes.len() > MTU && kind == protocol::TCP;
    Offload {
        checksum: Checksum::Partial { start, offset },
        segmentation: NonZeroU16::new(size)
            .filter(|_| is_many)
            .map(|size| Segmentation {
                kind: SegmentationKind::Tcp { ecn: false },
                size,
                header_len: u16::try_from(headers).unwrap_or(0),
            }),
    }
}

#[cfg(test)]
mod tests {
    use egress_gateway::sim::craft;

    use super::*;

    #[test]
    fn a_whole_checksum_is_told_from_a_begun_one() {
        let ends = (
            "10.0.0.1:1000".parse().unwrap(),
            "10.0.0.2:53".parse().unwrap(),
        );
        let mut packet = craft::udp(ends.0, ends.1, b"query");
        assert_eq!(of(&packet), Offload::NONE);
        let begun = !Sum::ZERO
            .ipv4([10, 0, 0, 1].into())
            .ipv4([10, 0, 0, 2].into())
            .word(17)
            .word(13)
            .checksum();
        packet[26..28].copy_from_slice(&begun.to_be_bytes());
        let wanted = Checksum::Partial {
            start: 20,
            offset: 6,
        };
        assert_eq!(of(&packet).checksum, wanted);
        packet[27] ^= 1;
        assert_eq!(of(&packet), Offload::NONE, "a wrong one stays wrong");
    }
}
