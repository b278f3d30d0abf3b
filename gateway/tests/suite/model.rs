//! A naive gateway: lists and maps, no cleverness. It cannot know which address or port is drawn, so
//! it learns those when they are first seen, and says what they may be.

use alloc::collections::{BTreeMap, BTreeSet};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::ops::RangeInclusive;

use egress_config::{Plan, Snat};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Tcp,
    Udp,
    Ping,
}

/// A flow, as it is on both sides. A ping's identifier is both of its ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) protocol: Protocol,
    pub(crate) inside: (SocketAddr, SocketAddr),
    pub(crate) outside: (SocketAddr, SocketAddr),
}

/// What becomes of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It leaves with exactly these ends.
    Leaves(SocketAddr, SocketAddr),
    /// It leaves for this peer, with any port of any of these addresses that no other flow to the peer has.
    LeavesFrom(Vec<IpAddr>, SocketAddr),
    /// Its sender is told: ICMP type and code.
    Refused(u8, u8),
    /// Nothing leaves.
    Dropped,
}

/// What becomes of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    /// Exactly these addresses, in any order.
    Addresses(BTreeSet<IpAddr>),
    /// An address that stands for this host from now on.
    New(Ipv6Addr),
    /// No such name.
    NoName,
    /// No address.
    Nothing,
    /// SERVFAIL.
    Failure,
}

pub(crate) struct Model {
    pools: [Vec<IpAddr>; 2],
    keeps_source: bool,
    dual_stack: bool,
    inside: Vec<IpNet>,
    subnet: Option<Ipv4Net>,
    slice: RangeInclusive<Ipv4Addr>,
    sorry: Option<Ipv4Addr>,
    prefix: Option<Ipv6Net>,
    pub(crate) names: BTreeMap<String, Vec<IpAddr>>,
    pub(crate) mapped: BTreeMap<Ipv6Addr, Ipv4Addr>,
    /// Addresses that stood for something.
    resting: BTreeSet<Ipv4Addr>,
    /// Hosts whose mapping is made but not stored yet.
    unstored: BTreeSet<Ipv6Addr>,
    pub(crate) flows: Vec<Flow>,
    pub(crate) store_is_up: bool,
}

impl Model {
    pub(crate) fn new(plan: &Plan) -> Self {
        let addresses = match &plan.snat {
            Snat::Pool { addresses, .. } => addresses.clone(),
            Snat::Automap => plan.external_self_ips.clone(),
            _ => Vec::new(),
        };
        let (ipv4, ipv6) = addresses.into_iter().partition(IpAddr::is_ipv4);
        let none = Ipv4Addr::UNSPECIFIED;
        Self {
            pools: [ipv4, ipv6],
            keeps_source: plan.snat == Snat::None,
            dual_stack: plan.dual_stack,
            inside: plan.inside.clone(),
            subnet: plan.dns46.as_ref().map(|dns46| dns46.subnet),
            slice: plan
                .dns46
                .as_ref()
                .map_or(none..=none, |dns46| dns46.usable.clone()),
            sorry: plan.dns46.as_ref().map(|dns46| dns46.sorry),
            prefix: plan.nat64,
            names: BTreeMap::new(),
            mapped: BTreeMap::new(),
            resting: BTreeSet::new(),
            unstored: BTreeSet::new(),
            flows: Vec::new(),
            store_is_up: true,
        }
    }

    /// Whether it can be said what an address stands for: not while one that nobody was told stands for
    /// a host whose mapping could not be stored.
    pub(crate) fn knows(&self, address: IpAddr) -> bool {
        let IpAddr::V4(inside) = address else {
            return true;
        };
        self.unstored.is_empty() || !self.is_in_subnet(inside) || self.host_of(address).is_some()
    }

    /// A packet of a pod; `opens` unless it is TCP in the middle of a connection.
    pub(crate) fn out(
        &self,
        protocol: Protocol,
        from: SocketAddr,
        to: SocketAddr,
        opens: bool,
    ) -> Fate {
        if !self.inside.iter().any(|net| net.contains(&from.ip())) {
            return Fate::Dropped;
        }
        let known = self
            .flows
            .iter()
            .find(|flow| flow.protocol == protocol && flow.inside == (from, to));
        let is_mapped = matches!(to.ip(), IpAddr::V4(to) if self.is_in_subnet(to));
        let peer = match to.ip() {
            IpAddr::V4(_) if is_mapped => None,
            IpAddr::V6(address) => match self.embedded(address) {
                Some(host) => Some(IpAddr::V4(host)),
                None if !self.dual_stack => return Fate::Dropped,
                None => Some(to.ip()),
            },
            IpAddr::V4(_) => Some(to.ip()),
        };
        let same_family = peer.is_some_and(|peer| peer.is_ipv4() == from.is_ipv4());
        if self.keeps_source && same_family {
            return Fate::Leaves(from, to);
        }
        if let Some(flow) = known {
            return Fate::Leaves(flow.outside.0, flow.outside.1);
        }
        let peer = peer.or_else(|| self.host_of(to.ip()).map(IpAddr::V6));
        let Some(peer) = peer else {
            return Fate::Refused(3, 1);
        };
        if !opens {
            return Fate::Dropped;
        }
        let pool = &self.pools[usize::from(peer.is_ipv6())];
        if pool.is_empty() {
            return if from.is_ipv4() {
                Fate::Refused(3, 13)
            } else {
                Fate::Refused(1, 1)
            };
        }
        Fate::LeavesFrom(pool.clone(), SocketAddr::new(peer, to.port()))
    }

