use alloc::collections::BTreeMap;
use core::any::Any;
use core::fmt;
use core::marker::PhantomData;
use core::net::IpAddr;
use core::ops::{Index, IndexMut};
use core::time::Duration;

use ipnet::IpNet;

use super::link::Link;
use super::{Capture, Dice, Direction, Frame, LinkConfig, LinkStats, Node, packet};

/// Events at one moment after which the simulation is said to run in circles.
const EVENTS_PER_MOMENT: u32 = 100_000;

/// A network in virtual time: nodes, the segments that join them, and packets on their way.
///
/// Time moves from one event to the next, an event being the arrival of a packet or a deadline of
/// a node. The same seed, nodes and calls give the same run to the last bit.
pub struct Net {
    now: Duration,
    seed: u64,
    stations: Vec<Station>,
    segments: Vec<Segment>,
    /// By arrival, then in the order of sending.
    in_flight: BTreeMap<(Duration, u64), Flight>,
    sent: u64,
    events_at_now: u32,
    capture: Capture,
}

/// A node of a [`Net`], whose type it remembers.
pub struct NodeId<T> {
    index: usize,
    node: PhantomData<fn() -> T>,
}

impl<T> Clone for NodeId<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for NodeId<T> {}

impl<T> fmt::Debug for NodeId<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({})", self.index)
    }
}

/// A segment of a [`Net`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentId(usize);

struct Station {
    name: String,
    node: Box<dyn Node>,
    deadline: Option<Duration>,
    /// Must be asked for packets and its deadline.
    awake: bool,
}

/// A switch that forwards by destination address, longest prefix first.
struct Segment {
    name: String,
    link: LinkConfig,
    ports: Vec<Port>,
    unroutable: u64,
}

struct Port {
    station: usize,
    interface: usize,
    prefixes: Vec<IpNet>,
    /// The way from the segment to the node.
    link: Link,
    tap: Option<usize>,
    interceptor: Option<Interceptor>,
}

type Interceptor = Box<dyn FnMut(Duration, &mut Vec<u8>) -> bool>;

struct Flight {
    segment: usize,
    port: usize,
    bytes: Vec<u8>,
}

