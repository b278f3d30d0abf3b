//! How many ICMP errors are sent: a token bucket (RFC 4443 §2.4 (f), RFC 1812 §4.3.2.8).

use core::time::Duration;

use crate::ErrorRate;

const NANOSECONDS: u128 = 1_000_000_000;

/// The bucket of one family.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bucket {
    /// What was taken out and not put back yet, in billionths of a token.
    used: u128,
    filled_at: Duration,
}

impl Bucket {
    /// Takes a token; `false` if there is none.
    pub(crate) fn take(&mut self, now: Duration, rate: ErrorRate) -> bool {
        let (per_second, burst) = match rate {
            ErrorRate::Off => return false,
            ErrorRate::Unlimited => return true,
            ErrorRate::Limited { per_second, burst } => (per_second.get(), burst.get()),
        };
        let passed = now.saturating_sub(self.filled_at).as_nanos();
        self.filled_at = self.filled_at.max(now);
        self.used = self
            .used
            .saturating_sub(passed.saturating_mul(per_second.into()));
        if self.used + NANOSECONDS > u128::from(burst) * NANOSECONDS {
            return false;
        }
        self.used += NANOSECONDS;
        true
    }
}

#[cfg(test)]
mod tests {
    use core::num::NonZeroU32;

    use super::*;

    #[test]
    fn rfc4443_2_4_f_a_burst_then_the_rate() {
        let number = |n| NonZeroU32::new(n).unwrap();
        let rate = ErrorRate::Limited {
            per_second: number(10),
            burst: number(3),
        };
        let mut bucket = Bucket::default();
        let now = Duration::from_secs(9);
        let taken = (0..5).filter(|_| bucket.take(now, rate)).count();
        assert_eq!(taken, 3);
        assert!(!bucket.take(now + Duration::from_millis(99), rate));
        assert!(bucket.take(now + Duration::from_millis(100), rate));
        assert!(
            !bucket.take(now, rate),
            "a clock that goes back gives nothing"
        );
    }
}
