//! What cannot be slipped in (dns.md §2.6 no. 42 to 44; RFC 5452).

use alloc::collections::BTreeSet;

use crate::common::*;
use dnscache::{ForwardZone, Mismatch, StreamTransmit, rcode, rtype};

type Change<'a> = &'a dyn Fn(&mut Sent, &mut Answer);

fn www_a(query: &[u8]) -> Answer {
    Answer::to(query).a("www.example.com", 300, [192, 0, 2, 80])
}

fn ask() -> Ask {
    Ask::new("www.example.com", rtype::A)
}

#[test]
fn dns_42_identifiers_ports_and_letters_are_unpredictable_and_the_seeds() {
    // RFC 5452 §9.2: a random identifier from the whole range, and a random port.
    let run = |seed: u8| {
        let mut world = World::with(|_| ());
        world.resolver = {
            let mut config = dnscache::Config::default();
            config
                .zones
                .push(ForwardZone::new(name("."), vec![address("192.0.2.53:53")]));
            dnscache::Resolver::new(config, [seed; 32])
        };
        let (mut ids, mut ports, mut cases) = (vec![], vec![], BTreeSet::new());
        for number in 0..500 {
            world.park(&Ask::new(&format!("host{number:03}.example.com"), rtype::A));
            let sent = world.sent_one();
            ids.push(u16::from_be_bytes([sent.bytes[0], sent.bytes[1]]));
            ports.push(sent.transmit.source_port);
            cases.insert(sent.bytes[20..32].to_vec());
        }
        (ids, ports, cases)
    };
    let (ids, ports, cases) = run(1);
    let distinct: BTreeSet<_> = ids.iter().collect();
    assert!(distinct.len() > 490, "{} identifiers", distinct.len());
    let distinct: BTreeSet<_> = ports.iter().collect();
    assert_eq!(distinct.len(), 500, "a port names its question");
    assert!(ports.iter().all(|port| *port >= 1024));
    assert!(ports.iter().any(|port| *port > 50_000) && ports.iter().any(|port| *port < 15_000));
    assert!(ids.iter().any(|id| *id > 50_000) && ids.iter().any(|id| *id < 15_000));
    assert!(cases.len() > 300, "{} cases of twelve octets", cases.len());
    assert_eq!(
        run(1),
        (ids.clone(), ports, cases),
        "equal seeds, equal runs"
    );
    assert_ne!(run(2).0, ids);
}

#[test]
fn dns_42_a_reply_must_match_in_every_respect() {
    // RFC 5452 §9.1.
    let mut world = World::new();
    let ticket = world.park(&ask());
    let sent = world.sent_one();
    let good = www_a(&sent.bytes);
    let try_with = |world: &mut World, change: Change<'_>| {
        let (mut sent, mut answer) = (sent.clone(), good.clone());
        change(&mut sent, &mut answer);
        world.deliver(&sent, &answer)
    };
    let cases: [(Mismatch, Change<'_>); 9] = [
        (Mismatch::Id, &|_, answer| answer.bytes[0] ^= 1),
        (Mismatch::Port, &|sent, _| sent.transmit.source_port ^= 1),
        (Mismatch::Server, &|sent, _| {
            sent.transmit.destination = address("192.0.2.54:53");
        }),
        (Mismatch::Server, &|sent, _| {
            sent.transmit.destination = address("192.0.2.53:54");
        }),
        (Mismatch::Question, &|_, answer| answer.bytes[13] ^= 0x0f),
        (Mismatch::Question, &|_, answer| answer.bytes[30] = 28),
        (Mismatch::Question, &|_, answer| answer.bytes[32] = 3),
        (Mismatch::Malformed, &|_, answer| answer.bytes[2] &= 0x7f),
        (Mismatch::Malformed, &|_, answer| answer.bytes[2] |= 0x10),
    ];
    for (index, (mismatch, change)) in cases.iter().enumerate() {
        assert_eq!(try_with(&mut world, change), Err(*mismatch), "{index}");
    }
    let counts = world.resolver.stats().upstream.mismatches;
    assert_eq!(
        (counts.id, counts.port, counts.server, counts.question),
        (1, 1, 2, 3)
    );
    assert_eq!((counts.malformed, counts.case), (2, 0));
    // It was still waited for.
    world.reply(&sent, &good, 0);
    assert_eq!(ttls(&world.answered(ticket)), [300]);
    // A reply that comes twice has no question any more.
    assert_eq!(world.deliver(&sent, &good), Err(Mismatch::Port));
}

