//! What gives way when the cache is full (dns.md §3, "Recipe").

use crate::common::*;
use dnscache::rtype;

fn host(number: u32) -> Ask {
    Ask::new(&format!("host{number:05}.example.com"), rtype::A)
}

fn fill(world: &mut World, numbers: core::ops::Range<u32>) {
    for number in numbers {
        let ask = host(number);
        world.exchange(&ask, |query| {
            Answer::to(query).a(&ask.name, 3_600, [192, 0, 2, 1])
        });
    }
}

fn is_kept(world: &mut World, number: u32) -> bool {
    matches!(world.ask(&host(number)).0, dnscache::Verdict::Reply(_))
}

#[test]
fn recipe_the_budget_is_of_bytes_and_never_exceeded() {
    let mut world = World::with(|config| config.message_bytes = 20_000);
    for number in 0..1_000 {
        fill(&mut world, number..number + 1);
        assert!(world.resolver.stats().cache.message_bytes <= 20_000);
    }
    let stats = world.resolver.stats().cache.clone();
    assert!((100..200).contains(&stats.entries), "{stats:?}");
    assert_eq!(stats.insertions, 1_000);
    assert_eq!(stats.evicted_for_room as usize, 1_000 - stats.entries);
}

#[test]
fn recipe_what_was_asked_for_again_outlives_what_was_not() {
    let mut world = World::with(|config| config.message_bytes = 20_000);
    fill(&mut world, 0..50);
    for number in (0..50).step_by(5) {
        assert!(is_kept(&mut world, number));
    }
    // Hosts that are asked for once pass through.
    fill(&mut world, 1_000..1_120);
    let kept: Vec<u32> = (0..50)
        .filter(|number| is_kept(&mut world, *number))
        .collect();
    assert!(
        (0..50).step_by(5).all(|number| kept.contains(&number)),
        "{kept:?}"
    );
    assert!(kept.len() < 25, "{kept:?}");
}

#[test]
fn recipe_denials_have_their_own_room() {
    let mut world = World::with(|config| config.negative_bytes = 20_000);
    fill(&mut world, 0..50);
    for number in 1_000..2_000 {
        world.exchange(&host(number), |query| {
            Answer::to(query).soa("example.com", 300, 300).rcode(3)
        });
    }
    assert!(world.resolver.stats().cache.negative_bytes <= 20_000);
    assert!((0..50).all(|number| is_kept(&mut world, number)));
}

#[test]
fn recipe_what_has_expired_gives_way_first() {
    let mut world = World::with(|config| {
        config.message_bytes = 20_000;
        config.stale = seconds(0);
    });
    fill(&mut world, 0..50);
    assert!((0..50).all(|number| is_kept(&mut world, number)));
    world.pass(seconds(4_000));
    fill(&mut world, 1_000..1_200);
    let stats = world.resolver.stats().cache;
    assert_eq!(
        stats.evicted_expired, 50,
        "though they were asked for again"
    );
}

#[test]
fn dns_46_hits_do_not_count_against_what_may_be_in_flight() {
    let mut world = World::with(|config| {
        config.in_flight = 1;
        config.parked = 1;
    });
    fill(&mut world, 0..1);
    world.park(&host(1));
    for _ in 0..100 {
        assert!(is_kept(&mut world, 0));
    }
}
