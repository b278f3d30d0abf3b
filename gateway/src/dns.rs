//! Queries of pods, answers to them, and the exchange with upstream servers.

use core::net::{IpAddr, SocketAddr};
use core::ops::Range;
use core::time::Duration;

use dns46::{Decision, Pair};
use dnscache::{Client, ExtendedError, Fetch, Query, Resolver, rcode};
use egress_config::VirtualServer;
use nat46::PacketBuf;
use nat46::checksum::Sum;
use nat46::offload::{Checksum, Offload};
use nat46::packet::build::{self, UDP_HEADROOM};
use nat46::packet::{Packet, Transport, protocol};
use snatpool::{Lookup, Protocol, Session, Signal, TransportAddress, Tuple};

use crate::arena::Hold;
use crate::setup::OWN;
use crate::{DropReason, Event, Gateway, Side, Verdict};

impl Gateway {
    /// A pod asks; it does not matter whom.
    pub(crate) fn intercept(
        &mut self,
        now: Duration,
        packet: &Packet,
        buf: &mut PacketBuf<'_>,
    ) -> Verdict {
        let (source_port, destination_port) = match packet.transport() {
            Transport::Udp {
                source_port,
                destination_port,
                ..
            } if packet.fragment().is_none() => (source_port, destination_port),
            Transport::Tcp { .. } if packet.fragment().is_none() => {
                return self.client_segment(now, packet, buf);
            }
            _ => return Verdict::Drop(DropReason::NotUdp),
        };
        if !is_intact(packet, buf) {
            return Verdict::Drop(DropReason::UdpChecksum);
        }
        let client = Client {
            address: SocketAddr::new(packet.source(), source_port),
            local: SocketAddr::new(packet.destination(), destination_port),
            transport: dnscache::Transport::Udp,
            token: 0,
        };
        let query = buf.as_bytes().get(packet.payload()).unwrap_or_default();
        match self.query(now, client, query) {
            dnscache::Verdict::Reply(len) => self.reply(&client, len, buf),
            dnscache::Verdict::Drop(reason) => Verdict::Drop(DropReason::Query(reason)),
            dnscache::Verdict::Parked(_) | dnscache::Verdict::Derive(_) => Verdict::Consumed,
        }
    }

    /// A client's query, over whatever; a reply stands in `message`.
    pub(crate) fn query(
        &mut self,
        now: Duration,
        client: Client,
        query: &[u8],
    ) -> dnscache::Verdict {
        let Some(resolver) = &mut self.resolver else {
            return dnscache::Verdict::Drop(dnscache::DropReason::UnknownTicket);
        };
        self.stats.count_connection(VirtualServer::Dns);
        let asker = client.address.ip();
        let policy = Query::parse(query).map_or(0, |query| self.dns46.policy(asker, query.rtype()));
        let out = &mut self.message[UDP_HEADROOM..];
        if let Ok(Some(len)) = self.dns46.on_query(asker, query, out) {
            return dnscache::Verdict::Reply(len);
        }
        let verdict = resolver.handle_query(now, client, query, policy, out);
        self.settle(now, verdict)
    }

    /// Puts the answer that stands in `message` into the place of the query.
    fn reply(&mut self, client: &Client, len: usize, buf: &mut PacketBuf<'_>) -> Verdict {
        let payload = UDP_HEADROOM..UDP_HEADROOM + len;
        let Ok(range) = build::udp(client.local, client.address, payload, &mut self.message) else {
            return Verdict::Drop(DropReason::NoRoom);
        };
        let packet = &self.message[range];
        if buf.replace(packet).is_some() {
            return Verdict::Reply;
        }
        if self.arena.send(Side::Inside, packet, Offload::NONE) {
            return Verdict::Consumed;
        }
        Verdict::Drop(DropReason::NoRoom)
    }

    /// Sends the answer that stands in `message`, after its query had to wait.
    pub(crate) fn reply_later(
        &mut self,
        now: Duration,
        client: &Client,
        verdict: dnscache::Verdict,
    ) {
        let len = match verdict {
            dnscache::Verdict::Reply(len) => Some(len),
            dnscache::Verdict::Drop(reason) => {
                self.stats.count_drops(&DropReason::Query(reason), 1);
                None
            }
            dnscache::Verdict::Parked(_) | dnscache::Verdict::Derive(_) => return,
        };
        if client.transport == dnscache::Transport::Tcp {
            self.reply_on_stream(now, client, len);
            return;
        }
        let Some(len) = len else {
            return;
        };
        let payload = UDP_HEADROOM..UDP_HEADROOM + len;
        let sent = match build::udp(client.local, client.address, payload, &mut self.message) {
            Ok(range) => self
                .arena
                .send(Side::Inside, &self.message[range], Offload::NONE),
            Err(_) => false,
        };
        if !sent {
            self.stats.count_drops(&DropReason::NoRoom, 1);
        }
    }

    /// Follows a verdict of the cache until it is a reply, a drop, or has to wait. Replies stand in
    /// `message`.
    fn settle(&mut self, now: Duration, verdict: dnscache::Verdict) -> dnscache::Verdict {
        match verdict {
            dnscache::Verdict::Derive(ticket) => self.derive(now, ticket),
            other => other,
        }
    }

