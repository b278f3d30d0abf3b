//! What becomes of failures (dns.md §2.6 no. 45; RFC 8767, 9520, 2308 §7).

use crate::common::*;
use dnscache::{Event, rcode, rtype};

fn www_a(query: &[u8]) -> Answer {
    Answer::to(query).a("www.example.com", 300, [192, 0, 2, 80])
}

fn ask() -> Ask {
    Ask::new("www.example.com", rtype::A).edns(1232)
}

/// A query that all servers leave without answer, to its end.
fn servfail(world: &mut World, ask: &Ask) {
    let ticket = world.park(ask);
    world.silence(seconds(5));
    assert_eq!(rcode_of(&world.answered(ticket)), rcode::SERVFAIL);
}

#[test]
fn dns_45_a_failure_is_remembered_for_a_second_at_first() {
    // RFC 9520 §3.2: "at least 1 second".
    let mut world = World::new();
    let ticket = world.park(&ask());
    world.fail_upstream(rcode::SERVFAIL);
    assert_eq!(rcode_of(&world.answered(ticket)), rcode::SERVFAIL);
    world.pass(millis(999));
    let hit = world.hit(&ask());
    // RFC 8914 §4.14: "Cached Error".
    assert_eq!(
        (rcode_of(&hit), extended_error(&hit)),
        (rcode::SERVFAIL, Some(13))
    );
    assert_eq!(world.resolver.stats().clients.failure_hits, 1);
    // It is of this type alone.
    world.park(&Ask::new("www.example.com", rtype::AAAA));
    world.pass(millis(1));
    world.park(&ask());
}

#[test]
fn dns_45_failures_in_a_row_are_remembered_twice_as_long_each_up_to_five_minutes() {
    // RFC 9520 §3.2: exponential backoff is RECOMMENDED, "MUST NOT ... longer than 5 minutes".
    let mut world = World::new();
    for life in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300] {
        world.park(&ask());
        world.fail_upstream(rcode::SERVFAIL);
        world.accept(0);
        world.pass(millis(life * 1000 - 1));
        world.hit(&ask());
        world.pass(millis(1));
    }
    // An answer ends the row.
    let ticket = world.park(&ask());
    let sent = world.sent_one();
    let short = Answer::to(&sent.bytes).a("www.example.com", 1, [192, 0, 2, 80]);
    world.reply(&sent, &short, 0);
    world.answered(ticket);
    world.resolver.flush(&name("www.example.com"), None);
    world.park(&ask());
    world.fail_upstream(rcode::SERVFAIL);
    world.pass(seconds(1));
    world.park(&ask());
}

#[test]
fn dns_56_a_failure_without_cd_does_not_answer_a_query_with_cd() {
    // RFC 6840 §5.9.
    let mut world = World::new();
    world.park(&ask());
    world.fail_upstream(rcode::SERVFAIL);
    world.hit(&ask());
    world.park(&ask().flags(0x0110));
}

#[test]
fn dns_45_an_expired_answer_is_given_when_no_server_answers() {
    // RFC 8767 §4: TTL above 0, 30 seconds RECOMMENDED; RFC 8914 §4.4.
    let mut world = World::new();
    world.exchange(&ask(), www_a);
    world.pass(seconds(300));
    let ticket = world.park(&ask());
    world.fail_upstream(rcode::SERVFAIL);
    let stale = world.answered(ticket);
    assert_eq!(
        (rcode_of(&stale), ttls(&stale), extended_error(&stale)),
        (rcode::NOERROR, vec![30], Some(3))
    );
    // RFC 8767 §5, failure recheck timer: no server is asked again for 30 seconds.
    world.pass(seconds(29));
    assert_eq!(ttls(&world.hit(&ask())), [30]);
    world.pass(seconds(1));
    world.park(&ask());
    assert_eq!(world.resolver.stats().clients.stale_replies, 2);
}

#[test]
fn dns_45_an_expired_denial_is_told_apart() {
    // RFC 8914 §4.20.
    let mut world = World::new();
    world.exchange(&ask(), |query| {
        Answer::to(query)
            .rcode(rcode::NXDOMAIN)
            .soa("example.com", 60, 60)
    });
    world.pass(seconds(60));
    let ticket = world.park(&ask());
    world.fail_upstream(rcode::REFUSED);
    let stale = world.answered(ticket);
    assert_eq!(
        (rcode_of(&stale), ttls(&stale), extended_error(&stale)),
        (rcode::NXDOMAIN, vec![30], Some(19))
    );
}

