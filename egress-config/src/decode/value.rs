//! Scalars into values.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

use crate::code::Code;
use crate::report::{Finding, shortened};
use crate::tree::{Content, NodeId, Place, Tree};

/// A value that is not what it should be; its place is the node's.
#[derive(Debug)]
pub(crate) struct Fault {
    code: Code,
    message: String,
    help: Option<String>,
}

impl Fault {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            help: None,
        }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn at(self, place: Place) -> Finding {
        let finding = Finding::new(self.code, place, self.message);
        match self.help {
            Some(help) => finding.help(help),
            None => finding,
        }
    }
}

pub(crate) fn boolean(tree: &Tree<'_>, node: NodeId) -> Result<bool, Fault> {
    match plain(tree, node) {
        Some("true" | "True" | "TRUE") => Ok(true),
        Some("false" | "False" | "FALSE") => Ok(false),
        _ => {
            let fault = wrong_type(tree, node, "true or false");
            Err(match tree.text(node) {
                Some("true" | "yes" | "on") => fault.help("write true, without quotes"),
                Some("false" | "no" | "off") => fault.help("write false, without quotes"),
                _ => fault,
            })
        }
    }
}

pub(crate) fn integer(tree: &Tree<'_>, node: NodeId, min: u64, max: u64) -> Result<u64, Fault> {
    let Some(text) = plain(tree, node) else {
        let fault = wrong_type(tree, node, "a number");
        let quoted = tree.text(node).is_some_and(is_decimal);
        return Err(if quoted {
            fault.help("remove the quotes")
        } else {
            fault
        });
    };
    if !is_decimal(text) {
        return Err(wrong_type(tree, node, "a whole number").help("write it in decimal digits"));
    }
    match text.parse::<u64>() {
        Ok(number) if (min..=max).contains(&number) => Ok(number),
        _ => {
            let message = format!("{} is not between {min} and {max}", shortened(text));
            Err(Fault::new(Code::OutOfRange, message))
        }
    }
}

pub(crate) fn text(tree: &Tree<'_>, node: NodeId) -> Result<String, Fault> {
    match &tree.node(node).content {
        Content::Scalar { text, plain } if !(*plain && is_other_type(text)) => {
            Ok(text.clone().into_owned())
        }
        Content::Scalar { text, .. } => {
            let help = format!("put it in quotes: \"{}\"", shortened(text));
            Err(wrong_type(tree, node, "a text").help(help))
        }
        Content::Sequence(_) | Content::Mapping(_) => Err(wrong_type(tree, node, "a text")),
    }
}

pub(crate) fn word(
    tree: &Tree<'_>,
    node: NodeId,
    words: &'static [&'static str],
    code: Code,
) -> Result<&'static str, Fault> {
    let text = text(tree, node)?;
    words
        .iter()
        .find(|word| **word == text)
        .copied()
        .ok_or_else(|| {
            let fault = Fault::new(
                code,
                format!("{} is not {}", shortened(&text), words.join(" or ")),
            );
            match super::object::nearest(&text, words.iter().copied()) {
                Some(near) => fault.help(format!("did you mean {near}?")),
                None => fault,
            }
        })
}

