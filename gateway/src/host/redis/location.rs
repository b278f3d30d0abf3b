//! Where the store is and how it is used, as `--store` says it.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;
use std::path::PathBuf;

use super::access::{Access, Tls};
use super::keys::Keys;

/// How long an entry outlives the last word of its owner and of everybody who uses it.
const EXPIRY: Duration = Duration::from_secs(24 * 3600);
/// More than the longest hold and lease together (`dns46::Config`).
const LEAST_EXPIRY: Duration = Duration::from_secs(2 * 3600);

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl Server {
    /// `HOST`, `HOST:PORT` or `[IPV6]:PORT`.
    pub(crate) fn parse(text: &str, port: u16) -> Result<Self, String> {
        let wrong = || format!("{text}: HOST:PORT was expected");
        let (host, rest) = match text.strip_prefix('[') {
            Some(rest) => rest.split_once(']').ok_or_else(wrong)?,
            None => match text.find(':') {
                Some(at) => text.split_at(at),
                None => (text, ""),
            },
        };
        let port = match rest.strip_prefix(':') {
            Some(port) => port.parse().map_err(|_| wrong())?,
            None if rest.is_empty() => port,
            None => return Err(wrong()),
        };
        if host.is_empty() {
            return Err(wrong());
        }
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

/// How the server to write to is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    /// It is this one.
    Server(Server),
    /// Any of these Sentinels tells; `master` is its name among them.
    Sentinel {
        sentinels: Vec<Server>,
        master: String,
    },
}

/// A store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) way: Way,
    /// To the servers.
    pub(crate) access: Access,
    /// To the Sentinels.
    pub(crate) sentinel_access: Access,
    pub(crate) keys: Keys,
    /// Replicas of the server that must have a write before it counts as done.
    pub(crate) wait: u32,
    pub(crate) expiry: Duration,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.way {
            Way::Server(server) => write!(f, "redis://{server}"),
            Way::Sentinel { sentinels, master } => {
                let sentinels: Vec<String> = sentinels.iter().map(Server::to_string).collect();
                write!(f, "redis-sentinel://{}/{master}", sentinels.join(","))
            }
        }
    }
}

impl FromStr for Location {
    type Err = String;

    /// `redis://HOST[:PORT][/DB][?…]` or `redis-sentinel://HOST[:PORT][,HOST[:PORT]]/MASTER[?…]`;
    /// `rediss` and `rediss-sentinel` for TLS.
    fn from_str(text: &str) -> Result<Self, String> {
        const SHAPE: &str =
            "redis://HOST:PORT or redis-sentinel://HOST:PORT,HOST:PORT/MASTER was expected";
        let (scheme, rest) = text.split_once("://").ok_or(SHAPE)?;
        let (sentinel, mut tls) = match scheme {
            "redis" => (false, false),
            "rediss" => (false, true),
            "redis-sentinel" => (true, false),
            "rediss-sentinel" => (true, true),
            _ => return Err(SHAPE.to_owned()),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => (Some(user.to_owned()), hosts),
            None => (None, authority),
        };
        if user.as_ref().is_some_and(|user| user.contains(':')) {
            return Err(
                "a password in the URL is seen by everybody on the host: say ?password-file=FILE"
                    .to_owned(),
            );
        }
        let mut access = Access {
            user,
            ..Access::default()
        };
        let mut sentinel_access = Access::default();
        let (mut ca, mut cert, mut key, mut name) = (None, None, None, None);
        let mut keys = Keys::default();
        let mut wait = u32::from(sentinel);
        let mut expiry = EXPIRY;
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (parameter, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decoded(value)?;
            let number = || {
                value
                    .parse::<u32>()
                    .map_err(|_| format!("{parameter}={value}: a number was expected"))
            };
            match parameter {
                "password-file" => access.password_file = Some(PathBuf::from(value)),
                "sentinel-user" => sentinel_access.user = Some(value),
                "sentinel-password-file" => {
                    sentinel_access.password_file = Some(PathBuf::from(value));
                }
                "db" => access.database = number()?,
                "ca" => ca = Some(PathBuf::from(value)),
                "cert" => cert = Some(PathBuf::from(value)),
                "key" => key = Some(PathBuf::from(value)),
                "server-name" => name = Some(value),
                "prefix" => keys.hosts = value,
                "reverse-prefix" => keys.addresses = value,
                "own-prefix" => keys.own = value,
                "wait" => wait = number()?,
                "expiry" => expiry = Duration::from_secs(number()?.into()),
                other => return Err(format!("{other}: no such parameter of --store")),
            }
        }
        if keys.hosts == keys.addresses || keys.hosts.is_empty() || keys.addresses.is_empty() {
            return Err("prefix and reverse-prefix must differ, and not be empty".to_owned());
        }
        if expiry < LEAST_EXPIRY {
            return Err(format!(
                "expiry={}: at least {} was expected, more than the longest hold",
                expiry.as_secs(),
                LEAST_EXPIRY.as_secs()
            ));
        }
        tls |= ca.is_some() || cert.is_some() || key.is_some() || name.is_some();
        if tls {
            let ca = ca.ok_or("TLS needs ca=FILE, the authority of the server's certificate")?;
            let client = match (cert, key) {
                (Some(cert), Some(key)) => Some((cert, key)),
                (None, None) => None,
                _ => return Err("cert=FILE and key=FILE belong together".to_owned()),
            };
            let tls = Tls { ca, client, name };
            sentinel_access.tls = Some(tls.clone());
            access.tls = Some(tls);
        }
        let port = if sentinel { 26379 } else { 6379 };
        let servers = hosts.split(',').map(|host| Server::parse(host, port));
        let servers: Vec<Server> = servers.collect::<Result<_, _>>()?;
        let way = if sentinel {
            if path.is_empty() {
                return Err("the master's name was expected: …/MASTER".to_owned());
            }
            Way::Sentinel {
                sentinels: servers,
                master: path.to_owned(),
            }
        } else {
            let [server] = servers.as_slice() else {
                return Err("several hosts need redis-sentinel://".to_owned());
            };
            if !path.is_empty() {
                access.database = path.parse().map_err(|_| format!("/{path}: no database"))?;
            }
            Way::Server(server.clone())
        };
        Ok(Self {
            way,
            access,
            sentinel_access,
            keys,
            wait,
            expiry,
        })
    }
}

