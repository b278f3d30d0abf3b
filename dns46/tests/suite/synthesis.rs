//! Which replies are made, and what stands in them (dns.md §2.1, §2.2; RFC 6147 §5 mirrored).

use core::net::{Ipv4Addr, Ipv6Addr};

use crate::common::*;
use dns46::{Basis, Decision, Dns46, Nat64, Pair, Prefix, Refusal, Settings};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{RData, RecordType};

const WWW: &str = "www.example.";

#[test]
fn dns_2_an_answer_with_a_is_final() {
    let responder = responder(Settings::default());
    let reply = Reply::to(WWW, RecordType::A).a(WWW, 60, [192, 0, 2, 1]);
    assert_eq!(responder.on_answer(&reply.bytes()), Decision::Pass);
    let behind_alias = Reply::to(WWW, RecordType::A)
        .cname(WWW, 60, "cdn.example.")
        .a("cdn.example.", 60, [192, 0, 2, 1]);
    assert_eq!(responder.on_answer(&behind_alias.bytes()), Decision::Pass);
}

#[test]
fn dns_3_nxdomain_is_final() {
    let responder = responder(Settings::default());
    let reply = Reply::to(WWW, RecordType::A).code(ResponseCode::NXDomain);
    assert_eq!(responder.on_answer(&reply.bytes()), Decision::Pass);
}

#[test]
fn dns_4_nodata_and_a_bare_chain_ask_for_aaaa() {
    let responder = responder(Settings::default());
    assert_eq!(responder.on_answer(&nodata(WWW)), Decision::AskAaaa);
    let chain = Reply::to(WWW, RecordType::A).cname(WWW, 60, "cdn.example.");
    assert_eq!(responder.on_answer(&chain.bytes()), Decision::AskAaaa);
    assert_eq!(
        Decision::from_tag(Decision::AskAaaa.tag()),
        Decision::AskAaaa
    );
    assert_eq!(Decision::AskAaaa.record_type(), Some(28));
}

#[test]
fn dns_1_other_types_and_classes_are_left_alone() {
    let responder = responder(Settings::default());
    for record_type in [
        RecordType::AAAA,
        RecordType::MX,
        RecordType::HTTPS,
        RecordType::ANY,
    ] {
        let reply = Reply::to(WWW, record_type).soa("example.", 60, 60);
        assert_eq!(
            responder.on_answer(&reply.bytes()),
            Decision::Pass,
            "{record_type}"
        );
    }
    let mut chaos = nodata(WWW);
    let class = 12 + 13 + 2;
    chaos[class..class + 2].copy_from_slice(&[0, 3]);
    assert_eq!(responder.on_answer(&chaos), Decision::Pass);
}

#[test]
fn the_policy_is_that_of_the_clients_family_and_type() {
    let prefix = Prefix::new("64:ff9b::/96".parse().unwrap()).unwrap();
    let both = responder(Settings {
        nat64: vec![Nat64::all(prefix)],
        ..settings()
    });
    let (v4, v6) = (Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into());
    let policies = [(v4, 1), (v4, 28), (v6, 1), (v6, 28)].map(|(client, t)| both.policy(client, t));
    assert_eq!(policies, [1, 0, 0, 2]);
    let plain = Dns46::new(None, Settings::default(), [0; 32]);
    assert_eq!([plain.policy(v4, 1), plain.policy(v6, 28)], [0, 0]);
}

fn settings() -> Settings {
    Settings::default()
}

#[test]
fn dns_4_the_new_record_is_owned_by_the_terminal_name_and_the_chain_is_kept_once() {
    let mut responder = responder(settings());
    let first = Reply::to(WWW, RecordType::A)
        .cname(WWW, 60, "cdn.example.")
        .soa("example.", 900, 300)
        .bytes();
    let second = Reply::to(WWW, RecordType::AAAA)
        .cname(WWW, 50, "CDN.example.")
        .aaaa("cdn.example.", 40, "2001:db8::1")
        .bytes();
    let (made, reply) = stored(&mut responder, at(0), &first, &second).unwrap();
    assert_eq!(made.ttl, at(40));
    let aliases: Vec<_> = reply
        .answers
        .iter()
        .filter(|record| record.record_type() == RecordType::CNAME)
        .collect();
    assert_eq!(aliases.len(), 1);
    let found = addresses(&reply);
    assert_eq!(
        (found.len(), found[0].0.to_lowercase(), found[0].1),
        (1, "cdn.example.".into(), 40)
    );
    assert_eq!(reply.queries[0].query_type(), RecordType::A);
    // §5.4: the denial's SOA goes with the denial.
    assert!(reply.authorities.is_empty());
    assert_eq!(reply.metadata.response_code, ResponseCode::NoError);
}

