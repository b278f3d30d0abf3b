use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, ResponseCode};

use super::listener::Listener;
use super::{App, Stack, TcpId, TcpState, UdpId, Zone, craft};

/// The port of DNS (RFC 1035 §4.2).
const PORT: u16 = 53;

/// Longest UDP answer to a query without EDNS(0) (RFC 1035 §4.2.1).
const PLAIN_UDP_MAX: u16 = 512;

/// Longest UDP answer that the server ever sends.
const EDNS_UDP_MAX: u16 = 1232;

/// A recursive name server, as far as anyone can tell: DNS on port 53 over UDP and TCP.
#[derive(Debug)]
pub struct NameServer {
    port: u16,
    zones: Vec<Zone>,
    /// How it behaves from now on.
    pub manners: Manners,
    socket: Option<UdpId>,
    listener: Listener,
    connections: Vec<Connection>,
    replies: Vec<Pending>,
    queries: Vec<SeenQuery>,
}

/// How a [`NameServer`] behaves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manners {
    /// It answers nothing.
    pub silent: bool,
    /// It takes its time.
    pub delay: Duration,
    /// Its answers over UDP are empty and truncated.
    pub truncates: bool,
    /// It answers with this response code and nothing else.
    pub response_code: Option<u16>,
    /// It sends something ahead of each true answer over UDP.
    pub lie: Option<Lie>,
    /// It answers queries with EDNS(0) by FORMERR, as servers from before RFC 6891 do.
    pub knows_no_edns: bool,
}

/// What a server sends that no one should believe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// An answer with another id.
    WrongId,
    /// An answer to another question.
    WrongQuestion,
    /// An answer with the question in lower case.
    FoldedCase,
    /// An answer from another port.
    WrongPort,
    /// No DNS message.
    Garbage,
}

/// A query that a [`NameServer`] has received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenQuery {
    /// When it came.
    pub at: Duration,
    /// Who sent it, as the server sees it.
    pub from: SocketAddr,
    /// Whether it came over TCP.
    pub over_tcp: bool,
    /// Its id.
    pub id: u16,
    /// The name asked for, with upper and lower case as received.
    pub name: String,
    /// The type asked for.
    pub record_type: u16,
    /// The DO bit.
    pub dnssec_ok: bool,
    /// The CD bit.
    pub checking_disabled: bool,
}

#[derive(Debug)]
struct Connection {
    number: u64,
    id: TcpId,
    received: Vec<u8>,
    outgoing: Vec<u8>,
}

#[derive(Debug)]
struct Pending {
    at: Duration,
    to: Destination,
    message: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum Destination {
    Udp {
        peer: SocketAddr,
        own: Option<IpAddr>,
        own_port: u16,
    },
    Tcp(u64),
}

impl NameServer {
    /// A server that knows these zones and refuses questions about all else.
    #[must_use]
    pub fn new(zones: Vec<Zone>) -> Self {
        Self {
            port: PORT,
            zones,
            manners: Manners::default(),
            socket: None,
            listener: Listener::new(PORT),
            connections: Vec::new(),
            replies: Vec::new(),
            queries: Vec::new(),
        }
    }

    /// The same server on another port than 53.
    #[must_use]
    pub fn on_port(self, port: u16) -> Self {
        Self {
            port,
            listener: Listener::new(port),
            ..self
        }
    }

    /// The queries so far, in the order of their arrival.
    #[must_use]
    pub fn queries(&self) -> &[SeenQuery] {
        &self.queries
    }

