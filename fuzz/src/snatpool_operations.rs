//! Random calls of a small pool, beside a list of the sessions that its events say are open.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;
use std::collections::BTreeMap;

use snatpool::{
    Config, Event, Evict, ExportCursor, Filter, Lookup, Mapping, PoolConfig, PoolId, PortBlocks,
    Protocol, SessionId, Side, Signal, SnatPool, TcpFlags, TransportAddress, Tuple,
};

use crate::choices::Choices;

/// Outside ports of the pool; few, so that they run out.
const PORTS: core::ops::RangeInclusive<u16> = 5000..=5003;
const SESSIONS: u32 = 12;
const POD_PORTS: [u16; 4] = [5001, 5002, 40_000, 1];
const SKIPS: [Duration; 6] = [
    Duration::from_millis(1),
    Duration::from_secs(2),
    Duration::from_secs(31),
    Duration::from_secs(121),
    Duration::from_secs(301),
    Duration::from_secs(8000),
];

/// The port of an open flow is no other flow's to the same peer; both directions of a session lead to
/// it; what is closed is not found; every session that opens closes once.
pub fn snatpool_operations(data: &[u8]) {
    let mut choices = Choices::new(data);
    let _ = drive(&mut choices);
}

fn drive(choices: &mut Choices<'_>) -> Option<()> {
    let mut run = Run::new(choices)?;
    while let Some(operation) = choices.byte() {
        if run.operate(operation, choices).is_none() {
            break;
        }
        run.take_events();
        run.check();
    }
    run.end();
    Some(())
}

struct Run {
    pool: SnatPool,
    config: Config,
    mapping: Mapping,
    now: Duration,
    /// By id: inside, outside.
    open: BTreeMap<SessionId, (Tuple, Tuple)>,
    pinned: Vec<SessionId>,
}

impl Run {
    fn new(choices: &mut Choices<'_>) -> Option<Self> {
        let mapping = choices.one_of(&[Mapping::PerFlow, Mapping::EndpointIndependent])?;
        let mut pods = PoolConfig::new(outside_addresses());
        pods.ports = PORTS;
        pods.mapping = mapping;
        if mapping == Mapping::EndpointIndependent {
            pods.filter =
                choices.one_of(&[Filter::Endpoint, Filter::Address, Filter::AddressPort])?;
        }
        let flags = choices.byte()?;
        pods.preserve_port = flags & 1 == 0;
        pods.spill = flags & 2 != 0;
        let mut config = Config::new(SESSIONS, vec![pods]);
        config.evict = if flags & 4 == 0 {
            Evict::Transitory
        } else {
            Evict::Never
        };
        config.probe = flags & 8 != 0;
        config.validate_rst = flags & 16 != 0;
        config.held_syns = if flags & 32 == 0 { 0 } else { 2 };
        if flags & 64 != 0 {
            config.pools[0].blocks = Some(PortBlocks {
                size: 2,
                per_client: 1,
            });
        }
        config.top_destinations = 3;
        config.fragmented_datagrams = 8;
        let pool = SnatPool::new(config.clone(), [flags; 32]).expect("the configuration is right");
        Some(Self {
            pool,
            config,
            mapping,
            now: Duration::from_secs(1),
            open: BTreeMap::new(),
            pinned: Vec::new(),
        })
    }

    fn operate(&mut self, operation: u8, choices: &mut Choices<'_>) -> Option<()> {
        match operation % 10 {
            0..=2 => {
                let inside = inside_tuple(choices)?;
                let signal = signal(choices, inside.protocol)?;
                match self.pool.outbound(self.now, &inside, signal) {
                    Lookup::Session(id) => self.expect_inside(id, &inside),
                    Lookup::Miss => self.bind(&inside, signal, choices)?,
                    Lookup::Refused(_) => {}
                    other => panic!("from inside: {other:?}"),
                }
            }
            3 => {
                let outside = self.outside_tuple(choices)?;
                let signal = signal(choices, outside.protocol)?;
                match self.pool.inbound(self.now, &outside, signal) {
                    Lookup::Session(id) => {
                        let (_, known) = self.known(id);
                        assert_eq!(known.reversed(), outside);
                    }
                    Lookup::Admit { .. } => {
                        assert_eq!(self.mapping, Mapping::EndpointIndependent);
                        let peer = outside.source.address;
                        let _ = self.pool.accept(self.now, &outside, peer, signal);
                    }
                    _ => {}
                }
            }
            4 => {
                let outside = self.outside_tuple(choices)?;
                if let Some(id) = self.pool.quoted(Side::Outside, &outside.reversed()) {
                    let (_, known) = self.known(id);
                    assert_eq!(known, outside.reversed());
                }
            }
            5 => {
                if let Some(id) = self.pick(choices)? {
                    self.pool.close(self.now, id);
                }
            }
            6 => {
                let picked = self.pick(choices)?;
                if choices.byte()? & 1 == 0 {
                    if let Some(id) = picked.filter(|id| !self.pinned.contains(id))
                        && self.pool.pin(id)
                    {
                        self.pinned.push(id);
                    }
                } else if let Some(id) = self.pinned.pop() {
                    self.pool.unpin(self.now, id);
                }
            }
            7 => self.relocate(choices)?,
            8 => self.import_garbage(choices)?,
            _ => {
                let skip = choices.one_of(&SKIPS)?;
                self.pass(skip);
            }
        }
        Some(())
    }