    /// The cache has the plain answer, and this client gets a derived one.
    fn derive(&mut self, now: Duration, ticket: dnscache::Ticket) -> dnscache::Verdict {
        if self.storing.values().any(|waiting| *waiting == ticket) {
            return dnscache::Verdict::Parked(ticket);
        }
        let Some(resolver) = &mut self.resolver else {
            return dnscache::Verdict::Drop(dnscache::DropReason::UnknownTicket);
        };
        let out = &mut self.message[UDP_HEADROOM..];
        let Some(client) = resolver.client(ticket).map(|client| client.address.ip()) else {
            return dnscache::Verdict::Drop(dnscache::DropReason::UnknownTicket);
        };
        let decision = Decision::from_tag(resolver.tag(ticket).unwrap_or(0));
        let Some(record_type) = decision.record_type() else {
            return resolver.pass(now, ticket, out);
        };
        match resolver.fetch(now, ticket, record_type) {
            Fetch::Answer { plain, other } => {
                let pair = self
                    .dns46
                    .on_pair(now, client, plain, other, &mut self.made);
                self.paired(now, ticket, pair)
            }
            Fetch::Waiting => dnscache::Verdict::Parked(ticket),
            // RFC 6147 §5.1.6, mirrored: no answer about the other type is no answer.
            Fetch::Failed { rcode } => resolver.refuse(now, ticket, rcode, None, out),
            Fetch::UnknownTicket => dnscache::Verdict::Drop(dnscache::DropReason::UnknownTicket),
        }
    }

    /// What came of two plain answers.
    fn paired(&mut self, now: Duration, ticket: dnscache::Ticket, pair: Pair) -> dnscache::Verdict {
        let Some(resolver) = &mut self.resolver else {
            return dnscache::Verdict::Drop(dnscache::DropReason::UnknownTicket);
        };
        let out = &mut self.message[UDP_HEADROOM..];
        match pair {
            Pair::Reply(made) => {
                let reply = &self.made[..made.len];
                let error = made.is_sorry.then_some(ExtendedError::FORGED);
                resolver.derive(now, ticket, reply, made.ttl, made.cacheable, error, out)
            }
            Pair::Pass => resolver.pass(now, ticket, out),
            Pair::Wait(stored) => {
                self.storing.insert(stored, ticket);
                dnscache::Verdict::Parked(ticket)
            }
            Pair::Refuse(why) => {
                let text = why.to_string();
                let error = ExtendedError {
                    text: &text,
                    ..ExtendedError::OTHER
                };
                resolver.refuse(now, ticket, rcode::SERVFAIL, Some(error), out)
            }
        }
    }

    /// The next query to an upstream server, from a self IP and a port of its own.
    pub(crate) fn ask_upstream(&mut self, now: Duration, buf: &mut [u8]) -> Option<Range<usize>> {
        loop {
            let message = buf.get_mut(UDP_HEADROOM..)?;
            let transmit = self.resolver.as_mut()?.poll_transmit(now, message)?;
            let server = transmit.destination;
            let source = self.own_source(now, transmit.source_port, server);
            let payload = UDP_HEADROOM..UDP_HEADROOM + transmit.len;
            let packet = source.and_then(|source| build::udp(source, server, payload, buf).ok());
            match packet {
                Some(range) => return Some(range),
                None => self.resolver.as_mut()?.transmit_failed(now, &transmit),
            }
        }
    }

    /// The outside source of one of the gateway's own flows.
    fn own_source(&mut self, now: Duration, port: u16, server: SocketAddr) -> Option<SocketAddr> {
        let Some(address) = self.self_ip(server.ip()) else {
            self.tell(Event::NoSelfIp { server });
            return None;
        };
        let inside = Tuple {
            protocol: Protocol::Udp,
            source: TransportAddress::new(address, port),
            destination: server.into(),
        };
        let session = match self.snat.outbound(now, &inside, Signal::None) {
            Lookup::Session(session) => session,
            _ => self
                .snat
                .bind(now, OWN, &inside, server.ip(), None, Signal::None)
                .ok()?,
        };
        let source = self.snat.session(session)?.outside.source;
        Some(SocketAddr::new(source.address, source.port))
    }

    /// A datagram to one of the gateway's own flows.
    pub(crate) fn upstream_datagram(
        &mut self,
        now: Duration,
        session: &Session,
        packet: &Packet,
        buf: &PacketBuf<'_>,
    ) -> Verdict {
        if packet.fragment().is_some() || !is_intact(packet, buf) {
            return Verdict::Drop(DropReason::UdpChecksum);
        }
        let Some(resolver) = &mut self.resolver else {
            return Verdict::Drop(DropReason::Unwanted);
        };
        let peer = session.outside.destination;
        let from = SocketAddr::new(peer.address, peer.port);
        let own = session.inside.source;
        let to = SocketAddr::new(own.address, own.port);
        let message = buf.as_bytes().get(packet.payload()).unwrap_or_default();
        match resolver.handle_datagram(now, from, to, message) {
            Ok(_) => {
                // Each query has a flow of its own, which has done its work.
                self.snat.close(now, session.id);
                Verdict::Consumed
            }
            Err(mismatch) => Verdict::Drop(DropReason::Upstream(mismatch)),
        }
    }

