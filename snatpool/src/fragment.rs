//! Fragments follow the binding of their first one (RFC 4787 REQ-14, RFC 6146 §3.4).

mod ticket;

use alloc::boxed::Box;
use alloc::vec;
use core::net::IpAddr;

use crate::event::Event;
use crate::hash::{Keys, Purpose, home};
use crate::lines::Lines;
use crate::meter::touch;
use crate::record::{NONE, Octets};
use crate::session::SessionId;
use crate::time::Ticks;
use crate::tuple::Side;

pub use ticket::Ticket;
use ticket::{List, Tickets};

/// What all fragments of one datagram share (RFC 791, RFC 8200 §4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FragmentKey {
    /// The side they come from.
    pub side: Side,
    /// Source address as on the wire.
    pub source: IpAddr,
    /// Destination address as on the wire.
    pub destination: IpAddr,
    /// The protocol number of the fragmented part.
    pub protocol: u8,
    /// Identification: 16 bits in IPv4, 32 in IPv6.
    pub identification: u32,
}

/// One fragment's place in its datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Piece {
    /// Offset of its first byte, in bytes: a multiple of 8.
    pub offset: u16,
    /// Bytes that it carries.
    pub length: u16,
    /// More fragments follow.
    pub more: bool,
}

/// What to do with a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FragmentVerdict {
    /// Translate it as a packet of this session.
    Session(SessionId),
    /// Its first fragment has not come: keep the bytes until [`Event::Release`](crate::Event) or
    /// [`Event::Expire`](crate::Event) names the ticket.
    Hold(Ticket),
    /// Drop it.
    Refused(FragmentRefused),
}

/// Why a fragment must be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FragmentRefused {
    /// It overlaps another one: the whole datagram is dropped (RFC 5722 §4).
    Overlap,
    /// It is the same as one before: it alone is dropped (RFC 8200 §4.5).
    Duplicate,
    /// A first fragment too short for ports and TCP flags, or a second one that would overwrite
    /// them (RFC 1858, RFC 3128).
    Tiny,
    /// More follow, but its length is no multiple of 8; or it is empty, or reaches beyond 65,535
    /// bytes.
    Length,
    /// All datagrams that may be in fragments are.
    Datagrams,
    /// Its datagram has too many pieces.
    Pieces,
    /// Too many bytes are held: in all, for its datagram, or for its source.
    Held,
    /// Its session ended.
    Closed,
}

/// Pieces that one datagram may have: the 45 of 64 KiB at 1500 bytes, and some.
const PIECES: usize = 64;
/// Bytes that may be held in all: what Linux gives to IPv6 reassembly at its low mark.
const HELD_BYTES: u32 = 256 * 1024;
/// Fragments that may be held in all.
const TICKETS: u16 = 1024;
/// One source may use this part of each bound.
const SHARE: u32 = 8;
/// Sources are told apart by a keyed hash of this many values.
const SOURCES: usize = 256;
/// TCP's fixed header: ports, flags and checksum are all in it.
const TCP_HEADER: u16 = 20;
/// UDP's header, and that of an ICMP query.
const SHORT_HEADER: u16 = 8;
const TCP: u8 = 6;

/// Datagrams in fragments, in the order in which they began.
#[derive(Debug)]
pub(crate) struct Fragments {
    datagrams: Box<[Datagram]>,
    index: Lines,
    vacant: u32,
    oldest: u32,
    newest: u32,
    lifetime: Ticks,
    tickets: Tickets,
    held_bytes: u32,
    by_source: Box<[Source]>,
}

