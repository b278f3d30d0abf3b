//! One answer: its message in one run of bytes, with the places of its TTLs behind it.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use crate::key::Key;
use crate::understand::{Kind, Understood};
use crate::wire::{
    Edns, ExtendedError, HEADER_BYTES, Message, OPT_BYTES, Query, Record, Section, Writer, flag,
    get_u16, get_u32, plain_opt, put_u16, put_u32, rcode, rewrite, rtype, write_opt,
};

/// An answer as it came, and what has to be known to serve it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The message, then the offset of each TTL in it as a 16-bit number.
    bytes: Box<[u8]>,
    /// When it was received, in nanoseconds.
    stored_at: u64,
    /// Seconds from then for which it holds; 0: for those who wait for it, and no one else.
    life: u32,
    message_bytes: u16,
    /// Name, type and class.
    question_bytes: u16,
    /// Where the additional section begins, the part that may be left out (RFC 2181 §9).
    additional_at: u16,
    pub(crate) kind: Kind,
    /// What the user wrote there at insertion.
    pub(crate) tag: u8,
    /// Whether the denied name is the question's own.
    pub(crate) direct: bool,
    /// The forward zone it belongs to, for the counters.
    pub(crate) zone: u16,
}

/// The TTLs of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Age {
    /// Counted down by so many seconds, the time since the answer was received (RFC 1035 §3.2.1).
    Seconds(u32),
    /// All equal: the answer has expired (RFC 8767 §4).
    Stale,
}

/// Whole seconds.
#[inline]
pub(crate) fn seconds(nanos: u64) -> u32 {
    u32::try_from(nanos / SECOND).unwrap_or(u32::MAX)
}

/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;

/// TTL of a stale answer, in seconds (RFC 8767 §4: RECOMMENDED).
pub(crate) const STALE_TTL: u32 = 30;

/// What a reply may look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Envelope<'a> {
    /// Octets that the reply may have.
    pub(crate) limit: usize,
    /// The UDP payload that is offered in the OPT record.
    pub(crate) udp_bytes: u16,
    pub(crate) error: Option<ExtendedError<'a>>,
}

impl Entry {
    /// `None` if the message is longer than a message can be, or not whole.
    pub(crate) fn new(now: Duration, understood: Understood, tag: u8) -> Option<Self> {
        let Understood {
            message: mut bytes,
            kind,
            life,
            direct,
        } = understood;
        let message_bytes = u16::try_from(bytes.len()).ok()?;
        let message = Message::parse(&bytes)?;
        let question_bytes = u16::try_from(message.question.len()).ok()?;
        let mut additional_at = message.body_at();
        let mut offsets = Vec::new();
        for record in message.records() {
            let record = record.ok()?;
            if record.section != Section::Additional {
                additional_at = record.end;
            }
            offsets.push(u16::try_from(record.ttl_at).ok()?);
        }
        let additional_at = u16::try_from(additional_at).ok()?;
        bytes.reserve_exact(offsets.len().saturating_mul(2));
        bytes.extend(offsets.into_iter().flat_map(u16::to_be_bytes));
        Some(Self {
            bytes: bytes.into(),
            stored_at: nanos(now),
            life,
            message_bytes,
            question_bytes,
            additional_at,
            kind,
            tag,
            direct,
            zone: u16::MAX,
        })
    }

    /// A failure to be remembered (RFC 9520 §3.2): SERVFAIL for `question`.
    pub(crate) fn failure(now: Duration, question: &[u8], life: u32) -> Option<Self> {
        let mut message = Vec::with_capacity(HEADER_BYTES.saturating_add(question.len()));
        message.extend_from_slice(&[0; HEADER_BYTES]);
        put_u16(&mut message, 2, flag::QR | u16::from(rcode::SERVFAIL));
        put_u16(&mut message, 4, 1);
        message.extend_from_slice(question);
        let understood = Understood {
            message,
            kind: Kind::Failure,
            life,
            direct: true,
        };
        Self::new(now, understood, 0)
    }

    /// The denial of a name below the one that this entry, kept under `own`, denies.
    pub(crate) fn denied_below(&self, now: Duration, own: &Key, below: &Key) -> Option<Self> {
        if self.kind != Kind::NameError {
            return None;
        }
        let mut entry = self.clone();
        entry.refresh(
            now,
            self.age(now),
            &Query::from_parts(0, 0, own.question(), None),
        );
        let message = Message::parse(entry.message())?;
        let soa: Vec<Record> = message
            .records()
            .filter_map(Result::ok)
            .filter(|record| record.section == Section::Authority && record.rtype == rtype::SOA)
            .collect();
        let message = rewrite(&message, below.question(), &soa)?;
        let understood = Understood {
            message,
            kind: Kind::NameError,
            life: entry.life,
            direct: true,
        };
        let mut entry = Self::new(now, understood, 0)?;
        entry.zone = self.zone;
        Some(entry)
    }

