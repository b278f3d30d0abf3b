use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

pub(super) const ICMP: u8 = 1;
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const IPV6_FRAGMENT: u8 = 44;
pub(super) const ICMPV6: u8 = 58;

/// A packet taken apart and checked by code that shares nothing with the gateway, so that a test
/// can hold the gateway's work against it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// Source address of the IP header.
    pub source: IpAddr,
    /// Destination address of the IP header.
    pub destination: IpAddr,
    /// Time to live, or hop limit.
    pub hop_limit: u8,
    /// Type of service, or traffic class.
    pub traffic_class: u8,
    /// IPv4's Don't Fragment; always true for IPv6.
    pub dont_fragment: bool,
    /// Total length in bytes.
    pub length: usize,
    /// What the packet carries.
    pub payload: Payload,
}

/// What a packet carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// A whole UDP datagram.
    Udp {
        /// Source port.
        source_port: u16,
        /// Destination port.
        destination_port: u16,
        /// What follows the UDP header.
        data: Vec<u8>,
    },
    /// A TCP segment.
    Tcp {
        /// Source port.
        source_port: u16,
        /// Destination port.
        destination_port: u16,
        /// Sequence number.
        sequence: u32,
        /// Acknowledgement number.
        acknowledgement: u32,
        /// The flags, FIN being the lowest bit (RFC 9293 §3.1).
        flags: u8,
        /// The maximum segment size option, if there is one.
        mss: Option<u16>,
        /// What follows the TCP header.
        data: Vec<u8>,
    },
    /// An ICMP or ICMPv6 echo.
    Echo {
        /// Request or reply.
        kind: EchoKind,
        /// Identifier.
        identifier: u16,
        /// Sequence number.
        sequence: u16,
        /// What follows the header.
        data: Vec<u8>,
    },
    /// An ICMP or ICMPv6 error: types 3, 4, 5, 11, 12, or those below 128.
    IcmpError {
        /// ICMP type.
        kind: u8,
        /// ICMP code.
        code: u8,
        /// Bytes 4 to 7: an MTU, a pointer, or zero.
        word: u32,
        /// What follows: the packet complained about, perhaps cut short.
        quoted: Vec<u8>,
    },
    /// One fragment of a packet. Its transport checksum cannot be checked.
    Fragment {
        /// Identification.
        identification: u32,
        /// Protocol of the whole.
        protocol: u8,
        /// Where the data belongs, in bytes.
        offset: usize,
        /// More fragments follow.
        more: bool,
        /// The part of the payload.
        data: Vec<u8>,
    },
    /// Something else, unchecked.
    Other {
        /// Protocol number.
        protocol: u8,
        /// What follows the IP header.
        data: Vec<u8>,
    },
}

/// The two kinds of echo message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EchoKind {
    /// Asks for a reply.
    Request,
    /// Answers a request.
    Reply,
}

/// Why a packet cannot be taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Neither IPv4 nor IPv6, or a length field that contradicts another length.
    #[error("a length does not fit")]
    Length,
    /// The checksum of the IPv4 header is wrong.
    #[error("wrong IPv4 header checksum")]
    HeaderChecksum,
    /// The checksum of the transport or ICMP header is wrong, or a UDP checksum is missing in
    /// IPv6 (RFC 8200 §8.1).
    #[error("wrong transport checksum")]
    TransportChecksum,
}

impl Parsed {
    /// Takes a packet apart, from its IP header on. Lengths and checksums must be right.
    ///
    /// # Errors
    ///
    /// What is wrong with the packet.
    pub fn new(packet: &[u8]) -> Result<Self, Flaw> {
        let ip = IpView::new(packet).ok_or(Flaw::Length)?;
        if ip.source.is_ipv4() && checksum(&[&packet[..ip.header_len]]) != 0 {
            return Err(Flaw::HeaderChecksum);
        }
        let payload = match ip.fragment {
            Some(fragment) => Payload::Fragment {
                identification: fragment.identification,
                protocol: ip.protocol,
                offset: fragment.offset,
                more: fragment.more,
                data: ip.payload.to_vec(),
            },
            None => parse_payload(&ip)?,
        };
        Ok(Self {
            source: ip.source,
            destination: ip.destination,
            hop_limit: ip.hop_limit,
            traffic_class: ip.traffic_class,
            dont_fragment: ip.dont_fragment,
            length: packet.len(),
            payload,
        })
    }

    /// Source address and port; port 0 if there is none.
    #[must_use]
    pub fn source_socket(&self) -> SocketAddr {
        SocketAddr::new(self.source, self.ports().0)
    }

