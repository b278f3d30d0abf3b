//! A gateway between hosts of the simulated network.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use egress_config::{Plan, Snat};
use egress_gateway::Gateway;
use egress_gateway::sim::{
    App, Body, EchoServer, Errand, GatewayNode, Host, HostConfig, INSIDE, LinkConfig, Manners,
    NameServer, Net, NodeId, OUTSIDE, Pod, Router, RouterInterface, SegmentId, SharedStore, Target,
    Transport, WebServer, Zone,
};
use ipnet::IpNet;

use crate::world::{RESOLVER, ip};

pub(crate) const PAGE: Body = Body {
    seed: 7,
    length: 200_000,
};
/// Where the echo server of each host is.
pub(crate) const ECHO: u16 = 7;
/// A host of each family, with a page on port 80 and an echo.
pub(crate) const HOST6: &str = "2001:db8:46:1::80";
pub(crate) const HOST4: &str = "203.0.113.80";

/// A router between the gateway and the hosts, of this MTU on its far side.
pub(crate) fn behind_a_router(plan: &Plan, mtu: usize, seed: u64) -> Lab {
    Lab::build(plan, LinkConfig::clean(), seed, Some(mtu))
}

pub(crate) struct Lab {
    pub(crate) net: Net,
    pub(crate) dns: NodeId<Host<NameServer>>,
    pub(crate) pods: Vec<NodeId<Host<Pod>>>,
    inside: SegmentId,
}

impl Lab {
    pub(crate) fn new(plan: &Plan, link: LinkConfig, seed: u64) -> Self {
        Self::build(plan, link, seed, None)
    }

    fn build(plan: &Plan, link: LinkConfig, seed: u64, mtu: Option<usize>) -> Self {
        let mut net = Net::new(seed);
        let inside = net.add_segment("inside", link.clone());
        let near = net.add_segment("outside", link.clone());
        let gateway = Gateway::new(plan, [seed as u8; 32]).unwrap();
        let gateway = net.add("gateway", GatewayNode::new(gateway, SharedStore::default()));
        let everything = ["0.0.0.0/0", "::/0"].map(|net| net.parse().unwrap());
        net.attach(inside, gateway, INSIDE, &everything);
        net.attach(near, gateway, OUTSIDE, &own(plan));
        let outside = match mtu {
            None => near,
            Some(mtu) => {
                let far = net.add_segment("far", link);
                let interface = |addresses: &[&str], prefixes: Vec<IpNet>, mtu| RouterInterface {
                    addresses: addresses.iter().map(|address| ip(address)).collect(),
                    prefixes,
                    mtu,
                };
                let router = Router::new(vec![
                    interface(&["10.20.2.1", "2002::10:20:2:1"], own(plan), 1500),
                    interface(&["203.0.113.1", "2001:db8:46::1"], everything.to_vec(), mtu),
                ]);
                let router = net.add("router", router);
                net.attach(near, router, 0, &everything);
                net.attach(far, router, 1, &everything);
                far
            }
        };
        net.tap(gateway, INSIDE, "inside");
        net.tap(gateway, OUTSIDE, "outside");
        let zone = Zone::new("example", 300)
            .aaaa("www.example", 300, HOST6.parse().unwrap())
            .a("v4.example", 300, HOST4.parse().unwrap())
            .txt("big.example", 300, &"x".repeat(3000));
        let dns = host(
            &["10.20.2.216", "2002::10:20:2:216"],
            seed,
            NameServer::new(vec![zone]),
        );
        let dns = net.add("dns", dns);
        net.attach(
            outside,
            dns,
            0,
            &alone(&["10.20.2.216", "2002::10:20:2:216"]),
        );
        let web = (WebServer::new(PAGE), EchoServer::new(ECHO));
        let web = net.add("web", host(&[HOST6, HOST4], seed + 1, web));
        net.attach(outside, web, 0, &alone(&[HOST6, HOST4]));
        Self {
            net,
            dns,
            pods: Vec::new(),
            inside,
        }
    }

    /// A pod with these addresses and errands.
    pub(crate) fn pod(&mut self, addresses: &[&str], errands: Vec<Errand>) {
        let number = self.pods.len() as u64;
        let pod = host(addresses, 100 + number, Pod::new(errands));
        let pod = self.net.add(&format!("pod-{number}"), pod);
        self.net.attach(self.inside, pod, 0, &alone(addresses));
        self.pods.push(pod);
    }

    pub(crate) fn manners(&mut self, manners: Manners) {
        self.net[self.dns].app_mut().manners = manners;
    }

    /// Plays until all errands are done, which succeed.
    pub(crate) fn succeed(&mut self) {
        let pods = self.pods.clone();
        let done = |net: &Net| pods.iter().all(|pod| net[*pod].app().is_done());
        self.net.run_until(Duration::from_secs(3600), done).unwrap();
        for pod in &self.pods {
            let pod = self.net[*pod].app();
            assert!(pod.succeeded(), "{:?}\n{:#?}", pod.outcomes(), pod.log());
        }
    }
}

/// Asks for a name, of a resolver that exists nowhere.
pub(crate) fn named(name: &str, record_type: u16, transport: Transport) -> Target {
    let resolver: SocketAddr = RESOLVER.parse().unwrap();
    Target::Name {
        resolver,
        name: name.to_owned(),
        record_type,
        transport,
    }
}

fn host<A: App>(addresses: &[&str], seed: u64, app: A) -> Host<A> {
    let config = HostConfig {
        addresses: alone(addresses),
        mtu: 1500,
        seed,
    };
    Host::new(&config, app)
}

fn alone(addresses: &[&str]) -> Vec<IpNet> {
    addresses.iter().map(|address| ip(address).into()).collect()
}

fn own(plan: &Plan) -> Vec<IpNet> {
    let snat: &[IpAddr] = match &plan.snat {
        Snat::Pool { addresses, .. } => addresses,
        _ => &[],
    };
    let own = plan.external_self_ips.iter().chain(snat);
    own.map(|address| IpNet::from(*address)).collect()
}