    fn bind(&mut self, inside: &Tuple, signal: Signal, choices: &mut Choices<'_>) -> Option<()> {
        let host = choices.one_of(&hosts())?;
        if let Ok(id) = self
            .pool
            .bind(self.now, PoolId(0), inside, host, None, signal)
        {
            let session = self.pool.session(id).expect("it was just bound");
            assert_eq!((session.id, session.inside), (id, *inside));
            assert_eq!(session.outside.destination.address, host);
            let source = session.outside.source;
            assert!(outside_addresses().contains(&source.address));
            assert_eq!(source.address.is_ipv4(), host.is_ipv4());
            assert!(inside.protocol == Protocol::Icmp || PORTS.contains(&source.port));
        }
        Some(())
    }

    /// Another process takes over: every live session goes on, whatever else was pinned or held.
    fn relocate(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let seed = choices.byte()?;
        let mut new = SnatPool::new(self.config.clone(), [seed; 32]).expect("as before");
        let live = self.pool.sessions().count() as u64;
        let mut added = 0;
        for piece in self.export() {
            let imported = new.import(self.now, &piece).expect("an export");
            assert_eq!(imported.damaged + imported.foreign, 0, "{imported:?}");
            assert_eq!(imported.conflicting + imported.refused, 0, "{imported:?}");
            added += imported.added + imported.ended;
        }
        assert_eq!(added, live);
        self.pool = new;
        self.pinned.clear();
        self.open.clear();
        Some(())
    }

    /// Bytes changed on the way: counted, and the sessions that are here stay.
    fn import_garbage(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let (place, value) = (usize::from(choices.byte()?), choices.byte()?);
        let live = self.pool.stats().live;
        for mut piece in self.export() {
            let place = place % piece.len();
            piece[place] = value;
            let _ = self.pool.import(self.now, &piece);
        }
        assert_eq!(self.pool.stats().live, live);
        Some(())
    }

    fn export(&self) -> Vec<Vec<u8>> {
        let mut cursor = ExportCursor::default();
        let mut pieces = Vec::new();
        while !cursor.is_done() {
            let mut piece = vec![0; 400];
            let len = self.pool.export(self.now, &mut cursor, &mut piece);
            piece.truncate(len);
            pieces.push(piece);
        }
        pieces.retain(|piece| !piece.is_empty());
        pieces
    }

    /// Time passes, deadline by deadline.
    fn pass(&mut self, by: Duration) {
        self.now += by;
        let mut rounds = 0;
        while self
            .pool
            .poll_timeout()
            .is_some_and(|deadline| deadline <= self.now)
        {
            self.pool.handle_timeout(self.now);
            self.take_events();
            rounds += 1;
            assert!(
                rounds < 1000,
                "timeouts without end: now {:?}, {:?}",
                self.now,
                self.open
                    .keys()
                    .map(|id| self.pool.session(*id))
                    .collect::<Vec<_>>()
            );
        }
    }

    fn take_events(&mut self) {
        while let Some(event) = self.pool.poll_event() {
            match event {
                Event::Opened {
                    session,
                    inside,
                    outside,
                    ..
                } => {
                    let before = self.open.insert(session, (inside, outside));
                    assert_eq!(before, None, "opened twice");
                }
                Event::Closed {
                    session,
                    inside,
                    outside,
                    ..
                } => {
                    let before = self.open.remove(&session);
                    assert_eq!(before, Some((inside, outside)), "closed, but was not open");
                }
                _ => {}
            }
        }
    }

