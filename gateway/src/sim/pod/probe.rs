use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use super::super::{Body, EchoKind, Parsed, Payload, Stack, UdpId, craft};
use super::Progress;
use super::errand::Act;
use super::log::{Event, Failure, Log};

/// How long an echo may take.
const WAIT: Duration = Duration::from_secs(2);

/// Copies of a datagram or echo request before it is given up.
const COPIES: u32 = 5;

/// Echoes, pings and traces: one packet at a time, and its answer.
#[derive(Debug)]
pub(super) struct Probe {
    target: IpAddr,
    act: Act,
    socket: Option<UdpId>,
    identifier: u16,
    sequence: u16,
    copies: u32,
    answer: Option<Answer>,
    deadline: Duration,
}

/// What came back for the probe that is out.
#[derive(Debug, Clone, Copy)]
struct Answer {
    from: IpAddr,
    length: usize,
    /// Not from a router on the way.
    from_target: bool,
}

impl Probe {
    pub(super) fn new(
        now: Duration,
        target: IpAddr,
        act: Act,
        stack: &mut Stack,
    ) -> Result<Self, Failure> {
        stack.address_for(target).ok_or(Failure::WrongFamily)?;
        let socket = match act {
            Act::Echo { .. } => stack.udp_open(None),
            Act::Resolve | Act::Fetch { .. } | Act::Ping { .. } | Act::Trace { .. } => None,
        };
        let identifier = stack.dice().word();
        Ok(Self {
            target,
            act,
            socket,
            identifier,
            sequence: 0,
            copies: 0,
            answer: None,
            deadline: now,
        })
    }

