//! Whom replies are made for, from what, and what counts as absent: dns.md 1 to 8, 26, 27, 36, 38, 48 to 53.

use core::net::IpAddr;

use dns46::{Asker, Decision, Event, Nat64, Pair, Prefix, Refusal, Scope, Settings};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;

use crate::common::{CLIENT, Reply, aaaa, addresses, at, events, host, nodata, responder, stored};

fn v6() -> IpAddr {
    "fd00::10".parse().unwrap()
}

fn dns64(prefixes: &[(&str, &[&str])]) -> Vec<Nat64> {
    let nat64 = |(prefix, networks): &(&str, &[&str])| Nat64 {
        prefix: Prefix::new(prefix.parse().unwrap()).unwrap(),
        networks: networks
            .iter()
            .map(|network| network.parse().unwrap())
            .collect(),
    };
    prefixes.iter().map(nat64).collect()
}

#[test]
fn dns_53_clients_and_zones_decide_whom_and_what_replies_are_made_for() {
    let responder = responder(Settings {
        nat64: dns64(&[("2001:db8:64::/96", &[])]),
        dns46_scope: Scope {
            clients: vec!["10.244.0.0/16".parse().unwrap()],
            clients_excluded: vec!["10.244.9.0/24".parse().unwrap()],
            zones: vec![
                "example".parse().unwrap(),
                "deep.local.example".parse().unwrap(),
            ],
            zones_excluded: vec!["local.example.".parse().unwrap()],
        },
        dns64_scope: Scope {
            clients_excluded: vec!["fd00:9::/32".parse().unwrap()],
            ..Scope::default()
        },
        ..Settings::default()
    });
    for (client, kind, wanted) in [
        ("10.244.1.1", 1, 1),
        ("10.244.9.1", 1, 0),
        ("10.1.1.1", 1, 0),
        ("10.244.1.1", 28, 0),
        ("fd00::1", 28, 2),
        ("fd00:9::1", 28, 0),
        ("fd00::1", 1, 0),
    ] {
        assert_eq!(
            responder.policy(client.parse().unwrap(), kind),
            wanted,
            "{client} {kind}"
        );
    }
    for (asked, wanted) in [
        ("a.example.", Decision::AskAaaa),
        ("EXAMPLE.", Decision::AskAaaa),
        ("a.local.example.", Decision::Pass),
        ("a.deep.local.example.", Decision::AskAaaa),
        ("a.test.", Decision::Pass),
    ] {
        assert_eq!(responder.on_answer(&nodata(asked)), wanted, "{asked}");
    }
}

#[test]
fn dns_53_cluster_local_stays_plain_by_default() {
    let responder = responder(Settings::default());
    let decision = responder.on_answer(&nodata("web.default.svc.cluster.local."));
    assert_eq!(decision, Decision::Pass);
    assert!("a..b".parse::<dns46::Zone>().is_err());
}

#[test]
fn dns_1_any_and_other_types_are_never_synthesized() {
    let responder = responder(Settings::default());
    for kind in [
        RecordType::ANY,
        RecordType::MX,
        RecordType::TXT,
        RecordType::AAAA,
    ] {
        let reply = Reply::to("a.example.", kind)
            .soa("example.", 60, 60)
            .bytes();
        assert_eq!(responder.on_answer(&reply), Decision::Pass, "{kind}");
    }
}

#[test]
fn dns_6_addresses_that_no_host_can_have_count_as_absent() {
    let mut responder = responder(Settings {
        excluded_ipv4: vec!["203.0.113.0/24".parse().unwrap()],
        ..Settings::default()
    });
    // 10.0.0.5 lies in the pool: a loop, or a forgery.
    for address in [
        [0, 0, 0, 0],
        [127, 0, 0, 1],
        [10, 0, 0, 5],
        [203, 0, 113, 9],
    ] {
        let first = Reply::to("a.example.", RecordType::A)
            .a("a.example.", 60, address)
            .bytes();
        assert_eq!(
            responder.on_answer(&first),
            Decision::AskAaaa,
            "{address:?}"
        );
        let second = aaaa("a.example.", 60, host(1));
        let (_, message) = stored(&mut responder, at(0), &first, &second).unwrap();
        assert_eq!(addresses(&message).len(), 1);
        assert_ne!(addresses(&message)[0].2.octets(), address);
        // Without an AAAA the reply is empty, not the forbidden one.
        let none = Reply::to("a.example.", RecordType::AAAA).bytes();
        let (made, message) = stored(&mut responder, at(0), &first, &none).unwrap();
        assert!(addresses(&message).is_empty() && !made.is_sorry);
    }
    // Of a mixed set the rest stands.
    let mixed = Reply::to("a.example.", RecordType::A)
        .a("a.example.", 60, [127, 0, 0, 1])
        .a("a.example.", 60, [198, 51, 100, 1])
        .bytes();
    assert_eq!(responder.on_answer(&mixed), Decision::AskAaaa);
    let second = aaaa("a.example.", 60, host(1));
    let (_, message) = stored(&mut responder, at(0), &mixed, &second).unwrap();
    let found: Vec<_> = addresses(&message)
        .iter()
        .map(|found| found.2.octets())
        .collect();
    assert_eq!(found, [[198, 51, 100, 1]]);
}

