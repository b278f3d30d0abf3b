use alloc::vec::Vec;

use proptest::prelude::*;

use hashbrown::HashMap;

use super::*;

const TTL: Duration = Duration::from_secs(120);

/// 10.0.0.0/27 with 10.0.0.4 to 10.0.0.19 handed out, and 10.0.0.0 to 10.0.0.3 reserved.
fn table() -> Table {
    let address = |last| Ipv4Addr::new(10, 0, 0, last);
    let subnet = "10.0.0.0/27".parse().unwrap();
    let config = Config::new(
        subnet,
        address(4)..=address(19),
        Some(address(0)..=address(3)),
    );
    Table::new(config.unwrap(), [7; 32])
}

fn host(number: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, number)
}

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn dns_17_one_host_has_one_address() {
    let mut table = table();
    let first = table.assign(at(0), host(1), TTL).unwrap();
    let again = table.assign(at(1), host(1), TTL).unwrap();
    assert!(first.is_new && !again.is_new);
    assert_eq!(first.address, again.address);
    assert_eq!(table.lookup(first.address), Some(host(1)));
    assert_eq!(table.address_of(host(1)), Some(first.address));
}

#[test]
fn dns_14_the_ttl_stays_within_the_hold() {
    let mut table = table();
    assert_eq!(
        table.assign(at(0), host(1), at(86_400)).unwrap().ttl,
        at(3600)
    );
    assert_eq!(table.assign(at(0), host(2), TTL).unwrap().ttl, TTL);
}

#[test]
fn dns_21_a_mapping_holds_an_hour_after_its_last_use() {
    let mut table = table();
    let address = table.assign(at(0), host(1), TTL).unwrap().address;
    assert!(table.retain(address));
    table.handle_timeout(at(90_000));
    assert_eq!(table.lookup(address), Some(host(1)), "a session is open");
    table.release(at(90_000), address);
    table.handle_timeout(at(93_599));
    assert_eq!(table.lookup(address), Some(host(1)));
    table.handle_timeout(at(93_600));
    assert_eq!(table.lookup(address), None);
}

#[test]
fn dns_18_a_freed_address_rests_before_it_stands_for_another_host() {
    let mut table = table();
    for number in 0..16 {
        table.assign(at(0), host(number), TTL).unwrap();
    }
    assert_eq!(table.assign(at(1), host(99), TTL), Err(Exhausted));
    // The hold is over at 3600 s, the rest of 60 s after that.
    assert_eq!(table.assign(at(3600), host(99), TTL), Err(Exhausted));
    assert_eq!(table.assign(at(3659), host(99), TTL), Err(Exhausted));
    assert!(table.assign(at(3660), host(99), TTL).unwrap().is_new);
}

#[test]
fn dns_22_under_pressure_only_idle_mappings_without_a_session_drain() {
    let mut table = table();
    let mut addresses = Vec::new();
    for number in 0..16 {
        addresses.push(table.assign(at(0), host(number), TTL).unwrap().address);
    }
    assert!(table.retain(addresses[0]));
    assert_eq!(table.assign(at(299), host(99), TTL), Err(Exhausted));
    assert_eq!(
        table
            .mappings()
            .filter(|m| m.state == State::Quarantine)
            .count(),
        0
    );
    assert_eq!(
        table.assign(at(300), host(99), TTL),
        Err(Exhausted),
        "the victim rests first"
    );
    assert_eq!(
        table
            .mappings()
            .filter(|m| m.state == State::Quarantine)
            .count(),
        1
    );
    assert_eq!(table.lookup(addresses[0]), Some(host(0)));
    assert!(table.assign(at(360), host(99), TTL).is_ok());
}

#[test]
fn a_ttl_that_may_be_believed_protects_from_pressure() {
    let mut table = table();
    for number in 0..16 {
        table.assign(at(0), host(number), at(1000)).unwrap();
    }
    assert_eq!(table.assign(at(999), host(99), TTL), Err(Exhausted));
    assert_eq!(
        table
            .mappings()
            .filter(|m| m.state == State::Quarantine)
            .count(),
        0
    );
}

#[test]
fn network_and_broadcast_address_are_never_handed_out() {
    let address = |last| Ipv4Addr::new(10, 0, 0, last);
    let config = Config::new(
        "10.0.0.0/30".parse().unwrap(),
        address(0)..=address(3),
        None,
    );
    let mut table = Table::new(config.unwrap(), [1; 32]);
    let mut found: Vec<Ipv4Addr> = (0..2)
        .map(|number| table.assign(at(0), host(number), TTL).unwrap().address)
        .collect();
    found.sort_unstable();
    assert_eq!(found, [address(1), address(2)]);
    assert_eq!(table.assign(at(0), host(9), TTL), Err(Exhausted));
}

