//! Publish before answer (dns.md 19), and what the store knows that this replica does not (29).

use core::net::Ipv4Addr;
use core::time::Duration;

use crate::common::*;
use dns46::{Dns46, Event, Lookup, Pair, Refusal, Settings, StoreAction, StoreReply, Ticket};

const WWW: &str = "www.example.";

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn wait(responder: &mut Dns46, now: Duration, name: &str, number: u16) -> Ticket {
    let second = aaaa(name, 60, host(number));
    let pair = responder.on_pair(now, CLIENT, &nodata(name), &second, &mut [0; 512]);
    let Pair::Wait(ticket) = pair else {
        panic!("{pair:?}")
    };
    ticket
}

#[test]
fn dns_19_an_answer_with_a_new_mapping_waits_until_it_is_stored() {
    let mut responder = responder(Settings::default());
    let ticket = wait(&mut responder, at(0), WWW, 1);
    let sent = operations(&mut responder);
    let [operation] = sent.as_slice() else {
        panic!("{sent:?}")
    };
    let StoreAction::Put {
        address,
        host: stored,
    } = operation.action
    else {
        panic!("{operation:?}")
    };
    assert_eq!((stored, operation.deadline_at), (host(1), millis(200)));
    assert!(!events(&mut responder).contains(&Event::Stored { ticket }));
    assert_eq!(responder.poll_timeout(), Some(millis(200)));
    responder.handle_store(millis(50), operation.id, StoreReply::Done);
    assert_eq!(events(&mut responder), [Event::Stored { ticket }]);
    let mut out = [0; 512];
    let Pair::Reply(made) = responder.finish(millis(50), ticket, &mut out) else {
        panic!("the mapping is stored")
    };
    assert!(made.cacheable);
    assert_eq!(responder.lookup(millis(50), address), Lookup::Host(host(1)));
    // The next answer about the host does not wait.
    let second = aaaa(WWW, 60, host(1));
    let pair = responder.on_pair(at(1), CLIENT, &nodata(WWW), &second, &mut out);
    assert!(matches!(pair, Pair::Reply(_)), "{pair:?}");
    assert_eq!(operations(&mut responder), []);
}

#[test]
fn dns_19_a_store_that_does_not_answer_in_time_ends_in_a_refusal() {
    let mut responder = responder(Settings::default());
    let ticket = wait(&mut responder, at(0), WWW, 1);
    let operation = operations(&mut responder)[0];
    events(&mut responder);
    responder.handle_timeout(millis(199));
    assert_eq!(events(&mut responder), []);
    responder.handle_timeout(millis(200));
    assert_eq!(events(&mut responder), [Event::StoreFailed { ticket }]);
    let refused = responder.finish(millis(200), ticket, &mut [0; 512]);
    assert_eq!(refused, Pair::Refuse(Refusal::StoreFailed));
    // The late reply changes nothing, the next query stores the same address again.
    responder.handle_store(millis(300), operation.id, StoreReply::Done);
    assert_eq!(events(&mut responder), []);
    wait(&mut responder, at(1), WWW, 1);
    assert_eq!(operations(&mut responder)[0].action, operation.action);
}

#[test]
fn answers_about_one_host_wait_for_one_operation() {
    let mut responder = responder(Settings::default());
    let tickets = [
        wait(&mut responder, at(0), WWW, 1),
        wait(&mut responder, at(0), "other.example.", 1),
    ];
    let sent = operations(&mut responder);
    assert_eq!(sent.len(), 1);
    events(&mut responder);
    responder.handle_store(at(0), sent[0].id, StoreReply::Done);
    let expected = tickets.map(|ticket| Event::Stored { ticket });
    assert_eq!(events(&mut responder), expected);
}

#[test]
fn one_failure_of_two_mappings_fails_the_answer_once() {
    let mut responder = responder(Settings::default());
    let second = Reply::to(WWW, hickory_proto::rr::RecordType::AAAA)
        .aaaa(WWW, 60, "2001:db8::1")
        .aaaa(WWW, 60, "2001:db8::2")
        .bytes();
    let pair = responder.on_pair(at(0), CLIENT, &nodata(WWW), &second, &mut [0; 512]);
    let Pair::Wait(ticket) = pair else {
        panic!("{pair:?}")
    };
    let sent = operations(&mut responder);
    events(&mut responder);
    responder.handle_store(at(0), sent[0].id, StoreReply::Failed);
    responder.handle_store(at(0), sent[1].id, StoreReply::Done);
    assert_eq!(events(&mut responder), [Event::StoreFailed { ticket }]);
}