#[test]
fn rfc6147_5_1_4_mapped_addresses_count_as_absent_for_dns64() {
    let mut responder = responder(Settings {
        nat64: dns64(&[("2001:db8:64::/96", &[])]),
        ..Settings::default()
    });
    let first = Reply::to("a.example.", RecordType::AAAA)
        .aaaa("a.example.", 60, "::ffff:198.51.100.1")
        .bytes();
    assert_eq!(responder.on_answer(&first), Decision::AskA);
    let second = Reply::to("a.example.", RecordType::A)
        .a("a.example.", 60, [198, 51, 100, 1])
        .bytes();
    let mut out = [0; 512];
    let Pair::Reply(made) = responder.on_pair(at(0), v6(), &first, &second, &mut out) else {
        panic!("no reply");
    };
    let message = hickory_proto::op::Message::from_vec(&out[..made.len]).unwrap();
    let found: Vec<_> = message
        .answers
        .iter()
        .map(|record| record.data.to_string())
        .collect();
    assert_eq!(found, ["2001:db8:64::c633:6401"]);
}

#[test]
fn rfc6147_5_2_each_network_of_hosts_has_its_prefix() {
    let mut responder = responder(Settings {
        nat64: dns64(&[
            ("2001:db8:1::/96", &["198.51.100.0/24"]),
            ("2001:db8:2::/96", &["203.0.113.0/24", "192.0.2.0/24"]),
        ]),
        ..Settings::default()
    });
    let first = Reply::to("a.example.", RecordType::AAAA)
        .soa("example.", 60, 60)
        .bytes();
    let second = Reply::to("a.example.", RecordType::A)
        .a("a.example.", 60, [203, 0, 113, 1])
        .a("a.example.", 60, [198, 51, 100, 1])
        .a("a.example.", 60, [8, 8, 8, 8])
        .bytes();
    let mut out = [0; 512];
    let Pair::Reply(made) = responder.on_pair(at(0), v6(), &first, &second, &mut out) else {
        panic!("no reply");
    };
    let message = hickory_proto::op::Message::from_vec(&out[..made.len]).unwrap();
    let found: Vec<_> = message
        .answers
        .iter()
        .map(|record| record.data.to_string())
        .collect();
    assert_eq!(found, ["2001:db8:2::cb00:7101", "2001:db8:1::c633:6401"]);
}

#[test]
fn dns_5_failures_are_asked_around_for_dns64_and_not_for_dns46() {
    let failed = |kind, code| Reply::to("a.example.", kind).code(code).bytes();
    let (a, aaaa) = (RecordType::A, RecordType::AAAA);
    let nat64 = dns64(&[("2001:db8:64::/96", &[])]);
    let default = responder(Settings {
        nat64: nat64.clone(),
        ..Settings::default()
    });
    let other = responder(Settings {
        nat64,
        dns46_after_failure: true,
        dns64_after_failure: false,
        ..Settings::default()
    });
    for code in [ResponseCode::ServFail, ResponseCode::Refused] {
        assert_eq!(default.on_answer(&failed(a, code)), Decision::Pass);
        assert_eq!(default.on_answer(&failed(aaaa, code)), Decision::AskA);
        assert_eq!(other.on_answer(&failed(a, code)), Decision::AskAaaa);
        assert_eq!(other.on_answer(&failed(aaaa, code)), Decision::Pass);
    }
    // RFC 6147 §5.1.2: a name that does not exist is final.
    for kind in [a, aaaa] {
        let reply = failed(kind, ResponseCode::NXDomain);
        assert_eq!(other.on_answer(&reply), Decision::Pass);
        assert_eq!(default.on_answer(&reply), Decision::Pass);
    }
}

