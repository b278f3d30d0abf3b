//! A client's query, read without an allocation.

use alloc::boxed::Box;
use core::fmt;

use super::message::{Records, Section};
use super::{
    CLASS_IN, Edns, HEADER_BYTES, MINIMUM_UDP_BYTES, Name, OPT_BYTES, flag, get_u16, opt_is_sound,
    rcode, rtype, skip_name,
};

/// A standard query with one question, borrowed from the message that holds it.
///
/// ```
/// use dnscache::Query;
///
/// let message = b"\x12\x34\x01\x00\0\x01\0\0\0\0\0\0\x07example\x03com\0\0\x1c\0\x01";
/// let query = Query::parse(message)?;
/// assert_eq!(query.id(), 0x1234);
/// assert_eq!(query.question().to_string(), "example.com. AAAA");
/// # Ok::<(), dnscache::QueryError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query<'a> {
    id: u16,
    flags: u16,
    question: &'a [u8],
    edns: Option<Edns>,
}

/// Why a message is not a query to be answered from data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// Fewer octets than a header has: there is nothing to answer to.
    #[error("{found} octets are no DNS header")]
    Short {
        /// Octets of the message.
        found: usize,
    },
    /// QR is set: answering a response would let two servers answer each other for ever.
    #[error("the message is a response")]
    Response,
    /// An operation other than QUERY: NOTIMP.
    #[error("operation {found} is not supported")]
    Opcode {
        /// OPCODE of the message.
        found: u8,
    },
    /// QDCOUNT is not one (RFC 9619): FORMERR.
    #[error("the message has {found} questions, one is wanted")]
    Questions {
        /// QDCOUNT of the message.
        found: u16,
    },
    /// Sections that the counts promise are not there, or a name is broken: FORMERR.
    #[error("the message is malformed")]
    Malformed,
    /// A second OPT record, or options that run past its end (RFC 6891 §6.1.1, §7): FORMERR.
    #[error("the OPT record is malformed or not the only one")]
    Opt,
    /// An EDNS version above 0 (RFC 6891 §6.1.3): BADVERS.
    #[error("EDNS version {found} is not supported")]
    Version {
        /// VERSION of the OPT record.
        found: u8,
    },
    /// A type that is not a question for data: zone transfers, OPT, TSIG, TKEY: NOTIMP.
    #[error("a question of type {found} is not supported")]
    Type {
        /// QTYPE of the question.
        found: u16,
    },
}

impl QueryError {
    /// The response code that the client is to get; `None` where silence is the answer.
    pub fn rcode(&self) -> Option<u8> {
        match self {
            Self::Short { .. } | Self::Response => None,
            Self::Opcode { .. } | Self::Type { .. } => Some(rcode::NOTIMP),
            Self::Questions { .. } | Self::Malformed | Self::Opt => Some(rcode::FORMERR),
            Self::Version { .. } => Some(rcode::BADVERS),
        }
    }
}

impl<'a> Query<'a> {
    /// Reads a query; octets after the last record are ignored.
    ///
    /// # Errors
    /// See [`QueryError`]; [`QueryError::rcode`] says what to answer.
    pub fn parse(message: &'a [u8]) -> Result<Self, QueryError> {
        let short = QueryError::Short {
            found: message.len(),
        };
        let (header, body) = message.split_first_chunk::<HEADER_BYTES>().ok_or(short)?;
        let [i0, i1, f0, f1, q0, q1, an0, an1, ns0, ns1, ar0, ar1] = *header;
        let (id, flags) = (u16::from_be_bytes([i0, i1]), u16::from_be_bytes([f0, f1]));
        let questions = u16::from_be_bytes([q0, q1]);
        if flags & flag::QR != 0 {
            return Err(QueryError::Response);
        }
        if flags & flag::OPCODE != 0 {
            return Err(QueryError::Opcode {
                found: (f0 >> 3) & 0x0f,
            });
        }
        if questions != 1 {
            return Err(QueryError::Questions { found: questions });
        }
        let question = question(body).ok_or(QueryError::Malformed)?;
        let mut query = Query {
            id,
            flags,
            question,
            edns: None,
        };
        if [an0, an1, ns0, ns1, ar0, ar1] != [0; 6] {
            let counts = [[an0, an1], [ns0, ns1], [ar0, ar1]].map(u16::from_be_bytes);
            let at = HEADER_BYTES + question.len();
            query.edns = read_edns(message, at, counts)?;
        }
        match query.rtype() {
            found @ (rtype::OPT | rtype::TKEY | rtype::TSIG | rtype::IXFR | rtype::AXFR) => {
                Err(QueryError::Type { found })
            }
            _ => Ok(query),
        }
    }

