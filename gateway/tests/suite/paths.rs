//! Ways with a narrow link, and ways with hops.

use egress_gateway::sim::{Act, Body, Errand, Event, Target, Transport};

use crate::lab::{ECHO, HOST4, HOST6, PAGE, behind_a_router, named};
use crate::world::{POD, ip, plan};

const POD6: &str = "2002::10:244:0:10";
const A: u16 = 1;

/// Datagrams of a whole Ethernet packet: too long for the link behind the router.
const LONG: Act = Act::Echo {
    port: ECHO,
    payload: Body {
        seed: 5,
        length: 1400,
    },
    count: 3,
};
const FETCH: Act = Act::Fetch {
    port: 80,
    page: PAGE,
};

#[test]
fn a_link_of_1300_bytes_outside_is_found_and_honoured_on_every_way() {
    let mut lab = behind_a_router(&plan("mixed"), 1300, 1);
    let name = named("www.example", A, Transport::Udp);
    let host4 = Target::Address(ip(HOST4));
    let host6 = Target::Address(ip(HOST6));
    let nat64 = Target::Address(ip("2001:db8:64::cb00:7150"));
    let errands = |targets: [Target; 2]| -> Vec<Errand> {
        let both = targets
            .into_iter()
            .flat_map(|target| [LONG, FETCH].map(|act| Errand::new(target.clone(), act)));
        both.collect()
    };
    lab.pod(&[POD], errands([name, host4]));
    lab.pod(&[POD6], errands([host6, nat64]));
    lab.succeed();
}

#[test]
fn traceroute_shows_the_gateway_and_the_router() {
    let mut lab = behind_a_router(&plan("mixed"), 1500, 2);
    let trace = |target: &str| Errand::new(Target::Address(ip(target)), Act::Trace { max_hops: 5 });
    let name = named("www.example", A, Transport::Udp);
    let mapped = Errand::new(name, Act::Trace { max_hops: 5 });
    lab.pod(&[POD], vec![trace(HOST4), mapped]);
    lab.pod(&[POD6], vec![trace(HOST6), trace("2001:db8:64::cb00:7150")]);
    lab.succeed();
    let hops = |pod: usize, errand: usize| -> Vec<String> {
        let log = lab.net[lab.pods[pod]].app().log().iter();
        log.filter(|entry| entry.errand == errand)
            .filter_map(|entry| match entry.event {
                Event::Hop {
                    from: Some(from), ..
                } => Some(from.to_string()),
                _ => None,
            })
            .collect()
    };
    assert_eq!(hops(0, 0), ["10.244.0.2", "10.20.2.1", HOST4]);
    // RFC 6791: the router has no IPv4 address that could be told; the gateway stands for it.
    assert_eq!(hops(0, 1)[..2], ["10.244.0.2", "10.244.0.2"]);
    assert_eq!(hops(1, 0), ["2002::10:244:0:2", "2002::10:20:2:1", HOST6]);
    // RFC 6052: the router's IPv4 address under the prefix.
    let under = [
        "2002::10:244:0:2",
        "2001:db8:64::a14:201",
        "2001:db8:64::cb00:7150",
    ];
    assert_eq!(hops(1, 1), under);
}
