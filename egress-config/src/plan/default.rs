//! The defaults of the original's parameters, as values. A test compares them with the tables.

use core::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

pub(crate) const SUBNET: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(10, 2, 2, 0), 24);
pub(crate) const SORRY: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);
/// Seconds.
pub(crate) const MAX_TTL: u64 = 120;
/// The well-known prefix, RFC 6052 section 2.1.
pub(crate) const NAT64_PREFIX: Ipv6Net =
    Ipv6Net::new_assert(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);
pub(crate) const MESSAGE_BYTES: u64 = 1_048_576;
pub(crate) const NEGATIVE_BYTES: u64 = 1_048_576;
pub(crate) const MTU: u64 = 1500;
