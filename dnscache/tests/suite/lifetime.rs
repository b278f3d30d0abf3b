//! For how long an answer holds (dns.md §2.2; RFC 2181, 2308, 8020, 8767).

use crate::common::*;
use dnscache::{Verdict, rcode, rtype};

fn www_a(query: &[u8]) -> Answer {
    Answer::to(query).a("www.example.com", 300, [192, 0, 2, 80])
}

fn denial(query: &[u8]) -> Answer {
    Answer::to(query)
        .rcode(rcode::NXDOMAIN)
        .soa("example.com", 900, 60)
}

#[test]
fn dns_14_ttls_within_a_record_set_are_all_its_least() {
    // RFC 2181 §5.2: "In no case may a server send an RRSet with TTLs not all equal."
    let mut world = World::new();
    let ask = Ask::new("www.example.com", rtype::A);
    let first = world.exchange(&ask, |query| {
        Answer::to(query)
            .cname("www.example.com", 900, "cdn.example.net")
            .a("cdn.example.net", 600, [192, 0, 2, 1])
            .a("CDN.example.net", 60, [192, 0, 2, 2])
            .a("cdn.example.net", 300, [192, 0, 2, 3])
    });
    assert_eq!(ttls(&first), [900, 60, 60, 60]);
    world.pass(seconds(10));
    assert_eq!(ttls(&world.hit(&ask)), [890, 50, 50, 50]);
}

#[test]
fn dns_14_signatures_have_the_ttl_of_what_they_cover() {
    // RFC 4034 §3: signatures of one owner over several types are no set of one TTL.
    let mut world = World::new();
    let ask = Ask {
        edns: Some((1232, 0x8000)),
        ..Ask::new("www.example.com", rtype::A)
    };
    let over = |covered: u16| {
        let mut rdata = covered.to_be_bytes().to_vec();
        rdata.extend([0; 16]);
        rdata.extend(cased_wire("example.com"));
        rdata
    };
    let first = world.exchange(&ask, |query| {
        Answer::to(query)
            .a("www.example.com", 600, [192, 0, 2, 1])
            .answer("www.example.com", rtype::RRSIG, 600, &over(rtype::A))
            .answer("www.example.com", rtype::RRSIG, 60, &over(rtype::NSEC))
    });
    assert_eq!(ttls(&first), [600, 600, 60]);
}

#[test]
fn dns_15_a_ttl_with_the_first_bit_set_is_large_and_capped() {
    // RFC 8767 §4: positive rather than 0, capped at 604,800 seconds.
    for ttl in [0x8000_0000, u32::MAX, 0x7fff_ffff, 604_801] {
        let mut world = World::new();
        let ask = Ask::new("www.example.com", rtype::A);
        let first = world.exchange(&ask, |query| {
            Answer::to(query).a("www.example.com", ttl, [192, 0, 2, 80])
        });
        assert_eq!(ttls(&first), [604_800], "{ttl}");
        assert_eq!(ttls(&world.hit(&ask)), [86_400]);
    }
}

#[test]
fn dns_15_ttl_0_is_given_once_and_ends_what_was_kept() {
    let mut world = World::new();
    let ask = Ask::new("www.example.com", rtype::A);
    world.exchange(&ask, denial);
    world.pass(seconds(60));
    let none = |query: &[u8]| Answer::to(query).a("www.example.com", 0, [192, 0, 2, 80]);
    assert_eq!(ttls(&world.exchange(&ask, none)), [0]);
    // unbound#860: nor may the stale denial come back when no server answers.
    let ticket = world.park(&ask);
    world.silence(seconds(5));
    assert_eq!(rcode_of(&world.answered(ticket)), rcode::SERVFAIL);
}

#[test]
fn dns_16_the_soa_of_a_denial_counts_down() {
    // RFC 2308 §6: "it MUST be decremented" and "MUST be added".
    let mut world = World::new();
    let ask = Ask::new("no.example.com", rtype::A);
    world.exchange(&ask, denial);
    world.pass(seconds(25));
    let hit = world.hit(&ask);
    assert_eq!((rcode_of(&hit), ttls(&hit)), (rcode::NXDOMAIN, vec![35]));
    world.pass(seconds(34));
    assert_eq!(ttls(&world.hit(&ask)), [1]);
    world.pass(seconds(1));
    world.park(&ask);
}

