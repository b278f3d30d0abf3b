//! Packets that nobody honest sends, from both sides, by the ten thousand.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use egress_gateway::sim::{Dice, EchoKind, Parsed, Payload, craft, fragment};
use egress_gateway::{Side, Verdict};

use crate::world::*;

const NAME: &str = "www.example";

/// Addresses that mean something to the gateway, and some that do not.
const ADDRESSES: [&str; 22] = [
    "10.244.1.10",
    "10.244.1.11",
    "10.244.0.2",
    "10.20.2.2",
    "10.20.2.101",
    "10.46.0.4",
    "10.46.0.5",
    "10.46.0.15",
    "203.0.113.80",
    "198.51.100.53",
    "10.20.2.216",
    "255.255.255.255",
    "0.0.0.0",
    "224.0.0.1",
    "2002::10:244:0:10",
    "2002::10:244:0:2",
    "2002::10:50:20:1",
    "2002::10:20:2:2",
    "2001:db8:64::cb00:7150",
    "2001:db8:46::80",
    "ff02::1",
    "::",
];

/// Of the addresses, those of pods.
const PODS: [&str; 3] = ["10.244.1.10", "10.244.1.11", "2002::10:244:0:10"];

struct Hostile {
    dice: Dice,
    world: World,
    /// The address that stands for our name.
    mapped: IpAddr,
    /// Packets that left, to be turned round and spoiled.
    seen: Vec<Vec<u8>>,
}

