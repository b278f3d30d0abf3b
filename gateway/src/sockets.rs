//! TCP connections that end at the gateway, by smoltcp: those of DNS clients, whatever address they
//! asked (any-IP), and those to name servers.

use alloc::collections::{BTreeMap, VecDeque};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::ops::RangeInclusive;
use core::time::Duration;

use nat46::packet::{Packet, Transport};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::socket::tcp;
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, IpCidr, IpEndpoint};

use crate::classify::{DNS_PORT, HTTP_PORT};
use crate::wire::Wire;

/// Sockets of a port that wait for a client, refilled at once; half-open ones are among them.
const LISTENERS: usize = 64;

/// Half-open connections of one address, and how long one may be half open: whoever means it takes a
/// round trip.
const HALF_OPEN_PER_ADDRESS: usize = 4;
const HALF_OPEN: smoltcp::time::Duration = smoltcp::time::Duration::from_secs(5);

/// Clients' connections at a time to one port, in all (those of DNS, and those to the page) and of one
/// address (RFC 7766 §6.2.2 asks for limits).
const CLIENTS: usize = 512;
const READERS: usize = 128;
const CLIENTS_PER_ADDRESS: usize = 16;

/// What it may take to ask for the page.
const ASKING: smoltcp::time::Duration = smoltcp::time::Duration::from_secs(10);

/// Bytes that a socket buffers: queries are short, replies may be 64 KiB and are sent bit by bit.
const RECEIVE_BUFFER: usize = 4096;
const SEND_BUFFER: usize = 16 * 1024;

/// A connection without a sign of life from its peer ends after this time.
const TIMEOUT: smoltcp::time::Duration = smoltcp::time::Duration::from_secs(30);

/// Flags of a segment (RFC 9293 §3.1).
const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

/// RFC 6335 §6.
const EPHEMERAL: RangeInclusive<u16> = 49152..=65535;

/// Addresses for a stack that has none of a family (RFC 7335 §4, RFC 6666 §3): replies bear the
/// address that was asked.
const DUMMY_IPV4: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 1);
const DUMMY_IPV6: Ipv6Addr = Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 1);

/// Names a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Connection(pub(crate) u64);

/// What happened to a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SocketEvent {
    /// A client has connected to an address that it takes for a server.
    Accepted {
        connection: Connection,
        client: SocketAddr,
        local: SocketAddr,
    },
    /// A connection to a name server stands.
    Open { connection: Connection },
    /// Bytes came.
    Bytes {
        connection: Connection,
        bytes: Vec<u8>,
    },
    /// It is over, and its name is dead.
    Closed { connection: Connection },
}

struct Socket {
    handle: SocketHandle,
    peer: SocketAddr,
    /// Where a client came to; `None` for connections to name servers.
    port: Option<u16>,
    /// When it is over unless it is [closing](Self::closing) by then.
    ends_at: Option<Instant>,
    /// It has been told that it stands.
    is_open: bool,
    /// Nothing is sent after what is queued.
    closing: bool,
    output: VecDeque<u8>,
}

/// A socket that waits for a client, or for the end of its handshake.
struct Listener {
    handle: SocketHandle,
    port: u16,
    half_open: Option<HalfOpen>,
}

#[derive(Clone, Copy)]
struct HalfOpen {
    client: IpAddr,
    since: Instant,
}

/// The stack, without a device: packets are handed in and out.
pub(crate) struct Sockets {
    interface: Interface,
    wire: Wire,
    set: SocketSet<'static>,
    listeners: Vec<Listener>,
    /// What clients may connect to.
    ports: &'static [u16],
    connections: BTreeMap<Connection, Socket>,
    last: u64,
    events: VecDeque<SocketEvent>,
    rng: ChaCha12Rng,
    now: Instant,
    timeout_at: Option<Duration>,
}

impl core::fmt::Debug for Sockets {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Sockets")
            .field("connections", &self.connections.len())
            .finish_non_exhaustive()
    }
}

