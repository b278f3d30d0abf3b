//! The other acts: each way through the gateway as a trip of a pod, under one of the samples.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;

use egress_config::{Plan, Snat};
use ipnet::IpNet;

use super::report::{Moment, at};
use crate::sim::{
    Act, Body, Capture, Dice, EchoServer, Entry, Errand, Event, GatewayNode, Host, HostConfig,
    INSIDE, LinkConfig, NameServer, Net, NodeId, OUTSIDE, Pod, SharedStore, Stalled, Stranger,
    Target, Transport, WebServer, Zone, craft,
};
use crate::{Gateway, SetupError};

/// Between the starts of two trips.
const PACE: Duration = Duration::from_secs(30);
/// Where the echo of a host is.
const ECHO: u16 = 7;
const PAGE_LENGTH: usize = 100_000;
/// A host of each family; the addresses are global ones, so that the well-known prefix may hold them.
const HOST4: Ipv4Addr = Ipv4Addr::new(192, 88, 99, 80);
const HOST6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x46, 1, 0, 0, 0, 0x80);
/// Another one, which a static mapping is for.
const FIXED: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x46, 2, 0, 0, 0, 0x80);
const RESOLVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 53);
const RESOLVER6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x53, 0, 0, 0, 0, 0x53);
const STRANGER: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 9);

const A: u16 = 1;
const AAAA: u16 = 28;
const TXT: u16 = 16;

/// A trip: what a pod does, and what must come of it.
struct Trip {
    title: String,
    /// 0 has only IPv4, 1 only IPv6.
    pod: usize,
    errand: Errand,
    expected: Expected,
}

/// What must come of a trip, beside its errand's success.
enum Expected {
    /// A flow that leaves from one of these addresses.
    LeavesFrom(Vec<IpAddr>),
    /// An answer with this address, or with any if `None`.
    Answer(Option<IpAddr>),
    /// An ICMP error of this type and code; the errand fails.
    Refusal(u8, u8),
    /// A hop at this address, among those to the target.
    Hop(IpAddr),
}

/// A trip as it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Travelled {
    /// What it shows.
    pub title: String,
    /// What happened.
    pub moments: Vec<Moment>,
    /// Why it failed.
    pub outcome: Result<(), String>,
}

/// All trips of an act.
#[derive(Debug, Clone)]
pub struct Tour {
    /// In their order.
    pub trips: Vec<Travelled>,
    /// Packets at the gateway's two interfaces.
    pub capture: Capture,
    /// Virtual time at the end.
    pub ended_at: Duration,
}

impl Tour {
    /// Plays all that `plan` has ways for.
    ///
    /// # Errors
    ///
    /// If a part of the gateway refuses the plan.
    pub fn play(plan: &Plan, seed: u64) -> Result<Result<Self, Stalled>, SetupError> {
        let mut grounds = Grounds::new(plan, seed)?;
        let fixed = grounds.set_static(plan);
        let trips = trips(plan, grounds.addresses, fixed, grounds.page);
        let mut errands = [Vec::new(), Vec::new()];
        for (number, trip) in (0_u32..).zip(&trips) {
            let errand = trip.errand.clone().at(PACE * number).once();
            errands[trip.pod].push(errand);
        }
        let pods = grounds.add_pods(errands);
        let strangers_at = PACE * u32::try_from(trips.len()).unwrap_or(u32::MAX);
        let stranger = grounds.add_stranger(plan, strangers_at);
        let played = grounds.net.run_to(strangers_at + PACE);
        if let Err(stalled) = played {
            return Ok(Err(stalled));
        }
        let mut numbers = [0; 2];
        let mut told: Vec<Travelled> = Vec::new();
        for (place, trip) in (0_u32..).zip(trips) {
            let number = numbers[trip.pod];
            numbers[trip.pod] += 1;
            told.push(grounds.tell(trip, pods, number, PACE * place));
        }
        told.push(grounds.tell_stranger(stranger, strangers_at));
        Ok(Ok(Self {
            trips: told,
            capture: grounds.net.capture().clone(),
            ended_at: grounds.net.now(),
        }))
    }

    /// The first trip that failed, and why.
    #[must_use]
    pub fn failed(&self) -> Option<(&str, &str)> {
        self.trips.iter().find_map(|trip| {
            let why = trip.outcome.as_ref().err()?;
            Some((trip.title.as_str(), why.as_str()))
        })
    }
}

