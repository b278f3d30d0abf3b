//! Flows through the gateway: destination looked up, source bound, both put into one rewrite.

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use dns46::Lookup as Mapped;
use egress_config::VirtualServer;
use nat46::packet::{Packet, Quoted, Transport};
use nat46::{ErrorRewrite, IcmpError, Links, PacketBuf, Rewrite};
use snatpool::{FragmentVerdict, Lookup, Refused, Session, SessionId, Tuple};

use crate::arena::Hold;
use crate::classify::Way;
use crate::setup::{OWN, PODS};
use crate::{DropReason, Event, Gateway, Side, Verdict, martian, tuple};

impl Gateway {
    /// From a pod to a host outside.
    pub(crate) fn outbound(
        &mut self,
        now: Duration,
        way: Way,
        packet: &Packet,
        buf: &mut PacketBuf<'_>,
    ) -> Verdict {
        let tuple = match packet.transport() {
            Transport::NonFirstFragment => {
                return self.later_fragment(now, Side::Inside, packet, buf);
            }
            Transport::IcmpError => {
                return self.error_from_inside(now, packet, buf);
            }
            _ => packet.tuple().as_ref().and_then(tuple::tuple),
        };
        let Some(tuple) = tuple else {
            let reason = DropReason::NoBinding;
            return self.refuse(
                now,
                Side::Inside,
                reason,
                IcmpError::ProtocolUnreachable,
                packet,
                buf,
            );
        };
        let signal = tuple::signal(packet);
        let session = match self.snat.outbound(now, &tuple, signal) {
            Lookup::Session(session) => session,
            Lookup::Refused(why) => return self.refused(now, why, &tuple, packet, buf),
            // None yet; only packets from outside are admitted or held.
            _ => {
                let host = match self.host(now, way, packet) {
                    Ok(host) => host,
                    Err(Some(hold)) => return self.hold(now, hold, Side::Inside, buf),
                    Err(None) if self.answers_miss(packet) => {
                        return self.client_segment(now, packet, buf);
                    }
                    Err(None) => {
                        let reason = DropReason::Unmapped;
                        let error = IcmpError::HostUnreachable;
                        return self.refuse(now, Side::Inside, reason, error, packet, buf);
                    }
                };
                // A name may say anything.
                if !martian::is_reachable(host) {
                    return Verdict::Drop(DropReason::MartianDestination);
                }
                match self.snat.bind(now, PODS, &tuple, host, None, signal) {
                    Ok(session) => session,
                    Err(why) => return self.refused(now, why, &tuple, packet, buf),
                }
            }
        };
        let verdict = self.of_session(now, session, Side::Inside, packet, buf);
        let is_own = self
            .classifier
            .snat_addresses
            .contains(&packet.destination());
        match verdict {
            Verdict::Forward if is_own => self.hairpin(now, buf),
            verdict => verdict,
        }
    }

    /// A packet that left for a SNAT address comes right back in, for another pod
    /// (RFC 4787 REQ-9, external source).
    fn hairpin(&mut self, now: Duration, buf: &mut PacketBuf<'_>) -> Verdict {
        let packet = match Packet::parse(buf.as_bytes()) {
            Ok(packet) => packet,
            Err(error) => return Verdict::Drop(DropReason::Malformed(error)),
        };
        match self.inbound(now, &packet, buf) {
            // It leaves on the side that it came from.
            Verdict::Forward => Verdict::Reply,
            // An error for the sender would bear the sender's SNAT address.
            Verdict::Reply => Verdict::Drop(DropReason::NoSession),
            verdict => verdict,
        }
    }

    /// The host behind a destination; or what the packet has to wait for, if there may be one.
    fn host(&mut self, now: Duration, way: Way, packet: &Packet) -> Result<IpAddr, Option<Hold>> {
        match way {
            Way::Nat46(address) => match self.dns46.lookup(now, address) {
                Mapped::Host(host) => Ok(IpAddr::V6(host)),
                Mapped::Ask(ticket) => Err(Some(Hold::Mapping(ticket))),
                Mapped::Unmapped => Err(None),
            },
            Way::Nat64(host) => Ok(IpAddr::V4(host)),
            _ => Ok(packet.destination()),
        }
    }

