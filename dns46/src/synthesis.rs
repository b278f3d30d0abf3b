//! Replies made from two plain ones: what the client asked for, and the same of the other type.

mod dns46;
mod dns64;
mod host;
mod scrub;

use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use hickory_proto::op::{Message, ResponseCode};

use crate::message::Response;

pub(crate) use dns46::{Outcome, synthesize as dns46};
pub(crate) use dns64::synthesize as dns64;
pub(crate) use host::Exclusion;
pub(crate) use scrub::{State, scrub, state};

/// A reply as it is to leave.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) bytes: Vec<u8>,
    pub(crate) ttl: Duration,
    /// Its address is the sorry address.
    pub(crate) is_sorry: bool,
    /// The mappings that it speaks of.
    pub(crate) mappings: Vec<(Ipv4Addr, Ipv6Addr)>,
}

/// The start of a reply (RFC 6147 §5.4): the header and question of the first response; chain,
/// authority and additional records of the second. Nobody has signed it (RFC 6147 §5.5).
fn assemble(first: &Response, second: &Response) -> Message {
    let mut reply = first.message.clone();
    reply.metadata.authentic_data = false;
    reply.metadata.authoritative = false;
    // A failure that was asked around is none any more.
    reply.metadata.response_code = ResponseCode::NoError;
    reply.edns = None;
    reply.answers = second.chain();
    reply.authorities.clone_from(&second.message.authorities);
    reply.additionals.clone_from(&second.message.additionals);
    reply
}