/// A value without its %-escapes.
fn decoded(value: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let code = rest.get(..2).and_then(|two| core::str::from_utf8(two).ok());
        let code = code.and_then(|two| u8::from_str_radix(two, 16).ok());
        bytes.push(code.ok_or_else(|| format!("{value}: % and two digits were expected"))?);
        rest = rest.get(2..).unwrap_or_default();
    }
    String::from_utf8(bytes).map_err(|_| format!("{value}: not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_a_server_or_the_sentinels_of_one() {
        let plain: Location = "redis://10.1.1.1".parse().unwrap();
        let server = |host: &str, port| Server {
            host: host.to_owned(),
            port,
        };
        assert_eq!(plain.way, Way::Server(server("10.1.1.1", 6379)));
        assert_eq!((plain.wait, plain.access.tls.is_some()), (0, false));
        let text = "redis-sentinel://a:1,[2001:db8::1]:2,c/mymaster?ca=/ca.pem&server-name=server&prefix=t%5f&db=3";
        let behind: Location = text.parse().unwrap();
        let sentinels = vec![server("a", 1), server("2001:db8::1", 2), server("c", 26379)];
        let master = "mymaster".to_owned();
        assert_eq!(behind.way, Way::Sentinel { sentinels, master });
        assert_eq!(behind.wait, 1);
        assert_eq!(behind.keys.hosts, "t_");
        assert_eq!(behind.access.database, 3);
        assert_eq!(behind.access.tls.unwrap().name.as_deref(), Some("server"));
        assert_eq!(behind.sentinel_access.database, 0);
        let shown = "redis-sentinel://a:1,[2001:db8::1]:2,c:26379/mymaster";
        let again: Location = shown.parse().unwrap();
        assert_eq!(again.to_string(), shown);
    }

    #[test]
    fn what_is_wrong_with_a_store_is_told() {
        for (text, why) in [
            ("localhost:6379", "was expected"),
            ("redis://u:secret@h", "password-file"),
            ("redis-sentinel://h:1", "master's name"),
            ("redis://a,b", "redis-sentinel"),
            ("redis://a?colour=red", "no such parameter"),
            ("rediss://a", "ca=FILE"),
            ("redis://a?expiry=60", "longest hold"),
            ("redis://a?prefix=x&reverse-prefix=x", "differ"),
            ("redis://a:b", "HOST:PORT"),
        ] {
            let told = text.parse::<Location>().unwrap_err();
            assert!(told.contains(why), "{text}: {told}");
        }
    }
}