    /// The message as it is kept.
    pub(crate) fn message(&self) -> &[u8] {
        self.bytes
            .get(..usize::from(self.message_bytes))
            .unwrap_or_default()
    }

    /// Brings the message up to date: question and identifier as `query` has them, TTLs as they are
    /// now. For whoever is to read the message.
    pub(crate) fn refresh(&mut self, now: Duration, age: Age, query: &Query<'_>) {
        let (message, offsets) = self.bytes.split_at_mut(usize::from(self.message_bytes));
        match age {
            Age::Seconds(seconds) => {
                lower_own_ttls(message, offsets, seconds);
                let elapsed = u64::from(seconds).saturating_mul(SECOND);
                self.stored_at = self.stored_at.saturating_add(elapsed);
                self.life = self.life.saturating_sub(seconds);
            }
            Age::Stale => {
                offsets_in(offsets).for_each(|at| put_u32(message, at, STALE_TTL));
                self.stored_at = nanos(now);
                self.life = STALE_TTL;
            }
        }
        put_u16(message, 0, query.id());
        self.set_question(query.question_wire());
    }

    /// Writes the message with the TTLs that are left into a buffer of its length.
    pub(crate) fn write_aged(&self, now: Duration, out: &mut [u8]) {
        let (message, offsets) = self.bytes.split_at(usize::from(self.message_bytes));
        if out.len() != message.len() {
            return;
        }
        out.copy_from_slice(message);
        if let Age::Seconds(seconds) = self.age(now) {
            lower_ttls(message, out, offsets, seconds);
        }
    }

    /// So much of its life has passed elsewhere.
    pub(crate) fn grow_older(&mut self, elapsed: Duration) {
        let seconds = u32::try_from(elapsed.as_secs()).unwrap_or(u32::MAX);
        self.life = self.life.saturating_sub(seconds);
        let (message, offsets) = self.bytes.split_at_mut(usize::from(self.message_bytes));
        lower_own_ttls(message, offsets, seconds);
    }

    /// How old it is, and so how its TTLs are to be given.
    #[inline]
    pub(crate) fn age(&self, now: Duration) -> Age {
        Age::Seconds(seconds(self.nanos_since(now)))
    }

    /// Nanoseconds since it was received.
    #[inline]
    pub(crate) fn nanos_since(&self, now: Duration) -> u64 {
        nanos(now).saturating_sub(self.stored_at)
    }

    /// Octets on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Name, type and class.
    #[inline]
    pub(crate) fn question(&self) -> &[u8] {
        self.bytes
            .get(HEADER_BYTES..)
            .and_then(|body| body.get(..usize::from(self.question_bytes)))
            .unwrap_or_default()
    }

    /// Overwrites the question with one of the same length.
    pub(crate) fn set_question(&mut self, question: &[u8]) {
        let end = HEADER_BYTES.saturating_add(question.len());
        if let Some(own) = self.bytes.get_mut(HEADER_BYTES..end) {
            own.copy_from_slice(question);
        }
    }

    pub(crate) fn life(&self) -> u32 {
        self.life
    }

    pub(crate) fn set_life(&mut self, seconds: u32) {
        self.life = seconds;
    }

    /// Whether no more than a tenth of its life is left.
    #[inline]
    pub(crate) fn is_ending(&self, nanos_since: u64) -> bool {
        nanos_since >= u64::from(self.life) * (SECOND / 10 * 9)
    }

    /// Whether the answer holds still.
    #[inline]
    pub(crate) fn is_fresh(&self, nanos_since: u64) -> bool {
        nanos_since < u64::from(self.life) * SECOND
    }

    /// Whether the answer has not held for so long.
    pub(crate) fn is_expired_for(&self, now: Duration, time: Duration) -> bool {
        let life = u64::from(self.life) * SECOND;
        self.nanos_since(now) >= life.saturating_add(nanos(time))
    }

    /// Raises and lowers each TTL into the bounds, in seconds.
    pub(crate) fn clamp_ttls(&mut self, floor: u32, ceiling: u32) {
        let (message, offsets) = self.bytes.split_at_mut(usize::from(self.message_bytes));
        for at in offsets_in(offsets) {
            if let Some(ttl) = get_u32(message, at) {
                put_u32(message, at, ttl.max(floor).min(ceiling));
            }
        }
    }