#[derive(Clone, Copy, Debug)]
struct Datagram {
    key: Option<FragmentKey>,
    /// Of its first fragment, once that was seen.
    session: Option<SessionId>,
    /// It had an overlap: every further piece is refused.
    spoiled: bool,
    until: Ticks,
    /// Its length, once its last piece was seen.
    end: Option<u32>,
    pieces: [(u16, u16); PIECES],
    count: u8,
    bytes: u32,
    held: List,
    next: u32,
    prev: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Source {
    bytes: u32,
    datagrams: u32,
}

impl Fragments {
    pub(crate) fn new(bound: u16, lifetime: Ticks) -> Self {
        let mut datagrams = vec![Datagram::VACANT; usize::from(bound)].into_boxed_slice();
        for (slot, datagram) in (1..).zip(&mut datagrams) {
            datagram.next = if slot == u32::from(bound) { NONE } else { slot };
        }
        Self {
            index: Lines::new(datagrams.len()),
            vacant: if bound == 0 { NONE } else { 0 },
            oldest: NONE,
            newest: NONE,
            lifetime,
            tickets: Tickets::new(if bound == 0 { 0 } else { TICKETS }),
            held_bytes: 0,
            by_source: vec![Source::default(); if bound == 0 { 0 } else { SOURCES }]
                .into_boxed_slice(),
            datagrams,
        }
    }

    /// A first fragment, of a session. Pieces of its datagram that are held become events.
    pub(crate) fn first(
        &mut self,
        keys: &Keys,
        now: Ticks,
        key: &FragmentKey,
        piece: Piece,
        session: SessionId,
    ) -> FragmentVerdict {
        if let Err(why) = piece.check(key) {
            return FragmentVerdict::Refused(why);
        }
        if !piece.more {
            return FragmentVerdict::Session(session);
        }
        let mut slot = self.find(keys, now, key);
        // The identification is used again: what is left of the old datagram is lost.
        if let Some(old) = slot.and_then(|slot| self.get(slot))
            && old.session.is_some()
            && !old.spoiled
        {
            self.remove(keys, slot.unwrap_or(NONE));
            slot = None;
        }
        let slot = match slot.map_or_else(|| self.add(keys, now, key), Ok) {
            Ok(slot) => slot,
            Err(why) => return FragmentVerdict::Refused(why),
        };
        if let Err(why) = self.note(slot, piece) {
            return FragmentVerdict::Refused(why);
        }
        let Some(datagram) = self.datagrams.get_mut(slot as usize) else {
            return FragmentVerdict::Refused(FragmentRefused::Datagrams);
        };
        datagram.session = Some(session);
        let held = core::mem::take(&mut datagram.held);
        self.settle(keys, key, held, Some(session));
        self.finish(keys, slot);
        FragmentVerdict::Session(session)
    }

    /// A fragment that is not a first one.
    pub(crate) fn later(
        &mut self,
        keys: &Keys,
        now: Ticks,
        key: &FragmentKey,
        piece: Piece,
    ) -> FragmentVerdict {
        if let Err(why) = piece.check(key) {
            return FragmentVerdict::Refused(why);
        }
        let found = self.find(keys, now, key);
        let slot = match found.map_or_else(|| self.add(keys, now, key), Ok) {
            Ok(slot) => slot,
            Err(why) => return FragmentVerdict::Refused(why),
        };
        let held = match self.get(slot) {
            Some(datagram) if datagram.session.is_none() && !datagram.spoiled => true,
            Some(_) | None => false,
        };
        if held && let Err(why) = self.may_hold(keys, key, piece) {
            return FragmentVerdict::Refused(why);
        }
        if let Err(why) = self.note(slot, piece) {
            if why == FragmentRefused::Overlap {
                self.expire_held(keys, slot);
            }
            return FragmentVerdict::Refused(why);
        }
        let Some(datagram) = self.datagrams.get_mut(slot as usize) else {
            return FragmentVerdict::Refused(FragmentRefused::Datagrams);
        };
        match datagram.session {
            Some(session) => {
                self.finish(keys, slot);
                FragmentVerdict::Session(session)
            }
            None => match self.tickets.hold(&mut datagram.held, piece.length) {
                Some(ticket) => {
                    self.held_bytes += u32::from(piece.length);
                    if let Some(source) = self.source(keys, key) {
                        source.bytes += u32::from(piece.length);
                    }
                    FragmentVerdict::Hold(ticket)
                }
                None => FragmentVerdict::Refused(FragmentRefused::Held),
            },
        }
    }

