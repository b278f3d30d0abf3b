//! Moments in whole seconds: fine enough for mappings, and a quarter of the memory.

use core::time::Duration;

/// Seconds since the caller's fixed point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seconds(u32);

impl Seconds {
    pub(crate) const ZERO: Self = Self(0);

    /// Rounded up: what begins then does not end early.
    pub(crate) fn at_least(moment: Duration) -> Self {
        let up = u64::from(moment.subsec_nanos() > 0);
        Self(u32::try_from(moment.as_secs() + up).unwrap_or(u32::MAX))
    }

    /// Rounded down: what is over by then is over.
    pub(crate) fn at_most(moment: Duration) -> Self {
        Self(u32::try_from(moment.as_secs()).unwrap_or(u32::MAX))
    }

    pub(crate) fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(Self::at_least(span).0))
    }

    pub(crate) fn to_duration(self) -> Duration {
        Duration::from_secs(self.0.into())
    }
}