/// A name of one object: an RFC 1123 subdomain, as the Kubernetes API wants it.
pub(crate) fn object_name(tree: &Tree<'_>, node: NodeId) -> Result<String, Fault> {
    let text = text(tree, node)?;
    let label = |label: &str| {
        let ends =
            |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        ends(label.chars().next())
            && ends(label.chars().last())
            && label
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    if text.len() <= 253 && text.split('.').all(label) {
        Ok(text)
    } else {
        let message = format!("{:?} is not a name of a resource", shortened(&text));
        Err(Fault::new(Code::InvalidName, message)
            .help("use lower-case letters, digits, - and . (RFC 1123)"))
    }
}

/// A name that other resources refer to.
pub(crate) fn name(tree: &Tree<'_>, node: NodeId) -> Result<String, Fault> {
    let text = text(tree, node)?;
    let wanted = !text.is_empty() && text.len() <= 253;
    if wanted && text.chars().all(|c| c.is_ascii_graphic()) {
        Ok(text)
    } else {
        let message = format!("{:?} is not a name", shortened(&text));
        Err(Fault::new(Code::InvalidName, message).help("1 to 253 letters, digits and signs"))
    }
}

/// A domain name in lower case without the trailing dot, `.` for the root (RFC 1035 section 2.3.4:
/// labels of 63 octets, 255 octets in all).
pub(crate) fn domain_name(tree: &Tree<'_>, node: NodeId) -> Result<String, Fault> {
    let text = text(tree, node)?;
    if text == "." {
        return Ok(text);
    }
    let relative = text.strip_suffix('.').unwrap_or(&text);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    if relative.len() <= 253 && relative.split('.').all(label) {
        Ok(relative.to_ascii_lowercase())
    } else {
        let message = format!("{:?} is not a domain name", shortened(&text));
        Err(Fault::new(Code::InvalidName, message)
            .help("labels of 1 to 63 letters, digits, - and _; write other letters as xn--"))
    }
}

/// An address that a single host can have.
pub(crate) fn ip(tree: &Tree<'_>, node: NodeId) -> Result<IpAddr, Fault> {
    let address: IpAddr = parsed(tree, node, "an IP address")?;
    unicast(address)?;
    Ok(address)
}

/// An IPv4 address that a single host can have.
pub(crate) fn ipv4(tree: &Tree<'_>, node: NodeId) -> Result<Ipv4Addr, Fault> {
    match ip(tree, node)? {
        IpAddr::V4(address) => Ok(address),
        IpAddr::V6(address) => Err(family(&address, "an IPv4 address")),
    }
}

/// An IPv6 address that a single host can have.
pub(crate) fn ipv6(tree: &Tree<'_>, node: NodeId) -> Result<Ipv6Addr, Fault> {
    match ip(tree, node)? {
        IpAddr::V6(address) => Ok(address),
        IpAddr::V4(address) => Err(family(&address, "an IPv6 address")),
    }
}

/// A subnet of host addresses: none of the ranges that RFC 6890 keeps from being forwarded.
pub(crate) fn ipv4_net(tree: &Tree<'_>, node: NodeId) -> Result<Ipv4Net, Fault> {
    let net: ipnet::IpNet = parsed(tree, node, "a subnet, as 10.2.2.0/24")?;
    let ipnet::IpNet::V4(net) = net else {
        return Err(family(&net, "an IPv4 subnet"));
    };
    if net.trunc() != net {
        let help = format!("write {}", net.trunc());
        let message = format!("{net} has bits set behind its prefix");
        return Err(Fault::new(Code::HostBits, message).help(help));
    }
    const NOT_FORWARDED: [(Ipv4Addr, u8); 4] = [
        (Ipv4Addr::UNSPECIFIED, 8),
        (Ipv4Addr::new(127, 0, 0, 0), 8),
        (Ipv4Addr::new(169, 254, 0, 0), 16),
        (Ipv4Addr::new(224, 0, 0, 0), 3),
    ];
    let special = NOT_FORWARDED
        .into_iter()
        .filter_map(|(address, length)| Ipv4Net::new(address, length).ok())
        .find(|special| special.contains(&net) || net.contains(special));
    match special {
        Some(special) => {
            let message = format!("{net} overlaps {special}, whose addresses are not forwarded");
            Err(Fault::new(Code::OutOfRange, message).help("take a private subnet (RFC 1918)"))
        }
        None => Ok(net),
    }
}

/// A NAT64 prefix (RFC 6052 section 2.2).
pub(crate) fn nat64_prefix(tree: &Tree<'_>, node: NodeId) -> Result<Ipv6Net, Fault> {
    let net: ipnet::IpNet = parsed(tree, node, "an IPv6 prefix, as 64:ff9b::/96")?;
    let ipnet::IpNet::V6(net) = net else {
        return Err(family(&net, "an IPv6 prefix"));
    };
    let fault = |message: String| Err(Fault::new(Code::Nat64Prefix, message));
    if !matches!(net.prefix_len(), 32 | 40 | 48 | 56 | 64 | 96) {
        let message = format!("a NAT64 prefix has no {} bits", net.prefix_len());
        return fault(message)
            .map_err(|fault| fault.help("take one of 32, 40, 48, 56, 64 or 96 bits (RFC 6052)"));
    }
    if net.trunc() != net {
        let message = format!("{net} has bits set behind its prefix");
        return Err(Fault::new(Code::HostBits, message).help(format!("write {}", net.trunc())));
    }
    let [.., high, _, _, _] = net.addr().segments();
    if high >> 8 != 0 {
        return fault("bits 64 to 71 of a NAT64 prefix are zero".to_owned())
            .map_err(|fault| fault.help("see RFC 6052 section 2.2"));
    }
    let address = net.addr();
    if address.is_multicast() || address.is_unspecified() || address.is_unicast_link_local() {
        return Err(Fault::new(
            Code::OutOfRange,
            format!("{net} is not a prefix of hosts"),
        ));
    }
    Ok(net)
}

fn parsed<T: core::str::FromStr>(tree: &Tree<'_>, node: NodeId, wanted: &str) -> Result<T, Fault> {
    tree.text(node)
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| wrong_type(tree, node, wanted))
}

