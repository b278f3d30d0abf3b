//! A records for IPv6 hosts.

use alloc::vec::Vec;
use core::net::Ipv4Addr;
use core::time::Duration;

use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{RData, Record};

use super::host::{Exclusion, Host};
use super::{Made, assemble};
use crate::message::{Response, bounded};
use crate::policy::{Basis, Settings};
use crate::table::Table;

/// For how long the sorry address is answered (dns.md 26).
const SORRY_TTL: Duration = Duration::from_secs(5);

/// What comes of two replies.
pub(crate) enum Outcome {
    Made(Made),
    /// The first reply is the answer.
    Pass,
    Exhausted,
    /// The client has as many mappings that nobody uses as it may have.
    OverQuota,
    /// The second reply is a failure.
    SecondFailed,
    /// A message that is none, or that the two do not belong together.
    Malformed,
}

/// The reply to a question for A whose plain reply, `first`, has none; `second` answers AAAA. No more than
/// `quota` mappings are made.
pub(crate) fn synthesize(
    now: Duration,
    table: &mut Table,
    quota: u32,
    settings: &Settings,
    exclusion: &Exclusion,
    first: &Response,
    second: &Response,
) -> Outcome {
    let Some(owner) = second.terminal() else {
        return Outcome::Malformed;
    };
    let basis: Vec<(&Record, Host)> = second
        .answers_of(&owner)
        .filter_map(|record| match &record.data {
            RData::AAAA(address) => Some((record, exclusion.host(address.0)?)),
            _ => None,
        })
        .collect();
    if basis.is_empty() {
        return Outcome::Pass;
    }
    // RFC 6147 §5.1.7 mirrored; all records of a set have one TTL (RFC 2181 §5.2).
    let ttl = basis
        .iter()
        .map(|(record, _)| bounded(record.ttl))
        .fold(first.negative_ttl(), u32::min);
    let ttl = Duration::from_secs(ttl.into()).min(settings.max_ttl);

    let hosts = choose(table, &basis, settings.hosts_per_name);
    let answers = match assign(now, table, quota, &hosts, ttl) {
        Ok(answers) => answers,
        Err(why) => {
            return match settings.sorry {
                Some(address) => sorry(first, second, owner, ttl.min(SORRY_TTL), address),
                None => why,
            };
        }
    };
    let ttl = answers.ttl;
    let seconds = u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX);
    let mut reply = assemble(first, second);
    for address in &answers.addresses {
        let data = RData::A(A(*address));
        reply
            .answers
            .push(Record::from_rdata(owner.clone(), seconds, data));
    }
    let basis = basis
        .iter()
        .enumerate()
        .filter(|(index, (_, host))| {
            let is_first = basis.iter().position(|(_, other)| other == host) == Some(*index);
            is_first && hosts.contains(host)
        })
        .map(|(_, (record, _))| {
            let mut record = (*record).clone();
            record.ttl = seconds;
            record
        });
    match settings.basis {
        Basis::Answer => reply.answers.extend(basis),
        Basis::Additional => reply.additionals.extend(basis),
        Basis::None => {}
    }
    match reply.to_vec() {
        Ok(bytes) => Outcome::Made(Made {
            bytes,
            ttl,
            is_sorry: false,
            mappings: answers.mappings,
        }),
        Err(_) => Outcome::Malformed,
    }
}

/// The hosts that are answered: each once, those that have an address already first, then the lowest
/// (dns.md 24), so that a rotating set does not walk through the pool.
fn choose(table: &Table, basis: &[(&Record, Host)], most: usize) -> Vec<Host> {
    let mut hosts: Vec<(bool, Host)> = Vec::new();
    for (_, host) in basis {
        let fresh = match host {
            Host::Ipv4(_) => false,
            Host::Ipv6(address) => table.address_of(*address).is_none(),
        };
        if !hosts.contains(&(fresh, *host)) {
            hosts.push((fresh, *host));
        }
    }
    hosts.sort_by_key(|(fresh, host)| (*fresh, order(*host)));
    hosts
        .into_iter()
        .take(most.max(1))
        .map(|(_, host)| host)
        .collect()
}

fn order(host: Host) -> u128 {
    match host {
        Host::Ipv4(address) => u32::from(address).into(),
        Host::Ipv6(address) => address.into(),
    }
}

struct Answers {
    addresses: Vec<Ipv4Addr>,
    mappings: Vec<(Ipv4Addr, core::net::Ipv6Addr)>,
    ttl: Duration,
}

/// An address for each host as far as there are any; an error if there is none at all.
fn assign(
    now: Duration,
    table: &mut Table,
    mut quota: u32,
    hosts: &[Host],
    ttl: Duration,
) -> Result<Answers, Outcome> {
    let mut missing = Outcome::Exhausted;
    let mut answers = Answers {
        addresses: Vec::new(),
        mappings: Vec::new(),
        ttl,
    };
    for host in hosts {
        match *host {
            Host::Ipv4(address) => answers.addresses.push(address),
            Host::Ipv6(host) => {
                let is_new = table.address_of(host).is_none();
                if is_new && quota == 0 {
                    missing = Outcome::OverQuota;
                    continue;
                }
                if let Ok(assigned) = table.assign(now, host, ttl) {
                    quota = quota.saturating_sub(u32::from(assigned.is_new));
                    answers.addresses.push(assigned.address);
                    answers.mappings.push((assigned.address, host));
                    answers.ttl = answers.ttl.min(assigned.ttl);
                }
            }
        }
    }
    if answers.addresses.is_empty() {
        Err(missing)
    } else {
        Ok(answers)
    }
}

fn sorry(
    first: &Response,
    second: &Response,
    owner: hickory_proto::rr::Name,
    ttl: Duration,
    address: Ipv4Addr,
) -> Outcome {
    let mut reply = assemble(first, second);
    let seconds = u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX);
    let data = RData::A(A(address));
    reply.answers.push(Record::from_rdata(owner, seconds, data));
    match reply.to_vec() {
        Ok(bytes) => Outcome::Made(Made {
            bytes,
            ttl,
            is_sorry: true,
            mappings: Vec::new(),
        }),
        Err(_) => Outcome::Malformed,
    }
}
