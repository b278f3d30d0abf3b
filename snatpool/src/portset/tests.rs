use alloc::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::config::Mapping;

const NOW: Ticks = Ticks(1000);

#[derive(Debug, Clone)]
enum Step {
    /// A client keeps its own port.
    Keep(u16),
    /// One is sought.
    Seek(u16),
    Release(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => any::<u16>().prop_map(Step::Keep),
        3 => any::<u16>().prop_map(Step::Seek),
        2 => any::<prop::sample::Index>().prop_map(Step::Release),
    ]
}

impl PortSet {
    /// What is kept of the bits is what they are.
    fn check(&self, ports: &Ports) {
        for (number, run) in ports.runs() {
            let positions = run.base as usize..(run.base + run.len) as usize;
            let free = positions.filter(|position| self.free.contains(*position));
            assert_eq!(free.count() as u32, self.left[number]);
        }
    }
}

proptest! {
    /// Against the ports in use: none is given twice, a set says "full" only if all are, and once it
    /// was swept it finds every free port at the first look. A set given up is as good as new.
    #[test]
    fn agrees_with_a_list_of_ports(
        first in 1000_u16..1030,
        len in 0_u16..150,
        cut in any::<bool>(),
        before in proptest::collection::btree_set(any::<u16>(), 0..100),
        steps in proptest::collection::vec(step(), 1..300),
    ) {
        let ports = Ports::new(&(first..=first + len)).unwrap();
        let own = |port: u16| first + port % (len + 1);
        let keys = Keys::new([7; 32]);
        let mut sets = PortSets::new(&keys, 1, &[]);
        let key = SetKey { address: 3, protocol: Protocol::Udp, peer: Some((Octets::ZERO, 443)) };
        let mut used: BTreeSet<u16> = before.into_iter().map(own).collect();
        for step in steps {
            match step {
                Step::Keep(port) => {
                    let port = own(port);
                    if used.insert(port) && let Some(set) = sets.get(&keys, &key) {
                        set.take(&ports, port);
                        set.sweep(&ports, |port| used.contains(&port));
                    }
                }
                Step::Seek(port) => {
                    let set = sets.promote(&keys, &key, &ports, cut).unwrap();
                    let exact = set.swept >= Ports::POSITIONS;
                    let mut looks = Looks::new(Mapping::PerFlow);
                    let order = Ports::order(own(port), true, false);
                    let in_use = |port| used.contains(&port);
                    let picked = if cut {
                        let (lot, range) = (u32::from(port), first..=first + len);
                        set.pick_within(&ports, (order, lot), &range, &mut looks, in_use)
                    } else {
                        set.pick(NOW, &ports, order, Ticks::ZERO, &mut looks, in_use)
                    };
                    match picked {
                        Ok(port) => {
                            set.give_back(&ports, port);
                            prop_assert!(ports.contains(port) && used.insert(port));
                            set.take(&ports, port);
                            set.sweep(&ports, |port| used.contains(&port));
                        }
                        Err(Nowhere::Full) => prop_assert_eq!(used.len(), usize::from(len) + 1),
                        Err(why) => prop_assert!(!exact && why == Nowhere::Unknown),
                    }
                    set.check(&ports);
                }
                Step::Release(which) if !used.is_empty() => {
                    let port = *which.get(&Vec::from_iter(used.iter().copied()));
                    used.remove(&port);
                    sets.release(&keys, NOW, &key, &ports, port, |port| used.contains(&port));
                }
                Step::Release(_) => {}
            }
            if let Some(set) = sets.get(&keys, &key) {
                set.check(&ports);
            } else {
                let all = [&sets.sets[0]];
                prop_assert!(all.iter().all(|set| set.recent.is_empty() && set.used == 0));
            }
        }
    }
}
