//! The requirements that the RFCs put to a table of bindings, each as a test that bears its name. The
//! number in a test's first line is that of `docs/rfc-index.md`.

extern crate alloc;

mod blocks;
mod events;
mod exhaustion;
mod fragments;
mod icmp;
mod moves;
mod pools;
mod ports;
mod quotas;
mod tcp;
mod udp;

use core::net::IpAddr;
use core::time::Duration;

use snatpool::{
    Config, Event, Filter, Lookup, Mapping, PoolConfig, PoolId, Protocol, Refused, SessionId,
    Signal, SnatPool, State, TcpFlags, TransportAddress, Tuple,
};

const PODS: PoolId = PoolId(0);

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn end(text: &str) -> TransportAddress {
    text.parse::<core::net::SocketAddr>().unwrap().into()
}

fn tuple(protocol: Protocol, source: &str, destination: &str) -> Tuple {
    Tuple {
        protocol,
        source: end(source),
        destination: end(destination),
    }
}

fn udp(source: &str, destination: &str) -> Tuple {
    tuple(Protocol::Udp, source, destination)
}

fn tcp(source: &str, destination: &str) -> Tuple {
    tuple(Protocol::Tcp, source, destination)
}

/// An echo request with this identifier.
fn ping(source: &str, id: u16, destination: &str) -> Tuple {
    Tuple {
        protocol: Protocol::Icmp,
        source: TransportAddress::new(address(source), id),
        destination: TransportAddress::new(address(destination), id),
    }
}

const SYN: TcpFlags = TcpFlags::SYN;
const ACK: TcpFlags = TcpFlags::ACK;
const FIN: TcpFlags = TcpFlags::FIN;
const RST: TcpFlags = TcpFlags::RST;

fn segment(flags: TcpFlags, sequence: u32) -> Signal {
    Signal::Tcp { flags, sequence }
}

/// One pool of these addresses, changed at will.
fn nat(addresses: &[&str], change: impl FnOnce(&mut Config)) -> SnatPool {
    let pool = PoolConfig::new(addresses.iter().map(|text| address(text)).collect());
    let mut config = Config::new(600, vec![pool]);
    change(&mut config);
    SnatPool::new(config, [7; 32]).unwrap()
}

/// One address with the usual configuration.
fn plain() -> SnatPool {
    nat(&["192.0.2.1"], |_| {})
}

/// One address with endpoint-independent mapping.
fn independent(filter: Filter) -> SnatPool {
    nat(&["192.0.2.1"], |config| {
        config.pools[0].mapping = Mapping::EndpointIndependent;
        config.pools[0].filter = filter;
    })
}

fn signal_of(inside: &Tuple) -> Signal {
    match inside.protocol {
        Protocol::Tcp => segment(SYN, 1),
        Protocol::Udp | Protocol::Icmp => Signal::None,
    }
}

/// Opens a flow at `now`; TCP by a SYN.
fn try_open(nat: &mut SnatPool, now: Duration, inside: &Tuple) -> Result<SessionId, Refused> {
    let peer = inside.destination.address;
    let bound = nat.bind(now, PODS, inside, peer, None, signal_of(inside));
    let refused = bound.err();
    bound.map_err(|_| refused.unwrap())
}

/// Opens a flow, and says as what it leaves.
fn open(nat: &mut SnatPool, now: Duration, inside: &Tuple) -> (SessionId, Tuple) {
    let id = try_open(nat, now, inside).unwrap();
    let outside = nat.session(id).unwrap().outside;
    events(nat);
    (id, outside)
}

/// The same, with the peer's reply: the session is confirmed, or established.
fn open_both(nat: &mut SnatPool, now: Duration, inside: &Tuple) -> (SessionId, Tuple) {
    let (id, outside) = open(nat, now, inside);
    let reply = match inside.protocol {
        Protocol::Tcp => segment(SYN.union(ACK), 1),
        Protocol::Udp | Protocol::Icmp => Signal::None,
    };
    assert_eq!(
        nat.inbound(now, &outside.reversed(), reply),
        Lookup::Session(id)
    );
    (id, outside)
}

fn events(nat: &mut SnatPool) -> Vec<Event> {
    core::iter::from_fn(|| nat.poll_event()).collect()
}

/// Time passes until `now`, with every call that is due.
fn pass(nat: &mut SnatPool, now: Duration) -> Vec<Event> {
    let mut told = events(nat);
    while nat.poll_timeout().is_some_and(|due| due <= now) {
        nat.handle_timeout(now);
        told.extend(events(nat));
    }
    told
}

fn state(nat: &SnatPool, id: SessionId) -> Option<State> {
    nat.session(id).map(|session| session.state)
}