    /// From outside, to a SNAT address or a self IP.
    pub(crate) fn inbound(
        &mut self,
        now: Duration,
        packet: &Packet,
        buf: &mut PacketBuf<'_>,
    ) -> Verdict {
        let tuple = match packet.transport() {
            Transport::NonFirstFragment => {
                return self.later_fragment(now, Side::Outside, packet, buf);
            }
            Transport::IcmpError => {
                return self.error_from_outside(now, packet, buf);
            }
            _ => packet.tuple().as_ref().and_then(tuple::tuple),
        };
        let Some(tuple) = tuple else {
            return Verdict::Drop(DropReason::NoBinding);
        };
        let signal = tuple::signal(packet);
        let session = match self.snat.inbound(now, &tuple, signal) {
            Lookup::Session(session) => session,
            Lookup::Refused(why) => return Verdict::Drop(DropReason::Refused(why)),
            Lookup::Admit { inside } => {
                let peer = tuple.source.address;
                if peer.is_ipv4() != inside.address.is_ipv4() {
                    // A stranger of the other family has no address that the client could answer.
                    return Verdict::Drop(DropReason::NoSession);
                }
                match self.snat.accept(now, &tuple, peer, signal) {
                    Ok(session) => session,
                    Err(why) => return Verdict::Drop(DropReason::Refused(why)),
                }
            }
            // Per flow, nobody outside gets in, nor an answer.
            Lookup::Hold(ticket) if self.holds_syns => {
                return self.hold(now, Hold::Syn(ticket), Side::Outside, buf);
            }
            _ => {
                let own = &self.classifier.external_self_ips;
                if own.contains(&packet.destination()) {
                    return self.local(packet, buf);
                }
                return Verdict::Drop(DropReason::NoSession);
            }
        };
        if let Some(own) = self.own(session) {
            return match packet.transport() {
                Transport::Tcp { .. } => self.server_segment(now, &own, packet, buf),
                _ => self.upstream_datagram(now, &own, packet, buf),
            };
        }
        self.of_session(now, session, Side::Outside, packet, buf)
    }

    /// The session, if it is one of the gateway's own. Those have no recipes, so that flows of pods
    /// are told apart at a glance.
    fn own(&self, session: SessionId) -> Option<Session> {
        if self.recipes.get(session, Side::Inside.into()).is_some() {
            return None;
        }
        let session = self.snat.session(session)?;
        (session.pool == OWN).then_some(session)
    }

    /// A packet whose session is known; a first fragment tells the others theirs.
    fn of_session(
        &mut self,
        now: Duration,
        session: SessionId,
        side: Side,
        packet: &Packet,
        buf: &mut PacketBuf<'_>,
    ) -> Verdict {
        if let Some(fragment) = packet.fragment() {
            let (key, piece) = tuple::fragment(side, packet, fragment);
            let verdict = self.snat.first_fragment(now, &key, piece, session);
            if let FragmentVerdict::Refused(why) = verdict {
                return Verdict::Drop(DropReason::Fragment(why));
            }
        }
        self.translate(now, session, side, packet, buf)
    }

    /// A fragment without ports: its session is that of the datagram's first.
    fn later_fragment(
        &mut self,
        now: Duration,
        side: Side,
        packet: &Packet,
        buf: &mut PacketBuf<'_>,
    ) -> Verdict {
        let Some(fragment) = packet.fragment() else {
            return Verdict::Drop(DropReason::NoBinding);
        };
        let (key, piece) = tuple::fragment(side, packet, fragment);
        match self.snat.later_fragment(now, &key, piece) {
            FragmentVerdict::Session(session) => self.translate(now, session, side, packet, buf),
            FragmentVerdict::Hold(ticket) => self.hold(now, Hold::Fragment(ticket), side, buf),
            FragmentVerdict::Refused(why) => Verdict::Drop(DropReason::Fragment(why)),
            _ => Verdict::Drop(DropReason::NoSession),
        }
    }

