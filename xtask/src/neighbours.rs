//! Room for as many neighbours as a network has addresses: the host's table is small by default, and one
//! for all namespaces.

use std::fs;
use std::path::PathBuf;

/// Enough for a /16 of IPv4 twice over.
const ROOM: &str = "262144";

/// The thresholds as they were; put back when it goes out of scope.
pub(crate) struct Neighbours(Vec<(PathBuf, String)>);

impl Neighbours {
    /// Raises the thresholds; `None` where a namespace does not show them.
    pub(crate) fn raise() -> Option<Self> {
        let mut was = Self(Vec::new());
        for family in ["ipv4", "ipv6"] {
            // The larger first: one is not to pass the other.
            for threshold in ["gc_thresh3", "gc_thresh2"] {
                let path = format!("/proc/sys/net/{family}/neigh/default/{threshold}");
                let path = PathBuf::from(path);
                let value = fs::read_to_string(&path).ok()?;
                fs::write(&path, ROOM).ok()?;
                was.0.push((path, value));
            }
        }
        Some(was)
    }
}

impl Drop for Neighbours {
    fn drop(&mut self) {
        while let Some((path, value)) = self.0.pop() {
            let _ = fs::write(path, value);
        }
    }
}
