use core::net::Ipv4Addr;
use core::ops::RangeInclusive;

use proptest::prelude::*;

use super::{EmptySlice, Partition};

fn range(first: &str, last: &str) -> RangeInclusive<Ipv4Addr> {
    first.parse().unwrap()..=last.parse().unwrap()
}

/// The documentation's worked example: 256 addresses, 128 reserved, two replicas with 64 each.
#[test]
fn reserved_static_example() {
    let partition = Partition::new("10.1.1.0/24".parse().unwrap(), 128, 2).unwrap();
    assert_eq!(partition.reserved(), Some(range("10.1.1.0", "10.1.1.127")));
    assert_eq!(partition.slice(0), range("10.1.1.128", "10.1.1.191"));
    assert_eq!(partition.slice(1), range("10.1.1.192", "10.1.1.255"));
    assert_eq!(partition.usable(1), Some(range("10.1.1.192", "10.1.1.254")));
    assert_eq!(partition.unused(), None);
}

/// The documentation's second example: 256 addresses, 26 reserved, four replicas.
#[test]
fn dns_nat46_example() {
    let partition = Partition::new("10.40.100.0/24".parse().unwrap(), 26, 4).unwrap();
    let slices: Vec<_> = (0..4).map(|replica| partition.slice(replica)).collect();
    assert_eq!(
        slices,
        [
            range("10.40.100.26", "10.40.100.82"),
            range("10.40.100.83", "10.40.100.139"),
            range("10.40.100.140", "10.40.100.196"),
            range("10.40.100.197", "10.40.100.253"),
        ]
    );
    assert_eq!(
        partition.unused(),
        Some(range("10.40.100.254", "10.40.100.255"))
    );
}

#[test]
fn network_and_broadcast_address_alone_are_no_slice() {
    let net = |text: &str| text.parse().unwrap();
    assert_eq!(
        Partition::new(net("10.0.0.0/30"), 0, 4),
        Err(EmptySlice {
            replica: 0,
            slice: 1
        })
    );
    assert_eq!(
        Partition::new(net("10.0.0.0/30"), 1, 3),
        Err(EmptySlice {
            replica: 2,
            slice: 1
        })
    );
    assert!(Partition::new(net("10.0.0.0/30"), 0, 2).is_ok());
    assert!(Partition::new(net("10.0.0.0/31"), 0, 1).is_err());
    assert!(Partition::new(net("10.0.0.0/32"), 0, 1).is_err());
}

#[test]
fn the_largest_subnet_does_not_overflow() {
    let partition = Partition::new("0.0.0.0/0".parse().unwrap(), 0, 1).unwrap();
    assert_eq!(partition.slice(0), range("0.0.0.0", "255.255.255.255"));
    assert_eq!(
        partition.usable(0),
        Some(range("0.0.0.1", "255.255.255.254"))
    );
    let halves = Partition::new("0.0.0.0/0".parse().unwrap(), 0, u32::MAX);
    assert_eq!(
        halves,
        Err(EmptySlice {
            replica: 0,
            slice: 1
        })
    );
}

proptest! {
    /// Against the definition, address by address.
    #[test]
    fn every_address_has_the_owner_that_the_definition_gives(
        length in 22_u8..=32,
        base in any::<u32>(),
        reserved in 0_u64..1100,
        replicas in 1_u32..40,
    ) {
        let subnet = ipnet::Ipv4Net::new(Ipv4Addr::from_bits(base), length).unwrap().trunc();
        let all: Vec<u32> = (subnet.network().to_bits()..=subnet.broadcast().to_bits()).collect();
        let total = all.len() as u64;
        let each = total.saturating_sub(reserved) / u64::from(replicas);
        // Who may hand out each address.
        let mut owners = vec![None; all.len()];
        for (offset, owner) in owners.iter_mut().enumerate() {
            let offset = offset as u64;
            let inner = offset != 0 && offset != total - 1;
            if inner && each > 0 && offset >= reserved && offset < reserved + each * u64::from(replicas) {
                *owner = Some(((offset - reserved) / each) as u32);
            }
        }
        let served = (0..replicas).all(|replica| owners.contains(&Some(replica)));
        match Partition::new(subnet, reserved, replicas) {
            Err(empty) => {
                prop_assert!(!served);
                prop_assert!(!owners.contains(&Some(empty.replica)));
            }
            Ok(partition) => {
                prop_assert!(served);
                for replica in 0..replicas {
                    let usable = partition.usable(replica).unwrap();
                    let slice = partition.slice(replica);
                    prop_assert!(slice.contains(usable.start()) && slice.contains(usable.end()));
                    for (bits, owner) in all.iter().zip(&owners) {
                        let address = Ipv4Addr::from_bits(*bits);
                        prop_assert_eq!(usable.contains(&address), *owner == Some(replica));
                    }
                }
                let counted = partition.reserved().map_or(0, |range| {
                    u64::from(range.end().to_bits() - range.start().to_bits()) + 1
                });
                prop_assert_eq!(counted, reserved);
                let unused = partition.unused().map_or(0, |range| {
                    u64::from(range.end().to_bits() - range.start().to_bits()) + 1
                });
                prop_assert_eq!(reserved + each * u64::from(replicas) + unused, total);
            }
        }
    }
}
