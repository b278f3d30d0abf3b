//! One question on its way upstream: its tries, and which reply answers the one under way.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use crate::event::Mismatch;
use crate::key::Key;
use crate::understand::{Understood, Unusable};
use crate::wire::{HEADER_BYTES, Message, Writer, flag, question, write_opt};
use crate::zone::ZoneIndex;

/// A question in flight. At any moment one try of it is under way, so that never two equal questions
/// wait for a reply (RFC 5452 §5, the birthday attack).
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) key: Key,
    pub(crate) zone: ZoneIndex,
    pub(crate) attempt: Option<Attempt>,
    pub(crate) received: Option<Received>,
    /// Servers asked in this round.
    pub(crate) asked: Vec<usize>,
    /// How often each server was asked, over UDP and over TCP.
    pub(crate) sent: BTreeMap<(usize, bool), u8>,
    pub(crate) tries: u8,
    pub(crate) mismatches: u16,
    /// Forgery is suspected, or a reply was truncated: TCP from here on.
    pub(crate) by_stream: bool,
    pub(crate) without_edns: bool,
    pub(crate) give_up_at: Duration,
    pub(crate) timer_at: Duration,
    /// What the last server said that was of no use.
    pub(crate) unusable: Option<Unusable>,
}

/// One try.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) server: usize,
    pub(crate) id: u16,
    pub(crate) carrier: Carrier,
    /// Name, type and class with letters of random case.
    pub(crate) question: Box<[u8]>,
    /// The largest UDP payload offered; `None`: no OPT record.
    pub(crate) edns: Option<u16>,
    /// `None` until it was sent.
    pub(crate) sent_at: Option<Duration>,
    pub(crate) wait: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carrier {
    Datagram { source_port: u16 },
    Stream(crate::slab::Key),
}

/// A reply that waits to be tagged.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) raw: Box<[u8]>,
    pub(crate) understood: Understood,
}

impl Attempt {
    /// The query as it goes upstream; `None` if it does not fit.
    pub(crate) fn write(&self, key: &Key, out: &mut [u8]) -> Option<usize> {
        let mut writer = Writer::new(out);
        let disabled = if key.variant.checking_disabled() {
            flag::CD
        } else {
            0
        };
        writer.put_u16(self.id)?;
        // AD: we understand it, whatever the client does (RFC 6840 §5.7).
        writer.put_u16(flag::RD | flag::AD | disabled)?;
        writer.put_u16(1)?;
        writer.put(&[0; 4])?;
        writer.put_u16(u16::from(self.edns.is_some()))?;
        writer.put(&self.question)?;
        if let Some(udp_bytes) = self.edns {
            write_opt(&mut writer, udp_bytes, 0, key.variant.dnssec_ok(), None)?;
        }
        Some(writer.len())
    }

    /// Whether a message answers this try (RFC 5452 §9.1): addresses and ports have been compared, the
    /// rest is compared here.
    pub(crate) fn check<'a>(&self, bytes: &'a [u8]) -> Result<Message<'a>, Mismatch> {
        let message = Message::parse(bytes).ok_or(Mismatch::Malformed)?;
        if message.flags & flag::QR == 0 || message.flags & flag::OPCODE != 0 {
            return Err(Mismatch::Malformed);
        }
        if message.id != self.id {
            return Err(Mismatch::Id);
        }
        let found = message.question;
        if found == &*self.question {
            return Ok(message);
        }
        let (name, end) = found.split_at(found.len().saturating_sub(4));
        let (own_name, own_end) = self
            .question
            .split_at(self.question.len().saturating_sub(4));
        if end == own_end && name.eq_ignore_ascii_case(own_name) {
            return Err(Mismatch::Case);
        }
        Err(Mismatch::Question)
    }
}

/// Whether a message looks like a response at all; what does not is no hint of forgery.
pub(crate) fn is_response(bytes: &[u8]) -> bool {
    bytes.get(2).is_some_and(|flags| flags & 0x80 != 0)
        && bytes.get(HEADER_BYTES..).and_then(question).is_some()
}

/// A name with the case of its letters picked by `bits`, one bit a letter, in turn.
pub(crate) fn randomize_case(question: &mut [u8], mut bits: impl FnMut() -> u32) {
    let Some((name, _)) = question.split_last_chunk_mut::<4>() else {
        return;
    };
    for chunk in name.chunks_mut(32) {
        let mut random = bits();
        for octet in chunk {
            // Length octets are below 64, and so no letters.
            if octet.is_ascii_alphabetic() && random & 1 != 0 {
                *octet ^= 0x20;
            }
            random >>= 1;
        }
    }
}

/// The server a datagram has to come from.
pub(crate) fn is_from(server: SocketAddr, from: SocketAddr) -> bool {
    // A flow label or scope is no part of the transport address.
    server.ip().to_canonical() == from.ip().to_canonical() && server.port() == from.port()
}
