//! The Internet checksum (RFC 1071) and its incremental update (RFC 1624).
//!
//! All arithmetic is modulo 65535, in which a 32-bit word weighs as much as its two halves together;
//! so sums are kept wide and folded once.

use core::net::{Ipv4Addr, Ipv6Addr};

/// An unfolded ones' complement sum.
///
/// It is kept in the byte order of the machine, which sums as well as any other (RFC 1071 §2 (B)), and
/// swapped once, when it is folded.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum(u64);

impl Sum {
    /// The empty sum.
    pub const ZERO: Self = Self(0);

    /// Adds bytes, which start at an even offset; an odd last byte is padded with zero.
    #[must_use]
    pub fn bytes(self, bytes: &[u8]) -> Self {
        let mut sum = self.0;
        let (words, rest) = bytes.as_chunks::<4>();
        // At most 2^30 words of less than 2^32 each cannot overflow with the carry folded in.
        for word in words {
            sum += u64::from(u32::from_ne_bytes(*word));
        }
        let mut last = [0; 4];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        Self(u64::from(fold(sum)) + u64::from(u32::from_ne_bytes(last)))
    }

    /// Adds a 32-bit number.
    #[inline]
    #[must_use]
    pub const fn word(self, word: u32) -> Self {
        Self(self.0 + word.to_be() as u64)
    }

    /// Adds an IPv4 address.
    #[inline]
    #[must_use]
    pub const fn ipv4(self, address: Ipv4Addr) -> Self {
        Self(self.0 + u32::from_ne_bytes(address.octets()) as u64)
    }

    /// Adds an IPv6 address.
    #[inline]
    #[must_use]
    pub const fn ipv6(self, address: Ipv6Addr) -> Self {
        let bits = u128::from_ne_bytes(address.octets());
        let (high, low) = ((bits >> 64) as u64, bits as u64);
        Self(self.0 + halves(high) + halves(low))
    }

    /// Adds another sum.
    #[inline]
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }

    /// Takes away what `other` holds.
    #[inline]
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        // The complement in 64 bits is the negative modulo 65535 as well.
        Self(self.0 + halves(!other.0))
    }

    /// The sum in 16 bits, not inverted.
    #[inline]
    #[must_use]
    pub const fn folded(self) -> u16 {
        fold(self.0).to_be()
    }

    /// The checksum: the folded sum, inverted.
    #[inline]
    #[must_use]
    pub const fn checksum(self) -> u16 {
        !self.folded()
    }
}

/// A checksum after the summed bytes changed by `delta` (RFC 1624 §3, equation 3:
/// `HC' = ~(~HC + ~m + m')`), which needs no other byte of the packet, and keeps a wrong checksum wrong.
#[inline]
#[must_use]
pub const fn update(checksum: u16, delta: u16) -> u16 {
    let sum = !checksum as u32 + delta as u32;
    !((sum >> 16) + (sum & 0xffff)) as u16
}

/// Both halves of 64 bits, summed.
#[inline]
const fn halves(bits: u64) -> u64 {
    (bits >> 32) + (bits & 0xffff_ffff)
}

#[inline]
const fn fold(sum: u64) -> u16 {
    let sum = halves(halves(sum)) as u32;
    // The upper half is the sum of the halves, with the carry of the lower half in it.
    (sum.wrapping_add(sum.rotate_left(16)) >> 16) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc1071_s3_numerical_example() {
        let sum = Sum::ZERO.bytes(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
        assert_eq!(sum.folded(), 0xddf2);
    }

    #[test]
    fn rfc1624_s4_example_does_not_yield_negative_zero() {
        // m 0x5555, m' 0x3285, HC 0xdd2f: equation 3 gives 0x0000.
        let delta = Sum::ZERO
            .word(0x3285)
            .minus(Sum::ZERO.word(0x5555))
            .folded();
        assert_eq!(update(0xdd2f, delta), 0x0000);
    }

    #[test]
    fn odd_bytes_are_padded_behind() {
        assert_eq!(Sum::ZERO.bytes(&[1]).folded(), 0x0100);
        assert_eq!(Sum::ZERO.bytes(&[1, 2, 3]).folded(), 0x0402);
        assert_eq!(Sum::ZERO.bytes(&[0xff; 65535]).folded(), 0xff00);
    }
}