impl Sockets {
    /// A stack with the gateway's own addresses.
    pub(crate) fn new(own: &[IpAddr], mtu: usize, serves_pages: bool, seed: [u8; 32]) -> Self {
        let mut rng = ChaCha12Rng::from_seed(seed);
        let mut wire = Wire {
            mtu,
            ..Wire::default()
        };
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = rng.next_u64();
        let mut interface = Interface::new(config, &mut wire, Instant::ZERO);
        let of = |ipv4: bool| own.iter().copied().find(|own| own.is_ipv4() == ipv4);
        let ipv4 = match of(true) {
            Some(IpAddr::V4(address)) => address,
            _ => DUMMY_IPV4,
        };
        let ipv6 = match of(false) {
            Some(IpAddr::V6(address)) => address,
            _ => DUMMY_IPV6,
        };
        let mut addresses = vec![IpAddr::V4(ipv4), IpAddr::V6(ipv6)];
        addresses.extend(own.iter().filter(|own| **own != ipv4 && **own != ipv6));
        interface.update_ip_addrs(|list| {
            for address in addresses {
                let length = if address.is_ipv4() { 32 } else { 128 };
                // The list holds eight, of which a replica has four.
                if list.push(IpCidr::new(address.into(), length)).is_err() {
                    break;
                }
            }
        });
        // A packet to any address is ours if its route leads to ourselves.
        interface.set_any_ip(true);
        let routes = interface.routes_mut();
        let _ = routes.add_default_ipv4_route(ipv4);
        let _ = routes.add_default_ipv6_route(ipv6);
        let mut sockets = Self {
            interface,
            wire,
            set: SocketSet::new(Vec::new()),
            listeners: Vec::new(),
            ports: if serves_pages {
                &[DNS_PORT, HTTP_PORT]
            } else {
                &[DNS_PORT]
            },
            connections: BTreeMap::new(),
            last: 0,
            events: VecDeque::new(),
            rng,
            now: Instant::ZERO,
            timeout_at: None,
        };
        sockets.refill();
        sockets
    }

    /// A packet to one of the connections, or to a port that is listened on.
    pub(crate) fn handle_packet(&mut self, now: Duration, packet: &[u8]) {
        // It comes again in a second, when there may be room.
        if self.is_one_too_many(packet) {
            return;
        }
        self.wire.received.push_back(packet.to_vec());
        self.run(now);
    }

    /// A first segment of a client that has enough half-open connections.
    fn is_one_too_many(&self, packet: &[u8]) -> bool {
        let Ok(packet) = Packet::parse(packet) else {
            return false;
        };
        let is_first = match packet.transport() {
            Transport::Tcp { flags, .. } => flags.0 & (SYN | ACK) == SYN,
            _ => false,
        };
        if !is_first {
            return false;
        }
        let client = packet.source();
        let half_open = self.listeners.iter().filter_map(|one| one.half_open);
        half_open.filter(|one| one.client == client).count() >= HALF_OPEN_PER_ADDRESS
    }

    /// The next packet to send.
    pub(crate) fn poll_packet(&mut self) -> Option<Vec<u8>> {
        self.wire.sent.pop_front()
    }

    /// Whether there is one.
    pub(crate) fn has_packet(&self) -> bool {
        !self.wire.sent.is_empty()
    }

    /// Opens a connection from one of the gateway's own addresses.
    pub(crate) fn connect(
        &mut self,
        now: Duration,
        from: IpAddr,
        to: SocketAddr,
    ) -> Option<Connection> {
        let mut socket = socket();
        let span = u32::from(EPHEMERAL.end() - EPHEMERAL.start());
        let drawn = self.rng.next_u32() % (span + 1);
        let port = EPHEMERAL
            .start()
            .saturating_add(u16::try_from(drawn).unwrap_or(0));
        let from = IpEndpoint::new(from.into(), port);
        let context = self.interface.context();
        socket.connect(context, IpEndpoint::from(to), from).ok()?;
        let handle = self.set.add(socket);
        let connection = self.add(handle, to, None);
        self.run(now);
        Some(connection)
    }