#[test]
fn answers_that_wait_are_bounded() {
    let settings = Settings {
        waiting: 1,
        ..Settings::default()
    };
    let mut responder = responder(settings);
    wait(&mut responder, at(0), WWW, 1);
    let second = aaaa("b.example.", 60, host(2));
    let pair = responder.on_pair(at(0), CLIENT, &nodata("b.example."), &second, &mut [0; 512]);
    assert_eq!(pair, Pair::Refuse(Refusal::Busy));
}

#[test]
fn dns_29_an_address_of_which_the_store_knows_another_host_is_not_answered() {
    let mut responder = responder(Settings::default());
    let ticket = wait(&mut responder, at(0), WWW, 1);
    let operation = operations(&mut responder)[0];
    let StoreAction::Put { address, .. } = operation.action else {
        panic!("{operation:?}")
    };
    events(&mut responder);
    responder.handle_store(at(0), operation.id, StoreReply::Conflict(host(7)));
    assert!(events(&mut responder).contains(&Event::StoreFailed { ticket }));
    let kept = Lookup::Host(host(7));
    assert_eq!(responder.lookup(at(0), address), kept, "the store's stands");
    // The next answer names another address.
    wait(&mut responder, at(0), WWW, 1);
    let StoreAction::Put { address: other, .. } = operations(&mut responder)[0].action else {
        panic!("a mapping is stored")
    };
    assert_ne!(address, other);
}

#[test]
fn dns_29_a_miss_on_the_data_path_asks_the_store_once() {
    let mut responder = responder(Settings::default());
    let address = Ipv4Addr::new(10, 0, 0, 25);
    let Lookup::Ask(ticket) = responder.lookup(at(0), address) else {
        panic!("the store is asked")
    };
    assert_eq!(responder.lookup(at(0), address), Lookup::Ask(ticket));
    let sent = operations(&mut responder);
    assert_eq!(sent.len(), 1);
    assert_eq!(
        sent[0].action,
        StoreAction::Get {
            address,
            lease: Duration::from_secs(1800)
        }
    );
    responder.handle_store(millis(5), sent[0].id, StoreReply::Found(host(5)));
    let told = events(&mut responder);
    assert!(told.contains(&Event::Known { ticket, address }), "{told:?}");
    assert_eq!(responder.lookup(millis(5), address), Lookup::Host(host(5)));
    // It is another replica's: when it drains here, it stays in the store.
    responder.handle_timeout(at(3601));
    assert_eq!(operations(&mut responder), []);
    responder.handle_timeout(at(3700));
    assert!(matches!(
        responder.lookup(at(3700), address),
        Lookup::Ask(_)
    ));
}

#[test]
fn an_address_that_the_store_does_not_know_is_not_asked_for_again_at_once() {
    let mut responder = responder(Settings::default());
    let address = Ipv4Addr::new(10, 0, 0, 25);
    for (begin, reply) in [(0, Some(StoreReply::Absent)), (10, None)] {
        let now = at(begin);
        let Lookup::Ask(ticket) = responder.lookup(now, address) else {
            panic!("the store is asked")
        };
        let sent = operations(&mut responder);
        match reply {
            Some(reply) => responder.handle_store(now, sent[0].id, reply),
            None => responder.handle_timeout(now + millis(200)),
        }
        assert_eq!(events(&mut responder), [Event::Unknown { ticket, address }]);
        assert_eq!(
            responder.lookup(now + millis(900), address),
            Lookup::Unmapped
        );
        assert_eq!(operations(&mut responder), []);
    }
    for outside in [[10, 0, 0, 0], [10, 0, 0, 31], [10, 0, 0, 32]] {
        assert_eq!(responder.lookup(at(20), outside.into()), Lookup::Unmapped);
    }
}

