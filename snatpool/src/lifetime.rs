//! How long a session lives: timers, and the state that picks one.

pub(crate) mod tcp;

use core::time::Duration;

use crate::record::{Hot, Kind};
use crate::time::{TICK, Ticks};
use crate::tuple::{Family, Protocol};

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
    /// TCP: both did, then whoever opened the session sent a SYN that may be an old duplicate. A
    /// SYN of the other side proves that it was not.
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
    /// By protocol, then state.
    table: [Ticks; PROTOCOLS * STATES],
    udp_dns: Ticks,
}

const PROTOCOLS: usize = 4;
/// No less than there are, so that a mask bounds the index.
const STATES: usize = 16;

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
        let mut table = [ticks(Timer::Udp); PROTOCOLS * STATES];
        for state in State::ALL {
            for (protocol, lifetime) in [
                (Protocol::Tcp, tcp(state)),
                (Protocol::Udp, ticks(Timer::Udp)),
                (Protocol::Icmp, ticks(Timer::Icmp)),
            ] {
                let number = Kind::new(protocol, Family::Ipv4, Family::Ipv4).protocol_number();
                if let Some(place) = table.get_mut(number * STATES + state as usize) {
                    *place = lifetime;
                }
            }
        }
        Self {
            table,
            udp_dns: ticks(Timer::UdpDns),
        }
    }

    /// The longest of them.
    pub(crate) fn longest(&self) -> Ticks {
        self.table
            .into_iter()
            .fold(self.udp_dns, |longest, lifetime| longest.max(lifetime))
    }

    /// How long a session outlives its last refresh.
    pub(crate) fn of(&self, hot: &Hot) -> Ticks {
        if is_dns(hot) {
            return self.udp_dns;
        }
        let index = hot.kind.protocol_number() * STATES + hot.state as usize;
        self.table.get(index).copied().unwrap_or(self.udp_dns)
    }

    /// The deadlines of sessions that are refreshed at `seen`.
    pub(crate) fn deadlines(&self, seen: Ticks) -> Deadlines {
        let of = |state| {
            core::array::from_fn(|protocol| {
                let lifetime = self.table.get(protocol * STATES + state as usize);
                seen.plus(lifetime.copied().unwrap_or(self.udp_dns))
            })
        };
        let [_, udp, icmp, other] = of(State::Confirmed);
        let [tcp, ..] = of(State::Established);
        Deadlines {
            table: [tcp, udp, icmp, other],
            udp_dns: seen.plus(self.udp_dns),
        }
    }
}

/// When sessions that move data end, by protocol, if one moment's packet was their last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadlines {
    table: [Ticks; PROTOCOLS],
    udp_dns: Ticks,
}

impl Deadlines {
    #[inline]
    pub(crate) fn of(&self, hot: &Hot) -> Ticks {
        let known = self.table.get(hot.kind.protocol_number());
        match known {
            Some(due) if !is_dns(hot) => *due,
            Some(_) | None => self.udp_dns,
        }
    }
}

#[inline]
fn is_dns(hot: &Hot) -> bool {
    hot.peer_port == DNS && hot.kind.protocol() == Protocol::Udp
}
