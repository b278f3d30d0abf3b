//! A resolver between a client and servers that a test plays.

use core::net::SocketAddr;
use core::time::Duration;

use dnscache::{
    Client, Config, Event, ForwardZone, Name, Resolver, StreamTransmit, Ticket, Transmit,
    Transport, Verdict, rtype,
};
use hickory_proto::op::Message;

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

pub(crate) fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// A query as a stub would send it.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) id: u16,
    pub(crate) name: String,
    pub(crate) rtype: u16,
    pub(crate) flags: u16,
    /// Size and flags of the OPT record.
    pub(crate) edns: Option<(u16, u16)>,
}

impl Ask {
    pub(crate) fn new(name: &str, rtype: u16) -> Self {
        Self {
            id: 0x1234,
            name: name.into(),
            rtype,
            flags: 0x0100,
            edns: None,
        }
    }

    pub(crate) fn edns(self, size: u16) -> Self {
        Self {
            edns: Some((size, 0)),
            ..self
        }
    }

    pub(crate) fn flags(self, flags: u16) -> Self {
        Self { flags, ..self }
    }

    pub(crate) fn id(self, id: u16) -> Self {
        Self { id, ..self }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(self.id.to_be_bytes());
        bytes.extend(self.flags.to_be_bytes());
        bytes.extend([0, 1, 0, 0, 0, 0, 0, u8::from(self.edns.is_some())]);
        bytes.extend(cased_wire(&self.name));
        bytes.extend(self.rtype.to_be_bytes());
        bytes.extend([0, 1]);
        if let Some((size, flags)) = self.edns {
            bytes.extend([0, 0, 41]);
            bytes.extend(size.to_be_bytes());
            bytes.extend([0, 0]);
            bytes.extend(flags.to_be_bytes());
            bytes.extend([0, 0]);
        }
        bytes
    }
}

/// Wire form with the letters as they are written.
pub(crate) fn cased_wire(text: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in text
        .trim_end_matches('.')
        .split('.')
        .filter(|label| !label.is_empty())
    {
        wire.push(u8::try_from(label.len()).unwrap());
        wire.extend(label.as_bytes());
    }
    wire.push(0);
    wire
}

/// A reply under construction, to a query that went upstream.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) bytes: Vec<u8>,
    question_end: usize,
}

impl Answer {
    /// QR, RA and the query's own identifier and question.
    pub(crate) fn to(query: &[u8]) -> Self {
        let mut end = 12;
        while query[end] != 0 {
            end += usize::from(query[end]) + 1;
        }
        end += 5;
        let mut bytes = query[..end].to_vec();
        bytes[2] = 0x81;
        bytes[3] = 0x80;
        bytes[6..12].fill(0);
        Self {
            bytes,
            question_end: end,
        }
    }

    pub(crate) fn authentic(mut self) -> Self {
        self.bytes[3] |= 0x20;
        self
    }

    pub(crate) fn rcode(mut self, code: u8) -> Self {
        self.bytes[3] = (self.bytes[3] & 0xf0) | code;
        self
    }

    fn record(mut self, count: usize, owner: &str, rtype: u16, ttl: u32, rdata: &[u8]) -> Self {
        self.bytes[count + 1] += 1;
        // The question's name is pointed at, as servers do.
        let wire = cased_wire(owner);
        if self.bytes[12..self.question_end - 4].eq_ignore_ascii_case(&wire) {
            self.bytes.extend([0xc0, 0x0c]);
        } else {
            self.bytes.extend(wire);
        }
        self.bytes.extend(rtype.to_be_bytes());
        self.bytes.extend([0, 1]);
        self.bytes.extend(ttl.to_be_bytes());
        self.bytes
            .extend(u16::try_from(rdata.len()).unwrap().to_be_bytes());
        self.bytes.extend(rdata);
        self
    }

    pub(crate) fn answer(self, owner: &str, rtype: u16, ttl: u32, rdata: &[u8]) -> Self {
        self.record(6, owner, rtype, ttl, rdata)
    }

    pub(crate) fn authority(self, owner: &str, rtype: u16, ttl: u32, rdata: &[u8]) -> Self {
        self.record(8, owner, rtype, ttl, rdata)
    }

