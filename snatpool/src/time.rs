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

    /// Rounded down: "now", so that nothing ends early.
    pub(crate) fn at_most(duration: Duration) -> Self {
        let whole = duration.as_secs().saturating_mul(u64::from(PER_SECOND));
        let part = duration.subsec_nanos() / (1_000_000_000 / PER_SECOND);
        Self(u32::try_from(whole.saturating_add(u64::from(part))).unwrap_or(u32::MAX))
    }

    /// Rounded up: the moment of a refresh, the length of a timeout.
    pub(crate) fn at_least(duration: Duration) -> Self {
        let floor = Self::at_most(duration);
        if floor.to_duration() < duration {
            floor.plus(Self(1))
        } else {
            floor
        }
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
