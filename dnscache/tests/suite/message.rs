//! What replies and upstream queries look like (dns.md §2.5, §2.6 no. 39 to 40; RFC 1035, 6840, 6891).

use crate::common::*;
use dnscache::{DropReason, Transport, Verdict, rcode, rtype};

const TC: u8 = 0x02;

fn www_a(query: &[u8]) -> Answer {
    Answer::to(query).a("www.example.com", 300, [192, 0, 2, 80])
}

fn ask() -> Ask {
    Ask::new("www.example.com", rtype::A)
}

fn with_do(ask: Ask) -> Ask {
    Ask {
        edns: Some((1232, 0x8000)),
        ..ask
    }
}

/// Ten times a text of 100 octets: 1,120 octets of records.
fn long(query: &[u8]) -> Answer {
    (0..10).fold(Answer::to(query), |answer, number| {
        let mut text = vec![99];
        text.extend([b'a' + number; 99]);
        answer.answer("www.example.com", rtype::TXT, 300, &text)
    })
}

#[test]
fn dns_39_a_reply_copies_id_rd_cd_and_the_letters_and_sets_qr_and_ra_alone() {
    let mut world = World::new();
    world.exchange(&ask(), |query| {
        let mut answer = www_a(query);
        // AA and all else that an upstream may set stays with it.
        answer.bytes[2] |= 0x04;
        answer.bytes[3] |= 0x40;
        answer
    });
    for (flags, expected) in [(0x0100, 0x8180), (0x0000, 0x8080), (0x0140, 0x8180)] {
        let hit = world.hit(&Ask::new("wWw.eXample.Com", rtype::A).flags(flags).id(9));
        assert_eq!(hit[..2], [0, 9]);
        assert_eq!(u16::from_be_bytes([hit[2], hit[3]]), expected);
        assert_eq!(hit[12..29], cased_wire("wWw.eXample.Com"));
    }
}

#[test]
fn dns_39_questions_of_any_kind_but_one_of_data_are_turned_down() {
    let mut world = World::new();
    let mut message = ask().bytes();
    message[5] = 0;
    let none = world.ask_bytes(&message).1;
    assert_eq!(rcode_of(&none), rcode::FORMERR);
    message[5] = 2;
    assert_eq!(rcode_of(&world.ask_bytes(&message).1), rcode::FORMERR);
    // RFC 1035 §4.1.1: inverse queries, status; RFC 1996: notify; RFC 2136: update.
    for opcode in [1u8, 2, 4, 5, 15] {
        let mut message = ask().bytes();
        message[2] |= opcode << 3;
        let reply = world.ask_bytes(&message).1;
        assert_eq!(rcode_of(&reply), rcode::NOTIMP);
        assert_eq!(reply[2] & 0x78, opcode << 3);
    }
    for rtype in [rtype::AXFR, rtype::IXFR, rtype::OPT, rtype::TSIG] {
        let reply = world.ask(&Ask::new("example.com", rtype)).1;
        assert_eq!(rcode_of(&reply), rcode::NOTIMP);
    }
    let mut message = ask().bytes();
    message[2] |= 0x80;
    assert_eq!(
        world.ask_bytes(&message).0,
        Verdict::Drop(DropReason::Response)
    );
    assert_eq!(
        world.ask_bytes(&message[..11]).0,
        Verdict::Drop(DropReason::Short)
    );
    message[2] &= 0x7f;
    for end in 12..message.len() {
        assert_eq!(
            rcode_of(&world.ask_bytes(&message[..end]).1),
            rcode::FORMERR
        );
    }
    assert!(world.sent().is_empty());
}

#[test]
fn dns_40_opt_comes_back_where_the_query_had_one() {
    // RFC 6891 §6.1.1, §7.
    let mut world = World::new();
    world.exchange(&ask(), |query| www_a(query).opt(0, &[]));
    assert!(decode(&world.hit(&ask())).edns.is_none());
    let reply = decode(&world.hit(&ask().edns(1232)));
    assert_eq!(reply.edns.unwrap().max_payload(), 1232);
    // An error's reply is no exception.
    let refused = world
        .ask(&Ask::new("example.com", rtype::AXFR).edns(1232))
        .1;
    assert!(decode(&refused).edns.is_some());
    let refused = world.ask(&Ask::new("example.com", rtype::AXFR)).1;
    assert!(decode(&refused).edns.is_none());
}

