//! The Interface Information Object of an ICMP error (RFC 5837), by which a router is told whose address
//! has no counterpart in the other family (RFC 6791 §4).

use core::net::Ipv6Addr;

use crate::bytes::put16;
use crate::checksum::Sum;

/// Extension header, object header, and one Interface IP Address Sub-Object.
pub(super) const EXTENSION_LEN: usize = 4 + OBJECT_LEN;
const OBJECT_LEN: usize = 4 + 20;

/// RFC 4884 §7.
const VERSION: u8 = 2 << 4;
const INTERFACE_INFORMATION: u8 = 2;
/// Interface Role 0, the interface that the datagram came by, and bit 5: an address follows (§4.1).
const ROLE_0_WITH_ADDRESS: u8 = 0x04;
/// Address family number of IPv6 (IANA).
const AFI_IPV6: u8 = 2;

/// An extension structure (RFC 4884 §7) that names the interface with the address `source`.
pub(super) fn extension(source: Ipv6Addr) -> [u8; EXTENSION_LEN] {
    let mut bytes = [0; EXTENSION_LEN];
    let (fixed, address) = bytes.split_at_mut(12);
    fixed.copy_from_slice(&[
        VERSION,
        0,
        0,
        0,
        0,
        OBJECT_LEN as u8,
        INTERFACE_INFORMATION,
        ROLE_0_WITH_ADDRESS,
        0,
        AFI_IPV6,
        0,
        0,
    ]);
    address.copy_from_slice(&source.octets());
    let sum = Sum::ZERO.bytes(&bytes);
    put16(&mut bytes, 2, sum.checksum());
    bytes
}
