//! Operations on their way: sent while the replies to those before them are still awaited.

use alloc::collections::BTreeSet;

use dns46::{StoreAction, StoreReply};
use redis::{Cmd, Value, cmd};

use super::Owner;
use super::client::{Client, Told, now};
use super::location::Location;
use super::script::{self, Told as Read};
use super::wire::{Connection, StoreError, bytes};
use crate::host::stores::address;

/// An operation, and how its entry may be spelt beside the way that we write it.
#[derive(Debug)]
pub(crate) struct Asked {
    tag: u64,
    action: StoreAction,
    spelt: Vec<u8>,
    /// Not with others in one script.
    alone: bool,
}

impl Asked {
    pub(super) const fn new(tag: u64, action: StoreAction) -> Self {
        Self {
            tag,
            action,
            spelt: Vec::new(),
            alone: false,
        }
    }

    const fn writes(&self) -> bool {
        matches!(
            self.action,
            StoreAction::Put { .. } | StoreAction::Delete { .. }
        )
    }
}

/// Operations of one round trip.
#[derive(Debug)]
pub(crate) struct Flight {
    asked: Vec<Asked>,
    /// Which of them were sent: the others cannot be done now.
    sent: Vec<bool>,
    /// Which were sent together, in front of the others.
    groups: Vec<Vec<usize>>,
    waits: bool,
}

/// New pairs that one script writes.
pub(super) const GROUP: usize = 64;

impl Flight {
    pub(super) fn into_asked(self) -> Vec<Asked> {
        self.asked
    }
}

impl Client {
    /// Sends what is asked, then takes in the replies to what was sent before; whatever is not certain has
    /// failed.
    pub(super) fn operate(&mut self, asked: Vec<Asked>) -> Result<(), StoreError> {
        if asked.is_empty() {
            return self.land();
        }
        let Some(mut connection) = self.connection.take() else {
            self.fail(asked);
            return Ok(());
        };
        let flight = self.prepare(asked);
        let sent = connection.send(&flight.1);
        self.connection = Some(connection);
        if let Err(error) = sent {
            self.fail(flight.0.asked);
            return Err(error.into());
        }
        let landed = self.land();
        match landed {
            Ok(()) => self.flight = Some(flight.0),
            Err(_) => self.fail(flight.0.asked),
        }
        landed
    }

    /// Takes in the replies to what was sent.
    pub(super) fn land(&mut self) -> Result<(), StoreError> {
        let Some(flight) = self.flight.take() else {
            return Ok(());
        };
        let Some(mut connection) = self.connection.take() else {
            self.fail(flight.asked);
            return Ok(());
        };
        let read = self.receive(&mut connection, &flight);
        self.connection = Some(connection);
        match read {
            Ok(read) => {
                for (mut asked, mut read) in flight.asked.into_iter().zip(read) {
                    if read == Read::Alone {
                        asked.alone = true;
                        self.again.push(asked);
                        continue;
                    }
                    if let Read::Spelt(text) = read {
                        match script::other(&asked.action, &text) {
                            Some(reply) => read = Read::Reply(reply),
                            // It was asked with that very text.
                            None if asked.spelt == text => read = Read::Reply(StoreReply::Failed),
                            None => {
                                asked.spelt = text;
                                self.again.push(asked);
                                continue;
                            }
                        }
                    }
                    let reply = self.settle(&asked.action, read);
                    self.tell(Told::Reply(asked.tag, reply));
                }
                self.ring();
                Ok(())
            }
            Err(error) => {
                self.fail(flight.asked);
                Err(error)
            }
        }
    }

    pub(super) fn fail(&mut self, all: Vec<Asked>) {
        for asked in all {
            self.settle(&asked.action, Read::Reply(StoreReply::Failed));
            self.tell(Told::Reply(asked.tag, StoreReply::Failed));
        }
    }

    fn prepare(&self, asked: Vec<Asked>) -> (Flight, Vec<Cmd>) {
        let mut commands = vec![cmd("ROLE")];
        let mut sent = Vec::with_capacity(asked.len());
        let (groups, together) = self.groups(&asked);
        commands.extend(together);
        let grouped: BTreeSet<usize> = groups.iter().flatten().copied().collect();
        for (index, one) in asked.iter().enumerate() {
            if grouped.contains(&index) {
                sent.push(true);
                continue;
            }
            let command = self.command(&one.action, &one.spelt);
            sent.push(command.is_some());
            commands.extend(command);
        }
        let waits = asked.iter().any(Asked::writes) && self.location.wait > 0;
        if waits {
            commands.push(self.wait());
        }
        let flight = Flight {
            asked,
            sent,
            groups,
            waits,
        };
        (flight, commands)
    }

