//! What an upstream reply says: which of its records may be believed, of what kind it is, and for how
//! long it holds.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::ttl;
use crate::wire::{
    Labels, Message, NAME_BYTES, Record, Section, expand, extended_error, flag, get_u32,
    lower_name, name_is, names_stand_still, put_u16, rcode, referred_name, rewrite, rtype,
};

/// Names of a CNAME chain, the question's included; longer ones are taken for a loop.
const CHAIN: usize = 16;

/// Names that records refer to and whose addresses are let through as additional data.
const REFERRED: usize = 32;

/// The kinds of answers that live and are served differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Records of the type asked for.
    Answer,
    /// The name exists, the type does not (RFC 2308 §2.2).
    NoData,
    /// The name does not exist, or the last name of the chain (RFC 2308 §2.1).
    NameError,
    /// No server had an answer (RFC 9520).
    Failure,
}

/// A reply that may be served and kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Understood {
    /// The message without OPT record and without what it had no business to say.
    pub(crate) message: Vec<u8>,
    pub(crate) kind: Kind,
    /// Seconds for which it may be kept; 0 means that it must not.
    pub(crate) life: u32,
    /// Whether the name that is denied is the question's own.
    pub(crate) direct: bool,
}

/// Why a reply is of no use: another server is to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unusable {
    pub(crate) rcode: u8,
    /// The extended error that came with it.
    pub(crate) error: Option<u16>,
}

/// Reads a reply whose question has been matched with what was asked.
pub(crate) fn understand(bytes: &[u8]) -> Result<Understood, Unusable> {
    let broken = Unusable {
        rcode: rcode::SERVFAIL,
        error: None,
    };
    let message = Message::parse(bytes).ok_or(broken)?;
    let records: Vec<Record> = message
        .records()
        .collect::<Result<_, _>>()
        .map_err(|_| broken)?;
    let opt = records.iter().find(|record| record.rtype == rtype::OPT);
    let extended = opt.map_or(0, |opt| opt.ttl >> 24);
    let error = opt.and_then(|opt| extended_error(opt.rdata(bytes)));
    match (extended, message.rcode()) {
        (0, rcode::NOERROR | rcode::NXDOMAIN | rcode::YXDOMAIN) => {}
        (0, other) => {
            return Err(Unusable {
                rcode: other,
                error,
            });
        }
        (1, 0) => {
            return Err(Unusable {
                rcode: rcode::BADVERS,
                error,
            });
        }
        (_, _) => return Err(broken),
    }
    if !names_stand_still(&message, &records) {
        return Err(broken);
    }
    let chain = chain(&message, &records).ok_or(broken)?;
    let kept = keep(&message, &records, &chain);
    let kind = kind(&message, &kept, &chain).ok_or(broken)?;
    let life = if message.rcode() == rcode::YXDOMAIN {
        0
    } else {
        life(bytes, kind, &kept)
    };
    let message = strip(&message, &records, &kept).ok_or(broken)?;
    Ok(Understood {
        message,
        kind,
        life,
        direct: chain.len() == 1,
    })
}

/// Reads a message made here, which is believed whole; `None` if it is not whole, or does not answer
/// `question`.
pub(crate) fn own(bytes: &[u8], question: &[u8]) -> Option<Understood> {
    let message = Message::parse(bytes)?;
    if !message.question.eq_ignore_ascii_case(question) {
        return None;
    }
    let records: Vec<Record> = message.records().collect::<Result<_, _>>().ok()?;
    let kept: Vec<Record> = records
        .iter()
        .copied()
        .filter(|record| record.rtype != rtype::OPT)
        .collect();
    let [answers, ..] = message.counts;
    let kind = match (message.rcode(), answers) {
        (rcode::NXDOMAIN, _) => Kind::NameError,
        (_, 0) => Kind::NoData,
        (_, _) => Kind::Answer,
    };
    let life = kept
        .iter()
        .map(|record| ttl::bounded(record.ttl))
        .min()
        .unwrap_or(u32::MAX);
    let mut whole = strip(&message, &records, &kept)?;
    // RFC 6147 §5.5: nobody has signed what was made here.
    put_u16(&mut whole, 2, message.flags & !(flag::AD | flag::TC));
    Some(Understood {
        message: whole,
        kind,
        life,
        direct: false,
    })
}

/// The question's name and what CNAME records make of it, in lower case; `None` if they go round.
fn chain(message: &Message<'_>, records: &[Record]) -> Option<Vec<Box<[u8]>>> {
    let mut chain = Vec::from([lower_name(message.bytes, crate::wire::HEADER_BYTES)?]);
    if matches!(message.rtype(), rtype::CNAME | rtype::ANY) {
        return Some(chain);
    }
    while let Some(last) = chain.last() {
        let next = records.iter().find(|record| {
            record.section == Section::Answer
                && record.rtype == rtype::CNAME
                && name_is(message.bytes, record.owner_at, last)
        });
        let Some(next) = next else { break };
        let target = lower_name(message.bytes, next.rdata_at)?;
        if chain.len() >= CHAIN || chain.contains(&target) {
            return None;
        }
        chain.push(target);
    }
    Some(chain)
}

