//! What would become of a packet, without sending it.

use core::fmt::Display;
use core::net::{IpAddr, SocketAddr};

use nat46::packet::Packet;
use snatpool::Protocol;

use crate::classify::{DNS_PORT, Way};
use crate::sim::craft;
use crate::sim::craft::EchoKind;
use crate::{DropReason, Gateway, Side, martian};

/// The flag of a first segment (RFC 9293 §3.1).
const SYN: u8 = 2;

/// A packet of a pod that is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Its protocol.
    pub protocol: Protocol,
    /// Its source; port 0 stands for any.
    pub source: SocketAddr,
    /// Where it goes.
    pub destination: SocketAddr,
}

/// One thing that was looked at on the way, and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What was looked at.
    pub looked_at: &'static str,
    /// What was found.
    pub found: String,
}

/// The way of a [`Probe`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// In the order in which a packet meets them.
    pub steps: Vec<Step>,
    /// It would leave on the other side, or be answered.
    pub passes: bool,
}

impl Trace {
    fn step(&mut self, looked_at: &'static str, found: impl Display) {
        self.steps.push(Step {
            looked_at,
            found: found.to_string(),
        });
    }

    fn ends(mut self, why: impl Display) -> Self {
        self.step("verdict", format_args!("dropped: {why}"));
        self
    }
}

impl Probe {
    /// Whether the packet may belong to a session.
    #[must_use]
    pub fn is_about(&self, session: &snatpool::Session) -> bool {
        let inside = &session.inside;
        inside.protocol == self.protocol
            && inside.source.address == self.source.ip()
            && (self.source.port() == 0 || inside.source.port == self.source.port())
            && inside.destination.address == self.destination.ip()
            && (self.protocol == Protocol::Icmp
                || inside.destination.port == self.destination.port())
    }
}

impl Gateway {
    /// Follows a packet from inside as far as it would come. Nothing is changed, and nothing sent.
    #[must_use]
    pub fn trace(&self, probe: &Probe) -> Trace {
        let open = self.sessions().filter(|session| probe.is_about(session));
        self.trace_among(probe, &open.collect::<Vec<_>>())
    }

    /// The same, given the sessions that it [may belong to](Probe::is_about): who looks for them needs
    /// not do so at once.
    #[must_use]
    pub fn trace_among(&self, probe: &Probe, open: &[snatpool::Session]) -> Trace {
        let mut trace = Trace::default();
        let (source, destination) = (probe.source, probe.destination);
        if source.is_ipv4() != destination.is_ipv4() {
            return trace.ends("source and destination are of different families");
        }
        let bytes = match probe.protocol {
            Protocol::Tcp => craft::tcp(source, destination, SYN, (1, 0), None, &[]),
            Protocol::Udp => craft::udp(source, destination, &[]),
            Protocol::Icmp => {
                craft::echo(EchoKind::Request, source.ip(), destination.ip(), 1, 1, &[])
            }
        };
        let Ok(packet) = Packet::parse(&bytes) else {
            return trace.ends("no packet can have these addresses");
        };
        let way = match self.classifier.classify(Side::Inside, &packet) {
            Ok(way) => way,
            Err(reason) => {
                let inside = self.classifier.inside.iter();
                let inside: Vec<String> = inside.map(ToString::to_string).collect();
                trace.step("inside networks", inside.join(", "));
                return trace.ends(format_args!("{} ({})", reason.name(), hint(&reason)));
            }
        };
        trace.step("source", format_args!("{} is inside", source.ip()));
        let host = match self.trace_destination(way, probe, &mut trace) {
            Ok(Some(host)) if !martian::is_reachable(host) => {
                let reason = DropReason::MartianDestination;
                return trace.ends(format_args!("{} ({})", reason.name(), hint(&reason)));
            }
            Ok(Some(host)) => host,
            Ok(None) => {
                trace.passes = true;
                return trace;
            }
            Err(why) => return trace.ends(why),
        };
        for session in open {
            trace.step(
                "session",
                format_args!(
                    "{} leaves as {} to {}, {:?}",
                    session.inside.source,
                    session.outside.source,
                    session.outside.destination,
                    session.state
                ),
            );
        }
        if open.is_empty() && self.snat.owns(host) && !self.holds_syns {
            return trace.ends(format_args!(
                "{host} is an address that flows leave with, and takes in only what belongs to one"
            ));
        }
        if open.is_empty() {
            trace.step("session", "none yet; this packet would open one");
            let mut of_family = self
                .addresses()
                .filter(|row| row.pool == crate::setup::PODS)
                .filter(|row| row.address.is_ipv4() == host.is_ipv4())
                .map(|row| format!("{} ({} sessions)", row.address, row.sessions))
                .peekable();
            if of_family.peek().is_none() {
                let family = if host.is_ipv4() { "IPv4" } else { "IPv6" };
                return trace.ends(format_args!(
                    "no SNAT address is {family}: give the pool of this replica one"
                ));
            }
            let found: Vec<String> = of_family.collect();
            trace.step("SNAT address", found.join(", "));
        }
        trace.step("verdict", format_args!("forwarded to {host}"));
        trace.passes = true;
        trace
    }

