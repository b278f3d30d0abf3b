//! What is done to an entry in one step: Lua, run by the server.
//!
//! Hosts are compared as text. One that is written otherwise than we write it (wrapped, or another spelling)
//! comes back, is read here, and the script is asked again with that very text as what is expected.

use core::net::{Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use dns46::{StoreAction, StoreReply};
use redis::{Cmd, Script, Value, cmd};

use super::keys::{self, Keys};
use super::wire::bytes;

/// Both scripts that write begin so. KEYS: host, address, lease, replica. ARGV: what is wanted and what else is
/// as good, the address, the expiry, who we are (empty: anybody may). A key that holds no text (a list, say) is no
/// host's, and no reason to fail.
const PUT: &str = r"
local function plain(text) return string.match(text, '[^S]*$') end
local function get(key)
  local got = redis.pcall('GET', key)
  return type(got) == 'table' and '?' or got
end
if ARGV[5] ~= '' and redis.call('GET', KEYS[4]) ~= ARGV[5] then return 'fenced' end
local lasts = ARGV[4] == '0'
local function add(key, value)
  if lasts then return redis.call('SET', key, value, 'NX') end
  return redis.call('SET', key, value, 'PX', ARGV[4], 'NX')
end
local kept = not add(KEYS[1], ARGV[1]) and get(KEYS[1])
if kept then
  local same = plain(kept) == ARGV[1] or kept == ARGV[2]
  if not same then
    if ARGV[6] ~= 'assert' then return {kept} end
    local back = ARGV[8] .. plain(kept)
    local old = get(back)
    if old and plain(old) == ARGV[3] then redis.call('DEL', back) end
  end
  lasts = lasts or redis.call('PTTL', KEYS[1]) == -1
end
local function write(key, value)
  if lasts then redis.call('SET', key, value) else redis.call('SET', key, value, 'PX', ARGV[4]) end
end
local function renew(key)
  if lasts then redis.call('PERSIST', key) else redis.call('PEXPIRE', key, ARGV[4]) end
end
if kept and kept == ARGV[1] then renew(KEYS[1]) elseif kept then write(KEYS[1], ARGV[1]) end
if add(KEYS[2], ARGV[3]) then return 1 end
local back = get(KEYS[2])
if back == ARGV[3] then
  renew(KEYS[2])
  return 1
end
if plain(back) ~= ARGV[3] then
  local other = get(ARGV[7] .. plain(back))
  if other and (plain(other) == ARGV[1] or other == ARGV[2]) then return 1 end
end
write(KEYS[2], ARGV[3])
return 1
";

/// Several new pairs of our own slice. KEYS: replica, then host and address of each. ARGV: who we are, the expiry,
/// then host and address of each. Replies with a letter for each: 1 if it is done, 0 if something stands there, and
/// the script for one is to be asked.
const MANY: &str = r"
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'fenced' end
local call, expiry, done = redis.call, ARGV[2], {}
for i = 2, #KEYS, 2 do
  local is_new = call('SET', KEYS[i], ARGV[i + 1], 'PX', expiry, 'NX')
  is_new = is_new and call('SET', KEYS[i + 1], ARGV[i + 2], 'PX', expiry, 'NX')
  done[i / 2] = is_new and '1' or '0'
end
return table.concat(done)
";

/// KEYS: host, lease, address. ARGV: who, for how long, the expiry, what is expected and what else is as good
/// (empty: anything is).
const USE: &str = r"
local function plain(text) return string.match(text, '[^S]*$') end
local kept = redis.call('GET', KEYS[1])
if not kept then return false end
if ARGV[4] ~= '' and plain(kept) ~= ARGV[4] and kept ~= ARGV[5] then return {kept} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[2], now + ARGV[2], ARGV[1])
if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[2], ARGV[2]) end
local left = redis.call('PTTL', KEYS[1])
if left >= 0 and left < tonumber(ARGV[3]) / 2 then
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  redis.call('PEXPIRE', KEYS[3], ARGV[3])
end
return kept
";

