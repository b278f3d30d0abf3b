use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use ipnet::IpNet;
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::socket::{Socket, tcp, udp};
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, IpCidr, IpEndpoint};

use super::{Dice, craft, fragment};
use crate::wire::Wire;

/// Ports that a host chooses from (RFC 6335 §6).
const EPHEMERAL: core::ops::RangeInclusive<u16> = 49152..=65535;

/// Bytes that a TCP socket buffers in each direction.
const TCP_BUFFER: usize = 65535;

/// A TCP connection without a sign of life ends after this time.
const TCP_TIMEOUT: smoltcp::time::Duration = smoltcp::time::Duration::from_secs(300);

/// Bytes and datagrams that a UDP socket buffers in each direction.
const UDP_BUFFER: (usize, usize) = (65535, 64);

/// The TCP/IP stack of a host, which is smoltcp's, and what smoltcp leaves out: IPv6 fragments,
/// and path MTU discovery.
pub struct Stack {
    now: Instant,
    addresses: Vec<IpNet>,
    interface: Interface,
    wire: Wire,
    sockets: SocketSet<'static>,
    /// Connections that nobody owns any more, and that have yet to close.
    closing: Vec<SocketHandle>,
    dice: Dice,
}

/// A UDP socket of a [`Stack`].
#[derive(Debug)]
pub struct UdpId(SocketHandle);

/// A TCP socket of a [`Stack`].
#[derive(Debug)]
pub struct TcpId(SocketHandle);

/// A datagram that a UDP socket received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// Who sent it.
    pub from: SocketAddr,
    /// The host's address that it was sent to.
    pub to: Option<IpAddr>,
    /// What it carries.
    pub data: Vec<u8>,
}

impl Stack {
    /// # Panics
    ///
    /// If there are more than eight addresses.
    pub(super) fn new(addresses: &[IpNet], mtu: usize, mut dice: Dice) -> Self {
        let mut wire = Wire {
            mtu,
            ..Wire::default()
        };
        let interface = interface(addresses, &mut wire, dice.seed(), Instant::ZERO);
        Self {
            now: Instant::ZERO,
            addresses: addresses.to_vec(),
            interface,
            wire,
            sockets: SocketSet::new(Vec::new()),
            closing: Vec::new(),
            dice,
        }
    }

    /// The host's first address of the family of `to`.
    #[must_use]
    pub fn address_for(&self, to: IpAddr) -> Option<IpAddr> {
        self.addresses
            .iter()
            .map(IpNet::addr)
            .find(|own| own.is_ipv4() == to.is_ipv4())
    }

