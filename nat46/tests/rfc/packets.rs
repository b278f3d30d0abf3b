//! Packets made and read naively.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IPv4 packet to be.
#[derive(Clone, Debug)]
pub(crate) struct V4 {
    pub(crate) tos: u8,
    pub(crate) id: u16,
    /// `0x4000` Don't Fragment, `0x2000` More Fragments, offset in units of 8.
    pub(crate) flags: u16,
    pub(crate) ttl: u8,
    pub(crate) protocol: u8,
    pub(crate) source: Ipv4Addr,
    pub(crate) destination: Ipv4Addr,
    pub(crate) options: Vec<u8>,
    pub(crate) body: Vec<u8>,
}

/// An IPv6 packet to be.
#[derive(Clone, Debug)]
pub(crate) struct V6 {
    pub(crate) class: u8,
    pub(crate) label: u32,
    pub(crate) hop_limit: u8,
    pub(crate) source: Ipv6Addr,
    pub(crate) destination: Ipv6Addr,
    /// Number and bytes of each extension header; the first byte is set by `bytes`.
    pub(crate) extensions: Vec<(u8, Vec<u8>)>,
    pub(crate) protocol: u8,
    pub(crate) body: Vec<u8>,
}

pub(crate) const DF: u16 = 0x4000;
pub(crate) const MF: u16 = 0x2000;

impl V4 {
    pub(crate) fn new(protocol: u8, body: Vec<u8>) -> Self {
        Self {
            tos: 0,
            id: 0x1234,
            flags: DF,
            ttl: 64,
            protocol,
            source: Ipv4Addr::new(192, 0, 2, 33),
            destination: Ipv4Addr::new(198, 51, 100, 7),
            options: Vec::new(),
            body,
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let header = 20 + self.options.len();
        assert!(header.is_multiple_of(4), "options are padded by hand");
        let mut bytes = vec![0x40 | (header / 4) as u8, self.tos];
        bytes.extend(((header + self.body.len()) as u16).to_be_bytes());
        bytes.extend(self.id.to_be_bytes());
        bytes.extend(self.flags.to_be_bytes());
        bytes.extend([self.ttl, self.protocol, 0, 0]);
        bytes.extend(self.source.octets());
        bytes.extend(self.destination.octets());
        bytes.extend(&self.options);
        let sum = !sum(&bytes);
        bytes[10..12].copy_from_slice(&sum.to_be_bytes());
        bytes.extend(&self.body);
        bytes
    }

    /// With its transport checksum right.
    pub(crate) fn sealed(mut self) -> Self {
        let pseudo = [self.source.octets(), self.destination.octets()].concat();
        seal(self.protocol, &pseudo, &mut self.body);
        self
    }
}

impl V6 {
    pub(crate) fn new(protocol: u8, body: Vec<u8>) -> Self {
        Self {
            class: 0,
            label: 0,
            hop_limit: 64,
            source: "2001:db8:64::192.0.2.33".parse().unwrap(),
            destination: "2001:db8:64::198.51.100.7".parse().unwrap(),
            extensions: Vec::new(),
            protocol,
            body,
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut chain = Vec::new();
        for (index, (_, header)) in self.extensions.iter().enumerate() {
            let next = self.extensions.get(index + 1);
            let at = chain.len();
            chain.extend(header);
            chain[at] = next.map_or(self.protocol, |(number, _)| *number);
        }
        let first = self.extensions.first();
        let first = first.map_or(self.protocol, |(number, _)| *number);
        let mut bytes = vec![0x60 | self.class >> 4];
        bytes.push(self.class << 4 | (self.label >> 16) as u8);
        bytes.extend((self.label as u16).to_be_bytes());
        bytes.extend(((chain.len() + self.body.len()) as u16).to_be_bytes());
        bytes.extend([first, self.hop_limit]);
        bytes.extend(self.source.octets());
        bytes.extend(self.destination.octets());
        bytes.extend(chain);
        bytes.extend(&self.body);
        bytes
    }

    pub(crate) fn sealed(mut self) -> Self {
        let pseudo = [self.source.octets(), self.destination.octets()].concat();
        seal(self.protocol, &pseudo, &mut self.body);
        self
    }

    /// With a Fragment header; `offset` in bytes.
    pub(crate) fn fragment(mut self, id: u32, offset: u16, more: bool) -> Self {
        let mut header = vec![0, 0];
        header.extend((offset | u16::from(more)).to_be_bytes());
        header.extend(id.to_be_bytes());
        self.extensions.push((44, header));
        self
    }
}

pub(crate) fn tcp(flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut body = vec![0x9c, 0x40, 0x01, 0xbb, 1, 2, 3, 4, 5, 6, 7, 8, 0x50, flags];
    body.extend([0x20, 0, 0, 0, 0, 0]);
    body.extend(payload);
    body
}

pub(crate) fn udp(payload: &[u8]) -> Vec<u8> {
    let mut body = vec![0x9c, 0x40, 0x00, 0x35];
    body.extend(((payload.len() + 8) as u16).to_be_bytes());
    body.extend([0, 0]);
    body.extend(payload);
    body
}

/// An ICMP or ICMPv6 message: type, code, the word behind the checksum, and what follows.
pub(crate) fn icmp(kind: u8, code: u8, word: u32, rest: &[u8]) -> Vec<u8> {
    let mut body = vec![kind, code, 0, 0];
    body.extend(word.to_be_bytes());
    body.extend(rest);
    body
}

/// A packet as it is read.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    pub(crate) class: u8,
    pub(crate) label: u32,
    pub(crate) hop_limit: u8,
    pub(crate) protocol: u8,
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) header: usize,
    /// Length that the header claims.
    pub(crate) len: usize,
    /// IPv4 identification; that of an IPv6 Fragment header.
    pub(crate) id: u32,
    pub(crate) df: bool,
    /// Offset in bytes and More Fragments; IPv6: of a Fragment header, atomic or not.
    pub(crate) fragment: Option<(usize, bool)>,
    pub(crate) body: Vec<u8>,
}

