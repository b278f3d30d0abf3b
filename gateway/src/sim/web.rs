use core::net::SocketAddr;
use core::time::Duration;

use super::listener::Listener;
use super::{App, Body, Stack, TcpId, TcpState};

/// Bytes of a request before its empty line.
const REQUEST_MAX: usize = 8192;

/// A web server on port 80: HTTP/1.1, one request a connection, the same page for every path.
#[derive(Debug)]
pub struct WebServer {
    page: Body,
    listener: Listener,
    connections: Vec<Connection>,
    requests: Vec<Request>,
}

/// A request that a [`WebServer`] has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// When it was complete.
    pub at: Duration,
    /// Who asked, as the server sees it.
    pub from: SocketAddr,
    /// The server's own address and port.
    pub to: SocketAddr,
    /// The first line.
    pub line: String,
}

#[derive(Debug)]
struct Connection {
    id: TcpId,
    received: Vec<u8>,
    reply: Option<Reply>,
}

#[derive(Debug)]
struct Reply {
    head: Vec<u8>,
    body: Body,
    sent: usize,
}

impl WebServer {
    /// A server of `page`.
    #[must_use]
    pub fn new(page: Body) -> Self {
        let listener = Listener::new(80);
        Self {
            page,
            listener,
            connections: Vec::new(),
            requests: Vec::new(),
        }
    }

    /// The requests so far.
    #[must_use]
    pub fn requests(&self) -> &[Request] {
        &self.requests
    }
}

impl App for WebServer {
    fn poll(&mut self, now: Duration, stack: &mut Stack) {
        for id in self.listener.accept(stack) {
            self.connections.push(Connection {
                id,
                received: Vec::new(),
                reply: None,
            });
        }
        for mut connection in core::mem::take(&mut self.connections) {
            if let Some(request) = connection.read(now, stack, self.page) {
                self.requests.push(request);
            }
            let done = connection.write(stack);
            match stack.tcp_state(&connection.id) {
                _ if done => stack.tcp_release(connection.id),
                TcpState::PeerClosed if connection.reply.is_none() => {
                    stack.tcp_release(connection.id);
                }
                TcpState::Closed | TcpState::Closing => stack.tcp_release(connection.id),
                TcpState::Opening | TcpState::Open | TcpState::PeerClosed => {
                    self.connections.push(connection);
                }
            }
        }
    }

    fn waits_for(&self) -> String {
        format!(
            "HTTP requests ({} connections open)",
            self.connections.len()
        )
    }
}

impl Connection {
    fn read(&mut self, now: Duration, stack: &mut Stack, page: Body) -> Option<Request> {
        stack.tcp_receive(&self.id, |data| self.received.extend(data));
        if self.reply.is_some() {
            return None;
        }
        let end = self
            .received
            .windows(4)
            .position(|four| four == b"\r\n\r\n");
        let line_end = self.received.windows(2).position(|two| two == b"\r\n");
        let line = match (end, line_end) {
            (Some(_), Some(line_end)) => {
                String::from_utf8_lossy(&self.received[..line_end]).into_owned()
            }
            _ if self.received.len() > REQUEST_MAX => String::from("(too long)"),
            _ => return None,
        };
        let (status, body) = if line.starts_with("GET ") && line.ends_with(" HTTP/1.1") {
            ("200 OK", page)
        } else {
            ("400 Bad Request", Body { seed: 0, length: 0 })
        };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/octet-stream\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            body.length
        );
        self.reply = Some(Reply {
            head: head.into_bytes(),
            body,
            sent: 0,
        });
        let (from, to) = (stack.tcp_remote(&self.id)?, stack.tcp_local(&self.id)?);
        Some(Request {
            at: now,
            from,
            to,
            line,
        })
    }

    /// Sends what there is room for. True once all is sent.
    fn write(&mut self, stack: &mut Stack) -> bool {
        let Some(reply) = &mut self.reply else {
            return false;
        };
        let length = reply.head.len() + reply.body.length;
        while reply.sent < length {
            let room = stack.tcp_send_room(&self.id);
            let sent = match reply.sent.checked_sub(reply.head.len()) {
                None => stack.tcp_send(&self.id, &reply.head[reply.sent..]),
                Some(offset) => stack.tcp_send(&self.id, &reply.body.part(offset, room)),
            };
            if sent == 0 {
                return false;
            }
            reply.sent += sent;
        }
        true
    }
}
