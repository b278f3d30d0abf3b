//! Replicas, their store, and the clients between them.

use alloc::collections::BTreeMap;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use dns46::{Config, Dns46, Event, Lookup, Pair, Settings, State, StoreAction, StoreReply};
use hickory_proto::op::{Message, OpCode, Query};
use hickory_proto::rr::rdata::AAAA;
use hickory_proto::rr::{Name, RData, Record, RecordType};

use crate::reference::{Flow, Promise, Reference};

/// Addresses of each replica's slice.
const SLICE: u8 = 8;
/// The least that a mapping holds after an answer (`Config::idle`).
const HOLD: Duration = Duration::from_secs(300);
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 244, 1, 10));

#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// A client asks for the name of a host.
    Query {
        replica: usize,
        host: u16,
    },
    /// A client that believes some promise opens a connection.
    Packet {
        replica: usize,
        pick: u16,
    },
    /// A connection ends.
    End {
        pick: u16,
    },
    Wait {
        seconds: u64,
    },
    /// A replica dies, and begins again with what the store has.
    Crash {
        replica: usize,
    },
    /// All replicas begin again, each with the slice that another had.
    Reconfigure,
    /// An operator ends a mapping.
    Remove {
        replica: usize,
        pick: u16,
    },
    Store {
        up: bool,
    },
    /// The store does what it is asked next, but its reply is lost.
    LoseReply {
        replica: usize,
    },
}

#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) answers: usize,
    pub(crate) packets: usize,
    pub(crate) refused: usize,
    pub(crate) reused: usize,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        self.answers += other.answers;
        self.packets += other.packets;
        self.refused += other.refused;
        self.reused += other.reused;
    }
}

pub(crate) struct World {
    now: Duration,
    replicas: Vec<Replica>,
    /// Host, and until when a replica that is not the owner may use it.
    store: BTreeMap<Ipv4Addr, (Ipv6Addr, Duration)>,
    up: bool,
    /// Whose slice is whose.
    shift: usize,
    reference: Reference,
    pub(crate) tally: Tally,
}

struct Replica {
    dns46: Dns46,
    /// Waits for the store, to load from it.
    is_down: bool,
    loses_reply: bool,
}

fn responder(replica: usize, slice: usize) -> Dns46 {
    let first = 1 + slice as u8 * SLICE;
    let slice = Ipv4Addr::new(10, 0, 0, first)..=Ipv4Addr::new(10, 0, 0, first + SLICE - 1);
    let config = Config::new("10.0.0.0/26".parse().unwrap(), slice, None).unwrap();
    Dns46::new(Some(config), Settings::default(), [replica as u8; 32])
}

impl World {
    pub(crate) fn new() -> Self {
        let replica = |number| Replica {
            dns46: responder(number, number),
            is_down: false,
            loses_reply: false,
        };
        Self {
            now: Duration::from_secs(1),
            replicas: (0..3).map(replica).collect(),
            store: BTreeMap::new(),
            up: true,
            shift: 0,
            reference: Reference::default(),
            tally: Tally::default(),
        }
    }

    pub(crate) fn step(&mut self, step: Step) {
        if std::env::var("MODEL_TRACE").is_ok() {
            println!("{:?} {step:?}", self.now);
        }
        match step {
            Step::Query { replica, host } => self.query(replica, host),
            Step::Packet { replica, pick } => self.packet(replica, pick),
            Step::End { pick } => self.end(pick),
            Step::Wait { seconds } => self.wait(Duration::from_secs(seconds)),
            Step::Crash { replica } => {
                self.replicas[replica].is_down = true;
                self.reference.flows.retain(|flow| flow.replica != replica);
                self.recover();
            }
            Step::Reconfigure => {
                self.shift += 1;
                self.replicas
                    .iter_mut()
                    .for_each(|replica| replica.is_down = true);
                self.reference.flows.clear();
                self.recover();
            }
            Step::Remove { replica, pick } => self.remove(replica, pick),
            Step::Store { up } => {
                self.up = up;
                self.recover();
            }
            Step::LoseReply { replica } => self.replicas[replica].loses_reply = true,
        }
        (0..3).for_each(|replica| self.serve(replica));
        self.tally.reused = self.reference.reused();
        self.check();
    }

    /// No replica translates an address to another host than the one that is believed in.
    fn check(&mut self) {
        for replica in self.replicas.iter().filter(|replica| !replica.is_down) {
            for mapping in replica.dns46.mappings() {
                if mapping.state != State::Quarantine && mapping.stored {
                    let (address, host) = (mapping.address, mapping.host);
                    self.reference.stands(self.now, address, host);
                }
            }
        }
    }

