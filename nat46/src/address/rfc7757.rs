//! Explicit address mappings (RFC 7757).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

use super::rfc6052::Prefix;
use super::{AddressMap, Unmapped};
use crate::packet::{Packet, Quoted, Tuple};
use crate::{ErrorRewrite, Rewrite};

/// A row of the table: addresses of an IPv4 prefix stand for those of an IPv6 prefix, and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mapping {
    ipv4: Ipv4Net,
    ipv6: Ipv6Net,
}

/// Two prefixes that cannot stand for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("the suffix of {ipv6} has fewer bits than that of {ipv4} (RFC 7757 §3.2)")]
pub struct MappingError {
    /// The IPv4 prefix.
    pub ipv4: Ipv4Net,
    /// The IPv6 prefix.
    pub ipv6: Ipv6Net,
}

impl Mapping {
    /// A row; bits behind the prefixes are cleared.
    ///
    /// # Errors
    ///
    /// If there are IPv4 addresses that no IPv6 address could stand for.
    pub fn new(ipv4: Ipv4Net, ipv6: Ipv6Net) -> Result<Self, MappingError> {
        let (ipv4, ipv6) = (ipv4.trunc(), ipv6.trunc());
        let row = Self { ipv4, ipv6 };
        if row.suffix6() < row.suffix4() {
            return Err(MappingError { ipv4, ipv6 });
        }
        Ok(row)
    }

    fn suffix4(&self) -> u32 {
        32 - u32::from(self.ipv4.prefix_len())
    }

    fn suffix6(&self) -> u32 {
        128 - u32::from(self.ipv6.prefix_len())
    }

    /// RFC 7757 §3.3.1, steps 3 to 6.
    fn to_ipv6(self, address: Ipv4Addr) -> Ipv6Addr {
        let suffix = u128::from(address.to_bits() & !self.ipv4.netmask().to_bits());
        let shift = self.suffix6() - self.suffix4();
        // Shifting by all 128 bits is shifting nothing: the suffix is empty then.
        let placed = suffix.checked_shl(shift).unwrap_or(0);
        Ipv6Addr::from_bits(self.ipv6.addr().to_bits() | placed)
    }

    /// RFC 7757 §3.3.2, steps 3 to 5: what is left of the suffix is dropped.
    fn to_ipv4(self, address: Ipv6Addr) -> Ipv4Addr {
        let suffix = address.to_bits() & !self.ipv6.netmask().to_bits();
        let shift = self.suffix6() - self.suffix4();
        let placed = suffix.checked_shr(shift).unwrap_or(0) as u32;
        Ipv4Addr::from_bits(self.ipv4.addr().to_bits() | placed)
    }
}

/// A table of explicit mappings in front of a prefix, for stateless translation (SIIT, RFC 7915).
///
/// The longest prefix wins, in each direction by itself, so that overlapping rows are legal and may map
/// there and back differently (RFC 7757 §5); of equal prefixes the first. The search looks at each row.
///
/// ```
/// use nat46::address::AddressMap;
/// use nat46::address::rfc6052::Prefix;
/// use nat46::address::rfc7757::{Mapping, Siit};
///
/// let rows = [Mapping::new("192.0.2.16/28".parse()?, "2001:db8:cccc::/124".parse()?)?];
/// let siit = Siit::new(&rows, Prefix::new("2001:db8:64::/96".parse()?)?);
/// assert_eq!(siit.to_ipv6("192.0.2.24".parse()?), Ok("2001:db8:cccc::8".parse()?));
/// assert_eq!(siit.to_ipv6("198.51.100.1".parse()?), Ok("2001:db8:64::c633:6401".parse()?));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Siit<'a> {
    rows: &'a [Mapping],
    prefix: Prefix,
    hairpins: bool,
}

impl<'a> Siit<'a> {
    /// `prefix` is for all that no row holds.
    #[must_use]
    pub const fn new(rows: &'a [Mapping], prefix: Prefix) -> Self {
        Self {
            rows,
            prefix,
            hairpins: true,
        }
    }

    /// The same without hairpins (RFC 7757 §4.2 wants them by default): from IPv4 rows map sources too.
    #[must_use]
    pub const fn without_hairpins(mut self) -> Self {
        self.hairpins = false;
        self
    }

    /// What a packet becomes that is no ICMP error; its ports stay.
    ///
    /// From IPv4 the source is never mapped by a row, so that hosts which a row is about can be reached
    /// by each other through the translator (RFC 7757 §4.2.1, simple hairpinning).
    ///
    /// # Errors
    ///
    /// If an address has no counterpart.
    pub fn rewrite(&self, packet: &Packet) -> Result<Rewrite, Unmapped> {
        let (source, destination) = match (packet.source(), packet.destination()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => (
                IpAddr::V6(self.beyond_rows(source)?),
                IpAddr::V6(self.to_ipv6(destination)?),
            ),
            (IpAddr::V6(source), IpAddr::V6(destination)) => (
                IpAddr::V4(self.to_ipv4(source)?),
                IpAddr::V4(self.to_ipv4(destination)?),
            ),
            _ => return Err(Unmapped),
        };
        Ok(rewrite(source, destination, packet.tuple()))
    }

