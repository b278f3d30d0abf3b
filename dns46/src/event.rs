//! What happened to mappings, and to those who wait for the store.

use alloc::string::String;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::{Refusal, Ticket};

/// Who asked, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// The client's address.
    pub client: IpAddr,
    /// The name asked for, as text.
    pub name: String,
}

/// Taken by [`Dns46::poll_event`](crate::Dns46::poll_event). `asker` is who asked for the mapping first:
/// of a mapping that is just made, unless it came from the store or by hand; later only with
/// [`Settings::remember_askers`](crate::Settings::remember_askers).
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An address stands for a host from now on.
    Mapped {
        /// The address.
        address: Ipv4Addr,
        /// The host.
        host: Ipv6Addr,
        /// Who asked.
        asker: Option<Asker>,
    },
    /// The first session to an address was opened.
    Promoted {
        /// The address.
        address: Ipv4Addr,
        /// The host.
        host: Ipv6Addr,
        /// Who asked.
        asker: Option<Asker>,
    },
    /// An address does not stand for its host any more, after its time or to make room; every TTL
    /// that was handed out is over. It rests before it may stand for another host.
    Drained {
        /// The address.
        address: Ipv4Addr,
        /// The host.
        host: Ipv6Addr,
        /// Who asked.
        asker: Option<Asker>,
    },
    /// An address does not stand for its host any more, because someone said so: replies that name it
    /// must be forgotten at once.
    Removed {
        /// The address.
        address: Ipv4Addr,
        /// The host.
        host: Ipv6Addr,
        /// Who asked.
        asker: Option<Asker>,
    },
    /// An address has rested, and may stand for another host.
    Freed {
        /// The address.
        address: Ipv4Addr,
        /// The host that it stood for.
        host: Ipv6Addr,
        /// Who asked.
        asker: Option<Asker>,
    },
    /// A question got the sorry address, or no reply.
    Refused {
        /// Who asked.
        asker: Asker,
        /// Why.
        why: Refusal,
        /// The sorry address was answered.
        is_sorry: bool,
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