    /// New pairs of our own slice go together, where there are several.
    fn groups(&self, asked: &[Asked]) -> (Vec<Vec<usize>>, Vec<Cmd>) {
        let mut pairs = Vec::new();
        for (index, one) in asked.iter().enumerate() {
            if let StoreAction::Put { address, host } = one.action
                && !one.alone
                && one.spelt.is_empty()
                && self.scope.owner(address) == Owner::Us
            {
                pairs.push((index, (address, host)));
            }
        }
        let writer = self.writer(Owner::Us);
        let expiry = self.expiry(Owner::Us);
        let (mut groups, mut commands) = (Vec::new(), Vec::new());
        for group in pairs.chunks(GROUP).filter(|group| group.len() > 1) {
            let (indexes, pairs): (Vec<_>, Vec<_>) = group.iter().copied().unzip();
            let keys = &self.location.keys;
            commands.push(self.scripts.many(keys, &pairs, expiry, writer));
            groups.push(indexes);
        }
        (groups, commands)
    }

    fn receive(
        &mut self,
        connection: &mut Connection,
        flight: &Flight,
    ) -> Result<Vec<Read>, StoreError> {
        let mut next = || {
            let late = || StoreError::Reply("no reply in time".to_owned());
            connection.receive()?.ok_or_else(late)
        };
        let role = next()?;
        let mut read = vec![None; flight.asked.len()];
        for group in &flight.groups {
            let reply = next()?;
            let letters = bytes(&reply).unwrap_or_default();
            let is_fenced = letters == b"fenced";
            for (number, index) in group.iter().enumerate() {
                if let Some(place) = read.get_mut(*index) {
                    *place = Some(match letters.get(number) {
                        _ if is_fenced => Read::Fenced,
                        Some(b'1') => Read::Reply(StoreReply::Done),
                        Some(_) => Read::Alone,
                        None => Read::Reply(StoreReply::Failed),
                    });
                }
            }
        }
        for ((asked, sent), read) in flight.asked.iter().zip(&flight.sent).zip(&mut read) {
            if read.is_some() {
                continue;
            }
            if !sent {
                *read = Some(Read::Reply(StoreReply::Failed));
                continue;
            }
            let reply = next()?;
            if let Value::ServerError(error) = &reply {
                tracing::warn!("store: {} {}", error.code(), error.details().unwrap_or(""));
            }
            *read = Some(script::read(&asked.action, &reply));
        }
        let mut read: Vec<Read> = read
            .into_iter()
            .map(|read| read.unwrap_or(Read::Reply(StoreReply::Failed)))
            .collect();
        let copied = !flight.waits || self.is_copied(Some(next()?));
        connection.check_role(&role)?;
        if !copied {
            for (asked, read) in flight.asked.iter().zip(&mut read) {
                if asked.writes() && *read == Read::Reply(StoreReply::Done) {
                    *read = Read::Reply(StoreReply::Failed);
                }
            }
        }
        Ok(read)
    }

    /// Keeps in mind what the store must still be told.
    fn settle(&mut self, action: &StoreAction, read: Read) -> StoreReply {
        let reply = match read {
            Read::Reply(reply) => reply,
            Read::Spelt(_) | Read::Alone => StoreReply::Failed,
            Read::Fenced => {
                self.tell(Told::Fenced {
                    by: "another process".to_owned(),
                });
                StoreReply::Failed
            }
        };
        match (*action, self.scope.owner(address(action))) {
            (StoreAction::Put { address, .. }, Owner::Us) => {
                if matches!(reply, StoreReply::Conflict(_)) {
                    self.own.remove(&address);
                }
            }
            (StoreAction::Put { address, host }, Owner::Nobody) => {
                if reply == StoreReply::Failed {
                    self.pending.insert(address, host);
                } else {
                    self.pending.remove(&address);
                }
            }
            (StoreAction::Delete { address, .. }, _) => {
                self.pending.remove(&address);
                if reply != StoreReply::Leased {
                    self.own.remove(&address);
                }
            }
            (StoreAction::Get { address, .. }, Owner::Other) => {
                if let StoreReply::Found(host) = reply {
                    self.known.insert(address, host);
                }
            }
            (StoreAction::Renew { .. }, _)
                if reply == StoreReply::Absent && now() < self.settles_at =>
            {
                // Its owner may not have written it again yet.
                return StoreReply::Failed;
            }
            _ => {}
        }
        reply
    }

    /// `None`: not now.
    fn command(&self, action: &StoreAction, spelt: &[u8]) -> Option<Cmd> {
        let Location { keys, expiry, .. } = &self.location;
        let owner = self.scope.owner(address(action));
        let writer = self.writer(owner);
        Some(match *action {
            StoreAction::Put { address, host } => {
                let expiry = self.expiry(owner);
                self.scripts
                    .put(keys, address, host, spelt, expiry, writer, false)
            }
            StoreAction::Get { address, lease } => self.scripts.lease(
                keys,
                address,
                None,
                spelt,
                lease,
                *expiry,
                &self.identity.instance,
            ),
            StoreAction::Renew {
                address,
                host,
                lease,
            } => self.scripts.lease(
                keys,
                address,
                Some(host),
                spelt,
                lease,
                *expiry,
                &self.identity.instance,
            ),
            StoreAction::Delete { address, host } => {
                if owner == Owner::Us && now() < self.renewed_at {
                    return None;
                }
                let leases = owner == Owner::Us;
                self.scripts
                    .delete(keys, address, host, spelt, writer, leases)
            }
            _ => return None,
        })
    }
}
