use alloc::collections::VecDeque;
use core::net::IpAddr;
use core::time::Duration;

use ipnet::IpNet;

use super::packet::IpView;
use super::{Node, craft, fragment};

/// A router between segments: forwards by destination, takes one off the hop limit, and sends the
/// ICMP errors that RFC 1812 and RFC 4443 ask of it.
#[derive(Debug)]
pub struct Router {
    interfaces: Vec<RouterInterface>,
    queue: VecDeque<(usize, Vec<u8>)>,
    identification: u32,
}

/// An interface of a [`Router`].
#[derive(Debug, Clone)]
pub struct RouterInterface {
    /// The addresses that its errors come from, one a family.
    pub addresses: Vec<IpAddr>,
    /// Where it leads to. Longest prefix first, over all interfaces.
    pub prefixes: Vec<IpNet>,
    /// The longest packet that leaves by it.
    pub mtu: usize,
}

impl Router {
    /// A router with these interfaces, numbered from 0.
    #[must_use]
    pub fn new(interfaces: Vec<RouterInterface>) -> Self {
        Self {
            interfaces,
            queue: VecDeque::new(),
            identification: 0,
        }
    }

    fn route(&self, to: IpAddr) -> Option<usize> {
        let routes = self
            .interfaces
            .iter()
            .enumerate()
            .flat_map(|(index, interface)| {
                interface.prefixes.iter().map(move |prefix| (prefix, index))
            });
        routes
            .filter(|(prefix, _)| prefix.contains(&to))
            .max_by_key(|(prefix, _)| prefix.prefix_len())
            .map(|(_, index)| index)
    }

    /// Tells the source of `packet` that it goes no further.
    fn refuse(&mut self, interface: usize, (kind, code): (u8, u8), word: u32, packet: &[u8]) {
        let Some(ip) = IpView::new(packet) else {
            return;
        };
        // No error about an error (RFC 1812 §4.3.2.7, RFC 4443 §2.4 (e)), nor about a fragment
        // that is not the first.
        let is_error = match (ip.protocol, ip.payload.first()) {
            (super::packet::ICMP, Some(kind)) => !matches!(kind, 0 | 8),
            (super::packet::ICMPV6, Some(kind)) => *kind < 128,
            _ => false,
        };
        if is_error || ip.fragment.is_some_and(|place| place.offset > 0) {
            return;
        }
        let addresses = &self.interfaces[interface].addresses;
        let from = addresses
            .iter()
            .find(|own| own.is_ipv4() == ip.source.is_ipv4());
        let error = from.and_then(|from| craft::icmp_error(*from, kind, code, word, packet));
        self.queue.extend(error.map(|error| (interface, error)));
    }
}

impl Node for Router {
    /// # Panics
    ///
    /// If the router has no such interface.
    fn handle_packet(&mut self, _now: Duration, interface: usize, packet: &[u8]) {
        let Some(ip) = IpView::new(packet) else {
            return;
        };
        let is_ipv4 = ip.source.is_ipv4();
        if ip.hop_limit <= 1 {
            self.refuse(interface, if is_ipv4 { (11, 0) } else { (3, 0) }, 0, packet);
            return;
        }
        let Some(out) = self.route(ip.destination) else {
            self.refuse(interface, if is_ipv4 { (3, 0) } else { (1, 0) }, 0, packet);
            return;
        };
        let mtu = self.interfaces[out].mtu;
        let mut forwarded = packet.to_vec();
        craft::set_hop_limit(&mut forwarded, ip.hop_limit - 1);
        if packet.len() <= mtu {
            self.queue.push_back((out, forwarded));
        } else if ip.dont_fragment {
            let word = u32::try_from(mtu).unwrap_or(u32::MAX);
            self.refuse(
                interface,
                if is_ipv4 { (3, 4) } else { (2, 0) },
                word,
                packet,
            );
        } else {
            self.identification += 1;
            let parts = fragment(&forwarded, mtu, self.identification);
            self.queue.extend(parts.into_iter().map(|part| (out, part)));
        }
    }

    fn poll_transmit(&mut self, _now: Duration) -> Option<(usize, Vec<u8>)> {
        self.queue.pop_front()
    }

    fn poll_timeout(&mut self, now: Duration) -> Option<Duration> {
        (!self.queue.is_empty()).then_some(now)
    }

    fn handle_timeout(&mut self, _now: Duration) {}
}
