use core::net::IpAddr;

use egress_config::{Plan, Snat};

/// What can be broken in the story, to see it fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// No name server answers.
    Upstream,
    /// The store does not acknowledge.
    Store,
    /// The mappings are removed before they are used.
    Mapping,
    /// There is no IPv6 address to leave with.
    Snat,
    /// TCP segments from outside are lost.
    Return,
    /// TCP segments from outside have a wrong checksum.
    Checksum,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Upstream,
        Self::Store,
        Self::Mapping,
        Self::Snat,
        Self::Return,
        Self::Checksum,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Store => "store",
            Self::Mapping => "mapping",
            Self::Snat => "snat",
            Self::Return => "return",
            Self::Checksum => "checksum",
        }
    }

    pub(super) fn spoil_plan(self, plan: &mut Plan) {
        if self != Self::Snat {
            return;
        }
        match &mut plan.snat {
            Snat::Pool { addresses, .. } => addresses.clear(),
            _ => plan.external_self_ips.retain(IpAddr::is_ipv4),
        }
    }

    /// Changes a packet from outside; whether it goes on.
    pub(super) fn spoil_packet(self, packet: &mut [u8]) -> bool {
        const TCP: u8 = 6;
        /// Of the checksum, behind an IPv6 header without extensions.
        const CHECKSUM: usize = 40 + 16;
        let is_tcp = packet.first().is_some_and(|first| first >> 4 == 6) && packet[6] == TCP;
        match self {
            Self::Return => !is_tcp,
            Self::Checksum => {
                if is_tcp && let Some(byte) = packet.get_mut(CHECKSUM) {
                    *byte ^= 0x40;
                }
                true
            }
            Self::Upstream | Self::Store | Self::Mapping | Self::Snat => true,
        }
    }
}