impl Hostile {
    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.dice.below(from.len() as u64) as usize]
    }

    fn bytes(&mut self, most: u64) -> Vec<u8> {
        let length = self.dice.below(most);
        (0..length).map(|_| self.dice.word() as u8).collect()
    }

    /// Two addresses of one family, the first often a pod's.
    fn ends(&mut self) -> (SocketAddr, SocketAddr) {
        let from = match self.dice.chance(0.7) {
            true => ip(self.pick(&PODS)),
            false => ip(self.pick(&ADDRESSES)),
        };
        let of_family: Vec<IpAddr> = ADDRESSES
            .iter()
            .map(|text| ip(text))
            .chain([self.mapped; 4])
            .filter(|one| one.is_ipv4() == from.is_ipv4())
            .collect();
        let to = self.pick(&of_family);
        let ports = [0, 1, 7, 53, 80, 1024, 40_000, 65_535];
        let (from_port, to_port) = (self.pick(&ports), self.pick(&ports));
        ((from, from_port).into(), (to, to_port).into())
    }

    /// The answer to a packet that left.
    fn answer(&mut self) -> Option<Vec<u8>> {
        let place = self.dice.below(self.seen.len().max(1) as u64) as usize;
        let packet = Parsed::new(self.seen.get(place)?).ok()?;
        let (from, to) = (packet.destination_socket(), packet.source_socket());
        Some(match packet.payload {
            Payload::Udp { .. } => {
                let payload = self.bytes(1400);
                craft::udp(from, to, &payload)
            }
            Payload::Tcp { sequence, .. } => {
                let flags = self.pick(&[0x12, 0x10, 0x11, 0x04, 0x14, 0x18]);
                let payload = self.bytes(1400);
                craft::tcp(from, to, flags, (7, sequence + 1), None, &payload)
            }
            Payload::Echo { identifier, .. } => {
                craft::echo(EchoKind::Reply, from.ip(), to.ip(), identifier, 1, b"pong")
            }
            _ => return None,
        })
    }

    fn honest(&mut self) -> Vec<u8> {
        if self.dice.chance(0.3)
            && let Some(answer) = self.answer()
        {
            return answer;
        }
        let (from, to) = self.ends();
        match self.dice.below(8) {
            0 => {
                let payload = self.bytes(1400);
                craft::udp(from, to, &payload)
            }
            1 => {
                let flags = self.dice.word() as u8;
                craft::tcp(from, to, flags, (1, 2), Some(self.dice.word()), b"")
            }
            2 => {
                let kind = self.pick(&[EchoKind::Request, EchoKind::Reply]);
                craft::echo(kind, from.ip(), to.ip(), self.dice.word(), 1, b"ping")
            }
            3 => {
                let (other, another) = self.ends();
                let about = match self.seen.len() {
                    0 => craft::udp(other, another, b"about"),
                    count => self.seen[self.dice.below(count as u64) as usize].clone(),
                };
                let (kind, code) = (self.dice.word() as u8, self.dice.word() as u8);
                let word = self.pick(&[0, 68, 1280, 1500, u32::MAX]);
                let error = craft::icmp_error(from.ip(), kind, code, word, &about);
                error.unwrap_or(about)
            }
            4 => {
                let query = self.query();
                craft::udp(from, (to.ip(), 53).into(), &query)
            }
            5 => {
                let payload = self.bytes(3000);
                let whole = craft::udp(from, to, &payload);
                let identification = self.dice.below(4) as u32;
                let pieces = fragment(&whole, 1280, identification);
                let piece = self.dice.below(pieces.len() as u64) as usize;
                pieces[piece].clone()
            }
            6 => {
                let payload = self.bytes(60);
                craft::ip(from.ip(), to.ip(), self.dice.word() as u8, &payload)
            }
            _ => match self.seen.len() {
                0 => self.bytes(100),
                count => self.seen[self.dice.below(count as u64) as usize].clone(),
            },
        }
    }

    /// Something like a query or an answer about our name.
    fn query(&mut self) -> Vec<u8> {
        let mut message =
            b"\x12\x34\x01\0\0\x01\0\0\0\0\0\x01\x03www\x07example\0\0\x01\0\x01".to_vec();
        message.extend(b"\0\0\x29\x04\xd0\0\0\0\0\0\0");
        for _ in 0..self.dice.below(4) {
            let at = self.dice.below(message.len() as u64) as usize;
            message[at] = self.pick(&[0, 1, 0x3f, 0x40, 0x80, 0xc0, 0xff]);
        }
        message.truncate(self.dice.below(message.len() as u64 + 20) as usize);
        message
    }

    fn spoil(&mut self, packet: &mut Vec<u8>) {
        for _ in 0..self.dice.below(4) {
            if packet.is_empty() {
                return;
            }
            // The headers, mostly.
            let reach = self.pick(&[24, 60, 2000]).min(packet.len() as u64);
            let at = self.dice.below(reach) as usize;
            match self.dice.below(3) {
                0 => packet[at] ^= 1 << self.dice.below(8),
                1 => packet[at] = self.pick(&[0, 1, 0x7f, 0x80, 0xff]),
                _ => packet.truncate(at),
            }
        }
    }

    fn step(&mut self) {
        let mut packet = self.honest();
        let from_pod = Parsed::new(&packet)
            .is_ok_and(|packet| PODS.iter().any(|pod| packet.source == ip(pod)));
        let is_spoiled = self.dice.chance(0.3);
        if is_spoiled {
            self.spoil(&mut packet);
        }
        let side = match self.dice.chance(0.9) {
            true if from_pod => Side::Inside,
            true => Side::Outside,
            false => self.pick(&[Side::Inside, Side::Outside]),
        };
        let was_sound = Parsed::new(&packet).is_ok();
        let _: Verdict = self.world.arrive(side, &packet);
        for (_, left, bytes) in core::mem::take(&mut self.world.sent) {
            let out = Parsed::new(&bytes);
            if was_sound {
                assert!(out.is_ok(), "{out:?} of {packet:?}");
            }
            let source = nat46::packet::Packet::parse(&bytes).unwrap().source();
            if left == Side::Outside {
                let own = ["10.20.2.", "2002::10:50:20:", "2002::10:20:2:"];
                let source = source.to_string();
                assert!(
                    own.iter().any(|own| source.starts_with(own)),
                    "{source} leaves"
                );
            }
            if self.seen.len() < 64 {
                self.seen.push(bytes);
            } else {
                let place = self.dice.below(64) as usize;
                self.seen[place] = bytes;
            }
        }
        match self.dice.below(200) {
            0 => self.world.pass(Duration::from_secs(self.dice.below(300))),
            1 => self.world.store_is_quick = !self.world.store_is_quick,
            2 => self.world.upstream_is_silent = !self.world.upstream_is_silent,
            3 => {
                while !self.world.operations.is_empty() {
                    self.world.store_acts();
                }
                self.world.sent.clear();
            }
            _ => {}
        }
    }
}

#[test]
fn hostile_packets_neither_break_the_gateway_nor_leak_through_it() {
    for seed in 0..10 {
        let world = World::new("mixed").name(NAME, &["2001:db8:46::80"]);
        let mut hostile = Hostile {
            dice: Dice::new(seed, 0),
            world,
            mapped: ip("10.46.0.4"),
            seen: Vec::new(),
        };
        hostile.mapped = hostile.world.resolve(NAME).unwrap();
        for _ in 0..5000 {
            hostile.step();
        }
        // An honest pod is served all the same.
        hostile.world.store_is_quick = true;
        hostile.world.upstream_is_silent = false;
        hostile.world.pass(Duration::from_secs(4 * 3600));
        assert!(hostile.world.resolve(NAME).is_some());
        assert_eq!(hostile.world.gateway.sessions().count(), 0);
    }
}
