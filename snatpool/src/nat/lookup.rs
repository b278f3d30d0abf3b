//! Packets of known flows.

use core::net::IpAddr;
use core::time::Duration;

use super::SnatPool;
use crate::config::{Filter, Mapping};
use crate::key::{InboundKey, OutboundKey, peer_port};
use crate::lifetime::tcp::{self, Step};
use crate::lifetime::{Class, State};
use crate::record::{Hot, Kind, Octets};
use crate::refused::Refused;
use crate::session::SessionId;
use crate::syn::SynTicket;
use crate::tuple::{Family, Protocol, Side, Signal, TcpFlags, TransportAddress, Tuple};

/// What a packet's tuple leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Lookup {
    /// Its session.
    Session(SessionId),
    /// No session. From inside: [`SnatPool::bind`] makes one. From outside: not for us.
    Miss,
    /// From outside: an endpoint-independent binding lets this packet in;
    /// [`SnatPool::accept`] makes its session.
    Admit {
        /// The client that the packet is for.
        inside: TransportAddress,
    },
    /// From outside: an unsolicited SYN. Keep the packet until
    /// [`Event::SynUnanswered`](crate::Event::SynUnanswered) or
    /// [`Event::SynDropped`](crate::Event::SynDropped) names the ticket (RFC 5382 REQ-4).
    Hold(SynTicket),
    /// Drop it.
    Refused(Refused),
}

impl SnatPool {
    /// Finds the session of a packet from inside, and moves its state and timer. `tuple` is the
    /// packet's as it is on the wire inside.
    ///
    /// Work on an established session is two cache lines read and one word written; nothing is
    /// allocated.
    pub fn outbound(&mut self, now: Duration, tuple: &Tuple, signal: Signal) -> Lookup {
        self.clock(now);
        match outbound_key(tuple) {
            Some(key) => self.outbound_at(key.hash(&self.keys), &key, tuple, signal),
            None => self.refuse(Refused::MixedFamilies),
        }
    }

    #[inline]
    pub(super) fn outbound_at(
        &mut self,
        hash: u64,
        key: &OutboundKey,
        tuple: &Tuple,
        signal: Signal,
    ) -> Lookup {
        let first = self.table.first_outbound(hash);
        first
            .and_then(|slot| self.stamp(slot, |hot| key.is(hot), Side::Inside, signal))
            .map_or_else(
                || self.search_outbound(hash, tuple, signal),
                Lookup::Session,
            )
    }

    /// All that [`stamp`](Self::stamp) leaves. Takes no key, so that one need not be in memory.
    #[inline(never)]
    fn search_outbound(&mut self, hash: u64, tuple: &Tuple, signal: Signal) -> Lookup {
        let Some(key) = outbound_key(tuple).filter(|_| fits(tuple.protocol, signal)) else {
            return self.refuse(Refused::BadFlags);
        };
        match self.table.outbound(hash, &key) {
            Some(slot) if self.settle(slot) => {
                self.advance(slot, Side::Inside, signal);
                Lookup::Session(self.table.id(slot))
            }
            Some(_) | None => Lookup::Miss,
        }
    }

    /// Finds the session of a packet from outside, and moves its state and timer. `tuple` is the
    /// packet's as it is on the wire outside: `source` is the peer, `destination` the SNAT
    /// transport address.
    pub fn inbound(&mut self, now: Duration, tuple: &Tuple, signal: Signal) -> Lookup {
        self.clock(now);
        match self.inbound_key(tuple) {
            Some(key) => self.inbound_at(key.hash(&self.keys), &key, tuple, signal),
            None => self.foreign(tuple),
        }
    }

    #[inline]
    pub(super) fn inbound_at(
        &mut self,
        hash: u64,
        key: &InboundKey,
        tuple: &Tuple,
        signal: Signal,
    ) -> Lookup {
        let first = self.table.first_inbound(hash);
        first
            .and_then(|slot| self.stamp(slot, |hot| key.is(hot), Side::Outside, signal))
            .map_or_else(|| self.search_inbound(hash, tuple, signal), Lookup::Session)
    }

    #[inline(never)]
    fn search_inbound(&mut self, hash: u64, tuple: &Tuple, signal: Signal) -> Lookup {
        if !fits(tuple.protocol, signal) {
            return self.refuse(Refused::BadFlags);
        }
        let Some(key) = self.inbound_key(tuple) else {
            return self.foreign(tuple);
        };
        match self.table.inbound(hash, &key) {
            Some(slot) if self.settle(slot) => {
                self.advance(slot, Side::Outside, signal);
                Lookup::Session(self.table.id(slot))
            }
            Some(_) | None => self.unsolicited(&key, tuple, signal),
        }
    }

