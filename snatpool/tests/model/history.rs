//! Random histories.

use core::net::IpAddr;

use proptest::prelude::*;
use snatpool::{Protocol, Side, TransportAddress, Tuple};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    Syn,
    Ack,
    Fin,
    Rst,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Out {
        flow: Choice,
        segment: Segment,
    },
    In {
        index: usize,
        segment: Segment,
        stranger: bool,
    },
    Error {
        index: usize,
        side: Side,
    },
    Fragment {
        index: usize,
        early: bool,
        orphan: bool,
    },
    Wait(u64),
    Pin(usize),
    Unpin(usize),
    Close(usize),
    Drain(usize),
    Undrain(usize),
    Fill(Choice),
    Move {
        seed: u8,
        piece: usize,
    },
}

/// A flow by small numbers, so that histories meet again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    pub(crate) protocol: Protocol,
    pub(crate) client: u8,
    pub(crate) port: u16,
    pub(crate) peer: u8,
    pub(crate) to: u16,
    pub(crate) ipv6: bool,
}

impl Choice {
    pub(crate) fn inside(self) -> Tuple {
        let (client, peer) = if self.ipv6 {
            (
                format!("fd00::{}", self.client),
                format!("64:ff9b::{}", self.peer),
            )
        } else {
            (
                format!("10.0.0.{}", self.client),
                format!("203.0.113.{}", self.peer),
            )
        };
        let to = if self.protocol == Protocol::Icmp {
            self.port
        } else {
            self.to
        };
        Tuple {
            protocol: self.protocol,
            source: TransportAddress::new(client.parse().unwrap(), self.port),
            destination: TransportAddress::new(peer.parse().unwrap(), to),
        }
    }

    /// IPv6 clients reach the same hosts, through NAT64.
    pub(crate) fn peer(self) -> IpAddr {
        format!("203.0.113.{}", self.peer).parse().unwrap()
    }
}

fn choice() -> impl Strategy<Value = Choice> {
    let protocol = prop_oneof![
        Just(Protocol::Tcp),
        Just(Protocol::Udp),
        Just(Protocol::Icmp)
    ];
    let port = prop_oneof![1026_u16..1029, 3000_u16..3003];
    (
        protocol,
        1_u8..5,
        port,
        1_u8..3,
        prop_oneof![Just(53_u16), Just(443)],
        any::<bool>(),
    )
        .prop_map(|(protocol, client, port, peer, to, ipv6)| Choice {
            protocol,
            client,
            port,
            peer,
            to,
            ipv6,
        })
}

fn segment() -> impl Strategy<Value = Segment> {
    prop_oneof![
        4 => Just(Segment::Syn),
        2 => Just(Segment::Ack),
        2 => Just(Segment::Fin),
        1 => Just(Segment::Rst),
    ]
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let index = any::<usize>;
    let side = prop_oneof![Just(Side::Inside), Just(Side::Outside)];
    let wait = prop_oneof![
        0_u64..20,
        Just(60),
        Just(240),
        Just(299),
        Just(7440),
        0_u64..100_000
    ];
    prop_oneof![
        12 => (choice(), segment()).prop_map(|(flow, segment)| Step::Out { flow, segment }),
        10 => (index(), segment(), prop::bool::weighted(0.2))
            .prop_map(|(index, segment, stranger)| Step::In { index, segment, stranger }),
        2 => (index(), side).prop_map(|(index, side)| Step::Error { index, side }),
        2 => (index(), any::<bool>(), any::<bool>())
            .prop_map(|(index, early, orphan)| Step::Fragment { index, early, orphan }),
        4 => wait.prop_map(Step::Wait),
        1 => index().prop_map(Step::Pin),
        1 => index().prop_map(Step::Unpin),
        1 => index().prop_map(Step::Close),
        1 => index().prop_map(Step::Drain),
        1 => index().prop_map(Step::Undrain),
        1 => choice().prop_map(Step::Fill),
        1 => (any::<u8>(), 0_usize..400).prop_map(|(seed, piece)| Step::Move { seed, piece }),
    ]
}