    /// Destination address and port; port 0 if there is none.
    #[must_use]
    pub fn destination_socket(&self) -> SocketAddr {
        SocketAddr::new(self.destination, self.ports().1)
    }

    fn ports(&self) -> (u16, u16) {
        match self.payload {
            Payload::Udp {
                source_port,
                destination_port,
                ..
            }
            | Payload::Tcp {
                source_port,
                destination_port,
                ..
            } => (source_port, destination_port),
            Payload::Echo { .. }
            | Payload::IcmpError { .. }
            | Payload::Fragment { .. }
            | Payload::Other { .. } => (0, 0),
        }
    }
}

/// The fields of an IP header and its Fragment header, lengths checked and nothing else.
pub(super) struct IpView<'a> {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) hop_limit: u8,
    pub(super) traffic_class: u8,
    pub(super) dont_fragment: bool,
    pub(super) protocol: u8,
    /// Of the IP header alone.
    pub(super) header_len: usize,
    pub(super) fragment: Option<FragmentView>,
    /// After the IP header and the Fragment header.
    pub(super) payload: &'a [u8],
}

/// Where a fragment belongs.
#[derive(Clone, Copy)]
pub(super) struct FragmentView {
    pub(super) identification: u32,
    pub(super) offset: usize,
    pub(super) more: bool,
}

impl<'a> IpView<'a> {
    pub(super) fn new(packet: &'a [u8]) -> Option<Self> {
        match packet.first()? >> 4 {
            4 => Self::ipv4(packet),
            6 => Self::ipv6(packet),
            _ => None,
        }
    }

    fn ipv4(packet: &'a [u8]) -> Option<Self> {
        let fixed: &[u8; 20] = packet.first_chunk()?;
        let header_len = usize::from(fixed[0] & 0xf) * 4;
        if header_len < 20 || usize::from(u16::from_be_bytes([fixed[2], fixed[3]])) != packet.len()
        {
            return None;
        }
        let flags = u16::from_be_bytes([fixed[6], fixed[7]]);
        let fragment = FragmentView {
            identification: u32::from(u16::from_be_bytes([fixed[4], fixed[5]])),
            offset: usize::from(flags & 0x1fff) * 8,
            more: flags & 0x2000 != 0,
        };
        Some(Self {
            source: Ipv4Addr::new(fixed[12], fixed[13], fixed[14], fixed[15]).into(),
            destination: Ipv4Addr::new(fixed[16], fixed[17], fixed[18], fixed[19]).into(),
            hop_limit: fixed[8],
            traffic_class: fixed[1],
            dont_fragment: flags & 0x4000 != 0,
            protocol: fixed[9],
            header_len,
            fragment: (fragment.more || fragment.offset > 0).then_some(fragment),
            payload: packet.get(header_len..)?,
        })
    }

    fn ipv6(packet: &'a [u8]) -> Option<Self> {
        let fixed: &[u8; 40] = packet.first_chunk()?;
        if usize::from(u16::from_be_bytes([fixed[4], fixed[5]])) + 40 != packet.len() {
            return None;
        }
        let mut view = Self {
            source: Ipv6Addr::from(*fixed[8..].first_chunk::<16>()?).into(),
            destination: Ipv6Addr::from(*fixed[24..].first_chunk::<16>()?).into(),
            hop_limit: fixed[7],
            traffic_class: fixed[0] << 4 | fixed[1] >> 4,
            dont_fragment: true,
            protocol: fixed[6],
            header_len: 40,
            fragment: None,
            payload: &packet[40..],
        };
        if view.protocol == IPV6_FRAGMENT {
            let (header, payload) = view.payload.split_first_chunk::<8>()?;
            let flags = u16::from_be_bytes([header[2], header[3]]);
            view.fragment = Some(FragmentView {
                identification: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
                offset: usize::from(flags & 0xfff8),
                more: flags & 1 != 0,
            });
            view.protocol = header[0];
            view.payload = payload;
        }
        Some(view)
    }

    /// Whether the sum over pseudo-header and payload is that of a right checksum.
    fn checks_out(&self) -> bool {
        let sum = match self.protocol {
            ICMP => checksum(&[self.payload]),
            _ => transport_checksum(self.source, self.destination, self.protocol, self.payload),
        };
        sum == 0
    }
}

