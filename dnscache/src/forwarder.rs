//! Questions to upstream servers: which server, how often, for how long, and which reply counts.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use hashbrown::HashTable;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::config::Config;
use crate::event::{Event, FetchId, Mismatch, Transmit};
use crate::exchange::{Attempt, Carrier, Exchange, Received, is_from, is_response, randomize_case};
use crate::key::Key;
use crate::server::Server;
use crate::slab::{self, Slab};
use crate::stats::UpstreamStats;
use crate::stream::StreamId;
use crate::understand::{Understood, Unusable, understand};
use crate::upstream::{StreamInput, StreamTransmit, Upstream};
use crate::wire::{MINIMUM_UDP_BYTES, Question, flag, get_u16, rcode};
use crate::zone::{ZoneIndex, Zones};

mod choice;
mod datagrams;
mod streams;

/// Tries of one question, however fast they fail.
const TRIES: u8 = 12;

/// Buffer for a query to be framed: header, question and OPT record are less.
const QUERY_BYTES: usize = 300;

#[derive(Debug)]
pub(crate) struct Forwarder {
    pub(crate) zones: Zones,
    servers: Vec<Server>,
    by_address: BTreeMap<SocketAddr, usize>,
    exchanges: Slab<Exchange>,
    by_question: HashTable<slab::Key>,
    by_port: BTreeMap<u16, slab::Key>,
    timers: BTreeSet<(Duration, slab::Key)>,
    outgoing: VecDeque<slab::Key>,
    pub(crate) events: VecDeque<Event>,
    upstream: Upstream,
    rng: ChaCha12Rng,
    config: Config,
    pub(crate) stats: UpstreamStats,
}

impl Forwarder {
    pub(crate) fn new(config: Config, seed: [u8; 32]) -> Self {
        let zones = Zones::new(config.zones.clone(), config.unmatched.clone());
        let mut servers: Vec<Server> = Vec::new();
        let mut by_address = BTreeMap::new();
        for address in (0..zones.len()).flat_map(|zone| zones.servers(ZoneIndex(zone))) {
            by_address.entry(*address).or_insert_with(|| {
                servers.push(Server::new(*address));
                servers.len().saturating_sub(1)
            });
        }
        Self {
            upstream: Upstream::new(servers.len(), config.stream_idle),
            zones,
            servers,
            by_address,
            exchanges: Slab::new(config.in_flight),
            by_question: HashTable::new(),
            by_port: BTreeMap::new(),
            timers: BTreeSet::new(),
            outgoing: VecDeque::new(),
            events: VecDeque::new(),
            rng: ChaCha12Rng::from_seed(seed),
            config,
            stats: UpstreamStats::default(),
        }
    }

    /// A key for a hash table, from the same generator.
    pub(crate) fn draw_seed(mut self) -> ([u8; 16], Self) {
        let mut seed = [0; 16];
        self.rng.fill_bytes(&mut seed);
        (seed, self)
    }

    /// Asks a question, or joins the one that is under way; `None` if too many are.
    pub(crate) fn ask(&mut self, now: Duration, key: &Key, zone: ZoneIndex) -> Option<FetchId> {
        if let Some(found) = self.find(key) {
            self.stats.coalesced += 1;
            return Some(FetchId(found));
        }
        let give_up_at = now
            .saturating_add(self.config.client_deadline)
            .saturating_add(self.config.try_ceiling);
        let id = self.exchanges.insert(Exchange {
            key: key.clone(),
            zone,
            attempt: None,
            received: None,
            asked: Vec::new(),
            sent: BTreeMap::new(),
            tries: 0,
            mismatches: 0,
            by_stream: false,
            without_edns: false,
            give_up_at,
            timer_at: give_up_at,
            unusable: None,
        })?;
        let exchanges = &self.exchanges;
        self.by_question.insert_unique(key.hash(), id, |id| {
            exchanges.get(*id).map_or(0, |exchange| exchange.key.hash())
        });
        self.timers.insert((give_up_at, id));
        self.stats.questions += 1;
        self.next_try(now, id, None);
        Some(FetchId(id))
    }