    /// Keeps a packet, whole: a device's metadata does not wait with it. A super-packet is not kept,
    /// since it is many packets; its sender sends them again.
    fn hold(&mut self, now: Duration, hold: Hold, side: Side, buf: &PacketBuf<'_>) -> Verdict {
        let kept = self
            .arena
            .hold(now, hold, side, buf.as_bytes(), buf.offload());
        if kept {
            Verdict::Consumed
        } else {
            Verdict::Drop(DropReason::NoRoom)
        }
    }

    /// The bytes are touched: by the session's recipe, which its first packet makes.
    pub(crate) fn translate(
        &mut self,
        now: Duration,
        session: SessionId,
        side: Side,
        packet: &Packet,
        buf: &mut PacketBuf<'_>,
    ) -> Verdict {
        let links = self.links(side);
        let verdict = match self.recipes.get(session, side.into()) {
            Some(recipe) => self
                .translators
                .of(side)
                .apply(now, recipe, packet, links, buf),
            None => {
                let Some(known) = self.snat.session(session) else {
                    return Verdict::Drop(DropReason::NoSession);
                };
                let rewrite = tuple::rewrite(&known, side);
                if let Some(recipe) = self.translators.of(side).recipe(packet, &rewrite) {
                    self.recipes.set(session, side.into(), recipe);
                }
                self.translators
                    .of(side)
                    .rewrite(now, packet, &rewrite, links, buf)
            }
        };
        self.conclude(side, verdict, buf)
    }

    /// Between networks that know each other's addresses: no SNAT is asked for, the family stays.
    pub(crate) fn plain(
        &mut self,
        now: Duration,
        side: Side,
        packet: &Packet,
        buf: &mut PacketBuf<'_>,
    ) -> Verdict {
        let ports = packet.tuple();
        let rewrite = Rewrite {
            source: packet.source(),
            destination: packet.destination(),
            source_port: ports.map_or(0, |ports| ports.source_port),
            destination_port: ports.map_or(0, |ports| ports.destination_port),
        };
        let links = self.links(side);
        let verdict = match packet.quoted(buf.as_bytes()) {
            Some(quoted) => {
                let ports = quoted.tuple();
                let inner = Rewrite {
                    source: quoted.source(),
                    destination: quoted.destination(),
                    source_port: ports.map_or(0, |ports| ports.source_port),
                    destination_port: ports.map_or(0, |ports| ports.destination_port),
                };
                let new = ErrorRewrite {
                    source: packet.source(),
                    destination: packet.destination(),
                    quoted: inner,
                    reveal_source: false,
                };
                let translator = self.translators.of(side);
                translator.rewrite_error(now, packet, &new, links, buf)
            }
            None => self
                .translators
                .of(side)
                .rewrite(now, packet, &rewrite, links, buf),
        };
        self.conclude(side, verdict, buf)
    }

    /// An error about a packet that was sent out (RFC 5508 REQ-3 to REQ-5).
    fn error_from_outside(
        &mut self,
        now: Duration,
        packet: &Packet,
        buf: &mut PacketBuf<'_>,
    ) -> Verdict {
        let quoted = packet.quoted(buf.as_bytes());
        let Some(session) = quoted.and_then(|quoted| self.quoted(Side::Outside, &quoted)) else {
            return Verdict::Drop(DropReason::UnknownQuote);
        };
        let destination = session.inside.source.address;
        let is_host = packet.source() == session.outside.destination.address;
        let source = if is_host {
            Some(session.inside.destination.address)
        } else {
            self.router(packet.source(), destination)
        };
        let Some(source) = source else {
            return Verdict::Drop(DropReason::UnknownQuote);
        };
        let new = ErrorRewrite {
            source,
            destination,
            quoted: tuple::quoted_rewrite(&session, Side::Outside),
            reveal_source: !is_host,
        };
        let links = self.links(Side::Outside);
        let translator = self.translators.of(Side::Outside);
        let verdict = translator.rewrite_error(now, packet, &new, links, buf);
        self.conclude(Side::Outside, verdict, buf)
    }