#[test]
fn dns_4_without_aaaa_the_first_reply_is_the_answer() {
    let mut responder = responder(settings());
    let empty = Reply::to(WWW, RecordType::AAAA)
        .soa("example.", 900, 300)
        .bytes();
    assert_eq!(
        stored(&mut responder, at(0), &nodata(WWW), &empty).unwrap_err(),
        Pair::Pass
    );
    assert_eq!(responder.mappings().count(), 0);
}

#[test]
fn dns_48_a_denial_of_the_name_denies_no_more_than_the_first_reply() {
    let mut responder = responder(settings());
    let denied = Reply::to(WWW, RecordType::AAAA)
        .code(ResponseCode::NXDomain)
        .bytes();
    assert_eq!(
        stored(&mut responder, at(0), &nodata(WWW), &denied).unwrap_err(),
        Pair::Pass
    );
}

#[test]
fn dns_6_hosts_that_no_translator_reaches_are_never_mapped() {
    for address in [
        "::",
        "::1",
        "fe80::1",
        "ff02::1",
        "100::1",
        "64:ff9b:1::1",
        "64:ff9b::c000:201",
        "2001:db8:bad::1",
        "::ffff:127.0.0.1",
        "::ffff:0.0.0.1",
        "::ffff:224.0.0.1",
    ] {
        let mut settings = settings();
        settings.excluded = vec!["2001:db8:bad::/48".parse().unwrap()];
        let mut responder = responder(settings);
        let second = Reply::to(WWW, RecordType::AAAA)
            .aaaa(WWW, 60, address)
            .bytes();
        let pair = stored(&mut responder, at(0), &nodata(WWW), &second);
        assert_eq!(pair.unwrap_err(), Pair::Pass, "{address}");
        assert_eq!(responder.mappings().count(), 0, "{address}");
    }
}

#[test]
fn dns_6_ipv4_hosts_in_disguise_are_answered_as_they_are() {
    let prefix = Prefix::new("2001:db8:64::/96".parse().unwrap()).unwrap();
    let mut responder = responder(Settings {
        nat64: vec![Nat64::all(prefix)],
        ..settings()
    });
    let second = Reply::to(WWW, RecordType::AAAA)
        .aaaa(WWW, 60, "::ffff:192.0.2.7")
        .aaaa(WWW, 60, "2001:db8:64::192.0.2.8")
        .bytes();
    let (_, reply) = stored(&mut responder, at(0), &nodata(WWW), &second).unwrap();
    let found: Vec<Ipv4Addr> = addresses(&reply).into_iter().map(|(_, _, a)| a).collect();
    assert_eq!(
        found,
        [Ipv4Addr::new(192, 0, 2, 7), Ipv4Addr::new(192, 0, 2, 8)]
    );
    assert_eq!(responder.mappings().count(), 0);
}

#[test]
fn dns_8_the_aaaa_goes_where_it_is_wanted() {
    for (basis, in_answer, in_additional) in [
        (Basis::Additional, 0, 1),
        (Basis::Answer, 1, 0),
        (Basis::None, 0, 0),
    ] {
        let mut responder = responder(Settings {
            basis,
            ..settings()
        });
        let second = aaaa(WWW, 77, host(1));
        let (_, reply) = stored(&mut responder, at(0), &nodata(WWW), &second).unwrap();
        let count = |records: &[hickory_proto::rr::Record]| {
            let of_type = |record: &&hickory_proto::rr::Record| matches!(record.data, RData::AAAA(address) if address.0 == host(1));
            records.iter().filter(of_type).count()
        };
        let found = (count(&reply.answers), count(&reply.additionals));
        assert_eq!(found, (in_answer, in_additional), "{basis:?}");
    }
}