    fn find(&self, key: &Key) -> Option<slab::Key> {
        self.by_question
            .find(key.hash(), |id| {
                self.exchanges.get(*id).is_some_and(|exchange| {
                    exchange.key.variant == key.variant && exchange.key.question() == key.question()
                })
            })
            .copied()
    }

    /// Whether the question is under way.
    pub(crate) fn is_asked(&self, key: &Key) -> bool {
        self.find(key).is_some()
    }

    pub(crate) fn reply(&self, fetch: FetchId) -> Option<&[u8]> {
        Some(&self.exchanges.get(fetch.0)?.received.as_ref()?.raw)
    }

    pub(crate) fn question(&self, fetch: FetchId) -> Option<Question> {
        Some(Question::from_wire(
            self.exchanges.get(fetch.0)?.key.question(),
        ))
    }

    /// Ends a question that was answered.
    pub(crate) fn take(&mut self, fetch: FetchId) -> Option<(Key, ZoneIndex, Understood)> {
        self.exchanges.get(fetch.0)?.received.as_ref()?;
        let exchange = self.remove(fetch.0)?;
        Some((exchange.key, exchange.zone, exchange.received?.understood))
    }

    /// Ends a question that failed; gives the last reply that was of no use.
    pub(crate) fn take_failed(
        &mut self,
        fetch: FetchId,
    ) -> Option<(Key, ZoneIndex, Option<Unusable>)> {
        let exchange = self.remove(fetch.0)?;
        Some((exchange.key, exchange.zone, exchange.unusable))
    }

    fn remove(&mut self, id: slab::Key) -> Option<Exchange> {
        self.end_attempt(id);
        let exchange = self.exchanges.remove(id)?;
        self.timers.remove(&(exchange.timer_at, id));
        if let Ok(occupied) = self
            .by_question
            .find_entry(exchange.key.hash(), |found| *found == id)
        {
            occupied.remove();
        }
        Some(exchange)
    }

    /// The try under way ends: its port or its place on the stream is free again.
    fn end_attempt(&mut self, id: slab::Key) -> Option<Attempt> {
        let attempt = self.exchanges.get_mut(id)?.attempt.take()?;
        match attempt.carrier {
            Carrier::Datagram { source_port } => {
                self.by_port.remove(&source_port);
            }
            Carrier::Stream(stream) => {
                if let Some(stream) = self.upstream.streams.get_mut(stream) {
                    stream.waiting.remove(&attempt.id);
                }
            }
        }
        if let Some(server) = self.servers.get_mut(attempt.server) {
            server.in_flight = server.in_flight.saturating_sub(1);
        }
        Some(attempt)
    }

    fn set_timer(&mut self, id: slab::Key, at: Duration) {
        let Some(exchange) = self.exchanges.get_mut(id) else {
            return;
        };
        self.timers.remove(&(exchange.timer_at, id));
        exchange.timer_at = at.min(exchange.give_up_at);
        self.timers.insert((exchange.timer_at, id));
    }

    /// Begins the next try, with this server or the best of those not asked in this round.
    fn next_try(&mut self, now: Duration, id: slab::Key, server: Option<usize>) {
        self.end_attempt(id);
        let Some(server) = server.or_else(|| self.choose(now, id)) else {
            self.fail(id);
            return;
        };
        let Some(exchange) = self.exchanges.get_mut(id) else {
            return;
        };
        if exchange.tries >= TRIES {
            self.fail(id);
            return;
        }
        let Some(chosen) = self.servers.get_mut(server) else {
            return;
        };
        // RFC 6891 §6.2.5: after timeouts, a size that no path fragments.
        let udp_bytes = if exchange.tries < 2 {
            self.config.udp_bytes
        } else {
            MINIMUM_UDP_BYTES
        };
        let edns = (!exchange.without_edns && chosen.has_edns(now)).then_some(udp_bytes);
        let mut question: Box<[u8]> = exchange.key.question().into();
        if self.config.case_randomization {
            randomize_case(&mut question, || self.rng.next_u32());
        }
        let mut attempt = Attempt {
            server,
            id: 0,
            carrier: Carrier::Datagram { source_port: 0 },
            question,
            edns,
            sent_at: None,
            wait: chosen.wait(exchange.tries, self.config.try_ceiling),
        };
        chosen.in_flight = chosen.in_flight.saturating_add(1);
        if !exchange.asked.contains(&server) {
            exchange.asked.push(server);
        }
        exchange.tries = exchange.tries.saturating_add(1);
        let times = exchange
            .sent
            .entry((server, exchange.by_stream))
            .or_default();
        *times = times.saturating_add(1);
        let (by_stream, address, wait) = (exchange.by_stream, chosen.address, attempt.wait);
        let started = if by_stream {
            self.start_on_stream(now, id, address, &mut attempt)
        } else {
            self.start_datagram(id, &mut attempt)
        };
        if let Some(exchange) = self.exchanges.get_mut(id) {
            exchange.attempt = Some(attempt);
        }
        if started.is_none() {
            self.end_attempt(id);
            self.fail(id);
            return;
        }
        self.set_timer(id, now.saturating_add(wait));
    }

