//! Datagrams from upstream, or from whoever pretends to be it (RFC 5452 §9).

use super::*;

impl Forwarder {
    pub(crate) fn handle_datagram(
        &mut self,
        now: Duration,
        from: SocketAddr,
        to: SocketAddr,
        bytes: &[u8],
    ) -> Result<FetchId, Mismatch> {
        self.stats.received += 1;
        let result = self.match_datagram(from, to, bytes);
        match result {
            Ok(id) => {
                self.received(now, id, bytes);
                Ok(FetchId(id))
            }
            Err((mismatch, suspect)) => {
                self.stats.mismatches.count(mismatch);
                if let Some(id) = suspect {
                    self.suspect(now, id, mismatch);
                }
                Err(mismatch)
            }
        }
    }

    fn match_datagram(
        &self,
        from: SocketAddr,
        to: SocketAddr,
        bytes: &[u8],
    ) -> Result<slab::Key, (Mismatch, Option<slab::Key>)> {
        if !is_response(bytes) {
            return Err((Mismatch::Malformed, None));
        }
        let nobody = (Mismatch::Port, None);
        let id = *self.by_port.get(&to.port()).ok_or(nobody)?;
        let attempt = self
            .exchanges
            .get(id)
            .and_then(|exchange| exchange.attempt.as_ref());
        let attempt = attempt
            .filter(|attempt| attempt.sent_at.is_some())
            .ok_or(nobody)?;
        let server = self.servers.get(attempt.server).ok_or(nobody)?;
        if !is_from(server.address, from) {
            return Err((Mismatch::Server, Some(id)));
        }
        attempt
            .check(bytes)
            .map_err(|mismatch| (mismatch, Some(id)))?;
        Ok(id)
    }

    /// A reply that does not match hints at forgery: after some, or one that knew all but the case of
    /// the letters, the question goes to TCP (RFC 5452 §9.3).
    fn suspect(&mut self, now: Duration, id: slab::Key, mismatch: Mismatch) {
        let Some(exchange) = self.exchanges.get_mut(id) else {
            return;
        };
        exchange.mismatches = exchange.mismatches.saturating_add(1);
        if mismatch == Mismatch::Case || exchange.mismatches >= self.config.mismatch_limit {
            self.move_to_stream(now, id);
        }
    }
}
