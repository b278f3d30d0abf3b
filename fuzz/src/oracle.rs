//! What a packet must be, written a second time and naively: every fuzz target's packets are judged by it.

/// A well-formed packet, as far as the judge looks.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sound<'a> {
    pub(crate) ipv6: bool,
    pub(crate) hop_limit: u8,
    /// Of the transport, behind options and extension headers.
    pub(crate) protocol: u8,
    /// A fragment, first or not; not an atomic one.
    pub(crate) fragment: Option<Fragment>,
    /// What the IP header carries, behind its options and extension headers.
    pub(crate) body: &'a [u8],
    addresses: &'a [u8],
}

/// A piece of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fragment {
    pub(crate) offset: usize,
    pub(crate) more: bool,
}

/// Judges a packet that fills `packet` exactly.
pub(crate) fn judge(packet: &[u8]) -> Result<Sound<'_>, &'static str> {
    match packet.first().map(|byte| byte >> 4) {
        Some(4) => judge_ipv4(packet),
        Some(6) => judge_ipv6(packet),
        _ => Err("no IP version"),
    }
}

fn judge_ipv4(packet: &[u8]) -> Result<Sound<'_>, &'static str> {
    let header = packet.get(..20).ok_or("IPv4 header cut")?;
    let header_length = usize::from(header[0] & 15) * 4;
    if header_length < 20 || header_length > packet.len() {
        return Err("IPv4 header length");
    }
    if usize::from(u16::from_be_bytes([header[2], header[3]])) != packet.len() {
        return Err("IPv4 total length");
    }
    if sum(&packet[..header_length]) != 0xffff {
        return Err("IPv4 header checksum");
    }
    let flags = u16::from_be_bytes([header[6], header[7]]);
    let (offset, more) = (usize::from(flags & 0x1fff) * 8, flags & 0x2000 != 0);
    Ok(Sound {
        ipv6: false,
        hop_limit: header[8],
        protocol: header[9],
        fragment: (offset > 0 || more).then_some(Fragment { offset, more }),
        body: &packet[header_length..],
        addresses: &packet[12..20],
    })
}

fn judge_ipv6(packet: &[u8]) -> Result<Sound<'_>, &'static str> {
    let header = packet.get(..40).ok_or("IPv6 header cut")?;
    if usize::from(u16::from_be_bytes([header[4], header[5]])) + 40 != packet.len() {
        return Err("IPv6 payload length");
    }
    let mut next = header[6];
    let mut at = 40;
    let mut fragment = None;
    // Hop-by-Hop Options, Routing, Fragment, Destination Options.
    while matches!(next, 0 | 43 | 44 | 60) {
        let head = packet.get(at..at + 8).ok_or("IPv6 extension header cut")?;
        let length = if next == 44 {
            let word = u16::from_be_bytes([head[2], head[3]]);
            let (offset, more) = (usize::from(word & 0xfff8), word & 1 != 0);
            fragment = (offset > 0 || more).then_some(Fragment { offset, more });
            8
        } else {
            usize::from(head[1]) * 8 + 8
        };
        // What stands behind a Fragment header is a transport, or nothing to look at (RFC 7915 §5.1.1).
        let last = next == 44;
        next = head[0];
        at += length;
        if last {
            break;
        }
    }
    Ok(Sound {
        ipv6: true,
        hop_limit: header[7],
        protocol: next,
        fragment,
        body: packet.get(at..).ok_or("IPv6 extension header cut")?,
        addresses: &packet[8..40],
    })
}

impl Sound<'_> {
    /// Whether the transport checksum is right; `None` where there is none to be checked: another
    /// protocol, a fragment, UDP without one, too short a body.
    pub(crate) fn checksum_is_right(&self) -> Option<bool> {
        let place = self.checksum_place()?;
        if self.protocol == 17 {
            let length = usize::from(u16::from_be_bytes([self.body[4], self.body[5]]));
            if length != self.body.len() || self.body[place..place + 2] == [0, 0] {
                return None;
            }
        }
        // Only an ICMP message of nothing but zeros sums up to 0, which is the same number as 0xffff in ones'
        // complement: no update by a difference can tell them apart (RFC 1624 §3).
        Some(matches!(self.transport_sum(), 0 | 0xffff))
    }

    fn checksum_place(&self) -> Option<usize> {
        let (place, least) = match (self.ipv6, self.protocol) {
            (_, 6) => (16, 20),
            (_, 17) => (6, 8),
            (false, 1) | (true, 58) => (2, 8),
            _ => return None,
        };
        (self.fragment.is_none() && self.body.len() >= least).then_some(place)
    }

    fn transport_sum(&self) -> u16 {
        if self.protocol == 1 {
            return sum(self.body);
        }
        let mut bytes = self.addresses.to_vec();
        bytes.extend((self.body.len() as u32).to_be_bytes());
        bytes.extend([0, 0, 0, self.protocol]);
        bytes.extend(self.body);
        sum(&bytes)
    }
}

/// Makes lengths and checksums of a packet right where that is possible: it helps a fuzzer past the first checks.
pub(crate) fn repair(packet: &mut [u8]) {
    let total = packet.len().min(0xffff) as u16;
    match packet.first().map(|byte| byte >> 4) {
        Some(4) if packet.len() >= 20 => {
            let header_length = usize::from(packet[0] & 15) * 4;
            packet[2..4].copy_from_slice(&total.to_be_bytes());
            packet[10..12].fill(0);
            let Some(header) = packet.get(..header_length) else {
                return;
            };
            let checksum = !sum(header);
            packet[10..12].copy_from_slice(&checksum.to_be_bytes());
        }
        Some(6) if packet.len() >= 40 => {
            packet[4..6].copy_from_slice(&(total - 40).to_be_bytes());
        }
        _ => return,
    }
    let Ok(sound) = judge(packet) else { return };
    let Some(place) = sound.checksum_place() else {
        return;
    };
    let (protocol, body) = (sound.protocol, packet.len() - sound.body.len());
    if protocol == 17 {
        let length = (packet.len() - body) as u16;
        packet[body + 4..body + 6].copy_from_slice(&length.to_be_bytes());
    }
    packet[body + place..body + place + 2].fill(0);
    let Ok(sound) = judge(packet) else { return };
    let mut checksum = !sound.transport_sum();
    if protocol == 17 && checksum == 0 {
        checksum = 0xffff;
    }
    packet[body + place..body + place + 2].copy_from_slice(&checksum.to_be_bytes());
}

/// The ones' complement sum of 16-bit words, an odd last byte padded.
pub(crate) fn sum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2);
    let mut total: u32 = words
        .map(|word| u32::from(word[0]) << 8 | u32::from(*word.get(1).unwrap_or(&0)))
        .sum();
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    total as u16
}
