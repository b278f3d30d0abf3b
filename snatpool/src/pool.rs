//! The outside addresses, and which one a client gets.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::ops::Range;

use ipnet::IpNet;

use crate::config::{ConfigError, Filter, Mapping, PoolConfig, PoolId, PortBlocks};
use crate::looks::Looks;
use crate::meter::touch;
use crate::numbers::Numbers;
use crate::port::Ports;
use crate::time::Ticks;
use crate::tuple::{Family, Protocol};

/// No address.
pub(crate) const NO_ADDRESS: u16 = u16::MAX;

/// Every outside address once, and the pools as lists of them.
#[derive(Debug)]
pub(crate) struct Pools {
    addresses: Box<[Address]>,
    /// Their numbers by value, for packets from outside.
    numbers: Numbers,
    pools: Box<[Pool]>,
    identifiers: Ports,
}

/// One outside address.
#[derive(Debug)]
pub(crate) struct Address {
    pub(crate) address: IpAddr,
    pub(crate) mapping: Mapping,
    pub(crate) filter: Filter,
    pub(crate) rest: Ticks,
    pub(crate) inbound_sessions: u16,
    pub(crate) pool: PoolId,
    /// Sessions that hold a port of it.
    pub(crate) sessions: u32,
    pub(crate) high_water: u32,
    pub(crate) draining: bool,
    /// Whether it is cut into blocks.
    pub(crate) cut: bool,
    /// With so many sessions it may be that a peer has many of its ports.
    crowded: u32,
    /// Of as many new sessions as this and one, one is the occasion to find out.
    sampled: u32,
    ports: Ports,
}

impl Address {
    /// Whether a new session is the occasion to find out if its peer needs a set of free ports; `lot`
    /// is any number that the session has.
    pub(crate) const fn is_sampled(&self, lot: u32) -> bool {
        self.sessions >= self.crowded && lot & self.sampled == 0
    }

    /// How many ports of it are looked at then: only if all are in use does the peer get one.
    pub(crate) fn samples(&self) -> u32 {
        if self.ports.count() < FEW { 1 } else { 4 }
    }
}

/// Of fewer ports than this the last are in use soon after the first.
const FEW: u32 = 256;

/// One pool.
#[derive(Debug)]
pub(crate) struct Pool {
    ipv4: Members,
    ipv6: Members,
    subnets: Vec<IpNet>,
    pub(crate) mapping: Mapping,
    pub(crate) preserve_port: bool,
    pub(crate) keep_parity: bool,
    pub(crate) spill: bool,
}

/// Members of one family, those of a subnet side by side.
#[derive(Debug, Default)]
struct Members {
    /// Those that are being drained stand last, and in no order.
    list: Vec<Member>,
    /// How many are not.
    usable: usize,
    /// Where the next choice starts, so that ties go round.
    cursor: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Member {
    /// The first of the pool's subnets that it is in; behind all of them where there is none.
    subnet: usize,
    /// The number of the address.
    number: u16,
}

impl Members {
    /// Adds an address that is not drained.
    fn add(&mut self, member: Member) {
        if !self.has(member.number) {
            self.list.push(member);
            self.make_usable(self.list.len() - 1);
        }
    }

    fn has(&self, number: u16) -> bool {
        self.place_of(number).is_some()
    }

    fn place_of(&self, number: u16) -> Option<usize> {
        self.list.iter().position(|member| member.number == number)
    }

    fn usable(&self) -> &[Member] {
        self.list.get(..self.usable).unwrap_or_default()
    }

    fn drain(&mut self, number: u16) {
        let place = self.place_of(number).filter(|place| *place < self.usable);
        let Some(place) = place else { return };
        // The others keep their order, and their turn.
        if let Some(behind) = self.list.get_mut(place..self.usable) {
            behind.rotate_left(1);
        }
        self.usable -= 1;
        self.cursor -= usize::from(self.cursor > place);
        if self.cursor >= self.usable {
            self.cursor = 0;
        }
    }

    fn undrain(&mut self, number: u16) {
        if let Some(place) = self.place_of(number).filter(|place| *place >= self.usable) {
            self.make_usable(place);
        }
    }

    /// Puts a drained one behind the others of its subnet.
    fn make_usable(&mut self, place: usize) {
        let Some(Member { subnet, .. }) = self.list.get(place).copied() else {
            return;
        };
        let Range { end, .. } = self.of_subnet(subnet);
        if let Some(behind) = self.list.get_mut(end..=place) {
            behind.rotate_right(1);
        }
        self.usable += 1;
        self.cursor += usize::from(self.cursor > end);
    }

