//! What happened to mappings.

use core::net::{Ipv4Addr, Ipv6Addr};

/// A change of the table, to be taken by [`Table::poll_event`](crate::Table::poll_event).
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// An address stands for a host from now on.
    Mapped {
        /// The address.
        address: Ipv4Addr,
        /// The host.
        host: Ipv6Addr,
    },
    /// An address does not stand for its host any more; it rests before it may stand for another.
    Drained {
        /// The address.
        address: Ipv4Addr,
        /// The host.
        host: Ipv6Addr,
    },
}
