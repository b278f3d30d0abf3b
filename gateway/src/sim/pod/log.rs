use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use super::super::{Parsed, Payload};

/// Something that a pod saw or did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Duration,
    /// On which errand.
    pub errand: usize,
    /// What.
    pub event: Event,
}

/// What a pod can see or do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It sent a query.
    Asked {
        /// Id of the query.
        id: u16,
        /// Its own port.
        port: u16,
        /// The name server.
        to: SocketAddr,
        /// The name.
        name: String,
        /// The type.
        record_type: u16,
        /// Over TCP rather than UDP.
        over_tcp: bool,
    },
    /// It got the answer to its query.
    Answered {
        /// Response code.
        response_code: u16,
        /// The addresses of the name, aliases followed.
        addresses: Vec<IpAddr>,
        /// The least TTL of the records that led there, in seconds.
        ttl: Option<u32>,
        /// The whole answer.
        message: Vec<u8>,
    },
    /// It got something that does not answer its query.
    Distrusted {
        /// Who sent it.
        from: SocketAddr,
    },
    /// It opens a TCP connection.
    Connecting {
        /// Its own address and port.
        from: SocketAddr,
        /// The server's.
        to: SocketAddr,
    },
    /// The connection stands.
    Connected,
    /// A page has come, and the server has closed.
    Fetched {
        /// Status code.
        status: u16,
        /// Bytes of the body.
        length: usize,
    },
    /// An echo came back.
    Echoed {
        /// Who sent it.
        from: IpAddr,
        /// Its number on this errand, from 0.
        sequence: u16,
        /// Bytes of payload.
        length: usize,
    },
    /// A hop of the way to a target.
    Hop {
        /// The hop limit that led to it.
        hop_limit: u8,
        /// Who answered; nobody, if `None`.
        from: Option<IpAddr>,
    },
    /// An ICMP or ICMPv6 error came.
    IcmpError {
        /// Who sent it.
        from: IpAddr,
        /// ICMP type.
        kind: u8,
        /// ICMP code.
        code: u8,
        /// Bytes 4 to 7 of it.
        word: u32,
        /// The packet that it is about, perhaps cut short.
        quoted: Vec<u8>,
    },
    /// An attempt failed.
    Failed(Failure),
    /// The errand is done.
    Done,
}

/// Why an attempt at an errand failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// No name server answered.
    #[error("no answer from DNS")]
    NoAnswer,
    /// The name server answered with an error.
    #[error("DNS answered with response code {0}")]
    ResponseCode(u16),
    /// The name has no address.
    #[error("the name has no address of the type asked for")]
    NoAddress,
    /// The pod has no address of the target's family.
    #[error("no own address of the target's family")]
    WrongFamily,
    /// No connection came about.
    #[error("the connection did not come about")]
    NotConnected,
    /// The connection broke.
    #[error("the connection broke")]
    Disconnected,
    /// The server's reply is not what it should be.
    #[error("another page than the one expected")]
    WrongPage,
    /// An echo did not come back.
    #[error("no echo")]
    NoEcho,
}

/// A pod's diary.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) entries: Vec<Entry>,
    pub(super) errand: usize,
}

impl Log {
    pub(super) fn note(&mut self, at: Duration, event: Event) {
        self.entries.push(Entry {
            at,
            errand: self.errand,
            event,
        });
    }

    pub(super) fn icmp(&mut self, at: Duration, message: &Parsed) {
        if let Payload::IcmpError {
            kind,
            code,
            word,
            quoted,
        } = &message.payload
        {
            self.note(
                at,
                Event::IcmpError {
                    from: message.source,
                    kind: *kind,
                    code: *code,
                    word: *word,
                    quoted: quoted.clone(),
                },
            );
        }
    }
}
