//! Sessions taken over from another process.

use core::time::Duration;

use super::SnatPool;
use crate::binding::Binding;
use crate::config::{Mapping, PoolId};
use crate::event::Closed;
use crate::key::peer_port;
use crate::lifetime::State;
use crate::nat::lookup::outbound_key;
use crate::portable::{HEADER, RECORD, Record};
use crate::record::{Hot, Kind, Octets};
use crate::table::Hashes;
use crate::time::Ticks;
use crate::tuple::{Protocol, Tuple};

/// What became of the records of an import. Those that were not taken are counted, never an error:
/// the others' flows must live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imported {
    /// New sessions.
    pub added: u64,
    /// Sessions that were here already, as of this import or an earlier one; now no less far than
    /// their records say.
    pub known: u64,
    /// Sessions that ended, because a record says so.
    pub ended: u64,
    /// Records with bytes that no export writes.
    pub damaged: u64,
    /// Records of a pool, an outside address or a port that this configuration does not have, or
    /// of addresses that do not go together.
    pub foreign: u64,
    /// Records whose inside or outside pair is another session's here, or whose binding or port
    /// block another client has.
    pub conflicting: u64,
    /// Records for which there was no room: all sessions in use, or a limit of the client.
    pub refused: u64,
}

/// Bytes that are no export at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// They begin with something else.
    #[error("not an export of sessions: it begins with {found:02x?}, wanted \"SNATPOL\"")]
    NoExport {
        /// The first bytes; 0 where there are fewer.
        found: [u8; 7],
    },
    /// Of a version that this one does not read.
    #[error("an export of version {found}: this reads version {}", HEADER[7])]
    Version {
        /// Its version.
        found: u8,
    },
}

enum Outcome {
    Added,
    Known,
    Ended,
    Foreign,
    Conflicting,
    Refused,
}

impl SnatPool {
    /// Takes over the sessions of an [`export`](Self::export). May be called with any piece, in any
    /// order and more than once. What is here already stays, but a record of the same session that
    /// came further (established instead of opening, or with more time left) brings it up to date.
    ///
    /// Every new session comes as [`Event::Opened`](crate::Event::Opened), to be taken before the
    /// next piece. A session lives on for what it had left, and no longer than this configuration
    /// lets it.
    ///
    /// # Errors
    ///
    /// [`ImportError`] for bytes that do not begin as an export does. Nothing was taken over.
    pub fn import(&mut self, now: Duration, bytes: &[u8]) -> Result<Imported, ImportError> {
        self.clock(now);
        let records = match bytes.split_first_chunk::<{ HEADER.len() }>() {
            Some((header, records)) if *header == HEADER => records,
            Some((&[name @ .., version], _)) if HEADER.starts_with(&name) => {
                return Err(ImportError::Version { found: version });
            }
            Some(_) | None => {
                let mut start = bytes.iter().copied();
                let found = core::array::from_fn(|_| start.next().unwrap_or_default());
                return Err(ImportError::NoExport { found });
            }
        };
        let (records, cut) = records.as_chunks::<RECORD>();
        let mut imported = Imported {
            damaged: u64::from(!cut.is_empty()),
            ..Imported::default()
        };
        for bytes in records {
            let count = match Record::read(bytes).map(|record| self.import_one(&record)) {
                None => &mut imported.damaged,
                Some(Outcome::Added) => &mut imported.added,
                Some(Outcome::Known) => &mut imported.known,
                Some(Outcome::Ended) => &mut imported.ended,
                Some(Outcome::Foreign) => &mut imported.foreign,
                Some(Outcome::Conflicting) => &mut imported.conflicting,
                Some(Outcome::Refused) => &mut imported.refused,
            };
            *count += 1;
        }
        Ok(imported)
    }

    fn import_one(&mut self, record: &Record) -> Outcome {
        let Some(state) = record.state else {
            return self.import_end(record);
        };
        let Some((hot, mapping)) = self.hot_of(record) else {
            return Outcome::Foreign;
        };
        let mut hot = Hot { state, ..hot };
        let (Some(outbound_key), Some(inbound_key)) = (
            outbound_key(&record.inside),
            self.inbound_key(&record.outside.reversed()),
        ) else {
            return Outcome::Foreign;
        };
        let hashes = Hashes {
            outbound: outbound_key.hash(&self.keys),
            inbound: inbound_key.hash(&self.keys),
        };
        let lifetime = self.lifetimes.of(&hot);
        hot.due = self.now.plus(record.remaining.min(lifetime));
        if hot.due <= self.now {
            return Outcome::Ended;
        }
        // What ended, though no timer has fired yet, is not in the way.
        let outbound = match self.table.outbound(hashes.outbound, &outbound_key) {
            Some(slot) if self.settle(slot) => Some(slot),
            Some(_) | None => None,
        };
        if let Some(slot) = self.table.inbound(hashes.inbound, &inbound_key) {
            self.settle(slot);
        }
        let inbound = self.table.inbound(hashes.inbound, &inbound_key);
        match (outbound, inbound) {
            (None, None) => {}
            (Some(one), Some(other)) if one == other => {
                self.catch_up(one, &hot);
                return Outcome::Known;
            }
            _ => return Outcome::Conflicting,
        }
        if mapping == Mapping::EndpointIndependent && !self.binding_fits(PoolId(record.pool), &hot)
        {
            return Outcome::Conflicting;
        }
        self.admit(record, hot, hashes, mapping)
    }

    /// A session that is here already hears how far it came over there.
    fn catch_up(&mut self, slot: u32, record: &Hot) {
        let Some(hot) = self.table.hot.get_mut(slot as usize) else {
            return;
        };
        let state = caught_up(hot.state, record.state);
        if state != hot.state {
            (hot.state, hot.due) = (state, record.due);
        } else if state == record.state && record.due > hot.due {
            hot.due = record.due;
        } else {
            return;
        }
        self.rearm(slot);
    }

