//! Counters; plain numbers that only grow.

/// What has been counted since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Queries of clients, whatever became of them.
    pub queries: u64,
}
