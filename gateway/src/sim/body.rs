/// Bytes that look random and can be told without keeping them: the body of a page, the payload of
/// an echo. Two seeds differ everywhere, so that a body also proves who sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Body {
    /// Which bytes.
    pub seed: u64,
    /// How many.
    pub length: usize,
}

impl Body {
    /// The bytes from `offset` on, at most `room`, none from the end on.
    #[must_use]
    pub fn part(&self, offset: usize, room: usize) -> Vec<u8> {
        let end = self.length.min(offset.saturating_add(room));
        let mut bytes = Vec::with_capacity(end.saturating_sub(offset) + 8);
        let mut word = offset / 8;
        while word * 8 < end {
            bytes.extend(mix(self.seed ^ word as u64).to_le_bytes());
            word += 1;
        }
        bytes.truncate(end.saturating_sub(offset / 8 * 8));
        bytes.drain(..(offset % 8).min(bytes.len()));
        bytes
    }

    /// All the bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.part(0, self.length)
    }
}

/// One step of SplitMix64.
fn mix(counter: u64) -> u64 {
    let mut z = counter.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
