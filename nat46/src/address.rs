//! Which address stands for which in the other family (RFC 7915 §6).

use core::net::{Ipv4Addr, Ipv6Addr};

pub mod rfc6052;
pub mod rfc7757;

/// An algorithm or table that maps addresses between the families.
pub trait AddressMap {
    /// The IPv6 address that stands for an IPv4 address.
    fn to_ipv6(&self, address: Ipv4Addr) -> Result<Ipv6Addr, Unmapped>;

    /// The IPv4 address that stands for an IPv6 address.
    fn to_ipv4(&self, address: Ipv6Addr) -> Result<Ipv4Addr, Unmapped>;
}

/// An address that has no counterpart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("address has no counterpart in the other family")]
pub struct Unmapped;