    fn check(&self) {
        assert!(self.open.len() <= SESSIONS as usize);
        let all: Vec<_> = self.open.values().collect();
        for (index, (inside, outside)) in all.iter().enumerate() {
            for (other_inside, other_outside) in &all[index + 1..] {
                assert_ne!(inside, other_inside, "two sessions of one flow");
                assert_ne!(
                    outside, other_outside,
                    "two flows with one port to one peer"
                );
                if self.mapping == Mapping::EndpointIndependent
                    && inside.protocol == other_inside.protocol
                    && outside.source == other_outside.source
                {
                    assert_eq!(
                        inside.source, other_inside.source,
                        "two clients on one port"
                    );
                }
            }
        }
        for (id, (inside, outside)) in &self.open {
            if let Some(session) = self.pool.session(*id) {
                assert_eq!((session.inside, session.outside), (*inside, *outside));
            }
        }
    }

    /// Everything idle ends, and the pool is as good as new.
    fn end(mut self) {
        while let Some(id) = self.pinned.pop() {
            self.pool.unpin(self.now, id);
        }
        for _ in 0..4 {
            self.pass(Duration::from_secs(100_000));
            self.take_events();
        }
        assert!(self.open.is_empty(), "still open: {:?}", self.open);
        assert_eq!(
            self.pool.poll_timeout(),
            None,
            "nothing is open, but something is awaited"
        );
    }

    fn known(&self, id: SessionId) -> (Tuple, Tuple) {
        *self
            .open
            .get(&id)
            .unwrap_or_else(|| panic!("{id:?} is not open"))
    }

    fn expect_inside(&self, id: SessionId, inside: &Tuple) {
        assert_eq!(self.known(id).0, *inside);
    }

    fn pick(&self, choices: &mut Choices<'_>) -> Option<Option<SessionId>> {
        let index = usize::from(choices.byte()?);
        let ids: Vec<_> = self.open.keys().copied().collect();
        Some(ids.get(index % ids.len().max(1)).copied())
    }

    /// The reply of an open flow, or a guess.
    fn outside_tuple(&self, choices: &mut Choices<'_>) -> Option<Tuple> {
        if let Some(id) = self.pick(choices)? {
            let (_, outside) = self.known(id);
            let mut reply = outside.reversed();
            let wrong = choices.byte()?;
            if wrong & 7 == 0 && reply.protocol != Protocol::Icmp {
                reply.source.port = reply.source.port.wrapping_add(1);
            }
            return Some(reply);
        }
        let source = choices.one_of(&hosts())?;
        let own = outside_addresses();
        let destination = own
            .into_iter()
            .find(|own| own.is_ipv4() == source.is_ipv4())?;
        Some(Tuple {
            protocol: choices.one_of(&[Protocol::Tcp, Protocol::Udp, Protocol::Icmp])?,
            source: TransportAddress::new(source, 443),
            destination: TransportAddress::new(destination, choices.one_of(&[5000, 5001, 5002])?),
        })
    }
}

fn inside_tuple(choices: &mut Choices<'_>) -> Option<Tuple> {
    let protocol = choices.one_of(&[Protocol::Tcp, Protocol::Udp, Protocol::Icmp])?;
    let pod = Ipv4Addr::new(10, 1, 0, choices.byte()? & 3);
    let port = choices.one_of(&POD_PORTS)?;
    let mapped = Ipv4Addr::new(198, 18, 0, choices.byte()? & 3);
    let destination_port = if protocol == Protocol::Icmp {
        port
    } else {
        443
    };
    Some(Tuple {
        protocol,
        source: TransportAddress::new(pod.into(), port),
        destination: TransportAddress::new(mapped.into(), destination_port),
    })
}

fn signal(choices: &mut Choices<'_>, protocol: Protocol) -> Option<Signal> {
    if protocol != Protocol::Tcp {
        return Some(Signal::None);
    }
    let octet = choices.one_of(&[0x02, 0x12, 0x10, 0x11, 0x04, 0x14, 0x00, 0x06])?;
    let sequence = u32::from(choices.byte()?);
    Some(Signal::Tcp {
        flags: TcpFlags::from_octet(octet),
        sequence,
    })
}

fn outside_addresses() -> Vec<IpAddr> {
    vec![
        Ipv4Addr::new(203, 0, 113, 1).into(),
        Ipv6Addr::new(0x2001, 0xdb8, 0x46, 0, 0, 0, 0, 1).into(),
        Ipv6Addr::new(0x2001, 0xdb8, 0x46, 0, 0, 0, 0, 2).into(),
    ]
}

fn hosts() -> [IpAddr; 3] {
    [
        Ipv6Addr::new(0x2001, 0xdb8, 0xcafe, 0, 0, 0, 0, 1).into(),
        Ipv6Addr::new(0x2001, 0xdb8, 0xcafe, 0, 0, 0, 0, 2).into(),
        Ipv4Addr::new(198, 51, 100, 1).into(),
    ]
}
