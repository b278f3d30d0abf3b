//! The way of a query: cache, coalescing, derived answers, deadlines.

use crate::common::*;
use dnscache::{
    DropReason, Event, Fetch, ForwardZone, Transport, Unmatched, Verdict, rcode, rtype,
};

fn www_a(query: &[u8]) -> Answer {
    Answer::to(query).a("www.example.com", 300, [192, 0, 2, 80])
}

#[test]
fn a_miss_is_asked_upstream_and_a_hit_is_not() {
    let mut world = World::new();
    let ask = Ask::new("www.example.com", rtype::A);
    let first = world.exchange(&ask, www_a);
    assert_eq!(ttls(&first), [300]);
    world.pass(seconds(100));
    let second = world.hit(&ask.clone().id(0xbeef));
    assert_eq!(ttls(&second), [200]);
    assert_eq!(second[..2], [0xbe, 0xef]);
    assert!(world.sent().is_empty());
    world.pass(seconds(199));
    assert_eq!(ttls(&world.hit(&ask)), [1]);
    world.pass(seconds(1));
    world.park(&ask);
}

#[test]
fn the_first_reply_differs_from_the_upstreams_in_id_flags_case_and_opt_only() {
    let mut world = World::new();
    let ask = Ask::new("WwW.exAmple.com", rtype::A).edns(4096).id(0x0102);
    let ticket = world.park(&ask);
    let sent = world.sent_one();
    let upstream = Answer::to(&sent.bytes)
        .cname("www.example.com", 60, "cdn.example.net")
        .a("cdn.example.net", 30, [192, 0, 2, 1])
        .a("cdn.example.net", 30, [192, 0, 2, 2])
        .authority("example.net", rtype::NS, 900, &cased_wire("ns.example.net"))
        .additional("ns.example.net", rtype::A, 900, &[192, 0, 2, 3])
        .opt(0, &[]);
    world.reply(&sent, &upstream, 0);
    let reply = world.answered(ticket);
    let mut expected = upstream.bytes.clone();
    expected[..4].copy_from_slice(&[1, 2, 0x81, 0x80]);
    let question = cased_wire("WwW.exAmple.com");
    expected[12..12 + question.len()].copy_from_slice(&question);
    assert_eq!(reply, expected);
}

#[test]
fn equal_questions_are_asked_once() {
    let mut world = World::new();
    let first = world.park(&Ask::new("www.example.com", rtype::A).id(1));
    let second = world.park(&Ask::new("WWW.example.com", rtype::A).id(2));
    let sent = world.sent_one();
    world.reply(&sent, &www_a(&sent.bytes), 0);
    assert_eq!(world.answered(first)[..2], [0, 1]);
    let reply = world.answered(second);
    assert_eq!(reply[..2], [0, 2]);
    assert_eq!(reply[13..16], *b"WWW");
    assert_eq!(world.resolver.stats().upstream.coalesced, 1);
}

#[test]
fn dns46_flow_ends_in_a_derived_answer_that_is_an_ordinary_hit_next_time() {
    let mut world = World::new();
    world.policy = 1;
    let ask = Ask::new("six.example.com", rtype::A);
    let ticket = world.park(&ask);
    let sent = world.sent_one();
    world.reply(
        &sent,
        &Answer::to(&sent.bytes).soa("example.com", 900, 60),
        1,
    );
    assert_eq!(world.answer(ticket).0, Verdict::Derive(ticket));
    assert_eq!(world.resolver.tag(ticket), Some(1));
    assert_eq!(
        world.resolver.fetch(world.now, ticket, rtype::AAAA),
        Fetch::Waiting
    );
    assert_eq!(world.answer(ticket).0, Verdict::Parked(ticket));
    let sent = world.sent_one();
    let v6 = Answer::to(&sent.bytes).answer("six.example.com", rtype::AAAA, 120, &[0x20; 16]);
    world.deliver(&sent, &v6).unwrap();
    let events = world.accept(0);
    assert_eq!(events, [Event::Ready { ticket }]);
    assert_eq!(world.answer(ticket).0, Verdict::Derive(ticket));
    let Fetch::Answer { plain, other } = world.resolver.fetch(world.now, ticket, rtype::AAAA)
    else {
        panic!("both answers are here");
    };
    assert_eq!(decode(plain).authorities.len(), 1);
    assert_eq!(decode(other).answers.len(), 1);
    let derived = Answer::to(&ask.bytes())
        .a("six.example.com", 30, [198, 18, 0, 1])
        .authentic();
    let mut out = [0; 512];
    let verdict = world.resolver.derive(
        world.now,
        ticket,
        &derived.bytes,
        seconds(30),
        true,
        None,
        &mut out,
    );
    let Verdict::Reply(length) = verdict else {
        panic!("{verdict:?}")
    };
    assert_eq!(ttls(&out[..length]), [30]);
    // RFC 6147 §5.5: AD is never set on what was synthesized.
    assert_eq!(out[3] & 0x20, 0);
    world.pass(seconds(10));
    assert_eq!(ttls(&world.hit(&ask)), [20]);
    assert_eq!(world.resolver.stats().clients.derived_hits, 1);
    // A client without policy gets the plain answer; CD=1 is never derived for.
    world.policy = 0;
    assert!(decode(&world.hit(&ask)).answers.is_empty());
    world.policy = 1;
    world.park(&ask.clone().flags(0x0110));
    // The derived answer is over with its TTL, the plain one is not.
    world.pass(seconds(20));
    assert!(matches!(world.ask(&ask).0, Verdict::Derive(_)));
}