impl Net {
    /// An empty network at time zero. All chance in it follows from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            now: Duration::ZERO,
            seed,
            stations: Vec::new(),
            segments: Vec::new(),
            in_flight: BTreeMap::new(),
            sent: 0,
            events_at_now: 0,
            capture: Capture::default(),
        }
    }

    /// Adds a segment. `link` is how packets fare on the way to each of its nodes: once per
    /// crossing of the segment, so that a loss of 0.2 loses a fifth of the packets.
    pub fn add_segment(&mut self, name: &str, link: LinkConfig) -> SegmentId {
        let ports = Vec::new();
        self.segments.push(Segment {
            name: name.to_owned(),
            link,
            ports,
            unroutable: 0,
        });
        SegmentId(self.segments.len() - 1)
    }

    /// Adds a node, not yet attached to anything.
    pub fn add<T: Node>(&mut self, name: &str, node: T) -> NodeId<T> {
        self.stations.push(Station {
            name: name.to_owned(),
            node: Box::new(node),
            deadline: None,
            awake: true,
        });
        NodeId {
            index: self.stations.len() - 1,
            node: PhantomData,
        }
    }

    /// Joins an interface of a node to a segment. Packets to `prefixes` are forwarded to it; a
    /// default gateway is the node with `0.0.0.0/0` and `::/0`. Of equal prefixes the first
    /// attached wins. A packet is never sent back to the interface that it came from.
    pub fn attach<T: Node>(
        &mut self,
        segment: SegmentId,
        node: NodeId<T>,
        interface: usize,
        prefixes: &[IpNet],
    ) {
        let ports: usize = self
            .segments
            .iter()
            .map(|segment| segment.ports.len())
            .sum();
        let dice = Dice::new(self.seed, ports as u64);
        let segment = &mut self.segments[segment.0];
        segment.ports.push(Port {
            station: node.index,
            interface,
            prefixes: prefixes.to_vec(),
            link: Link::new(segment.link.clone(), dice),
            tap: None,
            interceptor: None,
        });
    }

    /// The moment that the simulation has reached.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.now
    }

    /// Changes the links to every node of a segment from now on.
    pub fn set_link(&mut self, segment: SegmentId, link: LinkConfig) {
        let segment = &mut self.segments[segment.0];
        for port in &mut segment.ports {
            port.link.config = link.clone();
        }
        segment.link = link;
    }

    /// Changes the link to one interface of one node from now on.
    ///
    /// # Panics
    ///
    /// If the interface is attached to nothing.
    pub fn set_link_to<T: Node>(&mut self, node: NodeId<T>, interface: usize, link: LinkConfig) {
        self.port_mut(node, interface).link.config = link;
    }

    /// Shows every packet on its way to an interface to `interceptor`, before chance has its turn.
    /// It may change the packet; the packet goes on if it returns true. One per interface, the
    /// last one counts.
    ///
    /// # Panics
    ///
    /// If the interface is attached to nothing.
    pub fn intercept<T: Node>(
        &mut self,
        node: NodeId<T>,
        interface: usize,
        interceptor: impl FnMut(Duration, &mut Vec<u8>) -> bool + 'static,
    ) {
        self.port_mut(node, interface).interceptor = Some(Box::new(interceptor));
    }

    /// Records what an interface receives and sends from now on, as `tcpdump` on it would.
    ///
    /// # Panics
    ///
    /// If the interface is attached to nothing.
    pub fn tap<T: Node>(&mut self, node: NodeId<T>, interface: usize, name: &str) {
        let tap = self.capture.interfaces.len();
        self.port_mut(node, interface).tap = Some(tap);
        self.capture.interfaces.push(name.to_owned());
    }

    /// What the taps recorded so far.
    #[must_use]
    pub fn capture(&self) -> &Capture {
        &self.capture
    }

    /// What became of the packets on the way to an interface; zeros if it is attached to nothing.
    #[must_use]
    pub fn link_stats<T: Node>(&self, node: NodeId<T>, interface: usize) -> LinkStats {
        self.segments
            .iter()
            .flat_map(|segment| &segment.ports)
            .find(|port| port.station == node.index && port.interface == interface)
            .map_or_else(LinkStats::default, |port| port.link.stats)
    }

    /// Packets that no node of the segment wanted.
    #[must_use]
    pub fn unroutable(&self, segment: SegmentId) -> u64 {
        self.segments[segment.0].unroutable
    }

    /// Runs until `done` says so, looking after each event.
    ///
    /// # Errors
    ///
    /// If that does not happen until `deadline`, if nothing is left to happen, or if time stands
    /// still.
    pub fn run_until(
        &mut self,
        deadline: Duration,
        mut done: impl FnMut(&Self) -> bool,
    ) -> Result<(), Stalled> {
        loop {
            self.collect();
            if done(self) {
                return Ok(());
            }
            match self.next_at() {
                None => return Err(self.stalled(StallReason::Idle)),
                Some(at) if at > deadline => {
                    self.now = self.now.max(deadline);
                    return Err(self.stalled(StallReason::Deadline));
                }
                Some(_) => self.step()?,
            }
        }
    }

    /// Runs everything that happens up to `moment`, and stops there.
    ///
    /// # Errors
    ///
    /// If time stands still.
    pub fn run_to(&mut self, moment: Duration) -> Result<(), Stalled> {
        self.collect();
        while self.next_at().is_some_and(|at| at <= moment) {
            self.step()?;
        }
        self.now = self.now.max(moment);
        Ok(())
    }

    /// Jumps to the next event, if there is one, and lets it happen: one arrival or one deadline.
    ///
    /// # Errors
    ///
    /// If time stands still.
    pub fn step(&mut self) -> Result<(), Stalled> {
        self.collect();
        let Some(at) = self.next_at() else {
            return Ok(());
        };
        if at > self.now {
            self.now = at;
            self.events_at_now = 0;
        }
        self.events_at_now += 1;
        if self.events_at_now > EVENTS_PER_MOMENT {
            return Err(self.stalled(StallReason::Livelock));
        }
        if self
            .in_flight
            .first_key_value()
            .is_some_and(|((at, _), _)| *at <= self.now)
        {
            self.deliver_next();
        } else {
            self.fire_next();
        }
        self.collect();
        Ok(())
    }

    /// Whether no packet is on its way and no node has a deadline, as of the last event.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.next_at().is_none()
    }

    fn next_at(&self) -> Option<Duration> {
        let arrival = self.in_flight.first_key_value().map(|((at, _), _)| *at);
        let deadline = self
            .stations
            .iter()
            .filter_map(|station| station.deadline)
            .min();
        arrival.into_iter().chain(deadline).min()
    }

    fn deliver_next(&mut self) {
        let Some((_, flight)) = self.in_flight.pop_first() else {
            return;
        };
        let port = &mut self.segments[flight.segment].ports[flight.port];
        port.link.stats.delivered += 1;
        let station = &mut self.stations[port.station];
        station
            .node
            .handle_packet(self.now, port.interface, &flight.bytes);
        station.awake = true;
        if let Some(interface) = port.tap {
            self.capture.frames.push(Frame {
                at: self.now,
                interface,
                direction: Direction::Inbound,
                bytes: flight.bytes,
            });
        }
    }

    fn fire_next(&mut self) {
        let due = |station: &&mut Station| station.deadline.is_some_and(|at| at <= self.now);
        if let Some(station) = self.stations.iter_mut().find(due) {
            station.node.handle_timeout(self.now);
            station.awake = true;
        }
    }

    /// Puts on their way the packets of every node that was touched.
    fn collect(&mut self) {
        for index in 0..self.stations.len() {
            if !self.stations[index].awake {
                continue;
            }
            while let Some((interface, bytes)) = self.stations[index].node.poll_transmit(self.now) {
                self.send(index, interface, bytes);
            }
            let station = &mut self.stations[index];
            station.deadline = station.node.poll_timeout(self.now);
            station.awake = false;
        }
    }

    fn send(&mut self, station: usize, interface: usize, mut bytes: Vec<u8>) {
        let Some((segment_index, sender)) = self.find_port(station, interface) else {
            return;
        };
        let segment = &mut self.segments[segment_index];
        if let Some(interface) = segment.ports[sender].tap {
            self.capture.frames.push(Frame {
                at: self.now,
                interface,
                direction: Direction::Outbound,
                bytes: bytes.clone(),
            });
        }
        let receiver = packet::destination(&bytes).and_then(|to| segment.route(sender, to));
        let Some(receiver) = receiver else {
            segment.unroutable += 1;
            return;
        };
        let port = &mut segment.ports[receiver];
        if let Some(interceptor) = &mut port.interceptor
            && !interceptor(self.now, &mut bytes)
        {
            port.link.stats.intercepted += 1;
            return;
        }
        for at in port.link.carry(self.now, &mut bytes) {
            let flight = Flight {
                segment: segment_index,
                port: receiver,
                bytes: bytes.clone(),
            };
            self.in_flight.insert((at, self.sent), flight);
            self.sent += 1;
        }
    }

    fn find_port(&self, station: usize, interface: usize) -> Option<(usize, usize)> {
        self.segments
            .iter()
            .enumerate()
            .find_map(|(index, segment)| {
                segment
                    .ports
                    .iter()
                    .position(|port| port.station == station && port.interface == interface)
                    .map(|port| (index, port))
            })
    }

    fn port_mut<T: Node>(&mut self, node: NodeId<T>, interface: usize) -> &mut Port {
        self.segments
            .iter_mut()
            .flat_map(|segment| &mut segment.ports)
            .find(|port| port.station == node.index && port.interface == interface)
            .unwrap_or_else(|| panic!("interface {interface} of {node:?} is attached to nothing"))
    }

    fn stalled(&self, reason: StallReason) -> Stalled {
        let waiting = self
            .stations
            .iter()
            .map(|station| format!("{} waits for {}", station.name, station.node.waits_for()))
            .collect();
        let unroutable = self
            .segments
            .iter()
            .filter(|segment| segment.unroutable > 0)
            .map(|segment| (segment.name.clone(), segment.unroutable))
            .collect();
        Stalled {
            at: self.now,
            reason,
            waiting,
            unroutable,
        }
    }
}