    pub(super) fn poll(&mut self, now: Duration, stack: &mut Stack, log: &mut Log) -> Progress<()> {
        let progress = self.advance(now, stack, log);
        if matches!(progress, Progress::Ended(_)) {
            self.socket
                .take()
                .into_iter()
                .for_each(|socket| stack.udp_close(socket));
        }
        progress
    }

    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        Some(self.deadline)
    }

    pub(super) fn handle_icmp(&mut self, now: Duration, message: &Parsed) {
        match &message.payload {
            Payload::Echo {
                kind: EchoKind::Reply,
                identifier,
                sequence,
                data,
            } if (*identifier, *sequence) == (self.identifier, self.sequence)
                && message.source == self.target
                && *data == self.ping_data() =>
            {
                let (from, length) = (message.source, data.len());
                self.answer = Some(Answer {
                    from,
                    length,
                    from_target: true,
                });
                self.deadline = now;
            }
            Payload::IcmpError { kind, quoted, .. } => {
                let exceeded = match message.source {
                    IpAddr::V4(_) => *kind == 11,
                    IpAddr::V6(_) => *kind == 3,
                };
                if exceeded && self.is_quoted(quoted) {
                    let from = message.source;
                    self.answer = Some(Answer {
                        from,
                        length: 0,
                        from_target: false,
                    });
                    self.deadline = now;
                }
            }
            Payload::Echo { .. }
            | Payload::Udp { .. }
            | Payload::Tcp { .. }
            | Payload::Fragment { .. }
            | Payload::Other { .. } => {}
        }
    }

    fn advance(&mut self, now: Duration, stack: &mut Stack, log: &mut Log) -> Progress<()> {
        self.receive_echo(stack);
        let sequence = self.sequence;
        let tracing = matches!(self.act, Act::Trace { .. });
        let hop_limit = self.hop_limit();
        if let Some(Answer {
            from,
            length,
            from_target,
        }) = self.answer.take()
        {
            if tracing {
                log.note(
                    now,
                    Event::Hop {
                        hop_limit,
                        from: Some(from),
                    },
                );
            }
            if from_target {
                log.note(
                    now,
                    Event::Echoed {
                        from,
                        sequence,
                        length,
                    },
                );
            }
            if from_target || tracing {
                if self.is_last(from_target) {
                    return Progress::Ended(if from_target {
                        Ok(())
                    } else {
                        Err(Failure::NoEcho)
                    });
                }
                self.next(now);
            }
        }
        if now < self.deadline {
            return Progress::Pending;
        }
        if self.copies == COPIES {
            if !tracing {
                return Progress::Ended(Err(Failure::NoEcho));
            }
            log.note(
                now,
                Event::Hop {
                    hop_limit,
                    from: None,
                },
            );
            if self.is_last(false) {
                return Progress::Ended(Err(Failure::NoEcho));
            }
            self.next(now);
        }
        self.send(stack);
        self.copies += 1;
        self.deadline = now + WAIT;
        Progress::Pending
    }

    fn receive_echo(&mut self, stack: &mut Stack) {
        let (Act::Echo { port, payload, .. }, Some(socket)) = (self.act, &self.socket) else {
            return;
        };
        let expected = numbered(payload, self.sequence).bytes();
        while let Some(datagram) = stack.udp_receive(socket) {
            // A late copy of an earlier echo has other bytes.
            if datagram.from == SocketAddr::new(self.target, port) && datagram.data == expected {
                let (from, length) = (self.target, datagram.data.len());
                self.answer = Some(Answer {
                    from,
                    length,
                    from_target: true,
                });
            }
        }
    }

    fn send(&self, stack: &mut Stack) {
        match (self.act, &self.socket) {
            (Act::Echo { port, payload, .. }, Some(socket)) => {
                let data = numbered(payload, self.sequence).bytes();
                stack.udp_send(socket, SocketAddr::new(self.target, port), &data);
            }
            _ => {
                let Some(own) = stack.address_for(self.target) else {
                    return;
                };
                let (identifier, sequence) = (self.identifier, self.sequence);
                let data = self.ping_data();
                let kind = EchoKind::Request;
                let mut ping = craft::echo(kind, own, self.target, identifier, sequence, &data);
                craft::set_hop_limit(&mut ping, self.hop_limit());
                stack.send_packet(&ping);
            }
        }
    }

    fn next(&mut self, now: Duration) {
        self.sequence += 1;
        self.copies = 0;
        self.deadline = now;
    }

    fn is_last(&self, from_target: bool) -> bool {
        match self.act {
            Act::Echo { count, .. } | Act::Ping { count, .. } => self.sequence + 1 >= count,
            Act::Trace { max_hops } => from_target || self.hop_limit() >= max_hops,
            Act::Resolve | Act::Fetch { .. } => true,
        }
    }

    fn hop_limit(&self) -> u8 {
        match self.act {
            Act::Trace { .. } => u8::try_from(self.sequence + 1).unwrap_or(u8::MAX),
            Act::Resolve | Act::Fetch { .. } | Act::Echo { .. } | Act::Ping { .. } => {
                craft::HOP_LIMIT
            }
        }
    }

    fn ping_data(&self) -> Vec<u8> {
        let length = match self.act {
            Act::Ping { length, .. } => length,
            Act::Resolve | Act::Fetch { .. } | Act::Echo { .. } | Act::Trace { .. } => 32,
        };
        Body {
            seed: u64::from(self.identifier),
            length,
        }
        .bytes()
    }

    /// Whether the quoted packet is the echo request that is out.
    fn is_quoted(&self, quoted: &[u8]) -> bool {
        let message = match quoted.first().map(|first| first >> 4) {
            Some(4) => quoted.get(20..28),
            Some(6) => quoted.get(40..48),
            _ => None,
        };
        let ids = [self.identifier.to_be_bytes(), self.sequence.to_be_bytes()].concat();
        message.is_some_and(|message| message[4..] == ids)
    }
}

/// The payload of one datagram of many.
fn numbered(payload: Body, sequence: u16) -> Body {
    Body {
        seed: payload.seed ^ u64::from(sequence) << 48,
        length: payload.length,
    }
}