/// KEYS: host, address, lease, replica. ARGV: what is expected and what else is as good, the address, who we are
/// (empty: anybody may), and whether leases count.
const DELETE: &str = r"
local function plain(text) return string.match(text, '[^S]*$') end
if ARGV[4] ~= '' and redis.call('GET', KEYS[4]) ~= ARGV[4] then return 'fenced' end
local kept = redis.call('GET', KEYS[1])
if not kept then return 1 end
if plain(kept) ~= ARGV[1] and kept ~= ARGV[2] then return {kept} end
if ARGV[5] == 'leases' then
  local time = redis.call('TIME')
  redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', time[1] * 1000 + math.floor(time[2] / 1000))
  redis.call('ZREM', KEYS[3], ARGV[4])
  if redis.call('ZCARD', KEYS[3]) > 0 then return 'leased' end
end
local back = redis.call('GET', KEYS[2])
if back and plain(back) == ARGV[3] then redis.call('DEL', KEYS[2]) end
redis.call('DEL', KEYS[1], KEYS[3])
return 1
";

/// KEYS: replica, alive. ARGV: who, for how long, what is told of us.
const CLAIM: &str = r"
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] and redis.call('EXISTS', KEYS[2]) == 1 then return {holder} end
if holder ~= ARGV[1] then redis.call('SET', KEYS[1], ARGV[1]) end
redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[2])
return holder or ''
";

pub(crate) struct Scripts {
    put: Script,
    many: Script,
    lease: Script,
    delete: Script,
    claim: Script,
}

/// Whose slice an entry is written to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Writer<'a> {
    /// The number of the replica whose slice it is.
    pub(crate) replica: u32,
    /// Who must hold that number; empty for entries of nobody's slice.
    pub(crate) instance: &'a str,
}

impl Writer<'_> {
    pub(crate) const ANYBODY: Self = Writer {
        replica: 0,
        instance: "",
    };
}

/// What a script replied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    Reply(StoreReply),
    /// The entry is spelt so; it may be what was expected.
    Spelt(Vec<u8>),
    /// It is to be asked again, by the script for one.
    Alone,
    /// Somebody else holds the replica's number.
    Fenced,
}

impl Scripts {
    pub(crate) fn new() -> Self {
        Self {
            put: Script::new(PUT),
            many: Script::new(MANY),
            lease: Script::new(USE),
            delete: Script::new(DELETE),
            claim: Script::new(CLAIM),
        }
    }

    /// To be sent to each server before the scripts are used.
    pub(crate) fn load(&self) -> Vec<Cmd> {
        [PUT, MANY, USE, DELETE, CLAIM]
            .into_iter()
            .map(|text| {
                let mut load = cmd("SCRIPT");
                load.arg("LOAD").arg(text);
                load
            })
            .collect()
    }

    /// Writes a pair: never over another host, unless `assert`. An expiry of zero: it never ends.
    #[expect(clippy::too_many_arguments, reason = "they are the script's")]
    pub(crate) fn put(
        &self,
        keys: &Keys,
        address: Ipv4Addr,
        host: Ipv6Addr,
        spelt: &[u8],
        expiry: Duration,
        writer: Writer<'_>,
        assert: bool,
    ) -> Cmd {
        let mut put = call(
            &self.put,
            &[
                keys.host(address),
                keys.address(host),
                keys.lease(address),
                keys.replica(writer.replica),
            ],
        );
        put.arg(host.to_string())
            .arg(spelt)
            .arg(address.to_string())
            .arg(millis(expiry))
            .arg(writer.instance)
            .arg(if assert { "assert" } else { "" })
            .arg(&keys.hosts)
            .arg(&keys.addresses);
        put
    }

    /// Writes new pairs of our slice.
    pub(crate) fn many(
        &self,
        keys: &Keys,
        pairs: &[(Ipv4Addr, Ipv6Addr)],
        expiry: Duration,
        writer: Writer<'_>,
    ) -> Cmd {
        let mut names = vec![keys.replica(writer.replica)];
        for (address, host) in pairs {
            names.push(keys.host(*address));
            names.push(keys.address(*host));
        }
        let mut many = call(&self.many, &names);
        many.arg(writer.instance).arg(millis(expiry));
        for (address, host) in pairs {
            many.arg(host.to_string()).arg(address.to_string());
        }
        many
    }

