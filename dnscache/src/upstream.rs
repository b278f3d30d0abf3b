//! TCP connections to servers: one per server, shared by all questions to it (RFC 7766 §6.2.2).

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use crate::slab::{Key, Slab};
use crate::stream::{Frames, StreamId};

/// What a connection needs done by whoever has the sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamTransmit {
    /// Open a connection; tell with [`StreamInput::Open`] or [`StreamInput::Closed`].
    Connect {
        /// The name of the new connection.
        stream: StreamId,
        /// The server.
        destination: SocketAddr,
    },
    /// Send the first `len` octets of the lent buffer, after all that was sent before.
    Send {
        /// The connection.
        stream: StreamId,
        /// Octets to send.
        len: usize,
    },
    /// Close the connection; nothing more is said about it.
    Close {
        /// The connection.
        stream: StreamId,
    },
}

/// What happened to a connection to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamInput<'a> {
    /// It was established.
    Open,
    /// Bytes arrived, however many.
    Bytes(&'a [u8]),
    /// It was closed or reset, or could not be established.
    Closed,
}

#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) server: usize,
    pub(crate) address: SocketAddr,
    pub(crate) frames: Frames,
    open: bool,
    announced: bool,
    output: VecDeque<u8>,
    /// Whose reply carries which identifier.
    pub(crate) waiting: BTreeMap<u16, Key>,
    idle_at: Duration,
}

#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) streams: Slab<Stream>,
    by_server: BTreeMap<usize, Key>,
    closing: VecDeque<Key>,
    idle: Duration,
}

impl Upstream {
    pub(crate) fn new(servers: usize, idle: Duration) -> Self {
        Self {
            streams: Slab::new(servers),
            by_server: BTreeMap::new(),
            closing: VecDeque::new(),
            idle,
        }
    }

    /// The connection to a server, made if there is none.
    pub(crate) fn connect(
        &mut self,
        now: Duration,
        server: usize,
        address: SocketAddr,
    ) -> Option<Key> {
        if let Some(key) = self.by_server.get(&server) {
            return Some(*key);
        }
        let key = self.streams.insert(Stream {
            server,
            address,
            frames: Frames::default(),
            open: false,
            announced: false,
            output: VecDeque::new(),
            waiting: BTreeMap::new(),
            idle_at: now.saturating_add(self.idle),
        })?;
        self.by_server.insert(server, key);
        Some(key)
    }

    /// Queues a message; the identifier must not be waiting on this connection.
    pub(crate) fn send(&mut self, now: Duration, key: Key, id: u16, message: &[u8], owner: Key) {
        let Some(stream) = self.streams.get_mut(key) else {
            return;
        };
        let Ok(length) = u16::try_from(message.len()) else {
            return;
        };
        stream.output.extend(length.to_be_bytes());
        stream.output.extend(message);
        stream.waiting.insert(id, owner);
        stream.idle_at = now.saturating_add(self.idle);
    }

    pub(crate) fn received(&mut self, now: Duration, key: Key) {
        if let Some(stream) = self.streams.get_mut(key) {
            stream.idle_at = now.saturating_add(self.idle);
        }
    }

    pub(crate) fn opened(&mut self, key: Key) {
        if let Some(stream) = self.streams.get_mut(key) {
            stream.open = true;
        }
    }

    /// Forgets a connection; gives those who waited for a reply on it.
    pub(crate) fn closed(&mut self, key: Key) -> Vec<Key> {
        let Some(stream) = self.streams.remove(key) else {
            return Vec::new();
        };
        self.by_server.remove(&stream.server);
        stream.waiting.into_values().collect()
    }

    /// Closes a connection of our own accord.
    pub(crate) fn close(&mut self, key: Key) -> Vec<Key> {
        if self.streams.get(key).is_some_and(|stream| stream.announced) {
            self.closing.push_back(key);
        }
        self.closed(key)
    }

    pub(crate) fn poll(&mut self, buf: &mut [u8]) -> Option<StreamTransmit> {
        if let Some(key) = self.closing.pop_front() {
            return Some(StreamTransmit::Close {
                stream: StreamId(key),
            });
        }
        for key in self.by_server.values() {
            let Some(stream) = self.streams.get_mut(*key) else {
                continue;
            };
            if !stream.announced {
                stream.announced = true;
                let destination = stream.address;
                return Some(StreamTransmit::Connect {
                    stream: StreamId(*key),
                    destination,
                });
            }
            if stream.open && !stream.output.is_empty() && !buf.is_empty() {
                let len = stream.output.len().min(buf.len());
                for (into, from) in buf.iter_mut().zip(stream.output.drain(..len)) {
                    *into = from;
                }
                return Some(StreamTransmit::Send {
                    stream: StreamId(*key),
                    len,
                });
            }
        }
        None
    }

    pub(crate) fn has_output(&self) -> bool {
        !self.closing.is_empty()
            || self
                .by_server
                .values()
                .filter_map(|key| self.streams.get(*key))
                .any(|stream| !stream.announced || (stream.open && !stream.output.is_empty()))
    }

    /// When the next connection has been idle for too long.
    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        self.idle_streams().map(|(_, idle_at)| idle_at).min()
    }

    fn idle_streams(&self) -> impl Iterator<Item = (Key, Duration)> + '_ {
        self.by_server.values().filter_map(|key| {
            let stream = self.streams.get(*key)?;
            stream.waiting.is_empty().then_some((*key, stream.idle_at))
        })
    }

    pub(crate) fn handle_timeout(&mut self, now: Duration) {
        let idle: Vec<Key> = self
            .idle_streams()
            .filter(|(_, idle_at)| *idle_at <= now)
            .map(|(key, _)| key)
            .collect();
        for key in idle {
            self.close(key);
        }
    }
}
