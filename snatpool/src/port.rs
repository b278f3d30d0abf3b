//! Port ranges, their halves by parity, and a keyed order of trying them (RFC 6056).

use core::ops::RangeInclusive;

/// Ports below this are apart from the rest (RFC 4787 REQ-3a).
const UNPRIVILEGED: u32 = 1024;

/// The ports of an address, in four runs: below 1024 and above, even and odd (RFC 4787 REQ-3a,
/// REQ-4). Each port has a position; a run's positions begin at a multiple of 64.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    runs: [Run; 4],
}

/// Every second number from `first` on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    first: u32,
    pub(crate) len: u32,
    pub(crate) base: u32,
}

impl Run {
    pub(crate) const fn port(&self, index: u32) -> u16 {
        (self.first + 2 * index) as u16
    }

    /// Whether a position is one of this run's.
    pub(crate) const fn has(&self, position: u32) -> bool {
        self.base <= position && position < self.base + self.len
    }

    /// The index of the first of its ports in a range, and how many are.
    pub(crate) fn part(&self, range: &RangeInclusive<u16>) -> (u32, u32) {
        let (start, end) = (u32::from(*range.start()), u32::from(*range.end()));
        let first = start.saturating_sub(self.first).div_ceil(2);
        let behind = (end + 2).saturating_sub(self.first) / 2;
        (first, behind.min(self.len).saturating_sub(first))
    }
}

impl Ports {
    /// Above every position.
    pub(crate) const POSITIONS: usize = 65_536 + 4 * 64;

    /// Identifiers of ICMP queries: all of them.
    pub(crate) fn identifiers() -> Self {
        Self::of(0, 65_535)
    }

    /// Port 0 is no port (RFC 6335 §6 reserves it).
    pub(crate) fn new(range: &RangeInclusive<u16>) -> Option<Self> {
        let (first, last) = ((*range.start()).max(1), *range.end());
        (first <= last).then(|| Self::of(u32::from(first), u32::from(last)))
    }

    fn of(first: u32, last: u32) -> Self {
        let mut base = 0;
        let runs = [
            (0, first, last.min(UNPRIVILEGED - 1)),
            (1, first, last.min(UNPRIVILEGED - 1)),
            (0, first.max(UNPRIVILEGED), last),
            (1, first.max(UNPRIVILEGED), last),
        ];
        let runs = runs.map(|(parity, floor, ceiling)| {
            let first = floor + (floor ^ parity) % 2;
            let len = if first <= ceiling {
                (ceiling - first) / 2 + 1
            } else {
                0
            };
            let run = Run { first, len, base };
            base += len.next_multiple_of(64);
            run
        });
        Self { runs }
    }

    pub(crate) fn contains(&self, port: u16) -> bool {
        self.locate(port).is_some()
    }

    /// The run of a port, and its index there.
    pub(crate) fn locate(&self, port: u16) -> Option<(usize, u32)> {
        let number = which(port);
        let run = self.runs.get(number)?;
        let index = u32::from(port).checked_sub(run.first)? / 2;
        (index < run.len).then_some((number, index))
    }

    pub(crate) fn run(&self, number: usize) -> Option<&Run> {
        self.runs.get(number)
    }

    /// Every run with its number.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (usize, &Run)> {
        self.runs.iter().enumerate()
    }

    /// How many ports each run has.
    pub(crate) fn lens(&self) -> [u32; 4] {
        self.runs.map(|run| run.len)
    }

    /// The runs in the order in which to try them for a client's `port`: its own, then the other
    /// parity, then the other range. Where parity does not matter, `coin` picks the first.
    pub(crate) fn order(port: u16, keep_parity: bool, coin: bool) -> [usize; 4] {
        let own = which(port);
        let first = if keep_parity {
            own
        } else {
            own & 2 | usize::from(coin)
        };
        [first, first ^ 1, first ^ 2, first ^ 3]
    }

    /// One of [`count`](Self::count) ports.
    pub(crate) fn nth(&self, mut index: u32) -> Option<u16> {
        for run in &self.runs {
            match index.checked_sub(run.len) {
                Some(rest) => index = rest,
                None => return Some(run.port(index)),
            }
        }
        None
    }

    /// The ports in all.
    pub(crate) fn count(&self) -> u32 {
        self.runs.iter().map(|run| run.len).sum()
    }
}