    /// An error about a packet that was delivered to a pod. It leaves with the flow's own source
    /// (RFC 5508 REQ-5), so that nothing of the inside is told.
    fn error_from_inside(
        &mut self,
        now: Duration,
        packet: &Packet,
        buf: &mut PacketBuf<'_>,
    ) -> Verdict {
        let quoted = packet.quoted(buf.as_bytes());
        let Some(session) = quoted.and_then(|quoted| self.quoted(Side::Inside, &quoted)) else {
            return Verdict::Drop(DropReason::UnknownQuote);
        };
        let source = session.outside.source.address;
        let destination = session.outside.destination.address;
        let new = ErrorRewrite {
            source,
            destination,
            quoted: tuple::quoted_rewrite(&session, Side::Inside),
            reveal_source: false,
        };
        let links = self.links(Side::Inside);
        let translator = self.translators.of(Side::Inside);
        let verdict = translator.rewrite_error(now, packet, &new, links, buf);
        self.conclude(Side::Inside, verdict, buf)
    }

    /// The pod's session that a quoted packet belongs to.
    fn quoted(&self, side: Side, quoted: &Quoted) -> Option<Session> {
        let tuple = tuple::tuple(&quoted.tuple()?)?;
        let session = self.snat.quoted(side.into(), &tuple)?;
        self.snat
            .session(session)
            .filter(|session| session.pool == PODS)
    }

