//! What leaves a resolver, and what it has to tell.

use core::net::SocketAddr;
use core::time::Duration;

use crate::client::Ticket;
use crate::slab::Key;
use crate::wire::Question;

/// A question on its way upstream, shared by all who ask it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FetchId(pub(crate) Key);

/// A datagram to be sent: the first `len` octets of the buffer lent to
/// [`Resolver::poll_transmit`](crate::Resolver::poll_transmit).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transmit {
    /// What it is for.
    pub fetch: FetchId,
    /// UDP source port, unpredictable; the caller picks the source address.
    pub source_port: u16,
    /// The server.
    pub destination: SocketAddr,
    /// Octets of the message.
    pub len: usize,
}

/// What happened. Drain them after every call that takes input.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A valid reply waits to be tagged: read it with
    /// [`Resolver::reply`](crate::Resolver::reply), then call
    /// [`Resolver::accept`](crate::Resolver::accept).
    Received {
        /// The question it answers.
        fetch: FetchId,
        /// Who answered.
        server: SocketAddr,
        /// From the query to the reply.
        rtt: Duration,
    },
    /// Call [`Resolver::answer`](crate::Resolver::answer): the ticket has an answer, or ran out of
    /// time.
    Ready {
        /// Whose turn it is.
        ticket: Ticket,
    },
    /// A server did not answer in time; the question goes on to the next try, if there is one.
    TimedOut {
        /// What was asked.
        question: Question,
        /// Who did not answer.
        server: SocketAddr,
        /// How long it was waited for.
        after: Duration,
    },
    /// A server's reply was of no use; the question goes on to the next try, if there is one.
    Unusable {
        /// What was asked.
        question: Question,
        /// Who answered.
        server: SocketAddr,
        /// Its response code.
        rcode: u8,
    },
    /// A question is asked again over TCP, because a reply was truncated or forgery is suspected.
    Stream {
        /// What is asked.
        question: Question,
        /// Who is asked.
        server: SocketAddr,
    },
    /// All tries failed; whoever waits gets SERVFAIL, or a stale answer.
    Failed {
        /// The fetch, which is no more.
        fetch: FetchId,
        /// What was asked.
        question: Question,
    },
}

/// Why a datagram is not the reply to any question in flight. It is counted and has no effect, but
/// that many of them move the question to TCP (RFC 5452 §9.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// Too short, not a response, or not with one question.
    #[error("not a DNS response")]
    Malformed,
    /// No question left from the port it was sent to.
    #[error("no question left from this port")]
    Port,
    /// It came from another address or port than was asked.
    #[error("not from the server that was asked")]
    Server,
    /// Another identifier.
    #[error("another identifier")]
    Id,
    /// Another name, type or class.
    #[error("another question")]
    Question,
    /// The same name, but with another case of its letters.
    #[error("letters of the name have another case")]
    Case,
}
