//! DNS over TCP, from pods and to name servers.

use egress_gateway::sim::{Act, Errand, Event, LinkConfig, Manners, Transport};

use crate::lab::{Lab, PAGE, named};
use crate::world::{POD, plan};

const A: u16 = 1;
const TXT: u16 = 16;

fn fetch(transport: Transport) -> Errand {
    let act = Act::Fetch {
        port: 80,
        page: PAGE,
    };
    Errand::new(named("www.example", A, transport), act)
}

#[test]
fn a_truncated_reply_of_a_server_is_asked_for_again_over_tcp() {
    let mut lab = Lab::new(&plan("dns-nat46"), LinkConfig::clean(), 1);
    lab.manners(Manners {
        truncates: true,
        ..Manners::default()
    });
    lab.pod(&[POD], vec![fetch(Transport::Udp)]);
    lab.succeed();
    let queries = lab.net[lab.dns].app().queries();
    assert!(queries.iter().any(|query| query.over_tcp));
    assert!(
        queries
            .iter()
            .all(|query| query.from.ip() == crate::world::ip("10.20.2.2")),
        "from the external self IP"
    );
}

#[test]
fn a_truncated_reply_is_asked_for_again_under_loss() {
    for seed in 1..10 {
        let mut lab = Lab::new(&plan("dns-nat46"), LinkConfig::lossy(0.1), seed);
        lab.manners(Manners {
            truncates: true,
            ..Manners::default()
        });
        lab.pod(
            &[POD],
            vec![Errand::new(
                named("www.example", A, Transport::Udp),
                Act::Resolve,
            )],
        );
        lab.succeed();
    }
}

#[test]
fn a_pod_may_ask_over_tcp() {
    let mut lab = Lab::new(&plan("dns-nat46"), LinkConfig::clean(), 2);
    lab.pod(&[POD], vec![fetch(Transport::Tcp), fetch(Transport::Tcp)]);
    lab.succeed();
}

#[test]
fn an_answer_too_long_for_udp_reaches_the_pod_over_tcp() {
    let mut lab = Lab::new(&plan("dns-nat46"), LinkConfig::clean(), 3);
    let big = Errand::new(named("big.example", TXT, Transport::Udp), Act::Resolve);
    lab.pod(&[POD], vec![big]);
    lab.succeed();
    let log = lab.net[lab.pods[0]].app().log();
    let length = log.iter().find_map(|entry| match &entry.event {
        Event::Answered { message, .. } => Some(message.len()),
        _ => None,
    });
    assert!(length.is_some_and(|length| length > 3000), "{length:?}");
}
