//! Questions that are answered here: dns.md 9 to 12.

use core::net::IpAddr;

use dns46::{Dns46, Nat64, Prefix, Scope, ServiceBindings, Settings};
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, RecordType};

use crate::common::{CLIENT, aaaa, at, host, name, nodata, responder, stored};

const CLIENT_V6: &str = "fd00::10";

fn settings() -> Settings {
    let prefix = |text: &str| Prefix::new(text.parse().unwrap()).unwrap();
    Settings {
        nat64: vec![
            Nat64 {
                prefix: prefix("2001:db8:64::/96"),
                networks: vec!["198.51.100.0/24".parse().unwrap()],
            },
            Nat64::all(prefix("2001:db8:6464::/48")),
        ],
        ..Settings::default()
    }
}

fn ask_as(responder: &Dns46, client: IpAddr, asked: &str, kind: RecordType) -> Option<Message> {
    let mut message = Message::new(7, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(name(asked), kind));
    ask_message(responder, client, &message)
}

fn ask_message(responder: &Dns46, client: IpAddr, message: &Message) -> Option<Message> {
    let mut out = [0; 1232];
    let query = message.to_vec().unwrap();
    let len = responder.on_query(client, &query, &mut out).unwrap()?;
    let reply = Message::from_vec(&out[..len]).unwrap();
    assert_eq!(reply.metadata.id, message.metadata.id);
    assert_eq!(reply.queries, message.queries);
    assert!(reply.metadata.authoritative && reply.metadata.recursion_available);
    Some(reply)
}

fn ask(responder: &Dns46, asked: &str, kind: RecordType) -> Option<Message> {
    ask_as(responder, CLIENT, asked, kind)
}

/// One SOA, and nothing else.
fn is_denial(reply: &Message, code: ResponseCode) -> bool {
    reply.metadata.response_code == code
        && reply.answers.is_empty()
        && reply.authorities.len() == 1
        && reply.authorities[0].record_type() == RecordType::SOA
        && reply.authorities[0].ttl <= 120
}

fn pointers(reply: &Message) -> Vec<String> {
    let text = |data: &RData| match data {
        RData::PTR(target) => target.0.to_ascii(),
        other => panic!("{other:?}"),
    };
    reply
        .answers
        .iter()
        .map(|record| text(&record.data))
        .collect()
}

#[test]
fn dns_11_a_live_address_of_the_pool_has_a_pointer_and_a_free_one_does_not_exist() {
    let mut responder = responder(Settings::default());
    let second = aaaa("a.example.", 60, host(0x80));
    let made = stored(&mut responder, at(0), &nodata("a.example."), &second);
    let address = crate::common::addresses(&made.unwrap().1)[0].2;
    let [a, b, c, d] = address.octets();
    let live = format!("{d}.{c}.{b}.{a}.in-addr.arpa.");
    let reply = ask(&responder, &live, RecordType::PTR).unwrap();
    assert_eq!(pointers(&reply), ["2001-db8--80.dns46.internal."]);
    let reply = ask(&responder, &live.to_uppercase(), RecordType::PTR).unwrap();
    assert_eq!(pointers(&reply).len(), 1, "case does not matter");
    let reply = ask(&responder, &live, RecordType::TXT).unwrap();
    assert!(is_denial(&reply, ResponseCode::NoError));

    let free = if d == 7 { 8 } else { 7 };
    let reply = ask(
        &responder,
        &format!("{free}.0.0.10.in-addr.arpa."),
        RecordType::PTR,
    );
    assert!(is_denial(&reply.unwrap(), ResponseCode::NXDomain));
    let reply = ask(&responder, &format!("x.{live}"), RecordType::PTR).unwrap();
    assert!(is_denial(&reply, ResponseCode::NXDomain));
}

