//! What happened to mappings, and to those who wait for the store.

use core::net::{Ipv4Addr, Ipv6Addr};

use crate::Ticket;

/// Taken by [`Dns46::poll_event`](crate::Dns46::poll_event).
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
    /// An address does not stand for its host any more, after its time or to make room; every TTL
    /// that was handed out is over. It rests before it may stand for another host.
    Drained {
        /// The address.
        address: Ipv4Addr,
        /// The host.
        host: Ipv6Addr,
    },
    /// An address does not stand for its host any more, because someone said so: replies that name it
    /// must be forgotten at once.
    Removed {
        /// The address.
        address: Ipv4Addr,
        /// The host.
        host: Ipv6Addr,
    },
    /// The mappings of a reply are stored: [`Dns46::finish`](crate::Dns46::finish) gives it.
    Stored {
        /// What [`Pair::Wait`](crate::Pair::Wait) gave.
        ticket: Ticket,
    },
    /// The store did not acknowledge in time, or failed: [`Dns46::finish`](crate::Dns46::finish) says
    /// so.
    StoreFailed {
        /// What [`Pair::Wait`](crate::Pair::Wait) gave.
        ticket: Ticket,
    },
    /// The store knows the host of an address: [`Dns46::lookup`](crate::Dns46::lookup) does too now.
    Known {
        /// What [`Lookup::Ask`](crate::Lookup::Ask) gave.
        ticket: Ticket,
        /// The address.
        address: Ipv4Addr,
    },
    /// The store knows no host of an address, or did not answer in time.
    Unknown {
        /// What [`Lookup::Ask`](crate::Lookup::Ask) gave.
        ticket: Ticket,
        /// The address.
        address: Ipv4Addr,
    },
}
