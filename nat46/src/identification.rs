//! IPv4 identifications: none repeats within 65,536, none can be foretold (RFC 6864 §4.3, RFC 7739).

/// A counter behind a keyed permutation of its 16 bits.
#[derive(Clone, Debug)]
pub(crate) struct Identifications {
    keys: [u32; 4],
    next: u16,
}

impl Identifications {
    pub(crate) fn new(seed: &[u8; 32]) -> Self {
        let mut keys = [0; 4];
        let (words, _) = seed.as_chunks::<4>();
        for (key, word) in keys.iter_mut().zip(words) {
            *key = u32::from_be_bytes(*word);
        }
        let start = words
            .get(4)
            .map_or(0, |[a, b, ..]| u16::from_be_bytes([*a, *b]));
        Self { keys, next: start }
    }

    /// The next one.
    #[inline]
    pub(crate) fn next(&mut self) -> u16 {
        let number = self.next;
        self.next = number.wrapping_add(1);
        // A Feistel network permutes whatever its rounds mix.
        let [mut left, mut right] = number.to_be_bytes();
        for key in self.keys {
            let mixed = (u32::from(right) ^ key).wrapping_mul(0x9e37_79b1);
            (left, right) = (right, left ^ (mixed >> 24) as u8);
        }
        u16::from_be_bytes([left, right])
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