    fn start_datagram(&mut self, id: slab::Key, attempt: &mut Attempt) -> Option<()> {
        let source_port = self.free_port()?;
        [attempt.id, _] = halves(self.rng.next_u32());
        attempt.carrier = Carrier::Datagram { source_port };
        self.by_port.insert(source_port, id);
        self.outgoing.push_back(id);
        Some(())
    }

    fn fail(&mut self, id: slab::Key) {
        self.stats.failed += 1;
        if let Some(question) = self.question(FetchId(id)) {
            self.events.push_back(Event::Failed {
                fetch: FetchId(id),
                question,
            });
        }
    }

    pub(crate) fn poll_transmit(&mut self, now: Duration, buf: &mut [u8]) -> Option<Transmit> {
        while let Some(id) = self.outgoing.pop_front() {
            let Some(exchange) = self.exchanges.get_mut(id) else {
                continue;
            };
            let Some(attempt) = &mut exchange.attempt else {
                continue;
            };
            let Carrier::Datagram { source_port } = attempt.carrier else {
                continue;
            };
            if attempt.sent_at.is_some() {
                continue;
            }
            let Some(server) = self.servers.get(attempt.server) else {
                continue;
            };
            let destination = server.address;
            attempt.sent_at = Some(now);
            let wait = attempt.wait;
            let Some(len) = attempt.write(&exchange.key, buf) else {
                self.next_try(now, id, None);
                continue;
            };
            self.stats.sent += 1;
            self.set_timer(id, now.saturating_add(wait));
            return Some(Transmit {
                fetch: FetchId(id),
                source_port,
                destination,
                len,
            });
        }
        None
    }

    /// The server is passed over: as if it had been asked, but without a mark against it.
    pub(crate) fn transmit_failed(&mut self, now: Duration, transmit: &Transmit) {
        let id = transmit.fetch.0;
        let Some(exchange) = self.exchanges.get(id) else {
            return;
        };
        let current = exchange.attempt.as_ref().is_some_and(|attempt| {
            attempt.carrier
                == (Carrier::Datagram {
                    source_port: transmit.source_port,
                })
        });
        if current {
            self.pass_over(now, id);
        }
    }

    /// On to the next server of this round; once all were asked, the question has failed.
    fn pass_over(&mut self, now: Duration, id: slab::Key) {
        let Some(exchange) = self.exchanges.get(id) else {
            return;
        };
        let all = self
            .zones
            .servers(exchange.zone)
            .iter()
            .filter_map(|address| self.by_address.get(address))
            .all(|server| exchange.asked.contains(server));
        if all || exchange.give_up_at <= now {
            self.end_attempt(id);
            self.fail(id);
        } else {
            self.next_try(now, id, None);
        }
    }

