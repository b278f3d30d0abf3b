use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use super::super::{Body, Parsed, Payload, Stack, TcpId, TcpState};
use super::Progress;
use super::log::{Event, Failure, Log};

/// How long a connection may take to come about.
const CONNECT_WAIT: Duration = Duration::from_secs(60);

/// How long a whole page may take.
const FETCH_WAIT: Duration = Duration::from_secs(3600);

/// Fetches a page over HTTP/1.1.
#[derive(Debug)]
pub(super) struct Fetch {
    connection: Option<TcpId>,
    from: SocketAddr,
    to: SocketAddr,
    request: Vec<u8>,
    connected: bool,
    unreachable: bool,
    response: Response,
    deadline: Duration,
}

/// What has come of a response, compared with what is expected as it comes.
#[derive(Debug)]
struct Response {
    page: Body,
    head: Vec<u8>,
    status: Option<u16>,
    /// Bytes of the body so far.
    length: usize,
    intact: bool,
}

impl Fetch {
    pub(super) fn new(
        now: Duration,
        to: SocketAddr,
        host: String,
        page: Body,
        stack: &mut Stack,
        log: &mut Log,
    ) -> Result<Self, Failure> {
        let connection = stack.tcp_connect(to).ok_or(Failure::WrongFamily)?;
        let from = stack.tcp_local(&connection).ok_or(Failure::WrongFamily)?;
        log.note(now, Event::Connecting { from, to });
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        Ok(Self {
            connection: Some(connection),
            from,
            to,
            request: request.into_bytes(),
            connected: false,
            unreachable: false,
            response: Response {
                page,
                head: Vec::new(),
                status: None,
                length: 0,
                intact: true,
            },
            deadline: now + CONNECT_WAIT,
        })
    }

    pub(super) fn poll(&mut self, now: Duration, stack: &mut Stack, log: &mut Log) -> Progress<()> {
        let progress = self.advance(now, stack, log);
        if let Progress::Ended(outcome) = &progress
            && let Some(connection) = self.connection.take()
        {
            match outcome {
                Ok(()) => stack.tcp_release(connection),
                Err(_) => stack.tcp_abort(connection),
            }
        }
        progress
    }

    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        Some(self.deadline)
    }

    pub(super) fn waits_for(&self) -> String {
        match (self.connected, self.response.status) {
            (false, _) => format!("{} to accept", self.to),
            (true, None) => format!("a response from {}", self.to),
            (true, Some(_)) => format!("the page after {} bytes", self.response.length),
        }
    }

    /// An error about the connection's first packet ends it (RFC 5461 §4); later ones do not
    /// (RFC 1122 §4.2.3.9).
    pub(super) fn handle_icmp(&mut self, message: &Parsed) {
        let Payload::IcmpError {
            kind, code, quoted, ..
        } = &message.payload
        else {
            return;
        };
        let hard = match message.source {
            IpAddr::V4(_) => *kind == 3 && *code != 4,
            IpAddr::V6(_) => *kind == 1,
        };
        let ports = match quoted.first().map(|first| first >> 4) {
            Some(4) => quoted.get(20..24),
            Some(6) => quoted.get(40..44),
            _ => None,
        };
        let own = [self.from.port().to_be_bytes(), self.to.port().to_be_bytes()].concat();
        if hard && !self.connected && ports == Some(&own[..]) {
            self.unreachable = true;
        }
    }

    fn advance(&mut self, now: Duration, stack: &mut Stack, log: &mut Log) -> Progress<()> {
        let Some(connection) = &self.connection else {
            return Progress::Ended(Err(Failure::Disconnected));
        };
        let state = stack.tcp_state(connection);
        if !self.connected {
            match state {
                TcpState::Opening if self.unreachable || now >= self.deadline => {
                    return Progress::Ended(Err(Failure::NotConnected));
                }
                TcpState::Opening => return Progress::Pending,
                TcpState::Closed => return Progress::Ended(Err(Failure::NotConnected)),
                TcpState::Open | TcpState::PeerClosed | TcpState::Closing => {
                    self.connected = true;
                    self.deadline = now + FETCH_WAIT;
                    log.note(now, Event::Connected);
                    stack.tcp_send(connection, &self.request);
                }
            }
        }
        let response = &mut self.response;
        stack.tcp_receive(connection, |data| response.take_in(data));
        match (stack.tcp_state(connection), response.status) {
            (TcpState::PeerClosed, Some(status)) => {
                log.note(
                    now,
                    Event::Fetched {
                        status,
                        length: response.length,
                    },
                );
                Progress::Ended(response.verdict(status))
            }
            (TcpState::Open | TcpState::Opening, _) if now < self.deadline => Progress::Pending,
            _ => Progress::Ended(Err(Failure::Disconnected)),
        }
    }
}

impl Response {
    fn verdict(&self, status: u16) -> Result<(), Failure> {
        if status == 200 && self.length == self.page.length && self.intact {
            Ok(())
        } else {
            Err(Failure::WrongPage)
        }
    }

    fn take_in(&mut self, received: &[u8]) {
        if self.status.is_some() {
            self.take_body(received);
            return;
        }
        self.head.extend(received);
        let Some(end) = self.head.windows(4).position(|four| four == b"\r\n\r\n") else {
            return;
        };
        let body = self.head.split_off(end + 4);
        let head = String::from_utf8_lossy(&self.head).into_owned();
        let status = head
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3)?.parse().ok());
        let announced = format!("\r\nContent-Length: {}\r\n", self.page.length);
        self.status = Some(status.unwrap_or(0));
        self.intact &= head.contains(&announced);
        self.take_body(&body);
    }

    fn take_body(&mut self, body: &[u8]) {
        self.intact &= self.page.part(self.length, body.len()) == body;
        self.length += body.len();
    }
}