    /// A packet from outside.
    pub(crate) fn back(&self, protocol: Protocol, from: SocketAddr, to: SocketAddr) -> Fate {
        let known = self
            .flows
            .iter()
            .find(|flow| flow.protocol == protocol && flow.outside == (to, from));
        match known {
            Some(flow) => Fate::Leaves(flow.inside.1, flow.inside.0),
            None if self.keeps_source && self.inside.iter().any(|net| net.contains(&to.ip())) => {
                Fate::Leaves(from, to)
            }
            None => Fate::Dropped,
        }
    }

    /// Whether a new flow may leave like that.
    pub(crate) fn may_leave(&self, flow: &Flow) -> bool {
        !self
            .flows
            .iter()
            .any(|other| other.protocol == flow.protocol && other.outside == flow.outside)
    }

    /// A pod's question: type A or AAAA.
    pub(crate) fn asked(&mut self, is_ipv4_pod: bool, name: &str, wants_ipv4: bool) -> Told {
        let Some(addresses) = self.names.get(name) else {
            return Told::NoName;
        };
        let plain: BTreeSet<IpAddr> = addresses
            .iter()
            .filter(|address| address.is_ipv4() == wants_ipv4)
            .copied()
            .collect();
        if !plain.is_empty() {
            return Told::Addresses(plain);
        }
        let host = addresses.first().copied();
        match (is_ipv4_pod, wants_ipv4, host) {
            (true, true, Some(IpAddr::V6(host))) if self.subnet.is_some() => self.mapping(host),
            (false, false, Some(IpAddr::V4(host))) => match self.prefix {
                Some(prefix) => {
                    let bits = prefix.addr().to_bits() | u128::from(host.to_bits());
                    let embedded = IpAddr::V6(Ipv6Addr::from_bits(bits));
                    Told::Addresses([embedded].into())
                }
                None => Told::Nothing,
            },
            _ => Told::Nothing,
        }
    }

    fn mapping(&mut self, host: Ipv6Addr) -> Told {
        if let Some(address) = self.mapped.get(&host) {
            return Told::Addresses([IpAddr::V4(*address)].into());
        }
        let used = self.mapped.len() + self.resting.len();
        let used = used + self.unstored.iter().filter(|one| **one != host).count();
        let room = self.slice.end().to_bits() - self.slice.start().to_bits() + 1;
        let has_room = used < room as usize;
        if has_room && !self.store_is_up {
            self.unstored.insert(host);
            return Told::Failure;
        }
        match self.sorry {
            _ if has_room => {
                self.unstored.remove(&host);
                Told::New(host)
            }
            Some(sorry) => Told::Addresses([IpAddr::V4(sorry)].into()),
            None => Told::Failure,
        }
    }

    /// Whether a host may have been given this address.
    pub(crate) fn may_map(&self, address: Ipv4Addr) -> bool {
        self.slice.contains(&address)
            && !self.resting.contains(&address)
            && self.mapped.values().all(|mapped| *mapped != address)
    }

    /// A mapping is removed by hand.
    pub(crate) fn remove(&mut self, host: Ipv6Addr) {
        self.resting.extend(self.mapped.remove(&host));
    }

    /// So much time passes that everything is over.
    pub(crate) fn forget(&mut self) {
        self.mapped.clear();
        self.resting.clear();
        self.unstored.clear();
        self.flows.clear();
    }

    fn host_of(&self, address: IpAddr) -> Option<Ipv6Addr> {
        let mut mapped = self.mapped.iter();
        let found = mapped.find(|(_, mapped)| IpAddr::V4(**mapped) == address);
        found.map(|(host, _)| *host)
    }

    fn is_in_subnet(&self, address: Ipv4Addr) -> bool {
        self.subnet.is_some_and(|subnet| subnet.contains(&address))
    }

    /// All prefixes of the samples have 96 bits.
    fn embedded(&self, address: Ipv6Addr) -> Option<Ipv4Addr> {
        let prefix = self.prefix?;
        let low = address.to_bits() as u32;
        prefix.contains(&address).then(|| Ipv4Addr::from_bits(low))
    }
}
