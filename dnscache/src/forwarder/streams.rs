//! Questions that go over TCP: after truncation, after too many forgeries, or by choice.

use super::*;

impl Forwarder {
    pub(super) fn move_to_stream(&mut self, now: Duration, id: slab::Key) {
        let Some(exchange) = self.exchanges.get_mut(id) else {
            return;
        };
        exchange.by_stream = true;
        let Some(server) = exchange.attempt.as_ref().map(|attempt| attempt.server) else {
            return;
        };
        self.stats.moved_to_streams += 1;
        if let (Some(question), Some(address)) = (
            self.question(FetchId(id)),
            self.servers.get(server).map(|server| server.address),
        ) {
            self.log(Event::Stream {
                question,
                server: address,
            });
        }
        self.next_try(now, id, Some(server));
    }

    pub(super) fn start_on_stream(
        &mut self,
        now: Duration,
        id: slab::Key,
        address: SocketAddr,
        attempt: &mut Attempt,
    ) -> Option<()> {
        let key = self.upstream.connect(now, attempt.server, address)?;
        let stream = self.upstream.streams.get(key)?;
        // RFC 7766 §6.2.1: an identifier that waits on this connection must not be used.
        loop {
            [attempt.id, _] = halves(self.rng.next_u32());
            if stream.waiting.len() > usize::from(u16::MAX) / 2 {
                return None;
            }
            if !stream.waiting.contains_key(&attempt.id) {
                break;
            }
        }
        attempt.carrier = Carrier::Stream(key);
        attempt.sent_at = Some(now);
        let exchange = self.exchanges.get(id)?;
        let mut query = [0; QUERY_BYTES];
        let length = attempt.write(&exchange.key, &mut query)?;
        self.upstream
            .send(now, key, attempt.id, query.get(..length)?, id);
        self.stats.sent_on_streams += 1;
        Some(())
    }

    pub(crate) fn poll_stream(&mut self, buf: &mut [u8]) -> Option<StreamTransmit> {
        self.upstream.poll(buf)
    }

    pub(crate) fn handle_stream(
        &mut self,
        now: Duration,
        stream: StreamId,
        input: StreamInput<'_>,
    ) {
        match input {
            StreamInput::Open => self.upstream.opened(stream.0),
            StreamInput::Closed => {
                let waiting = self.upstream.closed(stream.0);
                self.lost(now, waiting);
            }
            StreamInput::Bytes(bytes) => self.handle_stream_bytes(now, stream.0, bytes),
        }
    }

    fn handle_stream_bytes(&mut self, now: Duration, key: slab::Key, mut bytes: &[u8]) {
        loop {
            // The frames are taken out while a message that lies in them is dealt with.
            let Some(stream) = self.upstream.streams.get_mut(key) else {
                return;
            };
            let mut frames = core::mem::take(&mut stream.frames);
            let waiting = &stream.waiting;
            let Ok(message) = frames.next(&mut bytes, usize::from(u16::MAX)) else {
                return;
            };
            let Some(message) = message else {
                stream.frames = frames;
                return;
            };
            self.stats.received += 1;
            // RFC 7766 §7: by identifier and question.
            let owner = get_u16(message, 0).and_then(|id| waiting.get(&id).copied());
            let attempt = owner
                .and_then(|owner| self.exchanges.get(owner))
                .and_then(|exchange| exchange.attempt.as_ref());
            let checked = match attempt {
                Some(attempt) => attempt.check(message).map(|_| owner),
                None => Err(Mismatch::Id),
            };
            match checked {
                Ok(Some(owner)) => {
                    self.upstream.received(now, key);
                    self.received(now, owner, message);
                }
                Ok(None) => {}
                Err(mismatch) => self.stats.mismatches.count(mismatch),
            }
            if let Some(stream) = self.upstream.streams.get_mut(key) {
                stream.frames = frames;
            }
        }
    }

    /// A connection broke: whoever waited on it asks the next server.
    fn lost(&mut self, now: Duration, waiting: Vec<slab::Key>) {
        for id in waiting {
            let server = self
                .exchanges
                .get(id)
                .and_then(|exchange| exchange.attempt.as_ref());
            let server = server.map(|attempt| attempt.server);
            if let Some(server) = server.and_then(|server| self.servers.get_mut(server)) {
                server.did_not_answer(now);
            }
            self.next_try(now, id, None);
        }
    }
}
