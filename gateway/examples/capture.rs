//! A story on the simulated network, written as pcapng: two pods, one of each family, ask a name
//! server for a web server's address and fetch a page from it, over links that lose packets.
//!
//! `cargo run -p egress-gateway --example capture -- OUT.pcapng`

use core::error::Error;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::fs::File;
use std::io::BufWriter;

use egress_gateway::pcapng;
use egress_gateway::sim::{
    Act, Body, Errand, Host, HostConfig, LinkConfig, NameServer, Net, Pod, Target, Transport,
    WebServer, Zone,
};
use ipnet::IpNet;

const PAGE: Body = Body {
    seed: 99,
    length: 1 << 20,
};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os()
        .nth(1)
        .ok_or("usage: capture OUT.pcapng")?;
    let mut net = Net::new(46);
    let lan = net.add_segment("lan", LinkConfig::lossy(0.05));

    let zone = Zone::new("example", 30)
        .a("www.example", 300, "192.0.2.80".parse()?)
        .aaaa("www.example", 300, "2001:db8::80".parse()?);
    let servers = |host: u32| [format!("192.0.2.{host}"), format!("2001:db8::{host}")];
    let dns = net.add(
        "dns",
        Host::new(&host(&servers(53), 1)?, NameServer::new(vec![zone])),
    );
    let web = net.add(
        "web",
        Host::new(&host(&servers(80), 2)?, WebServer::new(PAGE)),
    );
    net.attach(lan, dns, 0, &alone(&servers(53))?);
    net.attach(lan, web, 0, &alone(&servers(80))?);

    let mut pods = Vec::new();
    for (name, address, resolver, record_type, seed) in [
        ("pod-ipv4", "192.0.2.1", "192.0.2.53", 1, 3),
        ("pod-ipv6", "2001:db8::1", "2001:db8::53", 28, 4),
    ] {
        let target = Target::Name {
            resolver: SocketAddr::new(resolver.parse()?, 53),
            name: "www.example".to_owned(),
            record_type,
            transport: Transport::Udp,
        };
        let errand = Errand::new(
            target,
            Act::Fetch {
                port: 80,
                page: PAGE,
            },
        );
        let addresses = [address.to_owned()];
        let pod = net.add(
            name,
            Host::new(&host(&addresses, seed)?, Pod::new(vec![errand])),
        );
        net.attach(lan, pod, 0, &alone(&addresses)?);
        net.tap(pod, 0, name);
        pods.push(pod);
    }

    net.run_until(Duration::from_secs(3600), |net| {
        pods.iter().all(|pod| net[*pod].app().is_done())
    })?;
    for pod in &pods {
        if !net[*pod].app().succeeded() {
            return Err(format!("a pod failed: {:?}", net[*pod].app().outcomes()).into());
        }
    }
    pcapng::write(net.capture(), |_| None, BufWriter::new(File::create(path)?))?;
    println!(
        "{} packets in {:?} of virtual time",
        net.capture().frames.len(),
        net.now()
    );
    Ok(())
}

fn host(addresses: &[String], seed: u64) -> Result<HostConfig, Box<dyn Error>> {
    let mut networks = Vec::new();
    for address in addresses {
        let address: IpAddr = address.parse()?;
        networks.push(IpNet::new(
            address,
            if address.is_ipv4() { 24 } else { 64 },
        )?);
    }
    Ok(HostConfig {
        addresses: networks,
        mtu: 1500,
        seed,
    })
}

/// The prefixes that hold these addresses alone.
fn alone(addresses: &[String]) -> Result<Vec<IpNet>, Box<dyn Error>> {
    addresses
        .iter()
        .map(|address| Ok(IpNet::from(address.parse::<IpAddr>()?)))
        .collect()
}
