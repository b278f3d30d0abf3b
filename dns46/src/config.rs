//! The pool, this replica's slice of it, and how long a mapping holds.

use core::net::Ipv4Addr;
use core::ops::RangeInclusive;
use core::time::Duration;

use ipnet::Ipv4Net;

/// The pool of a [`Table`](crate::Table), whose ranges fit each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    pub(crate) subnet: Ipv4Net,
    pub(crate) slice: RangeInclusive<u32>,
    pub(crate) reserved: Option<RangeInclusive<u32>>,
    /// How long a mapping outlives its last answer and its last session. Default 1 h (dns.md 21:
    /// holders below us ignore TTLs).
    pub hold: Duration,
    /// Under pressure a mapping without a session drains once it was idle for this long. Default 300 s.
    pub idle: Duration,
    /// How long a mapping of another replica holds here without being used or renewed. Default 1800 s: less
    /// than `hold`.
    pub lease: Duration,
    /// How long a freed address rests before it may stand for another host. Default 60 s.
    pub quarantine: Duration,
}

impl Config {
    /// A pool from which `slice` is handed out, and whose `reserved` addresses take static entries.
    ///
    /// The network and the broadcast address of `subnet` are never handed out, even where `slice`
    /// holds them.
    ///
    /// # Errors
    ///
    /// A range that is empty, leaves the subnet or meets the other one.
    pub fn new(
        subnet: Ipv4Net,
        slice: RangeInclusive<Ipv4Addr>,
        reserved: Option<RangeInclusive<Ipv4Addr>>,
    ) -> Result<Self, ConfigError> {
        if subnet.prefix_len() < 8 {
            return Err(ConfigError::SubnetTooLarge {
                found: subnet.prefix_len(),
            });
        }
        let slice = offsets(&subnet, &slice)?;
        let reserved = match reserved {
            Some(range) => Some(offsets(&subnet, &range)?),
            None => None,
        };
        if let Some(range) = &reserved
            && range.start() <= slice.end()
            && slice.start() <= range.end()
        {
            return Err(ConfigError::Overlap);
        }
        Ok(Self {
            subnet,
            slice,
            reserved,
            hold: Duration::from_secs(3600),
            idle: Duration::from_secs(300),
            lease: Duration::from_secs(1800),
            quarantine: Duration::from_secs(60),
        })
    }
}

/// A range of addresses as offsets from the subnet's network address.
fn offsets(
    subnet: &Ipv4Net,
    range: &RangeInclusive<Ipv4Addr>,
) -> Result<RangeInclusive<u32>, ConfigError> {
    let (first, last) = (*range.start(), *range.end());
    if first > last {
        return Err(ConfigError::EmptyRange { first, last });
    }
    if !subnet.contains(&first) || !subnet.contains(&last) {
        return Err(ConfigError::OutsideSubnet { first, last });
    }
    let network = u32::from(subnet.network());
    Ok(u32::from(first) - network..=u32::from(last) - network)
}

/// Why a pool is none.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// More addresses than the table indexes.
    #[error("a subnet of prefix length {found}, wanted at least 8")]
    SubnetTooLarge {
        /// The subnet's prefix length.
        found: u8,
    },
    /// The range ends before it begins.
    #[error("the range {first}-{last} is empty")]
    EmptyRange {
        /// Its first address.
        first: Ipv4Addr,
        /// Its last address.
        last: Ipv4Addr,
    },
    /// The range leaves the subnet.
    #[error("the range {first}-{last} leaves the subnet")]
    OutsideSubnet {
        /// Its first address.
        first: Ipv4Addr,
        /// Its last address.
        last: Ipv4Addr,
    },
    /// The slice and the reserved range share addresses.
    #[error("the slice and the reserved range overlap")]
    Overlap,
}
