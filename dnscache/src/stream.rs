//! DNS over TCP: a length of two octets before each message (RFC 1035 §4.2.2, RFC 7766 §8).

use alloc::vec::Vec;

use crate::slab::Key;

/// A TCP connection, of a client or to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub(crate) Key);

/// Cuts a stream of bytes into messages, however the bytes arrive.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    buffer: Vec<u8>,
    /// `buffer` holds a message that was given out.
    given: bool,
}

/// A message longer than the stream's owner wants to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Frames {
    /// The next whole message, with `input` shortened by what was used of it; `None`: all of it was
    /// used, and more is needed.
    pub(crate) fn next(
        &mut self,
        input: &mut &[u8],
        longest: usize,
    ) -> Result<Option<&[u8]>, TooLong> {
        if self.given {
            self.buffer.clear();
            self.given = false;
        }
        loop {
            let wanted = match self.buffer.split_first_chunk::<2>() {
                None => 2,
                Some((length, _)) => usize::from(u16::from_be_bytes(*length)).saturating_add(2),
            };
            if wanted > longest.saturating_add(2) {
                return Err(TooLong);
            }
            let missing = wanted.saturating_sub(self.buffer.len());
            if missing == 0 && self.buffer.len() >= 2 {
                self.given = true;
                return Ok(self.buffer.get(2..));
            }
            let (used, rest) = input.split_at(missing.min(input.len()));
            self.buffer.extend_from_slice(used);
            *input = rest;
            if used.len() < missing {
                return Ok(None);
            }
        }
    }
}