/// The records that belong to the question (RFC 5452 §6): on the chain, about a zone above it, or the
/// addresses of names that those refer to.
fn keep(message: &Message<'_>, records: &[Record], chain: &[Box<[u8]>]) -> Vec<Record> {
    let question_class = message
        .question
        .last_chunk::<2>()
        .map_or(0, |c| u16::from_be_bytes(*c));
    let mut kept: Vec<Record> = Vec::with_capacity(records.len());
    let mut referred: Vec<Box<[u8]>> = Vec::new();
    let mut name = [0; NAME_BYTES];
    for record in records {
        let owner = expand(message.bytes, record.owner_at, &mut name);
        let Some((length, _)) = owner else { continue };
        let Some(owner) = name.get_mut(..length) else {
            continue;
        };
        owner.make_ascii_lowercase();
        let belongs = match record.section {
            Section::Answer => answers(message.rtype(), record.rtype, owner, chain),
            Section::Authority => is_authority(record.rtype, owner, chain),
            Section::Additional => is_additional(record.rtype, owner, &referred),
        };
        if !belongs || (record.class != question_class && question_class != CLASS_ANY) {
            continue;
        }
        kept.push(*record);
        if referred.len() < REFERRED && record.section != Section::Additional {
            let target = referred_name(record.rtype, record.rdata(message.bytes))
                .and_then(|offset| lower_name(message.bytes, record.rdata_at.checked_add(offset)?));
            referred.extend(target);
        }
    }
    kept
}

const CLASS_ANY: u16 = 255;

fn answers(asked: u16, found: u16, owner: &[u8], chain: &[Box<[u8]>]) -> bool {
    let on_chain = chain.iter().any(|name| **name == *owner);
    match found {
        rtype::RRSIG => on_chain || is_above(owner, chain),
        rtype::DNAME => is_above(owner, chain) || (on_chain && asked == rtype::DNAME),
        rtype::CNAME => on_chain,
        rtype::OPT | rtype::TSIG | rtype::TKEY => false,
        // The type that was asked for belongs to the end of the chain alone.
        _ if asked == found => chain.last().is_some_and(|name| **name == *owner),
        _ => asked == rtype::ANY && on_chain,
    }
}

fn is_authority(found: u16, owner: &[u8], chain: &[Box<[u8]>]) -> bool {
    match found {
        rtype::SOA | rtype::NS | rtype::DS => {
            is_above(owner, chain) || chain.iter().any(|name| **name == *owner)
        }
        rtype::RRSIG | rtype::NSEC | rtype::NSEC3 => true,
        _ => false,
    }
}

fn is_additional(found: u16, owner: &[u8], referred: &[Box<[u8]>]) -> bool {
    match found {
        rtype::A | rtype::AAAA | rtype::RRSIG | rtype::SVCB | rtype::HTTPS => {
            referred.iter().any(|name| **name == *owner)
        }
        _ => false,
    }
}

/// Whether `owner` is a proper ancestor of a name of the chain.
fn is_above(owner: &[u8], chain: &[Box<[u8]>]) -> bool {
    chain
        .iter()
        .any(|name| Labels::new(name).skip(1).any(|suffix| suffix == owner))
}

/// `None` for a referral: whoever is asked to resolve has not done so.
fn kind(message: &Message<'_>, kept: &[Record], chain: &[Box<[u8]>]) -> Option<Kind> {
    if message.rcode() == rcode::NXDOMAIN {
        return Some(Kind::NameError);
    }
    let has = |section, number| {
        kept.iter()
            .any(|record| record.section == section && record.rtype == number)
    };
    let asked = message.rtype();
    let answered = match asked {
        rtype::ANY => kept.iter().any(|record| record.section == Section::Answer),
        _ => has(Section::Answer, asked),
    };
    // RFC 6672 §2.2: the name would have outgrown its bounds; the DNAME says so.
    if answered || message.rcode() == rcode::YXDOMAIN {
        return Some(Kind::Answer);
    }
    let referral = chain.len() == 1
        && has(Section::Authority, rtype::NS)
        && !has(Section::Authority, rtype::SOA);
    (!referral).then_some(Kind::NoData)
}

/// The shortest TTL of all records; of a negative answer also the SOA's MINIMUM (RFC 2308 §5), and
/// nothing without an SOA.
fn life(bytes: &[u8], kind: Kind, kept: &[Record]) -> u32 {
    let shortest = kept
        .iter()
        .map(|record| ttl::bounded(record.ttl))
        .min()
        .unwrap_or(0);
    match kind {
        Kind::Answer => shortest,
        Kind::NoData | Kind::NameError => kept
            .iter()
            .find(|record| record.section == Section::Authority && record.rtype == rtype::SOA)
            // Two names of at least one octet, and five numbers.
            .filter(|soa| soa.rdata(bytes).len() >= 22)
            .and_then(|soa| get_u32(bytes, soa.end.checked_sub(4)?))
            .map_or(0, |minimum| shortest.min(ttl::bounded(minimum))),
        Kind::Failure => 0,
    }
}

/// The message with the kept records only: its own bytes where they are a run from the start.
fn strip(message: &Message<'_>, records: &[Record], kept: &[Record]) -> Option<Vec<u8>> {
    let run = records
        .iter()
        .zip(kept)
        .all(|(record, kept)| record == kept);
    let mut bytes = if run {
        let end = kept
            .last()
            .map_or_else(|| message.body_at(), |last| last.end);
        let mut bytes: Vec<u8> = message.bytes.get(..end)?.into();
        for (at, section) in [
            (6, Section::Answer),
            (8, Section::Authority),
            (10, Section::Additional),
        ] {
            let count = kept
                .iter()
                .filter(|record| record.section == section)
                .count();
            put_u16(&mut bytes, at, u16::try_from(count).ok()?);
        }
        bytes
    } else {
        rewrite(message, message.question, kept)?
    };
    ttl::even_out(&mut bytes)?;
    let flags = message.flags & !flag::TC;
    put_u16(&mut bytes, 2, flags);
    Some(bytes)
}