    /// Forgets datagrams whose time is over, `count` at most.
    pub(crate) fn expire(&mut self, keys: &Keys, now: Ticks, mut count: u32) -> u32 {
        while count > 0
            && let Some(oldest) = self.get(self.oldest)
            && oldest.until <= now
        {
            self.remove(keys, self.oldest);
            count -= 1;
        }
        count
    }

    pub(crate) fn soonest(&self) -> Option<Ticks> {
        self.get(self.oldest).map(|datagram| datagram.until)
    }

    pub(crate) const fn has_event(&self) -> bool {
        self.tickets.has_event()
    }

    pub(crate) fn poll(&mut self) -> Option<Event> {
        self.tickets.poll()
    }

    fn get(&self, slot: u32) -> Option<&Datagram> {
        self.datagrams.get(slot as usize)
    }

    fn find(&mut self, keys: &Keys, now: Ticks, key: &FragmentKey) -> Option<u32> {
        let slot = self.index.find(key.hash(keys), |slot| {
            self.get(slot)
                .is_some_and(|datagram| datagram.key.as_ref() == Some(key))
        })?;
        if self.get(slot)?.until <= now {
            self.remove(keys, slot);
            return None;
        }
        Some(slot)
    }

    fn add(&mut self, keys: &Keys, now: Ticks, key: &FragmentKey) -> Result<u32, FragmentRefused> {
        let share = (self.datagrams.len() as u32).div_ceil(SHARE);
        let slot = self.vacant;
        let next = self.get(slot).ok_or(FragmentRefused::Datagrams)?.next;
        let source = self.source(keys, key).ok_or(FragmentRefused::Datagrams)?;
        if source.datagrams >= share {
            return Err(FragmentRefused::Datagrams);
        }
        source.datagrams += 1;
        self.vacant = next;
        let (until, prev) = (now.plus(self.lifetime), self.newest);
        if let Some(datagram) = self.datagrams.get_mut(slot as usize) {
            *datagram = Datagram {
                key: Some(*key),
                until,
                prev,
                ..Datagram::VACANT
            };
        }
        match self.datagrams.get_mut(prev as usize) {
            Some(before) => before.next = slot,
            None => self.oldest = slot,
        }
        self.newest = slot;
        self.index.insert(key.hash(keys), slot);
        Ok(slot)
    }

    fn remove(&mut self, keys: &Keys, slot: u32) {
        self.expire_held(keys, slot);
        let vacant = self.vacant;
        let Some(datagram) = self.datagrams.get_mut(slot as usize) else {
            return;
        };
        let Datagram { next, prev, .. } = *datagram;
        let Some(key) = datagram.key.take() else {
            return;
        };
        datagram.next = vacant;
        self.vacant = slot;
        match self.datagrams.get_mut(prev as usize) {
            Some(before) => before.next = next,
            None => self.oldest = next,
        }
        match self.datagrams.get_mut(next as usize) {
            Some(after) => after.prev = prev,
            None => self.newest = prev,
        }
        self.index.remove(home(key.hash(keys)), slot);
        if let Some(source) = self.source(keys, &key) {
            source.datagrams = source.datagrams.saturating_sub(1);
        }
    }

    /// Forgets a datagram of which every piece was seen.
    fn finish(&mut self, keys: &Keys, slot: u32) {
        let whole = self.get(slot).is_some_and(|datagram| {
            datagram.session.is_some() && datagram.end == Some(datagram.bytes)
        });
        if whole {
            self.remove(keys, slot);
        }
    }