#[test]
fn dns_38_what_was_not_validated_is_not_asked_around() {
    use hickory_proto::rr::rdata::opt::EdnsOption;
    let responder = responder(Settings {
        dns46_after_failure: true,
        ..Settings::default()
    });
    for (code, wanted) in [
        (5, Decision::AskAaaa),
        (6, Decision::Pass),
        (12, Decision::Pass),
        (22, Decision::AskAaaa),
    ] {
        let mut reply = Reply::to("a.example.", RecordType::A).code(ResponseCode::ServFail);
        let mut edns = hickory_proto::op::Edns::new();
        edns.options_mut()
            .insert(EdnsOption::Unknown(15, vec![0, code]));
        reply.0.edns = Some(edns);
        assert_eq!(responder.on_answer(&reply.bytes()), wanted, "EDE {code}");
    }
}

#[test]
fn dns_48_a_second_question_that_failed_makes_no_reply() {
    let mut responder = responder(Settings::default());
    let mut out = [0; 512];
    let first = nodata("a.example.");
    for code in [ResponseCode::ServFail, ResponseCode::Refused] {
        let second = Reply::to("a.example.", RecordType::AAAA).code(code).bytes();
        let pair = responder.on_pair(at(0), CLIENT, &first, &second, &mut out);
        assert_eq!(pair, Pair::Refuse(Refusal::SecondFailed));
    }
    let second = Reply::to("a.example.", RecordType::AAAA)
        .code(ResponseCode::NXDomain)
        .bytes();
    let pair = responder.on_pair(at(0), CLIENT, &first, &second, &mut out);
    assert_eq!(pair, Pair::Pass, "denies less");
    // dns.md 7: nothing is made of half a set.
    let mut second =
        Reply::to("a.example.", RecordType::AAAA).aaaa("a.example.", 60, "2001:db8::1");
    second.0.metadata.truncation = true;
    let pair = responder.on_pair(at(0), CLIENT, &first, &second.bytes(), &mut out);
    assert_eq!(pair, Pair::Refuse(Refusal::SecondFailed));
    assert_eq!(responder.free(), 16);
}

#[test]
fn rfc6147_5_5_nothing_is_made_for_who_validates() {
    let mut responder = responder(Settings::default());
    let mut first = Reply::to("a.example.", RecordType::A).soa("example.", 60, 60);
    first.0.metadata.checking_disabled = true;
    let second = aaaa("a.example.", 60, host(1));
    let pair = responder.on_pair(at(0), CLIENT, &first.bytes(), &second, &mut [0; 512]);
    assert_eq!(pair, Pair::Pass);
}

#[test]
fn dns_27_a_client_makes_no_more_mappings_than_its_quota_until_they_are_used() {
    let mut responder = responder(Settings {
        tentative_per_client: Some(2),
        ..Settings::default()
    });
    let ask = |responder: &mut dns46::Dns46, number: u16, client: IpAddr| {
        let asked = format!("n{number}.example.");
        let mut out = [0; 512];
        let second = aaaa(&asked, 60, host(number));
        let pair = responder.on_pair(at(0), client, &nodata(&asked), &second, &mut out);
        for operation in crate::common::operations(responder) {
            responder.handle_store(at(0), operation.id, dns46::StoreReply::Done);
        }
        pair
    };
    let other = "10.244.2.2".parse().unwrap();
    assert!(matches!(ask(&mut responder, 1, CLIENT), Pair::Wait(_)));
    assert!(matches!(ask(&mut responder, 2, CLIENT), Pair::Wait(_)));
    assert_eq!(
        ask(&mut responder, 3, CLIENT),
        Pair::Refuse(Refusal::OverQuota)
    );
    assert!(
        matches!(ask(&mut responder, 1, CLIENT), Pair::Reply(_)),
        "what there is, is answered"
    );
    assert!(
        matches!(ask(&mut responder, 3, other), Pair::Wait(_)),
        "nobody else's"
    );
    let used = responder
        .mappings()
        .find(|mapping| mapping.host == host(1))
        .unwrap();
    assert!(responder.retain(used.address));
    events(&mut responder);
    assert!(matches!(ask(&mut responder, 4, CLIENT), Pair::Wait(_)));
}

