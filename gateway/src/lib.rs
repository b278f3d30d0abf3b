#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

extern crate alloc;

// The way of a packet, in the order in which it meets them.
mod classify;
mod dns;
mod flow;
mod local;
mod martian;
mod sorry;
mod streams;

// What waits, what is kept beside the libraries, what is told.
mod arena;
mod event;
mod recipes;
mod sockets;
mod stats;
mod tuple;
mod wire;

mod handover;
mod setup;
mod shown;
mod trace;

pub mod pcapng;
pub mod sim;
pub mod store;
pub mod story;

use alloc::collections::{BTreeMap, VecDeque};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::ops::Range;
use core::time::Duration;

use dns46::{Dns46, OperationId, StoreOperation, StoreReply};
use dnscache::{ConnectionLimits, Connections, Resolver};
use egress_config::Plan;
use nat46::offload::Offload;
use nat46::packet::Packet;
use nat46::packet::build::UDP_HEADROOM;
use nat46::{HEADROOM, IcmpError, PacketBuf};
use snatpool::{SessionId, SnatPool};

use crate::arena::{Arena, Held, Leaving, Limits};
use crate::classify::{Classifier, Way};
use crate::recipes::Recipes;
use crate::setup::{Parts, Translators};
use crate::sockets::{Connection, Sockets};
use crate::sorry::Sorry;
use crate::streams::Servers;

pub use crate::classify::Side;
pub use crate::event::Event;
pub use crate::handover::TakenOver;
pub use crate::setup::{Options, SetupError};
pub use crate::stats::{Carried, DropReason, Stats};
pub use crate::trace::{Probe, Step, Trace};

/// Bytes of a buffer that holds any packet, with room for a longer header.
pub const BUFFER: usize = HEADROOM + 65_535;

/// Events that may wait to be taken; further ones are counted and lost.
const EVENTS: usize = 4096;

/// An egress gateway without I/O: packets, store replies and time in; packets, store operations and
/// events out.
///
/// ```no_run
/// # use core::time::Duration;
/// # use dns46::{StoreOperation, StoreReply};
/// # use egress_gateway::{Gateway, Side};
/// # trait Host {
/// #     fn now(&self) -> Duration;
/// #     fn read(&mut self, bytes: &mut [u8]) -> (Side, usize);
/// #     fn write(&mut self, side: Side, packet: &[u8]);
/// #     fn store(&mut self, operation: StoreOperation) -> StoreReply;
/// #     fn wait_for_packet(&mut self, until: Option<Duration>);
/// # }
/// # fn run(mut gateway: Gateway, mut host: impl Host) -> Option<()> {
/// use egress_gateway::{BUFFER, Verdict};
/// use nat46::{HEADROOM, PacketBuf};
///
/// let mut bytes = vec![0; BUFFER];
/// loop {
///     let (side, len) = host.read(&mut bytes[HEADROOM..]);
///     let mut buf = PacketBuf::new(&mut bytes, HEADROOM..HEADROOM + len)?;
///     match gateway.handle_packet(host.now(), side, &mut buf) {
///         Verdict::Forward => host.write(side.opposite(), buf.as_bytes()),
///         Verdict::Reply => host.write(side, buf.as_bytes()),
///         Verdict::Consumed | Verdict::Drop(_) => {}
///     }
///     while let Some(operation) = gateway.poll_store() {
///         let reply = host.store(operation);
///         gateway.handle_store(host.now(), operation.id, reply);
///     }
///     while let Some(transmit) = gateway.poll_transmit(host.now(), &mut bytes) {
///         host.write(transmit.side, &bytes[transmit.range]);
///     }
///     while let Some(event) = gateway.poll_event() {
///         println!("{event:?}");
///     }
///     host.wait_for_packet(gateway.poll_timeout());
///     gateway.handle_timeout(host.now());
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct Gateway {
    classifier: Classifier,
    dns46: Dns46,
    snat: SnatPool,
    translators: Translators,
    resolver: Option<Resolver>,
    sockets: Sockets,
    servers: Servers,
    clients: Connections,
    /// Clients that may have sent more than could be asked at once.
    unread: Vec<Connection>,
    sorry: Sorry,
    recipes: Recipes,
    arena: Arena,
    /// Whose query waits for which mapping to be stored.
    storing: BTreeMap<dns46::Ticket, dnscache::Ticket>,
    events: VecDeque<Event>,
    stats: Stats,
    inside_mtu: u32,
    outside_mtu: u32,
    /// An unsolicited SYN may meet its counterpart, since bindings are endpoint-independent.
    holds_syns: bool,
    /// DNS messages under construction, with room for the headers in front.
    message: Box<[u8]>,
    /// Synthesized replies on their way from `dns46` to the cache.
    made: Box<[u8]>,
    /// The latest moment that was told.
    now: Duration,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// The buffer holds the packet as it leaves on the other side.
    Forward,
    /// The buffer holds an answer to its sender.
    Reply,
    /// The gateway has it; whatever comes of it leaves by [`Gateway::poll_transmit`].
    Consumed,
    /// Nothing leaves.
    Drop(DropReason),
}