#[test]
fn what_the_store_is_asked_for_is_bounded() {
    let settings = Settings {
        asking: 2,
        ..Settings::default()
    };
    let mut responder = responder(settings);
    let lookups = [20, 21, 22].map(|last| responder.lookup(at(0), Ipv4Addr::new(10, 0, 0, last)));
    assert!(matches!(
        lookups,
        [Lookup::Ask(_), Lookup::Ask(_), Lookup::Unmapped]
    ));
}

#[test]
fn dns_33_what_is_loaded_holds_and_is_not_handed_out_again() {
    let mut responder = responder(Settings::default());
    let loaded: Vec<_> = (4..19)
        .map(|last| (Ipv4Addr::new(10, 0, 0, last), host(100 + u16::from(last))))
        .collect();
    let foreign = [
        (Ipv4Addr::new(192, 0, 2, 1), host(1)),
        (Ipv4Addr::new(10, 0, 0, 31), host(2)),
        (Ipv4Addr::new(10, 0, 0, 4), host(3)),
    ];
    assert_eq!(
        responder.load(at(0), loaded.iter().copied().chain(foreign)),
        15
    );
    assert_eq!(responder.free(), 1);
    for (address, host) in loaded {
        assert_eq!(responder.lookup(at(3599), address), Lookup::Host(host));
    }
    wait(&mut responder, at(0), WWW, 1);
    let StoreAction::Put { address, .. } = operations(&mut responder)[0].action else {
        panic!("a mapping is stored")
    };
    assert_eq!(address, Ipv4Addr::new(10, 0, 0, 19));
}

#[test]
fn a_removed_mapping_is_told_and_forgotten_by_the_store() {
    let mut responder = responder(Settings::default());
    let second = aaaa(WWW, 60, host(1));
    stored(&mut responder, at(0), &nodata(WWW), &second).unwrap();
    let address = responder.mappings().next().unwrap().address;
    assert_eq!(responder.remove(at(1), address), Some(host(1)));
    assert_eq!(
        events(&mut responder),
        [Event::Removed {
            address,
            host: host(1),
            asker: None,
        }]
    );
    let action = operations(&mut responder)[0].action;
    assert_eq!(
        action,
        StoreAction::Delete {
            address,
            host: host(1),
        }
    );
    assert_eq!(responder.lookup(at(1), address), Lookup::Unmapped);
    assert_eq!(responder.remove(at(1), address), None);
}

#[test]
fn a_removed_address_rests_as_long_as_a_session_to_its_host_goes_on() {
    let mut responder = responder(Settings::default());
    for number in 0..16 {
        let name = format!("n{number}.example.");
        let second = aaaa(&name, 60, host(number));
        stored(&mut responder, at(0), &nodata(&name), &second).unwrap();
    }
    let address = responder.mappings().next().unwrap().address;
    assert!(responder.retain(address));
    responder.remove(at(0), address);
    responder.handle_timeout(at(1000));
    assert_eq!(responder.free(), 0);
    responder.release(at(1000), address);
    responder.handle_timeout(at(1060));
    assert_eq!(responder.free(), 1);
}

#[test]
fn a_mapping_that_was_removed_while_its_answer_waited_is_not_answered() {
    let mut responder = responder(Settings::default());
    let ticket = wait(&mut responder, at(0), WWW, 1);
    let operation = operations(&mut responder)[0];
    let address = responder.mappings().next().unwrap().address;
    responder.remove(at(0), address);
    responder.handle_store(at(0), operation.id, StoreReply::Done);
    let refused = responder.finish(at(0), ticket, &mut [0; 512]);
    assert_eq!(refused, Pair::Refuse(Refusal::Removed));
}

#[test]
fn a_drained_mapping_is_forgotten_by_the_store() {
    let mut responder = responder(Settings::default());
    let second = aaaa(WWW, 60, host(1));
    stored(&mut responder, at(0), &nodata(WWW), &second).unwrap();
    let address = responder.mappings().next().unwrap().address;
    responder.handle_timeout(at(3600));
    let action = operations(&mut responder)[0].action;
    assert_eq!(
        action,
        StoreAction::Delete {
            address,
            host: host(1),
        }
    );
    assert_eq!(
        events(&mut responder),
        [Event::Drained {
            address,
            host: host(1),
            asker: None,
        }]
    );
}