    /// What an ICMP error becomes, and the packet that it quotes (RFC 7757 §4.2.1, rules 2 and 3).
    ///
    /// # Errors
    ///
    /// If an address other than the outer source has no counterpart, or that has none and there is no
    /// `stand_in`, an address of the translator's (RFC 6791) in the family that the error leaves in.
    pub fn rewrite_error(
        &self,
        packet: &Packet,
        quoted: &Quoted,
        stand_in: Option<IpAddr>,
    ) -> Result<ErrorRewrite, Unmapped> {
        let (outer, inner) = (
            (packet.source(), packet.destination()),
            (quoted.source(), quoted.destination()),
        );
        let (source, destination, from, to) = match (outer, inner) {
            ((IpAddr::V4(source), IpAddr::V4(destination)), (IpAddr::V4(from), IpAddr::V4(to))) => {
                let source = if source == to {
                    self.beyond_rows(source)
                } else {
                    self.to_ipv6(source)
                };
                (
                    source.ok().map(IpAddr::V6),
                    IpAddr::V6(self.to_ipv6(destination)?),
                    IpAddr::V6(self.to_ipv6(from)?),
                    IpAddr::V6(self.beyond_rows(to)?),
                )
            }
            ((IpAddr::V6(source), IpAddr::V6(destination)), (IpAddr::V6(from), IpAddr::V6(to))) => {
                (
                    self.to_ipv4(source).ok().map(IpAddr::V4),
                    IpAddr::V4(self.to_ipv4(destination)?),
                    IpAddr::V4(self.to_ipv4(from)?),
                    IpAddr::V4(self.to_ipv4(to)?),
                )
            }
            _ => return Err(Unmapped),
        };
        Ok(ErrorRewrite {
            source: source.or(stand_in).ok_or(Unmapped)?,
            destination,
            reveal_source: source.is_none(),
            quoted: rewrite(from, to, quoted.tuple()),
        })
    }

    /// What an IPv4 address becomes to which no row may apply, since it may have been turned round.
    fn beyond_rows(&self, address: Ipv4Addr) -> Result<Ipv6Addr, Unmapped> {
        if self.hairpins {
            self.prefix.to_ipv6(address)
        } else {
            self.to_ipv6(address)
        }
    }

    /// Whether a packet that was just translated to IPv4 is to be translated right back, since its
    /// destination came by the prefix and a row holds it (RFC 7757 §4.2.2, condition set A).
    #[must_use]
    pub fn is_hairpin(&self, before: Ipv6Addr, after: Ipv4Addr) -> bool {
        self.hairpins && self.row6(before).is_none() && self.row4(after).is_some()
    }

    fn row4(&self, address: Ipv4Addr) -> Option<&Mapping> {
        let holds = self.rows.iter().filter(|row| row.ipv4.contains(&address));
        longest(holds, |row| row.ipv4.prefix_len())
    }

    fn row6(&self, address: Ipv6Addr) -> Option<&Mapping> {
        let holds = self.rows.iter().filter(|row| row.ipv6.contains(&address));
        longest(holds, |row| row.ipv6.prefix_len())
    }
}

impl AddressMap for Siit<'_> {
    fn to_ipv6(&self, address: Ipv4Addr) -> Result<Ipv6Addr, Unmapped> {
        match self.row4(address) {
            Some(row) => Ok(row.to_ipv6(address)),
            None => self.prefix.to_ipv6(address),
        }
    }

    fn to_ipv4(&self, address: Ipv6Addr) -> Result<Ipv4Addr, Unmapped> {
        match self.row6(address) {
            Some(row) => Ok(row.to_ipv4(address)),
            None => self.prefix.to_ipv4(address),
        }
    }
}

/// The row with the longest prefix, of equal ones the first.
fn longest<'a>(
    rows: impl Iterator<Item = &'a Mapping>,
    length: impl Fn(&Mapping) -> u8,
) -> Option<&'a Mapping> {
    rows.fold(None, |best: Option<&Mapping>, row| match best {
        Some(best) if length(best) >= length(row) => Some(best),
        Some(_) | None => Some(row),
    })
}

fn rewrite(source: IpAddr, destination: IpAddr, ports: Option<Tuple>) -> Rewrite {
    Rewrite {
        source,
        destination,
        source_port: ports.map_or(0, |ports| ports.source_port),
        destination_port: ports.map_or(0, |ports| ports.destination_port),
    }
}

#[cfg(test)]
mod tests;
