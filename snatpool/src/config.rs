//! What the caller decides before the first packet.

use alloc::vec::Vec;
use core::net::IpAddr;
use core::ops::RangeInclusive;
use core::time::Duration;

use ipnet::IpNet;

use crate::lifetime::Timeouts;

/// Bounds and pools of one [`SnatPool`](crate::SnatPool). All memory follows from it and is
/// taken once, in [`SnatPool::new`](crate::SnatPool::new).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// How many sessions may live at once: 1 to [`Config::MAX_SESSIONS`].
    pub sessions: u32,
    /// The pools; a [`PoolId`] is an index into them.
    pub pools: Vec<PoolConfig>,
    /// How long an idle session lives.
    pub timeouts: Timeouts,
    /// What makes room when a bound is reached.
    pub evict: Evict,
    /// Limits of each client.
    pub per_client: ClientLimits,
    /// How long a client keeps its outside address after its last session ended.
    pub pairing_grace: Duration,
    /// How many datagrams may be in fragments at once (RFC 6146 §3.4 wants a bound). Fragments
    /// that precede their first one are held within further bounds:
    /// [`FragmentRefused`](crate::FragmentRefused).
    pub fragmented_datagrams: u16,
    /// How many unsolicited SYNs may wait for their counterpart at once (RFC 5382 REQ-4); 0 drops
    /// them in silence.
    pub held_syns: u8,
    /// Whether an established TCP session that falls idle is announced by
    /// [`Event::Probe`](crate::Event::Probe) and lives on as transitory (RFC 6146 §3.5.2.2), so
    /// that a keepalive made by the caller can save it.
    pub probe: bool,
    /// Whether a RST ends a session only if its sequence number is near the last one seen from
    /// its side (RFC 7857 §2.2). Any RST does while none was seen, and while the session is
    /// [pinned](crate::SnatPool::pin). Costs a second cache line on every TCP packet.
    pub validate_rst: bool,
    /// Whether packets from outside keep a UDP or ICMP session alive too (RFC 4787 REQ-6a).
    pub inbound_refresh: bool,
    /// Least time between two [`Event::Exhausted`](crate::Event::Exhausted) for one address and
    /// peer.
    pub notice_interval: Duration,
    /// How many peers are counted for
    /// [`SnatPool::top_destinations`](crate::SnatPool::top_destinations); 0 for none. 1,024 find every
    /// peer that has a thousandth of all sessions.
    pub top_destinations: u16,
}

impl Config {
    /// The largest bound on sessions.
    pub const MAX_SESSIONS: u32 = 1 << 27;

    /// Defaults for the given bound and pools.
    #[must_use]
    pub fn new(sessions: u32, pools: Vec<PoolConfig>) -> Self {
        Self {
            sessions,
            pools,
            timeouts: Timeouts::default(),
            evict: Evict::Transitory,
            per_client: ClientLimits::default(),
            pairing_grace: Duration::from_secs(300),
            fragmented_datagrams: 1024,
            held_syns: 64,
            probe: false,
            validate_rst: false,
            inbound_refresh: true,
            notice_interval: Duration::from_secs(60),
            top_destinations: 0,
        }
    }
}

/// One set of outside addresses and how flows use it.
///
/// An address may be in several pools (the same port is then never given twice), as long as they
/// agree on `ports`, `mapping`, `filter`, `rest` and `blocks`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PoolConfig {
    /// The outside addresses, both families mixed. Empty refuses every flow.
    pub addresses: Vec<IpAddr>,
    /// The subnets of the outside links: an address in the subnet of a flow's next hop is
    /// preferred.
    pub subnets: Vec<IpNet>,
    /// The outside ports of TCP and UDP. ICMP identifiers use all 65,536 values.
    pub ports: RangeInclusive<u16>,
    /// What a binding is keyed by.
    pub mapping: Mapping,
    /// Whose packets a binding lets in. [`Mapping::PerFlow`] can do no other than
    /// [`Filter::AddressPort`].
    pub filter: Filter,
    /// Keep the client's port where it is free (RFC 6056 §4). `false` picks at random at once,
    /// so that an off-path attacker cannot guess it.
    pub preserve_port: bool,
    /// Keep the parity of UDP ports where possible (RFC 4787 REQ-4).
    pub keep_parity: bool,
    /// Where a client's address has no port left to a peer, use another address for that flow
    /// instead of refusing it (RFC 7857 §4 allows it).
    pub spill: bool,
    /// How long a freed port of an endpoint-independent UDP or ICMP binding rests (RFC 6888
    /// REQ-8).
    pub rest: Duration,
    /// How many sessions peers may open through one endpoint-independent binding.
    pub inbound_sessions: u16,
    /// Give each client ports from ranges of its own, told by one event each.
    pub blocks: Option<PortBlocks>,
}