/// Found by the model: a replica translated by a mapping that the store would not have taken, while another
/// replica's clients believed in the store's.
#[test]
fn dns_19_a_mapping_that_is_not_stored_is_not_used() {
    let mut responder = responder(Settings::default());
    wait(&mut responder, at(0), WWW, 1);
    let operation = operations(&mut responder)[0];
    let StoreAction::Put { address, .. } = operation.action else {
        panic!("{operation:?}")
    };
    let Lookup::Ask(ticket) = responder.lookup(at(0), address) else {
        panic!("the store is asked")
    };
    let get = operations(&mut responder)[0];
    responder.handle_store(at(0), get.id, StoreReply::Found(host(9)));
    assert!(events(&mut responder).contains(&Event::Known { ticket, address }));
    assert_eq!(responder.lookup(at(0), address), Lookup::Host(host(9)));
    // Its own reply is late, and is of no use any more.
    responder.handle_store(at(0), operation.id, StoreReply::Conflict(host(9)));
    assert_eq!(responder.lookup(at(0), address), Lookup::Host(host(9)));
}

fn borrowed(responder: &mut Dns46, now: u64) -> Ipv4Addr {
    let address = Ipv4Addr::new(10, 0, 0, 25);
    assert!(matches!(responder.lookup(at(now), address), Lookup::Ask(_)));
    let get = operations(responder)[0];
    assert!(
        matches!(get.action, StoreAction::Get { lease, .. } if lease == Duration::from_secs(1800))
    );
    responder.handle_store(at(now), get.id, StoreReply::Found(host(9)));
    events(responder);
    address
}

#[test]
fn leases_of_mappings_of_other_replicas_are_renewed_at_half_their_time() {
    let mut responder = responder(Settings::default());
    let address = borrowed(&mut responder, 0);
    assert!(responder.retain(address));
    responder.handle_timeout(at(600));
    assert!(operations(&mut responder).is_empty());
    responder.handle_timeout(at(901));
    let renewal = operations(&mut responder);
    let wanted = StoreAction::Renew {
        address,
        host: host(9),
        lease: Duration::from_secs(1800),
    };
    assert_eq!(renewal.len(), 1);
    assert_eq!(renewal[0].action, wanted);
    // One that failed is tried again soon; one that its owner took back is used no longer.
    responder.handle_store(at(901), renewal[0].id, StoreReply::Failed);
    responder.handle_timeout(at(911));
    let renewal = operations(&mut responder);
    assert_eq!(renewal[0].action, wanted);
    events(&mut responder);
    responder.handle_store(at(911), renewal[0].id, StoreReply::Absent);
    let found = events(&mut responder);
    assert!(matches!(found[..], [Event::Removed { .. }]), "{found:?}");
    assert_eq!(responder.lookup(at(911), address), Lookup::Unmapped);
}

#[test]
fn a_mapping_of_another_replica_that_nobody_uses_is_given_back_when_its_lease_is_over() {
    let mut responder = responder(Settings::default());
    let address = borrowed(&mut responder, 0);
    responder.handle_timeout(at(1799));
    assert_eq!(responder.lookup(at(1799), address), Lookup::Host(host(9)));
    responder.handle_timeout(at(1800));
    // Its owner may still have it: the next packet asks.
    let looked = responder.lookup(at(1800), address);
    assert!(matches!(looked, Lookup::Ask(_)), "{looked:?}");
    let asked: Vec<_> = operations(&mut responder)
        .into_iter()
        .map(|sent| sent.action)
        .collect();
    let deletes = asked
        .iter()
        .any(|action| matches!(action, StoreAction::Delete { .. }));
    assert!(!deletes, "its owner decides");
}

#[test]
fn an_owner_takes_back_what_another_replica_still_uses_no_sooner_than_its_lease_ends() {
    let mut responder = responder(Settings::default());
    let second = aaaa(WWW, 60, host(1));
    let made = stored(&mut responder, at(0), &nodata(WWW), &second).unwrap();
    let address = addresses(&made.1)[0].2;
    responder.handle_timeout(at(3600));
    let delete = operations(&mut responder);
    assert!(matches!(delete[0].action, StoreAction::Delete { .. }));
    assert_eq!(responder.lookup(at(3600), address), Lookup::Unmapped);
    events(&mut responder);
    responder.handle_store(at(3600), delete[0].id, StoreReply::Leased);
    assert_eq!(responder.lookup(at(3600), address), Lookup::Host(host(1)));
    let made = stored(&mut responder, at(3600), &nodata(WWW), &second).unwrap();
    assert_eq!(addresses(&made.1)[0].2, address);
}