/// A packet that leaves beside the verdicts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where it is sent.
    pub side: Side,
    /// Where it stands in the lent buffer.
    pub range: Range<usize>,
    /// What is left to the device.
    pub offload: Offload,
}

impl Transmit {
    fn of(side: Side, buf: &PacketBuf<'_>) -> Self {
        Self {
            side,
            range: buf.range(),
            offload: buf.offload(),
        }
    }

    fn plain(side: Side, range: Range<usize>) -> Self {
        Self {
            side,
            range,
            offload: Offload::NONE,
        }
    }
}

impl Gateway {
    /// A gateway that carries out `plan`. `seed` must be unpredictable: from it come ports, DNS
    /// identifiers and the keys of all hashes. Equal seeds make equal runs.
    ///
    /// # Errors
    ///
    /// If a part refuses its share of the plan.
    pub fn new(plan: &Plan, seed: [u8; 32]) -> Result<Self, SetupError> {
        Self::with_options(plan, &Options::default(), seed)
    }

    /// The same, with choices that the resources have no words for.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_options(
        plan: &Plan,
        options: &Options,
        seed: [u8; 32],
    ) -> Result<Self, SetupError> {
        let parts = Parts::new(plan, options, seed)?;
        Ok(Self {
            classifier: parts.classifier,
            dns46: parts.dns46,
            snat: parts.snat,
            translators: parts.translators,
            resolver: parts.resolver,
            sockets: parts.sockets,
            servers: Servers::default(),
            clients: Connections::new(ConnectionLimits::default()),
            unread: Vec::new(),
            sorry: Sorry::new(options),
            recipes: Recipes::default(),
            arena: Arena::new(Limits::default()),
            storing: BTreeMap::new(),
            events: VecDeque::new(),
            stats: Stats::default(),
            inside_mtu: parts.inside_mtu,
            outside_mtu: parts.outside_mtu,
            holds_syns: options.endpoint_independent.is_some(),
            message: vec![0; UDP_HEADROOM + usize::from(u16::MAX)].into(),
            made: vec![0; usize::from(u16::MAX)].into(),
            now: Duration::ZERO,
        })
    }

    /// A packet arrived on `side`, from its IP header on. `buf` has [`HEADROOM`] bytes in front of it,
    /// or as many behind.
    pub fn handle_packet(&mut self, now: Duration, side: Side, buf: &mut PacketBuf<'_>) -> Verdict {
        self.now = now;
        let family = is_ipv6(buf.as_bytes());
        let verdict = self.route(now, side, buf);
        self.stats.count(&verdict);
        if verdict == Verdict::Forward {
            self.stats.count_carried(side, family, buf.as_bytes());
        }
        self.turn(now);
        verdict
    }

    /// The life of a packet: checked once, then one way, then the bytes are touched once.
    fn route(&mut self, now: Duration, side: Side, buf: &mut PacketBuf<'_>) -> Verdict {
        let packet = match Packet::parse(buf.as_bytes()) {
            Ok(packet) => packet,
            Err(error) => return Verdict::Drop(DropReason::Malformed(error)),
        };
        match self.classifier.classify(side, &packet) {
            Ok(Way::Dns) => self.intercept(now, &packet, buf),
            Ok(Way::Sorry) => self.client_segment(now, &packet, buf),
            Ok(way @ (Way::Nat46(_) | Way::Nat64(_) | Way::Snat)) => {
                self.outbound(now, way, &packet, buf)
            }
            Ok(Way::Return) => self.inbound(now, &packet, buf),
            Ok(Way::Plain) => self.plain(now, side, &packet, buf),
            Ok(Way::Local) => self.local(&packet, buf),
            Err(reason) => Verdict::Drop(reason),
        }
    }

    /// The next packet that leaves beside the verdicts: pieces of packets, released packets, answers
    /// to queries that had to wait, queries to upstream servers. It stands at the range of `buf`,
    /// which has [`BUFFER`] bytes.
    pub fn poll_transmit(&mut self, now: Duration, buf: &mut [u8]) -> Option<Transmit> {
        self.now = now;
        while let Some(leaving) = self.arena.poll() {
            let sent = self.leave(now, leaving, buf);
            self.turn(now);
            if sent.is_some() {
                return sent;
            }
        }
        let sent = self.own_segment(now, buf).or_else(|| {
            let range = self.ask_upstream(now, buf)?;
            Some(Transmit::plain(Side::Outside, range))
        });
        self.turn(now);
        sent
    }

    /// A packet leaves the arena.
    fn leave(&mut self, now: Duration, leaving: Leaving, buf: &mut [u8]) -> Option<Transmit> {
        let (Leaving::Again(Held {
            side,
            bytes,
            offload,
        })
        | Leaving::Of(
            _,
            Held {
                side,
                bytes,
                offload,
            },
        )
        | Leaving::Unreachable(Held {
            side,
            bytes,
            offload,
        })
        | Leaving::Unanswered(Held {
            side,
            bytes,
            offload,
        })
        | Leaving::Send(Held {
            side,
            bytes,
            offload,
        })) = &leaving;
        let side = *side;
        let place = HEADROOM..HEADROOM + bytes.len();
        buf.get_mut(place.clone())?.copy_from_slice(bytes);
        let mut buf = PacketBuf::new(buf, place)?.with_offload(*offload);
        let family = is_ipv6(buf.as_bytes());
        let verdict = match leaving {
            Leaving::Send(_) => Verdict::Reply,
            Leaving::Again(_) => self.route(now, side, &mut buf),
            Leaving::Of(session, _) => match Packet::parse(buf.as_bytes()) {
                Ok(packet) => self.translate(now, session, side, &packet, &mut buf),
                Err(error) => Verdict::Drop(DropReason::Malformed(error)),
            },
            Leaving::Unreachable(_) => {
                let reason = DropReason::Unmapped;
                self.refuse_held(now, side, reason, IcmpError::HostUnreachable, &mut buf)
            }
            Leaving::Unanswered(_) => {
                let reason = DropReason::SynUnanswered;
                self.refuse_held(now, side, reason, IcmpError::PortUnreachable, &mut buf)
            }
        };
        self.stats.count(&verdict);
        match verdict {
            Verdict::Forward => {
                self.stats.count_carried(side, family, buf.as_bytes());
                Some(Transmit::of(side.opposite(), &buf))
            }
            Verdict::Reply => Some(Transmit::of(side, &buf)),
            Verdict::Consumed | Verdict::Drop(_) => None,
        }
    }

    fn refuse_held(
        &mut self,
        now: Duration,
        side: Side,
        reason: DropReason,
        error: IcmpError,
        buf: &mut PacketBuf<'_>,
    ) -> Verdict {
        match Packet::parse(buf.as_bytes()) {
            Ok(packet) if reason == DropReason::Unmapped && self.answers_miss(&packet) => {
                self.client_segment(now, &packet, buf)
            }
            Ok(packet) => self.refuse(now, side, reason, error, &packet, buf),
            Err(error) => Verdict::Drop(DropReason::Malformed(error)),
        }
    }

    /// The next thing for the store to do.
    pub fn poll_store(&mut self) -> Option<StoreOperation> {
        self.dns46.poll_store()
    }

    /// What the store replied.
    pub fn handle_store(&mut self, now: Duration, id: OperationId, reply: StoreReply) {
        self.now = now;
        self.dns46.handle_store(now, id, reply);
        self.turn(now);
    }

    /// Somebody else changed the store's entry of an address; see [`Dns46::learn`].
    pub fn learn(
        &mut self,
        now: Duration,
        address: Ipv4Addr,
        host: Option<Ipv6Addr>,
    ) -> dns46::Learned {
        self.now = now;
        let learned = self.dns46.learn(now, address, host);
        self.turn(now);
        learned
    }

    /// The store that replicas share cannot be reached; see [`Dns46::forget_known`].
    pub fn forget_known(&mut self, now: Duration) {
        self.now = now;
        self.dns46.forget_known(now);
        self.turn(now);
    }

    /// What happened, oldest first.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next; the past while anything waits to
    /// be polled.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        if self.arena.is_ready() || self.sockets.has_packet() {
            return Some(self.now);
        }
        [
            self.arena.poll_timeout(),
            self.snat.poll_timeout(),
            self.dns46.poll_timeout(),
            self.sockets.poll_timeout(),
            self.clients.poll_timeout(),
            self.resolver.as_ref().and_then(Resolver::poll_timeout),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Lets time pass; early or late calls do no harm.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.now = now;
        self.snat.handle_timeout(now);
        self.dns46.handle_timeout(now);
        self.sockets.handle_timeout(now);
        self.close_idle_clients(now);
        if let Some(resolver) = &mut self.resolver {
            resolver.handle_timeout(now);
        }
        let expired = self.arena.expire(now);
        self.stats.count_drops(&DropReason::Expired, expired);
        self.turn(now);
    }

    /// Passes on what the parts have to tell each other, until none has anything left to tell.
    fn turn(&mut self, now: Duration) {
        loop {
            let told = self.turn_flows(now)
                | self.turn_mappings(now)
                | self.turn_queries(now)
                | self.turn_streams(now);
            if !told {
                return;
            }
        }
    }

    fn tell(&mut self, event: Event) {
        if self.events.len() < EVENTS {
            self.events.push_back(event);
        } else {
            self.stats.events_lost += 1;
        }
    }

    /// Takes in what the store held at the start; gives how many mappings were taken.
    pub fn load(
        &mut self,
        now: Duration,
        mappings: impl IntoIterator<Item = (Ipv4Addr, Ipv6Addr)>,
    ) -> usize {
        let taken = self.dns46.load(now, mappings);
        self.turn(now);
        taken
    }

    /// Lets an address of the reserved range stand for `host` until it is removed.
    ///
    /// # Errors
    ///
    /// If the address is not reserved, or one of the two is taken.
    pub fn set_mapping(
        &mut self,
        now: Duration,
        address: Ipv4Addr,
        host: Ipv6Addr,
    ) -> Result<(), dns46::StaticError> {
        self.now = now;
        let result = self.dns46.set_static(now, address, host);
        self.turn(now);
        result
    }

    /// Ends a mapping at once, with every cached answer that may speak of it; gives its host until
    /// now.
    pub fn remove_mapping(&mut self, now: Duration, address: Ipv4Addr) -> Option<Ipv6Addr> {
        self.now = now;
        let host = self.dns46.remove(now, address);
        self.turn(now);
        host
    }

    /// Ends a session at once; whether it was live.
    pub fn close_session(&mut self, now: Duration, session: SessionId) -> bool {
        self.now = now;
        let was_live = self.snat.close(now, session);
        self.turn(now);
        was_live
    }

    /// The gateway's own address for packets to `peer`.
    fn self_ip(&self, peer: IpAddr) -> Option<IpAddr> {
        let mut own = self.classifier.external_self_ips.iter().copied();
        own.find(|own| own.is_ipv4() == peer.is_ipv4())
    }
}

/// The family of a packet's bytes.
fn is_ipv6(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| first >> 4 == 6)
}
