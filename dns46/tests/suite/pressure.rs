//! A small slice under many names: dns.md 18, 22, 26, and the exhaustion ladder.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use dns46::{Config, Dns46, Event, Lookup, Pair, Refusal, Settings};

use crate::common::*;

const SORRY: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 99);

struct Day {
    answered: usize,
    sorry: usize,
    /// The order in which new names got something else than a mapping.
    refused: Vec<Refusal>,
    drained: usize,
}

/// A slice of 57 addresses, so many new names an hour for 24 hours, each used by one short connection, and
/// 20 connections that never end.
fn day(names_per_hour: u64, sorry: Option<Ipv4Addr>) -> Day {
    let first = Ipv4Addr::new(10, 40, 100, 1);
    let last = Ipv4Addr::new(10, 40, 100, 57);
    let pool = Config::new("10.40.100.0/24".parse().unwrap(), first..=last, None).unwrap();
    let settings = Settings {
        sorry,
        ..Settings::default()
    };
    let mut responder = Dns46::new(Some(pool), settings, [7; 32]);
    let mut alive: Vec<(Ipv4Addr, Ipv6Addr)> = Vec::new();
    for number in 0..20 {
        let address = ask(&mut responder, 0, number).unwrap();
        assert!(responder.retain(address));
        alive.push((address, host(number)));
    }
    let mut day = Day {
        answered: 0,
        sorry: 0,
        refused: Vec::new(),
        drained: 0,
    };
    let names = names_per_hour * 24;
    for name in 0..names {
        let now = 1 + name * 24 * 3600 / names;
        responder.handle_timeout(at(now));
        let number = 1000 + name as u16;
        match ask(&mut responder, now, number) {
            Ok(address) if address == SORRY => day.sorry += 1,
            Ok(address) => {
                day.answered += 1;
                assert_eq!(
                    responder.lookup(at(now), address),
                    Lookup::Host(host(number))
                );
                assert!(responder.retain(address));
                responder.release(at(now + 2), address);
            }
            Err(why) => day.refused.push(why),
        }
        for (address, host) in &alive {
            let found = responder.lookup(at(now), *address);
            assert_eq!(
                found,
                Lookup::Host(*host),
                "a live connection was re-pointed"
            );
        }
        let ended = events(&mut responder);
        day.drained += ended
            .iter()
            .filter(|event| matches!(event, Event::Drained { .. }))
            .count();
    }
    day
}

fn ask(responder: &mut Dns46, now: u64, number: u16) -> Result<Ipv4Addr, Refusal> {
    let asked = format!("n{number}.example.");
    let second = aaaa(&asked, 60, host(number));
    let mut out = [0; 512];
    let client: IpAddr = CLIENT;
    let mut pair = responder.on_pair(at(now), client, &nodata(&asked), &second, &mut out);
    if let Pair::Wait(ticket) = pair {
        for operation in operations(responder) {
            responder.handle_store(at(now), operation.id, dns46::StoreReply::Done);
        }
        pair = responder.finish(at(now), ticket, &mut out);
    }
    match pair {
        Pair::Reply(made) => {
            let message = hickory_proto::op::Message::from_vec(&out[..made.len]).unwrap();
            Ok(addresses(&message)[0].2)
        }
        Pair::Refuse(why) => Err(why),
        other => panic!("{other:?}"),
    }
}

#[test]
fn dns_22_150_new_names_an_hour_go_through_57_addresses_and_nobody_is_sorry() {
    let day = day(150, Some(SORRY));
    assert_eq!((day.answered, day.sorry), (150 * 24, 0));
    assert!(day.refused.is_empty());
    assert!(day.drained > 3000, "{} drained", day.drained);
}

#[test]
fn dns_26_500_new_names_an_hour_go_down_the_ladder_and_no_connection_is_re_pointed() {
    let with = day(500, Some(SORRY));
    assert!(
        with.refused.is_empty(),
        "the sorry address comes before a failure"
    );
    let share = with.sorry as f64 / (500.0 * 24.0);
    println!("{:.1} % of the answers were sorry", share * 100.0);
    assert!(with.answered > with.sorry / 4 && with.sorry > 0, "{share}");
    let without = day(500, None);
    assert_eq!(
        without.answered, with.answered,
        "the sorry address costs no mapping"
    );
    assert_eq!(without.refused.len(), with.sorry);
    assert!(without.refused.iter().all(|why| *why == Refusal::Exhausted));
}