    /// Where those of a subnet stand that are not drained.
    fn of_subnet(&self, subnet: usize) -> Range<usize> {
        let usable = self.usable();
        let start = usable.partition_point(|member| member.subnet < subnet);
        let end = usable.partition_point(|member| member.subnet <= subnet);
        start..end
    }

    /// All places in the order in which to compare them: those of a subnet first, and of them the
    /// one whose turn it is.
    fn turns(&self, near: Option<usize>) -> impl Iterator<Item = usize> + use<> {
        let Range { start, end } = near.map_or(0..self.usable, |subnet| self.of_subnet(subnet));
        let first = if (start..end).contains(&self.cursor) {
            self.cursor
        } else {
            start
        };
        (first..end)
            .chain(start..first)
            .chain(end..self.usable)
            .chain(0..start)
    }
}

/// How many addresses one choice compares.
const COMPARED: usize = 24;
/// What it leaves for seeking a port.
const SPARED: u32 = 8;

impl Pool {
    /// Whether an address is one of this pool's.
    pub(crate) fn has(&self, family: Family, number: u16) -> bool {
        let members = match family {
            Family::Ipv4 => &self.ipv4,
            Family::Ipv6 => &self.ipv6,
        };
        members.has(number)
    }
}

impl Pools {
    pub(crate) fn new(configs: &[PoolConfig]) -> Result<Self, ConfigError> {
        if configs.len() > usize::from(u8::MAX) {
            return Err(ConfigError::TooManyPools {
                found: configs.len(),
            });
        }
        let mut addresses: Vec<Address> = Vec::new();
        let mut pools = Vec::with_capacity(configs.len());
        for (pool, config) in (0_u8..).zip(configs) {
            let (mut ipv4, mut ipv6) = (Members::default(), Members::default());
            for address in &config.addresses {
                let number = add(&mut addresses, configs, pool, config, *address)?;
                let members = match address {
                    IpAddr::V4(_) => &mut ipv4,
                    IpAddr::V6(_) => &mut ipv6,
                };
                let in_it = |subnet: &IpNet| subnet.contains(address);
                let subnet = config.subnets.iter().position(in_it);
                members.add(Member {
                    subnet: subnet.unwrap_or(config.subnets.len()),
                    number,
                });
            }
            pools.push(Pool {
                ipv4,
                ipv6,
                subnets: config.subnets.clone(),
                mapping: config.mapping,
                preserve_port: config.preserve_port,
                keep_parity: config.keep_parity,
                spill: config.spill,
            });
        }
        Ok(Self {
            numbers: Numbers::new(addresses.iter().map(|entry| entry.address)),
            addresses: addresses.into_boxed_slice(),
            pools: pools.into_boxed_slice(),
            identifiers: Ports::identifiers(),
        })
    }

    /// The number of an outside address.
    #[inline]
    pub(crate) fn find(&self, address: IpAddr) -> Option<u16> {
        self.numbers.find(address)
    }

    pub(crate) fn address(&self, number: u16) -> Option<&Address> {
        self.addresses.get(usize::from(number))
    }

    pub(crate) fn address_mut(&mut self, number: u16) -> Option<&mut Address> {
        self.addresses.get_mut(usize::from(number))
    }

    pub(crate) fn pool(&self, pool: PoolId) -> Option<&Pool> {
        self.pools.get(usize::from(pool.0))
    }

    pub(crate) fn addresses(&self) -> impl Iterator<Item = (u16, &Address)> {
        (0_u16..).zip(&self.addresses)
    }

    /// Keeps an address from being chosen, or lets it be chosen again.
    pub(crate) fn set_draining(&mut self, number: u16, draining: bool) {
        if let Some(entry) = self.address_mut(number) {
            entry.draining = draining;
        }
        for pool in &mut self.pools {
            for members in [&mut pool.ipv4, &mut pool.ipv6] {
                if draining {
                    members.drain(number);
                } else {
                    members.undrain(number);
                }
            }
        }
    }

    /// The ports of an address; for ICMP every identifier.
    pub(crate) fn ports(&self, number: u16, protocol: Protocol) -> Option<&Ports> {
        match protocol {
            Protocol::Tcp | Protocol::Udp => self.address(number).map(|address| &address.ports),
            Protocol::Icmp => Some(&self.identifiers),
        }
    }