#[test]
fn dns_40_a_version_above_0_is_badvers() {
    // RFC 6891 §6.1.3.
    let mut world = World::new();
    let mut message = with_do(ask()).bytes();
    let version = message.len() - 5;
    message[version] = 1;
    let reply = world.ask_bytes(&message).1;
    let edns = decode(&reply).edns.unwrap();
    assert_eq!(rcode_of(&reply) | edns.rcode_high() << 4, rcode::BADVERS);
    assert_eq!(edns.version(), 0);
    // RFC 3225 §3: DO MUST be copied.
    assert!(edns.flags().dnssec_ok);
}

#[test]
fn dns_40_two_opt_records_or_a_broken_one_are_formerr() {
    // RFC 6891 §6.1.1.
    let mut world = World::new();
    let one = ask().edns(1232).bytes();
    let mut two = one.clone();
    two[11] = 2;
    two.extend_from_slice(&one[one.len() - 11..]);
    assert_eq!(rcode_of(&world.ask_bytes(&two).1), rcode::FORMERR);
    let mut broken = one.clone();
    let end = broken.len();
    broken[end - 1] = 4;
    broken.extend([0, 10, 0, 8]);
    assert_eq!(rcode_of(&world.ask_bytes(&broken).1), rcode::FORMERR);
    // Its owner is the root, its section the additional one.
    let mut owned = one.clone();
    owned.splice(end - 11..end - 10, [0xc0, 12]);
    assert_eq!(rcode_of(&world.ask_bytes(&owned).1), rcode::FORMERR);
    let mut moved = one;
    moved[11] = 0;
    moved[7] = 1;
    assert_eq!(rcode_of(&world.ask_bytes(&moved).1), rcode::FORMERR);
}

#[test]
fn dns_40_options_are_neither_forwarded_nor_kept() {
    // RFC 6891 §6.1.1, §6.2.6: ours and the upstream's are separate transactions.
    let mut world = World::new();
    let mut message = ask().edns(1232).bytes();
    let end = message.len();
    message[end - 1] = 12;
    message.extend([0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8]);
    let (Verdict::Parked(ticket), _) = world.ask_bytes(&message) else {
        panic!("a cookie is no reason to turn a query down");
    };
    let sent = world.sent_one();
    assert!(sent.bytes.ends_with(&[0, 0]));
    let cookie = www_a(&sent.bytes).opt(0, &[0, 10, 0, 2, 9, 9]);
    world.reply(&sent, &cookie, 0);
    for reply in [world.answered(ticket), world.hit(&ask().edns(1232))] {
        assert!(reply.ends_with(&[0, 0]), "{reply:?}");
        assert_eq!(decode(&reply).additionals.len(), 0);
    }
}

#[test]
fn dns_40_a_reply_fits_the_clients_size_or_is_truncated() {
    // RFC 1035 §4.2.1, RFC 6891 §6.2.3, §7; dns.md: clamp(client, 512, 1232).
    let mut world = World::new();
    let text = Ask::new("www.example.com", rtype::TXT);
    let whole = world.exchange(&text.clone().edns(4096), long).len();
    assert_eq!(whole, 33 + 10 * 112 + 11);
    for (size, fits) in [
        (0, false),
        (511, false),
        (1_163, false),
        (1_164, true),
        (4_096, true),
    ] {
        let hit = world.hit(&text.clone().edns(size));
        let message = decode(&hit);
        assert_eq!(hit[2] & TC == 0, fits, "{size}");
        assert_eq!(message.answers.len(), if fits { 10 } else { 0 });
        assert!(message.edns.is_some());
        assert_eq!(message.queries.len(), 1);
    }
    let hit = world.hit(&text);
    assert_eq!((hit[2] & TC, hit.len()), (TC, 33));
    world.client.transport = Transport::Tcp;
    assert_eq!(decode(&world.hit(&text)).answers.len(), 10);
    assert_eq!(world.resolver.stats().clients.truncated, 4);
}