    /// The session of the packet that an ICMP error quotes. An error from outside quotes what
    /// left: `source` is the SNAT transport address. One from inside quotes what was delivered:
    /// `destination` is the client.
    ///
    /// It neither refreshes the session nor ends it (RFC 5508 REQ-6, RFC 5382 REQ-10, RFC 4787
    /// REQ-12), and nothing is asked of the error's own source (RFC 4787 REQ-12a).
    #[must_use]
    pub fn quoted(&self, side: Side, tuple: &Tuple) -> Option<SessionId> {
        let slot = match side {
            Side::Outside => {
                let key = self.inbound_key(&tuple.reversed())?;
                self.table.inbound(key.hash(&self.keys), &key)?
            }
            Side::Inside => {
                let key = outbound_key(&tuple.reversed())?;
                self.table.outbound(key.hash(&self.keys), &key)?
            }
        };
        let id = self.table.id(slot);
        (self.table.live(id).is_some() && self.due(slot)? > self.now).then_some(id)
    }

    /// The key of a packet from outside; `None` for one that is to no address of ours.
    #[inline(always)]
    pub(super) fn inbound_key(&self, tuple: &Tuple) -> Option<InboundKey> {
        let family = tuple.family()?;
        let address = self.pools.find(tuple.destination.address)?;
        Some(InboundKey::new(
            address,
            tuple.destination.port,
            Octets::of(tuple.source.address),
            peer_port(tuple.protocol, tuple.source.port),
            Kind::new(tuple.protocol, family, family),
        ))
    }

    /// A packet from outside that has no key.
    #[cold]
    pub(super) fn foreign(&mut self, tuple: &Tuple) -> Lookup {
        match tuple.family() {
            Some(_) => Lookup::Miss,
            None => self.refuse(Refused::MixedFamilies),
        }
    }

    /// A packet from outside that has no session.
    #[cold]
    fn unsolicited(&mut self, key: &InboundKey, tuple: &Tuple, signal: Signal) -> Lookup {
        let Some(entry) = self.pools.address(key.address()) else {
            return Lookup::Miss;
        };
        let mut admit = None;
        match entry.mapping {
            Mapping::PerFlow => {}
            Mapping::EndpointIndependent => {
                let found =
                    self.bindings
                        .outside(&self.keys, tuple.protocol, key.address(), key.port());
                if let Some(slot) = found {
                    match self.admits(slot, key.peer(), entry.filter, entry.inbound_sessions) {
                        Ok(inside) => admit = Some(inside),
                        // A SYN is held instead (RFC 6146 §3.5.2.2).
                        Err(_) if signal != Signal::None && opens(signal) => {}
                        Err(why) => return self.refuse(why),
                    }
                }
            }
        }
        match (admit, signal) {
            (Some(inside), _) if opens(signal) => Lookup::Admit { inside },
            (Some(_), _) => self.refuse(Refused::NotOpening),
            (None, Signal::Tcp { .. }) if opens(signal) => match self.syns.hold(self.now, tuple) {
                Ok(ticket) => Lookup::Hold(ticket),
                Err(why) => self.refuse(why),
            },
            (None, Signal::Tcp { .. } | Signal::None) => Lookup::Miss,
        }
    }

    /// The client behind a binding, if a packet from `peer` may pass (RFC 4787 REQ-8).
    pub(super) fn admits(
        &self,
        binding: u32,
        peer: Octets,
        filter: Filter,
        most: u16,
    ) -> Result<TransportAddress, Refused> {
        let entry = self.bindings.get(binding).ok_or(Refused::Filtered)?;
        let passes = match filter {
            Filter::Endpoint => true,
            Filter::Address => self.bindings.knows(&self.keys, binding, peer),
            // A transport address that the client has sent to has a session.
            Filter::AddressPort => false,
        };
        if !passes {
            return Err(Refused::Filtered);
        }
        if entry.inbound >= most {
            return Err(Refused::QuotaInbound);
        }
        let address = entry.client.to_address(entry.kind.inside());
        Ok(TransportAddress::new(address, entry.client_port))
    }

    /// All the work that most packets make: the first session that the index names is the one, it
    /// lives, stays in the state in which data flows, and is refreshed. `None` where there is more
    /// to it.
    #[inline(always)]
    fn stamp(
        &mut self,
        slot: u32,
        is: impl FnOnce(&Hot) -> bool,
        side: Side,
        signal: Signal,
    ) -> Option<SessionId> {
        let hot = self.table.hot.get_mut(slot as usize)?;
        let flows = match signal {
            Signal::None if side == Side::Inside || self.policy.inbound_refresh => State::Confirmed,
            Signal::Tcp { flags, .. } if flags == TcpFlags::ACK && !self.policy.validate_rst => {
                State::Established
            }
            Signal::None | Signal::Tcp { .. } => return None,
        };
        if !(hot.state == flows && hot.due > self.now && is(hot)) {
            return None;
        }
        hot.due = self.fresh.of(hot);
        let generation = hot.generation;
        Some(SessionId { slot, generation })
    }