#[test]
fn dns_42_letters_of_another_case_move_the_question_to_tcp_at_once() {
    let mut world = World::new();
    world.park(&ask());
    let sent = world.sent_one();
    let mut forged = www_a(&sent.bytes);
    forged.bytes[13] ^= 0x20;
    assert_eq!(world.deliver(&sent, &forged), Err(Mismatch::Case));
    let streams = world.streams();
    assert!(
        matches!(streams[0].0, StreamTransmit::Connect { destination, .. }
            if destination == address("192.0.2.53:53"))
    );
    // Its datagram is waited for no more.
    assert_eq!(
        world.deliver(&sent, &www_a(&sent.bytes)),
        Err(Mismatch::Port)
    );
}

#[test]
fn dns_42_case_is_not_compared_where_it_was_not_randomized() {
    let mut world = World::with(|config| config.case_randomization = false);
    let ticket = world.park(&Ask::new("WWW.Example.com", rtype::A));
    let sent = world.sent_one();
    assert_eq!(sent.bytes[12..29], cased_wire("www.example.com"));
    world.reply(&sent, &www_a(&sent.bytes), 0);
    assert_eq!(rcode_of(&world.answered(ticket)), rcode::NOERROR);
}

#[test]
fn dns_42_after_some_mismatches_the_question_goes_to_tcp() {
    // RFC 5452 §9.3.
    let mut world = World::new();
    world.park(&ask());
    let sent = world.sent_one();
    for number in 1..=8 {
        assert!(world.streams().is_empty(), "{number}");
        let mut forged = www_a(&sent.bytes);
        forged.bytes[1] ^= number;
        assert_eq!(world.deliver(&sent, &forged), Err(Mismatch::Id));
    }
    assert_eq!(world.streams().len(), 1);
    assert_eq!(world.resolver.stats().upstream.moved_to_streams, 1);
}

#[test]
fn dns_42_never_two_equal_questions_in_flight() {
    // RFC 5452 §5, the birthday attack.
    let mut world = World::new();
    for id in 0..100 {
        world.park(&ask().id(id));
    }
    assert_eq!(world.sent().len(), 1);
    assert_eq!(world.resolver.stats().upstream.coalesced, 99);
}

#[test]
fn dns_42_a_late_reply_to_an_earlier_try_does_not_count() {
    let mut world = World::new();
    world.park(&ask());
    let first = world.sent_one();
    world.silence(millis(500));
    assert_eq!(
        world.deliver(&first, &www_a(&first.bytes)),
        Err(Mismatch::Port)
    );
}

#[test]
fn dns_43_records_off_the_chain_are_scrubbed() {
    // RFC 5452 §6.
    let mut world = World::new();
    let reply = world.exchange(&ask(), |query| {
        Answer::to(query)
            .cname("www.example.com", 300, "cdn.example.net")
            .a("cdn.example.net", 300, [192, 0, 2, 1])
            .a("bank.example", 300, [203, 0, 113, 1])
            .a("www.example.com", 300, [203, 0, 113, 2])
            .answer("www.example.com", rtype::TXT, 300, b"\x01x")
            .authority("net", rtype::NS, 300, &cased_wire("ns.net"))
            .authority("bank.example", rtype::NS, 300, &cased_wire("evil.example"))
            .authority("example.net", rtype::A, 300, &[203, 0, 113, 4])
            .additional("ns.net", rtype::A, 300, &[192, 0, 2, 9])
            .additional("bank.example", rtype::A, 300, &[203, 0, 113, 3])
    });
    for reply in [reply, world.hit(&ask())] {
        let message = decode(&reply);
        let owners = |records: &[hickory_proto::rr::Record]| -> Vec<String> {
            records
                .iter()
                .map(|record| format!("{} {}", record.name, record.record_type()))
                .collect()
        };
        assert_eq!(
            owners(&message.answers),
            ["www.example.com. CNAME", "cdn.example.net. A"]
        );
        assert_eq!(owners(&message.authorities), ["net. NS"]);
        assert_eq!(owners(&message.additionals), ["ns.net. A"]);
    }
    world.park(&Ask::new("bank.example", rtype::A));
    world.park(&Ask::new("cdn.example.net", rtype::A));
}

