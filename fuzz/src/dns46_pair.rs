//! Two replies of a server, and the query that they answer: whatever they are, what is made of them is sound.

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use dns46::{Basis, Config, Dns46, Lookup, Nat64, Pair, Prefix, Settings, StoreReply};
use hickory_proto::op::Message;
use hickory_proto::rr::RData;

use crate::choices::Choices;

const NOW: Duration = Duration::from_secs(1000);

/// A byte of choices, then first reply, second reply and query, each behind its length in two octets. Nothing
/// panics, and a made reply can be read, names addresses of the pool that stand for a host of the second
/// reply, and lives no longer than they do.
pub fn dns46_pair(data: &[u8]) {
    let _ = read(&mut Choices::new(data));
}

fn read(choices: &mut Choices<'_>) -> Option<()> {
    let choice = choices.byte()?;
    let (first, second, query) = (choices.block()?, choices.block()?, choices.block()?);
    let subnet = "10.40.0.0/28".parse().unwrap();
    let high = Ipv4Addr::new(10, 40, 0, 4);
    let pool = Config::new(subnet, low()..=high, None).unwrap();
    let prefix = Prefix::new("2001:db8:64::/96".parse().unwrap()).unwrap();
    let settings = Settings {
        basis: [Basis::Additional, Basis::Answer, Basis::None][usize::from(choice) % 3],
        sorry: (choice & 4 != 0).then_some(Ipv4Addr::new(192, 0, 2, 99)),
        nat64: Vec::from([Nat64::all(prefix)]),
        dns46_after_failure: choice & 8 != 0,
        filter_aaaa: choice & 16 != 0,
        tentative_per_client: (choice & 32 != 0).then_some(2),
        remember_askers: true,
        ..Settings::default()
    };
    let mut dns46 = Dns46::new(Some(pool), settings, [7; 32]);
    let client: IpAddr = if choice & 64 == 0 {
        Ipv4Addr::new(10, 244, 1, 10).into()
    } else {
        "fd00::10".parse().unwrap()
    };
    let mut out = vec![0; 65_535];
    if let Ok(Some(len)) = dns46.on_query(client, query, &mut out) {
        let reply = Message::from_vec(&out[..len]).expect("an own reply can be read");
        assert!(reply.metadata.authoritative);
    }
    let _ = dns46.on_answer(first).tag();
    let _ = dns46.on_answer(second).tag();
    // Twice: the second time all is known, and the pool may be full.
    for _ in 0..2 {
        let mut pair = dns46.on_pair(NOW, client, first, second, &mut out);
        if let Pair::Wait(ticket) = pair {
            while let Some(operation) = dns46.poll_store() {
                dns46.handle_store(NOW, operation.id, StoreReply::Done);
            }
            pair = dns46.finish(NOW, ticket, &mut out);
        }
        if let Pair::Reply(made) = pair {
            check(&mut dns46, &out[..made.len], second, made.is_sorry);
        }
        while dns46.poll_event().is_some() {}
    }
    dns46.handle_timeout(NOW + Duration::from_secs(7200));
    assert_eq!(
        dns46
            .mappings()
            .filter(|mapping| mapping.sessions > 0)
            .count(),
        0
    );
    Some(())
}

/// The first address of the slice; the pool is its /28.
const fn low() -> Ipv4Addr {
    Ipv4Addr::new(10, 40, 0, 1)
}

fn check(dns46: &mut Dns46, reply: &[u8], second: &[u8], is_sorry: bool) {
    let message = Message::from_vec(reply).expect("a made reply can be read");
    assert!(!message.metadata.authentic_data && message.queries.len() == 1);
    let basis = Message::from_vec(second)
        .map(|second| second.answers)
        .unwrap_or_default();
    for record in &message.answers {
        let RData::A(address) = &record.data else {
            continue;
        };
        // Others are IPv4 hosts that an AAAA record had inside.
        if address.0.to_bits() >> 4 != low().to_bits() >> 4 {
            continue;
        }
        assert!(!is_sorry && record.ttl <= 120);
        let Lookup::Host(host) = dns46.lookup(NOW, address.0) else {
            panic!("{} was answered and stands for nothing", address.0)
        };
        let named = basis
            .iter()
            .any(|record| matches!(&record.data, RData::AAAA(found) if found.0 == host));
        assert!(named, "{host} is no host of the second reply");
    }
}
