//! A plain query whose answer is here is answered by a shorter way than any other. An octet behind the last
//! record, which means nothing, is enough to lead a query the long way: both say and count the same.

use crate::common::*;
use dnscache::{Verdict, rtype};
use proptest::prelude::*;

/// What one query is like.
#[derive(Debug, Clone)]
struct Variety {
    host: u8,
    rtype: u16,
    upper: u8,
    flags: u16,
    edns: Option<(u16, u16)>,
    policy: u8,
    room: usize,
    pause: u64,
}

fn variety() -> impl Strategy<Value = Variety> {
    let flags = prop_oneof![
        Just(0x0100_u16),
        Just(0x0110),
        Just(0x0120),
        Just(0x0000),
        0x0000..=0x07ff_u16,
    ];
    let size = prop_oneof![Just(0_u16), Just(512), Just(1232), Just(4096)];
    let edns = proptest::option::of((size, prop_oneof![Just(0_u16), Just(0x8000), Just(1)]));
    let kinds = prop_oneof![
        Just(rtype::A),
        Just(rtype::AAAA),
        Just(0),
        Just(41),
        Just(252)
    ];
    let room = prop_oneof![Just(65_535_usize), Just(512), 0..200_usize];
    (
        0..6_u8,
        kinds,
        any::<u8>(),
        flags,
        edns,
        0..2_u8,
        room,
        0..40_u64,
    )
        .prop_map(
            |(host, rtype, upper, flags, edns, policy, room, pause)| Variety {
                host,
                rtype,
                upper,
                flags,
                edns,
                policy,
                room,
                pause,
            },
        )
}

impl Variety {
    fn ask(&self) -> Ask {
        let mut name = format!("host{}.example.com", self.host).into_bytes();
        for (at, octet) in name.iter_mut().enumerate() {
            if self.upper >> (at % 8) & 1 != 0 && self.upper > 0x7f {
                octet.make_ascii_uppercase();
            }
        }
        Ask {
            edns: self.edns,
            ..Ask::new(core::str::from_utf8(&name).unwrap(), self.rtype).flags(self.flags)
        }
    }
}

/// What hosts have: addresses, a chain, nothing, many, what is derived from; the last cannot be found.
fn truth(query: &[u8]) -> Answer {
    let own = "example.com";
    let host = query[17] - b'0';
    let name = format!("host{host}.example.com");
    let answer = Answer::to(query);
    match host {
        0 => answer.a(&name, 300, [192, 0, 2, 1]),
        1 => answer
            .cname(&name, 300, "www.example.net")
            .a("www.example.net", 60, [192, 0, 2, 2])
            .authentic(),
        2 => answer.soa(own, 300, 60).rcode(3),
        3 => (0..60).fold(answer, |answer, last| {
            answer.a(&name, 300, [192, 0, 2, last])
        }),
        4 => answer.soa(own, 120, 120),
        _ => answer.rcode(2),
    }
}

/// One query, and whatever it needs of the server and of whoever derives.
fn turn(world: &mut World, variety: &Variety, bytes: &[u8]) -> Vec<u8> {
    world.pass(seconds(variety.pause));
    world.policy = variety.policy;
    let mut out = vec![0; variety.room];
    let verdict =
        world
            .resolver
            .handle_query(world.now, world.client, bytes, world.policy, &mut out);
    let mut said = format!("{verdict:?} ").into_bytes();
    match verdict {
        Verdict::Reply(length) => said.extend(&out[..length]),
        Verdict::Parked(ticket) => loop {
            for sent in world.sent() {
                let _ = world.deliver(&sent, &truth(&sent.bytes));
            }
            world.accept(u8::from(variety.host == 1));
            match world.answer(ticket) {
                (Verdict::Parked(_), _) => world.pass(millis(500)),
                (Verdict::Derive(ticket), _) => {
                    said.extend(derive(world, ticket));
                    break;
                }
                (verdict, reply) => {
                    said.extend(format!("{verdict:?} ").into_bytes());
                    said.extend(reply);
                    break;
                }
            }
        },
        Verdict::Derive(ticket) => said.extend(derive(world, ticket)),
        Verdict::Drop(_) => {}
    }
    while world.resolver.poll_event().is_some() {}
    said
}

fn derive(world: &mut World, ticket: dnscache::Ticket) -> Vec<u8> {
    let mut made = world.resolver.plain(ticket).unwrap().to_vec();
    let last = made.len() - 1;
    made[last] = 46;
    let mut out = vec![0; 65_535];
    let verdict =
        world
            .resolver
            .derive(world.now, ticket, &made, seconds(30), true, None, &mut out);
    let Verdict::Reply(length) = verdict else {
        return Vec::new();
    };
    out[..length].to_vec()
}

proptest! {
    #[test]
    fn the_short_way_and_the_long_one_say_and_count_the_same(
        queries in proptest::collection::vec(variety(), 1..60)
    ) {
        let (mut short, mut long) = (World::new(), World::new());
        for query in &queries {
            let mut bytes = query.ask().bytes();
            let one = turn(&mut short, query, &bytes);
            bytes.push(0);
            let other = turn(&mut long, query, &bytes);
            prop_assert_eq!(one, other, "{:?}", query);
        }
        let (short, long) = (short.resolver.stats(), long.resolver.stats());
        prop_assert_eq!(short.clients, long.clients);
        prop_assert_eq!(short.cache, long.cache);
        prop_assert_eq!(short.upstream, long.upstream);
    }
}
