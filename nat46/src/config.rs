//! Choices that the RFCs leave to the operator.

use core::net::{Ipv4Addr, Ipv6Addr};
use core::num::NonZeroU32;

/// The choices of a [`Translator`](crate::Translator).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Source of the ICMP errors sent to IPv4 hosts; without one, none are sent.
    pub own_ipv4: Option<Ipv4Addr>,
    /// Source of the ICMP errors sent to IPv6 hosts; without one, none are sent.
    pub own_ipv6: Option<Ipv6Addr>,
    /// Greatest size to which IPv4 packets that may be fragmented are cut on their way to IPv6.
    pub lowest_ipv6_mtu: LowestIpv6Mtu,
    /// UDP without a checksum on its way to IPv6.
    pub udp_zero: UdpZero,
    /// How many ICMP errors are sent.
    pub error_rate: ErrorRate,
    /// ToS and Traffic Class across the families.
    pub traffic_class: TrafficClass,
    /// The maximum segment size that TCP hosts are told.
    pub mss: MssClamp,
}

impl Config {
    /// The RFCs' defaults, MSS clamping beside them, and no own addresses.
    pub const DEFAULT: Self = Self {
        own_ipv4: None,
        own_ipv6: None,
        lowest_ipv6_mtu: LowestIpv6Mtu::MIN,
        udp_zero: UdpZero::Compute,
        error_rate: ErrorRate::DEFAULT,
        traffic_class: TrafficClass::Copy,
        mss: MssClamp::Auto,
    };
}

impl Default for Config {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// RFC 7915 §4: the MTU that every IPv6 path is known to have; at least 1280.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LowestIpv6Mtu(u16);

impl LowestIpv6Mtu {
    /// 1280 bytes (RFC 8200 §5), the default.
    pub const MIN: Self = Self(1280);

    /// `None` below 1280.
    #[must_use]
    pub const fn new(mtu: u16) -> Option<Self> {
        if mtu < Self::MIN.0 {
            None
        } else {
            Some(Self(mtu))
        }
    }

    /// Bytes.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

/// What becomes of UDP datagrams without a checksum (RFC 7915 §4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UdpZero {
    /// Dropped.
    Drop,
    /// The checksum is computed; of fragments it cannot be, those are dropped.
    Compute,
    /// Passed as they are, both ways: IPv6 receivers discard them, but for tunnels (RFC 6935).
    Pass,
}

/// Rate of the ICMP errors, for each family (RFC 7915 §4.4, §5.4: on, limited, off).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorRate {
    /// None.
    Off,
    /// A token bucket (RFC 4443 §2.4 (f)).
    Limited {
        /// Sustained.
        per_second: NonZeroU32,
        /// At once.
        burst: NonZeroU32,
    },
    /// All.
    Unlimited,
}

impl ErrorRate {
    /// 1000 a second, 50 at once.
    pub const DEFAULT: Self = match (NonZeroU32::new(1000), NonZeroU32::new(50)) {
        (Some(per_second), Some(burst)) => Self::Limited { per_second, burst },
        _ => Self::Off,
    };
}

/// ToS and Traffic Class across the families (RFC 7915 §4.1, §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TrafficClass {
    /// All eight bits are copied.
    Copy,
    /// All eight bits are set to this.
    Set(u8),
}

/// The maximum segment size option of TCP SYNs (RFC 9293 §3.7.1) is lowered, never raised or added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MssClamp {
    /// Left alone.
    Off,
    /// To what both links carry.
    Auto,
    /// To this, in the family that the packet leaves in.
    Max(u16),
}
