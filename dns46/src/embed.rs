//! IPv4 addresses inside IPv6 ones (RFC 6052 §2.2).

use core::net::{Ipv4Addr, Ipv6Addr};

use ipnet::Ipv6Net;

/// A NAT64 prefix: 32, 40, 48, 56, 64 or 96 bits, with bits 64 to 71 zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix(Ipv6Net);

/// Why a network is no NAT64 prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrefixError {
    /// RFC 6052 §2.2 knows six lengths.
    #[error("a NAT64 prefix of {found} bits, wanted 32, 40, 48, 56, 64 or 96")]
    Length {
        /// The network's.
        found: u8,
    },
    /// Bits 64 to 71 must be zero.
    #[error("bits 64 to 71 of {found} are not zero")]
    ReservedOctet {
        /// The network.
        found: Ipv6Net,
    },
}

impl Prefix {
    /// Checks a network.
    ///
    /// # Errors
    ///
    /// See [`PrefixError`].
    pub fn new(network: Ipv6Net) -> Result<Self, PrefixError> {
        let found = network.prefix_len();
        if !matches!(found, 32 | 40 | 48 | 56 | 64 | 96) {
            return Err(PrefixError::Length { found });
        }
        if network.network().octets()[8] != 0 {
            return Err(PrefixError::ReservedOctet { found: network });
        }
        Ok(Self(network.trunc()))
    }

    /// 64:ff9b::/96 (RFC 6052 §2.1).
    pub(crate) const fn well_known() -> Self {
        Self(Ipv6Net::new_assert(
            Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0),
            96,
        ))
    }

    pub(crate) const fn network(&self) -> Ipv6Net {
        self.0
    }

    /// RFC 6052 §3.1: the well-known prefix must not stand for addresses that are not global.
    pub(crate) fn may_embed(&self, address: Ipv4Addr) -> bool {
        const WELL_KNOWN: Ipv6Addr = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0);
        let [a, b, c, _] = address.octets();
        let shared = a == 100 && (64..128).contains(&b);
        let protocols = (a, b, c) == (192, 0, 0) && !is_ipv4only(address);
        let benchmarking = a == 198 && b & 0xfe == 18;
        let is_local = address.is_private()
            || address.is_documentation()
            || shared
            || protocols
            || benchmarking;
        self.0.network() != WELL_KNOWN || !is_local
    }

    /// The IPv6 address that stands for an IPv4 one.
    #[must_use]
    pub fn embed(&self, address: Ipv4Addr) -> Ipv6Addr {
        let mut octets = self.0.network().octets();
        let places = octets
            .iter_mut()
            .enumerate()
            .skip(usize::from(self.0.prefix_len() / 8))
            .filter(|(index, _)| *index != RESERVED_OCTET);
        for ((_, place), octet) in places.zip(address.octets()) {
            *place = octet;
        }
        Ipv6Addr::from(octets)
    }

    /// The IPv4 address inside an IPv6 one under this prefix.
    #[must_use]
    pub fn extract(&self, address: Ipv6Addr) -> Option<Ipv4Addr> {
        if !self.0.contains(&address) {
            return None;
        }
        let mut found = [0; 4];
        let octets = address.octets();
        let places = octets
            .iter()
            .enumerate()
            .skip(usize::from(self.0.prefix_len() / 8))
            .filter(|(index, _)| *index != RESERVED_OCTET);
        for (octet, (_, place)) in found.iter_mut().zip(places) {
            *octet = *place;
        }
        Some(Ipv4Addr::from(found))
    }
}

/// The addresses of ipv4only.arpa, by which hosts find the prefix (RFC 7050 §8.2).
fn is_ipv4only(address: Ipv4Addr) -> bool {
    matches!(address.octets(), [192, 0, 0, 170 | 171])
}

/// Bits 64 to 71, the octet "u".
const RESERVED_OCTET: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of RFC 6052 §2.4.
    #[test]
    fn rfc6052_2_4_text_representation() {
        let address = Ipv4Addr::new(192, 0, 2, 33);
        for (prefix, expected) in [
            ("2001:db8::/32", "2001:db8:c000:221::"),
            ("2001:db8:100::/40", "2001:db8:1c0:2:21::"),
            ("2001:db8:122::/48", "2001:db8:122:c000:2:2100::"),
            ("2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"),
            ("2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::"),
            ("2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33"),
            ("64:ff9b::/96", "64:ff9b::192.0.2.33"),
        ] {
            let prefix = Prefix::new(prefix.parse().unwrap()).unwrap();
            let embedded: Ipv6Addr = expected.parse().unwrap();
            assert_eq!(prefix.embed(address), embedded, "{prefix:?}");
            assert_eq!(prefix.extract(embedded), Some(address), "{prefix:?}");
            assert_eq!(prefix.extract(Ipv6Addr::LOCALHOST), None);
        }
    }

    #[test]
    fn rfc6052_2_2_lengths_and_the_reserved_octet() {
        for length in 0..=128 {
            let network = Ipv6Net::new(Ipv6Addr::UNSPECIFIED, length).unwrap();
            let allowed = [32, 40, 48, 56, 64, 96].contains(&length);
            assert_eq!(Prefix::new(network).is_ok(), allowed, "{length}");
        }
        let network: Ipv6Net = "2001:db8:1:2:300::/96".parse().unwrap();
        assert_eq!(
            Prefix::new(network),
            Err(PrefixError::ReservedOctet { found: network })
        );
    }
}
