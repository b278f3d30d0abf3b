//! AAAA records for IPv4 hosts (RFC 6147).

use alloc::vec::Vec;
use core::time::Duration;

use hickory_proto::rr::rdata::AAAA;
use hickory_proto::rr::{RData, Record};

use super::dns46::Outcome;
use super::host::Exclusion;
use super::{Made, assemble};
use crate::message::{Response, bounded};
use crate::policy::Settings;

/// The reply to a question for AAAA whose plain reply, `first`, has none; `second` answers A.
pub(crate) fn synthesize(
    settings: &Settings,
    exclusion: &Exclusion,
    first: &Response,
    second: &Response,
) -> Outcome {
    let Some(owner) = second.terminal() else {
        return Outcome::Malformed;
    };
    let addresses: Vec<(u32, AAAA)> = second
        .answers_of(&owner)
        .filter_map(|record| match &record.data {
            RData::A(address) if exclusion.is_usable(address.0) => {
                let mut prefixes = settings.nat64.iter();
                let nat64 = prefixes.find(|nat64| nat64.reaches(address.0))?;
                Some((bounded(record.ttl), AAAA(nat64.prefix.embed(address.0))))
            }
            _ => None,
        })
        .collect();
    // §5.1.7: the lesser of the A record's TTL and of what the denial may be believed for.
    let ttl = addresses
        .iter()
        .map(|(ttl, _)| *ttl)
        .fold(first.negative_ttl(), u32::min);
    if addresses.is_empty() {
        return Outcome::Pass;
    }
    let mut reply = assemble(first, second);
    for (_, address) in addresses {
        let data = RData::AAAA(address);
        reply
            .answers
            .push(Record::from_rdata(owner.clone(), ttl, data));
    }
    match reply.to_vec() {
        Ok(bytes) => Outcome::Made(Made {
            bytes,
            ttl: Duration::from_secs(ttl.into()),
            is_sorry: false,
            mappings: Vec::new(),
        }),
        Err(_) => Outcome::Malformed,
    }
}