    /// Reads an entry and notes that it is used.
    #[expect(clippy::too_many_arguments, reason = "they are the script's")]
    pub(crate) fn lease(
        &self,
        keys: &Keys,
        address: Ipv4Addr,
        host: Option<Ipv6Addr>,
        spelt: &[u8],
        lease: Duration,
        expiry: Duration,
        instance: &str,
    ) -> Cmd {
        let back = host.map_or_else(|| keys.lease(address), |host| keys.address(host));
        let mut command = call(
            &self.lease,
            &[keys.host(address), keys.lease(address), back],
        );
        command
            .arg(instance)
            .arg(millis(lease))
            .arg(millis(expiry))
            .arg(host.map(|host| host.to_string()).unwrap_or_default())
            .arg(spelt);
        command
    }

    /// Deletes a pair; with `leases` only if nobody else uses it.
    pub(crate) fn delete(
        &self,
        keys: &Keys,
        address: Ipv4Addr,
        host: Ipv6Addr,
        spelt: &[u8],
        writer: Writer<'_>,
        leases: bool,
    ) -> Cmd {
        let mut command = call(
            &self.delete,
            &[
                keys.host(address),
                keys.address(host),
                keys.lease(address),
                keys.replica(writer.replica),
            ],
        );
        command
            .arg(host.to_string())
            .arg(spelt)
            .arg(address.to_string())
            .arg(writer.instance)
            .arg(if leases { "leases" } else { "" });
        command
    }

    /// Takes or keeps a replica's number; replies with who held it before, in a list if that one lives.
    pub(crate) fn claim(
        &self,
        keys: &Keys,
        replica: u32,
        instance: &str,
        lease: Duration,
        about: &str,
    ) -> Cmd {
        let names = [keys.replica(replica), keys.alive(replica)];
        let mut command = call(&self.claim, &names);
        command.arg(instance).arg(millis(lease)).arg(about);
        command
    }
}

fn call(script: &Script, keys: &[String]) -> Cmd {
    let mut command = cmd("EVALSHA");
    command.arg(script.get_hash()).arg(keys.len()).arg(keys);
    command
}

fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

/// What a script's reply to an operation means.
pub(crate) fn read(action: &StoreAction, reply: &Value) -> Told {
    let spelt = |list: &[Value]| match list.first().and_then(bytes) {
        Some(text) => Told::Spelt(text.to_vec()),
        None => Told::Reply(StoreReply::Failed),
    };
    match (action, reply) {
        (_, Value::BulkString(text)) if text == b"fenced" => Told::Fenced,
        (_, Value::BulkString(text)) if text == b"leased" => Told::Reply(StoreReply::Leased),
        (_, Value::Array(list)) => spelt(list),
        (StoreAction::Get { .. }, Value::BulkString(text)) => {
            let host = keys::value(text);
            Told::Reply(host.map_or(StoreReply::Absent, StoreReply::Found))
        }
        (StoreAction::Get { .. } | StoreAction::Renew { .. }, Value::Nil) => {
            Told::Reply(StoreReply::Absent)
        }
        (StoreAction::Renew { .. }, Value::BulkString(_))
        | (StoreAction::Put { .. } | StoreAction::Delete { .. }, Value::Int(1)) => {
            Told::Reply(StoreReply::Done)
        }
        _ => Told::Reply(StoreReply::Failed),
    }
}

/// What another text than expected means: `None` if it is the expected host, spelt otherwise.
pub(crate) fn other(action: &StoreAction, spelt: &[u8]) -> Option<StoreReply> {
    let kept: Option<Ipv6Addr> = keys::value(spelt);
    match (action, kept) {
        (
            StoreAction::Put { host, .. }
            | StoreAction::Renew { host, .. }
            | StoreAction::Delete { host, .. },
            Some(kept),
        ) if kept == *host => None,
        // Whatever it is, it is not ours to forget.
        (StoreAction::Delete { .. }, _) => Some(StoreReply::Done),
        (_, Some(kept)) => Some(StoreReply::Conflict(kept)),
        (_, None) => Some(StoreReply::Failed),
    }
}
