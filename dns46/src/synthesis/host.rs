//! Which hosts can be mapped (dns.md 6).

use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

use crate::embed::Prefix;
use crate::policy::Settings;

/// What an AAAA record of a name comes to for an IPv4 client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Host {
    /// A host that needs an address of the pool.
    Ipv6(Ipv6Addr),
    /// An IPv4 host in disguise, which needs no translation.
    Ipv4(Ipv4Addr),
}

/// What is never mapped.
#[derive(Debug)]
pub(crate) struct Exclusion {
    networks: Vec<Ipv6Net>,
    /// The pool among them: an answer that names it is a forgery, or a loop.
    networks_ipv4: Vec<Ipv4Net>,
    absent_ipv6: Vec<Ipv6Net>,
    nat64: Vec<Prefix>,
}

/// ::/128, ::1/128, fe80::/10, ff00::/8; discard-only (RFC 6666); local-use translation (RFC 8215).
const NEVER: [(Ipv6Addr, u8); 6] = [
    (Ipv6Addr::UNSPECIFIED, 128),
    (Ipv6Addr::LOCALHOST, 128),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8),
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48),
];

/// 64:ff9b::/96 (RFC 6052 §2.1).
const WELL_KNOWN: (Ipv6Addr, u8) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

impl Exclusion {
    pub(crate) fn new(settings: &Settings, pool: Option<Ipv4Net>) -> Self {
        let networks = NEVER
            .iter()
            .chain([&WELL_KNOWN])
            .filter_map(|(address, length)| Ipv6Net::new(*address, *length).ok())
            .chain(settings.excluded.iter().copied())
            .collect();
        let listed = settings.excluded_ipv4.iter().copied();
        Self {
            networks,
            networks_ipv4: listed.chain(pool).collect(),
            absent_ipv6: settings.absent_ipv6.clone(),
            nat64: settings.nat64.iter().map(|nat64| nat64.prefix).collect(),
        }
    }

    /// What an AAAA record comes to; `None`: nothing.
    pub(crate) fn host(&self, address: Ipv6Addr) -> Option<Host> {
        let disguised = address
            .to_ipv4_mapped()
            .or_else(|| self.nat64.iter().find_map(|prefix| prefix.extract(address)));
        match disguised {
            Some(inner) => self.is_usable(inner).then_some(Host::Ipv4(inner)),
            None => (!self.is_excluded(address)).then_some(Host::Ipv6(address)),
        }
    }

    /// Whether an IPv4 host can be answered.
    pub(crate) fn is_usable(&self, address: Ipv4Addr) -> bool {
        let excluded = &self.networks_ipv4;
        is_host(address) && !excluded.iter().any(|network| network.contains(&address))
    }

    /// Whether an IPv6 host counts for the question whether a name has any.
    pub(crate) fn counts(&self, address: Ipv6Addr) -> bool {
        let absent = &self.absent_ipv6;
        !absent.iter().any(|network| network.contains(&address))
    }

    fn is_excluded(&self, address: Ipv6Addr) -> bool {
        self.networks
            .iter()
            .any(|network| network.contains(&address))
    }
}

/// Whether a host can have this address: not 0/8, 127/8, link-local, multicast or reserved.
fn is_host(address: Ipv4Addr) -> bool {
    let [first, ..] = address.octets();
    first != 0 && !address.is_loopback() && !address.is_link_local() && first < 224
}