fn which(port: u16) -> usize {
    (usize::from(port) % 2) | if u32::from(port) < UNPRIVILEGED { 0 } else { 2 }
}

/// A secret order of the numbers below a bound: a Feistel network that is walked until it hits a
/// number below it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shuffle(pub(crate) u64);

impl Shuffle {
    const ROUNDS: u32 = 4;

    /// Where `index` goes. `len` is above `index` and at most 65,536.
    pub(crate) fn apply(self, index: u32, len: u32) -> u32 {
        self.walk(index, len, |shuffle, half, (left, right)| {
            (0..Self::ROUNDS).fold((left, right), |(left, right), round| {
                (right, left ^ shuffle.mix(right, round, half))
            })
        })
    }

    /// Which index goes to `image`.
    pub(crate) fn invert(self, image: u32, len: u32) -> u32 {
        self.walk(image, len, |shuffle, half, (left, right)| {
            (0..Self::ROUNDS)
                .rev()
                .fold((left, right), |(left, right), round| {
                    (right ^ shuffle.mix(left, round, half), left)
                })
        })
    }

    fn walk(
        self,
        start: u32,
        len: u32,
        network: impl Fn(Self, u32, (u32, u32)) -> (u32, u32),
    ) -> u32 {
        let half = (u32::BITS - len.saturating_sub(1).leading_zeros())
            .div_ceil(2)
            .max(1);
        let mask = (1 << half) - 1;
        let mut value = start;
        // The network permutes its domain, so that the walk from a number below `len` comes back
        // below `len`: at the latest to `start` itself.
        loop {
            let (left, right) = network(self, half, (value >> half & mask, value & mask));
            value = left << half | right;
            if value < len || start >= len {
                return value;
            }
        }
    }

    fn mix(self, half_value: u32, round: u32, half: u32) -> u32 {
        let key = self.0.rotate_left(round * 16);
        let product = (u64::from(half_value) ^ key).wrapping_mul(0x9e37_79b9_7f4a_7c15 | 1);
        let folded = (product ^ product >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (folded >> 40) as u32 & ((1 << half) - 1)
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_port_of_the_range_has_one_position(first in 0_u16.., last in 0_u16..) {
            let Some(ports) = Ports::new(&(first..=last)) else {
                prop_assert!(first > last || last == 0);
                return Ok(());
            };
            let mut positions = BTreeSet::new();
            for port in 0..=u16::MAX {
                let inside = port != 0 && (first..=last).contains(&port);
                prop_assert_eq!(ports.contains(port), inside);
                if let Some((number, index)) = ports.locate(port) {
                    let run = ports.run(number).unwrap();
                    prop_assert_eq!(run.port(index), port);
                    prop_assert!(((run.base + index) as usize) < Ports::POSITIONS);
                    prop_assert!(positions.insert(run.base + index));
                }
            }
            prop_assert_eq!(ports.count() as usize, positions.len());
        }

        #[test]
        fn a_shuffle_is_a_permutation(key in any::<u64>(), len in 1_u32..2000) {
            let shuffle = Shuffle(key);
            let images: BTreeSet<u32> = (0..len).map(|index| shuffle.apply(index, len)).collect();
            prop_assert_eq!(images.len(), len as usize);
            prop_assert!(images.iter().all(|image| *image < len));
            for index in 0..len {
                prop_assert_eq!(shuffle.invert(shuffle.apply(index, len), len), index);
            }
        }
    }

    #[test]
    fn rfc4787_req3a_and_req4_order_of_runs() {
        // 5001: odd above 1024, then even above, then odd below, then even below.
        assert_eq!(Ports::order(5001, true, false), [3, 2, 1, 0]);
        assert_eq!(Ports::order(500, true, true), [0, 1, 2, 3]);
        assert_eq!(Ports::order(5001, false, false), [2, 3, 0, 1]);
    }
}
