use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, RData, RecordType};

use super::super::nameserver::take_framed;
use super::super::{Stack, TcpId, TcpState, UdpId};
use super::Progress;
use super::errand::{Target, Transport};
use super::log::{Event, Failure, Log};

/// Waits for an answer over UDP, each ended by another copy of the query or the end.
const WAITS: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(4),
    Duration::from_secs(4),
];

/// Wait for an answer over TCP.
const TCP_WAIT: Duration = Duration::from_secs(30);

/// Aliases followed in one answer.
const CHAIN_MAX: usize = 16;

/// A stub resolver with one question.
#[derive(Debug)]
pub(super) struct Lookup {
    resolver: SocketAddr,
    name: String,
    record_type: u16,
    query: Message,
    transport: Transport,
    socket: Option<UdpId>,
    connection: Option<TcpId>,
    received: Vec<u8>,
    asked: bool,
    copies: usize,
    deadline: Duration,
}

impl Lookup {
    /// `target` is a name; the search for an address is over before it began.
    pub(super) fn new(target: &Target, now: Duration, stack: &mut Stack) -> Self {
        let (resolver, name, record_type, transport) = match target {
            Target::Name {
                resolver,
                name,
                record_type,
                transport,
            } => (*resolver, name.clone(), *record_type, *transport),
            Target::Address(address) => {
                ((*address, 53).into(), String::from("."), 0, Transport::Udp)
            }
        };
        let mut query = Message::new(stack.dice().word(), MessageType::Query, OpCode::Query);
        query.metadata.recursion_desired = true;
        let mut owner = Name::from_ascii(&name).unwrap_or_else(|_| Name::root());
        owner.set_fqdn(true);
        query.add_query(Query::query(owner, RecordType::from(record_type)));
        Self {
            resolver,
            name,
            record_type,
            query,
            transport,
            socket: None,
            connection: None,
            received: Vec::new(),
            asked: false,
            copies: 0,
            deadline: now,
        }
    }

