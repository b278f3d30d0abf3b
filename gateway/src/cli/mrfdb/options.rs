//! Options as the original's tool takes them: one or two hyphens, and = or a space before the value.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use crate::host::redis::access::{Access, Tls};
use crate::host::redis::keys::Keys;
use crate::host::redis::location::Server;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Set {
        address: Ipv4Addr,
        host: Ipv6Addr,
    },
    Delete {
        address: Ipv4Addr,
        /// What it must stand for, if that was said.
        host: Option<Ipv6Addr>,
    },
    /// All, or one.
    Display(Option<Ipv4Addr>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) act: Act,
    pub(super) force: bool,
    server: Option<Server>,
    pub(super) master: Option<String>,
    pub(super) access: Access,
    pub(super) sentinel_access: Access,
    pub(super) keys: Keys,
    pub(super) state: PathBuf,
    pub(super) replica: u32,
}

impl Options {
    /// Where the store is; `None` to ask a gateway of this host.
    pub(super) const fn location(&self) -> Option<&Server> {
        self.server.as_ref()
    }

    pub(super) fn read(words: &[String]) -> Result<Self, String> {
        let mut words = words.iter();
        let (mut set, mut delete, mut force) = (false, false, false);
        let (mut display, mut key, mut val, mut kind) = (None, None, None, None);
        let (mut server, mut master, mut name) = (None, None, None);
        let (mut ca, mut cert, mut cert_key) = (None, None, None);
        let mut access = Access::default();
        let mut sentinel_access = Access::default();
        let mut keys = Keys::default();
        let mut state = PathBuf::from("/var/lib/egress-gateway");
        let mut replica = 0;
        while let Some(word) = words.next() {
            let option = word.trim_start_matches('-');
            if option.len() == word.len() {
                return Err(format!("{word}: an option was expected, as -type=dns46"));
            }
            let (option, value) = match option.split_once('=') {
                Some((option, value)) => (option, Some(value.to_owned())),
                None => (option, None),
            };
            match option {
                "set" => set = flag(word, value)?,
                "delete" => delete = flag(word, value)?,
                "force" => force = flag(word, value)?,
                _ => {
                    let value = value.or_else(|| words.next().cloned());
                    let value = value.ok_or_else(|| format!("-{option} needs a value"))?;
                    match option {
                        "ipport" => server = Some(Server::parse(&value, 26379)?),
                        "serverName" => name = Some(value),
                        "type" => kind = Some(value),
                        "display" => display = Some(value),
                        "key" => key = Some(value),
                        "val" => val = Some(value),
                        "master" => master = Some(value),
                        "ca" => ca = Some(PathBuf::from(value)),
                        "cert" => cert = Some(PathBuf::from(value)),
                        "certKey" => cert_key = Some(PathBuf::from(value)),
                        "user" => access.user = Some(value),
                        "passwordFile" => access.password_file = Some(PathBuf::from(value)),
                        "sentinelPasswordFile" => {
                            sentinel_access.password_file = Some(PathBuf::from(value));
                        }
                        "prefix" => keys.hosts = value,
                        "reversePrefix" => keys.addresses = value,
                        "ownPrefix" => keys.own = value,
                        "state" => state = PathBuf::from(value),
                        "replica" => {
                            let wrong = |_| format!("-replica={value}: a number was expected");
                            replica = value.parse().map_err(wrong)?;
                        }
                        _ => return Err(format!("-{option}: no such option")),
                    }
                }
            }
        }
        match kind.as_deref() {
            Some("dns46") => {}
            Some(other) => return Err(format!("-type={other}: the only type is dns46")),
            None => return Err("-type=dns46 was expected".to_owned()),
        }
        let address = |text: Option<String>| {
            let text = text.ok_or("-key=IPV4 was expected")?;
            text.parse()
                .map_err(|_| format!("-key={text}: an IPv4 address was expected"))
        };
        let host = |text: String| {
            text.parse()
                .map_err(|_| format!("-val={text}: an IPv6 address was expected"))
        };
        let act = match (set, delete, display) {
            (true, false, None) => Act::Set {
                address: address(key)?,
                host: host(val.ok_or("-val=IPV6 was expected")?)?,
            },
            (false, true, None) => Act::Delete {
                address: address(key)?,
                host: val.map(host).transpose()?,
            },
            (false, false, Some(all)) if all == "all" => Act::Display(None),
            (false, false, Some(one)) => Act::Display(Some(address(Some(one))?)),
            _ => return Err("one of -set, -delete and -display=all was expected".to_owned()),
        };
        if let Some(ca) = ca {
            let client = match (cert, cert_key) {
                (Some(cert), Some(key)) => Some((cert, key)),
                (None, None) => None,
                _ => return Err("-cert and -certKey belong together".to_owned()),
            };
            let tls = Tls { ca, client, name };
            access.tls = Some(tls.clone());
            sentinel_access.tls = Some(tls);
        } else if cert.is_some() || cert_key.is_some() {
            return Err(
                "-ca=FILE was expected, the authority of the server's certificate".to_owned(),
            );
        } else if name.is_some() && server.is_some() {
            eprintln!(
                "note: without -ca=FILE the connection is not encrypted, and -serverName is not looked at"
            );
        }
        Ok(Self {
            act,
            force,
            server,
            master,
            access,
            sentinel_access,
            keys,
            state,
            replica,
        })
    }
}

