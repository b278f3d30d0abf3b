//! How long a session lives: timers, and the state that picks one.

pub(crate) mod tcp;

use core::time::Duration;

use crate::time::{TICK, Ticks};
use crate::tuple::Protocol;

/// Where a session stands.
///
/// The TCP states are those of RFC 6146 §3.5.2.2 with V6 read as *in* (from the client) and V4 as
/// *out*. UDP and ICMP know two: before and after the first reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// TCP: the client sent a SYN.
    InInit,
    /// TCP: a peer's SYN was let in by an endpoint-independent binding.
    OutInit,
    /// TCP: SYNs went both ways.
    Established,
    /// TCP: the client sent a FIN.
    InFin,
    /// TCP: the peer sent a FIN.
    OutFin,
    /// TCP: both did. Late segments pass but keep nothing alive.
    BothFin,
    /// TCP: both did, then the client sent a SYN that may be an old duplicate. A SYN of the peer
    /// proves that it was not.
    Reopening,
    /// TCP: a RST passed; data brings the session back (RFC 7857 §2.2).
    Transitory,
    /// TCP: the peer answered the client's SYN by a RST.
    Rejected,
    /// UDP or ICMP: no reply so far.
    Unconfirmed,
    /// UDP or ICMP: the peer has replied.
    Confirmed,
}

impl State {
    /// Whether the session moves data both ways: the fast path may carry it, and eviction spares
    /// it.
    #[must_use]
    pub const fn is_established(self) -> bool {
        matches!(self.class(), Class::Protected)
    }

    pub(crate) const ALL: [Self; 11] = [
        Self::InInit,
        Self::OutInit,
        Self::Established,
        Self::InFin,
        Self::OutFin,
        Self::BothFin,
        Self::Reopening,
        Self::Transitory,
        Self::Rejected,
        Self::Unconfirmed,
        Self::Confirmed,
    ];

    pub(crate) const fn class(self) -> Class {
        match self {
            Self::BothFin | Self::Reopening | Self::Transitory | Self::Rejected => Class::Closing,
            Self::InInit | Self::OutInit => Class::Opening,
            Self::Unconfirmed => Class::Unconfirmed,
            Self::Established | Self::InFin | Self::OutFin | Self::Confirmed => Class::Protected,
        }
    }
}

/// What a session is worth when room is needed, least first (RFC 5382 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Closing,
    Opening,
    Unconfirmed,
    Protected,
}

impl Class {
    pub(crate) const EVICTABLE: [Self; 3] = [Self::Closing, Self::Opening, Self::Unconfirmed];
    pub(crate) const COUNT: usize = 4;
}

/// A timer of [`Timeouts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Timer {
    /// Established TCP. Default and floor 2 h 4 min (RFC 5382 REQ-5).
    TcpEstablished,
    /// TCP that is opening: default 4 min (RFC 5382 REQ-5), no floor (RFC 7857 §2.1).
    TcpOpening,
    /// TCP that is closing: default and floor 4 min (RFC 5382 REQ-5).
    TcpClosing,
    /// How long an unsolicited SYN is held: default and floor 6 s (RFC 5382 REQ-4).
    TcpIncomingSyn,
    /// UDP: default 5 min, floor 2 min (RFC 4787 REQ-5).
    Udp,
    /// UDP to port 53: default 10 s, no floor (RFC 4787 REQ-5a).
    UdpDns,
    /// ICMP queries: default and floor 60 s (RFC 5508 REQ-2).
    Icmp,
    /// A datagram in fragments: default and floor 2 s (RFC 6146 §4, FRAGMENT_MIN).
    Fragment,
}

impl Timer {
    const COUNT: usize = 8;

    /// What it is unless set, in seconds.
    const fn default_seconds(self) -> u64 {
        match self {
            Self::TcpEstablished => 7440, // RFC 5382 REQ-5: 2 hours 4 minutes
            Self::TcpOpening | Self::TcpClosing => 240, // RFC 5382 REQ-5, RFC 6146 §4 TCP_TRANS
            Self::TcpIncomingSyn => 6,    // RFC 6146 §4 TCP_INCOMING_SYN
            Self::Udp => 300,             // RFC 4787 REQ-5c
            Self::UdpDns => 10,           // RFC 4787 REQ-5a allows it for a well-known port
            Self::Icmp => 60,             // RFC 5508 REQ-2
            Self::Fragment => 2,          // RFC 6146 §4 FRAGMENT_MIN
        }
    }