#[test]
fn dns_45_an_expired_answer_is_given_after_the_client_response_timer() {
    // RFC 8767 §5: 1.8 seconds RECOMMENDED; the question goes on.
    let mut world = World::new();
    world.exchange(&ask(), www_a);
    world.pass(seconds(300));
    let ticket = world.park(&ask());
    let mut ready_at = None;
    for step in 1..=30 {
        world.sent();
        world.pass(millis(100));
        if world.accept(0).contains(&Event::Ready { ticket }) {
            ready_at = Some(step * 100);
            break;
        }
    }
    assert_eq!(ready_at, Some(1_800));
    assert_eq!(extended_error(&world.answered(ticket)), Some(3));
}

#[test]
fn dns_45_an_expired_answer_needs_rd() {
    // RFC 8767 §5: "only if the query had the RD bit set".
    let mut world = World::new();
    world.exchange(&ask(), www_a);
    world.pass(seconds(300));
    let ticket = world.park(&ask().flags(0));
    world.fail_upstream(rcode::SERVFAIL);
    assert_eq!(rcode_of(&world.answered(ticket)), rcode::SERVFAIL);
}

#[test]
fn dns_45_an_expired_answer_never_stands_in_for_a_fresh_denial() {
    // coredns#3586, unbound#1175.
    let mut world = World::new();
    world.exchange(&ask(), www_a);
    world.pass(seconds(300));
    let reply = world.exchange(&ask(), |query| {
        Answer::to(query)
            .rcode(rcode::NXDOMAIN)
            .soa("example.com", 60, 60)
    });
    assert_eq!(rcode_of(&reply), rcode::NXDOMAIN);
    // Nor for one that another type's question brought.
    let mut world = World::new();
    world.exchange(&ask(), www_a);
    world.pass(seconds(300));
    world.exchange(&Ask::new("www.example.com", rtype::AAAA), |query| {
        Answer::to(query)
            .rcode(rcode::NXDOMAIN)
            .soa("example.com", 60, 60)
    });
    assert_eq!(rcode_of(&world.hit(&ask())), rcode::NXDOMAIN);
}

#[test]
fn dns_45_an_expired_answer_ends_with_its_window() {
    let mut world = World::with(|config| config.stale = seconds(3_600));
    world.exchange(&ask(), www_a);
    world.pass(seconds(300 + 3_600));
    servfail(&mut world, &ask());
}

#[test]
fn dns_45_a_derived_answer_is_never_given_stale() {
    let mut world = World::new();
    world.policy = 1;
    let asked = Ask::new("six.example.com", rtype::A);
    let ticket = world.park(&asked);
    let sent = world.sent_one();
    let none = Answer::to(&sent.bytes).soa("example.com", 60, 60);
    world.reply(&sent, &none, 1);
    let _ = world.answer(ticket);
    let derived = Answer::to(&asked.bytes()).a("six.example.com", 30, [198, 18, 0, 1]);
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
    assert!(matches!(verdict, dnscache::Verdict::Reply(_)));
    world.hit(&asked);
    world.pass(seconds(60));
    let ticket = world.park(&asked);
    world.fail_upstream(rcode::SERVFAIL);
    // What is there to derive from has expired, so it is derived anew.
    assert_eq!(world.answer(ticket).0, dnscache::Verdict::Derive(ticket));
}

#[test]
fn dns_38_the_servers_own_reason_reaches_the_client() {
    // RFC 8914 §3: a forwarder may pass on what it received, such as 6, "DNSSEC Bogus".
    let mut world = World::new();
    let ticket = world.park(&ask());
    let sent = world.sent_one();
    let bogus = Answer::to(&sent.bytes)
        .rcode(rcode::SERVFAIL)
        .opt(0, &[0, 15, 0, 2, 0, 6]);
    world.deliver(&sent, &bogus).unwrap();
    world.accept(0);
    let reply = world.answered(ticket);
    assert_eq!(
        (rcode_of(&reply), extended_error(&reply)),
        (rcode::SERVFAIL, Some(6))
    );
}

#[test]
fn a_failed_prefetch_leaves_the_answer_as_it_is() {
    let mut world = World::new();
    world.exchange(&ask(), www_a);
    world.hit(&ask());
    world.pass(seconds(280));
    world.hit(&ask());
    world.fail_upstream(rcode::SERVFAIL);
    world.accept(0);
    assert_eq!(ttls(&world.hit(&ask())), [20]);
}