#[test]
fn static_entries_live_in_the_reserved_range_and_never_expire() {
    let mut table = table();
    let address = Ipv4Addr::new(10, 0, 0, 2);
    assert_eq!(table.set_static(address, host(1)), Ok(()));
    assert_eq!(table.set_static(address, host(1)), Ok(()));
    assert_eq!(
        table.set_static(address, host(2)),
        Err(StaticError::Taken {
            address,
            host: host(1)
        })
    );
    let other = Ipv4Addr::new(10, 0, 0, 3);
    assert_eq!(
        table.set_static(other, host(1)),
        Err(StaticError::Mapped {
            host: host(1),
            address
        })
    );
    for outside in [Ipv4Addr::new(10, 0, 0, 0), Ipv4Addr::new(10, 0, 0, 4)] {
        assert_eq!(
            table.set_static(outside, host(3)),
            Err(StaticError::NotReserved { address: outside })
        );
    }
    assert_eq!(table.assign(at(0), host(1), TTL).unwrap().address, address);
    table.handle_timeout(at(1_000_000));
    assert_eq!(table.lookup(address), Some(host(1)));
    assert!(table.remove_static(address) && !table.remove_static(address));
    assert_eq!(table.lookup(address), None);
}

#[test]
fn bad_ranges_are_no_pool() {
    let address = |last| Ipv4Addr::new(10, 0, 0, last);
    let subnet = "10.0.0.0/27".parse().unwrap();
    let pool = |slice, reserved| Config::new(subnet, slice, reserved).err();
    assert_eq!(
        pool(address(9)..=address(8), None),
        Some(crate::ConfigError::EmptyRange {
            first: address(9),
            last: address(8)
        })
    );
    assert_eq!(
        pool(address(9)..=address(32), None),
        Some(crate::ConfigError::OutsideSubnet {
            first: address(9),
            last: address(32)
        })
    );
    assert_eq!(
        pool(address(4)..=address(9), Some(address(0)..=address(4))),
        Some(crate::ConfigError::Overlap)
    );
}

#[derive(Debug, Clone)]
enum Step {
    Assign(u16, u64),
    Retain(u8),
    Release(u8),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..40u16, 0..4000u64).prop_map(|(host, ttl)| Step::Assign(host, ttl)),
        2 => (0..32u8).prop_map(Step::Retain),
        2 => (0..32u8).prop_map(Step::Release),
        2 => prop_oneof![0..10u64, 0..500u64, 0..5000u64].prop_map(Step::Wait),
    ]
}

/// What anyone may still believe of an address.
#[derive(Clone, Copy)]
struct Belief {
    host: Ipv6Addr,
    until: Duration,
    sessions: u32,
}

proptest! {
    /// No address stands for two hosts while a TTL or a session of the first is alive.
    #[test]
    fn an_address_never_changes_its_host_while_anyone_believes_in_it(
        steps in proptest::collection::vec(step(), 1..200)
    ) {
        let mut table = table();
        let mut now = Duration::ZERO;
        let mut beliefs: HashMap<Ipv4Addr, Belief, KeyedHash> =
            HashMap::with_hasher(KeyedHash::new(&[0; 32]));
        for step in steps {
            match step {
                Step::Assign(number, ttl) => {
                    if let Ok(assigned) = table.assign(now, host(number), at(ttl)) {
                        let until = now + assigned.ttl;
                        let belief = beliefs.entry(assigned.address).or_insert(Belief {
                            host: host(number), until, sessions: 0,
                        });
                        if belief.host != host(number) {
                            prop_assert!(belief.until <= now && belief.sessions == 0);
                            *belief = Belief { host: host(number), until, sessions: 0 };
                        }
                        belief.until = belief.until.max(until);
                        prop_assert_eq!(table.lookup(assigned.address), Some(host(number)));
                    }
                }
                Step::Retain(last) => {
                    let address = Ipv4Addr::new(10, 0, 0, last);
                    let known = table.lookup(address);
                    prop_assert_eq!(table.retain(address), known.is_some());
                    if let (Some(belief), Some(_)) = (beliefs.get_mut(&address), known) {
                        belief.sessions += 1;
                    }
                }
                Step::Release(last) => {
                    let address = Ipv4Addr::new(10, 0, 0, last);
                    if let Some(belief) = beliefs.get_mut(&address) && belief.sessions > 0 {
                        belief.sessions -= 1;
                        table.release(now, address);
                    }
                }
                Step::Wait(seconds) => {
                    now += at(seconds);
                    table.handle_timeout(now);
                    prop_assert!(table.poll_timeout().is_none_or(|at| at > now));
                }
            }
            for (address, belief) in &beliefs {
                if belief.until > now || belief.sessions > 0 {
                    prop_assert_eq!(table.lookup(*address), Some(belief.host));
                }
            }
        }
    }
}

#[test]
fn mappings_by_pieces_are_those_in_all() {
    let mut table = table();
    for number in 0..16 {
        table.assign(at(0), host(number), TTL).unwrap();
    }
    let all: Vec<_> = table.mappings().collect();
    assert_eq!(all.len(), 16);
    let (first, last) = (all[0].address, all[15].address);
    for cut in all.iter().map(|mapping| mapping.address.to_bits()) {
        let before = table.mappings_in(Ipv4Addr::UNSPECIFIED..=Ipv4Addr::from_bits(cut));
        let after = table.mappings_in(Ipv4Addr::from_bits(cut + 1)..=Ipv4Addr::BROADCAST);
        assert!(
            before.chain(after).eq(all.iter().copied()),
            "cut after {cut}"
        );
    }
    let below = Ipv4Addr::from_bits(first.to_bits() - 1);
    assert_eq!(table.mappings_in(Ipv4Addr::UNSPECIFIED..=below).count(), 0);
    let above = Ipv4Addr::from_bits(last.to_bits() + 1);
    assert_eq!(table.mappings_in(above..=Ipv4Addr::BROADCAST).count(), 0);
}
