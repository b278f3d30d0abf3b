//! Which replies are made, for whom, and from what.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use ipnet::Ipv6Net;

use crate::embed::Prefix;

/// Type numbers (RFC 1035 §3.2.2, RFC 3596 §2.1).
pub(crate) const A: u16 = 1;
pub(crate) const AAAA: u16 = 28;

/// The choices of a [`Dns46`](crate::Dns46).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Answered, for 5 s, while no address is free. `None`: SERVFAIL at once.
    pub sorry: Option<Ipv4Addr>,
    /// Upper bound of a synthesized A record's TTL. Default 120 s.
    pub max_ttl: Duration,
    /// How many hosts of one name are mapped, those that are mapped already first. Default 2.
    pub hosts_per_name: usize,
    /// Where the AAAA records go that an A record stands for.
    pub basis: Basis,
    /// IPv6 hosts that are never mapped, beside those that no translator can reach: unspecified,
    /// loopback, link-local, multicast and discard-only addresses, and 64:ff9b:1::/48.
    pub excluded: Vec<Ipv6Net>,
    /// The NAT64 prefix; `None` switches DNS64 off.
    pub nat64: Option<Prefix>,
    /// How long the store may take to acknowledge. Default 200 ms.
    pub store_deadline: Duration,
    /// Answers that may wait for the store at a time; more get SERVFAIL. Default 4096.
    pub waiting: usize,
    /// Addresses that the store may be asked for at a time. Default 256.
    pub asking: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sorry: None,
            max_ttl: Duration::from_secs(120),
            hosts_per_name: 2,
            basis: Basis::Additional,
            excluded: Vec::new(),
            nat64: None,
            store_deadline: Duration::from_millis(200),
            waiting: 4096,
            asking: 256,
        }
    }
}

/// Where the AAAA records go that a synthesized A record stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Basis {
    /// Into the additional section, so that forwarders below do not scrub the answer. RFC 6147 §5.3.2
    /// mirrored would leave them out: a stated deviation, since the original returns both.
    #[default]
    Additional,
    /// Into the answer section.
    Answer,
    /// Nowhere.
    None,
}

/// What becomes of a plain reply, decided once when it comes, whoever asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// It is everybody's answer.
    Pass,
    /// It has no address, so that AAAA of the same name is to be asked, for clients of DNS46.
    AskAaaa,
    /// It has no address, so that A of the same name is to be asked, for clients of DNS64.
    AskA,
}

impl Decision {
    /// The type to ask for.
    #[must_use]
    pub const fn record_type(self) -> Option<u16> {
        match self {
            Self::Pass => None,
            Self::AskAaaa => Some(AAAA),
            Self::AskA => Some(A),
        }
    }

    /// As the byte that a cache keeps beside the reply; 0 stands for [`Pass`](Self::Pass).
    #[must_use]
    pub const fn tag(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::AskAaaa => 1,
            Self::AskA => 2,
        }
    }

    /// From [`tag`](Self::tag); any other byte is [`Pass`](Self::Pass).
    #[must_use]
    pub const fn from_tag(tag: u8) -> Self {
        match tag {
            1 => Self::AskAaaa,
            2 => Self::AskA,
            _ => Self::Pass,
        }
    }
}

/// Under which number the derived answers of a client's question are kept: 0 where it gets plain ones
/// only, 1 for DNS46 (A, asked over IPv4), 2 for DNS64 (AAAA, asked over IPv6).
pub(crate) const fn policy(dns46: bool, dns64: bool, client: IpAddr, record_type: u16) -> u8 {
    match (client, record_type) {
        (IpAddr::V4(_), A) if dns46 => 1,
        (IpAddr::V6(_), AAAA) if dns64 => 2,
        _ => 0,
    }
}
