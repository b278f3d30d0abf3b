//! The lent buffer: a packet between headroom and tailroom.

use core::ops::Range;

use crate::offload::Offload;

/// Bytes to leave free in front of a packet that is read in.
///
/// 20 for the longer header of IPv6, 8 for a Fragment header; and for an ICMP error, whose quoted
/// packet grows in the same way, 20 more (28 with a quoted fragment, but an error is no fragment
/// itself). An ICMPv6 error that quotes the packet takes 40 + 8: 48 covers every case.
pub const HEADROOM: usize = 48;

/// A packet inside a lent buffer: `bytes[start..end]`, with headroom before and tailroom behind.
///
/// The offload metadata of a virtual network device (see [`Offload`]) rides along.
#[derive(Debug)]
pub struct PacketBuf<'a> {
    bytes: &'a mut [u8],
    start: usize,
    end: usize,
    offload: Offload,
}

impl<'a> PacketBuf<'a> {
    /// The packet at `range` of `bytes`; `None` if the range does not lie in the buffer.
    #[must_use]
    pub fn new(bytes: &'a mut [u8], range: Range<usize>) -> Option<Self> {
        bytes.get(range.clone())?;
        Some(Self {
            bytes,
            start: range.start,
            end: range.end,
            offload: Offload::NONE,
        })
    }

    /// The same packet, with what its device said about checksum and segmentation.
    #[must_use]
    pub fn with_offload(mut self, offload: Offload) -> Self {
        self.offload = offload;
        self
    }
}