    /// Takes a query in, and lines up what is sent for it.
    fn handle_query(&mut self, now: Duration, from: SocketAddr, to: Destination, query: &[u8]) {
        let Ok(query) = Message::from_vec(query) else {
            return;
        };
        let Some(question) = query.queries.first() else {
            return;
        };
        if query.metadata.message_type != MessageType::Query {
            return;
        }
        let over_tcp = matches!(to, Destination::Tcp(_));
        self.queries.push(SeenQuery {
            at: now,
            from,
            over_tcp,
            id: query.metadata.id,
            name: question.name().to_ascii(),
            record_type: question.query_type().into(),
            dnssec_ok: query
                .edns
                .as_ref()
                .is_some_and(|edns| edns.flags().dnssec_ok),
            checking_disabled: query.metadata.checking_disabled,
        });
        if self.manners.silent {
            return;
        }
        let at = now + self.manners.delay;
        let reply = self.reply(&query);
        if let (Destination::Udp { peer, own, .. }, Some(lie)) = (to, self.manners.lie)
            && let Some(message) = lie.message(&reply)
        {
            let own_port = if lie == Lie::WrongPort {
                self.port + 1
            } else {
                self.port
            };
            let to = Destination::Udp {
                peer,
                own,
                own_port,
            };
            self.replies.push(Pending { at, to, message });
        }
        let message = if over_tcp {
            reply.to_vec()
        } else {
            self.fitted(&query, &reply).to_vec()
        };
        if let Ok(message) = message {
            self.replies.push(Pending { at, to, message });
        }
    }

    fn reply(&self, query: &Message) -> Message {
        let mut reply = Message::response(query.metadata.id, query.metadata.op_code);
        reply.metadata.recursion_desired = query.metadata.recursion_desired;
        reply.metadata.recursion_available = true;
        reply.metadata.checking_disabled = query.metadata.checking_disabled;
        reply.queries.clone_from(&query.queries);
        if let Some(asked) = &query.edns {
            if self.manners.knows_no_edns {
                reply.metadata.response_code = ResponseCode::FormErr;
                return reply;
            }
            let mut edns = Edns::new();
            edns.set_max_payload(EDNS_UDP_MAX);
            edns.set_dnssec_ok(asked.flags().dnssec_ok);
            reply.set_edns(edns);
        }
        if let Some(code) = self.manners.response_code {
            let [high, low] = (code << 4).to_be_bytes();
            reply.metadata.response_code = ResponseCode::from(high, low >> 4);
            return reply;
        }
        let [question] = query.queries.as_slice() else {
            reply.metadata.response_code = ResponseCode::FormErr;
            return reply;
        };
        if query.metadata.op_code != OpCode::Query {
            reply.metadata.response_code = ResponseCode::NotImp;
            return reply;
        }
        let mut name = question.name().clone();
        // Each zone that an alias leads to adds its part; a loop of them ends here.
        for _ in 0..self.zones.len() {
            let zone = self
                .zones
                .iter()
                .filter_map(|zone| Some((zone.depth_for(&name)?, zone)))
                .max_by_key(|(depth, _)| *depth);
            match zone {
                Some((_, zone)) => match zone.answer(&name, question.query_type(), &mut reply) {
                    Some(next) => name = next,
                    None => break,
                },
                None => {
                    if reply.answers.is_empty() {
                        reply.metadata.response_code = ResponseCode::Refused;
                    }
                    break;
                }
            }
        }
        reply
    }

    /// The reply, or what fits of it into a datagram: the question.
    fn fitted(&self, query: &Message, reply: &Message) -> Message {
        let room = query.edns.as_ref().map_or(PLAIN_UDP_MAX, |edns| {
            edns.max_payload().clamp(PLAIN_UDP_MAX, EDNS_UDP_MAX)
        });
        let length = reply.to_vec().map_or(usize::MAX, |message| message.len());
        if !self.manners.truncates && length <= usize::from(room) {
            return reply.clone();
        }
        let mut short = reply.clone();
        short.metadata.truncation = true;
        short.answers.clear();
        short.authorities.clear();
        short.additionals.clear();
        short
    }

    fn poll_connections(&mut self, now: Duration, stack: &mut Stack) {
        for id in self.listener.accept(stack) {
            let number = self.connections.last().map_or(0, |last| last.number + 1);
            let (received, outgoing) = (Vec::new(), Vec::new());
            self.connections.push(Connection {
                number,
                id,
                received,
                outgoing,
            });
        }
        let mut queries = Vec::new();
        for connection in &mut self.connections {
            let Some(from) = stack.tcp_remote(&connection.id) else {
                continue;
            };
            let received = &mut connection.received;
            stack.tcp_receive(&connection.id, |data| received.extend(data));
            while let Some(query) = take_framed(received) {
                queries.push((from, connection.number, query));
            }
        }
        for (from, connection, query) in queries {
            self.handle_query(now, from, Destination::Tcp(connection), &query);
        }
    }

