//! A resolver between one client and servers that the fuzzer plays.

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;

use dnscache::{
    Client, Config, Event, Fetch, ForwardZone, Name, Resolver, StreamTransmit, Ticket, Transmit,
    Transport, Verdict,
};

/// The address that upstream queries leave with.
pub(crate) const OWN: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// Every waiting client has an answer by then.
const PATIENCE: Duration = Duration::from_secs(5);
const AAAA: u16 = 28;

/// What the user of a resolver does with a plain answer that is to be derived from.
#[derive(Clone, Copy)]
pub(crate) enum Deriving {
    Pass,
    Refuse,
    /// Fetches the other type, then gives the plain reply back as a derived one.
    Fetch,
}

/// A resolver, its clock, and what left it.
pub(crate) struct World {
    pub(crate) resolver: Resolver,
    pub(crate) now: Duration,
    pub(crate) deriving: Deriving,
    /// Tag of the replies that are accepted.
    pub(crate) tag: u8,
    pub(crate) replies: Vec<Vec<u8>>,
    /// Queries to servers that no one has answered.
    pub(crate) upstream: Vec<(Transmit, Vec<u8>)>,
    /// What connections to servers are told, with the bytes to send.
    pub(crate) streams: Vec<(StreamTransmit, Vec<u8>)>,
    waiting: Vec<Ticket>,
}

/// The only client.
pub(crate) fn client(transport: Transport) -> Client {
    Client {
        address: SocketAddr::from((Ipv4Addr::new(10, 1, 2, 3), 40_000)),
        local: SocketAddr::from((Ipv4Addr::new(10, 96, 0, 10), 53)),
        transport,
        token: 0,
    }
}

impl World {
    pub(crate) fn new(seed: u8) -> Self {
        let servers =
            [53, 5353].map(|port| SocketAddr::from((Ipv4Addr::new(198, 51, 100, 53), port)));
        let mut config = Config::default();
        config
            .zones
            .push(ForwardZone::new(Name::root(), servers.to_vec()));
        config.message_bytes = 1 << 16;
        config.negative_bytes = 1 << 14;
        config.name_error_cut = seed & 1 != 0;
        config.case_randomization = seed & 4 == 0;
        Self {
            resolver: Resolver::new(config, [seed; 32]),
            now: Duration::from_secs(1000),
            deriving: Deriving::Pass,
            tag: 0,
            replies: Vec::new(),
            upstream: Vec::new(),
            streams: Vec::new(),
            waiting: Vec::new(),
        }
    }

    /// A query of the client; returns the reply if it came at once.
    pub(crate) fn ask(
        &mut self,
        query: &[u8],
        policy: u8,
        transport: Transport,
    ) -> Option<Vec<u8>> {
        let before = self.replies.len();
        let mut out = [0; 4096];
        let asker = client(transport);
        let verdict = self
            .resolver
            .handle_query(self.now, asker, query, policy, &mut out);
        self.begin(verdict, &out);
        self.settle();
        self.replies.get(before).cloned()
    }

    /// What becomes of a query that was just handed in.
    pub(crate) fn begin(&mut self, verdict: Verdict, out: &[u8]) {
        if let Verdict::Parked(ticket) | Verdict::Derive(ticket) = verdict {
            self.waiting.push(ticket);
        }
        match verdict {
            Verdict::Reply(length) => self.replies.push(out[..length].to_vec()),
            Verdict::Derive(ticket) => self.derive(ticket),
            Verdict::Parked(_) | Verdict::Drop(_) => {}
        }
    }

    /// A datagram from a server, or from someone who pretends.
    pub(crate) fn receive(&mut self, from: SocketAddr, to_port: u16, message: &[u8]) {
        let to = SocketAddr::from((OWN, to_port));
        let _ = self.resolver.handle_datagram(self.now, from, to, message);
        self.settle();
    }

    /// Servers stay silent until every client has been answered.
    pub(crate) fn wait_for_everyone(&mut self) {
        let end = self.now + PATIENCE;
        let mut rounds = 0;
        while !self.waiting.is_empty() {
            let deadline = self
                .resolver
                .poll_timeout()
                .expect("a client waits, but no deadline is set");
            assert!(
                deadline <= end,
                "a client waits for longer than {PATIENCE:?}"
            );
            self.now = self.now.max(deadline);
            self.resolver.handle_timeout(self.now);
            self.settle();
            rounds += 1;
            assert!(rounds < 1000, "deadlines without end");
        }
    }

    pub(crate) fn settle(&mut self) {
        let mut rounds = 0;
        loop {
            rounds += 1;
            assert!(rounds < 1000, "events without end");
            if let Some(event) = self.resolver.poll_event() {
                self.hear(event);
                continue;
            }
            let mut message = [0; 1500];
            if let Some(transmit) = self.resolver.poll_transmit(self.now, &mut message) {
                self.upstream
                    .push((transmit, message[..transmit.len].to_vec()));
            } else if let Some(step) = self.resolver.poll_stream(self.now, &mut message) {
                let length = if let StreamTransmit::Send { len, .. } = step {
                    len
                } else {
                    0
                };
                self.streams.push((step, message[..length].to_vec()));
            } else {
                return;
            }
        }
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Received { fetch, .. } => {
                assert!(self.resolver.reply(fetch).is_some());
                assert!(self.resolver.question(fetch).is_some());
                self.resolver.accept(self.now, fetch, self.tag);
            }
            Event::Ready { ticket } => {
                let mut out = [0; 4096];
                let verdict = self.resolver.answer(self.now, ticket, &mut out);
                if let Verdict::Derive(ticket) = verdict {
                    self.derive(ticket);
                } else {
                    self.finish(ticket, verdict, &out);
                }
            }
            _ => {}
        }
    }

    fn derive(&mut self, ticket: Ticket) {
        let mut out = [0; 4096];
        let plain = self
            .resolver
            .plain(ticket)
            .expect("a plain reply to derive from")
            .to_vec();
        let verdict = match self.deriving {
            Deriving::Pass => self.resolver.pass(self.now, ticket, &mut out),
            Deriving::Refuse => self.resolver.refuse(self.now, ticket, 2, None, &mut out),
            Deriving::Fetch => match self.resolver.fetch(self.now, ticket, AAAA) {
                Fetch::Waiting => return,
                Fetch::Answer { .. } => {
                    let ttl = Duration::from_secs(30);
                    self.resolver
                        .derive(self.now, ticket, &plain, ttl, true, None, &mut out)
                }
                Fetch::Failed { rcode } => self
                    .resolver
                    .refuse(self.now, ticket, rcode, None, &mut out),
                Fetch::UnknownTicket => panic!("the ticket is gone"),
            },
        };
        self.finish(ticket, verdict, &out);
    }

    fn finish(&mut self, ticket: Ticket, verdict: Verdict, out: &[u8]) {
        match verdict {
            Verdict::Reply(length) => self.replies.push(out[..length].to_vec()),
            Verdict::Drop(_) => {}
            Verdict::Parked(_) => return,
            Verdict::Derive(_) => panic!("derived, and to be derived again"),
        }
        let place = self.waiting.iter().position(|waiting| *waiting == ticket);
        self.waiting.swap_remove(place.expect("answered twice"));
    }
}