    pub(super) fn poll(
        &mut self,
        now: Duration,
        stack: &mut Stack,
        log: &mut Log,
    ) -> Progress<IpAddr> {
        let progress = match self.transport {
            Transport::Udp => self.poll_udp(now, stack, log),
            Transport::Tcp => self.poll_tcp(now, stack, log),
        };
        if matches!(progress, Progress::Ended(_)) {
            self.socket
                .take()
                .into_iter()
                .for_each(|socket| stack.udp_close(socket));
            self.connection
                .take()
                .into_iter()
                .for_each(|socket| stack.tcp_release(socket));
        }
        progress
    }

    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        Some(self.deadline)
    }

    fn poll_udp(&mut self, now: Duration, stack: &mut Stack, log: &mut Log) -> Progress<IpAddr> {
        if self.socket.is_none() {
            self.socket = stack.udp_open(None);
        }
        let Some(socket) = &self.socket else {
            return Progress::Ended(Err(Failure::NoAnswer));
        };
        while let Some(datagram) = stack.udp_receive(socket) {
            let reply = Message::from_vec(&datagram.data).ok();
            let reply = reply.filter(|reply| self.is_answered_by(reply));
            let Some(reply) = reply.filter(|_| datagram.from == self.resolver) else {
                log.note(
                    now,
                    Event::Distrusted {
                        from: datagram.from,
                    },
                );
                continue;
            };
            if reply.metadata.truncation {
                // RFC 7766 §5.
                self.transport = Transport::Tcp;
                self.deadline = now;
                return self.poll_tcp(now, stack, log);
            }
            return Progress::Ended(self.conclude(now, &reply, datagram.data, log));
        }
        if now < self.deadline {
            return Progress::Pending;
        }
        let Some(wait) = WAITS.get(self.copies) else {
            return Progress::Ended(Err(Failure::NoAnswer));
        };
        if let Ok(query) = self.query.to_vec() {
            let port = stack.udp_port(socket);
            stack.udp_send(socket, self.resolver, &query);
            self.note_asked(now, port, log);
        }
        self.copies += 1;
        self.deadline = now + *wait;
        Progress::Pending
    }

    fn poll_tcp(&mut self, now: Duration, stack: &mut Stack, log: &mut Log) -> Progress<IpAddr> {
        if self.connection.is_none() {
            self.connection = stack.tcp_connect(self.resolver);
            self.deadline = now + TCP_WAIT;
        }
        let Some(connection) = &self.connection else {
            return Progress::Ended(Err(Failure::WrongFamily));
        };
        match stack.tcp_state(connection) {
            TcpState::Opening => {}
            TcpState::Open if !self.asked => {
                let Ok(query) = self.query.to_vec() else {
                    return Progress::Ended(Err(Failure::NoAnswer));
                };
                let framed = [&(query.len() as u16).to_be_bytes()[..], &query].concat();
                stack.tcp_send(connection, &framed);
                let port = stack.tcp_local(connection).map_or(0, |own| own.port());
                self.asked = true;
                self.note_asked(now, port, log);
            }
            TcpState::Open | TcpState::PeerClosed | TcpState::Closing | TcpState::Closed => {
                let received = &mut self.received;
                stack.tcp_receive(connection, |data| received.extend(data));
                if let Some(message) = take_framed(received) {
                    let reply = Message::from_vec(&message).ok();
                    let reply = reply.filter(|reply| self.is_answered_by(reply));
                    return Progress::Ended(match reply {
                        Some(reply) => self.conclude(now, &reply, message, log),
                        None => Err(Failure::NoAnswer),
                    });
                }
                if stack.tcp_state(connection) != TcpState::Open {
                    return Progress::Ended(Err(Failure::NoAnswer));
                }
            }
        }
        if now < self.deadline {
            return Progress::Pending;
        }
        Progress::Ended(Err(Failure::NoAnswer))
    }

    fn note_asked(&self, now: Duration, port: u16, log: &mut Log) {
        log.note(
            now,
            Event::Asked {
                id: self.query.metadata.id,
                port,
                to: self.resolver,
                name: self.name.clone(),
                record_type: self.record_type,
                over_tcp: self.transport == Transport::Tcp,
            },
        );
    }

    /// Id and question must be the query's, the question to the letter (RFC 5452 §9.1).
    fn is_answered_by(&self, reply: &Message) -> bool {
        let case_kept = || {
            let pairs = reply.queries.iter().zip(&self.query.queries);
            pairs
                .into_iter()
                .all(|(one, other)| one.name().eq_case(other.name()))
        };
        reply.metadata.id == self.query.metadata.id
            && reply.metadata.message_type == MessageType::Response
            && reply.queries == self.query.queries
            && case_kept()
    }

    fn conclude(
        &self,
        now: Duration,
        reply: &Message,
        message: Vec<u8>,
        log: &mut Log,
    ) -> Result<IpAddr, Failure> {
        let response_code = reply.metadata.response_code.into();
        let (addresses, ttl) = self.addresses(reply);
        let first = addresses.first().copied();
        log.note(
            now,
            Event::Answered {
                response_code,
                addresses,
                ttl,
                message,
            },
        );
        match (response_code, first) {
            (0, Some(address)) => Ok(address),
            (0, None) => Err(Failure::NoAddress),
            (code, _) => Err(Failure::ResponseCode(code)),
        }
    }

    /// The addresses that the answer gives the name, and the least TTL on the way to them.
    fn addresses(&self, reply: &Message) -> (Vec<IpAddr>, Option<u32>) {
        let Some(question) = self.query.queries.first() else {
            return (Vec::new(), None);
        };
        let mut owner = question.name().clone();
        let mut ttl = None;
        for _ in 0..CHAIN_MAX {
            let mut addresses = Vec::new();
            let mut alias = None;
            for record in reply.answers.iter().filter(|record| record.name == owner) {
                match &record.data {
                    RData::A(a) if question.query_type() == RecordType::A => {
                        addresses.push(a.0.into());
                    }
                    RData::AAAA(aaaa) if question.query_type() == RecordType::AAAA => {
                        addresses.push(aaaa.0.into());
                    }
                    RData::CNAME(target) => alias = Some(target.0.clone()),
                    _ => continue,
                }
                ttl = Some(ttl.map_or(record.ttl, |least: u32| least.min(record.ttl)));
            }
            match alias {
                Some(target) if addresses.is_empty() => owner = target,
                _ => return (addresses, ttl),
            }
        }
        (Vec::new(), ttl)
    }
}
