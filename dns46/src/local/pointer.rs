//! Names of addresses: `in-addr.arpa` and `ip6.arpa` (RFC 1035 §3.5, RFC 3596 §2.5).

use alloc::format;
use alloc::string::ToString;
use alloc::vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hickory_proto::rr::rdata::{NS, PTR};
use hickory_proto::rr::{Name, RData};
use ipnet::{Ipv4Net, Ipv6Net};

use super::Answer;
use crate::{Dns46, Prefix, policy};

const NS_TYPE: u16 = 2;
const SOA_TYPE: u16 = 6;

/// A name in one of the two trees.
pub(super) struct Pointer {
    tree: Tree,
    /// There is more in front of the numbers: no such name exists.
    is_below: bool,
}

/// What the numbers of a name stand for.
enum Tree {
    /// All addresses whose first octets these are: as many as there were labels.
    V4(Ipv4Net),
    /// All addresses whose first nibbles these are.
    V6(Ipv6Net),
}

impl Pointer {
    /// `None` for names outside the trees.
    pub(super) fn read(name: &Name) -> Option<Self> {
        let labels: vec::Vec<&[u8]> = name.iter().collect();
        let (tree, numbers) = match labels.split_last_chunk::<2>()? {
            (numbers, [tree, arpa]) if arpa.eq_ignore_ascii_case(b"arpa") => (*tree, numbers),
            _ => return None,
        };
        let ipv4 = tree.eq_ignore_ascii_case(b"in-addr");
        let (most, width, base) = match (ipv4, tree.eq_ignore_ascii_case(b"ip6")) {
            (true, _) => (4, 8, 10),
            (false, true) => (32, 4, 16),
            (false, false) => return None,
        };
        let mut bits = 0_u128;
        let mut count = 0;
        for label in numbers.iter().rev().take(most) {
            let Some(number) = number(label, base) else {
                break;
            };
            bits = bits << width | u128::from(number);
            count += 1;
        }
        if count == 0 {
            return None;
        }
        let length = count * width;
        let is_below = count < numbers.len();
        if ipv4 {
            let address = Ipv4Addr::from((bits << (32 - length)) as u32);
            let tree = Tree::V4(Ipv4Net::new(address, length as u8).ok()?);
            Some(Self { tree, is_below })
        } else {
            let address = Ipv6Addr::from(bits << (128 - length));
            let tree = Tree::V6(Ipv6Net::new(address, length as u8).ok()?);
            Some(Self { tree, is_below })
        }
    }
}

/// A label that is a number as these trees write it: no leading zeros, one digit where the base is 16.
fn number(label: &[u8], base: u32) -> Option<u8> {
    let text = core::str::from_utf8(label).ok()?;
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let short = if base == 16 {
        text.len() == 1
    } else {
        text == "0" || !text.starts_with('0')
    };
    (plain && short)
        .then(|| u8::from_str_radix(text, base).ok())
        .flatten()
}

impl Dns46 {
    /// What a name of addresses gets: a pointer where the address stands for a host now, and in every
    /// other case a denial, so that no question about the pool leaves the cluster.
    pub(super) fn pointer(&self, pointer: &Pointer, record_type: u16) -> Option<(Name, Answer)> {
        let is_below = pointer.is_below;
        match pointer.tree {
            Tree::V4(network) => {
                let subnet = self.table.as_ref()?.subnet();
                let apex = apex(subnet.addr().into(), subnet.prefix_len(), 8)?;
                let answer = self.pool_pointer(subnet, network, &apex, record_type)?;
                let answer = if is_below { Answer::NoSuchName } else { answer };
                Some((apex, answer))
            }
            Tree::V6(network) => {
                let own = self.settings.nat64.iter().map(|nat64| nat64.prefix);
                let well_known = (!self.settings.nat64.is_empty()).then(Prefix::well_known);
                let mut prefixes = own.chain(well_known);
                let prefix = prefixes.find(|prefix| prefix.network().contains(&network))?;
                let inside = prefix.network();
                let apex = apex(inside.addr().into(), inside.prefix_len(), 4)?;
                let answer = match (record_type, network.prefix_len()) {
                    _ if is_below => Answer::NoSuchName,
                    _ if network == inside => at_apex(&apex, record_type),
                    (_, 0..128) => Answer::NoData,
                    (policy::PTR, _) => match prefix.extract(network.addr()) {
                        Some(host) => Answer::Records(vec![target(host.into(), "nat64")?]),
                        None => Answer::NoSuchName,
                    },
                    _ => Answer::NoData,
                };
                Some((apex, answer))
            }
        }
    }

    fn pool_pointer(
        &self,
        subnet: Ipv4Net,
        network: Ipv4Net,
        apex: &Name,
        record_type: u16,
    ) -> Option<Answer> {
        if !subnet.contains(&network) {
            return None;
        }
        if network == subnet {
            return Some(at_apex(apex, record_type));
        }
        if network.prefix_len() < 32 {
            // Names lie below it (RFC 8020 §3.1).
            return Some(Answer::NoData);
        }
        let host = self.table.as_ref()?.lookup(network.addr());
        Some(match (host, record_type) {
            (Some(host), policy::PTR) => Answer::Records(vec![target(host.into(), "dns46")?]),
            (Some(_), _) => Answer::NoData,
            (None, _) => Answer::NoSuchName,
        })
    }
}

/// The zone that holds the names of a network: cut at the label above its end.
fn apex(address: IpAddr, length: u8, width: u8) -> Option<Name> {
    let labels = usize::from(length / width);
    let (octets, tree): (vec::Vec<u8>, &[u8]) = match address {
        IpAddr::V4(address) => (address.octets().into(), b"in-addr"),
        IpAddr::V6(address) => (
            address
                .octets()
                .iter()
                .flat_map(|octet| [octet >> 4, octet & 15])
                .collect(),
            b"ip6",
        ),
    };
    let numbers = octets.into_iter().take(labels).rev();
    let texts: vec::Vec<_> = numbers
        .map(|number| match address {
            IpAddr::V4(_) => number.to_string(),
            IpAddr::V6(_) => format!("{number:x}"),
        })
        .collect();
    let labels = texts.iter().map(|text| text.as_bytes());
    Name::from_labels(labels.chain([tree, b"arpa"])).ok()
}

fn at_apex(apex: &Name, record_type: u16) -> Answer {
    match record_type {
        NS_TYPE => Answer::Records(vec![RData::NS(NS(apex.clone()))]),
        SOA_TYPE => Answer::Records(vec![super::start_of_authority(apex, 60).data]),
        _ => Answer::NoData,
    }
}

/// The host that an address stands for, as a name: `2001-db8--80.dns46.internal.`; `internal` is for
/// private use (ICANN, 2024).
fn target(host: IpAddr, what: &str) -> Option<RData> {
    let text = host.to_string().replace([':', '.'], "-");
    // No label starts or ends with a hyphen.
    let text = if text.starts_with('-') {
        format!("0{text}")
    } else {
        text
    };
    let text = if text.ends_with('-') {
        format!("{text}0")
    } else {
        text
    };
    let name = Name::from_labels([text.as_bytes(), what.as_bytes(), b"internal"]).ok()?;
    Some(RData::PTR(PTR(name)))
}