#[test]
fn a_derived_answer_does_not_outlive_its_generation() {
    let mut world = World::new();
    world.policy = 2;
    let ask = Ask::new("six.example.com", rtype::A);
    let ticket = world.park(&ask);
    let sent = world.sent_one();
    world.reply(
        &sent,
        &Answer::to(&sent.bytes).soa("example.com", 900, 60),
        1,
    );
    let _ = world.answer(ticket);
    let derived = Answer::to(&ask.bytes()).a("six.example.com", 30, [198, 18, 0, 1]);
    let mut out = [0; 512];
    let verdict = world.resolver.derive(
        world.now,
        ticket,
        &derived.bytes,
        seconds(30),
        true,
        None,
        &mut out,
    );
    assert!(matches!(verdict, Verdict::Reply(_)));
    world.hit(&ask);
    world.resolver.invalidate_derived();
    assert!(matches!(world.ask(&ask).0, Verdict::Derive(_)));
}

#[test]
fn a_second_ticket_takes_what_was_derived_for_the_first() {
    let mut world = World::new();
    world.policy = 1;
    let ask = Ask::new("six.example.com", rtype::A);
    let (first, second) = (world.park(&ask), world.park(&ask.clone().id(2)));
    let sent = world.sent_one();
    world.reply(
        &sent,
        &Answer::to(&sent.bytes).soa("example.com", 900, 60),
        1,
    );
    assert_eq!(world.answer(first).0, Verdict::Derive(first));
    assert_eq!(world.answer(second).0, Verdict::Derive(second));
    let derived = Answer::to(&ask.bytes()).a("six.example.com", 30, [198, 18, 0, 1]);
    let mut out = [0; 512];
    let verdict = world.resolver.derive(
        world.now,
        first,
        &derived.bytes,
        seconds(30),
        true,
        None,
        &mut out,
    );
    assert!(matches!(verdict, Verdict::Reply(_)));
    assert_eq!(ttls(&world.answered(second)), [30]);
}

#[test]
fn a_ticket_that_nobody_derives_ends_in_servfail_in_time() {
    let mut world = World::new();
    world.policy = 1;
    let ask = Ask::new("six.example.com", rtype::A);
    let ticket = world.park(&ask);
    let sent = world.sent_one();
    world.reply(
        &sent,
        &Answer::to(&sent.bytes).soa("example.com", 900, 60),
        1,
    );
    assert_eq!(world.answer(ticket).0, Verdict::Derive(ticket));
    world.pass(millis(4_500));
    assert_eq!(world.accept(0), [Event::Ready { ticket }]);
    assert_eq!(rcode_of(&world.answered(ticket)), rcode::SERVFAIL);
    assert_eq!(
        world.answer(ticket).0,
        Verdict::Drop(DropReason::UnknownTicket)
    );
    // Nothing but the idle cache is left.
    assert_eq!(world.resolver.parked(), 0);
    assert_eq!(world.resolver.poll_timeout(), None);
}

#[test]
fn a_ticket_that_nobody_answers_goes_by_itself() {
    let mut world = World::new();
    let ticket = world.park(&Ask::new("www.example.com", rtype::A));
    for _ in 0..100 {
        world.pass(millis(100));
        world.sent();
    }
    assert_eq!(world.resolver.parked(), 0);
    assert_eq!(
        world.answer(ticket).0,
        Verdict::Drop(DropReason::UnknownTicket)
    );
}

#[test]
fn a_refused_ticket_tells_why() {
    let mut world = World::new();
    world.policy = 1;
    let ask = Ask::new("six.example.com", rtype::A).edns(1232);
    let ticket = world.park(&ask);
    let sent = world.sent_one();
    world.reply(
        &sent,
        &Answer::to(&sent.bytes).soa("example.com", 900, 60),
        1,
    );
    let _ = world.answer(ticket);
    let mut out = [0; 512];
    let error = Some(dnscache::ExtendedError {
        code: 0,
        text: "pool is full",
    });
    let verdict = world
        .resolver
        .refuse(world.now, ticket, rcode::SERVFAIL, error, &mut out);
    let Verdict::Reply(length) = verdict else {
        panic!("{verdict:?}")
    };
    assert_eq!(rcode_of(&out[..length]), rcode::SERVFAIL);
    assert_eq!(extended_error(&out[..length]), Some(0));
    assert!(out[..length].ends_with(b"pool is full"));
}

