//! Address records of a plain reply that count as absent (RFC 6147 §5.1.4, and mirrored).

use core::time::Duration;

use hickory_proto::rr::{RData, Record};

use super::dns46::Outcome;
use super::{Exclusion, Made};
use crate::message::{Response, bounded};
use alloc::vec::Vec;

/// What a plain reply has of the type asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Records, all of which may be answered.
    Clean,
    /// Records, some of which may not.
    Mixed,
    /// None that may be answered; `true`: some that may not.
    Empty(bool),
}

pub(crate) fn state(exclusion: &Exclusion, reply: &Response) -> State {
    let asked = reply.record_type;
    let records = reply.message.answers.iter();
    let (mut good, mut bad) = (false, false);
    for record in records.filter(|record| record.record_type() == asked) {
        if is_bad(exclusion, record) {
            bad = true;
        } else {
            good = true;
        }
    }
    match (good, bad) {
        (true, false) => State::Clean,
        (true, true) => State::Mixed,
        (false, bad) => State::Empty(bad),
    }
}

/// The reply without what may not be answered, nor the signatures over it.
pub(crate) fn scrub(exclusion: &Exclusion, reply: &Response) -> Outcome {
    let mut message = reply.message.clone();
    message.metadata.authentic_data = false;
    message.edns = None;
    message.answers = reply.chain();
    let kept: Vec<&Record> = reply
        .message
        .answers
        .iter()
        .filter(|record| record.record_type() == reply.record_type && !is_bad(exclusion, record))
        .collect();
    let ttl = kept
        .iter()
        .map(|record| bounded(record.ttl))
        .min()
        // A denial without SOA is not to be kept (RFC 2308 §5).
        .unwrap_or_else(|| reply.soa_ttl().unwrap_or(0));
    message.answers.extend(kept.into_iter().cloned());
    match message.to_vec() {
        Ok(bytes) => Outcome::Made(Made {
            bytes,
            ttl: Duration::from_secs(ttl.into()),
            is_sorry: false,
            mappings: Vec::new(),
        }),
        Err(_) => Outcome::Malformed,
    }
}

fn is_bad(exclusion: &Exclusion, record: &Record) -> bool {
    match &record.data {
        RData::A(address) => !exclusion.is_usable(address.0),
        RData::AAAA(address) => !exclusion.counts(address.0),
        _ => false,
    }
}