    /// Ends a session whose time is over, though no timer has fired yet; `false` if it is no more.
    #[inline]
    pub(super) fn settle(&mut self, slot: u32) -> bool {
        let closed = self
            .table
            .hot
            .get(slot as usize)
            .is_none_or(|hot| hot.kind.closed());
        if closed {
            return false;
        }
        match self.due(slot) {
            Some(due) if due > self.now => true,
            Some(_) | None => self.expire(slot),
        }
    }

    /// Moves a live session by one packet.
    #[inline]
    pub(super) fn advance(&mut self, slot: u32, side: Side, signal: Signal) {
        let Some(hot) = self.table.hot.get_mut(slot as usize) else {
            return;
        };
        let Step { state, refresh } = match signal {
            Signal::Tcp { flags, sequence } => {
                let quiet = !flags.ends() && !flags.contains(TcpFlags::SYN);
                if quiet && hot.state == State::Established && !self.policy.validate_rst {
                    Step {
                        state: State::Established,
                        refresh: true,
                    }
                } else {
                    let Some(cold) = self.table.cold.get_mut(slot as usize) else {
                        return;
                    };
                    let (noted, other) = match side {
                        Side::Inside => (&mut cold.sequence_in, &mut cold.sequence_out),
                        Side::Outside => (&mut cold.sequence_out, &mut cold.sequence_in),
                    };
                    // Of a pinned session other segments pass elsewhere.
                    let judged = self.policy.validate_rst && !hot.kind.pinned();
                    let plausible = !judged || tcp::plausible(sequence, *noted);
                    let rst = flags.contains(TcpFlags::RST);
                    if rst && !plausible {
                        self.counters.implausible_rst();
                        return;
                    }
                    let newer = tcp::beyond(sequence, *noted);
                    let from_outside = hot.kind.is_from_outside();
                    let step = tcp::step(hot.state, side, flags, newer, from_outside);
                    let by_opener = from_outside == (side == Side::Outside);
                    let syn = flags.contains(TcpFlags::SYN);
                    if syn && tcp::begins(hot.state, step.state, by_opener) {
                        *noted = if judged { sequence } else { 0 };
                        *other = 0;
                    } else if judged && syn && tcp::is_handshake(hot.state) {
                        *noted = sequence;
                    } else if plausible
                        && (flags.contains(TcpFlags::FIN) || (judged && newer && !rst))
                    {
                        // A blind guess must not move what later segments are judged by.
                        *noted = sequence;
                    }
                    step
                }
            }
            Signal::None => {
                let answer = hot.kind.is_from_outside() == (side == Side::Inside);
                let state = if answer { State::Confirmed } else { hot.state };
                let refresh = side == Side::Inside || self.policy.inbound_refresh;
                Step { state, refresh }
            }
        };
        if state == hot.state && state.class() == Class::Protected {
            if refresh {
                hot.due = self.seen.plus(self.lifetimes.of(hot));
            }
        } else if state != hot.state || refresh {
            self.shift(slot, state, refresh);
        }
    }

    /// Counts a refusal of a packet.
    pub(super) fn refuse(&mut self, why: Refused) -> Lookup {
        self.counters.refused(why);
        Lookup::Refused(why)
    }
}

/// The key of a packet from inside; `None` for one that cannot be.
#[inline]
pub(super) fn outbound_key(tuple: &Tuple) -> Option<OutboundKey> {
    // One key for each family: neither then pays for what they do not share.
    let key = |family| OutboundKey::new(tuple, Kind::new(tuple.protocol, family, family));
    match (tuple.source.address, tuple.destination.address) {
        (IpAddr::V6(_), IpAddr::V6(_)) => Some(key(Family::Ipv6)),
        (IpAddr::V4(_), IpAddr::V4(_)) => Some(key(Family::Ipv4)),
        (IpAddr::V6(_), IpAddr::V4(_)) | (IpAddr::V4(_), IpAddr::V6(_)) => None,
    }
}

/// Whether a signal can be of this protocol and of a real TCP.
#[inline]
pub(super) const fn fits(protocol: Protocol, signal: Signal) -> bool {
    match (protocol, signal) {
        (Protocol::Tcp, Signal::Tcp { flags, .. }) => flags.is_sane(),
        (Protocol::Udp | Protocol::Icmp, Signal::None) => true,
        (Protocol::Tcp, Signal::None) | (Protocol::Udp | Protocol::Icmp, Signal::Tcp { .. }) => {
            false
        }
    }
}

/// Whether a packet may begin a session.
pub(super) const fn opens(signal: Signal) -> bool {
    match signal {
        Signal::None => true,
        Signal::Tcp { flags, .. } => flags.is_opening(),
    }
}