#[test]
fn dns_14_the_ttl_is_the_least_of_all_that_bound_it() {
    for (aaaa_ttl, soa_ttl, minimum, expected) in [
        (30, 900, 300, 30),
        (9000, 900, 90, 90),
        (9000, 80, 300, 80),
        (9000, 9000, 9000, 120),
        (u32::MAX, 9000, 9000, 120),
    ] {
        let mut responder = responder(settings());
        let first = Reply::to(WWW, RecordType::A)
            .soa("example.", soa_ttl, minimum)
            .bytes();
        let (made, reply) =
            stored(&mut responder, at(0), &first, &aaaa(WWW, aaaa_ttl, host(1))).unwrap();
        assert_eq!(
            (made.ttl, addresses(&reply)[0].1),
            (at(expected), expected as u32)
        );
        assert!(made.cacheable);
    }
    // Without SOA 600 s bound it (RFC 6147 §5.1.7).
    let mut patient = settings();
    patient.max_ttl = at(3000);
    let mut responder = responder(patient);
    let bare = Reply::to(WWW, RecordType::A).bytes();
    let (made, _) = stored(&mut responder, at(0), &bare, &aaaa(WWW, 9000, host(1))).unwrap();
    assert_eq!(made.ttl, at(600));
}

#[test]
fn dns_14_all_records_of_the_set_have_one_ttl() {
    let mut responder = responder(settings());
    let second = Reply::to(WWW, RecordType::AAAA)
        .aaaa(WWW, 100, "2001:db8::1")
        .aaaa(WWW, 20, "2001:db8::2")
        .bytes();
    let (_, reply) = stored(&mut responder, at(0), &nodata(WWW), &second).unwrap();
    let ttls: Vec<u32> = addresses(&reply)
        .into_iter()
        .map(|(_, ttl, _)| ttl)
        .collect();
    assert_eq!(ttls, [20, 20]);
}

#[test]
fn dns_15_a_ttl_of_zero_is_answered_once_and_the_mapping_holds() {
    let mut responder = responder(settings());
    let (made, reply) =
        stored(&mut responder, at(0), &nodata(WWW), &aaaa(WWW, 0, host(1))).unwrap();
    assert!(!made.cacheable && made.ttl.is_zero());
    let address = addresses(&reply)[0].2;
    responder.handle_timeout(at(3599));
    assert_eq!(
        responder.lookup(at(3599), address),
        dns46::Lookup::Host(host(1))
    );
}

#[test]
fn dns_17_names_that_share_a_host_share_its_address() {
    let mut responder = responder(settings());
    let (_, one) = stored(&mut responder, at(0), &nodata(WWW), &aaaa(WWW, 60, host(1))).unwrap();
    let other = "other.example.";
    let (_, two) = stored(
        &mut responder,
        at(0),
        &nodata(other),
        &aaaa(other, 60, host(1)),
    )
    .unwrap();
    assert_eq!(addresses(&one)[0].2, addresses(&two)[0].2);
}

#[test]
fn dns_24_hosts_of_one_name_are_capped_and_mapped_ones_come_first() {
    let mut responder = responder(settings());
    stored(&mut responder, at(0), &nodata(WWW), &aaaa(WWW, 60, host(9))).unwrap();
    let mut second = Reply::to(WWW, RecordType::AAAA);
    for number in [3, 9, 1, 2, 9] {
        second = second.aaaa(WWW, 60, &host(number).to_string());
    }
    let (_, reply) = stored(&mut responder, at(0), &nodata(WWW), &second.bytes()).unwrap();
    let mapped: Vec<_> = addresses(&reply)
        .into_iter()
        .map(|(_, _, address)| responder.lookup(at(0), address))
        .collect();
    assert_eq!(
        mapped,
        [9, 1].map(|number| dns46::Lookup::Host(host(number)))
    );
    assert_eq!(responder.mappings().count(), 2);
}

#[test]
fn dns_26_the_ladder_at_exhaustion() {
    let sorry = Ipv4Addr::new(192, 168, 1, 1);
    for answer in [Some(sorry), None] {
        let mut responder = responder(Settings {
            sorry: answer,
            ..settings()
        });
        for number in 0..16 {
            let name = format!("n{number}.example.");
            stored(
                &mut responder,
                at(0),
                &nodata(&name),
                &aaaa(&name, 60, host(number)),
            )
            .unwrap();
        }
        let last = stored(
            &mut responder,
            at(0),
            &nodata(WWW),
            &aaaa(WWW, 60, host(99)),
        );
        match answer {
            Some(sorry) => {
                let (made, reply) = last.unwrap();
                assert!(made.is_sorry && made.cacheable);
                assert_eq!(addresses(&reply), [(WWW.to_owned(), 5, sorry)]);
            }
            None => assert_eq!(last.unwrap_err(), Pair::Refuse(Refusal::Exhausted)),
        }
        // A host that is mapped is answered all the same.
        stored(&mut responder, at(0), &nodata(WWW), &aaaa(WWW, 60, host(3))).unwrap();
    }
}

