use core::net::SocketAddr;
use core::time::Duration;

use super::{App, Stack, UdpId};

/// A server that sends every UDP datagram back, fragmented if it must be.
#[derive(Debug)]
pub struct EchoServer {
    port: u16,
    socket: Option<UdpId>,
    seen: Vec<EchoSeen>,
}

/// A datagram that an [`EchoServer`] has sent back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EchoSeen {
    /// When it came.
    pub at: Duration,
    /// Who sent it, as the server sees it.
    pub from: SocketAddr,
    /// Its payload in bytes.
    pub length: usize,
}

impl EchoServer {
    /// An echo server on a port; the registered one is 7 (RFC 862).
    #[must_use]
    pub fn new(port: u16) -> Self {
        Self {
            port,
            socket: None,
            seen: Vec::new(),
        }
    }

    /// The datagrams so far.
    #[must_use]
    pub fn seen(&self) -> &[EchoSeen] {
        &self.seen
    }
}

impl App for EchoServer {
    fn poll(&mut self, now: Duration, stack: &mut Stack) {
        if self.socket.is_none() {
            self.socket = stack.udp_open(Some(self.port));
        }
        let Some(socket) = &self.socket else { return };
        while let Some(datagram) = stack.udp_receive(socket) {
            self.seen.push(EchoSeen {
                at: now,
                from: datagram.from,
                length: datagram.data.len(),
            });
            match datagram.to {
                Some(own) => stack.udp_send_from(socket, own, datagram.from, &datagram.data),
                None => stack.udp_send(socket, datagram.from, &datagram.data),
            }
        }
    }
}
