//! What the calls touch that have the most to seek: full addresses, full blocks, quotas.

use super::*;
use crate::config::PortBlocks;
use crate::{Evict, Filter, Mapping};

/// No call may touch more slots and bitmap words.
const MOST: u32 = 64;

fn made(config: impl FnOnce(&mut Config), pool: impl FnOnce(&mut PoolConfig)) -> SnatPool {
    let mut one = PoolConfig::new(vec![SNAT]);
    pool(&mut one);
    let mut all = Config::new(70_000, vec![one]);
    config(&mut all);
    SnatPool::new(all, [7; 32]).unwrap()
}

fn from(number: u32, port: u16) -> Tuple {
    let source = IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + number));
    udp(TransportAddress::new(source, port), peer(1, 443))
}

/// Opens the flow, whether or not it can be, within the bound.
fn bounded(nat: &mut SnatPool, now: Duration, flow: &Tuple) -> Result<SessionId, Refused> {
    let signal = match flow.protocol {
        Protocol::Tcp => Signal::Tcp {
            flags: TcpFlags::SYN,
            sequence: 1,
        },
        Protocol::Udp | Protocol::Icmp => Signal::None,
    };
    take();
    let bound = nat.bind(now, PODS, flow, flow.destination.address, None, signal);
    let touched = take();
    assert!(
        touched <= MOST,
        "{touched} slots and words in one bind: {bound:?}"
    );
    drain(nat);
    bound
}

/// Until nothing lives.
fn expire(nat: &mut SnatPool) {
    while let Some(due) = nat.poll_timeout() {
        take();
        nat.handle_timeout(due);
        let touched = take();
        assert!(touched <= MOST, "{touched} slots and words in one timeout");
        drain(nat);
    }
    assert_eq!(nat.stats().live, 0);
}

#[test]
fn a_client_with_all_its_blocks_full() {
    for (mapping, filter) in [
        (Mapping::PerFlow, Filter::AddressPort),
        (Mapping::EndpointIndependent, Filter::Address),
        (Mapping::EndpointIndependent, Filter::Endpoint),
    ] {
        for per_client in [8, 100] {
            let mut nat = made(
                |_| {},
                |pool| {
                    let size = 64;
                    pool.blocks = Some(PortBlocks { size, per_client });
                    (pool.mapping, pool.filter) = (mapping, filter);
                },
            );
            for number in 0..200 {
                bounded(&mut nat, at(0), &from(1000 + number, 5000)).unwrap();
            }
            let all = 64 * u32::from(per_client);
            let opened = (0..all + 200)
                .filter(|port| bounded(&mut nat, at(0), &from(1, 40_000 + *port as u16)).is_ok())
                .count();
            assert_eq!(opened, all as usize, "{mapping:?} {filter:?}");
            expire(&mut nat);
        }
    }
}

#[test]
fn ports_sought_at_an_address_that_clients_filled_with_their_own() {
    for (protocol, evict) in [
        (Protocol::Udp, Evict::Transitory),
        (Protocol::Udp, Evict::Never),
        (Protocol::Tcp, Evict::Transitory),
        (Protocol::Icmp, Evict::Transitory),
    ] {
        let mut nat = made(|config| config.evict = evict, |_| {});
        let flow = |number: u32, port: u16| Tuple {
            protocol,
            ..from(number, port)
        };
        for port in 1024..65_000 {
            bounded(&mut nat, at(0), &flow(1, port)).unwrap();
        }
        let free = if protocol == Protocol::Icmp {
            1560
        } else {
            536
        };
        for port in 0..free {
            bounded(&mut nat, at(0), &flow(2, 1024 + port)).unwrap();
        }
        assert_eq!(nat.closed(Closed::EvictedForPort), 0);
        assert_eq!(nat.stats().searches_without_set, 0);
        // From here on others make room, if they may.
        for port in 0..536 {
            let bound = bounded(&mut nat, at(0), &flow(3, 1024 + port));
            assert_eq!(bound.is_ok(), evict == Evict::Transitory);
        }
    }
}

#[test]
fn refusals_at_a_full_address() {
    for spill in [false, true] {
        let mut nat = made(
            |config| config.sessions = 200_000,
            |pool| {
                let others = (2..40).map(|last| IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)));
                pool.addresses.extend(others.filter(|_| spill));
                pool.spill = spill;
            },
        );
        // All of one address.
        let others: Vec<IpAddr> = nat.addresses().skip(1).map(|entry| entry.address).collect();
        for address in &others {
            nat.drain(*address);
        }
        for number in 0..64_512 {
            let id = bounded(&mut nat, at(0), &from(number, 5000)).unwrap();
            let outside = nat.session(id).unwrap().outside;
            nat.inbound(at(0), &outside.reversed(), Signal::None);
        }
        for address in &others {
            nat.undrain(*address);
        }
        for number in 0..1000 {
            for client in [number, 100_000 + number] {
                let bound = bounded(&mut nat, at(0), &from(client, 7000));
                assert_eq!(bound.is_ok(), spill);
            }
        }
        assert_eq!(nat.stats().spilled, if spill { 1000 } else { 0 });
    }
}

#[test]
fn bindings_at_a_full_address_and_a_quota() {
    for (filter, protocol) in [
        (Filter::Endpoint, Protocol::Udp),
        (Filter::Endpoint, Protocol::Tcp),
        (Filter::Address, Protocol::Udp),
    ] {
        let mut nat = made(
            |config| {
                config.sessions = 4096;
                config.per_client.ports = Some(100);
                config.per_client.sessions = Some(150);
            },
            |pool| {
                pool.ports = 2000..=4999;
                (pool.mapping, pool.filter) = (Mapping::EndpointIndependent, filter);
            },
        );
        let mut now = at(0);
        for round in 0..60_u32 {
            for number in 0..64 {
                now += Duration::from_millis(20);
                for host in 1..4 {
                    let flow = Tuple {
                        protocol,
                        destination: peer(host, 443),
                        ..from(number, 2000 + (round * 7 + number) as u16)
                    };
                    let _ = bounded(&mut nat, now, &flow);
                }
            }
        }
        assert!(
            nat.closed(Closed::EvictedForQuota) > 0 || nat.closed(Closed::EvictedForSession) > 0
        );
        expire(&mut nat);
    }
}

#[test]
fn a_block_sought_among_idle_clients_that_have_none() {
    let host = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
    let mut cut = PoolConfig::new(vec![host]);
    cut.ports = 1024..=1087;
    cut.blocks = Some(PortBlocks {
        size: 32,
        per_client: 1,
    });
    let config = Config::new(4096, vec![PoolConfig::new(vec![SNAT]), cut]);
    let mut nat = SnatPool::new(config, [7; 32]).unwrap();
    for number in 0..100 {
        let id = bounded(&mut nat, at(0), &from(number, 5000)).unwrap();
        nat.close(at(0), id);
        drain(&mut nat);
    }
    for number in 0..50 {
        let flow = from(number, 5000);
        take();
        let bound = nat.bind(
            at(1),
            PoolId(1),
            &flow,
            flow.destination.address,
            None,
            Signal::None,
        );
        let touched = take();
        assert!(touched <= MOST, "{touched} slots and words in one bind");
        assert_eq!(bound.is_ok(), number < 2);
        drain(&mut nat);
    }
}