    /// What happened to questions; whether anything did.
    pub(crate) fn turn_queries(&mut self, now: Duration) -> bool {
        let mut told = false;
        while let Some(event) = self.resolver.as_mut().and_then(Resolver::poll_event) {
            told = true;
            self.on_query_event(now, event);
        }
        told
    }

    fn on_query_event(&mut self, now: Duration, event: dnscache::Event) {
        let Some(resolver) = &mut self.resolver else {
            return;
        };
        match event {
            dnscache::Event::Received { fetch, .. } => {
                let reply = resolver.reply(fetch).unwrap_or_default();
                let tag = self.dns46.on_answer(reply).tag();
                resolver.accept(now, fetch, tag);
            }
            dnscache::Event::Ready { ticket } => {
                let Some(client) = resolver.client(ticket) else {
                    return;
                };
                let out = &mut self.message[UDP_HEADROOM..];
                let verdict = resolver.answer(now, ticket, out);
                let verdict = self.settle(now, verdict);
                self.reply_later(now, &client, verdict);
            }
            dnscache::Event::Failed { question, .. } => {
                self.tell(Event::UpstreamFailed { question });
            }
            dnscache::Event::TimedOut {
                question, server, ..
            } => self.tell(Event::UpstreamSilent { question, server }),
            _ => {}
        }
    }

    /// What happened to mappings, and to those who wait for the store; whether anything did.
    pub(crate) fn turn_mappings(&mut self, now: Duration) -> bool {
        let mut told = false;
        while let Some(event) = self.dns46.poll_event() {
            told = true;
            self.on_mapping_event(now, event);
        }
        told
    }

    fn on_mapping_event(&mut self, now: Duration, event: dns46::Event) {
        match event {
            dns46::Event::Mapped {
                address,
                host,
                asker,
            } => self.tell(Event::Mapped {
                address,
                host,
                asker,
            }),
            dns46::Event::Drained { address, host, .. } => {
                self.tell(Event::Unmapped { address, host });
            }
            dns46::Event::Removed { address, host, .. } => {
                if let Some(resolver) = &mut self.resolver {
                    resolver.invalidate_derived();
                }
                self.tell(Event::Unmapped { address, host });
            }
            dns46::Event::Promoted {
                address,
                host,
                asker,
            } => self.tell(Event::Promoted {
                address,
                host,
                asker,
            }),
            dns46::Event::Freed { address, host, .. } => self.tell(Event::Freed { address, host }),
            dns46::Event::Refused {
                asker,
                why,
                is_sorry,
            } => self.tell(Event::NotMapped {
                asker,
                why,
                is_sorry,
            }),
            dns46::Event::Stored { ticket } => {
                self.tell(Event::Stored);
                self.finish(now, ticket);
            }
            dns46::Event::StoreFailed { ticket } => {
                self.tell(Event::StoreFailed);
                self.finish(now, ticket);
            }
            dns46::Event::Known { ticket, .. } => self.arena.release(Hold::Mapping(ticket)),
            dns46::Event::Unknown { ticket, .. } => self.arena.refuse(Hold::Mapping(ticket)),
            _ => {}
        }
    }

    /// The store has acknowledged the mappings of an answer, or did not.
    fn finish(&mut self, now: Duration, stored: dns46::Ticket) {
        let pair = self.dns46.finish(now, stored, &mut self.made);
        let Some(ticket) = self.storing.remove(&stored) else {
            return;
        };
        let resolver = self.resolver.as_ref();
        // The client may have been answered meanwhile: its time ran out.
        let Some(client) = resolver.and_then(|resolver| resolver.client(ticket)) else {
            return;
        };
        let verdict = self.paired(now, ticket, pair);
        self.reply_later(now, &client, verdict);
    }
}

/// Whether a UDP datagram is as it was sent. IPv4 may leave the checksum out (RFC 768), IPv6 may not
/// (RFC 8200 §8.1); one that the device has yet to complete has not crossed a link.
fn is_intact(packet: &Packet, buf: &PacketBuf<'_>) -> bool {
    if let Checksum::Partial { .. } = buf.offload().checksum {
        return true;
    }
    let end = packet.payload().end;
    let datagram = buf.as_bytes().get(packet.transport_offset()..end);
    let datagram = datagram.unwrap_or_default();
    if datagram.get(6..8) == Some(&[0, 0]) {
        return !packet.is_ipv6();
    }
    let addresses = match (packet.source(), packet.destination()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => Sum::ZERO.ipv4(source).ipv4(destination),
        (IpAddr::V6(source), IpAddr::V6(destination)) => Sum::ZERO.ipv6(source).ipv6(destination),
        _ => return false,
    };
    let len = u32::try_from(datagram.len()).unwrap_or(u32::MAX);
    let sum = addresses.word(protocol::UDP.into()).word(len);
    sum.bytes(datagram).checksum() == 0
}
