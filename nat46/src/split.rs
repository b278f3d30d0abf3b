//! A packet that leaves in several pieces, handed out in place.

mod fragments;
mod super_packets;

use crate::PacketBuf;
use fragments::Fragments;
use super_packets::SuperPackets;

/// The longest header of a piece: IPv4 without options, and TCP with all of them.
const LONGEST_HEADER: usize = 80;

/// The pieces of a packet, first piece first.
///
/// The header of each piece is written in front of its part of the payload, over bytes that were handed
/// out with the piece before: nothing is copied, and the buffer must not be changed in between other
/// than by sending it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Pieces {
    header: [u8; LONGEST_HEADER],
    header_len: usize,
    /// Payload bytes of all pieces but the last.
    size: usize,
    /// Where the payload that has not been handed out starts and ends in the lent buffer.
    start: usize,
    end: usize,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Fragments(Fragments),
    SuperPackets(SuperPackets),
}

impl Pieces {
    /// Of the packet in `buf`, whose first `header_len` bytes each piece starts with. `None` where the
    /// payload of a piece could not hold the header of the next, which is written over it.
    fn new(header_len: usize, size: usize, kind: Kind, buf: &PacketBuf<'_>) -> Option<Self> {
        if size < header_len {
            return None;
        }
        let mut header = [0; LONGEST_HEADER];
        let template = buf.as_bytes().get(..header_len)?;
        header.get_mut(..header_len)?.copy_from_slice(template);
        let range = buf.range();
        Some(Self {
            header,
            header_len,
            size,
            start: range.start + header_len,
            end: range.end,
            kind,
        })
    }

    /// Sets the buffer to the next piece; false when all are out.
    pub fn next(&mut self, buf: &mut PacketBuf<'_>) -> bool {
        let end = self.end.min(self.start.saturating_add(self.size));
        let Some(head) = self.start.checked_sub(self.header_len) else {
            return false;
        };
        if self.start >= self.end || buf.select(head..end).is_none() {
            return false;
        }
        let (payload, is_last) = (end - self.start, end == self.end);
        let header = self.header.get_mut(..self.header_len).unwrap_or_default();
        match &mut self.kind {
            Kind::Fragments(fragments) => fragments.write(payload, is_last, header),
            Kind::SuperPackets(super_packets) => {
                buf.set_offload(super_packets.write(payload, is_last, header));
            }
        }
        if let Some(to) = buf.as_bytes_mut().get_mut(..self.header_len) {
            to.copy_from_slice(header);
        }
        self.start = end;
        true
    }
}
