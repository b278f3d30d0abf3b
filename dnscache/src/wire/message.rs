//! A response and its records, read in place.

use super::query::question;
use super::{HEADER_BYTES, flag, get_u16, get_u32, skip_name};

/// A message with one question; its records are checked as they are read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) id: u16,
    pub(crate) flags: u16,
    /// Name, type and class.
    pub(crate) question: &'a [u8],
    /// Records of the answer, authority and additional section.
    pub(crate) counts: [u16; 3],
}

/// The message ends before what its counts promise, or a name in it is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// The sections after the question (RFC 1035 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Section {
    Answer,
    Authority,
    Additional,
}

/// Where a record lies in its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) section: Section,
    pub(crate) owner_at: usize,
    pub(crate) rtype: u16,
    pub(crate) class: u16,
    pub(crate) ttl: u32,
    pub(crate) ttl_at: usize,
    pub(crate) rdata_at: usize,
    pub(crate) end: usize,
}

impl Record {
    pub(crate) fn rdata<'a>(&self, message: &'a [u8]) -> &'a [u8] {
        message.get(self.rdata_at..self.end).unwrap_or_default()
    }
}

impl<'a> Message<'a> {
    /// Reads header and question.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let body = bytes.get(HEADER_BYTES..)?;
        if get_u16(bytes, 4)? != 1 {
            return None;
        }
        Some(Self {
            bytes,
            id: get_u16(bytes, 0)?,
            flags: get_u16(bytes, 2)?,
            question: question(body)?,
            counts: [get_u16(bytes, 6)?, get_u16(bytes, 8)?, get_u16(bytes, 10)?],
        })
    }

    /// The low four bits of the response code.
    pub(crate) fn rcode(&self) -> u8 {
        (self.flags & flag::RCODE).to_be_bytes()[1]
    }

    /// QTYPE.
    pub(crate) fn rtype(&self) -> u16 {
        self.question
            .last_chunk::<4>()
            .map_or(0, |[high, low, _, _]| u16::from_be_bytes([*high, *low]))
    }

    /// Where the answer section begins.
    pub(crate) fn body_at(&self) -> usize {
        HEADER_BYTES.saturating_add(self.question.len())
    }

    pub(crate) fn records(&self) -> Records<'a> {
        Records::new(self.bytes, self.body_at(), self.counts)
    }
}

/// The records in order; ends after the first error.
#[derive(Debug, Clone)]
pub(crate) struct Records<'a> {
    bytes: &'a [u8],
    at: usize,
    left: [u16; 3],
}

impl<'a> Records<'a> {
    pub(crate) fn new(bytes: &'a [u8], at: usize, counts: [u16; 3]) -> Self {
        Self {
            bytes,
            at,
            left: counts,
        }
    }

    fn read(&mut self, section: Section) -> Option<Record> {
        let owner_at = self.at;
        let type_at = skip_name(self.bytes, owner_at)?;
        let ttl_at = type_at.checked_add(4)?;
        let rdata_at = type_at.checked_add(10)?;
        let length = usize::from(get_u16(self.bytes, type_at.checked_add(8)?)?);
        let end = rdata_at.checked_add(length)?;
        if end > self.bytes.len() {
            return None;
        }
        self.at = end;
        Some(Record {
            section,
            owner_at,
            rtype: get_u16(self.bytes, type_at)?,
            class: get_u16(self.bytes, type_at.checked_add(2)?)?,
            ttl: get_u32(self.bytes, ttl_at)?,
            ttl_at,
            rdata_at,
            end,
        })
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Record, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let [answer, authority, additional] = &mut self.left;
        let (section, left) = match (*answer, *authority, *additional) {
            (0, 0, 0) => return None,
            (0, 0, _) => (Section::Additional, additional),
            (0, _, _) => (Section::Authority, authority),
            (_, _, _) => (Section::Answer, answer),
        };
        *left -= 1;
        match self.read(section) {
            Some(record) => Some(Ok(record)),
            None => {
                self.left = [0; 3];
                Some(Err(Malformed))
            }
        }
    }
}
