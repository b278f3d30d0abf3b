//! Names that are answered here, since nobody upstream has anything to say about them: localhost
//! (RFC 6761 §6.3), and the reverse zones of addresses that mean something locally only (RFC 6303,
//! RFC 7793).

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::wire::{Labels, Name, Query, flag, rcode, rtype};
use crate::zone::ForwardZone;

/// RFC 6303 §3: TTL of all records of an empty zone.
const TTL: u32 = 10_800;

/// CLASS IN (RFC 1035 §3.2.4).
const IN: u16 = 1;

/// `localhost.` in wire form.
const LOCALHOST: &[u8] = b"\x09localhost\x00";

/// The mailbox of an empty zone's SOA record (RFC 6303 §3).
const NOBODY: &[u8] = b"\x06nobody\x07invalid\x00";

/// Where a compressed name points to that is the question's (RFC 1035 §4.1.4).
const QUESTION_NAME: [u8; 2] = [0xc0, 0x0c];

/// Names of loopback addresses, which point to localhost.
const LOOPBACKS: [&str; 2] = [
    "1.0.0.127.in-addr.arpa",
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa",
];

/// RFC 6303 §4.1 to §4.6, but for ranges.
const EMPTY: [&str; 16] = [
    "10.in-addr.arpa",
    "168.192.in-addr.arpa",
    "0.in-addr.arpa",
    "127.in-addr.arpa",
    "254.169.in-addr.arpa",
    "2.0.192.in-addr.arpa",
    "100.51.198.in-addr.arpa",
    "113.0.203.in-addr.arpa",
    "255.255.255.255.in-addr.arpa",
    "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa",
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa",
    "d.f.ip6.arpa",
    "8.e.f.ip6.arpa",
    "9.e.f.ip6.arpa",
    "a.e.f.ip6.arpa",
    "b.e.f.ip6.arpa",
];

/// The documentation prefix, RFC 6303 §4.6.
const DOCUMENTATION: &str = "8.b.d.0.1.0.0.2.ip6.arpa";

/// The zones that are answered here, all names in lower case and wire form.
#[derive(Debug)]
pub(crate) struct LocalZones {
    zones: BTreeSet<Box<[u8]>>,
    loopbacks: Vec<Box<[u8]>>,
    /// Zones with servers of their own: who configures one wants it asked.
    forwarded: BTreeSet<Box<[u8]>>,
}

impl LocalZones {
    /// All of them, but for what `forwarded` holds.
    pub(crate) fn new(forwarded: &[ForwardZone]) -> Self {
        let private = (16..32).map(|number| format!("{number}.172.in-addr.arpa"));
        // RFC 7793: 100.64.0.0/10.
        let shared = (64..128).map(|number| format!("{number}.100.in-addr.arpa"));
        let others = EMPTY.into_iter().chain([DOCUMENTATION, "localhost"]);
        let names = others.map(String::from).chain(private).chain(shared);
        let wire = |name: &str| -> Option<Box<[u8]>> {
            let name: Name = name.parse().ok()?;
            Some(name.as_wire().into())
        };
        let forwarded = forwarded.iter().map(|zone| zone.name.as_wire());
        Self {
            zones: names.filter_map(|name| wire(&name)).collect(),
            loopbacks: LOOPBACKS.into_iter().filter_map(wire).collect(),
            forwarded: forwarded
                .filter(|name| name.len() > 1)
                .map(|name| name.to_ascii_lowercase().into())
                .collect(),
        }
    }

    /// The whole response, identifier and flags of the query aside; `None` if the name is no local one.
    pub(crate) fn answer(&self, query: &Query<'_>, name: &[u8]) -> Option<Vec<u8>> {
        if query.class() != IN {
            return None;
        }
        let apex = Labels::new(name)
            .take_while(|suffix| !self.forwarded.contains(*suffix))
            .find(|suffix| self.zones.contains(*suffix))?;
        let is_apex = apex.len() == name.len();
        let is_localhost = apex == LOCALHOST;
        let is_loopback = self.loopbacks.iter().any(|one| **one == *name);
        let above_loopback = self
            .loopbacks
            .iter()
            .any(|one| Labels::new(one).any(|suffix| *suffix == *name));
        let exists = is_apex || is_localhost || above_loopback;
        let code = if exists {
            rcode::NOERROR
        } else {
            rcode::NXDOMAIN
        };
        let answer = match query.rtype() {
            rtype::A if is_localhost => Some(Vec::from([127, 0, 0, 1])),
            rtype::AAAA if is_localhost => {
                let mut loopback = Vec::from([0; 15]);
                loopback.push(1);
                Some(loopback)
            }
            rtype::PTR if is_loopback => Some(LOCALHOST.into()),
            rtype::SOA if is_apex => Some(soa(apex)),
            rtype::NS if is_apex => Some(apex.into()),
            _ => None,
        };
        Some(message(query, apex, code, answer.as_deref()))
    }
}

/// RFC 6303 §3: serial 1, refresh 3600, retry 1200, expire 604800, minimum 10800.
fn soa(apex: &[u8]) -> Vec<u8> {
    let mut soa = Vec::from(apex);
    soa.extend_from_slice(NOBODY);
    for number in [1, 3_600, 1_200, 604_800, TTL] {
        soa.extend_from_slice(&number.to_be_bytes());
    }
    soa
}

/// A response with one answer, or with the SOA record that denies it (RFC 2308 §2).
fn message(query: &Query<'_>, apex: &[u8], code: u8, answer: Option<&[u8]>) -> Vec<u8> {
    let counts: [u16; 3] = match answer {
        Some(_) => [1, 0, 0],
        None => [0, 1, 0],
    };
    let mut message = Vec::from([0; 2]);
    message.extend_from_slice(&(flag::QR | u16::from(code)).to_be_bytes());
    message.extend_from_slice(&1_u16.to_be_bytes());
    for count in counts {
        message.extend_from_slice(&count.to_be_bytes());
    }
    message.extend_from_slice(query.question_wire());
    let denial = soa(apex);
    let (owner, rtype, data): (&[u8], u16, &[u8]) = match answer {
        Some(data) => (&QUESTION_NAME, query.rtype(), data),
        None => (apex, rtype::SOA, &denial),
    };
    message.extend_from_slice(owner);
    message.extend_from_slice(&rtype.to_be_bytes());
    message.extend_from_slice(&IN.to_be_bytes());
    message.extend_from_slice(&TTL.to_be_bytes());
    let length = u16::try_from(data.len()).unwrap_or(u16::MAX);
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(data);
    message
}
