use alloc::collections::BTreeMap;
use core::time::Duration;

use super::{Flaw, Node, Parsed};

/// A node without a stack: sends the packets that it is told to, whoever they claim to be from,
/// and keeps what reaches it.
#[derive(Debug, Default)]
pub struct Stranger {
    outgoing: BTreeMap<(Duration, u64), Vec<u8>>,
    sent: u64,
    received: Vec<(Duration, Vec<u8>)>,
}

impl Stranger {
    /// Sends a packet at a moment, or at once if that has passed.
    pub fn send_at(&mut self, at: Duration, packet: Vec<u8>) {
        self.outgoing.insert((at, self.sent), packet);
        self.sent += 1;
    }

    /// The packets that came, and when.
    #[must_use]
    pub fn received(&self) -> &[(Duration, Vec<u8>)] {
        &self.received
    }

    /// The packets that came, taken apart.
    pub fn parsed(&self) -> impl Iterator<Item = Result<Parsed, Flaw>> {
        self.received.iter().map(|(_, packet)| Parsed::new(packet))
    }

    /// Forgets what came so far.
    pub fn forget(&mut self) {
        self.received.clear();
    }
}

impl Node for Stranger {
    fn handle_packet(&mut self, now: Duration, _interface: usize, packet: &[u8]) {
        self.received.push((now, packet.to_vec()));
    }

    fn poll_transmit(&mut self, now: Duration) -> Option<(usize, Vec<u8>)> {
        let first = self.outgoing.first_entry()?;
        (first.key().0 <= now).then(|| (0, first.remove()))
    }

    fn poll_timeout(&mut self, _now: Duration) -> Option<Duration> {
        self.outgoing.first_key_value().map(|((at, _), _)| *at)
    }

    fn handle_timeout(&mut self, _now: Duration) {}

    fn waits_for(&self) -> String {
        format!("nothing ({} packets yet to send)", self.outgoing.len())
    }
}
