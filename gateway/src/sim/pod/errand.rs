use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use super::super::Body;

/// Something that a pod is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errand {
    /// It starts no earlier than this, nor before the one ahead of it is over.
    pub start_at: Duration,
    /// With whom.
    pub target: Target,
    /// What.
    pub act: Act,
    /// How often it may be tried from the start.
    pub attempts: u32,
}

impl Errand {
    /// Between two attempts.
    pub(super) const PAUSE: Duration = Duration::from_secs(1);

    /// An errand that starts at once and may be tried five times.
    #[must_use]
    pub const fn new(target: Target, act: Act) -> Self {
        Self {
            start_at: Duration::ZERO,
            target,
            act,
            attempts: 5,
        }
    }

    /// The same, but no earlier than `start_at`.
    #[must_use]
    pub fn at(self, start_at: Duration) -> Self {
        Self { start_at, ..self }
    }

    /// The same, but tried once only.
    #[must_use]
    pub fn once(self) -> Self {
        Self {
            attempts: 1,
            ..self
        }
    }
}

/// With whom a pod has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The first address that a name has.
    Name {
        /// Whom to ask.
        resolver: SocketAddr,
        /// The name, sent as it is written.
        name: String,
        /// The type to ask for, such as 1 for A and 28 for AAAA. Only those two give an address:
        /// with others, [`Act::Resolve`] is all that can be done.
        record_type: u16,
        /// How to ask.
        transport: Transport,
    },
    /// An address.
    Address(IpAddr),
}

impl Target {
    /// What stands in a request's Host field.
    pub(super) fn host(&self) -> String {
        match self {
            Self::Name { name, .. } => name.trim_end_matches('.').to_owned(),
            Self::Address(IpAddr::V4(address)) => address.to_string(),
            Self::Address(IpAddr::V6(address)) => format!("[{address}]"),
        }
    }
}

/// How a pod asks a name server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Over UDP, and over TCP if the answer is truncated.
    Udp,
    /// Over TCP.
    Tcp,
}

/// What a pod does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Asks for the name, and leaves it at that. Any answer will do.
    Resolve,
    /// Fetches a page by HTTP, and compares it.
    Fetch {
        /// TCP port.
        port: u16,
        /// What is to be found.
        page: Body,
    },
    /// Sends datagrams to an echo server, the next one once the last is back.
    Echo {
        /// UDP port.
        port: u16,
        /// What each carries.
        payload: Body,
        /// How many.
        count: u16,
    },
    /// Sends echo requests, the next one once the last is answered.
    Ping {
        /// Bytes of payload.
        length: usize,
        /// How many.
        count: u16,
    },
    /// Sends echo requests with hop limits 1, 2, 3 and so on, until the target answers.
    Trace {
        /// The last hop limit.
        max_hops: u8,
    },
}
