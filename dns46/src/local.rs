//! Questions that are answered here, whoever is asked: pointers of the pool and of the NAT64 prefixes
//! (RFC 6147 §5.3.1), `ipv4only.arpa` (RFC 7050, RFC 8880), and types that a client of DNS46 does not get.

mod pointer;

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, SOA};
use hickory_proto::rr::{DNSClass, Name, RData, Record};

use crate::policy::{self, ServiceBindings};
use crate::{Dns46, Refusal};
use pointer::Pointer;

/// The well-known addresses of RFC 7050 §2.2.
const WELL_KNOWN: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 0, 170), Ipv4Addr::new(192, 0, 0, 171)];
/// A name that stands for nothing now may stand for something soon.
const TTL: Duration = Duration::from_secs(60);
/// What a reply over UDP fits into, whoever asks.
const PAYLOAD: u16 = 1232;

/// A reply of this replica's own.
enum Answer {
    Records(Vec<RData>),
    /// The name exists, but not with this type.
    NoData,
    NoSuchName,
}

impl Dns46 {
    /// Answers a question that nobody upstream is to be asked: octets of the reply in `out`; `None` for
    /// all other questions. Authoritative, and the same over any transport.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoSpace`].
    pub fn on_query(
        &self,
        client: IpAddr,
        query: &[u8],
        out: &mut [u8],
    ) -> Result<Option<usize>, Refusal> {
        if !self.may_answer(client, query) {
            return Ok(None);
        }
        let Some(query) = read(query) else {
            return Ok(None);
        };
        let Some(question) = query.queries.first() else {
            return Ok(None);
        };
        let (name, record_type) = (question.name(), u16::from(question.query_type()));
        let Some((apex, answer)) = self.answer(client, name, record_type) else {
            return Ok(None);
        };
        let Ok(bytes) = compose(&query, name, &apex, answer).to_vec() else {
            return Ok(None);
        };
        let (found, wanted) = (out.len(), bytes.len());
        let place = out.get_mut(..wanted);
        let place = place.ok_or(Refusal::NoSpace { found, wanted })?;
        place.copy_from_slice(&bytes);
        Ok(Some(wanted))
    }

    /// Whether a query is worth reading: nearly none is.
    fn may_answer(&self, client: IpAddr, query: &[u8]) -> bool {
        let Some((name_end, record_type)) = question(query) else {
            return false;
        };
        let in_arpa = query
            .get(..name_end)
            .and_then(|name| name.last_chunk::<6>())
            .is_some_and(|tail| tail.eq_ignore_ascii_case(b"\x04arpa\0"));
        in_arpa || self.withholds(client, record_type)
    }

    /// Whether a client does not get a type.
    fn withholds(&self, client: IpAddr, record_type: u16) -> bool {
        let settings = &self.settings;
        let withheld = match record_type {
            policy::AAAA => settings.filter_aaaa,
            policy::HTTPS | policy::SVCB => settings.service_bindings == ServiceBindings::Strip,
            _ => false,
        };
        withheld && self.policy(client, policy::A) != 0
    }

    fn answer(&self, client: IpAddr, name: &Name, record_type: u16) -> Option<(Name, Answer)> {
        if let Some(found) = self.ipv4only(name, record_type) {
            return Some(found);
        }
        if let Some(pointer) = Pointer::read(name) {
            return self.pointer(&pointer, record_type);
        }
        // Never NXDOMAIN: that would deny the name's A records as well (dns.md 9).
        let scope = &self.settings.dns46_scope;
        let withheld = self.withholds(client, record_type) && scope.has_name(name);
        withheld.then(|| (name.clone(), Answer::NoData))
    }

    /// RFC 8880 §7.1: with DNS64 on, the zone is answered here, all but its DS.
    fn ipv4only(&self, name: &Name, record_type: u16) -> Option<(Name, Answer)> {
        let apex = Name::from_labels([&b"ipv4only"[..], b"arpa"]).ok()?;
        if self.settings.nat64.is_empty() || !apex.zone_of(name) {
            return None;
        }
        let answer = match record_type {
            _ if *name != apex => Answer::NoSuchName,
            policy::DS => return None,
            policy::A => Answer::Records(WELL_KNOWN.map(|host| RData::A(A(host))).into()),
            policy::AAAA => {
                let prefixes = self.settings.nat64.iter();
                let pairs = prefixes.flat_map(|nat64| {
                    WELL_KNOWN.map(|host| RData::AAAA(AAAA(nat64.prefix.embed(host))))
                });
                Answer::Records(pairs.collect())
            }
            _ => Answer::NoData,
        };
        Some((apex, answer))
    }
}

/// Where the question's name ends, and its type; `None` for what is not one plain question of class IN.
fn question(query: &[u8]) -> Option<(usize, u16)> {
    let &[_, _, flags, _, 0, 1, 0, 0, 0, 0, ..] = query.first_chunk::<12>()? else {
        return None;
    };
    // QR and OPCODE.
    if flags & 0xf8 != 0 {
        return None;
    }
    let mut at = 12;
    loop {
        match query.get(at)? {
            0 => break,
            length @ 1..=63 => at += usize::from(*length) + 1,
            _ => return None,
        }
    }
    let &[t0, t1, 0, 1] = query.get(at + 1..)?.first_chunk()? else {
        return None;
    };
    Some((at + 1, u16::from_be_bytes([t0, t1])))
}

fn read(query: &[u8]) -> Option<Message> {
    let message = Message::from_vec(query).ok()?;
    let plain = message.metadata.message_type == MessageType::Query
        && message.metadata.op_code == OpCode::Query
        && message.queries.len() == 1
        // Whoever handles all other questions also knows what to say to other versions of EDNS.
        && message.edns.as_ref().is_none_or(|edns| edns.version() == 0);
    plain.then_some(message)
}

fn compose(query: &Message, name: &Name, apex: &Name, answer: Answer) -> Message {
    let mut reply = Message::new(query.metadata.id, MessageType::Response, OpCode::Query);
    reply.metadata.recursion_desired = query.metadata.recursion_desired;
    reply.metadata.checking_disabled = query.metadata.checking_disabled;
    reply.metadata.recursion_available = true;
    reply.metadata.authoritative = true;
    reply.queries.clone_from(&query.queries);
    let seconds = TTL.as_secs() as u32;
    match answer {
        Answer::Records(records) => {
            let records = records
                .into_iter()
                .map(|data| Record::from_rdata(name.clone(), seconds, data));
            reply.answers.extend(records);
        }
        Answer::NoData => reply.authorities.push(start_of_authority(apex, seconds)),
        Answer::NoSuchName => {
            reply.metadata.response_code = ResponseCode::NXDomain;
            reply.authorities.push(start_of_authority(apex, seconds));
        }
    }
    if let Some(asked) = &query.edns {
        let mut edns = Edns::new();
        edns.set_max_payload(PAYLOAD).set_version(0);
        edns.set_dnssec_ok(asked.flags().dnssec_ok);
        reply.edns = Some(edns);
    }
    for record in reply.answers.iter_mut().chain(&mut reply.authorities) {
        record.dns_class = DNSClass::IN;
    }
    reply
}

/// RFC 6303 §3: a server that answers by itself is its own authority. Its negative TTL is short.
fn start_of_authority(apex: &Name, seconds: u32) -> Record {
    let soa = SOA::new(apex.clone(), Name::root(), 1, 3600, 600, 86_400, seconds);
    Record::from_rdata(apex.clone(), seconds, RData::SOA(soa))
}
