//! Clients over TCP: bytes become queries, replies become bytes (RFC 7766).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use crate::client::{Client, Transport};

/// Octets of the length in front of each message (RFC 1035 §4.2.2).
const PREFIX: usize = 2;

/// Within which bounds connections of clients are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionLimits {
    /// A connection on which nothing is asked is to be closed after this time (RFC 7766 §6.2.3 leaves
    /// it to the server; a few seconds are what it calls common).
    pub idle: Duration,
    /// The longest query that is read; whoever sends more is cut off.
    pub query_bytes: u16,
    /// Questions of one connection that may wait for an answer (RFC 7766 §6.2.1.1); further ones wait
    /// in the connection.
    pub pipelined: u16,
    /// Connections at once.
    pub connections: usize,
    /// Connections of one client address at once (RFC 7766 §6.2.2).
    pub per_client: usize,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(10),
            query_bytes: 4_096,
            pipelined: 64,
            connections: 1_024,
            per_client: 64,
        }
    }
}

/// All connections of clients, by the numbers that the caller gives them: the
/// [`token`](Client::token) of their queries.
///
/// ```
/// # use core::time::Duration;
/// use dnscache::{Connections, ConnectionLimits, Framed};
/// let (now, number) = (Duration::ZERO, 7);
/// let mut connections = Connections::new(ConnectionLimits::default());
/// assert!(connections.open(now, number, "10.0.0.1:4000".parse()?, "10.96.0.10:53".parse()?));
/// connections.receive(number, b"\x00\x03que");
/// while let Framed::Query { client, query } = connections.next(now, number) {
///     // Ask the resolver. Once there is a reply, or none will come:
///     assert_eq!((client.token, &query[..]), (7, &b"que"[..]));
///     connections.answered(now, number);
/// }
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
#[derive(Debug)]
pub struct Connections {
    open: BTreeMap<u64, Connection>,
    by_client: BTreeMap<IpAddr, usize>,
    limits: ConnectionLimits,
}

#[derive(Debug)]
struct Connection {
    address: SocketAddr,
    local: SocketAddr,
    received: Vec<u8>,
    waiting: u16,
    idle_at: Duration,
}

/// What came of a client's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Framed {
    /// A query, and who asks whom.
    Query {
        /// For [`Resolver::handle_query`](crate::Resolver::handle_query).
        client: Client,
        /// The message.
        query: Vec<u8>,
    },
    /// More is needed, or too much waits.
    Nothing,
    /// No DNS client sends that: close the connection.
    TooLong,
}

impl Connections {
    /// None yet.
    #[must_use]
    pub const fn new(limits: ConnectionLimits) -> Self {
        Self {
            open: BTreeMap::new(),
            by_client: BTreeMap::new(),
            limits,
        }
    }

    /// A client connected; `false` if there are too many connections: close it.
    pub fn open(
        &mut self,
        now: Duration,
        number: u64,
        address: SocketAddr,
        local: SocketAddr,
    ) -> bool {
        let own = self.by_client.get(&address.ip()).copied().unwrap_or(0);
        if self.open.len() >= self.limits.connections || own >= self.limits.per_client {
            return false;
        }
        let connection = Connection {
            address,
            local,
            received: Vec::new(),
            waiting: 0,
            idle_at: now.saturating_add(self.limits.idle),
        };
        self.close(number);
        self.open.insert(number, connection);
        *self.by_client.entry(address.ip()).or_default() += 1;
        true
    }

    /// Whether there is such a connection.
    #[must_use]
    pub fn has(&self, number: u64) -> bool {
        self.open.contains_key(&number)
    }