    /// The client, then the session.
    fn admit(&mut self, record: &Record, hot: Hot, hashes: Hashes, mapping: Mapping) -> Outcome {
        let (pool, kind) = (PoolId(record.pool), hot.kind);
        let full = self.holding >= self.policy.sessions || self.taken >= self.policy.slots;
        let client = if full {
            None
        } else {
            let (keys, now) = (&self.keys, self.now);
            let family = kind.inside();
            self.clients
                .find_or_add(keys, now, pool, family, hot.client)
        };
        let Some((client, new)) = client else {
            return Outcome::Refused;
        };
        let outcome = self.admit_of(client, hot, hashes, mapping);
        if new {
            self.clients.forget_unless_busy(&self.keys, client);
        }
        outcome
    }

    /// The limits of its client and its block, then the session itself.
    fn admit_of(&mut self, client: u32, hot: Hot, hashes: Hashes, mapping: Mapping) -> Outcome {
        if self.clients.over_share(client) {
            return Outcome::Refused;
        }
        if !self.clients.claim_block(client, hot.address, hot.port) {
            return Outcome::Conflicting;
        }
        if let Some(record) = self.clients.get_mut(client)
            && record.paired(hot.kind.outside()).is_none()
        {
            record.pair(hot.kind.outside(), hot.address);
        }
        let due = hot.due;
        match self.insert(hot, hashes, client, mapping) {
            Ok(id) => {
                if let Some(hot) = self.table.hot.get_mut(id.slot as usize) {
                    hot.due = due;
                }
                self.rearm(id.slot);
                Outcome::Added
            }
            Err(_) => Outcome::Refused,
        }
    }

    /// A session ended over there: it ends here, if it is the same.
    fn import_end(&mut self, record: &Record) -> Outcome {
        let key = self.inbound_key(&record.outside.reversed());
        let found = key.and_then(|key| self.table.inbound(key.hash(&self.keys), &key));
        let Some(slot) = found else {
            return Outcome::Ended;
        };
        let same = self
            .table
            .hot
            .get(slot as usize)
            .is_some_and(|hot| hot.inside() == record.inside && !hot.kind.closed());
        if !same {
            return Outcome::Conflicting;
        }
        self.end(slot, Closed::Ordered);
        Outcome::Ended
    }

    /// The record of a session in this pool, if it can be one.
    fn hot_of(&self, record: &Record) -> Option<(Hot, Mapping)> {
        let Record {
            inside, outside, ..
        } = record;
        let address = self.pools.find(outside.source.address)?;
        let pool = self.pools.pool(PoolId(record.pool))?;
        let (near, far) = (inside.family()?, outside.family()?);
        let protocol = inside.protocol;
        let ports = self.pools.ports(address, protocol)?;
        let sound = pool.has(far, address)
            && ports.contains(outside.source.port)
            && ends_agree(protocol, inside, outside)
            && (!record.from_outside || pool.mapping == Mapping::EndpointIndependent);
        let mut kind = Kind::new(protocol, near, far);
        if record.from_outside {
            kind.set_from_outside();
        }
        let hot = Hot {
            client: Octets::of(inside.source.address),
            target: Octets::of(inside.destination.address),
            peer: Octets::of(outside.destination.address),
            client_port: inside.source.port,
            peer_port: peer_port(protocol, outside.destination.port),
            port: outside.source.port,
            address,
            kind,
            due: Ticks::ZERO,
            ..Hot::EMPTY
        };
        sound.then_some((hot, pool.mapping))
    }

    /// Whether a session may use this endpoint-independent binding: it is this client's, or new.
    fn binding_fits(&self, pool: PoolId, hot: &Hot) -> bool {
        let (keys, kind) = (&self.keys, hot.kind);
        let inside = self
            .bindings
            .inside(keys, pool, kind, hot.client, hot.client_port);
        let outside = self
            .bindings
            .outside(keys, kind.protocol(), hot.address, hot.port);
        match (inside, outside) {
            (None, None) => true,
            (Some(one), Some(other)) if one == other => {
                let most = self.pools.address(hot.address);
                let most = most.map_or(0, |entry| entry.inbound_sessions);
                let binding: Option<&Binding> = self.bindings.get(one);
                !kind.is_from_outside() || binding.is_some_and(|binding| binding.inbound < most)
            }
            _ => false,
        }
    }
}

/// The state of a session that is known in two: the one in which packets keep it alive. Records come
/// in any order, so that one that says less is no news.
const fn caught_up(here: State, record: State) -> State {
    use State::{BothFin, InInit, OutInit, Reopening};
    match (here, record) {
        // Opened anew over there: the answer is still to come.
        (BothFin, InInit | OutInit) => Reopening,
        _ if progress(record) > progress(here) => record,
        _ => here,
    }
}

const fn progress(state: State) -> u8 {
    match state {
        State::InInit | State::OutInit | State::Rejected | State::Unconfirmed => 0,
        State::BothFin | State::Reopening => 1,
        // Data brings it back.
        State::Transitory => 2,
        State::Established | State::InFin | State::OutFin | State::Confirmed => 3,
    }
}

/// A port is the same on both sides, and an ICMP identifier stands in both ends of a pair.
fn ends_agree(protocol: Protocol, inside: &Tuple, outside: &Tuple) -> bool {
    match protocol {
        Protocol::Tcp | Protocol::Udp => inside.destination.port == outside.destination.port,
        Protocol::Icmp => {
            inside.source.port == inside.destination.port
                && outside.source.port == outside.destination.port
        }
    }
}