    /// Whether `address` is one of the host's.
    #[must_use]
    pub fn has_address(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|own| own.addr() == address)
    }

    /// The longest packet that the host sends at present.
    #[must_use]
    pub fn mtu(&self) -> usize {
        self.wire.mtu
    }

    /// The host's own source of chance.
    pub fn dice(&mut self) -> &mut Dice {
        &mut self.dice
    }

    /// Sends a packet as it is, but for fragmenting it if it is too long.
    pub fn send_packet(&mut self, packet: &[u8]) {
        let identification = u32::from(self.dice.word());
        self.wire
            .sent
            .extend(fragment(packet, self.wire.mtu, identification));
    }

    /// Opens a UDP socket on a port, or on a free one. `None` if the port is taken.
    pub fn udp_open(&mut self, port: Option<u16>) -> Option<UdpId> {
        let port = match port {
            Some(port) => port,
            None => self.free_port(),
        };
        if self.is_taken(port) {
            return None;
        }
        let (bytes, datagrams) = UDP_BUFFER;
        let buffer =
            || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; datagrams], vec![0; bytes]);
        let mut socket = udp::Socket::new(buffer(), buffer());
        socket.bind(port).ok()?;
        Some(UdpId(self.sockets.add(socket)))
    }

    /// The port of a UDP socket.
    #[must_use]
    pub fn udp_port(&self, id: &UdpId) -> u16 {
        self.sockets.get::<udp::Socket<'_>>(id.0).endpoint().port
    }

    /// Sends a datagram, in fragments if it must be, from the host's address of the right family.
    /// Nothing is sent if there is none.
    pub fn udp_send(&mut self, id: &UdpId, to: SocketAddr, data: &[u8]) {
        if let Some(from) = self.address_for(to.ip()) {
            self.udp_send_from(id, from, to, data);
        }
    }

    /// Sends a datagram as [`udp_send`](Self::udp_send) does, from the given address.
    pub fn udp_send_from(&mut self, id: &UdpId, from: IpAddr, to: SocketAddr, data: &[u8]) {
        let headers = if to.is_ipv4() { 28 } else { 48 };
        if headers + data.len() > self.wire.mtu {
            let from = SocketAddr::new(from, self.udp_port(id));
            self.send_packet(&craft::udp(from, to, data));
            return;
        }
        let socket = self.sockets.get_mut::<udp::Socket<'_>>(id.0);
        let mut meta = udp::UdpMetadata::from(IpEndpoint::from(to));
        meta.local_address = Some(from.into());
        // A full buffer loses the datagram, as it does on any host.
        let _ = socket.send_slice(data, meta);
    }

    /// The next datagram that a UDP socket received.
    pub fn udp_receive(&mut self, id: &UdpId) -> Option<Datagram> {
        let (data, meta) = self.sockets.get_mut::<udp::Socket<'_>>(id.0).recv().ok()?;
        Some(Datagram {
            from: socket_addr(meta.endpoint),
            to: meta.local_address.map(IpAddr::from),
            data: data.to_vec(),
        })
    }

    /// Closes a UDP socket.
    pub fn udp_close(&mut self, id: UdpId) {
        self.sockets.remove(id.0);
    }

    /// A TCP socket that waits for one connection to a port.
    pub fn tcp_listen(&mut self, port: u16) -> TcpId {
        let mut socket = tcp_socket();
        // Fails for port 0 only, and then the socket is closed from the start.
        let _ = socket.listen(port);
        TcpId(self.sockets.add(socket))
    }

    /// Starts a TCP connection from a free port. `None` if the host has no address of the right
    /// family.
    pub fn tcp_connect(&mut self, to: SocketAddr) -> Option<TcpId> {
        let from = IpEndpoint::new(self.address_for(to.ip())?.into(), self.free_port());
        let mut socket = tcp_socket();
        socket
            .connect(self.interface.context(), IpEndpoint::from(to), from)
            .ok()?;
        Some(TcpId(self.sockets.add(socket)))
    }

    /// The state of a TCP socket.
    #[must_use]
    pub fn tcp_state(&self, id: &TcpId) -> TcpState {
        match self.tcp(id).state() {
            tcp::State::Listen | tcp::State::SynSent | tcp::State::SynReceived => TcpState::Opening,
            tcp::State::Established | tcp::State::FinWait1 | tcp::State::FinWait2 => TcpState::Open,
            tcp::State::CloseWait if self.tcp(id).can_recv() => TcpState::Open,
            tcp::State::CloseWait => TcpState::PeerClosed,
            tcp::State::Closing | tcp::State::LastAck | tcp::State::TimeWait => TcpState::Closing,
            tcp::State::Closed => TcpState::Closed,
        }
    }

    /// Own address and port of a TCP socket that has a peer.
    #[must_use]
    pub fn tcp_local(&self, id: &TcpId) -> Option<SocketAddr> {
        self.tcp(id).local_endpoint().map(socket_addr)
    }

    /// Address and port of a TCP socket's peer.
    #[must_use]
    pub fn tcp_remote(&self, id: &TcpId) -> Option<SocketAddr> {
        self.tcp(id).remote_endpoint().map(socket_addr)
    }

    /// Queues what fits of `data`; returns how much that was.
    pub fn tcp_send(&mut self, id: &TcpId, data: &[u8]) -> usize {
        self.sockets
            .get_mut::<tcp::Socket<'_>>(id.0)
            .send_slice(data)
            .unwrap_or(0)
    }

    /// How many bytes [`tcp_send`](Self::tcp_send) would take.
    #[must_use]
    pub fn tcp_send_room(&self, id: &TcpId) -> usize {
        let socket = self.tcp(id);
        if socket.may_send() {
            socket.send_capacity() - socket.send_queue()
        } else {
            0
        }
    }

    /// Hands received bytes to `read`, in one or two pieces.
    pub fn tcp_receive(&mut self, id: &TcpId, mut read: impl FnMut(&[u8])) {
        let socket = self.sockets.get_mut::<tcp::Socket<'_>>(id.0);
        while socket.can_recv() {
            let taken = socket.recv(|data| {
                read(data);
                (data.len(), data.len())
            });
            if taken.is_err() {
                break;
            }
        }
    }

    /// Sends FIN after what is queued. Receiving goes on.
    pub fn tcp_close(&mut self, id: &TcpId) {
        self.sockets.get_mut::<tcp::Socket<'_>>(id.0).close();
    }

    /// Gives a TCP socket up: what is queued is sent, then the connection closes by itself.
    pub fn tcp_release(&mut self, id: TcpId) {
        self.tcp_close(&id);
        self.closing.push(id.0);
    }

    /// Gives a TCP socket up and resets its connection.
    pub fn tcp_abort(&mut self, id: TcpId) {
        self.sockets.get_mut::<tcp::Socket<'_>>(id.0).abort();
        self.closing.push(id.0);
    }

    fn tcp(&self, id: &TcpId) -> &tcp::Socket<'static> {
        self.sockets.get(id.0)
    }

    fn free_port(&mut self) -> u16 {
        let mut port = EPHEMERAL.start() | self.dice.word();
        while self.is_taken(port) {
            port = if port == *EPHEMERAL.end() {
                *EPHEMERAL.start()
            } else {
                port + 1
            };
        }
        port
    }

    fn is_taken(&self, port: u16) -> bool {
        self.sockets.iter().any(|(_, socket)| match socket {
            Socket::Udp(socket) => socket.endpoint().port == port,
            Socket::Tcp(socket) => socket.local_endpoint().is_some_and(|end| end.port == port),
            _ => false,
        })
    }

    /// A packet arrived whole.
    pub(super) fn receive_packet(&mut self, packet: Vec<u8>) {
        self.wire.received.push_back(packet);
    }

    /// The next packet to put on the link.
    pub(super) fn next_packet(&mut self) -> Option<Vec<u8>> {
        self.wire.sent.pop_front()
    }

    pub(super) fn has_packets(&self) -> bool {
        !self.wire.sent.is_empty()
    }

    /// A router said that packets longer than `mtu` do not get through (RFC 1191 §3, RFC 8201
    /// §4). It counts for all destinations, which is more cautious than need be.
    pub(super) fn reduce_mtu(&mut self, mtu: usize) {
        if mtu < self.wire.mtu {
            self.wire.mtu = mtu;
            // smoltcp reads the MTU of its device once.
            let seed = self.dice.seed();
            self.interface = interface(&self.addresses, &mut self.wire, seed, self.now);
        }
    }

    pub(super) fn poll(&mut self, now: Duration) {
        self.now = instant(now);
        self.interface
            .poll(self.now, &mut self.wire, &mut self.sockets);
        let sockets = &mut self.sockets;
        self.closing.retain(|handle| {
            let socket = sockets.get::<tcp::Socket<'_>>(*handle);
            // A reset connection keeps its endpoints until the reset was sent.
            let done = !socket.is_open() && socket.remote_endpoint().is_none();
            if done {
                sockets.remove(*handle);
            }
            !done
        });
    }

    pub(super) fn poll_timeout(&mut self) -> Option<Duration> {
        let at = self.interface.poll_at(self.now, &self.sockets)?;
        Some(Duration::from_micros(
            u64::try_from(at.total_micros()).unwrap_or(0),
        ))
    }
}

