//! Reading and writing DNS messages in wire form (RFC 1035 §4), without an allocation on the way of
//! a cached answer.

mod bytes;
mod edns;
mod message;
mod name;
mod query;
mod rewrite;

pub(crate) use bytes::{Writer, get_u16, get_u32, put_u16, put_u32};
pub use edns::{Edns, ExtendedError};
pub(crate) use edns::{OPT_BYTES, extended_error, opt_is_sound, plain_opt, write_opt};
pub(crate) use message::{Message, Record, Section};
pub(crate) use name::{
    Labels, expand, last_octets, lower_name, lowercase_octets, name_is, skip_name,
};
pub use name::{Name, NameError};
pub(crate) use query::question;
pub use query::{Query, QueryError, Question};
pub(crate) use rewrite::{names_stand_still, referred_name, rewrite};

/// Octets before the question: identifier, flags and four counts (RFC 1035 §4.1.1).
pub(crate) const HEADER_BYTES: usize = 12;

/// The longest name, with its length octets (RFC 1035 §2.3.4).
pub(crate) const NAME_BYTES: usize = 255;

/// The smallest size of a UDP message that every client takes (RFC 1035 §4.2.1).
pub(crate) const MINIMUM_UDP_BYTES: u16 = 512;

/// Bits of the second 16-bit word of the header (RFC 1035 §4.1.1, RFC 4035 §3).
pub(crate) mod flag {
    pub(crate) const QR: u16 = 0x8000;
    pub(crate) const OPCODE: u16 = 0x7800;
    pub(crate) const TC: u16 = 0x0200;
    pub(crate) const RD: u16 = 0x0100;
    pub(crate) const RA: u16 = 0x0080;
    pub(crate) const AD: u16 = 0x0020;
    pub(crate) const CD: u16 = 0x0010;
    pub(crate) const RCODE: u16 = 0x000f;
}

/// Response codes (RFC 1035 §4.1.1, RFC 6891 §9).
pub mod rcode {
    /// No error.
    pub const NOERROR: u8 = 0;
    /// The server could not interpret the query.
    pub const FORMERR: u8 = 1;
    /// The server could not answer.
    pub const SERVFAIL: u8 = 2;
    /// The name does not exist.
    pub const NXDOMAIN: u8 = 3;
    /// The server does not do this kind of query.
    pub const NOTIMP: u8 = 4;
    /// The server will not answer, by policy.
    pub const REFUSED: u8 = 5;
    /// A name would outgrow 255 octets by a DNAME (RFC 6672 §2.2).
    pub const YXDOMAIN: u8 = 6;
    /// EDNS version not supported (RFC 6891 §6.1.3); needs an OPT record to be told.
    pub const BADVERS: u8 = 16;
}

/// Record types this crate knows by number (IANA, "Resource Record (RR) TYPEs").
pub mod rtype {
    /// IPv4 address.
    pub const A: u16 = 1;
    /// Authoritative name server.
    pub const NS: u16 = 2;
    /// Canonical name.
    pub const CNAME: u16 = 5;
    /// Start of a zone of authority.
    pub const SOA: u16 = 6;
    /// Domain name pointer.
    pub const PTR: u16 = 12;
    /// Mail exchange.
    pub const MX: u16 = 15;
    /// Text.
    pub const TXT: u16 = 16;
    /// IPv6 address.
    pub const AAAA: u16 = 28;
    /// Service location.
    pub const SRV: u16 = 33;
    /// Redirection of a subtree (RFC 6672).
    pub const DNAME: u16 = 39;
    /// EDNS(0) pseudo-record (RFC 6891).
    pub const OPT: u16 = 41;
    /// Delegation signer.
    pub const DS: u16 = 43;
    /// Signature of a record set.
    pub const RRSIG: u16 = 46;
    /// Authenticated denial.
    pub const NSEC: u16 = 47;
    /// Authenticated denial, hashed (RFC 5155).
    pub const NSEC3: u16 = 50;
    /// Service binding (RFC 9460).
    pub const SVCB: u16 = 64;
    /// Service binding of HTTPS (RFC 9460).
    pub const HTTPS: u16 = 65;
    /// Secret key establishment; per transaction.
    pub const TKEY: u16 = 249;
    /// Transaction signature.
    pub const TSIG: u16 = 250;
    /// Incremental transfer of a zone.
    pub const IXFR: u16 = 251;
    /// Transfer of a zone.
    pub const AXFR: u16 = 252;
    /// All types (RFC 8482).
    pub const ANY: u16 = 255;
}

/// The class Internet.
pub(crate) const CLASS_IN: u16 = 1;