#[test]
fn dns_16_ttls_count_down_by_whole_seconds_and_opt_flags_do_not() {
    // RFC 6891 §6.1.3: the TTL field of OPT is flags.
    let mut world = World::new();
    let ask = Ask {
        edns: Some((1232, 0x8000)),
        ..Ask::new("www.example.com", rtype::A)
    };
    world.exchange(&ask, |query| www_a(query).opt(0, &[]));
    world.pass(millis(1_999));
    let hit = world.hit(&ask);
    assert_eq!(ttls(&hit), [299]);
    assert_eq!(hit[hit.len() - 6..], [0, 0, 0x80, 0, 0, 0]);
}

#[test]
fn dns_54_a_denied_name_is_denied_for_all_types_and_no_data_for_one() {
    // RFC 2308 §5.
    let mut world = World::new();
    world.exchange(&Ask::new("no.example.com", rtype::A), denial);
    let other = world.hit(&Ask::new("no.example.com", rtype::AAAA));
    assert_eq!(rcode_of(&other), rcode::NXDOMAIN);
    let ask = Ask::new("www.example.com", rtype::AAAA);
    world.exchange(&ask, |query| Answer::to(query).soa("example.com", 900, 60));
    assert!(decode(&world.hit(&ask)).answers.is_empty());
    world.park(&Ask::new("www.example.com", rtype::A));
}

#[test]
fn dns_54_a_denial_without_soa_is_not_kept() {
    // RFC 2308 §5: "Negative responses without SOA records SHOULD NOT be cached".
    for code in [rcode::NXDOMAIN, rcode::NOERROR] {
        let mut world = World::new();
        let ask = Ask::new("no.example.com", rtype::A);
        let reply = world.exchange(&ask, |query| Answer::to(query).rcode(code));
        assert_eq!(rcode_of(&reply), code);
        world.park(&ask);
    }
}

#[test]
fn dns_54_a_denial_holds_for_the_lesser_of_soa_ttl_and_minimum_and_three_hours_at_most() {
    for (ttl, minimum, life) in [
        (900, 60, 60),
        (60, 900, 60),
        (86_400, 86_400, 10_800),
        (0xffff_ffff, 0xffff_ffff, 10_800),
    ] {
        let mut world = World::new();
        let ask = Ask::new("no.example.com", rtype::A);
        world.exchange(&ask, |query| {
            Answer::to(query)
                .rcode(rcode::NXDOMAIN)
                .soa("example.com", ttl, minimum)
        });
        assert_eq!(ttls(&world.hit(&ask)), [life], "{ttl} {minimum}");
        world.pass(seconds(u64::from(life)));
        world.park(&ask);
    }
}

#[test]
fn dns_3_a_chain_that_ends_in_a_denied_name_denies_the_last_name_only() {
    // RFC 2308 §2.1, RFC 6604 §3: the response code is that of the last name.
    let mut world = World::with(|config| config.name_error_cut = true);
    let ask = Ask::new("www.example.com", rtype::A);
    let reply = world.exchange(&ask, |query| {
        Answer::to(query)
            .rcode(rcode::NXDOMAIN)
            .cname("www.example.com", 300, "gone.example.net")
            .soa("example.net", 900, 60)
    });
    assert_eq!(rcode_of(&reply), rcode::NXDOMAIN);
    let hit = world.hit(&ask);
    assert_eq!(decode(&hit).answers.len(), 1);
    world.park(&Ask::new("www.example.com", rtype::TXT));
    world.park(&Ask::new("below.www.example.com", rtype::A));
}

#[test]
fn dns_55_a_new_reply_replaces_whole_sets() {
    // RFC 2181 §5.4: sets are never merged.
    let mut world = World::new();
    let ask = Ask::new("www.example.com", rtype::A);
    world.exchange(&ask, www_a);
    world.pass(seconds(300));
    world.exchange(&ask, |query| {
        Answer::to(query).a("www.example.com", 300, [192, 0, 2, 81])
    });
    let hit = world.hit(&ask);
    assert_eq!(decode(&hit).answers.len(), 1);
    assert!(hit.ends_with(&[192, 0, 2, 81]));
}

#[test]
fn dns_55_additional_and_authority_data_never_become_answers() {
    // RFC 2181 §5.4.1.
    let mut world = World::new();
    world.exchange(&Ask::new("example.com", rtype::NS), |query| {
        Answer::to(query)
            .answer("example.com", rtype::NS, 300, &cased_wire("ns.example.com"))
            .additional("ns.example.com", rtype::A, 300, &[192, 0, 2, 3])
    });
    world.park(&Ask::new("ns.example.com", rtype::A));
}