    fn send_due(&mut self, now: Duration, stack: &mut Stack) {
        let (due, later) = core::mem::take(&mut self.replies)
            .into_iter()
            .partition(|reply| reply.at <= now);
        self.replies = later;
        for Pending { to, message, .. } in due {
            match to {
                Destination::Udp {
                    peer,
                    own,
                    own_port,
                } => {
                    let own = own.or_else(|| stack.address_for(peer.ip()));
                    let (Some(own), Some(socket)) = (own, &self.socket) else {
                        continue;
                    };
                    if own_port == self.port {
                        stack.udp_send_from(socket, own, peer, &message);
                    } else {
                        let own = SocketAddr::new(own, own_port);
                        stack.send_packet(&craft::udp(own, peer, &message));
                    }
                }
                Destination::Tcp(number) => {
                    let mut connections = self.connections.iter_mut();
                    if let Some(found) = connections.find(|found| found.number == number) {
                        found.outgoing.extend((message.len() as u16).to_be_bytes());
                        found.outgoing.extend(message);
                    }
                }
            }
        }
        for mut connection in core::mem::take(&mut self.connections) {
            let sent = stack.tcp_send(&connection.id, &connection.outgoing);
            connection.outgoing.drain(..sent);
            let awaited = self.replies.iter().any(
                |reply| matches!(reply.to, Destination::Tcp(number) if number == connection.number),
            );
            match stack.tcp_state(&connection.id) {
                TcpState::Opening | TcpState::Open => self.connections.push(connection),
                TcpState::PeerClosed if awaited || !connection.outgoing.is_empty() => {
                    self.connections.push(connection);
                }
                TcpState::PeerClosed | TcpState::Closing | TcpState::Closed => {
                    stack.tcp_release(connection.id);
                }
            }
        }
    }
}

impl App for NameServer {
    fn poll(&mut self, now: Duration, stack: &mut Stack) {
        if self.socket.is_none() {
            self.socket = stack.udp_open(Some(self.port));
        }
        let mut datagrams = Vec::new();
        if let Some(socket) = &self.socket {
            datagrams.extend(core::iter::from_fn(|| stack.udp_receive(socket)));
        }
        for datagram in datagrams {
            let (peer, own) = (datagram.from, datagram.to);
            let to = Destination::Udp {
                peer,
                own,
                own_port: self.port,
            };
            self.handle_query(now, peer, to, &datagram.data);
        }
        self.poll_connections(now, stack);
        self.send_due(now, stack);
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.replies.iter().map(|reply| reply.at).min()
    }

    fn waits_for(&self) -> String {
        format!("queries ({} answered or ignored)", self.queries.len())
    }
}

impl Lie {
    fn message(self, truth: &Message) -> Option<Vec<u8>> {
        let mut lie = truth.clone();
        match self {
            Self::WrongId => lie.metadata.id ^= 0x5555,
            Self::WrongQuestion => {
                for query in &mut lie.queries {
                    let other = query.name().base_name();
                    query.set_name(other);
                }
            }
            Self::FoldedCase => {
                for query in &mut lie.queries {
                    let folded = query.name().to_lowercase();
                    query.set_name(folded);
                }
            }
            Self::WrongPort => {}
            Self::Garbage => return Some(b"this is not DNS".to_vec()),
        }
        lie.to_vec().ok()
    }
}

/// Takes the first message with its length in front (RFC 1035 §4.2.2) from `received`.
pub(super) fn take_framed(received: &mut Vec<u8>) -> Option<Vec<u8>> {
    let (length, rest) = received.split_first_chunk::<2>()?;
    let length = usize::from(u16::from_be_bytes(*length));
    let message = rest.get(..length)?.to_vec();
    received.drain(..2 + length);
    Some(message)
}
