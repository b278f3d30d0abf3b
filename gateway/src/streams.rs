//! DNS over TCP: clients' connections and those to name servers, between the stack and the resolver.

use alloc::collections::BTreeMap;
use core::net::SocketAddr;
use core::time::Duration;

use dnscache::{Client, Connections, Framed, StreamId, StreamInput, StreamTransmit};
use nat46::packet::Packet;
use nat46::packet::build::UDP_HEADROOM;
use nat46::{HEADROOM, PacketBuf};
use snatpool::{Lookup, Session};

use crate::classify::{DNS_PORT, HTTP_PORT};
use crate::setup::OWN;
use crate::sockets::{Connection, SocketEvent};
use crate::{DropReason, Event, Gateway, Side, Transmit, Verdict, tuple};

/// Which connection is which of the resolver's streams.
#[derive(Debug, Default)]
pub(crate) struct Servers {
    connections: BTreeMap<StreamId, Connection>,
    streams: BTreeMap<Connection, StreamId>,
}

impl Servers {
    fn insert(&mut self, connection: Connection, stream: StreamId) {
        self.connections.insert(stream, connection);
        self.streams.insert(connection, stream);
    }

    fn remove(&mut self, connection: Connection) -> Option<StreamId> {
        let stream = self.streams.remove(&connection)?;
        self.connections.remove(&stream);
        Some(stream)
    }

    fn of_stream(&self, stream: StreamId) -> Option<Connection> {
        self.connections.get(&stream).copied()
    }

    fn of_connection(&self, connection: Connection) -> Option<StreamId> {
        self.streams.get(&connection).copied()
    }
}

impl Gateway {
    /// A segment of a client, to port 53 of whatever address, or to the page of the sorry IP.
    pub(crate) fn client_segment(
        &mut self,
        now: Duration,
        packet: &Packet,
        buf: &mut PacketBuf<'_>,
    ) -> Verdict {
        nat46::complete_checksum(packet, buf);
        self.sockets.handle_packet(now, buf.as_bytes());
        Verdict::Consumed
    }

    /// A segment of a name server, to one of the gateway's own flows.
    pub(crate) fn server_segment(
        &mut self,
        now: Duration,
        session: &Session,
        packet: &Packet,
        buf: &mut PacketBuf<'_>,
    ) -> Verdict {
        nat46::complete_checksum(packet, buf);
        let rewrite = tuple::rewrite(session, Side::Outside);
        let links = self.links(Side::Outside);
        match self
            .translators
            .of(Side::Outside)
            .rewrite(now, packet, &rewrite, links, buf)
        {
            nat46::Verdict::Forward => {
                self.sockets.handle_packet(now, buf.as_bytes());
                Verdict::Consumed
            }
            nat46::Verdict::Drop(reason) => Verdict::Drop(DropReason::Translation(reason)),
            _ => Verdict::Drop(DropReason::Unwanted),
        }
    }

    /// The next segment of the gateway's own connections.
    pub(crate) fn own_segment(&mut self, now: Duration, buf: &mut [u8]) -> Option<Transmit> {
        while let Some(segment) = self.sockets.poll_packet() {
            let place = HEADROOM..HEADROOM + segment.len();
            buf.get_mut(place.clone())?.copy_from_slice(&segment);
            let mut buf = PacketBuf::new(buf, place)?;
            let Ok(packet) = Packet::parse(buf.as_bytes()) else {
                continue;
            };
            let Some(tuple) = packet.tuple().as_ref().and_then(tuple::tuple) else {
                continue;
            };
            if [DNS_PORT, HTTP_PORT].contains(&tuple.source.port) {
                return Some(Transmit::of(Side::Inside, &buf));
            }
            let signal = tuple::signal(&packet);
            let session = match self.snat.outbound(now, &tuple, signal) {
                Lookup::Session(session) => Some(session),
                _ => self
                    .snat
                    .bind(now, OWN, &tuple, tuple.destination.address, None, signal)
                    .ok(),
            };
            let Some(session) = session.and_then(|session| self.snat.session(session)) else {
                continue;
            };
            let rewrite = tuple::rewrite(&session, Side::Inside);
            let links = self.links(Side::Inside);
            let verdict = self
                .translators
                .of(Side::Inside)
                .rewrite(now, &packet, &rewrite, links, &mut buf);
            if verdict == nat46::Verdict::Forward {
                return Some(Transmit::of(Side::Outside, &buf));
            }
        }
        None
    }

