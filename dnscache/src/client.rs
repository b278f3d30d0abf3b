//! Who asks, and what becomes of a query.

use core::net::SocketAddr;

use crate::slab::Key;

/// A client's query is identified by where it came from, where it went, and over what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    /// Source of the query: the destination of the reply.
    pub address: SocketAddr,
    /// The address that the client asked: the source of the reply (RFC 2181 §4.1).
    pub local: SocketAddr,
    /// UDP or TCP.
    pub transport: Transport,
    /// Whatever the caller needs to find the client again, such as the number of a TCP socket.
    pub token: u64,
}

/// What carries a client's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Datagrams: replies are truncated to the client's size.
    Udp,
    /// A stream: replies of up to 65,535 octets (RFC 7766), which the caller frames.
    Tcp,
}

/// A query that is not answered yet. It ends with exactly one reply or drop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket(pub(crate) Key);

/// What becomes of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// The first so many octets of the lent buffer are the reply; the ticket, if any, is gone.
    Reply(usize),
    /// [`Event::Ready`](crate::Event::Ready) will say when to call
    /// [`Resolver::answer`](crate::Resolver::answer).
    Parked(Ticket),
    /// The plain answer is here, and its tag says that this client gets a derived one, of which none
    /// is cached: make it, or pass the plain one on.
    Derive(Ticket),
    /// No answer leaves; the ticket, if any, is gone.
    Drop(DropReason),
}

/// Why no answer leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// Too short for a header.
    Short,
    /// A response, not a query.
    Response,
    /// Over the rate limit.
    RateLimited,
    /// Too many queries are waiting, in total.
    Overloaded,
    /// Too many queries of this client are waiting.
    ClientOverloaded,
    /// The lent buffer does not even hold a truncated reply.
    NoSpace,
    /// The ticket is not, or no longer, known.
    UnknownTicket,
}

/// What [`Resolver::fetch`](crate::Resolver::fetch) found for the other type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Fetch<'a> {
    /// Both answers, as messages with the TTLs that are left.
    Answer {
        /// What was answered to the client's question.
        plain: &'a [u8],
        /// What was answered to the same question of the other type.
        other: &'a [u8],
    },
    /// [`Event::Ready`](crate::Event::Ready) will say when to call
    /// [`Resolver::answer`](crate::Resolver::answer) again.
    Waiting,
    /// No server had an answer; the response code says what the client would have got.
    Failed {
        /// Response code.
        rcode: u8,
    },
    /// The ticket is not, or no longer, waiting to be derived.
    UnknownTicket,
}
