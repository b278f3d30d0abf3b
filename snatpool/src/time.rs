//! Time as the tables keep it: a u32 of sixteenths of a second.

use core::time::Duration;

/// The grain of all deadlines. A session never ends early, and at most two grains late.
pub(crate) const TICK: Duration = Duration::from_nanos(1_000_000_000 / PER_SECOND as u64);

const PER_SECOND: u32 = 16;

/// A moment (since the caller's fixed point) or a length, in sixteenths of a second. Reaches 8.5
/// years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticks(pub(crate) u32);

impl Ticks {
    pub(crate) const ZERO: Self = Self(0);

    /// Rounded up: the moment of a refresh, the length of a timeout.
    pub(crate) fn at_least(duration: Duration) -> Self {
        Self::around(duration).1
    }

    /// Rounded down (*now*, so that nothing ends early) and up.
    #[inline]
    pub(crate) const fn around(duration: Duration) -> (Self, Self) {
        const NANOS: u32 = 1_000_000_000 / PER_SECOND;
        let seconds = duration.as_secs();
        if seconds >= (u32::MAX / PER_SECOND) as u64 {
            return (Self(u32::MAX), Self(u32::MAX));
        }
        let part = duration.subsec_nanos() / NANOS;
        let floor = seconds as u32 * PER_SECOND + part;
        let rest = duration.subsec_nanos() - part * NANOS;
        (Self(floor), Self(floor + (rest != 0) as u32))
    }

    pub(crate) fn to_duration(self) -> Duration {
        TICK.saturating_mul(self.0)
    }

    pub(crate) const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    pub(crate) const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The first whole second that is not before this moment.
    pub(crate) const fn second_after(self) -> u32 {
        self.0.div_ceil(PER_SECOND)
    }

    /// The whole second that this moment is in.
    pub(crate) const fn second(self) -> u32 {
        self.0 / PER_SECOND
    }

    pub(crate) const fn from_second(second: u32) -> Self {
        Self(second.saturating_mul(PER_SECOND))
    }
}