    /// Writes the whole reply to `query`, as almost all are: its length, or `None` if it is none of
    /// those, or longer than `limit`. Copies once, and patches identifier, flags, question, TTLs and OPT
    /// record. `is_lower`: the query's question has no letter in upper case.
    #[inline(always)]
    pub(crate) fn write_whole(
        &self,
        seconds: u32,
        query: &Query<'_>,
        is_lower: bool,
        limit: usize,
        udp_bytes: u16,
        out: &mut [u8],
    ) -> Option<usize> {
        let (message, offsets) = self
            .bytes
            .split_at_checked(usize::from(self.message_bytes))?;
        let edns = query.edns();
        let length = message.len() + edns.map_or(0, |_| OPT_BYTES);
        if length > limit {
            return None;
        }
        let (reply, behind) = out.get_mut(..length)?.split_at_mut_checked(message.len())?;
        reply.copy_from_slice(message);
        let [_, _, flags0, flags1, .., count0, count1] = message.first_chunk::<HEADER_BYTES>()?;
        let (header, body) = reply.split_first_chunk_mut::<HEADER_BYTES>()?;
        let [i0, i1, f0, f1, .., ar0, ar1] = header;
        [*i0, *i1] = query.id().to_be_bytes();
        let stored = u16::from_be_bytes([*flags0, *flags1]);
        [*f0, *f1] = reply_flags(query, stored).to_be_bytes();
        if let Some(edns) = edns {
            *behind.first_chunk_mut()? = plain_opt(udp_bytes, 0, edns.dnssec_ok);
            let count = u16::from_be_bytes([*count0, *count1]).checked_add(1)?;
            [*ar0, *ar1] = count.to_be_bytes();
        }
        let own_question = body.get_mut(..query.question_wire().len())?;
        if is_lower {
            // The denial of a name is kept under another type.
            *own_question.last_chunk_mut::<4>()? = *query.question_wire().last_chunk()?;
        } else {
            own_question.copy_from_slice(query.question_wire());
        }
        lower_ttls(message, reply, offsets, seconds);
        Some(length)
    }

    /// Writes the reply to `query`; gives its length, or `None` if `out` holds not even a truncated
    /// one. Copies, and patches identifier, flags, case of the question, TTLs and OPT record.
    pub(crate) fn write_reply(
        &self,
        age: Age,
        query: &Query<'_>,
        envelope: Envelope<'_>,
        out: &mut [u8],
    ) -> Option<usize> {
        let question = query.question_wire();
        let limit = envelope.limit.min(out.len());
        let opt = if query.edns().is_some() { OPT_BYTES } else { 0 };
        let (message, offsets) = self
            .bytes
            .split_at_checked(usize::from(self.message_bytes))?;
        let (stored, body) = message.split_first_chunk::<HEADER_BYTES>()?;
        let mut records = body.get(question.len()..)?;
        let [_, _, flags0, flags1, mut counts @ ..] = *stored;
        let mut flags = reply_flags(query, u16::from_be_bytes([flags0, flags1]));
        let mut length = message.len();
        let mut offsets = offsets;
        if length.saturating_add(opt) > limit {
            // Whatever of the additional section is left out has TTLs that find no place below.
            let [q0, q1, an0, an1, ns0, ns1, _, _] = counts;
            let start = HEADER_BYTES.saturating_add(question.len());
            length = usize::from(self.additional_at);
            counts = [q0, q1, an0, an1, ns0, ns1, 0, 0];
            if length.saturating_add(opt) > limit {
                length = start;
                counts = [q0, q1, 0, 0, 0, 0, 0, 0];
                flags |= flag::TC;
                offsets = &[];
            }
            records = records.get(..length.checked_sub(start)?)?;
        }
        let reply = out.get_mut(..length)?;
        let (header, rest) = reply.split_first_chunk_mut::<HEADER_BYTES>()?;
        let (own_question, own_records) = rest.split_at_mut_checked(question.len())?;
        own_question.copy_from_slice(question);
        own_records.copy_from_slice(records);
        *header = joined(query.id(), flags, counts);
        match age {
            Age::Seconds(seconds) => lower_ttls(message, reply, offsets, seconds),
            Age::Stale => offsets_in(offsets).for_each(|at| put_u32(reply, at, STALE_TTL)),
        }
        finish(length, query, 0, envelope, out)
    }
}

/// Appends the OPT record, if the query had one (RFC 6891 §6.1.1).
#[inline]
fn finish(
    length: usize,
    query: &Query<'_>,
    extended_rcode: u8,
    envelope: Envelope<'_>,
    out: &mut [u8],
) -> Option<usize> {
    if query.edns().is_none() {
        return Some(length);
    }
    let limit = envelope.limit.min(out.len());
    let (message, rest) = out.get_mut(..limit)?.split_at_mut_checked(length)?;
    let written = if envelope.error.is_none() {
        let opt = plain_opt(envelope.udp_bytes, extended_rcode, query.dnssec_ok());
        *rest.first_chunk_mut()? = opt;
        OPT_BYTES
    } else {
        let mut writer = Writer::new(rest);
        write_opt(
            &mut writer,
            envelope.udp_bytes,
            extended_rcode,
            query.dnssec_ok(),
            envelope.error,
        )?;
        writer.len()
    };
    let count = get_u16(message, 10)?.checked_add(1)?;
    put_u16(message, 10, count);
    length.checked_add(written)
}

