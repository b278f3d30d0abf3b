//! An upstream server, and what is known of how it answers.

use core::net::SocketAddr;
use core::time::Duration;

/// Wait for the first reply of a server that is not known yet. A server that resolves takes longer
/// for what it does not hold than for what it does, so this is also the shortest wait.
const FIRST_WAIT: Duration = Duration::from_millis(400);

/// How long a server that stopped answering is asked last (as unbound's infra cache remembers it).
const PENALTY: Duration = Duration::from_secs(30);

/// How long a server that rejected EDNS is asked without (RFC 6891 §6.2.2 leaves the time open).
const PLAIN: Duration = Duration::from_secs(900);

/// Unanswered queries in a row from which on a server counts as down.
const DOWN: u8 = 3;

#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// Smoothed round-trip time and its variation (RFC 6298 §2), once there was a reply.
    smoothed: Option<(Duration, Duration)>,
    unanswered: u8,
    down_until: Duration,
    plain_until: Duration,
    pub(crate) in_flight: usize,
}

impl Server {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            smoothed: None,
            unanswered: 0,
            down_until: Duration::ZERO,
            plain_until: Duration::ZERO,
            in_flight: 0,
        }
    }

    /// How long to wait for a reply at the `tries`-th try of a question, from 0.
    pub(crate) fn wait(&self, tries: u8, ceiling: Duration) -> Duration {
        let usual = self.smoothed.map_or(FIRST_WAIT, |(mean, variation)| {
            mean.saturating_add(variation.saturating_mul(4))
                .max(FIRST_WAIT)
        });
        usual.saturating_mul(1 << tries.min(4)).min(ceiling)
    }

    /// Smaller is better: servers that answer by their time, then those that did not of late.
    pub(crate) fn rank(&self, now: Duration) -> (bool, Duration) {
        let mean = self.smoothed.map_or(Duration::ZERO, |(mean, _)| mean);
        let unanswered = FIRST_WAIT.saturating_mul(self.unanswered.into());
        (now < self.down_until, mean.saturating_add(unanswered))
    }

    pub(crate) fn has_edns(&self, now: Duration) -> bool {
        now >= self.plain_until
    }

    pub(crate) fn rejected_edns(&mut self, now: Duration) {
        self.plain_until = now.saturating_add(PLAIN);
    }

    /// RFC 6298 §2.2 and §2.3, with alpha 1/8 and beta 1/4.
    pub(crate) fn answered(&mut self, rtt: Duration) {
        self.unanswered = 0;
        self.down_until = Duration::ZERO;
        self.smoothed = Some(match self.smoothed {
            None => (rtt, rtt / 2),
            Some((mean, variation)) => {
                let off = mean.abs_diff(rtt);
                let variation = variation.saturating_mul(3).saturating_add(off) / 4;
                (mean.saturating_mul(7).saturating_add(rtt) / 8, variation)
            }
        });
    }

    pub(crate) fn did_not_answer(&mut self, now: Duration) {
        self.unanswered = self.unanswered.saturating_add(1).min(16);
        if self.unanswered >= DOWN {
            self.down_until = now.saturating_add(PENALTY);
        }
    }
}