    /// The host behind the destination; `None` if the gateway itself answers.
    fn trace_destination(
        &self,
        way: Way,
        probe: &Probe,
        trace: &mut Trace,
    ) -> Result<Option<IpAddr>, String> {
        let destination = probe.destination;
        let answered = |trace: &mut Trace, by: &str| {
            trace.step("verdict", format_args!("answered by {by}"));
            Ok(None)
        };
        match way {
            Way::Dns => {
                let port = DNS_PORT;
                trace.step(
                    "virtual server",
                    format_args!("egress-dns-ipv4 (port {port})"),
                );
                answered(trace, "the DNS cache, whatever the destination")
            }
            Way::Local => {
                trace.step("destination", "a self IP of the gateway");
                if probe.protocol != Protocol::Icmp {
                    return Err("unwanted (only pings are answered)".to_owned());
                }
                answered(trace, "the gateway itself")
            }
            Way::Plain => {
                trace.step(
                    "virtual server",
                    "none: flows of this family keep their source",
                );
                trace.step("verdict", "forwarded as it is");
                Ok(None)
            }
            Way::Nat46(address) => {
                trace.step("virtual server", "egress-ipv4-nat46");
                match self.mappings_in(address..=address).next() {
                    Some(mapping) if mapping.state == dns46::State::Quarantine => Err(format!(
                        "{address} stood for {} and rests: the client kept an answer for longer than its TTL",
                        mapping.host
                    )),
                    Some(mapping) => {
                        let (host, state) = (mapping.host, mapping.state);
                        trace.step(
                            "mapping",
                            format_args!("{address} stands for {host} ({state:?})"),
                        );
                        Ok(Some(IpAddr::V6(host)))
                    }
                    None => Err(format!(
                        "{address} stands for no host: clients get such addresses by DNS alone (or it is the sorry IP)"
                    )),
                }
            }
            Way::Nat64(host) => {
                trace.step("virtual server", "egress-ipv6-nat64");
                trace.step(
                    "NAT64 prefix",
                    format_args!("{} holds {host}", destination.ip()),
                );
                Ok(Some(IpAddr::V4(host)))
            }
            Way::Snat => {
                let server = if destination.is_ipv4() {
                    "egress-ipv4"
                } else {
                    "egress-ipv6"
                };
                trace.step("virtual server", server);
                Ok(Some(destination.ip()))
            }
            Way::Sorry => {
                trace.step("destination", "the sorry IP");
                answered(trace, "the page of --sorry-page")
            }
            Way::Return => Err("only packets from outside return".to_owned()),
        }
    }
}

const fn hint(reason: &DropReason) -> &'static str {
    match reason {
        DropReason::MartianSource => "no packet may come from such an address",
        DropReason::MartianDestination => {
            "nothing is forwarded to multicast, broadcast, loopback, link-local, 0/8 and 240/4 addresses"
        }
        DropReason::SpoofedSource => {
            "the source is in no subnet of an internal VLAN: see spec.selfip_v4s and spec.prefixlen_v4"
        }
        DropReason::NoVirtualServer => {
            "IPv6 pods reach IPv6 hosts only with spec.dualStackEnabled, and IPv4 hosts under the NAT64 prefix"
        }
        _ => "see docs/troubleshooting.md",
    }
}