#[test]
fn dns_43_records_of_another_class_are_scrubbed() {
    let mut world = World::new();
    let reply = world.exchange(&ask(), |query| {
        let mut answer = www_a(query).a("www.example.com", 300, [203, 0, 113, 1]);
        let at = answer.bytes.len() - 11;
        answer.bytes[at] = 3;
        answer
    });
    assert_eq!(decode(&reply).answers.len(), 1);
}

#[test]
fn dns_43_a_chain_that_goes_round_or_on_and_on_is_no_answer() {
    for links in [3, 15, 16, 40] {
        let mut world = World::new();
        let ticket = world.park(&Ask::new("n0.example", rtype::A));
        let sent = world.sent_one();
        let mut answer = Answer::to(&sent.bytes);
        for link in 0..links {
            answer = answer.cname(
                &format!("n{link}.example"),
                300,
                &format!("n{}.example", link + 1),
            );
        }
        answer = answer.a(&format!("n{links}.example"), 300, [192, 0, 2, 1]);
        world.deliver(&sent, &answer).unwrap();
        world.accept(0);
        let code = rcode_of(&world.answered(ticket));
        let expected = if links < 16 {
            rcode::NOERROR
        } else {
            rcode::SERVFAIL
        };
        assert_eq!(code, expected, "{links}");
    }
    let mut world = World::new();
    let ticket = world.park(&ask());
    let sent = world.sent_one();
    let round = Answer::to(&sent.bytes)
        .cname("www.example.com", 300, "b.example")
        .cname("b.example", 300, "www.example.com");
    world.deliver(&sent, &round).unwrap();
    world.accept(0);
    assert_eq!(rcode_of(&world.answered(ticket)), rcode::SERVFAIL);
}

#[test]
fn dns_43_a_referral_is_no_answer() {
    let mut world = World::new();
    let ticket = world.park(&ask());
    let sent = world.sent_one();
    let referral = Answer::to(&sent.bytes).authority(
        "example.com",
        rtype::NS,
        300,
        &cased_wire("ns.example.com"),
    );
    world.deliver(&sent, &referral).unwrap();
    world.accept(0);
    assert_eq!(rcode_of(&world.answered(ticket)), rcode::SERVFAIL);
}

#[test]
fn dns_43_a_reply_that_is_not_whole_is_no_answer() {
    let whole = {
        let mut world = World::new();
        world.park(&ask());
        www_a(&world.sent_one().bytes).bytes.len()
    };
    for end in 33..whole {
        let mut world = World::new();
        let ticket = world.park(&ask());
        let sent = world.sent_one();
        let mut cut = www_a(&sent.bytes);
        cut.bytes.truncate(end);
        world.deliver(&sent, &cut).unwrap();
        world.accept(0);
        assert_eq!(rcode_of(&world.answered(ticket)), rcode::SERVFAIL);
    }
}

