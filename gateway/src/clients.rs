//! DNS clients over TCP: bytes become queries, replies become bytes (RFC 7766).

use alloc::collections::BTreeMap;
use core::net::SocketAddr;
use core::time::Duration;

use crate::sockets::Connection;

/// A connection on which nothing is asked is closed after this time (RFC 7766 §6.2.3 leaves it to the
/// server; a few seconds are what it calls common).
const IDLE: Duration = Duration::from_secs(10);

/// Octets of the length in front of each message (RFC 1035 §4.2.2).
pub(crate) const PREFIX: usize = 2;

/// The longest query that anyone needs; whoever sends more is cut off.
const LONGEST_QUERY: usize = 4096;

/// Questions of one connection that may wait for an answer; further ones wait in the connection.
const PIPELINED: usize = 64;

/// One client's connection.
#[derive(Debug)]
struct Client {
    address: SocketAddr,
    local: SocketAddr,
    received: Vec<u8>,
    waiting: usize,
    idle_at: Duration,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Clients(BTreeMap<Connection, Client>);

/// What came of a client's bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Framed {
    /// A query, and who asks whom.
    Query {
        address: SocketAddr,
        local: SocketAddr,
        query: Vec<u8>,
    },
    /// More is needed, or too much waits.
    Nothing,
    /// No DNS client sends that.
    TooLong,
}

impl Clients {
    pub(crate) fn add(
        &mut self,
        now: Duration,
        connection: Connection,
        address: SocketAddr,
        local: SocketAddr,
    ) {
        let client = Client {
            address,
            local,
            received: Vec::new(),
            waiting: 0,
            idle_at: now.saturating_add(IDLE),
        };
        self.0.insert(connection, client);
    }

    pub(crate) fn has(&self, connection: Connection) -> bool {
        self.0.contains_key(&connection)
    }

    pub(crate) fn remove(&mut self, connection: Connection) {
        self.0.remove(&connection);
    }

    /// Bytes came.
    pub(crate) fn receive(&mut self, connection: Connection, bytes: &[u8]) {
        if let Some(client) = self.0.get_mut(&connection) {
            client.received.extend_from_slice(bytes);
        }
    }

    /// The next query that is whole. It counts as waiting until [`answered`](Self::answered).
    pub(crate) fn next(&mut self, now: Duration, connection: Connection) -> Framed {
        let Some(client) = self.0.get_mut(&connection) else {
            return Framed::Nothing;
        };
        let Some((prefix, rest)) = client.received.split_first_chunk::<PREFIX>() else {
            return Framed::Nothing;
        };
        let length = usize::from(u16::from_be_bytes(*prefix));
        let backlog = PIPELINED * (PREFIX + 512) + LONGEST_QUERY;
        if length > LONGEST_QUERY || client.received.len() > backlog {
            return Framed::TooLong;
        }
        let Some(query) = rest.get(..length) else {
            return Framed::Nothing;
        };
        if client.waiting >= PIPELINED {
            return Framed::Nothing;
        }
        let query = query.to_vec();
        client.received.drain(..PREFIX + length);
        client.waiting += 1;
        client.idle_at = now.saturating_add(IDLE);
        Framed::Query {
            address: client.address,
            local: client.local,
            query,
        }
    }

    /// A query is answered, or will never be.
    pub(crate) fn answered(&mut self, now: Duration, connection: Connection) {
        if let Some(client) = self.0.get_mut(&connection) {
            client.waiting = client.waiting.saturating_sub(1);
            client.idle_at = now.saturating_add(IDLE);
        }
    }

    /// Connections that have been idle for too long.
    pub(crate) fn idle(&self, now: Duration) -> Vec<Connection> {
        let idle = self.0.iter().filter(|(_, client)| client.idle_at <= now);
        idle.map(|(connection, _)| *connection).collect()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        self.0.values().map(|client| client.idle_at).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1);
    const ONE: Connection = Connection(1);

    fn clients() -> Clients {
        let mut clients = Clients::default();
        let [address, local] =
            ["10.0.0.1:4000", "198.51.100.53:53"].map(|one| one.parse().unwrap());
        clients.add(NOW, ONE, address, local);
        clients
    }

    fn query(framed: Framed) -> Vec<u8> {
        match framed {
            Framed::Query { query, .. } => query,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rfc7766_8_a_message_may_come_in_pieces_and_two_at_once() {
        let mut clients = clients();
        for byte in b"\0\x03one" {
            assert_eq!(clients.next(NOW, ONE), Framed::Nothing);
            clients.receive(ONE, &[*byte]);
        }
        assert_eq!(query(clients.next(NOW, ONE)), b"one");
        assert_eq!(clients.next(NOW, ONE), Framed::Nothing);
        clients.receive(ONE, b"\0\x03two\0\x05three\0");
        assert_eq!(query(clients.next(NOW, ONE)), b"two");
        assert_eq!(query(clients.next(NOW, ONE)), b"three");
        assert_eq!(clients.next(NOW, ONE), Framed::Nothing);
    }

    #[test]
    fn rfc7766_6_2_1_1_pipelined_questions_are_bounded() {
        let mut clients = clients();
        for _ in 0..=PIPELINED {
            clients.receive(ONE, b"\0\x01q");
        }
        for _ in 0..PIPELINED {
            assert_eq!(query(clients.next(NOW, ONE)), b"q");
        }
        assert_eq!(clients.next(NOW, ONE), Framed::Nothing);
        clients.answered(NOW, ONE);
        assert_eq!(query(clients.next(NOW, ONE)), b"q");
    }

    #[test]
    fn what_is_too_long_is_cut_off() {
        let mut clients = clients();
        clients.receive(ONE, b"\xff\xff");
        assert_eq!(clients.next(NOW, ONE), Framed::TooLong);
    }

    #[test]
    fn rfc7766_6_2_3_idle_connections_are_told() {
        let clients = clients();
        assert_eq!(clients.poll_timeout(), Some(NOW + IDLE));
        assert_eq!(clients.idle(NOW), []);
        assert_eq!(clients.idle(NOW + IDLE), [ONE]);
    }
}
