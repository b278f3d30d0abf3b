//! The page that the sorry IP answers with, over HTTP.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::time::Duration;

use nat46::packet::Packet;

use crate::classify::{HTTP_PORT, is_http};
use crate::sockets::{Connection, SocketEvent};
use crate::{Gateway, Options};

/// Bytes of a request's head that are read.
const HEAD: usize = 8192;

/// The page, and who is about to get it.
#[derive(Debug, Default)]
pub(crate) struct Sorry {
    page: Option<Arc<[u8]>>,
    on_miss: bool,
    /// What each has sent until now.
    asking: BTreeMap<Connection, Vec<u8>>,
}

impl Sorry {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            page: options.sorry_page.clone(),
            on_miss: options.sorry_on_miss && options.sorry_page.is_some(),
            asking: BTreeMap::new(),
        }
    }

    /// The reply to a request whose head is there: 503, so that nobody keeps the page for what was
    /// asked for (RFC 9110 §15.6.4).
    fn reply(&self, request: &[u8]) -> Vec<u8> {
        let page = self.page.as_deref().unwrap_or_default();
        let mut reply = format!(
            "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/html; charset=utf-8\r\n\
             Content-Length: {}\r\nRetry-After: 5\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
            page.len()
        )
        .into_bytes();
        if !request.starts_with(b"HEAD ") {
            reply.extend_from_slice(page);
        }
        reply
    }
}

impl Gateway {
    /// Whether a packet to a mapped address that stands for nothing is answered with the page.
    pub(crate) fn answers_miss(&self, packet: &Packet) -> bool {
        self.sorry.on_miss && is_http(packet)
    }

    /// Takes what happened to connections to the page; gives back what is about others.
    pub(crate) fn on_page_event(
        &mut self,
        now: Duration,
        event: SocketEvent,
    ) -> Option<SocketEvent> {
        match event {
            SocketEvent::Accepted {
                connection, local, ..
            } if local.port() == HTTP_PORT => {
                self.sorry.asking.insert(connection, Vec::new());
                None
            }
            SocketEvent::Bytes { connection, bytes } => {
                let Some(request) = self.sorry.asking.get_mut(&connection) else {
                    return Some(SocketEvent::Bytes { connection, bytes });
                };
                request.extend_from_slice(&bytes);
                let is_whole = request.windows(4).any(|four| four == b"\r\n\r\n");
                if is_whole || request.len() > HEAD {
                    let request = core::mem::take(request);
                    let reply = self.sorry.reply(&request);
                    self.sorry.asking.remove(&connection);
                    self.sockets.send(now, connection, &reply);
                    self.sockets.close(now, connection);
                }
                None
            }
            SocketEvent::Closed { connection } => {
                self.sorry.asking.remove(&connection);
                Some(event)
            }
            SocketEvent::Accepted { .. } | SocketEvent::Open { .. } => Some(event),
        }
    }
}
