//! Pieces that are fragments of one datagram (RFC 791 §3.2, RFC 8200 §4.5).

use super::{Kind, Pieces};
use crate::PacketBuf;
use crate::bytes::put16;
use crate::checksum::Sum;
use crate::packet::{FRAGMENT_HEADER, Fragment, IPV4_HEADER, IPV6_HEADER};

const MORE_FRAGMENTS: u16 = 0x2000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fragments {
    ipv6: bool,
    /// Offset of the next piece in the datagram.
    offset: u32,
    /// More fragments follow behind the last piece.
    more: bool,
}

impl Pieces {
    /// Of the packet in `buf`, whose header (IPv4 without options, or IPv6 with a Fragment header) is
    /// complete; no piece is longer than `limit`. `None` if that leaves no room for payload.
    pub(crate) fn of_datagram(
        ipv6: bool,
        limit: usize,
        fragment: Fragment,
        buf: &PacketBuf<'_>,
    ) -> Option<Self> {
        let header_len = if ipv6 {
            IPV6_HEADER + FRAGMENT_HEADER
        } else {
            IPV4_HEADER
        };
        let size = limit.checked_sub(header_len)? & !7;
        let kind = Kind::Fragments(Fragments {
            ipv6,
            offset: fragment.offset,
            more: fragment.more,
        });
        Self::new(header_len, size, kind, buf)
    }
}

impl Fragments {
    /// The `header` of a piece with so much `payload`.
    pub(super) fn write(&mut self, payload: usize, is_last: bool, header: &mut [u8]) {
        let more = self.more || !is_last;
        if self.ipv6 {
            put16(header, 4, (payload + FRAGMENT_HEADER) as u16);
            let field = self.offset as u16 | u16::from(more);
            put16(header, IPV6_HEADER + 2, field);
        } else {
            put16(header, 2, (payload + IPV4_HEADER) as u16);
            let flags = (self.offset / 8) as u16 | if more { MORE_FRAGMENTS } else { 0 };
            put16(header, 6, flags);
            put16(header, 10, 0);
            let sum = Sum::ZERO.bytes(header);
            put16(header, 10, sum.checksum());
        }
        self.offset += payload as u32;
    }
}