    /// Takes a message for what almost all queries are: one question, and at most an OPT record without
    /// options. `None`: [`parse`](Self::parse) it.
    ///
    /// That the question's name is one is not looked at. Where it equals a name that is one, it is one.
    #[inline(always)]
    pub(crate) fn assume(message: &'a [u8]) -> Option<Self> {
        /// QDCOUNT 1, and the other counts 0.
        const QUESTION: u64 = 1 << 48;
        /// And ARCOUNT 1.
        const QUESTION_AND_RECORD: u64 = QUESTION | 1;
        let (header, body) = message.split_first_chunk::<HEADER_BYTES>()?;
        let [i0, i1, f0, f1, counts @ ..] = *header;
        let flags = u16::from_be_bytes([f0, f1]);
        if flags & (flag::QR | flag::OPCODE) != 0 {
            return None;
        }
        let (question, edns) = match u64::from_be_bytes(counts) {
            QUESTION => (body, None),
            QUESTION_AND_RECORD => {
                let (question, record) = body.split_last_chunk::<OPT_BYTES>()?;
                (question, Some(plain_opt(record)?))
            }
            _ => return None,
        };
        let [high, low, _, _] = *question.last_chunk()?;
        let rtype = u16::from_be_bytes([high, low]);
        let is_data = rtype != rtype::OPT && !(rtype::TKEY..=rtype::AXFR).contains(&rtype);
        (is_data && question.len() <= super::NAME_BYTES + 4).then_some(Self {
            id: u16::from_be_bytes([i0, i1]),
            flags,
            question,
            edns,
        })
    }

    /// A query put together from its parts, for whoever asks on its own account.
    ///
    /// `question` is name, type and class in wire form.
    ///
    /// # Errors
    /// [`QueryError::Malformed`] if `question` is anything else.
    pub fn new(
        id: u16,
        question: &'a [u8],
        checking_disabled: bool,
        edns: Option<Edns>,
    ) -> Result<Self, QueryError> {
        let whole = self::question(question).ok_or(QueryError::Malformed)?;
        if whole.len() != question.len() {
            return Err(QueryError::Malformed);
        }
        let flags = flag::RD | if checking_disabled { flag::CD } else { 0 };
        Ok(Query {
            id,
            flags,
            question,
            edns,
        })
    }

    pub(crate) fn from_parts(id: u16, flags: u16, question: &'a [u8], edns: Option<Edns>) -> Self {
        Self {
            id,
            flags,
            question,
            edns,
        }
    }

    /// The identifier that the reply must carry.
    pub fn id(&self) -> u16 {
        self.id
    }

    /// The second word of the header.
    pub(crate) fn flags(&self) -> u16 {
        self.flags
    }

    /// Name, type and class as the client wrote them.
    pub fn question_wire(&self) -> &'a [u8] {
        self.question
    }

    /// The name as the client wrote it, uncompressed.
    pub fn name_wire(&self) -> &'a [u8] {
        self.question
            .split_last_chunk::<4>()
            .map_or(&[], |(name, _)| name)
    }

    /// QTYPE.
    pub fn rtype(&self) -> u16 {
        self.question
            .last_chunk::<4>()
            .map_or(0, |[high, low, _, _]| u16::from_be_bytes([*high, *low]))
    }

    /// QCLASS.
    pub fn class(&self) -> u16 {
        self.question
            .last_chunk::<2>()
            .map_or(0, |class| u16::from_be_bytes(*class))
    }

    /// The question as a value of its own.
    pub fn question(&self) -> Question {
        Question::from_wire(self.question)
    }

    /// CD: the client validates by itself (RFC 4035 §3.2.2).
    pub fn checking_disabled(&self) -> bool {
        self.flags & flag::CD != 0
    }

    /// RD (RFC 1035 §4.1.1).
    pub fn recursion_desired(&self) -> bool {
        self.flags & flag::RD != 0
    }

    /// Whether the client understands AD: by DO, or by AD in the query (RFC 6840 §5.7).
    pub fn wants_authentic_data(&self) -> bool {
        self.dnssec_ok() || self.flags & flag::AD != 0
    }

    /// DO (RFC 3225).
    pub fn dnssec_ok(&self) -> bool {
        self.edns.is_some_and(|edns| edns.dnssec_ok)
    }

    /// What the OPT record said, if there was one.
    pub fn edns(&self) -> Option<Edns> {
        self.edns
    }

    /// The largest UDP reply, in octets: what the client offers, at least 512 (RFC 6891 §6.2.3), at
    /// most `ceiling`; 512 without EDNS (RFC 1035 §4.2.1).
    pub fn udp_limit(&self, ceiling: u16) -> usize {
        let offered = self.edns.map_or(MINIMUM_UDP_BYTES, |edns| edns.udp_bytes);
        usize::from(offered.min(ceiling).max(MINIMUM_UDP_BYTES))
    }
}