    /// How a router outside is shown to a client: as it is to one of its own family; under the NAT64
    /// prefix to an IPv6 client (RFC 6052); as the gateway itself to an IPv4 client (RFC 6791).
    fn router(&self, router: IpAddr, client: IpAddr) -> Option<IpAddr> {
        match (router, client) {
            (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => Some(router),
            (IpAddr::V4(router), IpAddr::V6(_)) => {
                let prefix = self.classifier.nat64_prefix?;
                Some(IpAddr::V6(prefix.embed(router)))
            }
            (IpAddr::V6(_), IpAddr::V4(_)) => {
                let mut own = self.classifier.internal_self_ips.iter().copied();
                own.find(IpAddr::is_ipv4).or_else(|| self.self_ip(client))
            }
        }
    }

    fn refused(
        &mut self,
        now: Duration,
        why: Refused,
        tuple: &Tuple,
        packet: &Packet,
        buf: &mut PacketBuf<'_>,
    ) -> Verdict {
        let error = IcmpError::AdminProhibited;
        match why {
            Refused::NoAddress(_) => {
                let (client, peer) = (tuple.source.address, tuple.destination.address);
                self.tell(Event::NoSnatAddress { client, peer });
                self.refuse(
                    now,
                    Side::Inside,
                    DropReason::NoSnatAddress,
                    error,
                    packet,
                    buf,
                )
            }
            // RFC 5508 REQ-8.
            Refused::PortsExhausted
            | Refused::Sessions
            | Refused::QuotaSessions
            | Refused::QuotaPorts => self.refuse(
                now,
                Side::Inside,
                DropReason::Refused(why),
                error,
                packet,
                buf,
            ),
            _ => Verdict::Drop(DropReason::Refused(why)),
        }
    }

    /// Answers a packet that goes no further by an ICMP error, where one may be sent.
    pub(crate) fn refuse(
        &mut self,
        now: Duration,
        side: Side,
        reason: DropReason,
        error: IcmpError,
        packet: &Packet,
        buf: &mut PacketBuf<'_>,
    ) -> Verdict {
        match self
            .translators
            .of(side)
            .reply_error(now, error, packet, buf)
        {
            nat46::Verdict::Reply(_) => {
                self.stats.count_drops(&reason, 1);
                Verdict::Reply
            }
            _ => Verdict::Drop(reason),
        }
    }

    fn conclude(
        &mut self,
        side: Side,
        verdict: nat46::Verdict,
        buf: &mut PacketBuf<'_>,
    ) -> Verdict {
        match verdict {
            nat46::Verdict::Forward => Verdict::Forward,
            nat46::Verdict::Reply(_) => Verdict::Reply,
            nat46::Verdict::Drop(reason) => Verdict::Drop(DropReason::Translation(reason)),
            nat46::Verdict::Split(mut pieces) => {
                while pieces.next(buf) {
                    if !self
                        .arena
                        .send(side.opposite(), buf.as_bytes(), buf.offload())
                    {
                        return Verdict::Drop(DropReason::NoRoom);
                    }
                }
                Verdict::Consumed
            }
        }
    }

    pub(crate) fn links(&self, side: Side) -> Links {
        let (mtu_in, mtu_out) = match side {
            Side::Inside => (self.inside_mtu, self.outside_mtu),
            Side::Outside => (self.outside_mtu, self.inside_mtu),
        };
        Links { mtu_in, mtu_out }
    }

    /// What happened to sessions and fragments; whether anything did.
    pub(crate) fn turn_flows(&mut self, now: Duration) -> bool {
        let mut told = false;
        while let Some(event) = self.snat.poll_event() {
            told = true;
            self.on_flow_event(now, event);
        }
        told
    }

    fn on_flow_event(&mut self, now: Duration, event: snatpool::Event) {
        match event {
            snatpool::Event::Opened {
                session,
                pool,
                inside,
                outside,
            } => {
                if pool == OWN {
                    return;
                }
                if let Some(address) = self.mapped(&inside) {
                    self.dns46.retain(address);
                }
                self.stats.count_connection(self.virtual_server(&inside));
                self.tell(Event::Opened {
                    session,
                    inside,
                    outside,
                });
            }
            snatpool::Event::Closed {
                session,
                pool,
                why,
                inside,
                outside,
            } => {
                self.recipes.clear(session);
                if pool == OWN {
                    return;
                }
                if let Some(address) = self.mapped(&inside) {
                    self.dns46.release(now, address);
                }
                self.tell(Event::Closed {
                    session,
                    why,
                    inside,
                    outside,
                });
            }
            snatpool::Event::Release { ticket, session } => {
                self.arena.release_to(Hold::Fragment(ticket), session);
            }
            snatpool::Event::Expire { ticket } => {
                let expired = self.arena.forget(Hold::Fragment(ticket));
                self.stats.count_drops(&DropReason::Expired, expired);
            }
            snatpool::Event::SynUnanswered { ticket, .. } => {
                self.arena.unanswered(Hold::Syn(ticket));
            }
            snatpool::Event::SynDropped { ticket } => {
                self.arena.forget(Hold::Syn(ticket));
            }
            snatpool::Event::Exhausted(exhausted) => self.tell(Event::Exhausted(exhausted)),
            // Probes are not asked for, and nothing drains addresses yet.
            _ => {}
        }
    }

    /// The mapped address that a flow goes to.
    fn mapped(&self, inside: &Tuple) -> Option<Ipv4Addr> {
        let IpAddr::V4(address) = inside.destination.address else {
            return None;
        };
        let subnet = self.classifier.dns46_subnet?;
        subnet.contains(&address).then_some(address)
    }

    fn virtual_server(&self, inside: &Tuple) -> VirtualServer {
        match inside.destination.address {
            IpAddr::V4(_) if self.mapped(inside).is_some() => VirtualServer::Nat46,
            IpAddr::V4(_) => VirtualServer::Ipv4,
            IpAddr::V6(address) => {
                let prefix = self.classifier.nat64_prefix;
                match prefix.and_then(|prefix| prefix.extract(address)) {
                    Some(_) => VirtualServer::Nat64,
                    None => VirtualServer::Ipv6,
                }
            }
        }
    }
}
