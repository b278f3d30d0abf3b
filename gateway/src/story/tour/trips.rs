//! What there is to show, and what must come of it.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use egress_config::{Plan, Snat};

use super::grounds::{ECHO, HOST4, HOST6, RESOLVER, RESOLVER6, name_servers};
use crate::sim::{Act, Body, Errand, Target, Transport};

const A: u16 = 1;
const AAAA: u16 = 28;
const TXT: u16 = 16;

/// A trip: what a pod does, and what must come of it.
pub(super) struct Trip {
    pub(super) title: String,
    /// 0 has only IPv4, 1 only IPv6.
    pub(super) pod: usize,
    pub(super) errand: Errand,
    pub(super) expected: Expected,
}

/// What must come of a trip, beside its errand's success.
pub(super) enum Expected {
    /// A flow that leaves from one of these addresses.
    LeavesFrom(Vec<IpAddr>),
    /// An answer with this address, or with any if `None`.
    Answer(Option<IpAddr>),
    /// An ICMP error of this type and code; the errand fails.
    Refusal(u8, u8),
    /// A hop at this address, among those to the target.
    Hop(IpAddr),
}

/// What there is to show under a plan.
pub(super) fn trips(
    plan: &Plan,
    [ipv4, ipv6]: [IpAddr; 2],
    fixed: Option<Ipv4Addr>,
    page: Body,
) -> Vec<Trip> {
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
