//! The hash under which names are kept: keyed, since names are an outsider's choice.

use crate::wire::{last_octets, lowercase_octets};

/// The key of the hash.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HashKey(u64, u64);

impl HashKey {
    pub(crate) fn new(seed: [u8; 16]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = seed;
        Self(
            u64::from_le_bytes([a, b, c, d, e, f, g, h]),
            u64::from_le_bytes([i, j, k, l, m, n, o, p]),
        )
    }

    /// SipHash-1-3 of a name in lower case, made so on the way: eight octets at a time are read, made
    /// small and hashed, and nothing is written.
    #[inline(always)]
    pub(crate) fn name(self, name: &[u8]) -> u64 {
        let mut state = State {
            v0: self.0 ^ 0x736f_6d65_7073_6575,
            v1: self.1 ^ 0x646f_7261_6e64_6f6d,
            v2: self.0 ^ 0x6c79_6765_6e65_7261,
            v3: self.1 ^ 0x7465_6462_7974_6573,
        };
        let (words, _) = name.as_chunks::<8>();
        for word in words {
            state.absorb(lowercase_octets(u64::from_le_bytes(*word)));
        }
        let [length, ..] = name.len().to_le_bytes();
        let last = lowercase_octets(last_octets(name));
        state.absorb(last | u64::from(length) << 56);
        state.finish()
    }
}

/// The state of SipHash (Aumasson and Bernstein, 2012).
struct State {
    v0: u64,
    v1: u64,
    v2: u64,
    v3: u64,
}

impl State {
    #[inline]
    fn absorb(&mut self, word: u64) {
        self.v3 ^= word;
        self.round();
        self.v0 ^= word;
    }

    #[inline]
    fn finish(mut self) -> u64 {
        self.v2 ^= 0xff;
        self.round();
        self.round();
        self.round();
        self.v0 ^ self.v1 ^ self.v2 ^ self.v3
    }

    #[inline]
    fn round(&mut self) {
        self.v0 = self.v0.wrapping_add(self.v1);
        self.v1 = self.v1.rotate_left(13) ^ self.v0;
        self.v0 = self.v0.rotate_left(32);
        self.v2 = self.v2.wrapping_add(self.v3);
        self.v3 = self.v3.rotate_left(16) ^ self.v2;
        self.v0 = self.v0.wrapping_add(self.v3);
        self.v3 = self.v3.rotate_left(21) ^ self.v0;
        self.v2 = self.v2.wrapping_add(self.v1);
        self.v1 = self.v1.rotate_left(17) ^ self.v2;
        self.v2 = self.v2.rotate_left(32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use siphasher::sip::SipHasher13;

    #[test]
    fn it_is_siphash_of_the_name_in_lower_case() {
        let seed: [u8; 16] = core::array::from_fn(|at| at as u8 ^ 0x5a);
        let other = SipHasher13::new_with_key(&seed);
        let octets: [u8; 255] = core::array::from_fn(|at| (at * 89) as u8);
        for length in 0..=octets.len() {
            let name = &octets[..length];
            let hash = HashKey::new(seed).name(name);
            assert_eq!(hash, other.hash(&name.to_ascii_lowercase()), "{length}");
        }
    }
}