    /// A connection was closed, from either side.
    pub fn close(&mut self, number: u64) {
        let Some(connection) = self.open.remove(&number) else {
            return;
        };
        if let Some(own) = self.by_client.get_mut(&connection.address.ip()) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                self.by_client.remove(&connection.address.ip());
            }
        }
    }

    /// Bytes came, in whatever pieces. Then call [`next`](Self::next) until there is nothing.
    pub fn receive(&mut self, number: u64, bytes: &[u8]) {
        let most = self.most();
        if let Some(connection) = self.open.get_mut(&number) {
            // One more than the most is enough to be cut off for.
            let room = (most + 1).saturating_sub(connection.received.len());
            let taken = bytes.get(..room).unwrap_or(bytes);
            connection.received.extend_from_slice(taken);
        }
    }

    /// Octets that may wait in one connection.
    fn most(&self) -> usize {
        let usual = usize::from(self.limits.pipelined) * (PREFIX + 512);
        usual + PREFIX + usize::from(self.limits.query_bytes)
    }

    /// The next query that is whole. It counts as waiting until [`answered`](Self::answered).
    pub fn next(&mut self, now: Duration, number: u64) -> Framed {
        let (limits, most) = (self.limits, self.most());
        let Some(connection) = self.open.get_mut(&number) else {
            return Framed::Nothing;
        };
        let Some((prefix, rest)) = connection.received.split_first_chunk::<PREFIX>() else {
            return Framed::Nothing;
        };
        let length = u16::from_be_bytes(*prefix);
        if length > limits.query_bytes || connection.received.len() > most {
            return Framed::TooLong;
        }
        let length = usize::from(length);
        let Some(query) = rest.get(..length) else {
            return Framed::Nothing;
        };
        if connection.waiting >= limits.pipelined {
            return Framed::Nothing;
        }
        let query = query.to_vec();
        connection.received.drain(..PREFIX + length);
        connection.waiting += 1;
        connection.idle_at = now.saturating_add(limits.idle);
        let client = Client {
            address: connection.address,
            local: connection.local,
            transport: Transport::Tcp,
            token: number,
        };
        Framed::Query { client, query }
    }

    /// A query is answered, or will never be. In whatever order (RFC 7766 §6.2.1.1).
    pub fn answered(&mut self, now: Duration, number: u64) {
        if let Some(connection) = self.open.get_mut(&number) {
            connection.waiting = connection.waiting.saturating_sub(1);
            connection.idle_at = now.saturating_add(self.limits.idle);
        }
    }

    /// Connections on which nothing was asked for too long: close them.
    pub fn idle(&self, now: Duration) -> impl Iterator<Item = u64> + '_ {
        let idle = self.open.iter();
        idle.filter(move |(_, connection)| connection.idle_at <= now)
            .map(|(number, _)| *number)
    }

    /// When [`idle`](Self::idle) has something to say next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.open
            .values()
            .map(|connection| connection.idle_at)
            .min()
    }

    /// What goes in front of a message of `len` octets on a stream; `None` for one that is too long.
    #[must_use]
    pub fn prefix(len: usize) -> Option<[u8; 2]> {
        u16::try_from(len).ok().map(u16::to_be_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1);
    const ONE: u64 = 1;

    fn connect(connections: &mut Connections, number: u64, address: &str) -> bool {
        let [address, local] = [address, "198.51.100.53:53"].map(|one| one.parse().unwrap());
        connections.open(NOW, number, address, local)
    }

    fn one() -> Connections {
        let mut connections = Connections::new(ConnectionLimits::default());
        assert!(connect(&mut connections, ONE, "10.0.0.1:4000"));
        connections
    }

    fn query(framed: Framed) -> Vec<u8> {
        match framed {
            Framed::Query { query, .. } => query,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rfc7766_8_a_message_may_come_in_pieces_and_two_at_once() {
        let mut connections = one();
        for byte in b"\0\x03one" {
            assert_eq!(connections.next(NOW, ONE), Framed::Nothing);
            connections.receive(ONE, &[*byte]);
        }
        assert_eq!(query(connections.next(NOW, ONE)), b"one");
        assert_eq!(connections.next(NOW, ONE), Framed::Nothing);
        connections.receive(ONE, b"\0\x03two\0\x05three\0");
        assert_eq!(query(connections.next(NOW, ONE)), b"two");
        assert_eq!(query(connections.next(NOW, ONE)), b"three");
        assert_eq!(connections.next(NOW, ONE), Framed::Nothing);
    }

    #[test]
    fn rfc7766_6_2_1_1_pipelined_questions_are_bounded() {
        let mut connections = one();
        for _ in 0..=64 {
            connections.receive(ONE, b"\0\x01q");
        }
        for _ in 0..64 {
            assert_eq!(query(connections.next(NOW, ONE)), b"q");
        }
        assert_eq!(connections.next(NOW, ONE), Framed::Nothing);
        connections.answered(NOW, ONE);
        assert_eq!(query(connections.next(NOW, ONE)), b"q");
    }

    #[test]
    fn what_is_too_long_is_cut_off_and_does_not_pile_up() {
        let mut connections = one();
        connections.receive(ONE, b"\xff\xff");
        assert_eq!(connections.next(NOW, ONE), Framed::TooLong);
        for _ in 0..100 {
            connections.receive(ONE, &[0; 10_000]);
        }
        assert!(connections.open[&ONE].received.len() <= connections.most() + 1);
    }

    #[test]
    fn rfc7766_6_2_3_idle_connections_are_told() {
        let connections = one();
        let idle = ConnectionLimits::default().idle;
        assert_eq!(connections.poll_timeout(), Some(NOW + idle));
        assert_eq!(connections.idle(NOW).count(), 0);
        assert_eq!(connections.idle(NOW + idle).collect::<Vec<_>>(), [ONE]);
    }

    #[test]
    fn rfc7766_6_2_2_connections_are_bounded_in_all_and_for_each_client() {
        let mut connections = Connections::new(ConnectionLimits {
            connections: 3,
            per_client: 2,
            ..ConnectionLimits::default()
        });
        assert!(connect(&mut connections, 1, "10.0.0.1:1"));
        assert!(connect(&mut connections, 2, "10.0.0.1:2"));
        assert!(!connect(&mut connections, 3, "10.0.0.1:3"));
        assert!(connect(&mut connections, 3, "10.0.0.2:1"));
        assert!(!connect(&mut connections, 4, "10.0.0.3:1"));
        connections.close(1);
        assert!(connect(&mut connections, 4, "10.0.0.1:4"));
    }
}
