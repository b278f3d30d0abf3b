//! A session as it is kept: one cache line that packets use, and half a line that they do not.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::PoolId;
use crate::lifetime::State;
use crate::time::Ticks;
use crate::tuple::{Family, Protocol, TransportAddress, Tuple};
use crate::wheel::UNARMED;

/// No slot.
pub(crate) const NONE: u32 = u32::MAX;

/// All that a packet of the session reads, and of which an established one writes `due` alone.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Hot {
    /// Inside source.
    pub(crate) client: Octets,
    /// Inside destination: the peer as the client sees it.
    pub(crate) target: Octets,
    /// Outside destination.
    pub(crate) peer: Octets,
    pub(crate) client_port: u16,
    /// Destination port, inside and outside. 0 for ICMP.
    pub(crate) peer_port: u16,
    /// Outside source port.
    pub(crate) port: u16,
    /// Outside source address: an index into the address table.
    pub(crate) address: u16,
    /// How often the slot was used before, modulo 65,536.
    pub(crate) generation: u16,
    pub(crate) kind: Kind,
    pub(crate) state: State,
    /// When it ends if nothing refreshes it; zero once it has ended.
    pub(crate) due: Ticks,
}

const _: () = assert!(size_of::<Hot>() == 64);

impl Hot {
    pub(crate) const EMPTY: Self = Self {
        client: Octets::ZERO,
        target: Octets::ZERO,
        peer: Octets::ZERO,
        client_port: 0,
        peer_port: 0,
        port: 0,
        address: 0,
        generation: 0,
        kind: Kind(Kind::CLOSED),
        state: State::Unconfirmed,
        due: Ticks::ZERO,
    };

    pub(crate) fn inside(&self) -> Tuple {
        let family = self.kind.inside();
        let protocol = self.kind.protocol();
        let target_port = match protocol {
            Protocol::Tcp | Protocol::Udp => self.peer_port,
            Protocol::Icmp => self.client_port,
        };
        Tuple {
            protocol,
            source: TransportAddress::new(self.client.to_address(family), self.client_port),
            destination: TransportAddress::new(self.target.to_address(family), target_port),
        }
    }

    /// The outside tuple, given the address of its number.
    pub(crate) fn outside(&self, address: IpAddr) -> Tuple {
        Tuple {
            protocol: self.kind.protocol(),
            source: TransportAddress::new(address, self.port),
            destination: self.peer(),
        }
    }

    /// Outside destination. An ICMP packet has one identifier, which stands in both ports.
    pub(crate) fn peer(&self) -> TransportAddress {
        let port = match self.kind.protocol() {
            Protocol::Tcp | Protocol::Udp => self.peer_port,
            Protocol::Icmp => self.port,
        };
        TransportAddress::new(self.peer.to_address(self.kind.outside()), port)
    }
}

/// What only opening, closing and timers use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cold {
    /// The session after and before this one in its wheel slot.
    pub(crate) next: u32,
    pub(crate) prev: u32,
    pub(crate) client: u32,
    /// Sequence numbers noted at the last FIN of either side, or the furthest of all where a RST is
    /// judged by them; 0 for none.
    pub(crate) sequence_in: u32,
    pub(crate) sequence_out: u32,
    /// Which ring and which place of it; see [`Wheel`](crate::wheel::Wheel). Once closed: why.
    pub(crate) armed: u16,
    /// Its client's, who may be forgotten before the end was told.
    pub(crate) pool: PoolId,
    pub(crate) marks: Marks,
}

const _: () = assert!(size_of::<Cold>() == 24);

impl Cold {
    pub(crate) const EMPTY: Self = Self {
        next: NONE,
        prev: NONE,
        client: NONE,
        sequence_in: 0,
        sequence_out: 0,
        armed: UNARMED,
        pool: PoolId(0),
        marks: Marks(0),
    };
}

/// Flags in one byte.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marks(u8);

impl Marks {
    const WAITS: u8 = 1 << 0;
    const AWAY: u8 = 1 << 1;

    pub(crate) const fn new(away: bool) -> Self {
        Self(if away { Self::AWAY } else { 0 })
    }

    /// Its slot is not where its key is at home.
    pub(crate) const fn away(self) -> bool {
        self.0 & Self::AWAY != 0
    }

    /// Its opening or end waits to be told; see [`Queue`](crate::queue::Queue).
    pub(crate) const fn waits(self) -> bool {
        self.0 & Self::WAITS != 0
    }

    pub(crate) const fn set_waits(&mut self, on: bool) {
        self.0 = if on {
            self.0 | Self::WAITS
        } else {
            self.0 & !Self::WAITS
        };
    }
}