/// Reads a packet whose claimed length may be more than there is, as that of a quoted one.
pub(crate) fn read_quote(bytes: &[u8]) -> Read {
    let word = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    if bytes[0] >> 4 == 4 {
        let header = usize::from(bytes[0] & 15) * 4;
        let flags = word(6);
        let fragment =
            (flags & 0x3fff != 0).then_some((usize::from(flags & 0x1fff) * 8, flags & MF != 0));
        let address = |at: usize| Ipv4Addr::from(<[u8; 4]>::try_from(&bytes[at..at + 4]).unwrap());
        return Read {
            class: bytes[1],
            label: 0,
            hop_limit: bytes[8],
            protocol: bytes[9],
            source: address(12).into(),
            destination: address(16).into(),
            header,
            len: word(2).into(),
            id: word(4).into(),
            df: flags & DF != 0,
            fragment,
            body: bytes[header..].to_vec(),
        };
    }
    let address = |at: usize| Ipv6Addr::from(<[u8; 16]>::try_from(&bytes[at..at + 16]).unwrap());
    let (mut header, mut protocol, mut id, mut fragment) = (40, bytes[6], 0, None);
    if protocol == 44 {
        protocol = bytes[40];
        let offset = word(42);
        fragment = Some((usize::from(offset & !7), offset & 1 != 0));
        id = u32::from(word(44)) << 16 | u32::from(word(46));
        header = 48;
    }
    Read {
        class: bytes[0] << 4 | bytes[1] >> 4,
        label: u32::from(bytes[1] & 15) << 16 | u32::from(word(2)),
        hop_limit: bytes[7],
        protocol,
        source: address(8).into(),
        destination: address(24).into(),
        header,
        len: usize::from(word(4)) + 40,
        id,
        df: true,
        fragment,
        body: bytes[header..].to_vec(),
    }
}

/// Reads a packet that must be sound: length, IPv4 header checksum.
pub(crate) fn read(bytes: &[u8]) -> Read {
    let read = read_quote(bytes);
    assert_eq!(read.len, bytes.len(), "length of the header");
    if bytes[0] >> 4 == 4 {
        assert_eq!(sum(&bytes[..read.header]), 0xffff, "header checksum");
    }
    read
}

impl Read {
    /// Whether the transport checksum is right; of a whole packet.
    pub(crate) fn checksum_is_right(&self) -> bool {
        let pseudo = match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                [source.octets(), destination.octets()].concat()
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                [source.octets(), destination.octets()].concat()
            }
            _ => unreachable!("one packet, one family"),
        };
        sum(&covered(self.protocol, &pseudo, &self.body)) == 0xffff
    }

    pub(crate) fn word(&self, at: usize) -> u16 {
        u16::from_be_bytes([self.body[at], self.body[at + 1]])
    }
}

/// Sets the transport checksum.
pub(crate) fn seal(protocol: u8, pseudo: &[u8], body: &mut [u8]) {
    let at = match protocol {
        1 | 58 => 2,
        6 => 16,
        17 | 33 | 136 => 6,
        _ => return,
    };
    body[at..at + 2].fill(0);
    let checksum = match !sum(&covered(protocol, pseudo, body)) {
        0 if protocol == 17 => 0xffff,
        checksum => checksum,
    };
    body[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
}

/// What a checksum covers: the pseudo header, but for ICMP, and the message.
fn covered(protocol: u8, pseudo: &[u8], body: &[u8]) -> Vec<u8> {
    let mut covered = Vec::new();
    if protocol != 1 {
        covered.extend(pseudo);
        covered.extend((body.len() as u32).to_be_bytes());
        covered.extend([0, 0, 0, protocol]);
    }
    covered.extend(body);
    covered
}

/// The ones' complement sum, word by word.
pub(crate) fn sum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = 0;
    for word in bytes.chunks(2) {
        sum += u32::from(word[0]) << 8 | u32::from(word.get(1).copied().unwrap_or(0));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}