    /// A message that answers the try under way.
    fn received(&mut self, now: Duration, id: slab::Key, bytes: &[u8]) {
        let Some(exchange) = self.exchanges.get(id) else {
            return;
        };
        let Some(attempt) = &exchange.attempt else {
            return;
        };
        let (index, edns) = (attempt.server, attempt.edns.is_some());
        let on_stream = matches!(attempt.carrier, Carrier::Stream(_));
        let rtt = now.saturating_sub(attempt.sent_at.unwrap_or(now));
        let Some(server) = self.servers.get_mut(index) else {
            return;
        };
        let address = server.address;
        server.answered(rtt);
        self.stats.rtt.count(rtt);
        if get_u16(bytes, 2).is_some_and(|flags| flags & flag::TC != 0) && !on_stream {
            self.move_to_stream(now, id);
            return;
        }
        match understand(bytes) {
            Ok(understood) => {
                self.end_attempt(id);
                let Some(exchange) = self.exchanges.get_mut(id) else {
                    return;
                };
                exchange.received = Some(Received {
                    raw: bytes.into(),
                    understood,
                });
                let give_up_at = exchange
                    .give_up_at
                    .max(now.saturating_add(self.config.try_ceiling));
                exchange.give_up_at = give_up_at;
                self.set_timer(id, give_up_at);
                self.events.push_back(Event::Received {
                    fetch: FetchId(id),
                    server: address,
                    rtt,
                });
            }
            Err(unusable) => {
                self.stats.unusable += 1;
                let rejected = matches!(
                    unusable.rcode,
                    rcode::FORMERR | rcode::NOTIMP | rcode::BADVERS
                );
                if edns && rejected {
                    // RFC 6891 §7: a server that does not know EDNS is asked without.
                    if let Some(server) = self.servers.get_mut(index) {
                        server.rejected_edns(now);
                    }
                    if let Some(exchange) = self.exchanges.get_mut(id) {
                        exchange.without_edns = true;
                    }
                    self.next_try(now, id, Some(index));
                    return;
                }
                if let Some(question) = self.question(FetchId(id)) {
                    let rcode = unusable.rcode;
                    self.log(Event::Unusable {
                        question,
                        server: address,
                        rcode,
                    });
                }
                if let Some(exchange) = self.exchanges.get_mut(id) {
                    exchange.unusable = Some(unusable);
                }
                self.pass_over(now, id);
            }
        }
    }

    /// Queues what is only told, never awaited; not without bound.
    fn log(&mut self, event: Event) {
        if self.events.len() < self.config.in_flight.saturating_mul(2) {
            self.events.push_back(event);
        } else {
            self.stats.events_lost += 1;
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        let timer = self.timers.first().map(|(at, _)| *at);
        timer.into_iter().chain(self.upstream.poll_timeout()).min()
    }

    /// Whether something waits to be sent.
    pub(crate) fn has_output(&self) -> bool {
        !self.outgoing.is_empty() || self.upstream.has_output()
    }

    pub(crate) fn handle_timeout(&mut self, now: Duration) {
        while let Some((at, id)) = self.timers.first().copied()
            && at <= now
        {
            self.timers.remove(&(at, id));
            self.timed_out(now, id);
        }
        self.upstream.handle_timeout(now);
    }

    fn timed_out(&mut self, now: Duration, id: slab::Key) {
        let Some(exchange) = self.exchanges.get_mut(id) else {
            return;
        };
        let over = exchange.give_up_at <= now;
        if over {
            // No more timers: the failure ends it, and whoever takes it removes it.
            exchange.timer_at = Duration::MAX;
        }
        let attempt = exchange.attempt.as_ref();
        let waited = attempt.and_then(|attempt| attempt.sent_at.map(|at| (attempt.server, at)));
        if let Some((server, sent_at)) = waited {
            self.stats.timeouts += 1;
            if let Some(server) = self.servers.get_mut(server) {
                server.did_not_answer(now);
                let (address, after) = (server.address, now.saturating_sub(sent_at));
                if let Some(question) = self.question(FetchId(id)) {
                    self.log(Event::TimedOut {
                        question,
                        server: address,
                        after,
                    });
                }
            }
        }
        if over {
            self.end_attempt(id);
            self.fail(id);
        } else {
            self.next_try(now, id, None);
        }
    }
}

/// The halves of a random word.
fn halves(word: u32) -> [u16; 2] {
    let [a, b, c, d] = word.to_be_bytes();
    [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])]
}
