use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// Repeatable chance: everything random in a simulated network comes from one of these.
///
/// Each user takes a stream of its own, so that one packet more on one link changes nothing
/// on another.
#[derive(Debug, Clone)]
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// The `stream`-th independent sequence of `seed`.
    #[must_use]
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self(rng)
    }

    /// True with the given probability; 0.0 and less is never, 1.0 and more is always.
    pub fn chance(&mut self, probability: f64) -> bool {
        // Drawn even if the outcome is certain, so that changing one probability leaves the
        // draws of the others where they were.
        f64::from(self.0.next_u32()) < probability * (f64::from(u32::MAX) + 1.0)
    }

    /// A number in `0..bound`, or 0 if `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // The bias of a widening multiplication is below 2^-32 for the bounds used here.
        let wide = u128::from(self.0.next_u64()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// Sixteen random bits: an identifier or the start of a port search.
    pub fn word(&mut self) -> u16 {
        let [high, low, ..] = self.0.next_u32().to_be_bytes();
        u16::from_be_bytes([high, low])
    }

    /// Sixty-four random bits: the seed of something that has its own generator.
    pub fn seed(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// 32 random bytes: the seed of a library crate.
    pub fn key(&mut self) -> [u8; 32] {
        let mut key = [0; 32];
        self.0.fill_bytes(&mut key);
        key
    }
}