impl Segment {
    /// The port other than `sender` with the longest prefix that holds `to`.
    fn route(&self, sender: usize, to: IpAddr) -> Option<usize> {
        let mut best: Option<(u8, usize)> = None;
        for (index, port) in self
            .ports
            .iter()
            .enumerate()
            .filter(|(index, _)| *index != sender)
        {
            for prefix in port.prefixes.iter().filter(|prefix| prefix.contains(&to)) {
                if best.is_none_or(|(length, _)| prefix.prefix_len() > length) {
                    best = Some((prefix.prefix_len(), index));
                }
            }
        }
        best.map(|(_, index)| index)
    }
}

/// A node by the identifier that adding it returned.
///
/// # Panics
///
/// If the identifier is of another network.
impl<T: Node> Index<NodeId<T>> for Net {
    type Output = T;

    fn index(&self, id: NodeId<T>) -> &T {
        let node: &dyn Any = &*self.stations[id.index].node;
        node.downcast_ref()
            .unwrap_or_else(|| panic!("{id:?} belongs to another network"))
    }
}

/// The node is asked again what it has to send and when.
impl<T: Node> IndexMut<NodeId<T>> for Net {
    fn index_mut(&mut self, id: NodeId<T>) -> &mut T {
        let station = &mut self.stations[id.index];
        station.awake = true;
        let node: &mut dyn Any = &mut *station.node;
        node.downcast_mut()
            .unwrap_or_else(|| panic!("{id:?} belongs to another network"))
    }
}

/// A simulation did not get where it was told to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at {at:?}: {reason}; {}", self.details())]
pub struct Stalled {
    /// The moment that it reached.
    pub at: Duration,
    /// Why it stopped.
    pub reason: StallReason,
    /// What each node waits for.
    pub waiting: Vec<String>,
    /// Segments with packets that nobody wanted, and how many.
    pub unroutable: Vec<(String, u64)>,
}

impl Stalled {
    fn details(&self) -> String {
        let unroutable = self
            .unroutable
            .iter()
            .map(|(segment, packets)| format!("{segment} had {packets} packets for nobody"));
        let all: Vec<String> = self.waiting.iter().cloned().chain(unroutable).collect();
        all.join("; ")
    }
}

/// Why a simulation stopped early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StallReason {
    /// No packet is on its way and no node has a deadline.
    #[error("nothing is left to happen")]
    Idle,
    /// The deadline of the run has passed.
    #[error("the deadline has passed")]
    Deadline,
    /// Events follow one another without any time passing.
    #[error("time stands still")]
    Livelock,
}