    /// Notes where a piece lies, if that fits with the others.
    fn note(&mut self, slot: u32, piece: Piece) -> Result<(), FragmentRefused> {
        let Some(datagram) = self.datagrams.get_mut(slot as usize) else {
            return Err(FragmentRefused::Datagrams);
        };
        if datagram.spoiled {
            return Err(FragmentRefused::Overlap);
        }
        let (start, end) = (u32::from(piece.offset), piece.end());
        let seen = datagram.pieces.iter().take(usize::from(datagram.count));
        let mut fits = datagram
            .end
            .is_none_or(|last| end <= last && (piece.more || end == last));
        for (offset, length) in seen {
            touch(1);
            let (other, other_end) = (u32::from(*offset), u32::from(*offset) + u32::from(*length));
            if (*offset, *length) == (piece.offset, piece.length) {
                // RFC 8200 §4.5 allows to drop an exact duplicate alone.
                return Err(FragmentRefused::Duplicate);
            }
            fits &= end <= other || other_end <= start;
            fits &= piece.more || other_end <= end;
        }
        if !fits {
            datagram.spoiled = true;
            return Err(FragmentRefused::Overlap);
        }
        let place = datagram.pieces.get_mut(usize::from(datagram.count));
        *place.ok_or(FragmentRefused::Pieces)? = (piece.offset, piece.length);
        datagram.count += 1;
        datagram.bytes += u32::from(piece.length);
        if !piece.more {
            datagram.end = Some(end);
        }
        Ok(())
    }

    fn may_hold(
        &mut self,
        keys: &Keys,
        key: &FragmentKey,
        piece: Piece,
    ) -> Result<(), FragmentRefused> {
        let bytes = u32::from(piece.length);
        let room = self.tickets.has_room() && self.held_bytes + bytes <= HELD_BYTES;
        let share = self
            .source(keys, key)
            .is_some_and(|source| source.bytes + bytes <= HELD_BYTES / SHARE);
        if room && share {
            Ok(())
        } else {
            Err(FragmentRefused::Held)
        }
    }

    fn expire_held(&mut self, keys: &Keys, slot: u32) {
        let Some(datagram) = self.datagrams.get_mut(slot as usize) else {
            return;
        };
        let held = core::mem::take(&mut datagram.held);
        if let Some(key) = datagram.key {
            self.settle(keys, &key, held, None);
        }
    }

    fn settle(&mut self, keys: &Keys, key: &FragmentKey, held: List, session: Option<SessionId>) {
        let bytes = self.tickets.settle(held, session);
        self.held_bytes = self.held_bytes.saturating_sub(bytes);
        if let Some(source) = self.source(keys, key) {
            source.bytes = source.bytes.saturating_sub(bytes);
        }
    }

    fn source(&mut self, keys: &Keys, key: &FragmentKey) -> Option<&mut Source> {
        let head = (key.side as u64) << 8 | Purpose::FragmentSource as u64;
        let place = keys.place_pair(head, Octets::of(key.source)) as usize % SOURCES;
        self.by_source.get_mut(place)
    }
}

impl Datagram {
    const VACANT: Self = Self {
        key: None,
        session: None,
        spoiled: false,
        until: Ticks::ZERO,
        end: None,
        pieces: [(0, 0); PIECES],
        count: 0,
        bytes: 0,
        held: List::EMPTY,
        next: NONE,
        prev: NONE,
    };
}

impl FragmentKey {
    fn hash(&self, keys: &Keys) -> u64 {
        let head = u64::from(self.identification) << 32
            | u64::from(self.protocol) << 16
            | (self.side as u64) << 8
            | Purpose::Fragment as u64;
        let source = keys.place_pair(head, Octets::of(self.source));
        keys.place_pair(source, Octets::of(self.destination))
    }
}

impl Piece {
    fn end(self) -> u32 {
        u32::from(self.offset) + u32::from(self.length)
    }

    /// What can be told from one piece alone.
    fn check(self, key: &FragmentKey) -> Result<(), FragmentRefused> {
        let aligned =
            self.offset.is_multiple_of(8) && (!self.more || self.length.is_multiple_of(8));
        if !aligned || self.length == 0 || self.end() > u32::from(u16::MAX) {
            return Err(FragmentRefused::Length);
        }
        let header = if key.protocol == TCP {
            TCP_HEADER
        } else {
            SHORT_HEADER
        };
        let tiny = self.offset == 0 && self.length < header;
        // RFC 3128 §3: a second piece this early can rewrite the flags of the first.
        let early = key.protocol == TCP && (1..TCP_HEADER).contains(&self.offset);
        if tiny || early {
            Err(FragmentRefused::Tiny)
        } else {
            Ok(())
        }
    }
}