#[test]
fn events_tell_who_asked_for_a_mapping_and_what_became_of_it() {
    let mut responder = responder(Settings {
        remember_askers: true,
        sorry: Some([192, 0, 2, 99].into()),
        ..Settings::default()
    });
    let second = aaaa("a.example.", 60, host(1));
    stored_events(&mut responder, &second);
    let asker = Some(Asker {
        client: CLIENT,
        name: "a.example.".to_owned(),
    });
    let found = events(&mut responder);
    let address = responder.mappings().next().unwrap().address;
    let made = Event::Mapped {
        address,
        host: host(1),
        asker: asker.clone(),
    };
    assert!(found.contains(&made), "{found:?}");
    assert!(responder.retain(address));
    let promoted = Event::Promoted {
        address,
        host: host(1),
        asker: asker.clone(),
    };
    assert_eq!(events(&mut responder), [promoted]);
    responder.release(at(10), address);
    responder.handle_timeout(at(10 + 3600));
    let drained = Event::Drained {
        address,
        host: host(1),
        asker: asker.clone(),
    };
    assert_eq!(events(&mut responder), [drained]);
    responder.handle_timeout(at(10 + 3660));
    let freed = Event::Freed {
        address,
        host: host(1),
        asker,
    };
    assert_eq!(events(&mut responder), [freed]);
}

fn stored_events(responder: &mut dns46::Dns46, second: &[u8]) {
    let mut out = [0; 512];
    let pair = responder.on_pair(at(0), CLIENT, &nodata("a.example."), second, &mut out);
    assert!(matches!(pair, Pair::Wait(_)));
    for operation in crate::common::operations(responder) {
        responder.handle_store(at(0), operation.id, dns46::StoreReply::Done);
    }
}

#[test]
fn dns_49_and_51_each_family_is_synthesized_one_way_and_only_where_the_first_reply_is_empty() {
    let mut responder = responder(Settings {
        nat64: dns64(&[("2001:db8:64::/96", &[])]),
        ..Settings::default()
    });
    let only_a = Reply::to("a.example.", RecordType::A)
        .a("a.example.", 60, [198, 51, 100, 1])
        .bytes();
    let no_aaaa = Reply::to("a.example.", RecordType::AAAA)
        .soa("example.", 60, 60)
        .bytes();
    assert_eq!(responder.on_answer(&only_a), Decision::Pass);
    assert_eq!(responder.on_answer(&no_aaaa), Decision::AskA);
    let only_aaaa = aaaa("b.example.", 60, host(1));
    assert_eq!(responder.on_answer(&only_aaaa), Decision::Pass);
    assert_eq!(
        responder.on_answer(&nodata("b.example.")),
        Decision::AskAaaa
    );
    let other = aaaa("a.example.", 60, host(1));
    let pair = responder.on_pair(at(0), CLIENT, &only_a, &other, &mut [0; 512]);
    assert_eq!(
        (pair, responder.free()),
        (Pair::Pass, 16),
        "nothing is allocated"
    );
}

#[test]
fn dns_25_equal_keys_lead_to_equal_addresses_whatever_the_order() {
    let assign = |seed: u8, hosts: &[u16]| -> Vec<(u16, core::net::Ipv4Addr)> {
        let config = dns46::Config::new(
            "10.40.0.0/16".parse().unwrap(),
            [10, 40, 0, 1].into()..=[10, 40, 255, 254].into(),
            None,
        );
        let mut table = dns46::Table::new(config.unwrap(), [seed; 32]);
        let address = |table: &mut dns46::Table, number| {
            table.assign(at(0), host(number), at(60)).unwrap().address
        };
        let mut found: Vec<_> = hosts
            .iter()
            .map(|number| (*number, address(&mut table, *number)))
            .collect();
        found.sort_unstable();
        found
    };
    let one = assign(1, &[1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(
        one,
        assign(1, &[8, 6, 4, 2, 7, 5, 3, 1]),
        "a lost database does not move them"
    );
    assert_ne!(one, assign(2, &[1, 2, 3, 4, 5, 6, 7, 8]));
}

#[test]
fn dns_20_the_hold_is_the_latest_of_answer_and_session() {
    let mut responder = responder(Settings::default());
    let second = aaaa("a.example.", 60, host(1));
    let made = stored(&mut responder, at(0), &nodata("a.example."), &second).unwrap();
    let address = addresses(&made.1)[0].2;
    assert!(responder.retain(address));
    responder.handle_timeout(at(10_000));
    assert_eq!(
        responder.lookup(at(10_000), address),
        dns46::Lookup::Host(host(1))
    );
    responder.release(at(10_000), address);
    stored(&mut responder, at(11_000), &nodata("a.example."), &second).unwrap();
    responder.handle_timeout(at(14_599));
    assert_eq!(
        responder.lookup(at(14_599), address),
        dns46::Lookup::Host(host(1))
    );
    responder.handle_timeout(at(14_600));
    assert_eq!(
        responder.lookup(at(14_600), address),
        dns46::Lookup::Unmapped
    );
}