#[test]
fn dns_11_the_trees_above_and_beside_the_pool_are_somebody_elses() {
    let responder = responder(Settings::default());
    for elsewhere in [
        "in-addr.arpa.",
        "10.in-addr.arpa.",
        "0.10.in-addr.arpa.",
        "0.0.10.in-addr.arpa.",
        "40.0.0.10.in-addr.arpa.",
        "4.0.0.11.in-addr.arpa.",
        "04.0.0.10.in-addr.arpa.",
        "256.0.0.10.in-addr.arpa.",
        "arpa.",
        "example.",
        "4.0.0.10.in-addr.arpa.example.",
    ] {
        assert_eq!(
            ask(&responder, elsewhere, RecordType::PTR),
            None,
            "{elsewhere}"
        );
    }
}

#[test]
fn dns_11_a_pool_cut_at_an_octet_is_a_zone() {
    let config = dns46::Config::new(
        "10.40.0.0/16".parse().unwrap(),
        [10, 40, 1, 0].into()..=[10, 40, 2, 0].into(),
        None,
    );
    let responder = Dns46::new(Some(config.unwrap()), Settings::default(), [7; 32]);
    let reply = ask(&responder, "40.10.in-addr.arpa.", RecordType::SOA).unwrap();
    assert_eq!(reply.answers[0].record_type(), RecordType::SOA);
    let reply = ask(&responder, "40.10.in-addr.arpa.", RecordType::NS).unwrap();
    assert_eq!(reply.answers[0].record_type(), RecordType::NS);
    // RFC 8020 §3.1: an empty non-terminal exists.
    let reply = ask(&responder, "9.40.10.in-addr.arpa.", RecordType::PTR).unwrap();
    assert!(is_denial(&reply, ResponseCode::NoError));
    assert_eq!(reply.authorities[0].name, name("40.10.in-addr.arpa."));
}

#[test]
fn rfc6147_5_3_1_addresses_under_a_nat64_prefix_have_pointers_of_all_six_lengths() {
    for (prefix, inside) in [
        ("2001:db8::/32", "2001:db8:c000:221::"),
        ("2001:db8:100::/40", "2001:db8:1c0:2:21::"),
        ("2001:db8:122::/48", "2001:db8:122:c000:2:2100::"),
        ("2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"),
        ("2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::"),
        ("2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33"),
        ("2001:db8:122:344::/96", "64:ff9b::192.0.2.33"),
    ] {
        let prefix = Prefix::new(prefix.parse().unwrap()).unwrap();
        let settings = Settings {
            nat64: vec![Nat64::all(prefix)],
            ..Settings::default()
        };
        let responder = Dns46::new(None, settings, [7; 32]);
        let address: core::net::Ipv6Addr = inside.parse().unwrap();
        let reply = ask(&responder, &Name::from(address).to_ascii(), RecordType::PTR);
        assert_eq!(
            pointers(&reply.unwrap()),
            ["192-0-2-33.nat64.internal."],
            "{inside}"
        );
    }
    let responder = responder(settings());
    let elsewhere = Name::from(host(1)).to_ascii();
    assert_eq!(ask(&responder, &elsewhere, RecordType::PTR), None);
}

#[test]
fn rfc8880_7_1_ipv4only_arpa_is_answered_here_with_dns64_and_forwarded_without() {
    let responder = responder(settings());
    let reply = ask(&responder, "ipv4only.arpa.", RecordType::A).unwrap();
    assert_eq!(
        reply
            .answers
            .iter()
            .map(|record| record.data.to_string())
            .collect::<Vec<_>>(),
        ["192.0.0.170", "192.0.0.171"]
    );
    let reply = ask(&responder, "IPv4only.ARPA.", RecordType::AAAA).unwrap();
    assert_eq!(
        reply
            .answers
            .iter()
            .map(|record| record.data.to_string())
            .collect::<Vec<_>>(),
        [
            "2001:db8:64::c000:aa",
            "2001:db8:64::c000:ab",
            "2001:db8:6464:c000:0:aa00::",
            "2001:db8:6464:c000:0:ab00::",
        ]
    );
    let reply = ask(&responder, "ipv4only.arpa.", RecordType::TXT).unwrap();
    assert!(is_denial(&reply, ResponseCode::NoError));
    let reply = ask(&responder, "x.ipv4only.arpa.", RecordType::A).unwrap();
    assert!(is_denial(&reply, ResponseCode::NXDomain));
    assert_eq!(ask(&responder, "ipv4only.arpa.", RecordType::DS), None);
    let plain = crate::common::responder(Settings::default());
    assert_eq!(ask(&plain, "ipv4only.arpa.", RecordType::A), None);
    // §7.2: the pointers of the well-known IPv4 addresses are nothing special.
    assert_eq!(
        ask(&responder, "170.0.0.192.in-addr.arpa.", RecordType::PTR),
        None
    );
}

