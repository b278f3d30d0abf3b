//! Pieces that are super-packets themselves: one from IPv6 may be longer than IPv4 allows.

use super::{Kind, Pieces};
use crate::PacketBuf;
use crate::bytes::{get16, put16};
use crate::checksum::Sum;
use crate::offload::{Checksum, Offload, Segmentation, SegmentationKind};
use crate::packet::{IPV4_HEADER, protocol};

/// FIN and PSH belong to the last segment (RFC 9293 §3.10.4 would lose what is behind a FIN).
const LAST_ONLY: u8 = 0x01 | 0x08;
/// CWR belongs to the first (RFC 3168 §6.1.2).
const FIRST_ONLY: u8 = 0x80;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SuperPackets {
    segmentation: Segmentation,
    checksum: Checksum,
    protocol: u8,
    /// Of the whole: sequence number and control bits of TCP, the sum of the pseudo header less the
    /// length, which differs.
    sequence: u32,
    flags: u8,
    pseudo: u16,
    /// Payload handed out so far.
    sent: u32,
}

impl Pieces {
    /// Two super-packets of the one in `buf`, whose IPv4 and transport headers have `header_len` bytes
    /// together and its checksum is partial. `None` if there is no such thing.
    pub(crate) fn of_super_packet(
        number: u8,
        header_len: usize,
        buf: &PacketBuf<'_>,
    ) -> Option<Self> {
        let Offload {
            checksum: checksum @ Checksum::Partial { offset, .. },
            segmentation: Some(segmentation),
        } = buf.offload()
        else {
            return None;
        };
        let is_known = matches!(
            (segmentation.kind, number),
            (SegmentationKind::Tcp { .. }, protocol::TCP) | (SegmentationKind::Udp, protocol::UDP)
        );
        if !is_known {
            return None;
        }
        let bytes = buf.as_bytes();
        let transport = bytes.get(IPV4_HEADER..header_len)?;
        let payload = bytes.len() - header_len;
        // Half of the segments: either half is far below what IPv4 allows, and far from empty.
        let segment = usize::from(segmentation.size.get());
        let size = payload.div_ceil(segment).div_ceil(2) * segment;
        let field = get16(transport, offset.into())?;
        let len = (bytes.len() - IPV4_HEADER) as u32;
        let pseudo = Sum::ZERO.word(field.into()).minus(Sum::ZERO.word(len));
        let is_tcp = number == protocol::TCP;
        let sequence = transport.get(4..).and_then(<[u8]>::first_chunk::<4>);
        let kind = Kind::SuperPackets(SuperPackets {
            segmentation,
            checksum,
            protocol: number,
            sequence: sequence.map_or(0, |sequence| u32::from_be_bytes(*sequence)),
            flags: transport.get(13).copied().filter(|_| is_tcp).unwrap_or(0),
            pseudo: pseudo.folded(),
            sent: 0,
        });
        Self::new(header_len, size, kind, buf)
    }
}

impl SuperPackets {
    /// The `header` of a piece with so much `payload`, and what is left to the device.
    pub(super) fn write(&mut self, payload: usize, is_last: bool, header: &mut [u8]) -> Offload {
        let len = header.len() + payload;
        put16(header, 2, len as u16);
        put16(header, 10, 0);
        let sum = Sum::ZERO.bytes(header.get(..IPV4_HEADER).unwrap_or_default());
        put16(header, 10, sum.checksum());

        let transport_len = len - IPV4_HEADER;
        let transport = header.get_mut(IPV4_HEADER..).unwrap_or_default();
        if self.protocol == protocol::TCP {
            let sequence = self.sequence.wrapping_add(self.sent).to_be_bytes();
            if let Some(field) = transport.get_mut(4..8) {
                field.copy_from_slice(&sequence);
            }
            let mut flags = self.flags;
            if !is_last {
                flags &= !LAST_ONLY;
            }
            if self.sent != 0 {
                flags &= !FIRST_ONLY;
            }
            if let Some(field) = transport.get_mut(13) {
                *field = flags;
            }
        } else {
            put16(transport, 4, transport_len as u16);
        }
        if let Checksum::Partial { offset, .. } = self.checksum {
            let pseudo = Sum::ZERO
                .word(self.pseudo.into())
                .word(transport_len as u32);
            put16(transport, offset.into(), pseudo.folded());
        }
        self.sent += payload as u32;
        let is_one_segment = payload <= usize::from(self.segmentation.size.get());
        Offload {
            checksum: self.checksum,
            segmentation: Some(self.segmentation).filter(|_| !is_one_segment),
        }
    }
}
