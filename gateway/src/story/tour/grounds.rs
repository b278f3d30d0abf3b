//! The network of the trips.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;

use egress_config::Plan;
use ipnet::IpNet;

use crate::sim::{
    Body, Dice, EchoServer, Errand, GatewayNode, Host, HostConfig, INSIDE, LinkConfig, NameServer,
    Net, NodeId, OUTSIDE, Pod, SegmentId, SharedStore, Stranger, WebServer, Zone, craft,
};
use crate::story::scene::own_addresses;
use crate::{Gateway, SetupError};

/// Where the echo of a host is.
pub(super) const ECHO: u16 = 7;
pub(super) const PAGE_LENGTH: usize = 100_000;
/// A host of each family; the addresses are global ones, so that the well-known prefix may hold them.
pub(super) const HOST4: Ipv4Addr = Ipv4Addr::new(192, 88, 99, 80);
pub(super) const HOST6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x46, 1, 0, 0, 0, 0x80);
/// Another one, which a static mapping is for.
pub(super) const FIXED: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x46, 2, 0, 0, 0, 0x80);
pub(super) const RESOLVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 53);
pub(super) const RESOLVER6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x53, 0, 0, 0, 0, 0x53);
pub(super) const STRANGER: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 9);

/// Where the name servers of the plan are; one at an address of its own where it has none.
pub(super) fn name_servers(plan: &Plan) -> Vec<IpAddr> {
    let zones = plan.dns.iter().flat_map(|dns| &dns.zones);
    let mut servers: Vec<IpAddr> = zones
        .flat_map(|zone| &zone.servers)
        .map(SocketAddr::ip)
        .collect();
    servers.sort();
    servers.dedup();
    if servers.is_empty() {
        servers.push(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 53)));
    }
    servers
}

/// The network of a tour.
pub(super) struct Grounds {
    pub(super) net: Net,
    dice: Dice,
    pub(super) gateway: NodeId<GatewayNode>,
    inside: SegmentId,
    outside: SegmentId,
    pub(super) page: Body,
    /// The gateway's own on the inside, of each family.
    pub(super) addresses: [IpAddr; 2],
    networks: [IpNet; 2],
}

impl Grounds {
    pub(super) fn new(plan: &Plan, seed: u64) -> Result<Self, SetupError> {
        let mut dice = Dice::new(seed, u64::from(u16::MAX) + 1);
        let gateway = Gateway::new(plan, dice.key())?;
        let mut net = Net::new(seed);
        let inside = net.add_segment("inside", LinkConfig::clean());
        let outside = net.add_segment("outside", LinkConfig::clean());
        let gateway = GatewayNode::new(gateway, SharedStore::default());
        let gateway = net.add("gateway", gateway);
        let everything = [
            IpNet::V4(ipnet::Ipv4Net::default()),
            IpNet::V6(ipnet::Ipv6Net::default()),
        ];
        net.attach(inside, gateway, INSIDE, &everything);
        net.attach(outside, gateway, OUTSIDE, &own_addresses(plan));
        net.tap(gateway, INSIDE, "inside");
        net.tap(gateway, OUTSIDE, "outside");
        let page = Body {
            seed: dice.seed(),
            length: PAGE_LENGTH,
        };
        let zone = Zone::new("example", 300)
            .aaaa("six.example", 300, HOST6)
            .aaaa("fixed.example", 300, FIXED)
            .a("four.example", 300, HOST4)
            .txt("big.example", 300, &"x".repeat(3000));
        let servers = name_servers(plan);
        let host = Host::new(&config(&servers, dice.seed()), NameServer::new(vec![zone]));
        let host = net.add("name-server", host);
        net.attach(outside, host, 0, &only(&servers));
        let hosts = [IpAddr::V4(HOST4), IpAddr::V6(HOST6), IpAddr::V6(FIXED)];
        let app = (WebServer::new(page), EchoServer::new(ECHO));
        let host = net.add("host", Host::new(&config(&hosts, dice.seed()), app));
        net.attach(outside, host, 0, &only(&hosts));
        let internal = || plan.vlans.iter().filter(|vlan| vlan.internal);
        let own = |ipv4: bool, none: IpAddr| {
            let mut own = internal().flat_map(|vlan| vlan.self_ips.iter().copied());
            own.find(|own| own.is_ipv4() == ipv4).unwrap_or(none)
        };
        let network = |own: IpAddr| {
            let mut networks = internal().flat_map(|vlan| vlan.networks.iter().copied());
            let network = networks.find(|network| network.contains(&own));
            network.unwrap_or_else(|| own.into())
        };
        let addresses = [own(true, RESOLVER.into()), own(false, RESOLVER6.into())];
        Ok(Self {
            net,
            dice,
            gateway,
            inside,
            outside,
            page,
            addresses,
            networks: addresses.map(network),
        })
    }