    pub(crate) fn additional(self, owner: &str, rtype: u16, ttl: u32, rdata: &[u8]) -> Self {
        self.record(10, owner, rtype, ttl, rdata)
    }

    pub(crate) fn a(self, owner: &str, ttl: u32, address: [u8; 4]) -> Self {
        self.answer(owner, rtype::A, ttl, &address)
    }

    pub(crate) fn cname(self, owner: &str, ttl: u32, target: &str) -> Self {
        self.answer(owner, rtype::CNAME, ttl, &cased_wire(target))
    }

    pub(crate) fn soa(self, owner: &str, ttl: u32, minimum: u32) -> Self {
        let mut rdata = cased_wire("ns.example.");
        rdata.extend(cased_wire("host.example."));
        for number in [1, 7200, 3600, 1_209_600, minimum] {
            rdata.extend(number.to_be_bytes());
        }
        self.authority(owner, rtype::SOA, ttl, &rdata)
    }

    /// An OPT record with options already in wire form.
    pub(crate) fn opt(mut self, extended: u8, options: &[u8]) -> Self {
        self.bytes[11] += 1;
        self.bytes.extend([0, 0, 41, 4, 208, extended, 0, 0, 0]);
        self.bytes
            .extend(u16::try_from(options.len()).unwrap().to_be_bytes());
        self.bytes.extend(options);
        self
    }
}

/// What went upstream.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) transmit: Transmit,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) struct World {
    pub(crate) resolver: Resolver,
    pub(crate) now: Duration,
    pub(crate) client: Client,
    pub(crate) policy: u8,
}

pub(crate) const GATEWAY: &str = "198.51.100.1";

