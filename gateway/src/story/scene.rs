use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use egress_config::{Plan, Snat};
use ipnet::IpNet;

use super::{Cast, Fault, Script, Unplayable};
use crate::sim::{
    Acknowledgement, Act, Body, Dice, Errand, GatewayNode, Host, HostConfig, INSIDE, NameServer,
    Net, NodeId, OUTSIDE, Pod, SegmentId, SharedStore, Stalled, Target, Transport, WebServer, Zone,
};
use crate::{Event, Gateway};

/// TTL of the address records upstream, in seconds.
const TTL: u32 = 300;
/// When the pods ask again, and about other names.
const LATER: Duration = Duration::from_secs(10);

/// The network with everybody in place.
pub struct Scene {
    /// The network.
    pub net: Net,
    /// The plan that the gateway carries out.
    pub plan: Plan,
    /// Who plays.
    pub cast: Cast,
    /// The pages of the two web servers.
    pub pages: [Body; 2],
    /// Where the pods are.
    pub inside: SegmentId,
    /// Where everyone else is.
    pub outside: SegmentId,
    gateway: NodeId<GatewayNode>,
    pods: [NodeId<Host<Pod>>; 2],
}

impl Scene {
    pub(super) fn new(plan: Plan, cast: Cast, script: &Script) -> Result<Self, Unplayable> {
        let mut dice = Dice::new(script.seed, u64::from(u16::MAX));
        let gateway = Gateway::new(&plan, dice.key())?;
        let mut net = Net::new(script.seed);
        let inside = net.add_segment("inside", script.link.clone());
        let outside = net.add_segment("outside", script.link.clone());
        let mut gateway = GatewayNode::new(gateway, SharedStore::default());
        if script.fault == Some(Fault::Store) {
            gateway.acknowledgement = Acknowledgement::Never;
        }
        let gateway = net.add("gateway", gateway);
        net.attach(inside, gateway, INSIDE, &everything());
        net.attach(outside, gateway, OUTSIDE, &own_addresses(&plan));
        net.tap(gateway, INSIDE, "inside");
        net.tap(gateway, OUTSIDE, "outside");

        let silent = script.fault == Some(Fault::Upstream);
        let seed = &mut || dice.seed();
        add_name_servers(&mut net, outside, &plan, &cast, silent, seed);
        let pages = [1, 2].map(|page| Body {
            seed: script.seed ^ page,
            length: script.page,
        });
        for (name, host, page) in [
            ("web-1", cast.hosts[0], pages[0]),
            ("web-2", cast.hosts[1], pages[1]),
        ] {
            let config = config(&[IpAddr::V6(host)], seed());
            let web = net.add(name, Host::new(&config, WebServer::new(page)));
            net.attach(outside, web, 0, &[IpAddr::V6(host).into()]);
        }
        let pods = [
            errands(&cast, script, 0, pages[0], &cast.a_only),
            errands(&cast, script, 1, pages[1], &cast.both),
        ];
        let mut pods = pods.into_iter().zip(["pod-a", "pod-b"]).zip(cast.pods);
        let mut add = || {
            let ((errands, name), address) = pods.next()?;
            let config = config(&[IpAddr::V4(address)], seed());
            let pod = net.add(name, Host::new(&config, Pod::new(errands)));
            net.attach(inside, pod, 0, &[IpAddr::V4(address).into()]);
            Some(pod)
        };
        let (Some(first), Some(second)) = (add(), add()) else {
            return Err(Unplayable::NoInside);
        };
        if let Some(fault) = script.fault {
            net.intercept(gateway, OUTSIDE, move |_, packet| {
                fault.spoil_packet(packet)
            });
        }
        Ok(Self {
            net,
            plan,
            cast,
            pages,
            inside,
            outside,
            gateway,
            pods: [first, second],
        })
    }

    /// The gateway's node.
    #[must_use]
    pub fn gateway(&self) -> &GatewayNode {
        &self.net[self.gateway]
    }

    /// The gateway's node, to change its ways.
    pub fn gateway_mut(&mut self) -> &mut GatewayNode {
        &mut self.net[self.gateway]
    }

    /// What the pods do.
    #[must_use]
    pub fn pods(&self) -> [&Pod; 2] {
        self.pods.map(|pod| self.net[pod].app())
    }

