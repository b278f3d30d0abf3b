//! A message written anew with some of its records, where leaving records out of the middle would
//! break the compression pointers of what follows.

use alloc::vec::Vec;

use super::message::{Message, Record, Section};
use super::{HEADER_BYTES, NAME_BYTES, expand, get_u16, put_u16, put_u32, rtype};

/// Compression targets that are remembered; more would cost more time than they save octets.
const TARGETS: usize = 64;

/// The message with `question` as its question and only these records, without an OPT record.
///
/// Names are compressed where RFC 3597 §4 lets them be, others are written whole.
pub(crate) fn rewrite(message: &Message<'_>, question: &[u8], kept: &[Record]) -> Option<Vec<u8>> {
    let mut out = Rewriter {
        bytes: Vec::with_capacity(message.bytes.len()),
        targets: Vec::new(),
    };
    out.bytes
        .extend_from_slice(message.bytes.get(..HEADER_BYTES)?);
    let name = question.get(..question.len().checked_sub(4)?)?;
    out.name(name, 0)?;
    out.bytes.extend_from_slice(question.last_chunk::<4>()?);
    let mut counts = [0u16; 3];
    for record in kept {
        let [answer, authority, additional] = &mut counts;
        let count = match record.section {
            Section::Answer => answer,
            Section::Authority => authority,
            Section::Additional => additional,
        };
        *count = count.checked_add(1)?;
        out.record(message.bytes, record)?;
    }
    for (at, count) in [6, 8, 10].into_iter().zip(counts) {
        put_u16(&mut out.bytes, at, count);
    }
    (out.bytes.len() <= usize::from(u16::MAX)).then_some(out.bytes)
}

/// Whether every name reads the same whatever the TTLs and the type of the question are: a pointer may
/// lead into those, and what is cached would then change its names with its age.
pub(crate) fn names_stand_still(message: &Message<'_>, records: &[Record]) -> bool {
    let mut other = message.bytes.to_vec();
    for record in records {
        put_u32(&mut other, record.ttl_at, u32::MAX);
    }
    put_u16(&mut other, message.body_at().saturating_sub(4), u16::MAX);
    let same = |at: usize| {
        let (mut one, mut two) = ([0; NAME_BYTES], [0; NAME_BYTES]);
        let read = expand(message.bytes, at, &mut one);
        let (_, end) = read?;
        (read == expand(&other, at, &mut two) && one == two).then_some(end)
    };
    records.iter().all(|record| {
        let Some((before, names)) = names_in(record.rtype, record.rdata(message.bytes)) else {
            return false;
        };
        let mut at = record.rdata_at.saturating_add(before);
        let rdata = (0..names).all(|_| match same(at) {
            Some(end) => {
                at = end;
                true
            }
            None => false,
        });
        rdata && same(record.owner_at).is_some()
    })
}

struct Rewriter {
    bytes: Vec<u8>,
    /// Where a label run begins that later names may point to.
    targets: Vec<u16>,
}

impl Rewriter {
    fn record(&mut self, message: &[u8], record: &Record) -> Option<()> {
        self.name(message, record.owner_at)?;
        let fixed = message.get(record.ttl_at.checked_sub(4)?..record.rdata_at)?;
        self.bytes.extend_from_slice(fixed);
        let start = self.bytes.len();
        self.rdata(message, record)?;
        let length = u16::try_from(self.bytes.len().checked_sub(start)?).ok()?;
        put_u16(&mut self.bytes, start.checked_sub(2)?, length);
        Some(())
    }

    fn rdata(&mut self, message: &[u8], record: &Record) -> Option<()> {
        let rdata = record.rdata(message);
        let (before, names) = names_in(record.rtype, rdata)?;
        self.bytes.extend_from_slice(rdata.get(..before)?);
        let mut at = record.rdata_at.checked_add(before)?;
        for _ in 0..names {
            at = self.name(message, at)?;
        }
        self.bytes.extend_from_slice(message.get(at..record.end)?);
        Some(())
    }

    /// Writes the name at `at`; gives where it ended in the message.
    fn name(&mut self, message: &[u8], at: usize) -> Option<usize> {
        let mut name = [0; NAME_BYTES];
        let (length, end) = expand(message, at, &mut name)?;
        let mut rest = name.get(..length)?;
        while let [label, after @ ..] = rest {
            if *label == 0 {
                self.bytes.push(0);
                return Some(end);
            }
            if let Some(target) = self.target(rest) {
                self.bytes
                    .extend_from_slice(&(0xc000 | target).to_be_bytes());
                return Some(end);
            }
            if self.targets.len() < TARGETS {
                let here = u16::try_from(self.bytes.len()).ok();
                self.targets.extend(here.filter(|here| *here < 0xc000 >> 2));
            }
            let (text, tail) = after.split_at_checked(usize::from(*label))?;
            self.bytes.push(*label);
            self.bytes.extend_from_slice(text);
            rest = tail;
        }
        None
    }

    /// A run of labels written before that reads the same, letter for letter.
    fn target(&self, suffix: &[u8]) -> Option<u16> {
        let mut name = [0; NAME_BYTES];
        self.targets.iter().copied().find(|target| {
            expand(&self.bytes, usize::from(*target), &mut name)
                .is_some_and(|(length, _)| name.get(..length) == Some(suffix))
        })
    }
}

/// How many octets stand before the names in RDATA, and how many names there are: of the types whose
/// names may be compressed (RFC 3597 §4), and none of any other.
fn names_in(number: u16, rdata: &[u8]) -> Option<(usize, usize)> {
    // Types by number: those without a constant are obsolete, or of no other use here.
    Some(match number {
        rtype::NS | rtype::CNAME | rtype::PTR | rtype::DNAME | 3 | 4 | 7 | 8 | 9 | 30 => (0, 1),
        rtype::SOA | 14 | 17 => (0, 2),
        rtype::MX | 18 | 21 | 36 => (2, 1),
        26 => (2, 2),
        rtype::SRV => (6, 1),
        24 => (18, 1),
        35 => (after_strings(rdata, 4, 3)?, 1),
        _ => (0, 0),
    })
}

/// Where so many character strings (RFC 1035 §3.3) that begin at `at` end.
fn after_strings(rdata: &[u8], mut at: usize, strings: usize) -> Option<usize> {
    for _ in 0..strings {
        at = at
            .checked_add(usize::from(*rdata.get(at)?))?
            .checked_add(1)?;
    }
    Some(at)
}

/// The targets of records whose additional data is of use to the client (RFC 1035 §4.1): where in
/// RDATA the name begins.
pub(crate) fn referred_name(number: u16, rdata: &[u8]) -> Option<usize> {
    match number {
        rtype::NS | rtype::CNAME | rtype::PTR => Some(0),
        rtype::MX | rtype::SVCB | rtype::HTTPS => get_u16(rdata, 0).map(|_| 2),
        rtype::SRV => Some(6),
        _ => None,
    }
}