/// What can be done with a TCP socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TcpState {
    /// Waits for a peer, or for its answer.
    Opening,
    /// Data may come.
    Open,
    /// The peer has sent all, and all was received; data may go.
    PeerClosed,
    /// Both sides have sent all.
    Closing,
    /// There is no connection (any more).
    Closed,
}

fn interface(addresses: &[IpNet], wire: &mut Wire, seed: u64, now: Instant) -> Interface {
    let mut config = Config::new(HardwareAddress::Ip);
    config.random_seed = seed;
    let mut interface = Interface::new(config, wire, now);
    interface.update_ip_addrs(|own| {
        for address in addresses {
            let cidr = IpCidr::new(address.addr().into(), address.prefix_len());
            own.push(cidr).expect("a host has at most eight addresses");
        }
    });
    // Without link addresses it does not matter who the router is, as long as there is one.
    for address in addresses {
        let added = match address {
            IpNet::V4(own) => interface.routes_mut().add_default_ipv4_route(own.addr()),
            IpNet::V6(own) => interface.routes_mut().add_default_ipv6_route(own.addr()),
        };
        added.expect("two default routes fit");
    }
    interface
}

fn tcp_socket() -> tcp::Socket<'static> {
    let buffer = || tcp::SocketBuffer::new(vec![0; TCP_BUFFER]);
    let mut socket = tcp::Socket::new(buffer(), buffer());
    socket.set_timeout(Some(TCP_TIMEOUT));
    socket.set_congestion_control(tcp::CongestionControl::Reno);
    socket
}

fn instant(now: Duration) -> Instant {
    Instant::from_micros(i64::try_from(now.as_micros()).unwrap_or(i64::MAX))
}

fn socket_addr(endpoint: IpEndpoint) -> SocketAddr {
    SocketAddr::new(endpoint.addr.into(), endpoint.port)
}
