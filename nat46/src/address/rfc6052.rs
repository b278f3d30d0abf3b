//! IPv4-embedded IPv6 addresses (RFC 6052).

use core::net::{Ipv4Addr, Ipv6Addr};

use ipnet::Ipv6Net;

use super::{AddressMap, Unmapped};

/// The well-known prefix (RFC 6052 §2.1).
pub const WELL_KNOWN: Ipv6Addr = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0);

/// A prefix under which every IPv4 address stands for itself: /32, /40, /48, /56, /64 or /96.
///
/// [`embed`](Self::embed) and [`extract`](Self::extract) are the algorithm; as an [`AddressMap`] it also
/// keeps RFC 6052 §3.1: under 64:ff9b::/96 no address that is not global, unless
/// [`allow_non_global`](Self::allow_non_global).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prefix {
    network: Ipv6Net,
    global_only: bool,
}

/// A prefix that RFC 6052 §2.2 does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum PrefixError {
    /// Another length than the six.
    #[error("prefix length {found}, wanted 32, 40, 48, 56, 64 or 96")]
    Length {
        /// Prefix length in bits.
        found: u8,
    },
    /// Bits 64 to 71 of a /96 are not zero (RFC 6052 §2.2).
    #[error("bits 64 to 71 are {found:#04x}, wanted 0")]
    ReservedOctet {
        /// The octet.
        found: u8,
    },
}

impl Prefix {
    /// Takes a prefix; bits behind its length are cleared.
    pub fn new(network: Ipv6Net) -> Result<Self, PrefixError> {
        let network = network.trunc();
        match network.prefix_len() {
            32 | 40 | 48 | 56 | 64 | 96 => {}
            found => return Err(PrefixError::Length { found }),
        }
        let [.., octet, _, _, _, _, _, _, _] = network.addr().octets();
        if octet != 0 {
            return Err(PrefixError::ReservedOctet { found: octet });
        }
        let global_only = network.addr() == WELL_KNOWN && network.prefix_len() == 96;
        Ok(Self {
            network,
            global_only,
        })
    }

    /// Lifts the rule of RFC 6052 §3.1 (a MUST NOT) for the well-known prefix: for labs.
    #[must_use]
    pub const fn allow_non_global(mut self) -> Self {
        self.global_only = false;
        self
    }

    /// The prefix as a network.
    #[must_use]
    pub const fn network(&self) -> Ipv6Net {
        self.network
    }

    /// The IPv6 address that stands for `address` (RFC 6052 §2.3); the suffix is zero.
    #[must_use]
    pub fn embed(&self, address: Ipv4Addr) -> Ipv6Addr {
        let bits = u128::from(address.to_bits());
        let prefix = self.network.addr().to_bits();
        Ipv6Addr::from_bits(prefix | self.place(bits))
    }

    /// The IPv4 address in `address` (RFC 6052 §2.3); `None` outside the prefix. Suffix and bits 64 to
    /// 71 are ignored.
    #[must_use]
    pub fn extract(&self, address: Ipv6Addr) -> Option<Ipv4Addr> {
        if !self.network.contains(&address) {
            return None;
        }
        let bits = address.to_bits();
        // Without the octet of bits 64 to 71, the rest stands together.
        let joined = if self.network.prefix_len() == 96 {
            bits
        } else {
            (bits & !(u128::MAX >> 64)) | (bits << 8 & (u128::MAX >> 64))
        };
        let shift = 96 - u32::from(self.network.prefix_len());
        Some(Ipv4Addr::from_bits((joined >> shift) as u32))
    }

    /// The 32 bits behind the prefix, around bits 64 to 71.
    fn place(&self, bits: u128) -> u128 {
        let shifted = bits << (96 - u32::from(self.network.prefix_len()));
        if self.network.prefix_len() == 96 {
            return shifted;
        }
        let (upper, lower) = (shifted & !(u128::MAX >> 64), shifted & (u128::MAX >> 64));
        upper | lower >> 8
    }

    fn permits(&self, address: Ipv4Addr) -> bool {
        !self.global_only || is_global(address)
    }
}

impl AddressMap for Prefix {
    fn to_ipv6(&self, address: Ipv4Addr) -> Result<Ipv6Addr, Unmapped> {
        if self.permits(address) {
            Ok(self.embed(address))
        } else {
            Err(Unmapped)
        }
    }

    fn to_ipv4(&self, address: Ipv6Addr) -> Result<Ipv4Addr, Unmapped> {
        self.extract(address)
            .filter(|address| self.permits(*address))
            .ok_or(Unmapped)
    }
}

/// RFC 6052 §3.1 names RFC 1918 and RFC 5735 §3; the latter's registry (RFC 6890) has since got
/// 100.64.0.0/10 (RFC 6598), and counts 192.88.99.0/24 as global.
#[must_use]
pub fn is_global(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match a {
        0 | 10 | 127 | 224.. => true,
        100 => b & 0xc0 == 64,
        169 => b == 254,
        172 => b & 0xf0 == 16,
        192 => matches!((b, c), (0, 0 | 2) | (168, _)),
        198 => b & 0xfe == 18 || (b, c) == (51, 100),
        203 => (b, c) == (0, 113),
        _ => false,
    };
    !special
}

#[cfg(test)]
mod tests;
