//! DNS messages that must be understood: read with hickory, behind a check of the counts.

use alloc::vec::Vec;

use hickory_proto::op::Message;
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

const HEADER_BYTES: usize = 12;

/// The option code of an Extended DNS Error (RFC 8914 §5.2).
const EXTENDED_ERROR: u16 = 15;

/// The shortest question: root name, type and class.
const QUESTION_BYTES: usize = 5;

/// The shortest record: root name, type, class, TTL and length (RFC 1035 §4.1.3).
const RECORD_BYTES: usize = 11;

/// Names of a chain of aliases; longer ones are taken for a loop.
const CHAIN: usize = 16;

/// A response to one question of class IN.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) message: Message,
    pub(crate) question: Name,
    pub(crate) record_type: RecordType,
}

impl Response {
    /// Reads a message. The counts are held against the length first: the decoder reserves room for
    /// as many questions as the header claims.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let header: &[u8; HEADER_BYTES] = bytes.first_chunk()?;
        let [_, _, flags, _, q0, q1, a0, a1, n0, n1, r0, r1] = *header;
        let questions = u16::from_be_bytes([q0, q1]);
        let records: usize = [[a0, a1], [n0, n1], [r0, r1]]
            .map(|count| usize::from(u16::from_be_bytes(count)))
            .iter()
            .sum();
        let least = HEADER_BYTES + QUESTION_BYTES + records * RECORD_BYTES;
        if flags & 0x80 == 0 || questions != 1 || bytes.len() < least {
            return None;
        }
        let message = Message::from_vec(bytes).ok()?;
        let query = message.queries.first()?;
        if query.query_class() != DNSClass::IN {
            return None;
        }
        let (question, record_type) = (query.name().clone(), query.query_type());
        Some(Self {
            message,
            question,
            record_type,
        })
    }

    /// Whether it failed because of signatures: Extended DNS Errors 6 to 12 (RFC 8914 §4.7 to §4.13).
    /// Nobody has to say so (dns.md 38).
    pub(crate) fn is_bogus(&self) -> bool {
        let Some(edns) = &self.message.edns else {
            return false;
        };
        let bogus = |option: &EdnsOption| match option {
            EdnsOption::Unknown(EXTENDED_ERROR, data) => {
                matches!(data.first_chunk(), Some([0, 6..=12]))
            }
            _ => false,
        };
        edns.options()
            .as_ref()
            .iter()
            .any(|(_, option)| bogus(option))
    }

    /// The name that the chain of aliases ends at; `None` if it goes round.
    pub(crate) fn terminal(&self) -> Option<Name> {
        let mut owner = self.question.clone();
        for _ in 0..CHAIN {
            let alias = self.message.answers.iter().find_map(|record| {
                let RData::CNAME(target) = &record.data else {
                    return None;
                };
                (record.name == owner).then(|| target.0.clone())
            });
            match alias {
                Some(target) => owner = target,
                None => return Some(owner),
            }
        }
        None
    }

    /// The records of the type asked for that `owner` has.
    pub(crate) fn answers_of(&self, owner: &Name) -> impl Iterator<Item = &Record> {
        self.message
            .answers
            .iter()
            .filter(move |record| record.record_type() == self.record_type && record.name == *owner)
    }

    /// How long this denial may be believed, in seconds: the lesser of the SOA's own TTL and its
    /// MINIMUM (RFC 2308 §3 and §5); without SOA, what RFC 6147 §5.1.7 says.
    pub(crate) fn negative_ttl(&self) -> u32 {
        const WITHOUT_SOA: u32 = 600;
        self.soa_ttl().unwrap_or(WITHOUT_SOA)
    }

    /// The same; `None` without SOA.
    pub(crate) fn soa_ttl(&self) -> Option<u32> {
        self.message
            .authorities
            .iter()
            .find_map(|record| match &record.data {
                RData::SOA(soa) => Some(record.ttl.min(soa.minimum)),
                _ => None,
            })
            .map(bounded)
    }

    /// The records of the answer that led to its end: aliases, and the signatures over them.
    pub(crate) fn chain(&self) -> Vec<Record> {
        self.message
            .answers
            .iter()
            .filter(|record| match record.record_type() {
                RecordType::CNAME | RecordType::DNAME => true,
                RecordType::RRSIG => covered(record) != Some(self.record_type.into()),
                _ => false,
            })
            .cloned()
            .collect()
    }
}

/// A TTL with its first bit set is a large one (RFC 8767 §4), and never sent on like that.
pub(crate) fn bounded(ttl: u32) -> u32 {
    ttl.min(0x7fff_ffff)
}

/// The type that a signature covers (RFC 4034 §3.1.1).
fn covered(record: &Record) -> Option<u16> {
    let RData::Unknown { rdata, .. } = &record.data else {
        return None;
    };
    let covered: &[u8; 2] = rdata.anything.first_chunk()?;
    Some(u16::from_be_bytes(*covered))
}
