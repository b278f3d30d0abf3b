//! A packet that leaves in several pieces, handed out in place.

use core::ops::Range;

use crate::PacketBuf;
use crate::bytes::put16;
use crate::checksum::Sum;
use crate::packet::{FRAGMENT_HEADER, Fragment, IPV4_HEADER, IPV6_HEADER};

const LONGEST_HEADER: usize = IPV6_HEADER + FRAGMENT_HEADER;
const MORE_FRAGMENTS: u16 = 0x2000;

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
    /// Payload bytes of all pieces but the last: a multiple of 8.
    size: usize,
    /// Where the payload that has not been handed out starts and ends in the lent buffer.
    rest: Range32,
    /// Offset of that payload in the datagram.
    offset: u32,
    /// More fragments follow behind the last piece.
    more: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range32 {
    start: usize,
    end: usize,
}

impl Pieces {
    /// Of the packet in `buf`, whose header (IPv4 without options, or IPv6 with a Fragment header) is
    /// complete; no piece is longer than `limit`. `None` if that leaves no room for payload.
    pub(crate) fn new(
        ipv6: bool,
        limit: usize,
        fragment: Fragment,
        buf: &PacketBuf<'_>,
    ) -> Option<Self> {
        let header_len = if ipv6 { LONGEST_HEADER } else { IPV4_HEADER };
        let size = limit.checked_sub(header_len)? & !7;
        // The next header is written over the payload that went out.
        if size < header_len {
            return None;
        }
        let mut header = [0; LONGEST_HEADER];
        for (to, from) in header.iter_mut().zip(buf.as_bytes().get(..header_len)?) {
            *to = *from;
        }
        let Range { start, end } = buf.range();
        Some(Self {
            header,
            header_len,
            size,
            rest: Range32 {
                start: start + header_len,
                end,
            },
            offset: fragment.offset,
            more: fragment.more,
        })
    }

    /// Sets the buffer to the next piece; false when all are out.
    pub fn next(&mut self, buf: &mut PacketBuf<'_>) -> bool {
        let Range32 { start, end } = self.rest;
        let piece_end = end.min(start.saturating_add(self.size));
        let Some(head) = start.checked_sub(self.header_len) else {
            return false;
        };
        if start >= end || buf.select(head..piece_end).is_none() {
            return false;
        }
        let more = self.more || piece_end < end;
        let len = piece_end - head;
        if self.header_len == LONGEST_HEADER {
            put16(&mut self.header, 4, (len - IPV6_HEADER) as u16);
            put16(
                &mut self.header,
                IPV6_HEADER + 2,
                self.offset as u16 | u16::from(more),
            );
        } else {
            put16(&mut self.header, 2, len as u16);
            let flags = (self.offset / 8) as u16 | if more { MORE_FRAGMENTS } else { 0 };
            put16(&mut self.header, 6, flags);
            put16(&mut self.header, 10, 0);
            let sum = Sum::ZERO.bytes(self.header.get(..IPV4_HEADER).unwrap_or_default());
            put16(&mut self.header, 10, sum.checksum());
        }
        let header = self.header.iter().take(self.header_len);
        for (to, from) in buf.as_bytes_mut().iter_mut().zip(header) {
            *to = *from;
        }
        self.offset += (piece_end - start) as u32;
        self.rest.start = piece_end;
        true
    }
}