    /// Queues bytes to be sent; whoever sends bounds them.
    pub(crate) fn send(&mut self, now: Duration, connection: Connection, bytes: &[u8]) {
        if let Some(socket) = self.connections.get_mut(&connection) {
            socket.output.extend(bytes);
            self.run(now);
        }
    }

    /// Closes a connection after what is queued.
    pub(crate) fn close(&mut self, now: Duration, connection: Connection) {
        if let Some(socket) = self.connections.get_mut(&connection) {
            socket.closing = true;
            self.run(now);
        }
    }

    /// What happened, oldest first.
    pub(crate) fn poll_event(&mut self) -> Option<SocketEvent> {
        self.events.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        self.timeout_at
    }

    /// Lets time pass.
    pub(crate) fn handle_timeout(&mut self, now: Duration) {
        if self.timeout_at.is_some_and(|at| at <= now) {
            self.run(now);
        }
    }

    fn run(&mut self, now: Duration) {
        let micros = i64::try_from(now.as_micros()).unwrap_or(i64::MAX);
        self.now = Instant::from_micros(micros);
        self.end_late();
        self.interface.poll(self.now, &mut self.wire, &mut self.set);
        self.accept();
        let connections: Vec<Connection> = self.connections.keys().copied().collect();
        for connection in connections {
            self.serve(connection);
        }
        self.interface.poll(self.now, &mut self.wire, &mut self.set);
        let half_open = self.listeners.iter().filter_map(|one| one.half_open);
        let asking = self.connections.values().filter(|one| !one.closing);
        let at = half_open
            .map(|one| one.since + HALF_OPEN)
            .chain(asking.filter_map(|one| one.ends_at))
            .chain(self.interface.poll_at(self.now, &self.set))
            .min();
        self.timeout_at =
            at.map(|at| Duration::from_micros(u64::try_from(at.total_micros()).unwrap_or(0)));
    }

    /// Ends what has been half open, or asking for the page, for too long.
    fn end_late(&mut self) {
        let (now, set) = (self.now, &mut self.set);
        self.listeners.retain(|listener| {
            let is_late = (listener.half_open).is_some_and(|one| one.since + HALF_OPEN <= now);
            if is_late {
                set.remove(listener.handle);
            }
            !is_late
        });
        for own in self.connections.values().filter(|own| !own.closing) {
            if own.ends_at.is_some_and(|at| at <= now) {
                set.get_mut::<tcp::Socket<'_>>(own.handle).abort();
            }
        }
    }

    /// Listeners that have a peer become connections.
    fn accept(&mut self) {
        for mut listener in core::mem::take(&mut self.listeners) {
            let handle = listener.handle;
            let socket = self.set.get_mut::<tcp::Socket<'_>>(handle);
            let ends = socket.remote_endpoint().zip(socket.local_endpoint());
            let ends = ends.map(|(one, other)| (end(one), end(other)));
            match (socket.state(), ends) {
                (tcp::State::Listen, _) => {
                    listener.half_open = None;
                    self.listeners.push(listener);
                }
                (tcp::State::SynReceived, Some((client, _))) => {
                    let since = listener.half_open.map_or(self.now, |one| one.since);
                    let client = client.ip();
                    listener.half_open = Some(HalfOpen { client, since });
                    self.listeners.push(listener);
                }
                (_, None) => drop(self.set.remove(handle)),
                (_, Some((client, local))) => self.accept_one(&listener, client, local),
            }
        }
        self.refill();
    }

    fn accept_one(&mut self, listener: &Listener, client: SocketAddr, local: SocketAddr) {
        let Listener { handle, port, .. } = *listener;
        let on_port = self.connections.values();
        let on_port = on_port.filter(|socket| socket.port == Some(port));
        let of_client = on_port.clone().filter(|own| own.peer.ip() == client.ip());
        let most = if port == HTTP_PORT { READERS } else { CLIENTS };
        if on_port.count() >= most || of_client.count() >= CLIENTS_PER_ADDRESS {
            self.set.get_mut::<tcp::Socket<'_>>(handle).abort();
            self.interface.poll(self.now, &mut self.wire, &mut self.set);
            self.set.remove(handle);
            return;
        }
        let connection = self.add(handle, client, Some(port));
        self.events.push_back(SocketEvent::Accepted {
            connection,
            client,
            local,
        });
    }

