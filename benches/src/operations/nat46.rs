//! A packet checked, and translated by the general path and by the recipe of its flow.

use core::hint::black_box;
use core::net::IpAddr;
use core::time::Duration;

use nat46::packet::Packet;
use nat46::{Config, HEADROOM, Links, PacketBuf, Rewrite, Translator, Verdict};

use super::Operation;
use crate::packet::{HOST, MAPPED, POD, SNAT, from_host, from_pod};

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::new("nat46-4to6-parse-64", || parse(&from_pod(64))),
    Operation::new("nat46-4to6-general-64", || general(&from_pod(64))),
    Operation::new("nat46-4to6-recipe-64", || recipe(&from_pod(64))),
    Operation::new("nat46-4to6-parse-1500", || parse(&from_pod(1500))),
    Operation::new("nat46-4to6-general-1500", || general(&from_pod(1500))),
    Operation::new("nat46-4to6-recipe-1500", || recipe(&from_pod(1500))),
    Operation::new("nat46-6to4-parse-64", || parse(&from_host(64))),
    Operation::new("nat46-6to4-general-64", || general(&from_host(64))),
    Operation::new("nat46-6to4-recipe-64", || recipe(&from_host(64))),
    Operation::new("nat46-6to4-parse-1500", || parse(&from_host(1500))),
    Operation::new("nat46-6to4-general-1500", || general(&from_host(1500))),
    Operation::new("nat46-6to4-recipe-1500", || recipe(&from_host(1500))),
];

const NOW: Duration = Duration::from_secs(1000);
const LINKS: Links = Links {
    mtu_in: 1500,
    mtu_out: 1520,
};
/// Checked, as every packet is, before anything is looked up.
fn parse(packet: &[u8]) -> Box<dyn FnMut()> {
    let packet = packet.to_vec();
    Box::new(move || {
        let packet = Packet::parse(black_box(&packet));
        assert!(black_box(&packet).is_ok());
    })
}

/// A checked packet, translated by the general path.
fn general(packet: &[u8]) -> Box<dyn FnMut()> {
    let mut translator = Translator::new(Config::DEFAULT, [7; 32]);
    let rewrite = rewrite(packet);
    over_and_over(packet, move |packet, buf| {
        translator.rewrite(NOW, packet, &rewrite, LINKS, buf)
    })
}

/// A checked packet, translated by its flow's recipe.
fn recipe(packet: &[u8]) -> Box<dyn FnMut()> {
    let mut translator = Translator::new(Config::DEFAULT, [7; 32]);
    let parsed = Packet::parse(packet).expect("a packet");
    let recipe = translator
        .recipe(&parsed, &rewrite(packet))
        .expect("a flow");
    over_and_over(packet, move |packet, buf| {
        translator.apply(NOW, &recipe, packet, LINKS, buf)
    })
}

/// Lends a buffer with the packet, and has it translated. Of the packet before, only the first byte is put
/// back: it is all that is read again of an IP header that was checked.
fn over_and_over(
    packet: &[u8],
    mut translate: impl FnMut(&Packet, &mut PacketBuf<'_>) -> Verdict + 'static,
) -> Box<dyn FnMut()> {
    let mut memory = vec![0; HEADROOM];
    memory.extend(packet);
    let first = packet[0];
    let packet = Packet::parse(packet).expect("a packet");
    Box::new(move || {
        let memory = black_box(memory.as_mut_slice());
        memory[HEADROOM] = first;
        let range = HEADROOM..memory.len();
        let mut buf = PacketBuf::new(memory, range).expect("a range of the buffer");
        assert!(matches!(
            translate(black_box(&packet), &mut buf),
            Verdict::Forward
        ));
    })
}

fn rewrite(packet: &[u8]) -> Rewrite {
    let (source, destination): (IpAddr, IpAddr) = match packet[0] >> 4 {
        4 => (SNAT.into(), HOST.into()),
        _ => (MAPPED.into(), POD.into()),
    };
    let ports = match packet[0] >> 4 {
        4 => (50_000, 443),
        _ => (443, 40_000),
    };
    Rewrite {
        source,
        destination,
        source_port: ports.0,
        destination_port: ports.1,
    }
}