    /// The least value the RFCs allow.
    const fn floor(self) -> Duration {
        match self {
            Self::TcpOpening | Self::UdpDns => TICK,
            Self::Udp => Duration::from_secs(120), // RFC 4787 REQ-5
            Self::TcpEstablished
            | Self::TcpClosing
            | Self::TcpIncomingSyn
            | Self::Icmp
            | Self::Fragment => Duration::from_secs(self.default_seconds()),
        }
    }
}

/// The value of every [`Timer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts([Duration; Timer::COUNT]);

impl Timeouts {
    /// With `timer` at `value`.
    ///
    /// # Errors
    ///
    /// Below the floor that an RFC sets.
    pub fn with(self, timer: Timer, value: Duration) -> Result<Self, BelowFloor> {
        let floor = timer.floor();
        if value < floor {
            return Err(BelowFloor {
                timer,
                floor,
                found: value,
            });
        }
        Ok(self.unsafe_with(timer, value))
    }

    /// With `timer` at `value`, even below the floor that an RFC sets: for networks whose owner
    /// knows that nothing in them relies on it. Below a sixteenth of a second means that.
    #[must_use]
    pub fn unsafe_with(mut self, timer: Timer, value: Duration) -> Self {
        if let Some(slot) = self.0.get_mut(timer as usize) {
            *slot = value.max(TICK);
        }
        self
    }

    /// The value of `timer`.
    #[must_use]
    pub fn get(&self, timer: Timer) -> Duration {
        self.0.get(timer as usize).copied().unwrap_or(TICK)
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        let all = [
            Timer::TcpEstablished,
            Timer::TcpOpening,
            Timer::TcpClosing,
            Timer::TcpIncomingSyn,
            Timer::Udp,
            Timer::UdpDns,
            Timer::Icmp,
            Timer::Fragment,
        ];
        let start = Self([Duration::ZERO; Timer::COUNT]);
        all.into_iter().fold(start, |timeouts, timer| {
            timeouts.unsafe_with(timer, Duration::from_secs(timer.default_seconds()))
        })
    }
}

/// A [`Timer`] below what its RFC allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{timer:?} of {found:?} is below the floor of {floor:?}")]
pub struct BelowFloor {
    /// Which one.
    pub timer: Timer,
    /// The least value.
    pub floor: Duration,
    /// The value asked for.
    pub found: Duration,
}

/// UDP to this port has a timer of its own.
const DNS: u16 = 53;

/// The same in ticks, indexed by what picks a timer on the packet path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetimes {
    by_state: [Ticks; State::ALL.len()],
    udp: Ticks,
    udp_dns: Ticks,
    icmp: Ticks,
}

impl Lifetimes {
    pub(crate) fn new(timeouts: &Timeouts) -> Self {
        let ticks = |timer| Ticks::at_least(timeouts.get(timer));
        let tcp = |state: State| match state {
            State::InInit | State::OutInit => ticks(Timer::TcpOpening),
            State::Established | State::InFin | State::OutFin => ticks(Timer::TcpEstablished),
            State::BothFin | State::Reopening | State::Transitory | State::Rejected => {
                ticks(Timer::TcpClosing)
            }
            State::Unconfirmed | State::Confirmed => ticks(Timer::Udp),
        };
        Self {
            by_state: State::ALL.map(tcp),
            udp: ticks(Timer::Udp),
            udp_dns: ticks(Timer::UdpDns),
            icmp: ticks(Timer::Icmp),
        }
    }

    /// The longest of them.
    pub(crate) fn longest(&self) -> Ticks {
        let others = [self.udp, self.udp_dns, self.icmp];
        self.by_state
            .into_iter()
            .chain(others)
            .max()
            .unwrap_or(self.udp)
    }

    /// How long a session in `state` outlives its last refresh; `port` is the peer's.
    pub(crate) fn of(&self, protocol: Protocol, state: State, port: u16) -> Ticks {
        match protocol {
            Protocol::Tcp => self
                .by_state
                .get(state as usize)
                .copied()
                .unwrap_or(self.udp),
            Protocol::Udp if port == DNS => self.udp_dns,
            Protocol::Udp => self.udp,
            Protocol::Icmp => self.icmp,
        }
    }
}