    /// What happened to connections; whether anything did.
    pub(crate) fn turn_streams(&mut self, now: Duration) -> bool {
        let mut told = false;
        while let Some(transmit) = self.poll_stream(now) {
            told = true;
            self.on_stream_transmit(now, transmit);
        }
        while let Some(event) = self.sockets.poll_event() {
            told = true;
            self.on_socket_event(now, event);
        }
        // An answer has made room for what a client sent ahead.
        while let Some(connection) = self.unread.pop() {
            told = true;
            self.read_queries(now, connection);
        }
        told
    }

    /// What the resolver wants done about connections to servers; bytes to be sent stand in `message`.
    fn poll_stream(&mut self, now: Duration) -> Option<StreamTransmit> {
        self.resolver.as_mut()?.poll_stream(now, &mut self.message)
    }

    fn on_stream_transmit(&mut self, now: Duration, transmit: StreamTransmit) {
        match transmit {
            StreamTransmit::Connect {
                stream,
                destination,
            } => self.connect(now, stream, destination),
            StreamTransmit::Send { stream, len } => {
                if let Some(connection) = self.servers.of_stream(stream) {
                    self.sockets.send(now, connection, &self.message[..len]);
                }
            }
            StreamTransmit::Close { stream } => {
                if let Some(connection) = self.servers.of_stream(stream) {
                    self.servers.remove(connection);
                    self.sockets.close(now, connection);
                }
            }
            _ => {}
        }
    }

    fn connect(&mut self, now: Duration, stream: StreamId, server: SocketAddr) {
        let own = self.self_ip(server.ip());
        if own.is_none() {
            self.tell(Event::NoSelfIp { server });
        }
        let connection = own.and_then(|own| self.sockets.connect(now, own, server));
        match (connection, &mut self.resolver) {
            (Some(connection), _) => self.servers.insert(connection, stream),
            (None, Some(resolver)) => resolver.handle_stream(now, stream, StreamInput::Closed),
            (None, None) => {}
        }
    }

    fn on_socket_event(&mut self, now: Duration, event: SocketEvent) {
        let Some(event) = self.on_page_event(now, event) else {
            return;
        };
        let Some(resolver) = &mut self.resolver else {
            return;
        };
        match event {
            SocketEvent::Accepted {
                connection,
                client,
                local,
            } => {
                if !self.clients.open(now, connection.0, client, local) {
                    self.sockets.close(now, connection);
                }
            }
            SocketEvent::Open { connection } => {
                if let Some(stream) = self.servers.of_connection(connection) {
                    resolver.handle_stream(now, stream, StreamInput::Open);
                }
            }
            SocketEvent::Bytes { connection, bytes } if self.clients.has(connection.0) => {
                self.clients.receive(connection.0, &bytes);
                self.read_queries(now, connection);
            }
            SocketEvent::Bytes { connection, bytes } => {
                if let Some(stream) = self.servers.of_connection(connection) {
                    resolver.handle_stream(now, stream, StreamInput::Bytes(&bytes));
                }
            }
            SocketEvent::Closed { connection } => {
                self.clients.close(connection.0);
                if let Some(stream) = self.servers.remove(connection) {
                    resolver.handle_stream(now, stream, StreamInput::Closed);
                }
            }
        }
    }

    /// Asks what a client's bytes hold.
    fn read_queries(&mut self, now: Duration, connection: Connection) {
        loop {
            match self.clients.next(now, connection.0) {
                Framed::Query { client, query } => {
                    let verdict = self.query(now, client, &query);
                    self.reply_later(now, &client, verdict);
                }
                Framed::Nothing => return,
                Framed::TooLong => {
                    self.clients.close(connection.0);
                    self.sockets.close(now, connection);
                    return;
                }
            }
        }
    }

    /// Sends the answer of `len` octets that stands in `message` to a client over TCP; a query without
    /// answer makes room for the next one.
    pub(crate) fn reply_on_stream(&mut self, now: Duration, client: &Client, len: Option<usize>) {
        let connection = Connection(client.token);
        if let Some(len) = len
            && let Some(prefix) = Connections::prefix(len)
        {
            let start = UDP_HEADROOM - prefix.len();
            self.message[start..UDP_HEADROOM].copy_from_slice(&prefix);
            let framed = &self.message[start..UDP_HEADROOM + len];
            self.sockets.send(now, connection, framed);
        }
        self.clients.answered(now, connection.0);
        self.unread.push(connection);
    }

    /// Lets go of clients that ask nothing any more.
    pub(crate) fn close_idle_clients(&mut self, now: Duration) {
        let idle: Vec<u64> = self.clients.idle(now).collect();
        for number in idle {
            self.clients.close(number);
            self.sockets.close(now, Connection(number));
        }
    }
}