#[test]
fn the_longest_zone_is_asked() {
    let mut world = World::with(|config| {
        config.zones.push(ForwardZone::new(
            name("corp.example"),
            vec![address("192.0.2.1:53")],
        ));
        config.zones.push(ForwardZone::new(
            name("a.corp.example"),
            vec![address("192.0.2.2:5353")],
        ));
        config
            .zones
            .push(ForwardZone::new(name("dead.example"), vec![]));
    });
    for (asked, server) in [
        ("www.example", "192.0.2.53:53"),
        ("corp.example", "192.0.2.1:53"),
        ("b.corp.example", "192.0.2.1:53"),
        ("X.A.CORP.example", "192.0.2.2:5353"),
        ("xcorp.example", "192.0.2.53:53"),
    ] {
        world.park(&Ask::new(asked, rtype::A));
        assert_eq!(
            world.sent_one().transmit.destination,
            address(server),
            "{asked}"
        );
    }
    let reply = world.hit(&Ask::new("www.dead.example", rtype::A).edns(1232));
    assert_eq!(
        (rcode_of(&reply), extended_error(&reply)),
        (rcode::SERVFAIL, Some(0))
    );
}

#[test]
fn a_name_under_no_zone_is_refused_failed_or_forwarded_uncached() {
    let ask = Ask::new("www.example.com", rtype::A).edns(1232);
    let mut world = World::with(|config| config.zones.clear());
    let reply = world.hit(&ask);
    assert_eq!(
        (rcode_of(&reply), extended_error(&reply)),
        (rcode::REFUSED, Some(18))
    );
    let mut world = World::with(|config| {
        config.zones.clear();
        config.unmatched = Unmatched::ServFail;
    });
    assert_eq!(rcode_of(&world.hit(&ask)), rcode::SERVFAIL);
    let mut world = World::with(|config| {
        config.zones.clear();
        config.unmatched = Unmatched::Forward(vec![address("192.0.2.9:53")]);
    });
    assert_eq!(ttls(&world.exchange(&ask, www_a)), [300]);
    world.park(&ask);
}

#[test]
fn a_zone_that_is_not_cached_is_asked_each_time() {
    let mut world = World::with(|config| config.zones[0].cached = false);
    let ask = Ask::new("www.example.com", rtype::A);
    world.exchange(&ask, www_a);
    world.exchange(&ask, www_a);
}

#[test]
fn queries_that_wait_are_bounded_in_total_and_per_client() {
    let mut world = World::with(|config| {
        config.parked = 3;
        config.parked_per_client = 2;
    });
    world.park(&Ask::new("a.example", rtype::A));
    world.park(&Ask::new("b.example", rtype::A));
    let (verdict, _) = world.ask(&Ask::new("c.example", rtype::A));
    assert_eq!(verdict, Verdict::Drop(DropReason::ClientOverloaded));
    world.client.address = address("10.0.0.10:4000");
    world.park(&Ask::new("c.example", rtype::A));
    let (verdict, _) = world.ask(&Ask::new("d.example", rtype::A));
    assert_eq!(verdict, Verdict::Drop(DropReason::Overloaded));
    assert_eq!(world.resolver.stats().clients.drops.client_overloaded, 1);
    assert_eq!(world.resolver.stats().clients.drops.overloaded, 1);
}

#[test]
fn dns_46_over_the_rate_limit_queries_are_dropped_and_never_refused() {
    let mut world = World::with(|config| config.rate_limit = 10);
    let ask = Ask::new("www.example.com", rtype::A);
    world.exchange(&ask, www_a);
    let mut answered = 1;
    for _ in 0..100 {
        match world.ask(&ask) {
            (Verdict::Reply(_), reply) => {
                assert_eq!(rcode_of(&reply), rcode::NOERROR);
                answered += 1;
            }
            (verdict, _) => assert_eq!(verdict, Verdict::Drop(DropReason::RateLimited)),
        }
    }
    assert_eq!(answered, 10);
    world.pass(seconds(1) / 10);
    world.hit(&ask);
    assert_eq!(world.ask(&ask).0, Verdict::Drop(DropReason::RateLimited));
}

#[test]
fn dns_46_over_the_limit_a_truncated_reply_can_be_had() {
    let mut world = World::with(|config| {
        config.client_rate_limit = 1;
        config.limited_truncate = true;
    });
    let ask = Ask::new("www.example.com", rtype::A);
    world.park(&ask);
    let reply = world.hit(&ask);
    assert_eq!((reply[2] & 0x02, rcode_of(&reply)), (0x02, rcode::NOERROR));
    world.client.transport = Transport::Tcp;
    assert_eq!(world.ask(&ask).0, Verdict::Drop(DropReason::RateLimited));
    world.client.address = address("10.0.1.9:4000");
    world.park(&ask);
}