#[test]
fn rfc9460_4_2_1_service_bindings_pass_or_are_withheld_and_hints_are_never_made() {
    let pass = responder(Settings::default());
    assert_eq!(ask(&pass, "a.example.", RecordType::HTTPS), None);
    let strip = responder(Settings {
        service_bindings: ServiceBindings::Strip,
        ..settings()
    });
    for kind in [RecordType::HTTPS, RecordType::SVCB] {
        let reply = ask(&strip, "a.example.", kind).unwrap();
        assert!(is_denial(&reply, ResponseCode::NoError));
        let v6 = CLIENT_V6.parse().unwrap();
        assert_eq!(
            ask_as(&strip, v6, "a.example.", kind),
            None,
            "no client of DNS46"
        );
    }
    assert_eq!(ask(&strip, "a.cluster.local.", RecordType::HTTPS), None);
}

#[test]
fn dns_9_aaaa_may_be_withheld_from_clients_of_dns46_without_denying_the_name() {
    let responder = responder(Settings {
        filter_aaaa: true,
        dns46_scope: Scope {
            clients_excluded: vec!["10.244.9.0/24".parse().unwrap()],
            ..Scope::default()
        },
        ..Settings::default()
    });
    let reply = ask(&responder, "a.example.", RecordType::AAAA).unwrap();
    assert!(is_denial(&reply, ResponseCode::NoError));
    assert_eq!(ask(&responder, "a.example.", RecordType::A), None);
    let other = "10.244.9.1".parse().unwrap();
    assert_eq!(
        ask_as(&responder, other, "a.example.", RecordType::AAAA),
        None
    );
}

#[test]
fn dns_40_a_reply_has_edns_where_the_query_had() {
    let responder = responder(settings());
    let mut message = Message::new(7, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(name("ipv4only.arpa."), RecordType::A));
    assert!(
        ask_message(&responder, CLIENT, &message)
            .unwrap()
            .edns
            .is_none()
    );
    let mut edns = Edns::new();
    edns.set_max_payload(4096).set_dnssec_ok(true);
    message.edns = Some(edns);
    // `on_query` takes questions with an OPT record too.
    let reply = ask_message(&responder, CLIENT, &message).unwrap();
    let edns = reply.edns.unwrap();
    assert!(edns.flags().dnssec_ok && edns.max_payload() == 1232);
    let mut newer = Edns::new();
    newer.set_version(1);
    message.edns = Some(newer);
    assert_eq!(
        ask_message(&responder, CLIENT, &message),
        None,
        "BADVERS is the cache's to say"
    );
}

#[test]
fn dns_1_other_classes_and_kinds_of_messages_are_not_answered_here() {
    let responder = responder(settings());
    let mut message = Message::new(7, MessageType::Query, OpCode::Query);
    let mut query = Query::query(name("ipv4only.arpa."), RecordType::A);
    query.set_query_class(DNSClass::CH);
    message.add_query(query);
    assert_eq!(ask_message(&responder, CLIENT, &message), None);
    let mut update = Message::new(7, MessageType::Query, OpCode::Query);
    update.metadata.op_code = OpCode::Notify;
    update.add_query(Query::query(name("ipv4only.arpa."), RecordType::A));
    assert_eq!(ask_message(&responder, CLIENT, &update), None);
    for len in 0..40 {
        let bytes = vec![0xff; len];
        assert_eq!(responder.on_query(CLIENT, &bytes, &mut [0; 512]), Ok(None));
    }
}