    /// A static mapping of a host, where there is a range for them.
    pub(super) fn set_static(&mut self, plan: &Plan) -> Option<Ipv4Addr> {
        let reserved = plan.dns46.as_ref()?.reserved.as_ref()?;
        let address = Ipv4Addr::from_bits(reserved.start().to_bits() + 1);
        let gateway = self.net[self.gateway].gateway_mut();
        let set = gateway.set_mapping(Duration::ZERO, address, FIXED);
        set.ok().map(|()| address)
    }

    /// A pod of each family.
    pub(super) fn add_pods(&mut self, errands: [Vec<Errand>; 2]) -> [NodeId<Host<Pod>>; 2] {
        let mut errands = errands.into_iter();
        [0, 1].map(|family| {
            let address = match self.networks[family].network() {
                IpAddr::V4(first) => IpAddr::V4(Ipv4Addr::from_bits(first.to_bits() + 266)),
                IpAddr::V6(first) => IpAddr::V6(Ipv6Addr::from_bits(first.to_bits() + 16)),
            };
            let pod = Pod::new(errands.next().unwrap_or_default());
            let pod = Host::new(&config(&[address], self.dice.seed()), pod);
            let name = ["pod-ipv4", "pod-ipv6"][family];
            let pod = self.net.add(name, pod);
            self.net.attach(self.inside, pod, 0, &only(&[address]));
            pod
        })
    }

    /// Somebody outside who asks, connects, and claims to be a pod.
    pub(super) fn add_stranger(&mut self, plan: &Plan, start: Duration) -> NodeId<Stranger> {
        let mut stranger = Stranger::default();
        let from = SocketAddr::new(STRANGER.into(), 4444);
        let pod = match self.networks[0].network() {
            IpAddr::V4(first) => Ipv4Addr::from_bits(first.to_bits() + 266),
            IpAddr::V6(_) => STRANGER,
        };
        let spoofed = SocketAddr::new(pod.into(), 4444);
        let mut targets: Vec<IpAddr> = plan.external_self_ips.clone();
        targets.extend(own_addresses(plan).iter().map(IpNet::addr));
        targets.extend(
            plan.dns46
                .iter()
                .map(|dns46| IpAddr::V4(*dns46.usable.start())),
        );
        let query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03six\x07example\0\0\x01\0\x01";
        for target in targets.into_iter().filter(IpAddr::is_ipv4) {
            stranger.send_at(start, craft::udp(from, (target, 53).into(), query));
            stranger.send_at(
                start,
                craft::tcp(from, (target, 80).into(), 2, (1, 0), None, &[]),
            );
            stranger.send_at(start, craft::udp(spoofed, (target, 53).into(), query));
        }
        let stranger = self.net.add("stranger", stranger);
        self.net
            .attach(self.outside, stranger, 0, &only(&[STRANGER.into()]));
        stranger
    }
}

fn config(addresses: &[IpAddr], seed: u64) -> HostConfig {
    HostConfig {
        addresses: only(addresses),
        mtu: 1500,
        seed,
    }
}

fn only(addresses: &[IpAddr]) -> Vec<IpNet> {
    addresses
        .iter()
        .map(|address| IpNet::from(*address))
        .collect()
}