#[test]
fn dns_30_torn_pairs_are_mended_both_ways() {
    let mut responder = responder(Settings::default());
    let address = |last| Ipv4Addr::new(10, 0, 0, last);
    // 5 is whole; 6 lost its reverse entry; 7 is an old version's, or lost its forward one; what the reverse
    // entry of host 8 says of 5 is contradicted by the forward one.
    let forward = [(address(5), host(5)), (address(6), host(6))];
    assert_eq!(responder.load(at(0), forward), 2);
    let reverse = [
        (host(5), address(5)),
        (host(7), address(7)),
        (host(8), address(5)),
    ];
    assert_eq!(responder.repair(at(0), reverse), 2);
    let mut written: Vec<_> = operations(&mut responder)
        .into_iter()
        .map(|sent| (sent.id, sent.action))
        .collect();
    written.sort_by_key(|(id, _)| *id);
    let put = |last: u8| StoreAction::Put {
        address: address(last),
        host: host(last.into()),
    };
    let actions: Vec<_> = written.iter().map(|(_, action)| *action).collect();
    assert_eq!(actions, [put(6), put(7)]);
    // Not used before the pair is whole.
    assert!(matches!(
        responder.lookup(at(0), address(7)),
        Lookup::Ask(_)
    ));
    for (id, _) in written {
        responder.handle_store(at(0), id, StoreReply::Done);
    }
    assert_eq!(responder.lookup(at(0), address(7)), Lookup::Host(host(7)));
    assert_eq!(responder.lookup(at(0), address(5)), Lookup::Host(host(5)));
}

#[test]
fn dns_32_nothing_is_forgotten_within_a_minute_of_a_failure_of_the_store() {
    let mut responder = responder(Settings::default());
    let second = aaaa(WWW, 60, host(1));
    let made = stored(&mut responder, at(0), &nodata(WWW), &second).unwrap();
    let over = addresses(&made.1)[0].2;
    wait(&mut responder, at(3590), "b.example.", 2);
    responder.handle_timeout(at(3591));
    operations(&mut responder);
    responder.handle_timeout(at(3600));
    assert!(
        operations(&mut responder).is_empty(),
        "others renew their leases first"
    );
    events(&mut responder);
    let next = responder.poll_timeout();
    assert!(next > Some(at(3600)), "busy waiting until {next:?}");
    responder.handle_timeout(at(3652));
    let sent = operations(&mut responder);
    assert!(
        matches!(sent[..], [operation] if matches!(operation.action, StoreAction::Delete { .. })),
        "{sent:?}"
    );
    // What the store still has stands for nothing any more; found by the gateway's property test.
    responder.handle_store(at(3652), sent[0].id, StoreReply::Failed);
    responder.handle_timeout(at(3670));
    assert_eq!(responder.lookup(at(3670), over), Lookup::Unmapped);
}

#[test]
fn dns_35_what_lies_in_another_replicas_part_is_used_once_its_lease_is_noted() {
    let mut responder = responder(Settings::default());
    let foreign = Ipv4Addr::new(10, 0, 0, 25);
    assert_eq!(responder.load(at(0), [(foreign, host(9))]), 1);
    responder.handle_timeout(at(0));
    let renewal = operations(&mut responder)[0];
    assert!(matches!(renewal.action, StoreAction::Renew { .. }));
    assert!(matches!(responder.lookup(at(0), foreign), Lookup::Ask(_)));
    responder.handle_store(at(0), renewal.id, StoreReply::Done);
    assert_eq!(responder.lookup(at(0), foreign), Lookup::Host(host(9)));
    // Its host is answered with it, not with another address.
    let second = aaaa(WWW, 60, host(9));
    let made = stored(&mut responder, at(1), &nodata(WWW), &second).unwrap();
    assert_eq!(addresses(&made.1)[0].2, foreign);
}
