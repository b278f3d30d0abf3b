//! Keys and values, as the original's tool and `redis-cli` see them.

use core::fmt::Display;
use core::net::{Ipv4Addr, Ipv6Addr};

/// What keys begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keys {
    /// IPv4 address to IPv6 host: the authority.
    pub(crate) hosts: String,
    /// IPv6 host to IPv4 address: how an address is found again.
    pub(crate) addresses: String,
    /// Leases, replicas, and what else the original has no key for.
    pub(crate) own: String,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            hosts: "t_dns46".to_owned(),
            addresses: "t_nat46".to_owned(),
            own: "egress:".to_owned(),
        }
    }
}

impl Keys {
    pub(crate) fn host(&self, address: Ipv4Addr) -> String {
        format!("{}{address}", self.hosts)
    }

    pub(crate) fn address(&self, host: Ipv6Addr) -> String {
        format!("{}{host}", self.addresses)
    }

    /// The address of a key of [`host`](Self::host).
    pub(crate) fn address_of(&self, key: &[u8]) -> Option<Ipv4Addr> {
        text(key)?.strip_prefix(self.hosts.as_str())?.parse().ok()
    }

    /// The host of a key of [`address`](Self::address).
    pub(crate) fn host_of(&self, key: &[u8]) -> Option<Ipv6Addr> {
        let rest = text(key)?.strip_prefix(self.addresses.as_str())?;
        rest.parse().ok()
    }

    /// Who uses the address of a replica's slice beside that replica.
    pub(crate) fn lease(&self, address: Ipv4Addr) -> String {
        format!("{}lease:{address}", self.own)
    }

    /// Who holds a replica's number, or held it last.
    pub(crate) fn replica(&self, number: u32) -> String {
        format!("{}replica:{number}", self.own)
    }

    /// There while the holder of the number lives.
    pub(crate) fn alive(&self, number: u32) -> String {
        format!("{}alive:{number}", self.own)
    }

    /// The subnet and its reserved range.
    pub(crate) fn scope(&self) -> String {
        format!("{}scope", self.own)
    }

    /// What SCAN and PSUBSCRIBE find the keys of one kind by.
    pub(crate) fn pattern(prefix: &str) -> String {
        let mut pattern = String::with_capacity(prefix.len() + 1);
        for letter in prefix.chars() {
            if matches!(letter, '*' | '?' | '[' | ']' | '\\' | '^') {
                pattern.push('\\');
            }
            pattern.push(letter);
        }
        pattern.push('*');
        pattern
    }
}

fn text(bytes: &[u8]) -> Option<&str> {
    core::str::from_utf8(bytes).ok()
}

/// A host or an address: plain, or wrapped by the original, where it is the text after the last `S`.
pub(crate) fn value<T: core::str::FromStr>(bytes: &[u8]) -> Option<T> {
    let rest = bytes.rsplit(|byte| *byte == b'S').next()?;
    text(rest)?.trim().parse().ok()
}

/// An entry as the original's tool prints it: the key in 62 columns, then the value.
pub(crate) fn shown(key: &str, value: impl Display) -> String {
    format!("{key:<62}{value}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_the_originals() {
        let keys = Keys::default();
        let address = Ipv4Addr::new(10, 1, 1, 1);
        let host: Ipv6Addr = "2002::10:1:1:1".parse().unwrap();
        assert_eq!(keys.host(address), "t_dns4610.1.1.1");
        assert_eq!(keys.address(host), "t_nat462002::10:1:1:1");
        assert_eq!(keys.address_of(b"t_dns4610.1.1.1"), Some(address));
        assert_eq!(keys.host_of(b"t_nat462002::10:1:1:1"), Some(host));
        for foreign in ["t_dns46", "t_dns46x", "t_nat4610.1.1.1", "other10.1.1.1"] {
            assert_eq!(keys.address_of(foreign.as_bytes()), None);
        }
        assert_eq!(Keys::pattern("a*[b"), "a\\*\\[b*");
    }

    #[test]
    fn values_are_read_plain_and_wrapped() {
        let host: Ipv6Addr = "2002::10:1:1:1".parse().unwrap();
        for text in [
            "2002::10:1:1:1",
            "2002:0:0:0:10:1:1:1",
            "\u{1}3600S300S2002::10:1:1:1",
            "2002::10:1:1:1\n",
        ] {
            assert_eq!(value::<Ipv6Addr>(text.as_bytes()), Some(host), "{text:?}");
        }
        assert_eq!(value::<Ipv6Addr>(b"S"), None);
        assert_eq!(value::<Ipv6Addr>(b"2002::10:1:1:1S"), None);
    }

    #[test]
    fn an_entry_is_shown_in_62_columns() {
        let line = shown("t_dns4610.1.1.1", "2002::10:1:1:1");
        assert_eq!(line.find("2002"), Some(62));
        assert!(line.ends_with("1:1:1\n"));
    }
}