/// What there is to show under a plan.
fn trips(plan: &Plan, [ipv4, ipv6]: [IpAddr; 2], fixed: Option<Ipv4Addr>, page: Body) -> Vec<Trip> {
    let fetch = Act::Fetch { port: 80, page };
    let echo = Act::Echo {
        port: ECHO,
        payload: Body {
            seed: 3,
            length: 500,
        },
        count: 3,
    };
    let ping = Act::Ping {
        length: 56,
        count: 3,
    };
    let pool = |is_ipv4: bool| -> Vec<IpAddr> {
        let addresses = match &plan.snat {
            Snat::Pool { addresses, .. } => addresses,
            _ => &plan.external_self_ips,
        };
        let of_family = addresses.iter().filter(|one| one.is_ipv4() == is_ipv4);
        of_family.copied().collect()
    };
    let trip = |title: &str, pod, target: &Target, act, expected| Trip {
        title: title.to_owned(),
        pod,
        errand: Errand::new(target.clone(), act),
        expected,
    };
    let host4 = Target::Address(HOST4.into());
    let host6 = Target::Address(HOST6.into());
    let mut trips = Vec::new();
    if plan.dns46.is_some() {
        let name = ask(RESOLVER.into(), "six.example", A, Transport::Udp);
        for (title, act) in [
            ("NAT46: TCP of an IPv4 pod to an IPv6 host", fetch),
            ("NAT46: UDP", echo),
            ("NAT46: ping", ping),
        ] {
            let expected = Expected::LeavesFrom(pool(false));
            trips.push(trip(title, 0, &name, act, expected));
        }
        trips.push(trip(
            "a hop of the way is shown, though it has no IPv4 address",
            0,
            &name,
            Act::Trace { max_hops: 4 },
            Expected::Hop(ipv4),
        ));
        let tcp = ask(RESOLVER.into(), "six.example", A, Transport::Tcp);
        let title = "DNS over TCP, at an address that exists nowhere";
        trips.push(trip(title, 0, &tcp, Act::Resolve, Expected::Answer(None)));
        let big = ask(RESOLVER.into(), "big.example", TXT, Transport::Udp);
        let title = "an answer too long for UDP: truncated, then whole over TCP";
        trips.push(trip(title, 0, &big, Act::Resolve, Expected::Answer(None)));
        if let Some(dns46) = &plan.dns46 {
            let unmapped = Target::Address(IpAddr::V4(*dns46.usable.end()));
            let expected = Expected::Refusal(3, 1);
            let title = "an address that stands for nothing";
            trips.push(trip(title, 0, &unmapped, fetch, expected));
        }
    }
    if let Some(fixed) = fixed {
        let name = ask(RESOLVER.into(), "fixed.example", A, Transport::Udp);
        let expected = Expected::Answer(Some(fixed.into()));
        let title = "a static mapping in the reserved range answers";
        trips.push(trip(title, 0, &name, Act::Resolve, expected));
        let expected = Expected::LeavesFrom(pool(false));
        let title = "a static mapping translates";
        trips.push(trip(title, 0, &name, fetch, expected));
    }
    if !pool(true).is_empty() {
        let expected = Expected::LeavesFrom(pool(true));
        trips.push(trip("SNAT of IPv4: TCP", 0, &host4, fetch, expected));
        let expected = Expected::LeavesFrom(pool(true));
        trips.push(trip("SNAT of IPv4: ping", 0, &host4, ping, expected));
    } else {
        let title = "an IPv4 flow without an IPv4 SNAT address";
        trips.push(trip(title, 0, &host4, fetch, Expected::Refusal(3, 13)));
    }
    if plan.dual_stack {
        let expected = Expected::LeavesFrom(pool(false));
        trips.push(trip("SNAT of IPv6: TCP", 1, &host6, fetch, expected));
        let expected = Expected::LeavesFrom(pool(false));
        trips.push(trip("SNAT of IPv6: UDP", 1, &host6, echo, expected));
    }
    if plan.nat64.is_some() && plan.dns.is_some() && !pool(true).is_empty() {
        let name = ask(RESOLVER6.into(), "four.example", AAAA, Transport::Udp);
        for (title, act) in [
            (
                "NAT64 with DNS64: TCP of an IPv6 pod to an IPv4 host",
                fetch,
            ),
            ("NAT64: UDP", echo),
            ("NAT64: ping", ping),
        ] {
            trips.push(trip(title, 1, &name, act, Expected::LeavesFrom(pool(true))));
        }
        let title = "NAT64: the gateway is the first hop";
        let trace = Act::Trace { max_hops: 4 };
        trips.push(trip(title, 1, &name, trace, Expected::Hop(ipv6)));
    }
    if plan.dns.is_none() {
        let server = name_servers(plan)[0];
        let direct = ask(server, "four.example", A, Transport::Udp);
        let title = "DNS is a flow like any other, without a cache";
        let expected = Expected::LeavesFrom(pool(server.is_ipv4()));
        trips.push(trip(title, 0, &direct, Act::Resolve, expected));
    }
    trips
}