/// QR, RA, the rest from the query (RFC 1035 §4.1.1, RFC 4035 §3.2.2) and the kept message.
fn reply_flags(query: &Query<'_>, stored: u16) -> u16 {
    let authentic = if query.wants_authentic_data() {
        flag::AD
    } else {
        0
    };
    let copied = query.flags() & (flag::RD | flag::CD);
    flag::QR | flag::RA | copied | (stored & (flag::RCODE | authentic))
}

/// A reply without records: an error, or a truncated one.
pub(crate) fn write_empty(
    query: &Query<'_>,
    code: u8,
    truncated: bool,
    envelope: Envelope<'_>,
    out: &mut [u8],
) -> Option<usize> {
    let mut writer = Writer::new(out);
    writer.put_u16(query.id())?;
    let truncated = if truncated { flag::TC } else { 0 };
    writer.put_u16(reply_flags(query, u16::from(code & 0x0f)) | truncated)?;
    writer.put_u16(1)?;
    writer.put(&[0; 6])?;
    writer.put(query.question_wire())?;
    let length = writer.len();
    finish(length, query, code >> 4, envelope, out)
}

/// The answer to a message that is no proper query: its header, its question if that can be read, and
/// an OPT record if it has one (RFC 6891 §6.1.1), sound or not.
pub(crate) fn write_refusal(
    message: &[u8],
    code: u8,
    udp_bytes: u16,
    out: &mut [u8],
) -> Option<usize> {
    let mut writer = Writer::new(out);
    writer.put_u16(get_u16(message, 0)?)?;
    let copied = get_u16(message, 2)? & (flag::OPCODE | flag::RD | flag::CD);
    writer.put_u16(flag::QR | flag::RA | copied | u16::from(code & 0x0f))?;
    let message = Message::parse(message);
    let opt = message.and_then(|message| {
        let mut records = message.records().flatten();
        records.find(|record| record.rtype == rtype::OPT)
    });
    writer.put_u16(u16::from(message.is_some()))?;
    writer.put(&[0; 4])?;
    writer.put_u16(u16::from(opt.is_some()))?;
    writer.put(message.map_or(&[], |message| message.question))?;
    if let Some(opt) = opt {
        let dnssec_ok = Edns::from_fields(opt.class, opt.ttl).dnssec_ok;
        write_opt(&mut writer, udp_bytes, code >> 4, dnssec_ok, None)?;
    }
    Some(writer.len())
}

/// A header.
#[inline]
fn joined(id: u16, flags: u16, counts: [u8; 8]) -> [u8; HEADER_BYTES] {
    let ([i0, i1], [f0, f1]) = (id.to_be_bytes(), flags.to_be_bytes());
    let [q0, q1, an0, an1, ns0, ns1, ar0, ar1] = counts;
    [i0, i1, f0, f1, q0, q1, an0, an1, ns0, ns1, ar0, ar1]
}

/// Writes the TTLs of `kept` into its copy, less so many seconds: read where they are kept, since what
/// was just copied is not at hand yet.
#[inline]
fn lower_ttls(kept: &[u8], copy: &mut [u8], offsets: &[u8], seconds: u32) {
    let kept = kept.get(..copy.len()).unwrap_or_default();
    for at in offsets_in(offsets) {
        // No overflow: an offset is a 16-bit number.
        let field = at..at.wrapping_add(4);
        if let (Some([a, b, c, d]), Some(place)) = (kept.get(field.clone()), copy.get_mut(field)) {
            let ttl = u32::from_be_bytes([*a, *b, *c, *d]).saturating_sub(seconds);
            place.copy_from_slice(&ttl.to_be_bytes());
        }
    }
}

fn lower_own_ttls(message: &mut [u8], offsets: &[u8], seconds: u32) {
    for at in offsets_in(offsets) {
        if let Some(ttl) = get_u32(message, at) {
            put_u32(message, at, ttl.saturating_sub(seconds));
        }
    }
}

fn offsets_in(bytes: &[u8]) -> impl Iterator<Item = usize> + '_ {
    let (pairs, _) = bytes.as_chunks::<2>();
    pairs
        .iter()
        .map(|pair| usize::from(u16::from_be_bytes(*pair)))
}

/// Nanoseconds; more than 64 bits hold are 584 years.
#[inline]
fn nanos(time: Duration) -> u64 {
    let seconds = time.as_secs().saturating_mul(SECOND);
    seconds.saturating_add(time.subsec_nanos().into())
}
