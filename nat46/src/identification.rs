//! IPv4 identifications: none repeats within 65,536, none can be foretold (RFC 6864 §4.3, RFC 7739).

/// A counter behind a keyed permutation of its 16 bits.
#[derive(Clone, Debug)]
pub(crate) struct Identifications {
    mask: u16,
    /// Odd, so that multiplying permutes.
    factors: [u16; 3],
    next: u16,
}

impl Identifications {
    pub(crate) fn new(seed: &[u8; 32]) -> Self {
        let (words, _) = seed.as_chunks::<2>();
        let mut words = words.iter().copied().map(u16::from_be_bytes);
        let mut word = || words.next().unwrap_or_default();
        Self {
            mask: word(),
            factors: [word() | 1, word() | 1, word() | 1],
            next: !word(),
        }
    }

    /// The next one.
    #[inline]
    pub(crate) fn next(&mut self) -> u16 {
        let [first, second, third] = self.factors;
        let mut bits = (self.next ^ self.mask).wrapping_mul(first);
        self.next = self.next.wrapping_add(1);
        // Every step can be undone, so all of them together permute.
        bits ^= bits >> 9;
        bits = bits.wrapping_mul(second);
        bits ^= bits >> 7;
        bits = bits.wrapping_mul(third);
        bits ^ bits >> 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc6864_4_3_none_repeats_before_all_were_used() {
        let mut identifications = Identifications::new(&[0x5a; 32]);
        let mut seen = [false; 1 << 16];
        for _ in 0..1 << 16 {
            let slot = &mut seen[usize::from(identifications.next())];
            assert!(!*slot);
            *slot = true;
        }
    }
}
