use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use ipnet::IpNet;

use super::*;

mod story;

/// The single-address prefix of an address.
fn only(address: &str) -> IpNet {
    IpNet::from(ip(address))
}

fn ip(address: &str) -> IpAddr {
    address.parse().unwrap()
}

fn host(address: &str, seed: u64) -> HostConfig {
    let address = ip(address);
    let length = if address.is_ipv4() { 24 } else { 64 };
    HostConfig {
        addresses: vec![IpNet::new(address, length).unwrap()],
        mtu: 1500,
        seed,
    }
}

fn named(resolver: &str, name: &str, record_type: u16) -> Target {
    Target::Name {
        resolver: SocketAddr::new(ip(resolver), 53),
        name: name.to_owned(),
        record_type,
        transport: Transport::Udp,
    }
}

/// A pod, a name server and a web server with an echo server, IPv6 only, on one segment.
struct Lan {
    net: Net,
    pod: NodeId<Host<Pod>>,
    dns: NodeId<Host<NameServer>>,
    web: NodeId<Host<(WebServer, EchoServer)>>,
}

const PAGE: Body = Body {
    seed: 99,
    length: 1 << 20,
};
const HOUR: Duration = Duration::from_secs(3600);

impl Lan {
    fn new(seed: u64, link: LinkConfig, page: Body, errands: Vec<Errand>) -> Self {
        let mut net = Net::new(seed);
        let segment = net.add_segment("lan", link);
        let zone = Zone::new("example", 30)
            .aaaa("www.example", 300, "2001:db8::80".parse().unwrap())
            .cname("alias.example", 60, "www.example")
            .txt("big.example", 60, &"x".repeat(2000))
            .bare("bare.example");
        let dns = Host::new(&host("2001:db8::53", seed ^ 1), NameServer::new(vec![zone]));
        let web = (WebServer::new(page), EchoServer::new(7));
        let dns = net.add("dns", dns);
        let web = net.add("web", Host::new(&host("2001:db8::80", seed ^ 2), web));
        let pod = net.add(
            "pod",
            Host::new(&host("2001:db8::1", seed ^ 3), Pod::new(errands)),
        );
        net.attach(segment, dns, 0, &[only("2001:db8::53")]);
        net.attach(segment, web, 0, &[only("2001:db8::80")]);
        net.attach(segment, pod, 0, &[only("2001:db8::1")]);
        Self { net, pod, dns, web }
    }

    fn run(&mut self) -> &Pod {
        let pod = self.pod;
        self.net
            .run_until(HOUR, |net| net[pod].app().is_done())
            .unwrap();
        self.net[pod].app()
    }
}