    /// The address of `family` that a new client of `pool` gets: not one that is drained, nor
    /// `except`; one in the subnet of the next hop rather than another; then the one with the
    /// fewest sessions; then the one whose turn it is.
    pub(crate) fn choose(
        &mut self,
        pool: PoolId,
        family: Family,
        next_hop: Option<IpAddr>,
        except: Option<u16>,
        looks: &mut Looks,
    ) -> Option<u16> {
        let pool = self.pools.get_mut(usize::from(pool.0))?;
        let (subnets, members) = match family {
            Family::Ipv4 => (&pool.subnets, &mut pool.ipv4),
            Family::Ipv6 => (&pool.subnets, &mut pool.ipv6),
        };
        let near = next_hop.and_then(|hop| subnets.iter().position(|subnet| subnet.contains(&hop)));
        let subnet = near.and_then(|near| subnets.get(near));
        let mut best: Option<((bool, u32), usize)> = None;
        for place in members.turns(near).take(COMPARED) {
            if looks.left() <= SPARED || !looks.take(Looks::ENTRY) {
                break;
            }
            touch(1);
            let number = members.list.get(place)?.number;
            let entry = self.addresses.get(usize::from(number))?;
            if except == Some(number) {
                continue;
            }
            let far = subnet.is_some_and(|subnet| !subnet.contains(&entry.address));
            let cost = (far, entry.sessions);
            if best.is_none_or(|(least, _)| cost < least) {
                best = Some((cost, place));
            }
            if cost == (false, 0) {
                break;
            }
        }
        let (_, place) = best?;
        members.cursor = if place + 1 == members.usable {
            0
        } else {
            place + 1
        };
        members.list.get(place).map(|member| member.number)
    }
}

/// The number of an address, which is new or is used by an earlier pool in the same way.
fn add(
    addresses: &mut Vec<Address>,
    configs: &[PoolConfig],
    pool: u8,
    config: &PoolConfig,
    address: IpAddr,
) -> Result<u16, ConfigError> {
    let ports = Ports::new(&config.ports).ok_or_else(|| ConfigError::NoPorts {
        pool,
        first: *config.ports.start(),
        last: *config.ports.end(),
    })?;
    if let Some(PortBlocks { size, per_client }) = config.blocks
        && (size == 0 || per_client == 0 || u32::from(size) > ports.count())
    {
        return Err(ConfigError::Blocks {
            pool,
            size,
            per_client,
            ports: ports.count(),
        });
    }
    if address.is_unspecified() || address.is_loopback() || address.is_multicast() {
        return Err(ConfigError::Address { pool, address });
    }
    let known = (0_u16..)
        .zip(addresses.iter())
        .find(|(_, entry)| entry.address == address);
    if let Some((number, entry)) = known {
        let first = configs.get(usize::from(entry.pool.0));
        return match first {
            Some(first) if uses_alike(first, config) => Ok(number),
            Some(_) | None => Err(ConfigError::SharedAddress {
                address,
                first: entry.pool.0,
                second: pool,
            }),
        };
    }
    let number = u16::try_from(addresses.len())
        .ok()
        .filter(|number| *number != NO_ADDRESS);
    let number = number.ok_or(ConfigError::TooManyAddresses)?;
    addresses.push(Address {
        address,
        mapping: config.mapping,
        filter: config.filter,
        rest: match (config.mapping, config.filter) {
            (Mapping::EndpointIndependent, Filter::Endpoint) => Ticks::at_least(config.rest),
            // RFC 6888 REQ-8c: where a filter names the peer, freed ports need no rest.
            (Mapping::EndpointIndependent, Filter::Address | Filter::AddressPort)
            | (Mapping::PerFlow, _) => Ticks::ZERO,
        },
        inbound_sessions: config.inbound_sessions,
        pool: PoolId(pool),
        sessions: 0,
        high_water: 0,
        draining: false,
        cut: config.blocks.is_some(),
        crowded: match (config.mapping, config.blocks) {
            (Mapping::PerFlow, None) => ports.count() / 8,
            // Their sets are there from the beginning, or are made for the block that needs one.
            (Mapping::PerFlow, Some(_)) | (Mapping::EndpointIndependent, _) => u32::MAX,
        },
        sampled: (ports.count() / 1024).next_power_of_two() - 1,
        ports,
    });
    Ok(number)
}

fn uses_alike(one: &PoolConfig, other: &PoolConfig) -> bool {
    one.ports == other.ports
        && one.mapping == other.mapping
        && one.filter == other.filter
        && one.rest == other.rest
        && one.blocks == other.blocks
}
