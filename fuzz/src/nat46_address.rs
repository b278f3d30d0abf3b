//! Address algorithms: what they map, they map back.

use core::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use nat46::address::rfc6052::Prefix;
use nat46::address::rfc7757::{Mapping, Siit};
use nat46::packet::Packet;

use crate::choices::Choices;

/// A prefix and rows of any lengths, and packets between any addresses.
pub fn nat46_address(data: &[u8]) {
    let _ = read(&mut Choices::new(data));
}

fn read(choices: &mut Choices<'_>) -> Option<()> {
    let length = choices.one_of(&[96, 32, 40, 48, 56, 64, 0, 97, 128])?;
    let network = Ipv6Net::new(ipv6(choices)?, length).ok()?;
    let prefix = match Prefix::new(network) {
        Ok(prefix) => prefix,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            Prefix::new("64:ff9b::/96".parse().unwrap()).unwrap()
        }
    };
    let prefix = if choices.byte()? & 1 == 0 {
        prefix
    } else {
        prefix.allow_non_global()
    };
    let mut rows = Vec::new();
    for _ in 0..choices.byte()? % 4 {
        let four = Ipv4Net::new(ipv4(choices)?, choices.byte()? % 33).ok()?;
        let six = Ipv6Net::new(ipv6(choices)?, choices.byte()? % 129).ok()?;
        match Mapping::new(four, six) {
            Ok(row) => rows.push(row),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    let siit = Siit::new(&rows, prefix);
    let siit = if choices.byte()? & 1 == 0 {
        siit
    } else {
        siit.without_hairpins()
    };

    let four = ipv4(choices)?;
    assert_eq!(prefix.extract(prefix.embed(four)), Some(four));
    let six = ipv6(choices)?;
    if let Some(inside) = prefix.extract(six) {
        assert!(prefix.network().contains(&prefix.embed(inside)));
    }
    let mut packet = choices.block()?.to_vec();
    crate::oracle::repair(&mut packet);
    let parsed = Packet::parse(&packet).ok()?;
    if let Some(quoted) = parsed.quoted(&packet) {
        if let Ok(new) = siit.rewrite_error(&parsed, &quoted, Some(four.into())) {
            assert_ne!(new.quoted.source.is_ipv4(), quoted.source().is_ipv4());
        }
    } else if let Ok(new) = siit.rewrite(&parsed) {
        assert_ne!(new.source.is_ipv4(), parsed.source().is_ipv4());
        assert_eq!(new.source.is_ipv4(), new.destination.is_ipv4());
    }
    let _ = siit.is_hairpin(six, four);
    Some(())
}

fn ipv4(choices: &mut Choices<'_>) -> Option<Ipv4Addr> {
    let bits = u32::from(choices.word()?) << 16 | u32::from(choices.word()?);
    Some(bits.into())
}

fn ipv6(choices: &mut Choices<'_>) -> Option<Ipv6Addr> {
    let mut bits = 0;
    for _ in 0..8 {
        bits = bits << 16 | u128::from(choices.word()?);
    }
    Some(bits.into())
}