/// An option without a value, or with `=true` or `=false`.
fn flag(word: &str, value: Option<String>) -> Result<bool, String> {
    value.map_or(Ok(true), |value| {
        let wrong = |_| format!("{word}: true or false was expected");
        value.parse().map_err(wrong)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options, String> {
        let words: Vec<String> = line.split_whitespace().map(ToOwned::to_owned).collect();
        Options::read(&words)
    }

    #[test]
    fn options_are_the_originals() {
        let line = "-ipport=10.106.99.127:26379 -serverName=server -type=dns46 -set -key=10.1.1.1 -val=2002::10:1:1:1";
        let options = read(line).unwrap();
        let address = Ipv4Addr::new(10, 1, 1, 1);
        let host = "2002::10:1:1:1".parse().unwrap();
        assert_eq!(options.act, Act::Set { address, host });
        assert_eq!(
            options.location().unwrap().to_string(),
            "10.106.99.127:26379"
        );
        let delete = read("--type dns46 --delete --key 10.1.1.1 -val=2002::10:1:1:1").unwrap();
        let host = Some(host);
        assert_eq!(delete.act, Act::Delete { address, host });
        assert!(delete.location().is_none());
        let shown = read("-type=dns46 -display=all").unwrap();
        assert_eq!(shown.act, Act::Display(None));
    }

    #[test]
    fn an_option_that_is_said_to_be_false_is_off() {
        let line = "-type=dns46 -delete=false -set=true -key=10.1.1.1 -val=::1 --force=false";
        let options = read(line).unwrap();
        assert!(matches!(options.act, Act::Set { .. }));
        assert!(!options.force);
        let told = read("-type=dns46 -delete=false -key=10.1.1.1").unwrap_err();
        assert!(told.contains("one of -set"), "{told}");
        let told = read("-type=dns46 -delete=no -key=10.1.1.1").unwrap_err();
        assert!(told.contains("true or false"), "{told}");
    }

    #[test]
    fn what_is_wrong_with_options_is_told() {
        for (line, why) in [
            ("-set -key=10.1.1.1 -val=::1", "-type=dns46"),
            ("-type=ai -display=all", "only type"),
            ("-type=dns46", "one of -set"),
            ("-type=dns46 -set -delete", "one of -set"),
            ("-type=dns46 -set -key=x -val=::1", "IPv4"),
            ("-type=dns46 -set -key=10.1.1.1", "-val=IPV6"),
            ("-type=dns46 -set -key=10.1.1.1 -val=10.1.1.2", "IPv6"),
            ("-type=dns46 -colour=red -display=all", "no such option"),
            ("type=dns46", "an option was expected"),
            ("-type=dns46 -display=all -cert=a", "belong together"),
        ] {
            let told = match read(line) {
                Err(told) => told,
                // Without an authority there is no TLS.
                Ok(options) => panic!("{line}: {options:?}"),
            };
            assert!(
                told.contains(why) || told.contains("-ca=FILE"),
                "{line}: {told}"
            );
        }
    }
}
