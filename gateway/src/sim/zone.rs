use alloc::collections::BTreeMap;
use core::net::{Ipv4Addr, Ipv6Addr};

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, PTR, SOA, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};

/// Aliases followed for one answer.
const CHAIN_MAX: usize = 16;

/// What a name server knows about a domain and all below it.
///
/// A name that is given no record of a type has none (NODATA); a name that is not given at all,
/// nor lies above one that is, does not exist (NXDOMAIN).
#[derive(Debug, Clone)]
pub struct Zone {
    origin: Name,
    soa: Record,
    /// By lower-case name.
    records: BTreeMap<Name, Vec<Record>>,
}

impl Zone {
    /// An empty zone. `negative_ttl` is how many seconds its negative answers may be kept
    /// (RFC 2308 §5).
    ///
    /// # Panics
    ///
    /// As every method here does, if a name is not a domain name.
    #[must_use]
    pub fn new(origin: &str, negative_ttl: u32) -> Self {
        let origin = name(origin).to_lowercase();
        let below =
            |label: &str| Name::from_ascii(label).and_then(|label| label.append_domain(&origin));
        let soa = SOA::new(
            below("ns").unwrap_or_else(|_| origin.clone()),
            below("hostmaster").unwrap_or_else(|_| origin.clone()),
            1,
            3600,
            600,
            86_400,
            negative_ttl,
        );
        let soa = Record::from_rdata(origin.clone(), negative_ttl, RData::SOA(soa));
        let records = BTreeMap::from([(origin.clone(), vec![soa.clone()])]);
        Self {
            origin,
            soa,
            records,
        }
    }

    /// Adds an IPv4 address.
    #[must_use]
    pub fn a(self, owner: &str, ttl: u32, address: Ipv4Addr) -> Self {
        self.with(owner, ttl, RData::A(A(address)))
    }

    /// Adds an IPv6 address.
    #[must_use]
    pub fn aaaa(self, owner: &str, ttl: u32, address: Ipv6Addr) -> Self {
        self.with(owner, ttl, RData::AAAA(AAAA(address)))
    }

    /// Adds an alias.
    #[must_use]
    pub fn cname(self, owner: &str, ttl: u32, target: &str) -> Self {
        self.with(owner, ttl, RData::CNAME(CNAME(name(target))))
    }

    /// Adds a pointer.
    #[must_use]
    pub fn ptr(self, owner: &str, ttl: u32, target: &str) -> Self {
        self.with(owner, ttl, RData::PTR(PTR(name(target))))
    }

    /// Adds a text of any length: what makes an answer big.
    #[must_use]
    pub fn txt(self, owner: &str, ttl: u32, text: &str) -> Self {
        let strings = text.as_bytes().chunks(255).collect();
        self.with(owner, ttl, RData::TXT(TXT::from_bytes(strings)))
    }

    /// Adds a name that exists and has nothing.
    #[must_use]
    pub fn bare(mut self, owner: &str) -> Self {
        self.records.entry(name(owner).to_lowercase()).or_default();
        self
    }

    fn with(mut self, owner: &str, ttl: u32, data: RData) -> Self {
        let owner = name(owner).to_lowercase();
        let record = Record::from_rdata(owner.clone(), ttl, data);
        self.records.entry(owner).or_default().push(record);
        self
    }

    /// Labels of the origin if `name` lies in the zone.
    pub(super) fn depth_for(&self, name: &Name) -> Option<u8> {
        self.origin.zone_of(name).then(|| self.origin.num_labels())
    }

    /// Puts what the zone says about a question into `reply`. Returns the name to go on with if
    /// the answer is an alias that leads out of the zone.
    pub(super) fn answer(
        &self,
        asked: &Name,
        record_type: RecordType,
        reply: &mut Message,
    ) -> Option<Name> {
        let mut owner = asked.clone();
        for _ in 0..CHAIN_MAX {
            if !self.origin.zone_of(&owner) {
                return Some(owner);
            }
            let Some(records) = self.records.get(&owner.to_lowercase()) else {
                if !self.has_below(&owner) {
                    reply.metadata.response_code = ResponseCode::NXDomain;
                }
                break;
            };
            let of_type = |wanted: RecordType| {
                let owner = owner.clone();
                records
                    .iter()
                    .filter(move |record| record.record_type() == wanted)
                    .map(move |record| {
                        let mut record = record.clone();
                        record.name = owner.clone();
                        record
                    })
            };
            let before = reply.answers.len();
            reply.answers.extend(of_type(record_type));
            if reply.answers.len() > before {
                return None;
            }
            let alias = of_type(RecordType::CNAME).next();
            let Some(RData::CNAME(CNAME(target))) = alias.as_ref().map(|alias| &alias.data) else {
                break;
            };
            owner = target.clone();
            reply.answers.extend(alias);
        }
        reply.authorities.push(self.soa.clone());
        None
    }

    /// Whether a name below `owner` exists, so that `owner` does too (RFC 8020).
    fn has_below(&self, owner: &Name) -> bool {
        self.records.keys().any(|name| owner.zone_of(name))
    }
}

fn name(text: &str) -> Name {
    let mut name = Name::from_ascii(text).unwrap_or_else(|e| panic!("{text} is no name: {e}"));
    name.set_fqdn(true);
    name
}
