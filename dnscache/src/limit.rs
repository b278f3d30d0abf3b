//! How many queries are accepted: one rate for all, and one for each client network.

use alloc::collections::BTreeMap;
use core::net::IpAddr;
use core::time::Duration;

/// Client networks that are told apart; more than that share the common rate only.
const NETWORKS: usize = 16_384;

/// How much of a second's allowance may be used at once.
const BURST: Duration = Duration::from_secs(1);

/// A rate in queries per second, as a theoretical arrival time (GCRA): one moment, no refilling.
#[derive(Debug, Clone, Copy)]
struct Rate {
    interval: Duration,
}

impl Rate {
    fn new(per_second: u32) -> Option<Self> {
        Duration::from_secs(1)
            .checked_div(per_second)
            .map(|interval| Self { interval })
    }

    /// Whether one more fits, and when the allowance will be whole again.
    fn admit(self, now: Duration, whole_at: Duration) -> Option<Duration> {
        let next = whole_at.max(now).saturating_add(self.interval);
        (next <= now.saturating_add(BURST)).then_some(next)
    }
}

/// Both limits.
#[derive(Debug)]
pub(crate) struct Limiter {
    all: Option<Rate>,
    all_whole_at: Duration,
    network: Option<Rate>,
    prefix: (u8, u8),
    networks: BTreeMap<IpAddr, Duration>,
    /// When networks with a whole allowance may be forgotten again: a walk over all of them.
    purge_at: Duration,
}

impl Limiter {
    pub(crate) fn new(per_second: u32, per_network: u32, prefix: (u8, u8)) -> Self {
        Self {
            all: Rate::new(per_second),
            all_whole_at: Duration::ZERO,
            network: Rate::new(per_network),
            prefix,
            networks: BTreeMap::new(),
            purge_at: Duration::ZERO,
        }
    }

    /// Whether every query is accepted.
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        self.all.is_none() && self.network.is_none()
    }

    /// Whether a query of `client` is accepted; counts it if so.
    pub(crate) fn admit(&mut self, now: Duration, client: IpAddr) -> bool {
        let all = match self.all {
            None => Some(self.all_whole_at),
            Some(rate) => rate.admit(now, self.all_whole_at),
        };
        let Some(all) = all else { return false };
        if let Some(rate) = self.network {
            let network = masked(client, self.prefix);
            let whole_at = self
                .networks
                .get(&network)
                .copied()
                .unwrap_or(Duration::ZERO);
            let Some(next) = rate.admit(now, whole_at) else {
                return false;
            };
            if self.networks.len() >= NETWORKS && now >= self.purge_at {
                self.networks.retain(|_, whole_at| *whole_at > now);
                self.purge_at = now.saturating_add(BURST);
            }
            if self.networks.len() < NETWORKS || self.networks.contains_key(&network) {
                self.networks.insert(network, next);
            }
        }
        self.all_whole_at = all;
        true
    }
}

fn masked(address: IpAddr, (v4, v6): (u8, u8)) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let mask = u32::MAX
                .checked_shl(32u32.saturating_sub(v4.into()))
                .unwrap_or(0);
            IpAddr::V4((address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX
                .checked_shl(128u32.saturating_sub(v6.into()))
                .unwrap_or(0);
            IpAddr::V6((address.to_bits() & mask).into())
        }
    }
}
