//! RFC 6888 REQ-14 and RFC 7422's purpose: ranges of ports that are one client's.

use alloc::collections::BTreeMap;

use snatpool::{Config, ConfigError, Evict, Filter, Mapping, PortBlock, PortBlocks, Refused};

use crate::*;

fn cut(size: u16, per_client: u16, change: impl FnOnce(&mut Config)) -> SnatPool {
    nat(&["192.0.2.1"], |config| {
        config.pools[0].ports = 1024..=1087;
        config.pools[0].blocks = Some(PortBlocks { size, per_client });
        config.evict = Evict::Never;
        change(config);
    })
}

fn flow(client: u8, port: u16) -> Tuple {
    udp(&format!("10.0.0.{client}:{port}"), "203.0.113.1:443")
}

fn opened(told: &[Event]) -> Vec<PortBlock> {
    let block = |event: &Event| match event {
        Event::BlockOpened(block) => Some(*block),
        _ => None,
    };
    told.iter().filter_map(block).collect()
}

fn closed(told: &[Event]) -> Vec<PortBlock> {
    let block = |event: &Event| match event {
        Event::BlockClosed(block) => Some(*block),
        _ => None,
    };
    told.iter().filter_map(block).collect()
}

/// bindings 1.52, scenario `block_log`
#[test]
fn rfc6888_req14_one_line_a_block_says_who_had_a_port() {
    let mut nat = cut(8, 3, |_| {});
    let mut blocks = Vec::new();
    let mut ports = Vec::new();
    for port in 0..20 {
        let id = try_open(&mut nat, at(0), &flow(1, 3000 + port)).unwrap();
        ports.push(nat.session(id).unwrap().outside.source.port);
        blocks.extend(opened(&events(&mut nat)));
    }
    assert_eq!(blocks.len(), 3);
    for port in ports {
        assert!(
            blocks
                .iter()
                .any(|block| (block.first..=block.last).contains(&port))
        );
    }
    for block in &blocks {
        assert_eq!(block.client, address("10.0.0.1"));
        assert_eq!(block.address, address("192.0.2.1"));
        assert_eq!(block.last - block.first, 7);
    }
    // Two end with their sessions, the last with the client.
    let told = pass(&mut nat, at(302));
    assert_eq!(closed(&told).len(), 2);
    let told = pass(&mut nat, at(700));
    assert_eq!(closed(&told).len(), 1);
    assert_eq!(nat.addresses().next().unwrap().blocks, Some((0, 8)));
}

/// bindings 1.52: no two clients have one block, whatever they do.
#[test]
fn rfc7422_a_block_is_one_clients_until_its_end() {
    let mut nat = cut(4, 2, |_| {});
    let mut owners: BTreeMap<u16, IpAddr> = BTreeMap::new();
    let mut seed = 1_u32;
    for second in 0..3000 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (client, port) = ((seed >> 24) as u8 % 12, (seed >> 8) as u16 % 16);
        let protocol = if seed.is_multiple_of(2) { udp } else { tcp };
        let inside = protocol(
            &format!("10.0.0.{client}:{}", 1024 + port),
            "203.0.113.1:443",
        );
        let bound = try_open(&mut nat, at(second), &inside);
        let told = pass(&mut nat, at(second));
        for event in told {
            match event {
                Event::BlockOpened(block) => {
                    assert_eq!(owners.insert(block.first, block.client), None);
                }
                Event::BlockClosed(block) => {
                    assert_eq!(owners.remove(&block.first), Some(block.client));
                }
                _ => {}
            }
        }
        if let Some(session) = bound.ok().and_then(|id| nat.session(id)) {
            let first = (session.outside.source.port - 1024) / 4 * 4 + 1024;
            assert_eq!(owners.get(&first), Some(&session.inside.source.address));
        }
    }
    // The sessions end, then the clients are forgotten.
    pass(&mut nat, at(100_000));
    pass(&mut nat, at(100_301));
    assert_eq!(nat.addresses().next().unwrap().blocks, Some((0, 16)));
}

/// RFC 6888 REQ-4: as many blocks as a client may have, and then no more.
#[test]
fn rfc6888_req4_blocks_of_a_client_are_limited() {
    let mut nat = cut(4, 1, |_| {});
    let refused = (0..10).map(|port| try_open(&mut nat, at(0), &flow(1, 3000 + port)).err());
    let refused: Vec<Refused> = refused.flatten().collect();
    assert!(refused.len() >= 6 && refused.iter().all(|why| *why == Refused::QuotaPorts));
}

#[test]
fn all_blocks_taken_is_exhaustion_and_an_idle_client_gives_way() {
    let mut nat = cut(32, 1, |_| {});
    for client in 1..=2 {
        open(&mut nat, at(0), &flow(client, 3000));
    }
    assert_eq!(
        try_open(&mut nat, at(0), &flow(3, 3000)),
        Err(Refused::PortsExhausted)
    );
    let told = pass(&mut nat, at(302));
    assert_eq!(closed(&told), []);
    try_open(&mut nat, at(302), &flow(3, 3000)).unwrap();
    let told = events(&mut nat);
    assert_eq!((closed(&told).len(), opened(&told).len()), (1, 1));
}

/// Who was refused has no session, and stands before no client that is idle.
#[test]
fn an_idle_client_gives_way_though_many_were_refused_before() {
    let mut nat = cut(32, 1, |_| {});
    let (one, _) = open(&mut nat, at(0), &flow(1, 3000));
    let (two, _) = open(&mut nat, at(0), &flow(2, 3000));
    for client in 10..40 {
        assert_eq!(
            try_open(&mut nat, at(1), &flow(client, 3000)),
            Err(Refused::PortsExhausted)
        );
    }
    nat.close(at(2), one);
    nat.close(at(2), two);
    pass(&mut nat, at(3));
    for client in 50..52 {
        try_open(&mut nat, at(3), &flow(client, 3000)).unwrap();
    }
}

/// Identifiers of queries come from the blocks too, and endpoint-independent bindings.
#[test]
fn icmp_and_independent_bindings_stay_in_the_block() {
    let mut nat = cut(16, 1, |config| {
        config.pools[0].mapping = Mapping::EndpointIndependent;
        config.pools[0].filter = Filter::Address;
    });
    try_open(&mut nat, at(0), &ping("10.0.0.1", 9999, "203.0.113.1")).unwrap();
    let block = opened(&events(&mut nat))[0];
    for port in 0..8 {
        open(&mut nat, at(0), &flow(1, 3000 + port));
    }
    for session in nat.sessions() {
        assert!((block.first..=block.last).contains(&session.outside.source.port));
    }
}

#[test]
fn blocks_that_cannot_be_are_a_mistake_that_is_told() {
    for (size, per_client) in [(0, 1), (8, 0), (65, 1)] {
        let mut pool = PoolConfig::new(vec![address("192.0.2.1")]);
        pool.ports = 1024..=1087;
        pool.blocks = Some(PortBlocks { size, per_client });
        let refused = SnatPool::new(Config::new(10, vec![pool]), [7; 32]).unwrap_err();
        assert!(matches!(refused, ConfigError::Blocks { ports: 64, .. }));
    }
}