/// An address of either family; which one stands beside it. As words, in whatever order the
/// machine reads them, because that is how they are compared and hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Octets([u64; 2]);

impl Octets {
    pub(crate) const ZERO: Self = Self([0; 2]);

    #[inline]
    pub(crate) const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self([u32::from_ne_bytes(v4.octets()) as u64, 0]),
            IpAddr::V6(v6) => {
                let bits = u128::from_ne_bytes(v6.octets());
                Self([bits as u64, (bits >> 64) as u64])
            }
        }
    }

    pub(crate) const fn to_address(self, family: Family) -> IpAddr {
        let [one, two] = self.0;
        match family {
            Family::Ipv4 => IpAddr::V4(Ipv4Addr::from_octets((one as u32).to_ne_bytes())),
            Family::Ipv6 => {
                let bits = (two as u128) << 64 | one as u128;
                IpAddr::V6(Ipv6Addr::from_octets(bits.to_ne_bytes()))
            }
        }
    }

    #[inline]
    pub(crate) const fn words(self) -> [u64; 2] {
        self.0
    }

    /// Compares without a branch for each word.
    #[inline]
    pub(crate) const fn is(self, other: Self) -> bool {
        let ([a, b], [c, d]) = (self.0, other.0);
        (a ^ c) | (b ^ d) == 0
    }
}

/// Protocol, families and flags in one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind(u8);

impl Kind {
    const PROTOCOL: u8 = 0b11;
    const INSIDE_V6: u8 = 1 << 2;
    const OUTSIDE_V6: u8 = 1 << 3;
    const PINNED: u8 = 1 << 4;
    const OPENED: u8 = 1 << 5;
    const CLOSED: u8 = 1 << 6;
    const FROM_OUTSIDE: u8 = 1 << 7;

    pub(crate) const fn new(protocol: Protocol, inside: Family, outside: Family) -> Self {
        let protocol = match protocol {
            Protocol::Tcp => 0,
            Protocol::Udp => 1,
            Protocol::Icmp => 2,
        };
        let inside = match inside {
            Family::Ipv4 => 0,
            Family::Ipv6 => Self::INSIDE_V6,
        };
        let outside = match outside {
            Family::Ipv4 => 0,
            Family::Ipv6 => Self::OUTSIDE_V6,
        };
        Self(protocol | inside | outside)
    }

    pub(crate) const fn protocol(self) -> Protocol {
        match self.0 & Self::PROTOCOL {
            0 => Protocol::Tcp,
            1 => Protocol::Udp,
            _ => Protocol::Icmp,
        }
    }

    /// Below 4.
    #[inline]
    pub(crate) const fn protocol_number(self) -> usize {
        (self.0 & Self::PROTOCOL) as usize
    }

    pub(crate) const fn inside(self) -> Family {
        if self.0 & Self::INSIDE_V6 == 0 {
            Family::Ipv4
        } else {
            Family::Ipv6
        }
    }

    pub(crate) const fn outside(self) -> Family {
        if self.0 & Self::OUTSIDE_V6 == 0 {
            Family::Ipv4
        } else {
            Family::Ipv6
        }
    }

    /// Keeps its slot and port when it ends.
    pub(crate) const fn pinned(self) -> bool {
        self.0 & Self::PINNED != 0
    }

    /// Its opening has not been announced.
    pub(crate) const fn opened(self) -> bool {
        self.0 & Self::OPENED != 0
    }

    /// It has ended.
    pub(crate) const fn closed(self) -> bool {
        self.0 & Self::CLOSED != 0
    }

    /// Its peer opened it.
    pub(crate) const fn is_from_outside(self) -> bool {
        self.0 & Self::FROM_OUTSIDE != 0
    }

    pub(crate) const fn set_pinned(&mut self, on: bool) {
        self.0 = if on {
            self.0 | Self::PINNED
        } else {
            self.0 & !Self::PINNED
        };
    }

    pub(crate) const fn set_opened(&mut self, on: bool) {
        self.0 = if on {
            self.0 | Self::OPENED
        } else {
            self.0 & !Self::OPENED
        };
    }

    pub(crate) const fn set_closed(&mut self) {
        self.0 |= Self::CLOSED;
    }

    pub(crate) const fn set_from_outside(&mut self) {
        self.0 |= Self::FROM_OUTSIDE;
    }

    /// Protocol and inside family: the part that is in the outbound key.
    pub(crate) const fn inside_key(self) -> u8 {
        self.0 & (Self::PROTOCOL | Self::INSIDE_V6)
    }

    /// Protocol and outside family: the part that is in the inbound key.
    pub(crate) const fn outside_key(self) -> u8 {
        self.0 & (Self::PROTOCOL | Self::OUTSIDE_V6)
    }
}