#[test]
fn rfc6147_5_5_ad_is_never_set_on_what_was_made() {
    let mut responder = responder(settings());
    let first = Reply::to(WWW, RecordType::A)
        .soa("example.", 900, 300)
        .authentic()
        .bytes();
    let second = Reply::to(WWW, RecordType::AAAA)
        .aaaa(WWW, 60, "2001:db8::1")
        .authentic()
        .bytes();
    let (_, reply) = stored(&mut responder, at(0), &first, &second).unwrap();
    assert!(!reply.metadata.authentic_data);
}

#[test]
fn dns_29_static_entries_answer_too() {
    let mut responder = responder(settings());
    let address = Ipv4Addr::new(10, 0, 0, 2);
    assert_eq!(responder.load(at(0), [(address, host(1))]), 1);
    let (_, reply) = stored(&mut responder, at(0), &nodata(WWW), &aaaa(WWW, 60, host(1))).unwrap();
    assert_eq!(addresses(&reply)[0].2, address);
}

#[test]
fn counts_that_the_message_cannot_hold_are_not_believed() {
    let mut responder = responder(settings());
    let mut out = [0; 512];
    for (at_byte, value) in [(4, 0xff), (5, 2), (5, 0), (6, 0xff), (8, 0xff), (10, 0xff)] {
        let mut second = aaaa(WWW, 60, host(1));
        second[at_byte] = value;
        let pair = responder.on_pair(at(0), CLIENT, &nodata(WWW), &second, &mut out);
        assert_eq!(pair, Pair::Refuse(Refusal::Malformed), "byte {at_byte}");
        assert_eq!(responder.on_answer(&second), Decision::Pass);
    }
}

#[test]
fn every_prefix_of_a_reply_is_refused_and_none_panics() {
    let mut responder = responder(settings());
    let second = Reply::to(WWW, RecordType::AAAA)
        .cname(WWW, 60, "cdn.example.")
        .aaaa("cdn.example.", 60, "2001:db8::1")
        .bytes();
    let mut out = [0; 512];
    for end in 0..second.len() {
        let pair = responder.on_pair(at(0), CLIENT, &nodata(WWW), &second[..end], &mut out);
        assert_eq!(pair, Pair::Refuse(Refusal::Malformed), "{end}");
    }
}

#[test]
fn a_chain_that_goes_round_and_a_foreign_question_are_malformed() {
    let mut responder = responder(settings());
    let mut out = [0; 512];
    let round = Reply::to(WWW, RecordType::AAAA)
        .cname(WWW, 60, "cdn.example.")
        .cname("cdn.example.", 60, WWW)
        .bytes();
    let foreign = aaaa("other.example.", 60, host(1));
    for second in [round, foreign] {
        let pair = responder.on_pair(at(0), CLIENT, &nodata(WWW), &second, &mut out);
        assert_eq!(pair, Pair::Refuse(Refusal::Malformed));
    }
}

#[test]
fn rfc6147_5_1_7_an_aaaa_is_made_of_each_a() {
    let prefix = Prefix::new("64:ff9b::/96".parse().unwrap()).unwrap();
    let mut responder = Dns46::new(
        None,
        Settings {
            nat64: vec![Nat64::all(prefix)],
            ..settings()
        },
        [1; 32],
    );
    let first = Reply::to(WWW, RecordType::AAAA)
        .soa("example.", 900, 300)
        .bytes();
    assert_eq!(responder.on_answer(&first), Decision::AskA);
    // §3.1 of RFC 6052: the second one must not stand under the well-known prefix.
    let second = Reply::to(WWW, RecordType::A)
        .cname(WWW, 60, "cdn.example.")
        .a("cdn.example.", 700, [198, 51, 101, 1])
        .a("cdn.example.", 700, [10, 0, 0, 1])
        .bytes();
    let (made, reply) = stored(&mut responder, at(0), &first, &second).unwrap();
    assert_eq!(made.ttl, at(300));
    let found: Vec<_> = reply
        .answers
        .iter()
        .filter_map(|record| match &record.data {
            RData::AAAA(address) => Some((record.name.to_ascii(), record.ttl, address.0)),
            _ => None,
        })
        .collect();
    let expected = "64:ff9b::198.51.101.1".parse().unwrap();
    assert_eq!(found, [("cdn.example.".to_owned(), 300, expected)]);
}
