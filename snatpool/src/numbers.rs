//! The numbers of the outside addresses.

use alloc::boxed::Box;
use alloc::vec;
use core::net::IpAddr;

use crate::pool::NO_ADDRESS;
use crate::record::Octets;
use crate::tuple::Family;

/// Which number an outside address has: an open-addressed table, at most a quarter full. Its
/// content is the operator's, so a fast hash will do: what packets ask for cannot make a run of
/// taken places longer.
#[derive(Debug)]
pub(crate) struct Numbers {
    places: Box<[Place]>,
    /// By how many bits a hash is shifted to give a place.
    shift: u32,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    octets: Octets,
    family: Family,
    number: u16,
}

impl Numbers {
    /// The first address has number 0, the next 1.
    pub(crate) fn new(addresses: impl ExactSizeIterator<Item = IpAddr>) -> Self {
        let bits = (addresses.len() * 4).next_power_of_two().max(16).ilog2();
        let empty = Place {
            octets: Octets::ZERO,
            family: Family::Ipv4,
            number: NO_ADDRESS,
        };
        let mut numbers = Self {
            places: vec![empty; 1 << bits].into_boxed_slice(),
            shift: 64 - bits,
        };
        for (number, address) in (0..NO_ADDRESS).zip(addresses) {
            numbers.insert(address, number);
        }
        numbers
    }

    fn insert(&mut self, address: IpAddr, number: u16) {
        let (family, octets) = (Family::of(address), Octets::of(address));
        let mut at = self.home(octets);
        while let Some(place) = self.places.get_mut(at) {
            if place.number == NO_ADDRESS {
                *place = Place {
                    octets,
                    family,
                    number,
                };
                return;
            }
            at = (at + 1) % self.places.len();
        }
    }

    #[inline]
    pub(crate) fn find(&self, address: IpAddr) -> Option<u16> {
        let (family, octets) = (Family::of(address), Octets::of(address));
        let mut at = self.home(octets);
        loop {
            let place = self.places.get(at)?;
            if place.number == NO_ADDRESS {
                return None;
            }
            if place.octets.is(octets) && place.family == family {
                return Some(place.number);
            }
            at = (at + 1) % self.places.len();
        }
    }

    #[inline]
    fn home(&self, octets: Octets) -> usize {
        let [one, two] = octets.words();
        let folded = one.rotate_left(29) ^ two;
        (folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> self.shift) as usize
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;
    use core::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[test]
    fn every_address_has_its_number_and_no_other_has_one() {
        let ipv4 = |bits: u32| IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + bits));
        let ipv6 = |bits: u32| IpAddr::V6(Ipv6Addr::from_bits(0x0a00_0000 + u128::from(bits)));
        let addresses: Vec<_> = (0..3000)
            .flat_map(|bits| [ipv4(bits), ipv6(bits)])
            .collect();
        let numbers = Numbers::new(addresses.iter().copied());
        for (number, address) in (0_u16..).zip(&addresses) {
            assert_eq!(numbers.find(*address), Some(number));
        }
        assert_eq!(numbers.find(ipv4(3000)), None);
        assert_eq!(numbers.find(ipv6(3000)), None);
        assert_eq!(Numbers::new([].into_iter()).find(ipv4(0)), None);
    }
}
