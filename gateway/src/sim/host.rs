use core::time::Duration;

use ipnet::IpNet;

use super::packet::IpView;
use super::{App, Dice, Node, Parsed, Payload, Reassembler, Stack};

/// Rounds of stack and program at one moment; the rest waits for [`BREATH`].
const ROUNDS: u32 = 16;

/// How long something that is due again and again is put off, so that time moves on.
const BREATH: Duration = Duration::from_millis(1);

/// Least MTU of an IPv4 link (RFC 791 §3.2).
const IPV4_MTU_MIN: usize = 68;

/// Least MTU of an IPv6 link (RFC 8200 §5).
const IPV6_MTU_MIN: usize = 1280;

/// How a host is set up.
#[derive(Debug, Clone)]
pub struct HostConfig {
    /// Its addresses, at most eight. The first of a family is the one that it sends from.
    pub addresses: Vec<IpNet>,
    /// The longest packet that it sends, until a router tells it of a shorter one.
    pub mtu: usize,
    /// Source of its ports, identifiers and sequence numbers.
    pub seed: u64,
}

/// A host with one interface, a TCP/IP stack that is not the gateway's, and a program.
///
/// It answers pings, refuses what no socket wants, fragments and reassembles, and sends shorter
/// packets once a router told it to.
pub struct Host<A> {
    stack: Stack,
    reassembler: Reassembler,
    app: A,
}

impl<A: App> Host<A> {
    /// A host that runs `app`.
    ///
    /// # Panics
    ///
    /// If there are more than eight addresses.
    #[must_use]
    pub fn new(config: &HostConfig, app: A) -> Self {
        let mut host = Self {
            stack: Stack::new(&config.addresses, config.mtu, Dice::new(config.seed, 0)),
            reassembler: Reassembler::default(),
            app,
        };
        // Servers listen before the first packet comes.
        host.run(Duration::ZERO);
        host
    }

    /// The program.
    #[must_use]
    pub fn app(&self) -> &A {
        &self.app
    }

    /// The program, to change its ways.
    pub fn app_mut(&mut self) -> &mut A {
        &mut self.app
    }

    /// The longest packet that the host sends at present.
    #[must_use]
    pub fn mtu(&self) -> usize {
        self.stack.mtu()
    }

    fn run(&mut self, now: Duration) {
        for _ in 0..ROUNDS {
            self.stack.poll(now);
            self.app.poll(now, &mut self.stack);
            self.stack.poll(now);
            if self.deadline().is_none_or(|at| at > now) {
                break;
            }
        }
    }

    fn deadline(&mut self) -> Option<Duration> {
        self.stack
            .poll_timeout()
            .into_iter()
            .chain(self.app.poll_timeout())
            .min()
    }

    fn handle_icmp(&mut self, now: Duration, message: &Parsed) {
        if let Payload::IcmpError {
            kind,
            code,
            word,
            quoted,
        } = &message.payload
        {
            let own = quoted_source(quoted).is_some_and(|source| self.stack.has_address(source));
            match (kind, code, message.source.is_ipv4()) {
                (3, 4, true) if own && word & 0xffff > 0 => {
                    self.stack
                        .reduce_mtu(((word & 0xffff) as usize).max(IPV4_MTU_MIN));
                }
                (2, 0, false) if own => {
                    self.stack.reduce_mtu((*word as usize).max(IPV6_MTU_MIN));
                }
                _ => {}
            }
        }
        self.app.handle_icmp(now, message);
    }
}

impl<A: App> Node for Host<A> {
    fn handle_packet(&mut self, now: Duration, _interface: usize, packet: &[u8]) {
        let Some(packet) = self.reassembler.accept(now, packet) else {
            return;
        };
        if let Some(ip) = IpView::new(&packet)
            && matches!(ip.protocol, super::packet::ICMP | super::packet::ICMPV6)
            && let Ok(message) = Parsed::new(&packet)
            && self.stack.has_address(message.destination)
            && !matches!(
                message.payload,
                Payload::Echo {
                    kind: super::EchoKind::Request,
                    ..
                }
            )
        {
            self.handle_icmp(now, &message);
        }
        self.stack.receive_packet(packet);
        self.run(now);
    }

    fn poll_transmit(&mut self, now: Duration) -> Option<(usize, Vec<u8>)> {
        // The program may have been changed from outside.
        if !self.stack.has_packets() && self.deadline().is_some_and(|at| at <= now) {
            self.run(now);
        }
        self.stack.next_packet().map(|packet| (0, packet))
    }

    fn poll_timeout(&mut self, now: Duration) -> Option<Duration> {
        if self.stack.has_packets() {
            return Some(now);
        }
        self.deadline()
            .map(|at| if at > now { at } else { now + BREATH })
    }

    fn handle_timeout(&mut self, now: Duration) {
        self.run(now);
    }

    fn waits_for(&self) -> String {
        self.app.waits_for()
    }
}

/// Source address of a quoted packet, which may be cut short.
fn quoted_source(quoted: &[u8]) -> Option<core::net::IpAddr> {
    match quoted.first()? >> 4 {
        4 => Some((*quoted.get(12..)?.first_chunk::<4>()?).into()),
        6 => Some((*quoted.get(8..)?.first_chunk::<16>()?).into()),
        _ => None,
    }
}
