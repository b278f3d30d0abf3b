//! Packets that must wait: for a mapping that the store is asked for, or for their first fragment.
//!
//! The libraries keep keys only and say *hold*, *release* or *expire* for a ticket; the bytes live
//! here, bounded in number, bytes and time. What does not fit is refused: the newcomer drops.

use alloc::collections::{BTreeMap, VecDeque};
use core::time::Duration;

use bytes::Bytes;
use nat46::offload::Offload;
use snatpool::SessionId;

use crate::classify::Side;

/// How much may wait, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Bytes of all held packets together.
    pub(crate) bytes: usize,
    /// Packets held under one ticket.
    pub(crate) packets_per_ticket: usize,
    /// A packet older than this is dropped, but for a SYN, whose time `snatpool` knows.
    pub(crate) age: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        // 256 KiB is what Linux grants IPv6 reassembly (bindings 5.3); 2 s is FRAGMENT_MIN, RFC 6146 §4.
        Self {
            bytes: 256 * 1024,
            packets_per_ticket: 64,
            age: Duration::from_secs(2),
        }
    }
}

/// What a held packet waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Hold {
    /// The store is being asked for a mapping.
    Mapping(dns46::Ticket),
    /// The first fragment has not been seen.
    Fragment(snatpool::Ticket),
    /// An unsolicited SYN, whose counterpart may be on its way (RFC 5382 REQ-4).
    Syn(snatpool::SynTicket),
}

/// A packet as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// The side it arrived on.
    pub(crate) side: Side,
    /// The whole packet, from its IP header on.
    pub(crate) bytes: Bytes,
    pub(crate) offload: Offload,
}

/// The bytes of packets that wait, by what they wait for.
#[derive(Debug, Default)]
pub(crate) struct Arena {
    limits: Limits,
    waiting: BTreeMap<Hold, Waiting>,
    bytes: usize,
    /// Released packets and generated ones, in the order in which they leave.
    leaving: VecDeque<Leaving>,
}

#[derive(Debug)]
struct Waiting {
    packets: VecDeque<Held>,
    expires_at: Duration,
}

impl Waiting {
    fn bytes(&self) -> usize {
        self.packets.iter().map(|held| held.bytes.len()).sum()
    }
}

/// A packet on its way out of the arena.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Leaving {
    /// To be handled as if it had just arrived.
    Again(Held),
    /// A fragment whose session is known now.
    Of(SessionId, Held),
    /// To be refused with an ICMP host unreachable: what it waited for is not there.
    Unreachable(Held),
    /// To be refused with an ICMP port unreachable: nobody answered the SYN.
    Unanswered(Held),
    /// Finished bytes, to be sent on this side.
    Send(Held),
}

impl Arena {
    /// An empty arena with the given bounds.
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Keeps a copy of `bytes` until `hold` is released or expires. `false`: no room, the packet drops.
    pub(crate) fn hold(
        &mut self,
        now: Duration,
        hold: Hold,
        side: Side,
        bytes: &[u8],
        offload: Offload,
    ) -> bool {
        if self.bytes.saturating_add(bytes.len()) > self.limits.bytes {
            return false;
        }
        let expires_at = match hold {
            Hold::Mapping(_) | Hold::Fragment(_) => now.saturating_add(self.limits.age),
            Hold::Syn(_) => Duration::MAX,
        };
        let waiting = self.waiting.entry(hold).or_insert_with(|| Waiting {
            packets: VecDeque::new(),
            expires_at,
        });
        if waiting.packets.len() >= self.limits.packets_per_ticket {
            return false;
        }
        self.bytes += bytes.len();
        waiting.packets.push_back(Held {
            side,
            bytes: Bytes::copy_from_slice(bytes),
            offload,
        });
        true
    }

    /// What the packets waited for is here: they leave in arrival order.
    pub(crate) fn release(&mut self, hold: Hold) {
        self.leave(hold, Leaving::Again);
    }

    /// What the packets waited for does not exist: their senders are told.
    pub(crate) fn refuse(&mut self, hold: Hold) {
        self.leave(hold, Leaving::Unreachable);
    }

    /// The SYN found no counterpart: its sender is told.
    pub(crate) fn unanswered(&mut self, hold: Hold) {
        self.leave(hold, Leaving::Unanswered);
    }

    /// The session of held fragments is known.
    pub(crate) fn release_to(&mut self, hold: Hold, session: SessionId) {
        self.leave(hold, |held| Leaving::Of(session, held));
    }

    fn leave(&mut self, hold: Hold, how: impl Fn(Held) -> Leaving) {
        if let Some(waiting) = self.waiting.remove(&hold) {
            self.leaving.extend(waiting.packets.into_iter().map(how));
        }
    }

    /// Queues finished bytes, such as the pieces of a split packet. `false`: no room.
    pub(crate) fn send(&mut self, side: Side, bytes: &[u8], offload: Offload) -> bool {
        if self.bytes.saturating_add(bytes.len()) > self.limits.bytes {
            return false;
        }
        self.bytes += bytes.len();
        self.leaving.push_back(Leaving::Send(Held {
            side,
            bytes: Bytes::copy_from_slice(bytes),
            offload,
        }));
        true
    }