    /// Plays until `done` or `deadline`, whatever comes first.
    ///
    /// # Errors
    ///
    /// If time stands still.
    pub fn play_until(
        &mut self,
        deadline: Duration,
        done: impl Fn(&Self) -> bool,
    ) -> Result<(), Stalled> {
        while !done(self) && self.net.now() < deadline {
            self.net.step()?;
            if self.net.is_idle() {
                break;
            }
        }
        Ok(())
    }

    /// Whether both names have a mapping that the store has acknowledged.
    #[must_use]
    pub fn has_stored(&self) -> bool {
        let events = self.gateway().events().iter();
        events.filter(|(_, event)| *event == Event::Stored).count() >= 2
    }

    /// Whether each pod has its page, or has given up.
    #[must_use]
    pub fn pages_are_over(&self) -> bool {
        self.pods().iter().all(|pod| !pod.outcomes().is_empty())
    }

    /// Whether no pod wants anything any more.
    #[must_use]
    pub fn pods_are_done(&self) -> bool {
        self.pods().iter().all(|pod| pod.is_done())
    }

    /// Whether no session lives.
    #[must_use]
    pub fn sessions_are_over(&self) -> bool {
        self.gateway().gateway().sessions().next().is_none()
    }

    pub(super) fn remove_mappings(&mut self) {
        let now = self.net.now();
        let gateway = self.gateway_mut().gateway_mut();
        let mapped: Vec<_> = gateway.mappings().map(|mapping| mapping.address).collect();
        for address in mapped {
            gateway.remove_mapping(now, address);
        }
    }
}

/// A pod's page, the same question again, and one about another name.
fn errands(cast: &Cast, script: &Script, pod: usize, page: Body, other: &str) -> Vec<Errand> {
    let ask = |name: &str| Target::Name {
        resolver: cast.resolver,
        name: name.to_owned(),
        record_type: 1,
        transport: Transport::Udp,
    };
    let own = ask(&cast.names[pod]);
    let start_at = Duration::from_micros(300) * pod as u32;
    let fetch = Errand::new(own.clone(), Act::Fetch { port: 80, page }).at(start_at);
    let again = Errand::new(own, Act::Resolve).at(LATER + start_at);
    let other = Errand::new(ask(other), Act::Resolve).at(LATER * 2 + start_at);
    let errands = [fetch, again, other].map(|errand| Errand {
        attempts: script.attempts,
        ..errand
    });
    errands.to_vec()
}

/// One host for each address that a name server has in the plan; those of the zone know its names.
fn add_name_servers(
    net: &mut Net,
    outside: SegmentId,
    plan: &Plan,
    cast: &Cast,
    silent: bool,
    seed: &mut impl FnMut() -> u64,
) {
    let zones = plan.dns.iter().flat_map(|dns| &dns.zones);
    let mut sockets: Vec<SocketAddr> = zones.flat_map(|zone| zone.servers.clone()).collect();
    sockets.sort();
    sockets.dedup();
    let [first, second] = cast.hosts;
    let zone = Zone::new(&cast.zone, TTL)
        .aaaa(&cast.names[0], TTL, first)
        .aaaa(&cast.names[1], TTL, second)
        .a(&cast.a_only, TTL, cast.ipv4_host)
        .a(&cast.both, TTL, cast.ipv4_host)
        .aaaa(&cast.both, TTL, first);
    for hosts in sockets.chunk_by(|one, other| one.ip() == other.ip()) {
        let servers = hosts.iter().map(|socket| {
            let mut server = NameServer::new(vec![zone.clone()]).on_port(socket.port());
            server.manners.silent = silent;
            server
        });
        let address = hosts[0].ip();
        let config = config(&[address], seed());
        let host = net.add(
            "name-server",
            Host::new(&config, servers.collect::<Vec<_>>()),
        );
        net.attach(outside, host, 0, &[address.into()]);
    }
}

fn config(addresses: &[IpAddr], seed: u64) -> HostConfig {
    HostConfig {
        addresses: addresses
            .iter()
            .map(|address| IpNet::from(*address))
            .collect(),
        mtu: 1500,
        seed,
    }
}

fn everything() -> [IpNet; 2] {
    [
        IpNet::V4(ipnet::Ipv4Net::default()),
        IpNet::V6(ipnet::Ipv6Net::default()),
    ]
}

/// Addresses that lead to the gateway from outside.
pub(super) fn own_addresses(plan: &Plan) -> Vec<IpNet> {
    let snat: &[IpAddr] = match &plan.snat {
        Snat::Pool { addresses, .. } => addresses,
        _ => &[],
    };
    let own = plan.external_self_ips.iter().chain(snat);
    own.map(|address| IpNet::from(*address)).collect()
}
