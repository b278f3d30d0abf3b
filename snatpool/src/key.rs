//! What finds a session: from inside by its inside tuple, from outside by its outside one. A key is
//! the words that are hashed, and the words that are compared.

use crate::hash::{Keys, Purpose};
use crate::record::{Hot, Kind, Octets};
use crate::tuple::{Protocol, Tuple};

/// What finds a session from inside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutboundKey {
    /// Both ports, protocol and family.
    head: u64,
    client: Octets,
    target: Octets,
}

impl OutboundKey {
    /// Of an inside tuple, whose `kind` says its protocol and family.
    #[inline]
    pub(crate) const fn new(inside: &Tuple, kind: Kind) -> Self {
        let (client, target) = (inside.source, inside.destination);
        Self {
            head: outbound_head(client.port, peer_port(inside.protocol, target.port), kind),
            client: Octets::of(client.address),
            target: Octets::of(target.address),
        }
    }

    /// That of a session.
    pub(crate) const fn of(hot: &Hot) -> Self {
        Self {
            head: outbound_head(hot.client_port, hot.peer_port, hot.kind),
            client: hot.client,
            target: hot.target,
        }
    }

    #[inline]
    pub(crate) fn hash(&self, keys: &Keys) -> u64 {
        keys.place_both(self.head, self.client, self.target)
    }

    #[inline]
    pub(crate) const fn is(&self, hot: &Hot) -> bool {
        self.client.is(hot.client)
            && self.target.is(hot.target)
            && (self.head >> 16) as u32 == outbound_ports(hot.client_port, hot.peer_port)
            && (self.head >> 8) as u8 == hot.kind.inside_key()
    }
}

#[inline]
const fn outbound_head(client_port: u16, peer_port: u16, kind: Kind) -> u64 {
    (outbound_ports(client_port, peer_port) as u64) << 16
        | (kind.inside_key() as u64) << 8
        | Purpose::Outbound as u64
}

/// Both ports as they stand side by side in a record.
#[inline]
const fn outbound_ports(client_port: u16, peer_port: u16) -> u32 {
    (peer_port as u32) << 16 | client_port as u32
}

/// What finds a session from outside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InboundKey {
    /// Both ports, the number of the outside address, protocol and family.
    head: u64,
    peer: Octets,
}

impl InboundKey {
    #[inline]
    pub(crate) const fn new(
        address: u16,
        port: u16,
        peer: Octets,
        peer_port: u16,
        kind: Kind,
    ) -> Self {
        let head = (address as u64) << 48
            | (port as u64) << 32
            | (peer_port as u64) << 16
            | (kind.outside_key() as u64) << 8
            | Purpose::Inbound as u64;
        Self { head, peer }
    }

    #[inline]
    pub(crate) const fn of(hot: &Hot) -> Self {
        Self::new(hot.address, hot.port, hot.peer, hot.peer_port, hot.kind)
    }

    /// The number of the outside address.
    pub(crate) const fn address(&self) -> u16 {
        (self.head >> 48) as u16
    }

    /// The outside port.
    pub(crate) const fn port(&self) -> u16 {
        (self.head >> 32) as u16
    }

    pub(crate) const fn peer(&self) -> Octets {
        self.peer
    }

    /// 0 for ICMP.
    pub(crate) const fn peer_port(&self) -> u16 {
        (self.head >> 16) as u16
    }

    #[inline]
    pub(crate) fn hash(&self, keys: &Keys) -> u64 {
        keys.place_pair(self.head, self.peer)
    }

    #[inline]
    pub(crate) const fn is(&self, hot: &Hot) -> bool {
        let found = Self::of(hot);
        self.peer.is(found.peer) && self.head == found.head
    }
}

/// ICMP has one identifier; it stands for both ports, so that a reply is found by it alone.
#[inline]
pub(crate) const fn peer_port(protocol: Protocol, port: u16) -> u16 {
    match protocol {
        Protocol::Tcp | Protocol::Udp => port,
        Protocol::Icmp => 0,
    }
}