impl PacketBuf<'_> {
    /// The packet.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// The packet, to be changed in place.
    #[must_use]
    pub fn as_bytes_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.start..self.end).unwrap_or_default()
    }

    /// Where the packet stands in the lent buffer.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    /// Free bytes in front of the packet.
    #[must_use]
    pub fn headroom(&self) -> usize {
        self.start
    }

    /// Free bytes behind the packet.
    #[must_use]
    pub fn tailroom(&self) -> usize {
        self.bytes.len() - self.end
    }

    /// What the outgoing device has to do about checksum and segmentation.
    #[must_use]
    pub fn offload(&self) -> Offload {
        self.offload
    }

    /// Puts another packet, such as an answer, in the place of this one; without offload metadata.
    ///
    /// `None`, and nothing is changed, if the buffer is too short for it.
    #[must_use]
    pub fn replace(&mut self, packet: &[u8]) -> Option<()> {
        let room = self.bytes.len().checked_sub(packet.len())?;
        let start = room.min(HEADROOM);
        let end = start + packet.len();
        self.bytes.get_mut(start..end)?.copy_from_slice(packet);
        (self.start, self.end, self.offload) = (start, end, Offload::NONE);
        Some(())
    }

    pub(crate) fn set_offload(&mut self, offload: Offload) {
        self.offload = offload;
    }

    /// Moves the start of the packet so that what stood at `old` now stands at `new`, both counted
    /// from the start: the header in front of a payload gets longer or shorter, the payload stays.
    ///
    /// Too little headroom is made up from the tailroom, at the price of moving the packet.
    #[inline]
    #[must_use]
    pub(crate) fn reframe(&mut self, old: usize, new: usize) -> Option<()> {
        if old > self.end - self.start {
            return None;
        }
        if let Some(start) = (self.start + old).checked_sub(new) {
            self.start = start;
            return Some(());
        }
        self.shift(new - (self.start + old))?;
        self.start = 0;
        Some(())
    }

    /// The packet's header of `OLD` bytes becomes one of `NEW` bytes, to be written, in front of a
    /// payload that stays: both, with the packet cut to `len` bytes. `None`, and nothing is changed, if
    /// the packet is shorter, has another IP `version`, or too little headroom.
    #[inline(always)]
    #[must_use]
    pub(crate) fn replace_header<const OLD: usize, const NEW: usize>(
        &mut self,
        len: usize,
        version: u8,
    ) -> Option<(&mut [u8; NEW], &mut [u8])> {
        let start = (self.start + OLD).checked_sub(NEW)?;
        let end = self.start + len;
        if end > self.end || self.bytes.get(self.start)? >> 4 != version {
            return None;
        }
        let packet = self.bytes.get_mut(start..end)?;
        (self.start, self.end) = (start, end);
        packet.split_first_chunk_mut()
    }

    /// Cuts the packet to `len` bytes; does nothing to a shorter one.
    #[inline]
    pub(crate) fn truncate(&mut self, len: usize) {
        self.end = self.end.min(self.start.saturating_add(len));
    }

    /// Lengthens the packet to `len` bytes, whose new tail is whatever the buffer held.
    #[must_use]
    pub(crate) fn extend(&mut self, len: usize) -> Option<()> {
        let end = self.start.checked_add(len)?;
        if end > self.bytes.len() {
            let missing = end - self.bytes.len();
            let start = self.start.checked_sub(missing)?;
            self.bytes.copy_within(self.start..self.end, start);
            self.start = start;
        }
        self.end = self.start + len;
        Some(())
    }

    /// Sets the packet to another part of the buffer.
    #[must_use]
    pub(crate) fn select(&mut self, range: Range<usize>) -> Option<()> {
        self.bytes.get(range.clone())?;
        (self.start, self.end) = (range.start, range.end);
        Some(())
    }

    /// Copies `range` of the lent buffer to `to`.
    #[must_use]
    pub(crate) fn copy_within(&mut self, range: Range<usize>, to: usize) -> Option<()> {
        let len = self.bytes.get(range.clone())?.len();
        self.bytes.get(to..to.checked_add(len)?)?;
        self.bytes.copy_within(range, to);
        Some(())
    }

    fn shift(&mut self, by: usize) -> Option<()> {
        if by > self.tailroom() {
            return None;
        }
        self.bytes
            .copy_within(self.start..self.end, self.start + by);
        self.start += by;
        self.end += by;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_outside_the_buffer_is_refused() {
        let mut bytes = [0; 8];
        assert!(PacketBuf::new(&mut bytes, 4..9).is_none());
        #[expect(clippy::reversed_empty_ranges, reason = "that is what is refused")]
        let reversed = 5..4;
        assert!(PacketBuf::new(&mut bytes, reversed).is_none());
    }

    #[test]
    fn another_packet_takes_the_place_if_the_buffer_can_hold_it() {
        let mut bytes = [0; 60];
        let mut buf = PacketBuf::new(&mut bytes, 0..4).unwrap();
        buf.replace(&[1; 10]).unwrap();
        assert_eq!((buf.range(), buf.as_bytes()), (48..58, &[1; 10][..]));
        buf.replace(&[2; 60]).unwrap();
        assert_eq!(buf.range(), 0..60);
        assert!(buf.replace(&[3; 61]).is_none());
        assert_eq!(buf.as_bytes(), [2; 60]);
    }

    #[test]
    fn missing_headroom_is_taken_from_the_tail() {
        let mut bytes = [0, 1, 2, 3, 0, 0, 0, 0];
        let mut buf = PacketBuf::new(&mut bytes, 1..4).unwrap();
        buf.reframe(1, 4).unwrap();
        assert_eq!(buf.range(), 0..6);
        assert_eq!(buf.as_bytes()[4..], [2, 3]);
        assert!(buf.reframe(0, 3).is_none());
    }

    #[test]
    fn missing_tailroom_is_taken_from_the_head() {
        let mut bytes = [0, 0, 1, 2];
        let mut buf = PacketBuf::new(&mut bytes, 2..4).unwrap();
        buf.extend(3).unwrap();
        assert_eq!(buf.range(), 1..4);
        assert_eq!(buf.as_bytes()[..2], [1, 2]);
        assert!(buf.extend(5).is_none());
    }
}
