//! The DNS46 subnet, divided among the replicas.
//!
//! All `2^n` addresses count. Reserved ones come first, then one slice of
//! `(2^n - reserved) / replicas` addresses a replica, ascending; the remainder is unused. The
//! network and the broadcast address count, but are never handed out.

use core::net::Ipv4Addr;
use core::ops::RangeInclusive;

use ipnet::Ipv4Net;

/// A subnet divided, so that every replica has an address to hand out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Partition {
    subnet: Ipv4Net,
    reserved: u64,
    replicas: u32,
    /// Addresses of each slice, at least 1.
    slice: u64,
}

/// A replica would have nothing to hand out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EmptySlice {
    /// The first such replica.
    pub(crate) replica: u32,
    /// Addresses of each slice, before network and broadcast address are taken out.
    pub(crate) slice: u64,
}

impl Partition {
    /// Divides `subnet`; `replicas` is at least 1.
    pub(crate) fn new(subnet: Ipv4Net, reserved: u64, replicas: u32) -> Result<Self, EmptySlice> {
        let replicas = replicas.max(1);
        let total = 1_u64 << (32 - u32::from(subnet.prefix_len()));
        let slice = total.saturating_sub(reserved) / u64::from(replicas);
        if slice == 0 {
            return Err(EmptySlice { replica: 0, slice });
        }
        let partition = Self {
            subnet,
            reserved,
            replicas,
            slice,
        };
        // Only the first slice can hold the network address, only the last the broadcast address.
        for replica in [0, replicas - 1] {
            if partition.usable(replica).is_none() {
                return Err(EmptySlice { replica, slice });
            }
        }
        Ok(partition)
    }

    /// The head of the subnet, for static entries.
    pub(crate) fn reserved(&self) -> Option<RangeInclusive<Ipv4Addr>> {
        self.range(0, self.reserved)
    }

    /// The slice of a replica, which must be one of the partition's.
    pub(crate) fn slice(&self, replica: u32) -> RangeInclusive<Ipv4Addr> {
        let first = self.reserved + u64::from(replica) * self.slice;
        self.address(first)..=self.address(first + self.slice - 1)
    }

    /// What a replica hands out: its slice without network and broadcast address.
    pub(crate) fn usable(&self, replica: u32) -> Option<RangeInclusive<Ipv4Addr>> {
        let (first, last) = self.slice(replica).into_inner();
        let (mut first, mut last) = (u64::from(first.to_bits()), u64::from(last.to_bits()));
        if first == u64::from(self.subnet.network().to_bits()) {
            first += 1;
        }
        if last == u64::from(self.subnet.broadcast().to_bits()) {
            last = last.checked_sub(1)?;
        }
        let address = |bits: u64| u32::try_from(bits).ok().map(Ipv4Addr::from_bits);
        (first <= last).then_some(())?;
        Some(address(first)?..=address(last)?)
    }

    /// The remainder of the division.
    pub(crate) fn unused(&self) -> Option<RangeInclusive<Ipv4Addr>> {
        let first = self.reserved + u64::from(self.replicas) * self.slice;
        let total = 1_u64 << (32 - u32::from(self.subnet.prefix_len()));
        self.range(first, total - first)
    }

    fn range(&self, first: u64, length: u64) -> Option<RangeInclusive<Ipv4Addr>> {
        (length > 0).then(|| self.address(first)..=self.address(first + length - 1))
    }

    /// The address at an offset within the subnet.
    fn address(&self, offset: u64) -> Ipv4Addr {
        let bits = u64::from(self.subnet.network().to_bits()) + offset;
        Ipv4Addr::from_bits(u32::try_from(bits).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests;