fn ask(resolver: IpAddr, name: &str, record_type: u16, transport: Transport) -> Target {
    Target::Name {
        resolver: SocketAddr::new(resolver, 53),
        name: name.to_owned(),
        record_type,
        transport,
    }
}

/// Where the name servers of the plan are; one at an address of its own where it has none.
fn name_servers(plan: &Plan) -> Vec<IpAddr> {
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
struct Grounds {
    net: Net,
    dice: Dice,
    gateway: NodeId<GatewayNode>,
    inside: crate::sim::SegmentId,
    outside: crate::sim::SegmentId,
    page: Body,
    /// The gateway's own on the inside, of each family.
    addresses: [IpAddr; 2],
    networks: [IpNet; 2],
}

impl Grounds {
    fn new(plan: &Plan, seed: u64) -> Result<Self, SetupError> {
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
        net.attach(
            outside,
            gateway,
            OUTSIDE,
            &super::scene::own_addresses(plan),
        );
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
    fn set_static(&mut self, plan: &Plan) -> Option<Ipv4Addr> {
        let reserved = plan.dns46.as_ref()?.reserved.as_ref()?;
        let address = Ipv4Addr::from_bits(reserved.start().to_bits() + 1);
        let gateway = self.net[self.gateway].gateway_mut();
        let set = gateway.set_mapping(Duration::ZERO, address, FIXED);
        set.ok().map(|()| address)
    }

    /// A pod of each family.
    fn add_pods(&mut self, errands: [Vec<Errand>; 2]) -> [NodeId<Host<Pod>>; 2] {
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
    fn add_stranger(&mut self, plan: &Plan, start: Duration) -> NodeId<Stranger> {
        let mut stranger = Stranger::default();
        let from = SocketAddr::new(STRANGER.into(), 4444);
        let pod = match self.networks[0].network() {
            IpAddr::V4(first) => Ipv4Addr::from_bits(first.to_bits() + 266),
            IpAddr::V6(_) => STRANGER,
        };
        let spoofed = SocketAddr::new(pod.into(), 4444);
        let mut targets: Vec<IpAddr> = plan.external_self_ips.clone();
        targets.extend(super::scene::own_addresses(plan).iter().map(IpNet::addr));
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

    /// What came of a trip, the `number`-th of its pod, that began at `start`.
    fn tell(
        &self,
        trip: Trip,
        pods: [NodeId<Host<Pod>>; 2],
        number: usize,
        start: Duration,
    ) -> Travelled {
        let pod = self.net[pods[trip.pod]].app();
        let log: Vec<&Entry> = pod
            .log()
            .iter()
            .filter(|entry| entry.errand == number)
            .collect();
        let outcome = pod.outcomes().get(number).copied();
        let mut moments = Vec::new();
        let result = match (&trip.expected, outcome) {
            (_, None) => Err("it did not end".to_owned()),
            (Expected::Refusal(kind, code), Some(Err(_))) => {
                refusal(&log, *kind, *code, &mut moments)
            }
            (Expected::Refusal(..), Some(Ok(()))) => Err("nobody refused it".to_owned()),
            (_, Some(Err(failure))) => Err(failure.to_string()),
            (Expected::LeavesFrom(addresses), Some(Ok(()))) => {
                self.left(&log, start, addresses, &mut moments)
            }
            (Expected::Answer(wanted), Some(Ok(()))) => answer(&log, *wanted, &mut moments),
            (Expected::Hop(wanted), Some(Ok(()))) => hops(&log, *wanted, &mut moments),
        };
        Travelled {
            title: trip.title,
            moments,
            outcome: result,
        }
    }

    /// The flow that a trip opened, and what came back.
    fn left(
        &self,
        log: &[&Entry],
        start: Duration,
        addresses: &[IpAddr],
        moments: &mut Vec<Moment>,
    ) -> Result<(), String> {
        let time = start..start + PACE;
        let opened = self.net[self.gateway]
            .events()
            .iter()
            .find_map(|(when, event)| match event {
                crate::Event::Opened {
                    inside, outside, ..
                } if time.contains(when) => Some((*when, *inside, *outside)),
                _ => None,
            });
        let (when, inside, outside) = opened.ok_or("no session was opened")?;
        if !addresses.contains(&outside.source.address) {
            return Err(format!("{} is no SNAT address", outside.source));
        }
        moments.push(at(
            when,
            format!(
                "{} > {}  leaves as  {} > {}",
                inside.source, inside.destination, outside.source, outside.destination
            ),
        ));
        let came = log.iter().rev().find_map(|entry| {
            let text = match &entry.event {
                Event::Fetched { status, length } => {
                    format!("HTTP {status}, {length} bytes, each as it was sent")
                }
                Event::Echoed {
                    from,
                    sequence,
                    length,
                } => format!("{} echoes from {from}, {length} bytes each", sequence + 1),
                Event::Answered { addresses, .. } => {
                    let first = addresses.first();
                    first.map_or_else(|| "an answer".to_owned(), |first| format!("answer {first}"))
                }
                _ => return None,
            };
            Some(at(entry.at, text))
        });
        moments.extend(came);
        Ok(())
    }

    fn tell_stranger(&self, stranger: NodeId<Stranger>, start: Duration) -> Travelled {
        let got = self.net[stranger].received().len();
        let drops = self.net[self.gateway].drops().iter();
        let mut reasons: Vec<(&str, usize)> = Vec::new();
        for (_, _, reason) in drops.filter(|(when, ..)| *when >= start) {
            match reasons.iter_mut().find(|(name, _)| *name == reason.name()) {
                Some((_, count)) => *count += 1,
                None => reasons.push((reason.name(), 1)),
            }
        }
        let text: Vec<String> = reasons
            .iter()
            .map(|(name, count)| format!("{count} {name}"))
            .collect();
        let outcome = if got > 0 || reasons.is_empty() {
            Err(format!("the stranger got {got} packets"))
        } else {
            Ok(())
        };
        Travelled {
            title: "a stranger outside who asks, connects, and claims to be a pod gets nothing"
                .to_owned(),
            moments: vec![at(start, format!("dropped: {}", text.join(", ")))],
            outcome,
        }
    }
}

fn refusal(log: &[&Entry], kind: u8, code: u8, moments: &mut Vec<Moment>) -> Result<(), String> {
    let told = log.iter().find_map(|entry| match entry.event {
        Event::IcmpError {
            from,
            kind: one,
            code: other,
            ..
        } if (one, other) == (kind, code) => Some((entry.at, from)),
        _ => None,
    });
    let (when, from) = told.ok_or("the pod was not told why")?;
    moments.push(at(
        when,
        format!("{from} says ICMP type {kind}, code {code}"),
    ));
    Ok(())
}

fn answer(log: &[&Entry], wanted: Option<IpAddr>, moments: &mut Vec<Moment>) -> Result<(), String> {
    let told = log.iter().rev().find_map(|entry| match &entry.event {
        Event::Answered {
            addresses, message, ..
        } => Some((entry.at, addresses.first().copied(), message.len())),
        _ => None,
    });
    let (when, address, length) = told.ok_or("no answer")?;
    if wanted.is_some() && wanted != address {
        return Err(format!("{address:?} was told"));
    }
    let over_tcp = log
        .iter()
        .any(|entry| matches!(entry.event, Event::Asked { over_tcp: true, .. }));
    let how = if over_tcp { " over TCP" } else { "" };
    let what = address.map_or_else(String::new, |address| format!(": {address}"));
    moments.push(at(when, format!("an answer of {length} octets{how}{what}")));
    Ok(())
}

fn hops(log: &[&Entry], wanted: IpAddr, moments: &mut Vec<Moment>) -> Result<(), String> {
    let mut seen = false;
    for entry in log {
        if let Event::Hop {
            hop_limit,
            from: Some(from),
        } = entry.event
        {
            seen |= from == wanted;
            moments.push(at(entry.at, format!("hop {hop_limit} is {from}")));
        }
    }
    if seen {
        Ok(())
    } else {
        Err(format!("{wanted} is no hop"))
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