/// Name, type and class at the start of `body`; a compressed name is none (there is nothing before
/// the question to point at).
pub(crate) fn question(body: &[u8]) -> Option<&[u8]> {
    let (mut at, mut lengths) = (0_usize, 0);
    loop {
        let length = *body.get(at)?;
        lengths |= length;
        // No overflow: a slice is shorter than half of all numbers.
        at = at.wrapping_add(usize::from(length)).wrapping_add(1);
        if length == 0 {
            break;
        }
    }
    if lengths > 63 || at > super::NAME_BYTES {
        return None;
    }
    body.get(..at.wrapping_add(4))
}

/// An OPT record of version 0 without options.
#[inline(always)]
fn plain_opt(record: &[u8; OPT_BYTES]) -> Option<Edns> {
    let ([0, 0, 41, ..], Some(fields)) = (record, record.last_chunk()) else {
        return None;
    };
    // Size, extended code, version, flags, length: in two comparisons less than octet by octet.
    let fields = u64::from_be_bytes(*fields);
    let (size, ttl) = ((fields >> 48) as u16, (fields >> 16) as u32);
    (fields & 0x00ff_0000_ffff == 0).then(|| Edns::from_fields(size, ttl & 0xffff))
}

fn read_edns(message: &[u8], at: usize, counts: [u16; 3]) -> Result<Option<Edns>, QueryError> {
    let mut edns = None;
    for record in Records::new(message, at, counts) {
        let record = record.map_err(|_| QueryError::Malformed)?;
        if record.rtype != rtype::OPT {
            continue;
        }
        let sound = record.section == Section::Additional
            && message.get(record.owner_at) == Some(&0)
            && opt_is_sound(record.rdata(message));
        if !sound || edns.is_some() {
            return Err(QueryError::Opt);
        }
        edns = Some(Edns::from_fields(record.class, record.ttl));
    }
    match edns {
        Some(Edns { version, .. }) if version > 0 => Err(QueryError::Version { found: version }),
        _ => Ok(edns),
    }
}

/// A question as a value: for events, logs and tables.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Question {
    /// The name, in lower case.
    pub name: Name,
    /// QTYPE.
    pub rtype: u16,
    /// QCLASS; 1 is the Internet.
    pub class: u16,
}

impl Question {
    /// From wire bytes that were checked before.
    pub(crate) fn from_wire(question: &[u8]) -> Self {
        let end = skip_name(question, 0).unwrap_or(0);
        let name = question
            .get(..end)
            .and_then(|name| Name::from_wire(name).ok());
        Self {
            name: name.unwrap_or_else(Name::root),
            rtype: get_u16(question, end).unwrap_or(0),
            class: get_u16(question, end.saturating_add(2)).unwrap_or(0),
        }
    }

    /// Name, type and class in wire form.
    pub fn to_wire(&self) -> Box<[u8]> {
        let mut wire = alloc::vec::Vec::with_capacity(self.name.as_wire().len().saturating_add(4));
        wire.extend_from_slice(self.name.as_wire());
        wire.extend_from_slice(&self.rtype.to_be_bytes());
        wire.extend_from_slice(&self.class.to_be_bytes());
        wire.into()
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.name)?;
        if self.class != CLASS_IN {
            write!(f, "CLASS{} ", self.class)?;
        }
        match rtype_name(self.rtype) {
            Some(name) => f.write_str(name),
            None => write!(f, "TYPE{}", self.rtype),
        }
    }
}

/// The mnemonic of a type that clients ask for commonly; others are written as RFC 3597 §5 does.
fn rtype_name(number: u16) -> Option<&'static str> {
    Some(match number {
        rtype::A => "A",
        rtype::NS => "NS",
        rtype::CNAME => "CNAME",
        rtype::SOA => "SOA",
        rtype::PTR => "PTR",
        rtype::MX => "MX",
        rtype::TXT => "TXT",
        rtype::AAAA => "AAAA",
        rtype::SRV => "SRV",
        rtype::DS => "DS",
        rtype::SVCB => "SVCB",
        rtype::HTTPS => "HTTPS",
        rtype::ANY => "ANY",
        _ => return None,
    })
}
