//! What happened in a gateway, for logs and for people.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use dns46::Asker;

use dnscache::Question;
use snatpool::{Closed, SessionId, Tuple};

/// Taken by [`Gateway::poll_event`](crate::Gateway::poll_event).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// An upstream server did not answer in time; the question goes on to the next try.
    UpstreamSilent {
        /// What was asked.
        question: Question,
        /// The server.
        server: SocketAddr,
    },
    /// No upstream server answered a question, or none could be asked.
    UpstreamFailed {
        /// What was asked.
        question: Question,
    },
    /// There is no self IP of a server's family to ask it from.
    NoSelfIp {
        /// The server.
        server: SocketAddr,
    },
    /// A mapping was made.
    Mapped {
        /// The address.
        address: Ipv4Addr,
        /// The host.
        host: Ipv6Addr,
        /// Who asked for it; `None` if the store or an operator said so.
        asker: Option<Asker>,
    },
    /// The first flow to a mapped address was opened.
    Promoted {
        /// The address.
        address: Ipv4Addr,
        /// The host.
        host: Ipv6Addr,
        /// Who asked for it, if that is remembered.
        asker: Option<Asker>,
    },
    /// An address whose mapping ended has rested, and may stand for another host.
    Freed {
        /// The address.
        address: Ipv4Addr,
        /// The host that it stood for.
        host: Ipv6Addr,
    },
    /// A question for an IPv6 host got the sorry address, or a failure.
    NotMapped {
        /// Who asked.
        asker: Asker,
        /// Why.
        why: dns46::Refusal,
        /// The sorry address was answered.
        is_sorry: bool,
    },
    /// The store acknowledged the mappings of an answer.
    Stored,
    /// The store did not, in time.
    StoreFailed,
    /// A mapping ended.
    Unmapped {
        /// The address.
        address: Ipv4Addr,
        /// The host.
        host: Ipv6Addr,
    },
    /// A session began.
    Opened {
        /// Its id.
        session: SessionId,
        /// As the client sees it.
        inside: Tuple,
        /// As the peer sees it, from here to there.
        outside: Tuple,
    },
    /// A session ended.
    Closed {
        /// Its id.
        session: SessionId,
        /// Why.
        why: Closed,
        /// As in `Opened`.
        inside: Tuple,
        /// As in `Opened`.
        outside: Tuple,
    },
    /// A flow has no SNAT address to leave with.
    NoSnatAddress {
        /// The client.
        client: IpAddr,
        /// Where it wants to.
        peer: IpAddr,
    },
    /// A SNAT address has no port left to a peer.
    Exhausted(snatpool::Exhausted),
}
