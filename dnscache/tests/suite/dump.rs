//! The cache as bytes, and as a cache again.

use crate::common::*;
use dnscache::{Config, DumpCursor, ForwardZone, LoadError, Loaded, Resolver, rcode, rtype};

fn dumped(world: &World) -> Vec<u8> {
    let mut cursor = DumpCursor::default();
    let mut bytes = vec![0; Resolver::DUMP_LEN];
    let length = world.resolver.dump(world.now, &mut cursor, &mut bytes);
    assert!(cursor.is_done());
    bytes.truncate(length);
    bytes
}

/// An alias with an address, a type that is absent, and a name that is.
fn filled() -> World {
    let mut world = World::new();
    world.exchange(&Ask::new("www.example.com", rtype::A), |query| {
        Answer::to(query)
            .cname("www.example.com", 900, "cdn.example.net")
            .a("cdn.example.net", 600, [192, 0, 2, 1])
    });
    world.exchange(&Ask::new("www.example.com", rtype::MX), |query| {
        Answer::to(query).soa("example.com", 900, 600)
    });
    world.exchange(&Ask::new("none.example.com", rtype::A), |query| {
        Answer::to(query)
            .rcode(rcode::NXDOMAIN)
            .soa("example.com", 900, 600)
    });
    world
}

fn asks() -> [Ask; 4] {
    [
        Ask::new("www.example.com", rtype::A),
        Ask::new("WWW.example.com", rtype::MX),
        Ask::new("none.example.com", rtype::A),
        Ask::new("none.example.com", rtype::AAAA),
    ]
}

#[test]
fn what_was_dumped_is_answered_with_the_ttls_that_are_left() {
    let mut old = filled();
    old.pass(seconds(100));
    let bytes = dumped(&old);
    let mut new = World::new();
    // Half a minute passed between the two.
    let loaded = new.resolver.load(new.now, seconds(30), &bytes).unwrap();
    assert_eq!((loaded.added, loaded.damaged), (3, 0));
    old.pass(seconds(30));
    for ask in asks() {
        assert_eq!(old.hit(&ask), new.hit(&ask));
    }
    let again = new.resolver.load(new.now, seconds(30), &bytes).unwrap();
    assert_eq!((again.added, again.known), (0, 3));
}

#[test]
fn what_has_expired_meanwhile_is_not_answered() {
    let bytes = dumped(&filled());
    let mut new = World::new();
    let loaded = new.resolver.load(new.now, seconds(601), &bytes).unwrap();
    assert_eq!(loaded.added, 0);
}

#[test]
fn what_is_under_no_cached_zone_is_not_loaded() {
    let bytes = dumped(&filled());
    let mut config = Config::default();
    let mut zone = ForwardZone::new(name("com"), vec![address("192.0.2.53:53")]);
    zone.cached = false;
    config.zones.push(zone);
    let mut resolver = Resolver::new(config, [7; 32]);
    let loaded = resolver.load(seconds(0), seconds(0), &bytes).unwrap();
    assert_eq!((loaded.added, loaded.foreign), (0, 3));
}

#[test]
fn damage_is_found_and_the_rest_is_loaded() {
    let bytes = dumped(&filled());
    for at in 8..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x55;
        let mut new = World::new();
        let loaded = new.resolver.load(new.now, seconds(0), &damaged).unwrap();
        assert!(loaded.damaged >= 1 && loaded.added <= 2, "{at}: {loaded:?}");
    }
    let mut new = World::new();
    for length in 8..bytes.len() {
        let loaded = new
            .resolver
            .load(new.now, seconds(0), &bytes[..length])
            .unwrap();
        assert!(loaded.added + loaded.known < 3);
    }
}

#[test]
fn other_bytes_are_no_dump() {
    let mut world = World::new();
    let now = world.now;
    let mut load = |bytes: &[u8]| world.resolver.load(now, seconds(0), bytes);
    assert_eq!(load(b"DNSCACH"), Err(LoadError::NoDump));
    assert_eq!(load(b"SNATPOL\x01"), Err(LoadError::NoDump));
    let newer = LoadError::Version { found: 2 };
    assert_eq!(load(b"DNSCACH\x02"), Err(newer));
    assert_eq!(
        newer.to_string(),
        "a dump of version 2: this reads version 1"
    );
    assert_eq!(load(b"DNSCACH\x01"), Ok(Loaded::default()));
}