#[test]
fn dns_42_forged_replies_enter_nothing() {
    let mut world = World::new();
    let forged = [203, 0, 113, 66];
    let mut state = 1u64;
    let mut draw = |bound: u64| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
        (state >> 33) % bound
    };
    let (mut tried, mut names) = (0, 0);
    while tried < forgeries() {
        let victim = format!("victim{names}.example.com");
        names += 1;
        let ask = Ask::new(&victim, rtype::A);
        let ticket = world.park(&ask);
        let sent = world.sent_one();
        // Seven, so that the question stays with UDP.
        for _ in 0..7 {
            let (mut to, mut answer) = (sent.clone(), Answer::to(&sent.bytes));
            let mut matches = false;
            match draw(6) {
                0 => answer.bytes[..2].copy_from_slice(
                    &(u16::from_be_bytes([sent.bytes[0], sent.bytes[1]])
                        ^ (1 + draw(65_535) as u16))
                        .to_be_bytes(),
                ),
                1 => to.transmit.source_port ^= 1 + draw(65_535) as u16,
                2 => to.transmit.destination = address("192.0.2.54:53"),
                3 => to.transmit.destination.set_port(5_353),
                4 => answer.bytes[13] = b'x',
                _ => matches = true,
            }
            tried += 1;
            answer = if matches {
                // All is right but the name that it speaks of.
                answer
                    .a("bank.example", 86_400, forged)
                    .authority(
                        "bank.example",
                        rtype::NS,
                        86_400,
                        &cased_wire("evil.example"),
                    )
                    .additional("bank.example", rtype::A, 86_400, &forged)
            } else {
                answer.a(&victim, 86_400, forged)
            };
            let delivered = world.deliver(&to, &answer);
            assert_eq!(delivered.is_ok(), matches);
            if matches {
                break;
            }
        }
        world.accept(0);
        let _ = world.answer(ticket);
        while world.resolver.poll_event().is_some() {}
        if names % 64 == 0 {
            world.silence(seconds(7));
            while let (dnscache::Verdict::Reply(_), reply) = world.ask(&ask) {
                assert!(!contains(&reply, &forged));
                world.pass(seconds(1));
            }
            world.silence(seconds(7));
        }
        if names % 1_024 == 0 {
            // The letters' case, the last of the secrets: known but for one letter.
            let ask = Ask::new(&format!("case{names}.example.com"), rtype::A);
            world.park(&ask);
            let sent = world.sent_one();
            let mut answer = Answer::to(&sent.bytes).a(&ask.name, 86_400, forged);
            answer.bytes[13] ^= 0x20;
            assert_eq!(world.deliver(&sent, &answer), Err(Mismatch::Case));
            world.streams();
            world.silence(seconds(7));
            assert!(!matches!(world.ask(&ask), (_, reply) if contains(&reply, &forged)));
            world.silence(seconds(7));
        }
    }
    world.park(&Ask::new("bank.example", rtype::A));
    let counts = world.resolver.stats().upstream.mismatches;
    assert!(counts.id > 1_000 && counts.port > 1_000 && counts.server > 1_000);
    assert!(counts.question > 1_000 && counts.case > 10);
}

/// `cargo xtask soak` tries a million.
fn forgeries() -> u32 {
    let wanted = std::env::var("MODEL_STEPS").ok();
    wanted.map_or(100_000, |number| number.parse().unwrap())
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Found by fuzzing: the alias's name goes on in the TTL of its own record. As it came it read
/// `hm.~.`, and something else a second later.
#[test]
fn regression_a_name_that_leads_into_a_ttl_is_no_name() {
    let mut world = World::new();
    let ticket = world.park(&Ask::new("www.example.com", rtype::A));
    let sent = world.sent_one();
    let rdata = [2, b'h', b'm', 0xc0, 0];
    let mut answer =
        Answer::to(&sent.bytes).answer("www.example.com", rtype::CNAME, 0x017e_0084, &rdata);
    let ttl_at = answer.bytes.len() - rdata.len() - 6;
    *answer.bytes.last_mut().unwrap() = u8::try_from(ttl_at).unwrap();
    world.deliver(&sent, &answer).unwrap();
    world.accept(0);
    assert_eq!(rcode_of(&world.answered(ticket)), rcode::SERVFAIL);
}
