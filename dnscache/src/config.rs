//! Settings; any value of any field is valid.

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use crate::zone::ForwardZone;

/// Everything a [`Resolver`](crate::Resolver) can be told.
///
/// ```
/// use dnscache::{Config, ForwardZone, Name};
///
/// let mut config = Config::default();
/// let server = "192.0.2.53:53".parse()?;
/// config.zones.push(ForwardZone::new(Name::root(), vec![server]));
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Forward zones; the longest that holds a name is asked. Of two equal names the first counts.
    pub zones: Vec<ForwardZone>,
    /// What becomes of a name under no zone.
    pub unmatched: Unmatched,
    /// Answer localhost and the reverse zones of local addresses here (RFC 6761 §6.3, RFC 6303, RFC 7793),
    /// where no zone of `zones` but the root holds them. Default: off.
    pub answer_default_zones: bool,
    /// Bytes that positive answers may take, their share of index and bookkeeping included.
    pub message_bytes: usize,
    /// Bytes that negative answers and failures may take, likewise.
    pub negative_bytes: usize,
    /// Longest time for which a positive answer is kept; longer TTLs are lowered to it.
    pub ttl_ceiling: Duration,
    /// Shortest TTL of a kept positive answer; shorter TTLs, save 0, are raised to it.
    pub ttl_floor: Duration,
    /// Longest time for which a negative answer is kept (RFC 2308 §5: one to three hours).
    pub negative_ceiling: Duration,
    /// How long an expired answer may still be given when no server answers (RFC 8767 §5).
    pub stale: Duration,
    /// Whether a denied name denies all names below it (RFC 8020 §2).
    pub name_error_cut: bool,
    /// Whether answers asked for again in the last tenth of their life are fetched anew.
    pub prefetch: bool,
    /// Queries per second that are accepted; 0 means any number.
    pub rate_limit: u32,
    /// Queries per second that are accepted of one client network; 0 means any number.
    pub client_rate_limit: u32,
    /// Length of the prefix that makes a client network, for IPv4 and IPv6.
    pub client_prefix: (u8, u8),
    /// Whether queries over a limit get a truncated reply, which moves them to TCP, instead of none.
    pub limited_truncate: bool,
    /// Queries that may wait for an answer at a time.
    pub parked: usize,
    /// Queries of one client address that may wait at a time.
    pub parked_per_client: usize,
    /// Questions that may be in flight upstream at a time.
    pub in_flight: usize,
    /// Questions that may be in flight to one server at a time.
    pub in_flight_per_server: usize,
    /// Time after which a waiting client gets SERVFAIL, less than its own patience (5 s).
    pub client_deadline: Duration,
    /// Longest wait for one reply of one server before the next try.
    pub try_ceiling: Duration,
    /// Whether letters of upstream questions get a random case that replies must repeat.
    pub case_randomization: bool,
    /// Mismatched replies after which a question is asked over TCP (RFC 5452 §9.3).
    pub mismatch_limit: u16,
    /// The largest UDP payload, in octets, offered to upstream servers and to clients.
    pub udp_bytes: u16,
    /// Idle time after which a TCP connection is closed (RFC 7766 §6.2.3).
    pub stream_idle: Duration,
    /// TCP connections of clients at a time.
    pub streams: usize,
    /// TCP connections of one client address at a time.
    pub streams_per_client: usize,
    /// Lowest and highest source port of upstream queries.
    pub source_ports: (u16, u16),
}

impl Default for Config {
    fn default() -> Self {
        Self {
            zones: Vec::new(),
            unmatched: Unmatched::Refuse,
            answer_default_zones: false,
            message_bytes: 1 << 20,
            negative_bytes: 1 << 20,
            ttl_ceiling: Duration::from_secs(86_400),
            ttl_floor: Duration::ZERO,
            negative_ceiling: Duration::from_secs(3 * 3_600),
            stale: Duration::from_secs(86_400),
            name_error_cut: false,
            prefetch: true,
            rate_limit: 0,
            client_rate_limit: 0,
            client_prefix: (32, 64),
            limited_truncate: false,
            parked: 8_192,
            parked_per_client: 1_024,
            in_flight: 4_096,
            in_flight_per_server: 2_048,
            client_deadline: Duration::from_millis(4_500),
            try_ceiling: Duration::from_millis(1_500),
            case_randomization: true,
            mismatch_limit: 8,
            udp_bytes: 1_232,
            stream_idle: Duration::from_secs(10),
            streams: 1_024,
            streams_per_client: 64,
            source_ports: (1_024, u16::MAX),
        }
    }
}

/// What becomes of a name under no forward zone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Unmatched {
    /// REFUSED, with "Prohibited" (RFC 8914 §4.19).
    #[default]
    Refuse,
    /// SERVFAIL.
    ServFail,
    /// Asked of these servers, and the answers are not kept.
    Forward(Vec<SocketAddr>),
}