impl PoolConfig {
    /// Defaults for the given addresses.
    #[must_use]
    pub fn new(addresses: Vec<IpAddr>) -> Self {
        Self {
            addresses,
            subnets: Vec::new(),
            ports: 1024..=65535,
            mapping: Mapping::PerFlow,
            filter: Filter::AddressPort,
            preserve_port: true,
            keep_parity: true,
            spill: false,
            rest: Duration::from_secs(120),
            inbound_sessions: 256,
            blocks: None,
        }
    }
}

/// Port blocks (RFC 7422's purpose, on demand): a log of blocks says who had a port, in a few lines
/// a client and day instead of one a session (RFC 6888 REQ-14).
///
/// A client gets its first block with its first session, and another one when those it has are
/// full. A block ends with its last session, but for the last one of a client, which it keeps as
/// long as its address ([`Config::pairing_grace`]). ICMP identifiers come from the blocks too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortBlocks {
    /// Ports in a block: 1 to all of an address. What remains of [`PoolConfig::ports`] behind the
    /// last whole block is not used.
    pub size: u16,
    /// Blocks that a client may have of one address, at least 1 (RFC 6888 REQ-4).
    pub per_client: u16,
}

/// Which pool of a [`Config`] a flow draws from: the index into [`Config::pools`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolId(pub u8);

/// What an outside transport address is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mapping {
    /// One flow: 64,512 of them per outside address, protocol *and peer*. Exactly the peer can
    /// reply. Flows of one inside port to two peers may leave with different ports, which
    /// RFC 4787 REQ-1 forbids and RFC 7857 §3 half allows: a stated deviation.
    PerFlow,
    /// One inside transport address, whatever the peer (RFC 4787 REQ-1): 64,512 of them per
    /// outside address and protocol.
    EndpointIndependent,
}

/// Whose packets an endpoint-independent binding lets in (RFC 4787 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Filter {
    /// Anyone's.
    Endpoint,
    /// Those of an address that the client has sent to.
    Address,
    /// Those of a transport address that the client has sent to.
    AddressPort,
}

/// What makes room at a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Evict {
    /// Nothing: the newcomer is refused (RFC 6888 REQ-11d).
    Never,
    /// Sessions that are closing, then opening, then unconfirmed (the order of RFC 5382 §5); of
    /// these the one with the soonest deadline. Established and confirmed ones never.
    Transitory,
}

/// Limits per inside address (RFC 6888 REQ-4 and REQ-5); `None` sets no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientLimits {
    /// Sessions at once.
    pub sessions: Option<u32>,
    /// Outside transport addresses at once; per flow that is the number of sessions.
    pub ports: Option<u32>,
    /// New sessions in a second.
    pub new_per_second: Option<u16>,
}

impl ClientLimits {
    pub(crate) const fn any(&self) -> bool {
        self.sessions.is_some() || self.ports.is_some() || self.new_per_second.is_some()
    }
}

/// Why a [`Config`] was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The bound is 0 or above [`Config::MAX_SESSIONS`].
    #[error("{found} sessions: wanted 1 to {}", Config::MAX_SESSIONS)]
    Sessions {
        /// As configured.
        found: u32,
    },
    /// A [`PoolId`] has 8 bits.
    #[error("{found} pools: at most 255")]
    TooManyPools {
        /// As configured.
        found: usize,
    },
    /// All pools together hold more than 65,535 addresses.
    #[error("more than 65535 addresses in all pools")]
    TooManyAddresses,
    /// A range with its start behind its end, or one that holds only port 0.
    #[error("pool {pool} has no ports: {first} to {last}")]
    NoPorts {
        /// Index of the pool.
        pool: u8,
        /// Start of the range.
        first: u16,
        /// End of the range.
        last: u16,
    },
    /// An unspecified, loopback or multicast address cannot be a source outside.
    #[error("pool {pool}: {address} cannot be a source address")]
    Address {
        /// Index of the pool.
        pool: u8,
        /// The address.
        address: IpAddr,
    },
    /// Not one block fits into the range of ports, or a client may have none.
    #[error("pool {pool}: {per_client} blocks of {size} ports each for a client of {ports} ports")]
    Blocks {
        /// Index of the pool.
        pool: u8,
        /// Ports in a block.
        size: u16,
        /// Blocks of a client.
        per_client: u16,
        /// Ports of an address.
        ports: u32,
    },
    /// Two pools share an address but differ in `ports`, `mapping`, `filter`, `rest` or `blocks`.
    #[error("{address} is in pools {first} and {second}, which use it differently")]
    SharedAddress {
        /// The address.
        address: IpAddr,
        /// Index of the pool that has it first.
        first: u8,
        /// Index of the other.
        second: u8,
    },
}