impl World {
    /// One server for all names.
    pub(crate) fn new() -> Self {
        Self::with(|_| ())
    }

    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        config.zones.push(ForwardZone::new(
            Name::root(),
            vec![address("192.0.2.53:53")],
        ));
        change(&mut config);
        Self::seeded(config, [7; 32])
    }

    pub(crate) fn seeded(config: Config, seed: [u8; 32]) -> Self {
        Self {
            resolver: Resolver::new(config, seed),
            now: seconds(1000),
            client: Client {
                address: address("10.0.0.9:4000"),
                local: address("10.0.0.53:53"),
                transport: Transport::Udp,
                token: 0,
            },
            policy: 0,
        }
    }

    pub(crate) fn ask(&mut self, ask: &Ask) -> (Verdict, Vec<u8>) {
        self.ask_bytes(&ask.bytes())
    }

    pub(crate) fn ask_bytes(&mut self, bytes: &[u8]) -> (Verdict, Vec<u8>) {
        let mut out = vec![0; 65_535];
        let verdict =
            self.resolver
                .handle_query(self.now, self.client, bytes, self.policy, &mut out);
        if let Verdict::Reply(length) = verdict {
            out.truncate(length);
        }
        (verdict, out)
    }

    /// A reply that is expected at once.
    pub(crate) fn hit(&mut self, ask: &Ask) -> Vec<u8> {
        match self.ask(ask) {
            (Verdict::Reply(_), reply) => reply,
            (verdict, _) => panic!("no hit but {verdict:?}"),
        }
    }

    pub(crate) fn park(&mut self, ask: &Ask) -> Ticket {
        match self.ask(ask) {
            (Verdict::Parked(ticket), _) => ticket,
            (verdict, _) => panic!("not parked but {verdict:?}"),
        }
    }

    pub(crate) fn sent(&mut self) -> Vec<Sent> {
        let mut buf = [0; 512];
        core::iter::from_fn(|| {
            let transmit = self.resolver.poll_transmit(self.now, &mut buf)?;
            Some(Sent {
                transmit,
                bytes: buf[..transmit.len].to_vec(),
            })
        })
        .collect()
    }

    pub(crate) fn sent_one(&mut self) -> Sent {
        let sent = self.sent();
        assert_eq!(sent.len(), 1, "{sent:?}");
        sent.into_iter().next().unwrap()
    }

    pub(crate) fn deliver(
        &mut self,
        sent: &Sent,
        answer: &Answer,
    ) -> Result<(), dnscache::Mismatch> {
        let to = SocketAddr::new(GATEWAY.parse().unwrap(), sent.transmit.source_port);
        self.resolver
            .handle_datagram(self.now, sent.transmit.destination, to, &answer.bytes)
            .map(|_| ())
    }

    /// Delivers what must match, and tags it.
    pub(crate) fn reply(&mut self, sent: &Sent, answer: &Answer, tag: u8) {
        self.deliver(sent, answer).unwrap();
        self.accept(tag);
    }

    pub(crate) fn accept(&mut self, tag: u8) -> Vec<Event> {
        let mut rest = Vec::new();
        while let Some(event) = self.resolver.poll_event() {
            match event {
                Event::Received { fetch, .. } => self.resolver.accept(self.now, fetch, tag),
                other => rest.push(other),
            }
        }
        rest
    }

    pub(crate) fn answer(&mut self, ticket: Ticket) -> (Verdict, Vec<u8>) {
        let mut out = vec![0; 65_535];
        let verdict = self.resolver.answer(self.now, ticket, &mut out);
        if let Verdict::Reply(length) = verdict {
            out.truncate(length);
        }
        (verdict, out)
    }

    pub(crate) fn answered(&mut self, ticket: Ticket) -> Vec<u8> {
        match self.answer(ticket) {
            (Verdict::Reply(_), reply) => reply,
            (verdict, _) => panic!("not answered but {verdict:?}"),
        }
    }

    /// Asks, plays the server, and gives the client's reply.
    pub(crate) fn exchange(&mut self, ask: &Ask, answer: impl FnOnce(&[u8]) -> Answer) -> Vec<u8> {
        let ticket = self.park(ask);
        let sent = self.sent_one();
        self.reply(&sent, &answer(&sent.bytes), 0);
        self.answered(ticket)
    }

    /// No server answers for so long; what is sent meanwhile is given back, with the moment of it.
    pub(crate) fn silence(&mut self, time: Duration) -> Vec<(Duration, Sent)> {
        let end = self.now + time;
        let mut all = Vec::new();
        loop {
            let now = self.now;
            all.extend(self.sent().into_iter().map(|sent| (now, sent)));
            self.streams();
            while self.resolver.poll_event().is_some() {}
            let next = self.resolver.poll_timeout().filter(|at| *at <= end);
            let Some(next) = next else { break };
            self.now = self.now.max(next);
            self.resolver.handle_timeout(self.now);
        }
        self.now = end;
        all
    }

    /// What is to be done about connections to servers, with the bytes to send.
    pub(crate) fn streams(&mut self) -> Vec<(StreamTransmit, Vec<u8>)> {
        let mut buf = [0; 512];
        core::iter::from_fn(|| {
            let transmit = self.resolver.poll_stream(self.now, &mut buf)?;
            let len = match transmit {
                StreamTransmit::Send { len, .. } => len,
                _ => 0,
            };
            Some((transmit, buf[..len].to_vec()))
        })
        .collect()
    }

    /// Every query that leaves at this moment is answered with a response code and nothing else.
    pub(crate) fn fail_upstream(&mut self, code: u8) {
        while let Some(sent) = self.sent().into_iter().next() {
            let reply = Answer::to(&sent.bytes).rcode(code);
            self.deliver(&sent, &reply).unwrap();
        }
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.resolver.handle_timeout(self.now);
    }
}

pub(crate) fn decode(reply: &[u8]) -> Message {
    Message::from_vec(reply).unwrap()
}

pub(crate) fn rcode_of(reply: &[u8]) -> u8 {
    reply[3] & 0x0f
}

/// The TTLs of all records but OPT.
pub(crate) fn ttls(reply: &[u8]) -> Vec<u32> {
    let message = decode(reply);
    let sections = [&message.answers, &message.authorities, &message.additionals];
    sections
        .into_iter()
        .flatten()
        .map(|record| record.ttl)
        .collect()
}

/// The code of the first extended error (RFC 8914) of a reply.
pub(crate) fn extended_error(reply: &[u8]) -> Option<u16> {
    let at = reply.windows(3).rposition(|window| window == [0, 0, 41])?;
    let options = &reply[at + 11..];
    (options.len() >= 6 && options[..2] == [0, 15])
        .then(|| u16::from_be_bytes([options[4], options[5]]))
}