#[test]
fn dns_40_the_size_offered_upstream_and_to_clients_is_1232() {
    let mut world = World::new();
    let many = |query: &[u8]| {
        (0..100).fold(Answer::to(query), |answer, number| {
            answer.a("www.example.com", 300, [192, 0, 2, number])
        })
    };
    let ticket = world.park(&ask().edns(4096));
    let sent = world.sent_one();
    assert_eq!(decode(&sent.bytes).edns.unwrap().max_payload(), 1232);
    world.reply(&sent, &many(&sent.bytes), 0);
    let reply = world.answered(ticket);
    assert_eq!(reply[2] & TC, TC, "1,633 octets are too many");
}

#[test]
fn dns_40_additional_data_is_left_out_without_tc() {
    // RFC 2181 §9: TC only where a required set does not fit.
    let mut world = World::new();
    let ask = Ask::new("example.com", rtype::MX);
    let mut mx = vec![0, 10];
    mx.extend(cased_wire("mail.example.com"));
    let reply = world.exchange(&ask, |query| {
        (0..40).fold(
            Answer::to(query).answer("example.com", rtype::MX, 300, &mx),
            |answer, number| {
                answer.additional("mail.example.com", rtype::A, 300, &[192, 0, 2, number])
            },
        )
    });
    let message = decode(&reply);
    assert_eq!((message.answers.len(), message.additionals.len()), (1, 0));
    assert_eq!(reply[2] & TC, 0);
}

#[test]
fn dns_37_ad_is_passed_on_to_those_who_understand_it() {
    // RFC 6840 §5.7, §5.8.
    let mut world = World::new();
    world.exchange(&ask(), |query| www_a(query).authentic());
    assert_eq!(world.hit(&ask())[3] & 0x20, 0);
    assert_eq!(world.hit(&ask().flags(0x0120))[3] & 0x20, 0x20);
    let signed = with_do(ask());
    world.exchange(&signed, |query| www_a(query).authentic().opt(0, &[]));
    assert_eq!(world.hit(&signed)[3] & 0x20, 0x20);
    // What the upstream did not authenticate, nobody gets as authentic.
    let other = Ask::new("w2.example.com", rtype::A).flags(0x0120);
    let reply = world.exchange(&other, |query| {
        Answer::to(query).a("w2.example.com", 300, [192, 0, 2, 1])
    });
    assert_eq!(reply[3] & 0x20, 0);
}

#[test]
fn dns_37_answers_are_kept_apart_by_do_and_cd() {
    let mut world = World::new();
    world.exchange(&ask(), www_a);
    for (ask, answer_to) in [
        (with_do(ask()), 1),
        (ask().flags(0x0110), 2),
        (with_do(ask()).flags(0x0110), 3),
    ] {
        world.exchange(&ask, |query| {
            Answer::to(query).a("www.example.com", 300, [192, 0, 2, answer_to])
        });
        assert_eq!(
            decode(&world.hit(&ask)).answers[0].data.to_string(),
            format!("192.0.2.{answer_to}")
        );
    }
    assert_eq!(
        decode(&world.hit(&ask())).answers[0].data.to_string(),
        "192.0.2.80"
    );
}

#[test]
fn dns_56_cd_and_do_go_upstream_and_come_back() {
    // RFC 4035 §3.2.2, RFC 3225 §3.
    for (flags, edns_flags) in [(0x0100, 0), (0x0110, 0), (0x0100, 0x8000), (0x0110, 0x8000)] {
        let mut world = World::new();
        let ask = Ask {
            edns: Some((1232, edns_flags)),
            ..ask().flags(flags)
        };
        let ticket = world.park(&ask);
        let sent = world.sent_one();
        let query = decode(&sent.bytes);
        assert_eq!(query.metadata.checking_disabled, flags & 0x10 != 0);
        assert_eq!(
            query.edns.unwrap().flags().dnssec_ok,
            edns_flags != 0,
            "{flags:x}"
        );
        assert!(query.metadata.recursion_desired);
        // DO in the upstream's reply says nothing.
        let mut answer = www_a(&sent.bytes).opt(0, &[]);
        let at = answer.bytes.len() - 4;
        answer.bytes[at] = if edns_flags == 0 { 0x80 } else { 0 };
        world.reply(&sent, &answer, 0);
        for reply in [world.answered(ticket), world.hit(&ask)] {
            let reply = decode(&reply);
            assert_eq!(reply.metadata.checking_disabled, flags & 0x10 != 0);
            assert_eq!(reply.edns.unwrap().flags().dnssec_ok, edns_flags != 0);
        }
    }
}