    /// The next packet that leaves.
    pub(crate) fn poll(&mut self) -> Option<Leaving> {
        let leaving = self.leaving.pop_front()?;
        let (Leaving::Again(held)
        | Leaving::Of(_, held)
        | Leaving::Unreachable(held)
        | Leaving::Unanswered(held)
        | Leaving::Send(held)) = &leaving;
        self.bytes -= held.bytes.len();
        Some(leaving)
    }

    /// What the packets waited for will not come: they drop. Returns how many there were.
    pub(crate) fn forget(&mut self, hold: Hold) -> u64 {
        let Some(waiting) = self.waiting.remove(&hold) else {
            return 0;
        };
        self.bytes -= waiting.bytes();
        waiting.packets.len() as u64
    }

    /// Drops what has waited too long and returns how many packets that were.
    pub(crate) fn expire(&mut self, now: Duration) -> u64 {
        let mut dropped = 0;
        self.waiting.retain(|_, waiting| {
            if waiting.expires_at > now {
                return true;
            }
            dropped += waiting.packets.len() as u64;
            self.bytes -= waiting.bytes();
            false
        });
        dropped
    }

    /// Whether something is ready to leave.
    pub(crate) fn is_ready(&self) -> bool {
        !self.leaving.is_empty()
    }

    /// When the next packet expires.
    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        self.waiting
            .values()
            .map(|waiting| waiting.expires_at)
            .filter(|at| *at < Duration::MAX)
            .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(100);

    /// Two tickets, as a responder gives them for addresses that it does not know.
    fn tickets() -> [Hold; 2] {
        let address = |last| core::net::Ipv4Addr::new(10, 0, 0, last);
        let subnet = "10.0.0.0/24".parse().unwrap();
        let pool = dns46::Config::new(subnet, address(1)..=address(9), None).unwrap();
        let mut dns46 = dns46::Dns46::new(Some(pool), dns46::Settings::default(), [0; 32]);
        [20, 21].map(|last| match dns46.lookup(NOW, address(last)) {
            dns46::Lookup::Ask(ticket) => Hold::Mapping(ticket),
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn released_packets_leave_in_arrival_order() {
        let [ticket, _] = tickets();
        let mut arena = Arena::new(Limits::default());
        assert!(arena.hold(NOW, ticket, Side::Inside, b"first", Offload::NONE));
        assert!(arena.hold(NOW, ticket, Side::Inside, b"second", Offload::NONE));
        assert!(!arena.is_ready());
        arena.release(ticket);
        for expected in [&b"first"[..], b"second"] {
            let Some(Leaving::Again(held)) = arena.poll() else {
                panic!("a packet leaves")
            };
            assert_eq!(held.bytes, expected);
        }
        assert_eq!((arena.poll(), arena.bytes), (None, 0));
    }

    #[test]
    fn refused_packets_leave_as_unreachable() {
        let [ticket, _] = tickets();
        let mut arena = Arena::new(Limits::default());
        assert!(arena.hold(NOW, ticket, Side::Inside, b"packet", Offload::NONE));
        arena.refuse(ticket);
        assert!(matches!(arena.poll(), Some(Leaving::Unreachable(_))));
    }

    #[test]
    fn the_newcomer_drops_when_the_arena_is_full() {
        let [ticket, other] = tickets();
        let limits = Limits {
            bytes: 10,
            packets_per_ticket: 2,
            ..Limits::default()
        };
        let mut arena = Arena::new(limits);
        assert!(arena.hold(NOW, ticket, Side::Inside, b"12345", Offload::NONE));
        assert!(
            !arena.hold(NOW, ticket, Side::Inside, b"123456", Offload::NONE),
            "bytes"
        );
        assert!(arena.hold(NOW, ticket, Side::Inside, b"1", Offload::NONE));
        assert!(
            !arena.hold(NOW, ticket, Side::Inside, b"1", Offload::NONE),
            "packets of one ticket"
        );
        assert!(
            arena.hold(NOW, other, Side::Inside, b"1", Offload::NONE),
            "another ticket"
        );
        assert!(
            !arena.send(Side::Outside, b"12345", Offload::NONE),
            "finished bytes count too"
        );
    }

    #[test]
    fn waiting_ends_with_the_deadline() {
        let [ticket, _] = tickets();
        let limits = Limits::default();
        let mut arena = Arena::new(limits);
        assert!(arena.hold(NOW, ticket, Side::Inside, b"packet", Offload::NONE));
        assert_eq!(arena.poll_timeout(), Some(NOW + limits.age));
        assert_eq!(arena.expire(NOW + limits.age - Duration::from_nanos(1)), 0);
        assert_eq!(arena.expire(NOW + limits.age), 1);
        assert_eq!((arena.bytes, arena.poll_timeout()), (0, None));
        arena.release(ticket);
        assert_eq!(arena.poll(), None, "an expired packet is gone");
    }
}