    /// One listener of each port waits for a client, whatever else does.
    fn refill(&mut self) {
        for port in self.ports {
            let on_port = self.listeners.iter().filter(|one| one.port == *port);
            let mut there = on_port.clone().count();
            // A flood of SYNs must not grow the set: the oldest makes room.
            if there >= LISTENERS && on_port.clone().all(|one| one.half_open.is_some()) {
                let since = |one: &Listener| one.half_open.map(|one| one.since);
                let places = self.listeners.iter().enumerate();
                let oldest = places
                    .filter(|(_, one)| one.port == *port)
                    .min_by_key(|(_, one)| since(one));
                if let Some((place, _)) = oldest {
                    let oldest = self.listeners.remove(place);
                    self.set.remove(oldest.handle);
                    there -= 1;
                }
            }
            for _ in there..LISTENERS {
                let mut socket = socket();
                if socket.listen(*port).is_err() {
                    return;
                }
                self.listeners.push(Listener {
                    handle: self.set.add(socket),
                    port: *port,
                    half_open: None,
                });
            }
        }
    }

    fn add(&mut self, handle: SocketHandle, peer: SocketAddr, port: Option<u16>) -> Connection {
        self.last += 1;
        let connection = Connection(self.last);
        let socket = Socket {
            handle,
            peer,
            port,
            ends_at: (port == Some(HTTP_PORT)).then(|| self.now + ASKING),
            is_open: port.is_some(),
            closing: false,
            output: VecDeque::new(),
        };
        self.connections.insert(connection, socket);
        connection
    }

    /// Moves bytes between a socket and whoever uses it.
    fn serve(&mut self, connection: Connection) {
        let Some(own) = self.connections.get_mut(&connection) else {
            return;
        };
        let socket = self.set.get_mut::<tcp::Socket<'_>>(own.handle);
        if !own.is_open && socket.may_send() {
            own.is_open = true;
            self.events.push_back(SocketEvent::Open { connection });
        }
        let mut bytes = Vec::new();
        while socket.can_recv() {
            let taken = socket.recv(|data| {
                bytes.extend_from_slice(data);
                (data.len(), ())
            });
            if taken.is_err() {
                break;
            }
        }
        if !bytes.is_empty() {
            self.events
                .push_back(SocketEvent::Bytes { connection, bytes });
        }
        while !own.output.is_empty() && socket.can_send() {
            let (first, _) = own.output.as_slices();
            match socket.send_slice(first) {
                Ok(sent) if sent > 0 => drop(own.output.drain(..sent)),
                Ok(_) | Err(_) => break,
            }
        }
        let peer_is_done = !socket.may_recv() && own.is_open && !socket.can_recv();
        if own.output.is_empty() && (own.closing || peer_is_done) {
            socket.close();
        }
        let over = matches!(socket.state(), tcp::State::Closed | tcp::State::TimeWait);
        if over {
            self.set.remove(own.handle);
            self.connections.remove(&connection);
            self.events.push_back(SocketEvent::Closed { connection });
        }
    }
}

fn socket() -> tcp::Socket<'static> {
    let buffer = |bytes: usize| tcp::SocketBuffer::new(vec![0; bytes]);
    let mut socket = tcp::Socket::new(buffer(RECEIVE_BUFFER), buffer(SEND_BUFFER));
    socket.set_timeout(Some(TIMEOUT));
    socket.set_nagle_enabled(false);
    socket
}

fn end(endpoint: IpEndpoint) -> SocketAddr {
    SocketAddr::new(endpoint.addr.into(), endpoint.port)
}