#[test]
fn rfc8020_2_a_denied_name_cuts_what_is_below_it() {
    let mut world = World::with(|config| config.name_error_cut = true);
    world.exchange(&Ask::new("no.example.com", rtype::A), denial);
    world.pass(seconds(20));
    let below = Ask::new("a.b.no.example.com", rtype::TXT);
    let reply = world.hit(&below);
    assert_eq!(
        (rcode_of(&reply), ttls(&reply)),
        (rcode::NXDOMAIN, vec![40])
    );
    assert_eq!(
        decode(&reply).queries[0].name().to_string(),
        "a.b.no.example.com."
    );
    world.park(&Ask::new("xno.example.com", rtype::A));
    // The cut ends with the denial.
    world.pass(seconds(40));
    world.park(&below);
    // It is a choice.
    let mut world = World::new();
    world.exchange(&Ask::new("no.example.com", rtype::A), denial);
    world.park(&below);
}

#[test]
fn rfc8020_3_1_no_data_of_an_empty_non_terminal_cuts_nothing() {
    let mut world = World::with(|config| config.name_error_cut = true);
    world.exchange(&Ask::new("ent.example.com", rtype::A), |query| {
        Answer::to(query).soa("example.com", 900, 60)
    });
    world.park(&Ask::new("a.ent.example.com", rtype::A));
}

#[test]
fn popular_answers_are_prefetched_in_the_last_tenth_of_their_life() {
    let mut world = World::new();
    let ask = Ask::new("www.example.com", rtype::A);
    world.exchange(&ask, www_a);
    world.hit(&ask);
    world.pass(seconds(269));
    world.hit(&ask);
    assert!(world.sent().is_empty(), "not before");
    world.pass(seconds(1));
    assert_eq!(ttls(&world.hit(&ask)), [30]);
    let sent = world.sent_one();
    world.hit(&ask);
    assert!(world.sent().is_empty(), "asked once");
    world.reply(&sent, &www_a(&sent.bytes), 0);
    assert_eq!(ttls(&world.hit(&ask)), [300]);
    assert_eq!(world.resolver.stats().upstream.prefetched, 1);
}

#[test]
fn what_is_asked_for_once_or_without_the_option_is_not_prefetched() {
    let mut world = World::new();
    let ask = Ask::new("www.example.com", rtype::A);
    world.exchange(&ask, www_a);
    world.pass(seconds(290));
    world.hit(&ask);
    assert!(world.sent().is_empty());
    let mut world = World::with(|config| config.prefetch = false);
    world.exchange(&ask, www_a);
    world.hit(&ask);
    world.pass(seconds(290));
    world.hit(&ask);
    assert!(world.sent().is_empty());
}

#[test]
fn ttls_are_as_received_but_for_floor_and_ceiling_where_set() {
    let mut world = World::with(|config| {
        config.ttl_floor = seconds(30);
        config.ttl_ceiling = seconds(600);
    });
    for (name, ttl, kept) in [
        ("a.example", 5, 30),
        ("b.example", 300, 300),
        ("c.example", 3600, 600),
    ] {
        let ask = Ask::new(name, rtype::A);
        world.exchange(&ask, |query| Answer::to(query).a(name, ttl, [192, 0, 2, 1]));
        assert_eq!(ttls(&world.hit(&ask)), [kept], "{name}");
    }
}

#[test]
fn answers_are_flushed_by_name_suffix_and_type() {
    let mut world = World::new();
    let asks = [
        Ask::new("www.example.com", rtype::A),
        Ask::new("www.example.com", rtype::AAAA),
        Ask::new("a.www.example.com", rtype::A),
        Ask::new("example.org", rtype::A),
    ];
    let fill = |world: &mut World| {
        for ask in &asks {
            if let (Verdict::Parked(_), _) = world.ask(ask) {
                let sent = world.sent_one();
                let reply = Answer::to(&sent.bytes).answer(&ask.name, ask.rtype, 300, &[0; 16]);
                world.reply(&sent, &reply, 0);
            }
        }
    };
    fill(&mut world);
    assert_eq!(
        world
            .resolver
            .flush(&name("WWW.example.com"), Some(rtype::A)),
        1
    );
    world.hit(&asks[1]);
    fill(&mut world);
    assert_eq!(world.resolver.flush(&name("www.example.com"), None), 2);
    world.hit(&asks[2]);
    fill(&mut world);
    assert_eq!(world.resolver.flush_zone(&name("example.com")), 3);
    world.hit(&asks[3]);
    fill(&mut world);
    // Place by place it is the same.
    let slots = world.resolver.slots();
    let mut flush = |slot: u32| {
        let zone = name("example.com");
        world.resolver.flush_zone_in(slot..slot + 1, &zone)
    };
    assert_eq!((0..slots).map(&mut flush).sum::<usize>(), 3);
    assert_eq!(flush(slots), 0);
    world.hit(&asks[3]);
    assert_eq!(world.resolver.flush_zone(&name(".")), 1);
}
