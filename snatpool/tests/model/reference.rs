//! What the table should do, as lists that are searched: RFC 6146 §3.5, RFC 4787, RFC 5382 §5.

use core::net::IpAddr;

use crate::{PORTS, history::Segment};
use snatpool::{Closed, Filter, Mapping, Protocol, Side, State, TransportAddress, Tuple};

#[derive(Clone, Debug)]
pub(crate) struct Flow {
    pub(crate) inside: Tuple,
    pub(crate) outside: Tuple,
    pub(crate) state: State,
    pub(crate) due: u64,
    pub(crate) pinned: bool,
    pub(crate) ended: bool, // but pinned: it holds its port
    pub(crate) from_outside: bool,
}

pub(crate) struct Model {
    pub(crate) mapping: Mapping,
    pub(crate) filter: Filter,
    pub(crate) evicts: bool,
    pub(crate) bound: usize,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) draining: Vec<IpAddr>,
    pub(crate) undrained: bool,
    pub(crate) flows: Vec<Flow>,
    pub(crate) clients_seen: Vec<IpAddr>,
}

impl Model {
    /// The live flow of a packet.
    pub(crate) fn find(&self, side: Side, tuple: &Tuple) -> Option<usize> {
        self.flows.iter().position(|flow| {
            let same = match side {
                Side::Inside => flow.inside == *tuple,
                Side::Outside => flow.outside.reversed() == *tuple,
            };
            same && !flow.ended
        })
    }

    /// A packet of a live flow: the table of RFC 6146 §3.5.2.2 with RFC 7857 §2.2, and two states
    /// for all else.
    pub(crate) fn packet(&mut self, now: u64, index: usize, side: Side, segment: Option<Segment>) {
        use Segment::{Fin, Rst, Syn};
        use State::*;
        let flow = &mut self.flows[index];
        let inside = side == Side::Inside;
        let (state, refresh) = match (flow.state, segment, inside) {
            (Unconfirmed | Confirmed, _, _) if inside == flow.from_outside => (Confirmed, true),
            (Unconfirmed | Confirmed, _, _) => (flow.state, true),
            (InInit | Rejected, Some(Syn), true) => (InInit, true),
            (InInit | Rejected, Some(Syn), false) => (Established, true),
            (InInit, Some(Rst), false) => (Rejected, false),
            (OutInit, Some(Syn), true) => (Established, true),
            (Established, Some(Fin), true) => (InFin, false),
            (Established, Some(Fin), false) => (OutFin, false),
            (InFin, Some(Fin), false) | (OutFin, Some(Fin), true) => (BothFin, true),
            (Established | InFin | OutFin, Some(Rst), _) => (Transitory, true),
            (Established | InFin | OutFin, _, _) => (flow.state, true),
            (Transitory, Some(Rst), _) => (Transitory, false),
            (Transitory, _, _) => (Established, true),
            // The sequence number of a SYN is always a new one here.
            (BothFin | Reopening, Some(Syn), true) => (InInit, true),
            (BothFin | Reopening, Some(Syn), false) if flow.from_outside => (Reopening, false),
            (state, _, _) => (state, false),
        };
        let kept = flow.due - lifetime(flow);
        let seen = if refresh { now } else { kept };
        flow.state = state;
        flow.due = seen + lifetime(flow);
    }

    /// Where a new flow may leave: every (address, port) that would be right, by address.
    pub(crate) fn outsides(&self, inside: &Tuple, peer: IpAddr) -> Vec<Vec<(IpAddr, u16)>> {
        if let Some(bound) = self.binding(inside, peer) {
            let taken = self.taken(bound, inside, peer, true);
            return vec![if taken { Vec::new() } else { vec![bound] }];
        }
        let usable = |address: &IpAddr| {
            address.is_ipv4() == peer.is_ipv4() && !self.draining.contains(address)
        };
        let client = inside.source.address;
        let count = |address: &IpAddr| {
            let same = |flow: &&Flow| flow.outside.source.address == *address;
            self.flows.iter().filter(same).count()
        };
        let usable: Vec<IpAddr> = self.addresses.iter().copied().filter(usable).collect();
        let own = self
            .flows
            .iter()
            .filter(|flow| flow.inside.source.address == client);
        let mut paired: Vec<IpAddr> = own.map(|flow| flow.outside.source.address).collect();
        paired.retain(|address| usable.contains(address));
        if self.undrained {
            paired = usable; // Its pair may be an address that it has no flow of just now.
        } else if paired.is_empty() {
            let (least, seen) = (usable.iter().map(count).min(), &self.clients_seen);
            let fits = |address: &IpAddr| seen.contains(&client) || Some(count(address)) == least;
            paired = usable.into_iter().filter(fits).collect();
        }
        let icmp = inside.protocol == Protocol::Icmp;
        let ports = if icmp { 0..=u16::MAX } else { PORTS };
        let free_of = |address| {
            let free = |port: &u16| !self.taken((address, *port), inside, peer, false);
            let own = inside.source.port;
            if ports.contains(&own) && free(&own) {
                return vec![(address, own)];
            }
            ports
                .clone()
                .filter(free)
                .map(|port| (address, port))
                .collect()
        };
        paired.into_iter().map(free_of).collect()
    }