fn unicast(address: IpAddr) -> Result<(), Fault> {
    let what = match address {
        IpAddr::V4(address) if address.is_multicast() => "a multicast address",
        IpAddr::V4(address) if address.octets().first().is_some_and(|first| *first >= 240) => {
            "a reserved address"
        }
        IpAddr::V4(address) if address.is_loopback() => "a loopback address",
        IpAddr::V4(address) if address.octets().first() == Some(&0) => "no address of a host",
        IpAddr::V6(address) if address.is_multicast() => "a multicast address",
        IpAddr::V6(address) if address.is_loopback() => "the loopback address",
        IpAddr::V6(address) if address.is_unspecified() => "no address of a host",
        IpAddr::V6(address) if address.is_unicast_link_local() => "a link-local address",
        IpAddr::V6(address) if address.to_ipv4_mapped().is_some() => {
            "an IPv4-mapped address, which is never on the wire"
        }
        IpAddr::V4(_) | IpAddr::V6(_) => return Ok(()),
    };
    Err(Fault::new(Code::OutOfRange, format!("{address} is {what}")))
}

fn family(found: &dyn core::fmt::Display, wanted: &str) -> Fault {
    Fault::new(Code::WrongFamily, format!("{found} is not {wanted}"))
}

pub(crate) fn wrong_type(tree: &Tree<'_>, node: NodeId, wanted: &str) -> Fault {
    let found = match &tree.node(node).content {
        Content::Scalar { text, plain: true } => format!("found {}", shortened(text)),
        Content::Scalar { text, plain: false } => format!("found the text {:?}", shortened(text)),
        Content::Sequence(_) => "found a list".to_owned(),
        Content::Mapping(_) => "found a mapping".to_owned(),
    };
    Fault::new(Code::WrongType, format!("wanted {wanted}, {found}"))
}

fn plain<'a>(tree: &'a Tree<'_>, node: NodeId) -> Option<&'a str> {
    match &tree.node(node).content {
        Content::Scalar { text, plain: true } => Some(text),
        Content::Scalar { .. } | Content::Sequence(_) | Content::Mapping(_) => None,
    }
}

/// An integer as both YAML 1.1 and JSON read it: `010` is eight to one and ten to the other.
fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits == "0" || !digits.starts_with('0'))
}

/// Whether YAML reads a plain scalar as a boolean, a number or null.
fn is_other_type(text: &str) -> bool {
    let number = text.bytes().any(|byte| byte.is_ascii_digit())
        && (text.parse::<f64>().is_ok() || text.starts_with("0x") || text.starts_with("0o"));
    number
        || matches!(
            text,
            "" | "~"
                | "null"
                | "Null"
                | "NULL"
                | "true"
                | "True"
                | "TRUE"
                | "false"
                | "False"
                | "FALSE"
        )
}