fn parse_payload(ip: &IpView<'_>) -> Result<Payload, Flaw> {
    let data = ip.payload;
    match (ip.protocol, ip.source.is_ipv4()) {
        (UDP, is_ipv4) => {
            let (header, rest) = data.split_first_chunk::<8>().ok_or(Flaw::Length)?;
            if usize::from(u16::from_be_bytes([header[4], header[5]])) != data.len() {
                return Err(Flaw::Length);
            }
            let unchecked = is_ipv4 && header[6..] == [0, 0];
            if !unchecked && (header[6..] == [0, 0] || !ip.checks_out()) {
                return Err(Flaw::TransportChecksum);
            }
            Ok(Payload::Udp {
                source_port: u16::from_be_bytes([header[0], header[1]]),
                destination_port: u16::from_be_bytes([header[2], header[3]]),
                data: rest.to_vec(),
            })
        }
        (TCP, _) => {
            let header: &[u8; 20] = data.first_chunk().ok_or(Flaw::Length)?;
            let header_len = usize::from(header[12] >> 4) * 4;
            let options = data.get(20..header_len).ok_or(Flaw::Length)?;
            if !ip.checks_out() {
                return Err(Flaw::TransportChecksum);
            }
            Ok(Payload::Tcp {
                source_port: u16::from_be_bytes([header[0], header[1]]),
                destination_port: u16::from_be_bytes([header[2], header[3]]),
                sequence: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
                acknowledgement: u32::from_be_bytes([header[8], header[9], header[10], header[11]]),
                flags: header[13],
                mss: mss_option(options),
                data: data[header_len..].to_vec(),
            })
        }
        (ICMP, true) | (ICMPV6, false) => {
            let (header, rest) = data.split_first_chunk::<8>().ok_or(Flaw::Length)?;
            if !ip.checks_out() {
                return Err(Flaw::TransportChecksum);
            }
            Ok(parse_icmp(ip.protocol, header, rest))
        }
        (protocol, _) => Ok(Payload::Other {
            protocol,
            data: data.to_vec(),
        }),
    }
}

fn parse_icmp(protocol: u8, header: &[u8; 8], rest: &[u8]) -> Payload {
    let kind = match (protocol, header[0]) {
        (ICMP, 8) | (ICMPV6, 128) => EchoKind::Request,
        (ICMP, 0) | (ICMPV6, 129) => EchoKind::Reply,
        (ICMP, 3 | 4 | 5 | 11 | 12) | (ICMPV6, ..128) => {
            return Payload::IcmpError {
                kind: header[0],
                code: header[1],
                word: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
                quoted: rest.to_vec(),
            };
        }
        _ => {
            let data = header.iter().chain(rest).copied().collect();
            return Payload::Other { protocol, data };
        }
    };
    Payload::Echo {
        kind,
        identifier: u16::from_be_bytes([header[4], header[5]]),
        sequence: u16::from_be_bytes([header[6], header[7]]),
        data: rest.to_vec(),
    }
}

/// The value of the maximum segment size option (RFC 9293 §3.2).
fn mss_option(mut options: &[u8]) -> Option<u16> {
    loop {
        match options {
            [2, 4, high, low, ..] => return Some(u16::from_be_bytes([*high, *low])),
            [1, rest @ ..] => options = rest,
            [0, ..] | [_] | [] => return None,
            [_, length, ..] => options = options.get(usize::from(*length).max(2)..)?,
        }
    }
}

/// Where a packet is to go, whatever else is wrong with it.
pub(super) fn destination(packet: &[u8]) -> Option<IpAddr> {
    match packet.first()? >> 4 {
        4 => Some(Ipv4Addr::from(*packet.get(16..)?.first_chunk::<4>()?).into()),
        6 => Some(Ipv6Addr::from(*packet.get(24..)?.first_chunk::<16>()?).into()),
        _ => None,
    }
}

/// The checksum over a pseudo-header (RFC 9293 §3.1, RFC 8200 §8.1) and what it covers: 0 if the
/// checksum field in `data` is right, the field's value if that is zero.
pub(super) fn transport_checksum(
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    data: &[u8],
) -> u16 {
    // Zero padding and the width of the fields do not change the sum, so that one layout of
    // length and protocol serves both families.
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes();
    let tail = [0, 0, 0, protocol];
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => checksum(&[
            &source.octets(),
            &destination.octets(),
            &length,
            &tail,
            data,
        ]),
        _ => {
            let (source, destination) = (to_ipv6(source), to_ipv6(destination));
            checksum(&[
                &source.octets(),
                &destination.octets(),
                &length,
                &tail,
                data,
            ])
        }
    }
}

fn to_ipv6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// The Internet checksum (RFC 1071) of parts of which all but the last have even lengths.
pub(super) fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0u64;
    for part in parts {
        let (words, odd) = part.as_chunks::<2>();
        sum += words
            .iter()
            .map(|word| u64::from(u16::from_be_bytes(*word)))
            .sum::<u64>();
        sum += odd.iter().map(|byte| u64::from(*byte) << 8).sum::<u64>();
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