    /// RFC 4787 REQ-1: the outside transport address that an inside one has.
    fn binding(&self, inside: &Tuple, peer: IpAddr) -> Option<(IpAddr, u16)> {
        let same = |flow: &&Flow| {
            flow.inside.protocol == inside.protocol
                && flow.inside.source == inside.source
                && flow.outside.destination.address.is_ipv4() == peer.is_ipv4()
        };
        let found = self.flows.iter().find(same)?;
        let source = found.outside.source;
        (self.mapping == Mapping::EndpointIndependent).then_some((source.address, source.port))
    }

    /// RFC 4787 REQ-3: whether another flow has this outside transport address.
    fn taken(&self, at: (IpAddr, u16), inside: &Tuple, peer: IpAddr, to_peer: bool) -> bool {
        let to = match inside.protocol {
            Protocol::Icmp => at.1,
            Protocol::Tcp | Protocol::Udp => inside.destination.port,
        };
        let to = TransportAddress::new(peer, to);
        self.flows.iter().any(|flow| {
            flow.outside.protocol == inside.protocol
                && flow.outside.source == TransportAddress::new(at.0, at.1)
                && (flow.outside.destination == to
                    || (self.mapping == Mapping::EndpointIndependent && !to_peer))
        })
    }

    /// RFC 4787 REQ-8: the client that a packet without a session may go to.
    pub(crate) fn admits(&self, outside: &Tuple) -> Option<TransportAddress> {
        let bound = |flow: &&Flow| {
            flow.outside.protocol == outside.protocol && flow.outside.source == outside.destination
        };
        let known = |flow: &Flow| {
            !flow.from_outside && flow.outside.destination.address == outside.source.address
        };
        let client = self.flows.iter().find(bound)?.inside.source;
        let passes = match self.filter {
            Filter::Endpoint => true,
            Filter::Address => self.flows.iter().filter(bound).any(known),
            Filter::AddressPort => false,
        };
        (passes && self.mapping == Mapping::EndpointIndependent).then_some(client)
    }

    /// What a flow is worth, least first; `None` if it must not be evicted.
    pub(crate) fn worth(flow: &Flow) -> Option<(u8, u64)> {
        let class = match flow.state {
            State::BothFin | State::Transitory | State::Rejected | State::Reopening => 0,
            State::InInit | State::OutInit => 1,
            State::Unconfirmed => 2,
            _ => return None,
        };
        (!flow.pinned && !flow.ended).then_some((class, flow.due))
    }

    /// Whether a flow may end for this reason now.
    pub(crate) fn may_end(&self, now: u64, index: usize, why: Closed) -> bool {
        let (flow, least) = (
            &self.flows[index],
            self.flows.iter().filter_map(Self::worth).min(),
        );
        match why {
            Closed::Expired => flow.due <= now,
            Closed::EvictedForSession => {
                self.evicts && self.flows.len() >= self.bound && Self::worth(flow) == least
            }
            Closed::EvictedForPort => self.evicts && Self::worth(flow).is_some(),
            _ => false,
        }
    }
}

/// In seconds: RFC 6146 §4 and RFC 5382 REQ-5, RFC 4787 REQ-5, RFC 5508 REQ-2.
pub(crate) fn lifetime(flow: &Flow) -> u64 {
    match (flow.inside.protocol, flow.state) {
        (Protocol::Tcp, State::Established | State::InFin | State::OutFin) => 7440,
        (Protocol::Tcp, _) => 240,
        (Protocol::Udp, _) if flow.inside.destination.port == 53 => 10,
        (Protocol::Udp, _) => 300,
        (Protocol::Icmp, _) => 60,
    }
}
