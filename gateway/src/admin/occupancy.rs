//! The DNS46 subnet as a picture: who hands out what, and what of it is in use.

use core::net::Ipv4Addr;
use core::ops::RangeInclusive;

use dns46::{Mapping, State};
use egress_config::{Dns46Plan, Plan};

use super::{Cell, Occupancy, Stretch};

/// About so many squares in all; each stretch may end with a smaller one.
const CELLS: u64 = 512;

/// The picture of a subnet that nothing is in yet; `None` without DNS46.
pub(super) fn of(plan: &Plan) -> Option<Occupancy> {
    let dns46 = plan.dns46.as_ref()?;
    Some(Occupancy {
        subnet: dns46.subnet.to_string(),
        size: 1 << (32 - dns46.subnet.prefix_len()),
        stretches: stretches(dns46, plan.replica, plan.replicas),
    })
}

/// One more mapping in it.
pub(super) fn count(occupancy: &mut Occupancy, mapping: &Mapping) {
    if let Some(cell) = cell_of(&mut occupancy.stretches, mapping.address) {
        match mapping.state {
            State::Quarantine => cell.draining += 1,
            State::Tentative | State::Live | State::Static => cell.live += 1,
        }
    }
}

/// What is reserved, the slice of each replica, and what is left, by address. No cell lies in two of
/// them.
fn stretches(dns46: &Dns46Plan, replica: u32, replicas: u32) -> Vec<Stretch> {
    let total = 1_u64 << (32 - dns46.subnet.prefix_len());
    let step = u32::try_from(total.div_ceil(CELLS)).unwrap_or(u32::MAX);
    let stretch = |owner, replica, first: Ipv4Addr, last: Ipv4Addr| Stretch {
        owner,
        replica,
        first,
        last,
        size: u64::from(last.to_bits() - first.to_bits()) + 1,
        cells: (first.to_bits()..=last.to_bits())
            .step_by(step as usize)
            .map(|start| Cell {
                first: Ipv4Addr::from_bits(start),
                size: (last.to_bits() - start).saturating_add(1).min(step),
                live: 0,
                draining: 0,
            })
            .collect(),
    };
    let plain = |owner, range: &Option<RangeInclusive<Ipv4Addr>>| {
        let range = range.as_ref();
        range.map(|range| stretch(owner, None, *range.start(), *range.end()))
    };
    // All slices are of one length, and ascend by replica.
    let (first, last) = (dns46.slice.start().to_bits(), dns46.slice.end().to_bits());
    let length = i64::from(last - first) + 1;
    let slices = (0..replicas).filter_map(|number| {
        let apart = (i64::from(number) - i64::from(replica)) * length;
        let at = |bits: u32| u32::try_from(i64::from(bits) + apart).ok();
        let (first, last) = (at(first)?, at(last)?);
        let (first, last) = (Ipv4Addr::from_bits(first), Ipv4Addr::from_bits(last));
        Some(stretch("slice", Some(number), first, last))
    });
    plain("reserved", &dns46.reserved)
        .into_iter()
        .chain(slices)
        .chain(plain("unused", &dns46.unused))
        .collect()
}

fn cell_of(stretches: &mut [Stretch], address: Ipv4Addr) -> Option<&mut Cell> {
    let at = stretches.partition_point(|stretch| stretch.last < address);
    let stretch = stretches.get_mut(at)?;
    let step = stretch.cells.first()?.size;
    let offset = address.to_bits().checked_sub(stretch.first.to_bits())?;
    stretch.cells.get_mut((offset / step) as usize)
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use egress_config::{Sources, check};
    use egress_gateway::Gateway;

    use super::*;

    fn plan(subnet: &str, replica: u32) -> Plan {
        let mut sources = Sources::new();
        let vlans = include_str!("../cli/plan/table/vlans.yaml");
        sources.add("vlans.yaml", vlans);
        let egress = format!(
            "apiVersion: k8s.f5net.com/v1\nkind: F5SPKEgress\n\
             metadata: {{name: egress, namespace: spk-ingress}}\n\
             spec: {{dnsNat46Enabled: true, dnsCacheName: cache, \
             dnsNat46PoolIps: [192.0.2.53, '2001:db8::53', 10.20.2.1], \
             dnsNat46Ipv4Subnet: {subnet}, maxTmmReplicas: 4, maxReservedStaticIps: 26}}\n"
        );
        sources.add("egress.yaml", egress);
        check(&sources).plan(replica).unwrap()
    }

    /// 26 reserved, four slices of 57, two left; and what is not divided by the size of a cell.
    #[test]
    fn every_replica_sees_each_slice_at_the_same_place() {
        for (subnet, lengths) in [
            ("10.40.100.0/24", [26, 57, 57, 57, 57, 2]),
            ("10.40.0.0/16", [26, 16377, 16377, 16377, 16377, 2]),
        ] {
            let seen = (0..4).map(|replica| {
                let plan = plan(subnet, replica);
                stretches(plan.dns46.as_ref().unwrap(), replica, plan.replicas)
            });
            let seen: Vec<Vec<Stretch>> = seen.collect();
            assert!(seen.iter().all(|stretches| *stretches == seen[0]));
            let owners = seen[0].iter().map(|one| (one.owner, one.replica, one.size));
            let slice = |number: u32| ("slice", Some(number), lengths[number as usize + 1]);
            let mut wanted = vec![("reserved", None, lengths[0])];
            wanted.extend((0..4).map(slice));
            wanted.push(("unused", None, lengths[5]));
            assert_eq!(owners.collect::<Vec<_>>(), wanted);
            for stretch in &seen[0] {
                let cells: u64 = stretch.cells.iter().map(|cell| u64::from(cell.size)).sum();
                assert_eq!(cells, stretch.size, "{stretch:?}");
            }
        }
    }

    #[test]
    fn a_mapping_counts_in_the_cell_of_its_address() {
        let plan = plan("10.40.0.0/16", 1);
        let mut gateway = Gateway::new(&plan, [7; 32]).unwrap();
        let address = Ipv4Addr::new(10, 40, 0, 25);
        let host = "2001:db8::1".parse().unwrap();
        gateway.set_mapping(Duration::ZERO, address, host).unwrap();
        let mut occupancy = of(&plan).unwrap();
        for mapping in gateway.mappings() {
            count(&mut occupancy, &mapping);
        }
        let cells = occupancy
            .stretches
            .iter()
            .flat_map(|stretch| &stretch.cells);
        let used: Vec<(Ipv4Addr, u32)> = cells
            .filter(|cell| cell.live > 0)
            .map(|cell| (cell.first, cell.live))
            .collect();
        assert_eq!(used, [(Ipv4Addr::new(10, 40, 0, 0), 1)]);
        let mut stretches = occupancy.stretches;
        let cell = cell_of(&mut stretches, Ipv4Addr::new(10, 40, 0, 26)).unwrap();
        assert_eq!(cell.first, Ipv4Addr::new(10, 40, 0, 26), "a slice's first");
        let cell = cell_of(&mut stretches, Ipv4Addr::new(10, 40, 255, 255)).unwrap();
        assert_eq!(cell.first, Ipv4Addr::new(10, 40, 255, 254));
        assert_eq!(cell_of(&mut stretches, Ipv4Addr::new(10, 41, 0, 0)), None);
    }
}
