//! What a virtual device left to do in a packet (translation 7.3, 7.7, 7.8): judged, done here where it must be.

use super::error::set_length;
use super::{matches_buffer, transport};
use crate::bytes::{get16, put16};
use crate::checksum::Sum;
use crate::offload::{Checksum, Offload};
use crate::packet::{Packet, protocol};
use crate::{DropReason, PacketBuf};

/// Offload metadata must speak of this packet; ICMP checksums are finished here (translation 7.3, 7.8).
#[inline]
pub(super) fn settle_offload(packet: &Packet, buf: &mut PacketBuf<'_>) -> Result<(), DropReason> {
    let offload = buf.offload();
    if offload.is_plain() {
        return Ok(());
    }
    if offload.segmentation.is_some() && packet.fragment().is_some() {
        return Err(DropReason::Offload);
    }
    let Checksum::Partial { start, offset } = offload.checksum else {
        return Ok(());
    };
    let icmp = matches!(packet.protocol(), protocol::ICMP | protocol::ICMPV6);
    let place = if icmp {
        Some(2)
    } else {
        transport::checksum_place(packet.protocol())
    };
    if usize::from(start) != packet.transport_offset()
        || place != Some(usize::from(offset))
        || packet.fragment().is_some()
    {
        return Err(DropReason::Offload);
    }
    if icmp {
        finish_checksum(packet, buf);
    }
    Ok(())
}

/// Completes the checksum that a device left partial, for whoever consumes the packet instead of passing
/// it on, or keeps it. Offload metadata that does not fit the packet is left as it is.
pub fn complete_checksum(packet: &Packet, buf: &mut PacketBuf<'_>) {
    if matches_buffer(packet, buf) && settle_offload(packet, buf).is_ok() {
        finish_checksum(packet, buf);
    }
}

/// Completes a partial checksum, which `settle_offload` has found to be this packet's.
pub(super) fn finish_checksum(packet: &Packet, buf: &mut PacketBuf<'_>) {
    let offload = buf.offload();
    if let Checksum::Partial { start, offset } = offload.checksum {
        let (start, offset) = (usize::from(start), usize::from(offset));
        if transport::complete(start, offset, packet.protocol(), buf.as_bytes_mut()).is_some() {
            buf.set_offload(Offload {
                checksum: Checksum::Full,
                ..offload
            });
        }
    }
}

/// A super-packet becomes its first segment, for whoever quotes it: nobody has sent the whole.
pub(super) fn first_segment(packet: &Packet, buf: &mut PacketBuf<'_>) {
    let Some(segmentation) = buf.offload().segmentation else {
        return;
    };
    let old = packet.len() - packet.transport_offset();
    buf.truncate(packet.payload_offset() + usize::from(segmentation.size.get()));
    let offload = buf.offload();
    let bytes = buf.as_bytes_mut();
    set_length(bytes);
    let new = bytes.len() - packet.transport_offset();
    let body = bytes
        .get_mut(packet.transport_offset()..)
        .unwrap_or_default();
    if packet.protocol() == protocol::UDP {
        put16(body, 4, new as u16);
    }
    if let Checksum::Partial { offset, .. } = offload.checksum
        && let Some(field) = get16(body, offset.into())
    {
        let grown = Sum::ZERO.word(new as u32).minus(Sum::ZERO.word(old as u32));
        let field = Sum::ZERO.word(field.into()).plus(grown).folded();
        put16(body, usize::from(offset), field);
    }
}
