//! Random plans, hosts, names, packets and faults: the gateway does what the model says.

use alloc::collections::BTreeSet;
use core::net::{IpAddr, Ipv6Addr, SocketAddr};
use core::time::Duration;

use egress_config::Snat;
use egress_gateway::sim::{EchoKind, Parsed, Payload, craft};
use egress_gateway::{Side, Verdict};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use proptest::prelude::*;

use crate::model::{Fate, Flow, Model, Protocol, Told};
use crate::world::*;

/// Sequences of a run; the soak asks for more.
fn sequences() -> u32 {
    let asked = std::env::var("PROPTEST_CASES").ok();
    asked.and_then(|count| count.parse().ok()).unwrap_or(200)
}

/// One thing that happens. Numbers pick among what there is.
#[derive(Debug, Clone)]
enum Step {
    /// A pod asks.
    Ask { pod: u8, name: u8, wants_ipv4: bool },
    /// A pod sends to an address that some name has, or had.
    Send {
        pod: u8,
        to: u8,
        protocol: u8,
        port: u8,
        opens: bool,
    },
    /// A peer answers on some flow.
    Answer { flow: u8 },
    /// Somebody else sends to where some flow left from.
    Intrude { flow: u8, syn: bool },
    /// A router complains about the last packet of some flow, that is to say its peer cannot be reached.
    Complain { flow: u8 },
    /// A stranger inside.
    Spoof { to: u8 },
    /// A mapping is removed.
    Remove { mapping: u8 },
    /// The store goes, or comes back.
    Store { up: bool },
    /// A moment passes.
    Wait { milliseconds: u16 },
    /// Everything that can end does.
    Forget,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4_u8, 0..12_u8, any::<bool>())
            .prop_map(|(pod, name, wants_ipv4)| Step::Ask { pod, name, wants_ipv4 }),
        8 => (0..4_u8, any::<u8>(), 0..3_u8, 0..4_u8, prop::bool::weighted(0.8))
            .prop_map(|(pod, to, protocol, port, opens)| Step::Send { pod, to, protocol, port, opens }),
        5 => any::<u8>().prop_map(|flow| Step::Answer { flow }),
        2 => (any::<u8>(), any::<bool>()).prop_map(|(flow, syn)| Step::Intrude { flow, syn }),
        2 => any::<u8>().prop_map(|flow| Step::Complain { flow }),
        1 => any::<u8>().prop_map(|to| Step::Spoof { to }),
        1 => any::<u8>().prop_map(|mapping| Step::Remove { mapping }),
        1 => any::<bool>().prop_map(|up| Step::Store { up }),
        2 => (0..2000_u16).prop_map(|milliseconds| Step::Wait { milliseconds }),
        1 => Just(Step::Forget),
    ]
}

const PODS: [&str; 4] = [
    "10.244.1.10",
    "10.244.1.11",
    "2002::10:244:0:10",
    "2002::10:244:0:11",
];
const PEERS: [&str; 2] = ["93.184.216.80", "2001:db8:46:9::80"];

struct Run {
    world: World,
    model: Model,
    /// Destinations that pods may try.
    known: Vec<IpAddr>,
    /// Of short waits since the last `Forget`.
    waited: Duration,
    intercepts: bool,
}

impl Run {
    fn new(set: usize, seed: u8) -> Self {
        let sets = [
            "mixed",
            "dns-nat46",
            "reserved-static",
            "automap",
            "automap",
        ];
        let mut plan = plan(sets[set]);
        if set == 4 {
            plan.snat = Snat::None;
        }
        if let Some(dns) = &mut plan.dns {
            dns.rate_limit = None;
        }
        let mut model = Model::new(&plan);
        let mut world = World::with_plan(&plan, seed);
        for number in 0..10_u8 {
            let host6 = format!("2001:db8:46:{}::80", number % 8);
            let host4 = format!("93.184.216.{number}");
            let addresses: &[&str] = match number {
                8 => &[&host4],
                9 => &[&host4, &host6],
                _ => &[&host6],
            };
            let name = format!("n{number}.example");
            world.add_name(&name, addresses);
            let addresses = addresses.iter().map(|address| ip(address)).collect();
            model.names.insert(name, addresses);
        }
        let known = PEERS.iter().map(|peer| ip(peer)).collect();
        let intercepts = plan.dns.is_some();
        Self {
            world,
            model,
            known,
            waited: Duration::ZERO,
            intercepts,
        }
    }

    fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        self.world.sent.clear();
        match *step {
            Step::Ask {
                pod,
                name,
                wants_ipv4,
            } if self.intercepts => self.ask(
                PODS[usize::from(pod)],
                &format!("n{name}.example"),
                wants_ipv4,
            ),
            Step::Ask { .. } => Ok(()),
            Step::Send {
                pod,
                to,
                protocol,
                port,
                opens,
            } => {
                let from = SocketAddr::new(ip(PODS[usize::from(pod)]), 40_000 + u16::from(port));
                let to = self.known[usize::from(to) % self.known.len()];
                let protocol =
                    [Protocol::Tcp, Protocol::Udp, Protocol::Ping][usize::from(protocol)];
                self.send(protocol, from, to, opens)
            }
            Step::Answer { flow } => match self.flow(flow) {
                Some(flow) => {
                    let (own, peer) = flow.outside;
                    self.receive(flow.protocol, peer, own, false)
                }
                None => Ok(()),
            },
            Step::Intrude { flow, syn } => match self.flow(flow) {
                Some(flow) => {
                    let (own, peer) = flow.outside;
                    let stranger = if peer.is_ipv4() {
                        "198.18.0.9"
                    } else {
                        "2001:db8:bad::9"
                    };
                    let stranger = SocketAddr::new(ip(stranger), peer.port());
                    self.receive(flow.protocol, stranger, own, syn)
                }
                None => Ok(()),
            },
            Step::Complain { flow } => match self.flow(flow) {
                Some(flow) => self.complain(&flow),
                None => Ok(()),
            },
            Step::Spoof { to } => {
                let to = self.known[usize::from(to) % self.known.len()];
                let from = if to.is_ipv4() {
                    "198.18.0.9:9"
                } else {
                    "[2001:db8:bad::9]:9"
                };
                self.send(Protocol::Udp, socket(from), to, true)
            }
            // The store would be told later, and bring the mapping back till then.
            Step::Remove { .. } if !self.model.store_is_up => Ok(()),
            Step::Remove { mapping } => {
                let hosts: Vec<Ipv6Addr> = self.model.mapped.keys().copied().collect();
                if let Some(host) = pick(&hosts, mapping) {
                    let address = self.model.mapped[&host];
                    let removed = self.world.gateway.remove_mapping(self.world.now, address);
                    prop_assert_eq!(removed, Some(host));
                    self.model.remove(host);
                    self.world.pass(Duration::ZERO);
                }
                Ok(())
            }
            Step::Store { up } => {
                self.model.store_is_up = up;
                self.world.store_is_quick = up;
                if up && !self.world.operations.is_empty() {
                    // What was asked while it was away is lost; what it was to forget, it is told again.
                    self.world.operations.clear();
                    return self.wait(Duration::from_secs(31));
                }
                Ok(())
            }
            Step::Wait { milliseconds } => self.wait(Duration::from_millis(milliseconds.into())),
            Step::Forget => self.forget(),
        }
    }

    fn wait(&mut self, time: Duration) -> Result<(), TestCaseError> {
        self.waited += time;
        if self.waited > Duration::from_secs(40) {
            return self.forget();
        }
        self.world.pass(time);
        Ok(())
    }

    /// Longer than any session, hold or TTL.
    fn forget(&mut self) -> Result<(), TestCaseError> {
        self.world.pass(Duration::from_secs(5 * 3600));
        self.waited = Duration::ZERO;
        prop_assert_eq!(self.world.gateway.sessions().count(), 0);
        prop_assert_eq!(self.world.gateway.mappings().count(), 0);
        self.model.forget();
        Ok(())
    }

    fn flow(&self, number: u8) -> Option<Flow> {
        pick(&self.model.flows, number)
    }

    fn ask(&mut self, pod: &str, name: &str, wants_ipv4: bool) -> Result<(), TestCaseError> {
        let record_type = if wants_ipv4 {
            RecordType::A
        } else {
            RecordType::AAAA
        };
        let expected = self.model.asked(ip(pod).is_ipv4(), name, wants_ipv4);
        let id = self.world.ask_of(pod, name, record_type);
        if self.world.answer_to(id).is_none() {
            self.world.pass(Duration::from_millis(300));
            self.waited += Duration::from_millis(300);
        }
        let Some((_, answer)) = self.world.answer_to(id) else {
            return Err(TestCaseError::fail(format!(
                "no answer; expected {expected:?}"
            )));
        };
        let told: Vec<IpAddr> = addresses(&answer);
        let code = answer.metadata.response_code;
        match expected {
            Told::Addresses(expected) => {
                prop_assert_eq!(told.iter().copied().collect::<BTreeSet<_>>(), expected);
            }
            Told::New(host) => {
                let [IpAddr::V4(address)] = told[..] else {
                    return Err(TestCaseError::fail(format!("{told:?} for a new host")));
                };
                prop_assert!(self.model.may_map(address), "{} for {}", address, host);
                self.model.mapped.insert(host, address);
            }
            Told::NoName => prop_assert_eq!(code, ResponseCode::NXDomain),
            Told::Nothing => {
                prop_assert_eq!(code, ResponseCode::NoError);
                prop_assert!(told.is_empty(), "{:?}", told);
            }
            Told::Failure => prop_assert_eq!(code, ResponseCode::ServFail),
        }
        self.known.extend(told);
        self.known.sort();
        self.known.dedup();
        Ok(())
    }

    fn send(
        &mut self,
        protocol: Protocol,
        from: SocketAddr,
        to: IpAddr,
        opens: bool,
    ) -> Result<(), TestCaseError> {
        if from.is_ipv4() != to.is_ipv4() || !self.model.knows(to) {
            return Ok(());
        }
        let (packet, to, opens) = match protocol {
            Protocol::Udp => (
                craft::udp(from, (to, 7).into(), b"out"),
                (to, 7).into(),
                true,
            ),
            Protocol::Tcp => {
                let flags = if opens { TCP_SYN } else { TCP_ACK };
                let to = (to, 80).into();
                (segment(from, to, flags), to, opens)
            }
            Protocol::Ping => {
                let id = from.port();
                let ping = craft::echo(EchoKind::Request, from.ip(), to, id, 1, b"out");
                (ping, SocketAddr::new(to, id), true)
            }
        };
        let fate = self.model.out(protocol, from, to, opens);
        let verdict = self.world.arrive(Side::Inside, &packet);
        if verdict == Verdict::Consumed && !self.world.store_is_quick {
            // It waits for a store that is away.
            self.world.pass(Duration::from_millis(300));
            self.waited += Duration::from_millis(300);
        }
        let left = self.left(Side::Outside, &fate)?;
        if let (Some((source, destination)), Fate::LeavesFrom(pool, peer)) = (left, &fate) {
            let peer = match protocol {
                Protocol::Ping => SocketAddr::new(peer.ip(), source.port()),
                Protocol::Tcp | Protocol::Udp => *peer,
            };
            prop_assert_eq!(destination, peer);
            prop_assert!(pool.contains(&source.ip()), "{}", source);
            let flow = Flow {
                protocol,
                inside: (from, to),
                outside: (source, destination),
            };
            prop_assert!(self.model.may_leave(&flow), "{:?}", flow);
            self.model.flows.push(flow);
        }
        Ok(())
    }

    fn receive(
        &mut self,
        protocol: Protocol,
        from: SocketAddr,
        to: SocketAddr,
        syn: bool,
    ) -> Result<(), TestCaseError> {
        let packet = match protocol {
            Protocol::Udp => craft::udp(from, to, b"back"),
            Protocol::Tcp => segment(from, to, if syn { TCP_SYN } else { TCP_SYN | TCP_ACK }),
            Protocol::Ping => {
                craft::echo(EchoKind::Reply, from.ip(), to.ip(), to.port(), 1, b"back")
            }
        };
        let from = match protocol {
            Protocol::Ping => SocketAddr::new(from.ip(), to.port()),
            Protocol::Tcp | Protocol::Udp => from,
        };
        let fate = self.model.back(protocol, from, to);
        let _ = self.world.arrive(Side::Outside, &packet);
        self.left(Side::Inside, &fate)?;
        Ok(())
    }

    /// The peer says that it cannot be reached; the pod is told so, about its own packet.
    fn complain(&mut self, flow: &Flow) -> Result<(), TestCaseError> {
        let (own, peer) = flow.outside;
        let sent = match flow.protocol {
            Protocol::Udp => craft::udp(own, peer, b"out"),
            Protocol::Tcp => segment(own, peer, TCP_SYN),
            Protocol::Ping => craft::echo(
                EchoKind::Request,
                own.ip(),
                peer.ip(),
                own.port(),
                1,
                b"out",
            ),
        };
        let kind = if peer.is_ipv4() { 3 } else { 1 };
        let code = if peer.is_ipv4() { 1 } else { 3 };
        let error = craft::icmp_error(peer.ip(), kind, code, 0, &sent);
        let error = error.ok_or_else(|| TestCaseError::fail("an error"))?;
        let _ = self.world.arrive(Side::Outside, &error);
        let told = self.only()?;
        let (client, address) = flow.inside;
        prop_assert_eq!((told.source, told.destination), (address.ip(), client.ip()));
        let Payload::IcmpError { quoted, .. } = &told.payload else {
            return Err(TestCaseError::fail(format!("{told:?}")));
        };
        let addresses = if client.is_ipv4() { 12 } else { 8 };
        let length = if client.is_ipv4() { 4 } else { 16 };
        let source = &quoted[addresses..addresses + length];
        let expected = match client.ip() {
            IpAddr::V4(client) => client.octets().to_vec(),
            IpAddr::V6(client) => client.octets().to_vec(),
        };
        prop_assert_eq!(source, &expected[..]);
        Ok(())
    }

    /// Holds what left against the fate; gives its ends if it left on that side.
    fn left(
        &mut self,
        side: Side,
        fate: &Fate,
    ) -> Result<Option<(SocketAddr, SocketAddr)>, TestCaseError> {
        if *fate == Fate::Dropped {
            prop_assert!(self.world.sent.is_empty(), "{:?}", self.world.sent);
            return Ok(None);
        }
        let leaves_on = self.world.sent.first().map(|(_, side, _)| *side);
        let packet = self.only()?;
        match *fate {
            Fate::Refused(kind, code) => {
                let Payload::IcmpError {
                    kind: one,
                    code: other,
                    ..
                } = packet.payload
                else {
                    return Err(TestCaseError::fail(format!(
                        "{packet:?}, {fate:?} expected"
                    )));
                };
                prop_assert_eq!((one, other), (kind, code));
                return Ok(None);
            }
            Fate::Leaves(source, destination) => {
                prop_assert_eq!(ends(&packet), (source, destination));
            }
            Fate::LeavesFrom(..) | Fate::Dropped => {}
        }
        prop_assert_eq!(leaves_on, Some(side));
        Ok(Some(ends(&packet)))
    }

    fn only(&mut self) -> Result<Parsed, TestCaseError> {
        let [(_, _, bytes)] = self.world.sent.as_slice() else {
            return Err(TestCaseError::fail(format!(
                "one packet was expected, found {:?}; drops {:?}",
                self.world.sent,
                self.world.gateway.stats().drops
            )));
        };
        Parsed::new(bytes).map_err(|flaw| TestCaseError::fail(format!("{flaw}")))
    }
}

/// Source and destination; the identifier of a ping is both ports.
fn ends(packet: &Parsed) -> (SocketAddr, SocketAddr) {
    match packet.payload {
        Payload::Echo { identifier, .. } => (
            SocketAddr::new(packet.source, identifier),
            SocketAddr::new(packet.destination, identifier),
        ),
        _ => (packet.source_socket(), packet.destination_socket()),
    }
}

fn pick<T: Copy>(from: &[T], number: u8) -> Option<T> {
    from.get(usize::from(number) % from.len().max(1)).copied()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: sequences(),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_gateway_does_what_the_model_says(
        set in 0..5_usize,
        seed in any::<u8>(),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut run = Run::new(set, seed);
        for (number, step) in steps.iter().enumerate() {
            run.step(step)
                .map_err(|error| TestCaseError::fail(format!("step {number}, {step:?}: {error}")))?;
        }
    }
}