    fn query(&mut self, replica: usize, host: u16) {
        let host = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, host);
        let [first, second] = [RecordType::A, RecordType::AAAA].map(|kind| reply(kind, host));
        let mut out = [0; 512];
        if self.replicas[replica].is_down {
            return;
        }
        let responder = &mut self.replicas[replica].dns46;
        let mut pair = responder.on_pair(self.now, CLIENT, &first, &second, &mut out);
        if let Pair::Wait(ticket) = pair {
            self.serve(replica);
            // A reply that was lost, or a store that is away: the deadline decides.
            self.wait(Duration::from_millis(300));
            let responder = &mut self.replicas[replica].dns46;
            pair = responder.finish(self.now, ticket, &mut out);
        }
        let Pair::Reply(made) = pair else {
            self.tally.refused += 1;
            return;
        };
        self.tally.answers += 1;
        let message = Message::from_vec(&out[..made.len]).unwrap();
        let RData::A(address) = &message.answers[0].data else {
            panic!("{message}")
        };
        // Under pressure the hold is what a mapping may be idle for: longer than any TTL here.
        let ttl = Duration::from_secs(message.answers[0].ttl.into());
        let until = self.now + ttl.max(HOLD);
        let promise = Promise {
            address: address.0,
            host,
            until,
        };
        self.reference.promise(self.now, promise);
    }

    fn packet(&mut self, replica: usize, pick: u16) {
        let now = self.now;
        self.reference
            .promises
            .retain(|promise| promise.until > now);
        let promises = &self.reference.promises;
        if promises.is_empty() || self.replicas[replica].is_down {
            return;
        }
        let promise = promises[usize::from(pick) % promises.len()];
        let mut found = self.replicas[replica].dns46.lookup(now, promise.address);
        if let Lookup::Ask(_) = found {
            self.serve(replica);
            found = self.replicas[replica].dns46.lookup(now, promise.address);
        }
        if let Lookup::Host(host) = found {
            self.tally.packets += 1;
            self.reference.arrived(&promise, host);
            assert!(self.replicas[replica].dns46.retain(promise.address));
            self.reference.flows.push(Flow {
                replica,
                address: promise.address,
                host,
            });
        }
    }

    fn end(&mut self, pick: u16) {
        if self.reference.flows.is_empty() {
            return;
        }
        let index = usize::from(pick) % self.reference.flows.len();
        let flow = self.reference.flows.swap_remove(index);
        let responder = &mut self.replicas[flow.replica].dns46;
        responder.release(self.now, flow.address);
    }

    fn remove(&mut self, replica: usize, pick: u16) {
        let responder = &mut self.replicas[replica].dns46;
        let slice = ((replica + self.shift) % 3) as u8;
        let own = 1 + slice * SLICE..1 + (slice + 1) * SLICE;
        let mappings: Vec<Ipv4Addr> = responder
            .mappings()
            .map(|mapping| mapping.address)
            .filter(|address| own.contains(&address.octets()[3]))
            .collect();
        if mappings.is_empty() || self.replicas[replica].is_down {
            return;
        }
        let address = mappings[usize::from(pick) % mappings.len()];
        // Only what nobody uses: an operator who ends more knows what he does.
        if self.reference.host_of(self.now, address).is_none() {
            self.replicas[replica].dns46.remove(self.now, address);
            self.reference.void(address);
        }
    }

    /// Lets time pass for all, from one moment to the next at which somebody has something to do.
    fn wait(&mut self, span: Duration) {
        let end = self.now + span;
        while self.now < end {
            let next = self.replicas.iter().filter(|replica| !replica.is_down);
            let next = next
                .filter_map(|replica| replica.dns46.poll_timeout())
                .min();
            let next = next
                .unwrap_or(end)
                .clamp(self.now + Duration::from_millis(1), end);
            self.now = next;
            for replica in 0..3 {
                self.replicas[replica].dns46.handle_timeout(next);
                self.serve(replica);
            }
        }
    }

    /// Those that wait for the store begin anew, if it is there.
    fn recover(&mut self) {
        if !self.up {
            return;
        }
        for (number, replica) in self.replicas.iter_mut().enumerate() {
            if replica.is_down {
                replica.dns46 = responder(number, (number + self.shift) % 3);
                let kept = self
                    .store
                    .iter()
                    .map(|(address, (host, _))| (*address, *host));
                replica.dns46.load(self.now, kept);
                replica.is_down = false;
            }
        }
    }

    fn serve(&mut self, number: usize) {
        if self.replicas[number].is_down {
            return;
        }
        while let Some(operation) = self.replicas[number].dns46.poll_store() {
            if !self.up {
                continue;
            }
            let reply = self.apply(operation.action);
            let replica = &mut self.replicas[number];
            if !core::mem::take(&mut replica.loses_reply) {
                replica.dns46.handle_store(self.now, operation.id, reply);
            }
        }
        while let Some(event) = self.replicas[number].dns46.poll_event() {
            let _: Event = event;
        }
    }

    fn apply(&mut self, action: StoreAction) -> StoreReply {
        let now = self.now;
        match action {
            StoreAction::Put { address, host } => {
                let (kept, _) = *self.store.entry(address).or_insert((host, Duration::ZERO));
                if kept == host {
                    StoreReply::Done
                } else {
                    StoreReply::Conflict(kept)
                }
            }
            StoreAction::Get { address, lease } => match self.store.get_mut(&address) {
                Some((host, until)) => {
                    *until = now + lease;
                    StoreReply::Found(*host)
                }
                None => StoreReply::Absent,
            },
            StoreAction::Renew {
                address,
                host,
                lease,
            } => match self.store.get_mut(&address) {
                Some((kept, until)) if *kept == host => {
                    *until = now + lease;
                    StoreReply::Done
                }
                Some((kept, _)) => StoreReply::Conflict(*kept),
                None => StoreReply::Absent,
            },
            StoreAction::Delete { address, host } => match self.store.get(&address) {
                Some((kept, until)) if *kept == host && *until > now => StoreReply::Leased,
                Some((kept, _)) if *kept == host => {
                    self.store.remove(&address);
                    StoreReply::Done
                }
                _ => StoreReply::Done,
            },
            _ => StoreReply::Failed,
        }
    }
}

/// A denial of A, or the AAAA record of a host, under a name of its own.
fn reply(kind: RecordType, host: Ipv6Addr) -> Vec<u8> {
    let name = Name::from_ascii(format!("h{}.example.", host.segments()[7])).unwrap();
    let mut message = Message::response(7, OpCode::Query);
    message.add_query(Query::query(name.clone(), kind));
    if kind == RecordType::AAAA {
        message.add_answer(Record::from_rdata(name, 300, RData::AAAA(AAAA(host))));
    }
    message.to_vec().unwrap()
}
