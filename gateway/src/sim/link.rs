use core::time::Duration;

use super::Dice;

/// How a link treats the packets that cross it in one direction.
///
/// Probabilities are from 0.0 (never) to 1.0 (always) and independent of each other.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkConfig {
    /// The least time that a packet takes.
    pub delay: Duration,
    /// A packet may take up to this much longer. It never overtakes another for that reason.
    pub jitter: Duration,
    /// A packet vanishes.
    pub loss: f64,
    /// A packet arrives twice, the copy with its own delay.
    pub duplicate: f64,
    /// A packet is held back for up to four times `delay`, so that later ones overtake it.
    pub reorder: f64,
    /// One bit of a packet is flipped.
    pub corrupt: f64,
    /// Longest packet in bytes, IP header included. Longer ones vanish, without an error: that
    /// is a router's business ([`Router`](super::Router)).
    pub mtu: usize,
}

impl LinkConfig {
    /// A flawless link of Ethernet's MTU and 1 ms.
    #[must_use]
    pub const fn clean() -> Self {
        Self {
            delay: Duration::from_millis(1),
            jitter: Duration::ZERO,
            loss: 0.0,
            duplicate: 0.0,
            reorder: 0.0,
            corrupt: 0.0,
            mtu: 1500,
        }
    }

    /// A link that loses packets with probability `loss`, and puts others out of order.
    #[must_use]
    pub const fn lossy(loss: f64) -> Self {
        Self {
            delay: Duration::from_millis(5),
            jitter: Duration::from_millis(2),
            loss,
            duplicate: 0.02,
            reorder: 0.1,
            ..Self::clean()
        }
    }
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self::clean()
    }
}

/// What became of the packets of one direction of a link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkStats {
    /// Packets that were put on the link.
    pub sent: u64,
    /// Packets that arrived, copies included.
    pub delivered: u64,
    /// Packets that vanished by chance.
    pub lost: u64,
    /// Packets that arrived twice.
    pub duplicated: u64,
    /// Packets that were held back.
    pub reordered: u64,
    /// Packets with a flipped bit.
    pub corrupted: u64,
    /// Packets longer than the MTU, which vanished.
    pub too_long: u64,
    /// Packets that an interceptor took out.
    pub intercepted: u64,
}

/// One direction of a link: its configuration, its chance, its past.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) config: LinkConfig,
    pub(super) stats: LinkStats,
    dice: Dice,
    last_arrival_at: Duration,
}

impl Link {
    pub(super) fn new(config: LinkConfig, dice: Dice) -> Self {
        Self {
            config,
            stats: LinkStats::default(),
            dice,
            last_arrival_at: Duration::ZERO,
        }
    }

    /// Decides the fate of a packet that is sent at `now`: the moments at which it arrives, none
    /// to two of them. May change a bit of it.
    pub(super) fn carry(
        &mut self,
        now: Duration,
        packet: &mut [u8],
    ) -> impl Iterator<Item = Duration> + use<> {
        self.stats.sent += 1;
        let lost = self.dice.chance(self.config.loss);
        let duplicated = self.dice.chance(self.config.duplicate);
        let corrupted = self.dice.chance(self.config.corrupt);
        let (arrival, held_back) = self.arrival(now);
        let copy = if duplicated {
            Some(self.arrival(now).0)
        } else {
            None
        };
        if packet.len() > self.config.mtu {
            self.stats.too_long += 1;
            return None.into_iter().chain(None);
        }
        if lost {
            self.stats.lost += 1;
            return None.into_iter().chain(None);
        }
        if corrupted {
            self.stats.corrupted += 1;
            let bit = self.dice.below(packet.len() as u64 * 8) as usize;
            if let Some(byte) = packet.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
        }
        self.stats.duplicated += u64::from(duplicated);
        self.stats.reordered += u64::from(held_back);
        Some(arrival).into_iter().chain(copy)
    }

    /// When a packet sent at `now` arrives, and whether it was held back.
    fn arrival(&mut self, now: Duration) -> (Duration, bool) {
        let jitter = scaled(self.config.jitter, &mut self.dice);
        let held_back = self.dice.chance(self.config.reorder);
        let detour = scaled(self.config.delay * 4, &mut self.dice);
        let regular = (now + self.config.delay + jitter).max(self.last_arrival_at);
        if held_back {
            return (regular + detour, true);
        }
        self.last_arrival_at = regular;
        (regular, false)
    }
}

/// A random part of `whole`, to the nanosecond.
fn scaled(whole: Duration, dice: &mut Dice) -> Duration {
    Duration::from_nanos(dice.below(u64::try_from(whole.as_nanos()).unwrap_or(u64::MAX)))
}
