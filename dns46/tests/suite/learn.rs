//! What the store says without being asked.

use core::net::Ipv4Addr;

use crate::common::*;
use dns46::{Dns46, Event, Learned, Lookup, Pair, Settings, State, StoreAction, StoreReply};

const WWW: &str = "www.example.";

const fn address(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, last)
}

fn answer(responder: &mut Dns46, now: u64, number: u16) -> Pair {
    let second = aaaa(WWW, 60, host(number));
    responder.on_pair(at(now), CLIENT, &nodata(WWW), &second, &mut [0; 512])
}

#[test]
fn an_operators_entry_holds_at_once_and_ends_at_once() {
    let mut responder = responder(Settings::default());
    let reserved = address(2);
    let learned = responder.learn(at(0), reserved, Some(host(7)));
    assert_eq!(learned, Learned::Taken);
    assert_eq!(responder.lookup(at(0), reserved), Lookup::Host(host(7)));
    assert!(matches!(answer(&mut responder, 0, 7), Pair::Reply(_)));
    let again = responder.learn(at(0), reserved, Some(host(7)));
    assert_eq!(again, Learned::Known);
    // Another host, without a rest; whoever cached the former hears of it.
    events(&mut responder);
    let moved = responder.learn(at(1), reserved, Some(host(8)));
    assert_eq!(moved, Learned::Taken);
    assert_eq!(responder.lookup(at(1), reserved), Lookup::Host(host(8)));
    let told = events(&mut responder);
    assert!(
        matches!(told[..], [Event::Removed { .. }, Event::Mapped { .. }]),
        "{told:?}"
    );
    assert_eq!(responder.learn(at(2), reserved, None), Learned::Taken);
    assert!(!matches!(
        responder.lookup(at(2), reserved),
        Lookup::Host(_)
    ));
    assert_eq!(responder.learn(at(2), reserved, None), Learned::Known);
    assert!(
        operations(&mut responder)
            .iter()
            .all(|sent| matches!(sent.action, StoreAction::Get { .. }))
    );
}

#[test]
fn a_mapping_of_another_replica_is_answered_once_its_lease_is_noted() {
    let mut responder = responder(Settings::default());
    let theirs = address(25);
    assert_eq!(
        responder.learn(at(0), theirs, Some(host(9))),
        Learned::Taken
    );
    // Not used before the store knows that it is.
    assert!(operations(&mut responder).is_empty());
    let Pair::Wait(ticket) = answer(&mut responder, 1, 9) else {
        panic!("a lease comes first")
    };
    let sent = operations(&mut responder);
    let StoreAction::Renew { address, .. } = sent[0].action else {
        panic!("{sent:?}")
    };
    assert_eq!(address, theirs);
    responder.handle_store(at(1), sent[0].id, StoreReply::Done);
    assert!(events(&mut responder).contains(&Event::Stored { ticket }));
    assert_eq!(responder.lookup(at(1), theirs), Lookup::Host(host(9)));
    // Unused, it is given back like any other.
    responder.handle_timeout(at(1802));
    let looked = responder.lookup(at(1802), theirs);
    assert!(matches!(looked, Lookup::Ask(_)), "{looked:?}");
}

#[test]
fn a_packet_to_a_known_mapping_asks_for_the_lease_first() {
    let mut responder = responder(Settings::default());
    let theirs = address(25);
    assert_eq!(
        responder.learn(at(0), theirs, Some(host(9))),
        Learned::Taken
    );
    assert!(matches!(responder.lookup(at(5000), theirs), Lookup::Ask(_)));
    let get = operations(&mut responder)[0];
    responder.handle_store(at(5000), get.id, StoreReply::Found(host(9)));
    assert_eq!(responder.lookup(at(5000), theirs), Lookup::Host(host(9)));
    assert!(responder.retain(theirs));
    // The owner's word ends it, and nothing new goes through it.
    assert_eq!(responder.learn(at(5001), theirs, None), Learned::Taken);
    assert_eq!(responder.lookup(at(5001), theirs), Lookup::Unmapped);
}

#[test]
fn without_the_store_answers_name_addresses_of_ones_own() {
    let mut responder = responder(Settings::default());
    let theirs = address(25);
    assert_eq!(
        responder.learn(at(0), theirs, Some(host(9))),
        Learned::Taken
    );
    responder.forget_known(at(1));
    assert!(matches!(answer(&mut responder, 1, 9), Pair::Wait(_)));
    let sent = operations(&mut responder);
    assert!(matches!(sent[0].action, StoreAction::Put { address, .. } if address != theirs));
}

#[test]
fn a_mapping_of_ones_own_is_never_another_hosts() {
    let mut responder = responder(Settings::default());
    let Pair::Wait(_) = answer(&mut responder, 0, 1) else {
        panic!("it is new")
    };
    let sent = operations(&mut responder)[0];
    let StoreAction::Put { address, .. } = sent.action else {
        panic!("{sent:?}")
    };
    // On its way: the reply decides.
    assert_eq!(
        responder.learn(at(0), address, Some(host(2))),
        Learned::Known
    );
    responder.handle_store(at(0), sent.id, StoreReply::Done);
    let learned = responder.learn(at(0), address, Some(host(2)));
    assert_eq!(learned, Learned::Contradicts(host(1)));
    assert_eq!(responder.lookup(at(0), address), Lookup::Host(host(1)));
    // Deleted by force, it ends, and rests.
    assert_eq!(responder.learn(at(1), address, None), Learned::Taken);
    let states: Vec<_> = responder.mappings().map(|mapping| mapping.state).collect();
    assert_eq!(states, [State::Quarantine]);
    // One that somebody else wrote into the slice is not handed out.
    let free = responder.free();
    let own = self::address(if address == self::address(5) { 6 } else { 5 });
    assert_eq!(responder.learn(at(2), own, Some(host(3))), Learned::Taken);
    assert_eq!(responder.free(), free - 1);
}
