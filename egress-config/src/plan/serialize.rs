//! Plans as data: ranges as `first-last`, times in seconds, virtual servers by name.

use core::fmt::Display;
use core::ops::RangeInclusive;
use core::time::Duration;

use serde::Serializer;

use super::VirtualServer;

pub(super) fn range<T: Display, S: Serializer>(
    range: &RangeInclusive<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{}-{}", range.start(), range.end()))
}

pub(super) fn optional_range<T: Display, S: Serializer>(
    optional: &Option<RangeInclusive<T>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match optional {
        Some(present) => range(present, serializer),
        None => serializer.serialize_none(),
    }
}

pub(super) fn seconds<S: Serializer>(
    duration: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(duration.as_secs())
}

impl serde::Serialize for VirtualServer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
