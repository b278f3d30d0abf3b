//! The entries of a store, one by one.

use alloc::collections::{BTreeMap, BTreeSet};
use core::net::{Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use dns46::{StoreAction, StoreReply};
use redis::{Cmd, Value, cmd};

use super::ToolError;
use super::options::Options;
use crate::host::redis::keys::{self, Keys};
use crate::host::redis::location::{Location, Way};
use crate::host::redis::script::{self, Scripts, Told, Writer};
use crate::host::redis::wire::{Connection, StoreError, bytes, list, role, string, told};
use crate::host::redis::{reserved, sentinel};

const PATIENCE: Duration = Duration::from_secs(5);
/// Entries of one round trip.
const PAGE: usize = 512;

pub(super) struct Entries {
    connection: Connection,
    scripts: Scripts,
    keys: Keys,
    /// Of what is not by hand.
    expiry: Duration,
    /// Copies that a write is to have.
    wait: u32,
}

impl Entries {
    /// By way of the server or Sentinel of the options.
    pub(super) fn open(options: &Options) -> Result<Self, ToolError> {
        let server = options
            .location()
            .ok_or_else(|| ToolError::Usage("-ipport=HOST:PORT was expected".to_owned()))?;
        let access = if options.sentinel_access.password_file.is_some() {
            &options.sentinel_access
        } else {
            &options.access
        };
        let mut first = Connection::open(server, access, PATIENCE)?;
        let is_sentinel = role(&first.ask(cmd("ROLE"))?).as_deref() == Some("sentinel");
        let mut location: Location = format!("redis://{server}")
            .parse()
            .map_err(ToolError::Usage)?;
        location.access = options.access.clone();
        location.sentinel_access = access.clone();
        location.keys = options.keys.clone();
        if is_sentinel {
            let master = match &options.master {
                Some(master) => master.clone(),
                None => only(sentinel::masters(&mut first)?)?,
            };
            location.way = Way::Sentinel {
                sentinels: vec![server.clone()],
                master,
            };
            location.wait = 1;
        }
        Self::at(&location)
    }

    pub(super) fn at(location: &Location) -> Result<Self, ToolError> {
        let mut connection = sentinel::connect(location, PATIENCE)?;
        let scripts = Scripts::new();
        for reply in connection.ask_all(&scripts.load())? {
            told(reply)?;
        }
        Ok(Self {
            connection,
            scripts,
            keys: location.keys.clone(),
            expiry: location.expiry,
            wait: location.wait,
        })
    }

    pub(super) fn refuse_unless_reserved(&mut self, address: Ipv4Addr) -> Result<(), ToolError> {
        let ranges = reserved(&mut self.connection, &self.keys)?;
        let Some(ranges) = ranges else {
            return Err(ToolError::Refused(
                "which addresses are reserved is not known before a gateway used this store: --force sets it anyway"
                    .to_owned(),
            ));
        };
        if ranges.iter().any(|range| range.contains(&address)) {
            return Ok(());
        }
        let reserved = ranges.first().map_or_else(
            || "nothing is (maxReservedStaticIps)".to_owned(),
            |range| format!("{} to {} are", range.start(), range.end()),
        );
        Err(ToolError::Refused(format!(
            "{address} is not reserved for manual entries, {reserved}: a replica may hand it out; --force does it anyway"
        )))
    }

    /// Both entries of a pair; an old single one is completed.
    pub(super) fn set(
        &mut self,
        address: Ipv4Addr,
        host: Ipv6Addr,
        force: bool,
    ) -> Result<(), ToolError> {
        let action = StoreAction::Put { address, host };
        let command = |entries: &Self, spelt: &[u8]| {
            let (keys, never) = (&entries.keys, Duration::ZERO);
            entries
                .scripts
                .put(keys, address, host, spelt, never, Writer::ANYBODY, force)
        };
        match self.act(&action, command)? {
            StoreReply::Done => Ok(()),
            StoreReply::Conflict(kept) => Err(ToolError::Refused(format!(
                "{address} stands for {kept}: -delete that first, or --force"
            ))),
            _ => Err(ToolError::Refused(format!(
                "the entry of {address} cannot be read; --force writes over it"
            ))),
        }
    }

    /// Both entries; only if the address stands for `host`, where that is said.
    pub(super) fn delete(
        &mut self,
        address: Ipv4Addr,
        host: Option<Ipv6Addr>,
    ) -> Result<(), ToolError> {
        let mut get = cmd("GET");
        get.arg(self.keys.host(address));
        let kept = self.connection.ask(get)?;
        let kept: Option<Ipv6Addr> = bytes(&kept).and_then(keys::value);
        let Some(kept) = kept else {
            return Err(ToolError::Refused(format!("{address} stands for nothing")));
        };
        if host.is_some_and(|host| host != kept) {
            return Err(ToolError::Refused(format!("{address} stands for {kept}")));
        }
        let host = kept;
        let action = StoreAction::Delete { address, host };
        let command = |entries: &Self, spelt: &[u8]| {
            entries
                .scripts
                .delete(&entries.keys, address, host, spelt, Writer::ANYBODY, false)
        };
        self.act(&action, command).map(drop)
    }

    /// Runs a script, once more if the entry is spelt otherwise, and waits for a copy.
    fn act(
        &mut self,
        action: &StoreAction,
        command: impl Fn(&Self, &[u8]) -> Cmd,
    ) -> Result<StoreReply, ToolError> {
        let mut spelt = Vec::new();
        let mut reply = StoreReply::Failed;
        for _ in 0..2 {
            let told = self.connection.ask(command(self, &spelt))?;
            match script::read(action, &told) {
                Told::Reply(done) => {
                    reply = done;
                    break;
                }
                Told::Spelt(text) => match script::other(action, &text) {
                    Some(done) => {
                        reply = done;
                        break;
                    }
                    None => spelt = text,
                },
                Told::Alone | Told::Fenced => break,
            }
        }
        if self.wait > 0 && reply == StoreReply::Done {
            let mut wait = cmd("WAIT");
            wait.arg(self.wait).arg(1000);
            if !matches!(self.connection.ask(wait)?, Value::Int(copies) if copies >= i64::from(self.wait))
            {
                eprintln!("note: no replica of the server had a copy after a second");
            }
        }
        Ok(reply)
    }

    /// Key and value of each entry, both of a pair one after the other, by address.
    pub(super) fn all(&mut self) -> Result<Vec<(String, String)>, ToolError> {
        let hosts = self.scan(&self.keys.hosts.clone())?;
        let mut addresses = self.scan(&self.keys.addresses.clone())?;
        let mut sorted = BTreeMap::new();
        for (key, value) in hosts {
            if let Some(address) = self.keys.address_of(key.as_bytes()) {
                sorted.insert(address, (key, value));
            }
        }
        let mut all = Vec::new();
        for (address, (key, value)) in sorted {
            let host: Option<Ipv6Addr> = keys::value(value.as_bytes());
            let shown = host.map_or_else(|| value.clone(), |host| host.to_string());
            all.push((key, shown));
            let back = host.map(|host| self.keys.address(host)).unwrap_or_default();
            let is_its = |value: &String| keys::value(value.as_bytes()) == Some(address);
            if addresses.get(&back).is_some_and(is_its) {
                addresses.remove(&back);
                all.push((back, address.to_string()));
            }
        }
        // What leads to no entry.
        for (key, value) in addresses {
            if self.keys.host_of(key.as_bytes()).is_some() {
                let address: Option<Ipv4Addr> = keys::value(value.as_bytes());
                all.push((key, address.map_or(value, |address| address.to_string())));
            }
        }
        Ok(all)
    }

    /// Whether an entry is about an address.
    pub(super) fn is_about(&self, address: Ipv4Addr, key: &str, value: &str) -> bool {
        self.keys.address_of(key.as_bytes()) == Some(address) || value == address.to_string()
    }

    /// Writes the missing entry of each pair; gives how many there were, and how many pairs there are.
    pub(super) fn complete(&mut self) -> Result<(usize, usize), ToolError> {
        let hosts = self.scan(&self.keys.hosts.clone())?;
        let addresses = self.scan(&self.keys.addresses.clone())?;
        let mut pairs = BTreeMap::new();
        let mut single = BTreeSet::new();
        for (key, value) in &hosts {
            let address = self.keys.address_of(key.as_bytes());
            if let Some((address, host)) = address.zip(keys::value::<Ipv6Addr>(value.as_bytes())) {
                pairs.insert(address, host);
                if !addresses.contains_key(&self.keys.address(host)) {
                    single.insert(address);
                }
            }
        }
        for (key, value) in &addresses {
            let host = self.keys.host_of(key.as_bytes());
            if let Some((host, address)) = host.zip(keys::value::<Ipv4Addr>(value.as_bytes()))
                && !pairs.contains_key(&address)
            {
                pairs.insert(address, host);
                single.insert(address);
            }
        }
        for address in &single {
            let Some(host) = pairs.get(address).copied() else {
                continue;
            };
            let address = *address;
            let action = StoreAction::Put { address, host };
            let command = |entries: &Self, spelt: &[u8]| {
                let (keys, expiry) = (&entries.keys, entries.expiry);
                entries
                    .scripts
                    .put(keys, address, host, spelt, expiry, Writer::ANYBODY, false)
            };
            self.act(&action, command)?;
        }
        Ok((single.len(), pairs.len()))
    }

    /// Every key that begins so, with its value.
    fn scan(&mut self, prefix: &str) -> Result<BTreeMap<String, String>, ToolError> {
        let mut found = BTreeMap::new();
        let mut cursor = "0".to_owned();
        loop {
            let mut command = cmd("SCAN");
            command
                .arg(&cursor)
                .arg("MATCH")
                .arg(Keys::pattern(prefix))
                .arg("COUNT")
                .arg(PAGE);
            let mut reply = list(self.connection.ask(command)?).into_iter();
            let next = reply.next().as_ref().and_then(string);
            let keys = list(reply.next().unwrap_or_default());
            let keys: Vec<String> = keys.iter().filter_map(string).collect();
            if !keys.is_empty() {
                let mut command = cmd("MGET");
                command.arg(&keys);
                let values = list(self.connection.ask(command)?);
                for (key, value) in keys.into_iter().zip(values) {
                    if let Some(value) = string(&value) {
                        found.insert(key, value);
                    }
                }
            }
            cursor = next.ok_or_else(|| StoreError::Reply("SCAN without cursor".to_owned()))?;
            if cursor == "0" {
                return Ok(found);
            }
        }
    }
}

fn only(masters: Vec<String>) -> Result<String, ToolError> {
    match masters.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(ToolError::Refused(
            "the Sentinel watches no master".to_owned(),
        )),
        several => {
            let several = several.join(", ");
            Err(ToolError::Usage(format!(
                "-master= one of {several} was expected"
            )))
        }
    }
}
