use alloc::collections::BTreeMap;
use core::net::IpAddr;
use core::time::Duration;

use super::craft::fill_ipv4_checksum;
use super::packet::{FragmentView, IPV6_FRAGMENT, IpView};

/// How long the fragments of a packet are kept (RFC 8200 §4.5).
const REASSEMBLY_TIMEOUT: Duration = Duration::from_secs(60);

/// How many packets may be incomplete at once; the oldest gives way.
const INCOMPLETE_MAX: usize = 64;

/// Cuts a packet into fragments that fit `mtu` (RFC 791 §3.2, RFC 8200 §4.5), each but the last a
/// multiple of eight bytes long. A packet that fits is returned as it is, and so is one that is a
/// fragment already or no IP packet. Don't Fragment is not looked at.
#[must_use]
pub fn fragment(packet: &[u8], mtu: usize, identification: u32) -> Vec<Vec<u8>> {
    let whole = || vec![packet.to_vec()];
    let Some(ip) = IpView::new(packet) else {
        return whole();
    };
    if packet.len() <= mtu || ip.fragment.is_some() {
        return whole();
    }
    let overhead = ip.header_len + if ip.source.is_ipv6() { 8 } else { 0 };
    let step = mtu.saturating_sub(overhead) / 8 * 8;
    if step == 0 {
        return whole();
    }
    let count = ip.payload.len().div_ceil(step);
    ip.payload
        .chunks(step)
        .enumerate()
        .map(|(index, part)| {
            let header = &packet[..ip.header_len];
            let place = FragmentView {
                identification,
                offset: index * step,
                more: index + 1 < count,
            };
            match ip.source {
                IpAddr::V4(_) => ipv4_fragment(header, place, part),
                IpAddr::V6(_) => ipv6_fragment(header, ip.protocol, place, part),
            }
        })
        .collect()
}

fn ipv4_fragment(header: &[u8], place: FragmentView, part: &[u8]) -> Vec<u8> {
    let mut packet = [header, part].concat();
    let length = (packet.len() as u16).to_be_bytes();
    let flags = (place.offset / 8) as u16 | u16::from(place.more) << 13;
    packet[2..4].copy_from_slice(&length);
    packet[4..6].copy_from_slice(&(place.identification as u16).to_be_bytes());
    packet[6..8].copy_from_slice(&flags.to_be_bytes());
    fill_ipv4_checksum(&mut packet);
    packet
}

fn ipv6_fragment(header: &[u8], protocol: u8, place: FragmentView, part: &[u8]) -> Vec<u8> {
    let mut packet = header.to_vec();
    packet[4..6].copy_from_slice(&((8 + part.len()) as u16).to_be_bytes());
    packet[6] = IPV6_FRAGMENT;
    packet.extend([protocol, 0]);
    packet.extend((place.offset as u16 | u16::from(place.more)).to_be_bytes());
    packet.extend(place.identification.to_be_bytes());
    packet.extend(part);
    packet
}

/// Puts fragments together again.
#[derive(Debug, Default)]
pub struct Reassembler {
    incomplete: BTreeMap<Key, Parts>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    identification: u32,
}

#[derive(Debug)]
struct Parts {
    since: Duration,
    /// IP header of the first fragment, without a Fragment header.
    header: Option<Vec<u8>>,
    /// By offset.
    data: BTreeMap<usize, Vec<u8>>,
    /// Known once the last fragment is there.
    length: Option<usize>,
}

impl Reassembler {
    /// Takes a packet in. Returns it if it is whole, or the packet that it completes.
    pub fn accept(&mut self, now: Duration, packet: &[u8]) -> Option<Vec<u8>> {
        let Some(ip) = IpView::new(packet) else {
            return Some(packet.to_vec());
        };
        let Some(place) = ip.fragment else {
            return Some(packet.to_vec());
        };
        self.incomplete
            .retain(|_, parts| now.saturating_sub(parts.since) < REASSEMBLY_TIMEOUT);
        let key = Key {
            source: ip.source,
            destination: ip.destination,
            protocol: ip.protocol,
            identification: place.identification,
        };
        if !self.incomplete.contains_key(&key) && self.incomplete.len() >= INCOMPLETE_MAX {
            let oldest = self.incomplete.iter().min_by_key(|(_, parts)| parts.since);
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                self.incomplete.remove(&oldest);
            }
        }
        let parts = self.incomplete.entry(key).or_insert_with(|| Parts {
            since: now,
            header: None,
            data: BTreeMap::new(),
            length: None,
        });
        if place.offset == 0 {
            parts.header = Some(packet[..ip.header_len].to_vec());
        }
        if !place.more {
            parts.length = Some(place.offset + ip.payload.len());
        }
        parts.data.insert(place.offset, ip.payload.to_vec());
        let whole = parts.whole(ip.protocol)?;
        self.incomplete.remove(&key);
        Some(whole)
    }

    /// How many packets are incomplete.
    #[must_use]
    pub fn incomplete(&self) -> usize {
        self.incomplete.len()
    }
}

impl Parts {
    fn whole(&self, protocol: u8) -> Option<Vec<u8>> {
        let mut packet = self.header.clone()?;
        let header_len = packet.len();
        for (offset, part) in &self.data {
            // A gap or an overlap: nothing that an honest sender does.
            if packet.len() - header_len != *offset {
                return None;
            }
            packet.extend(part);
        }
        if packet.len() - header_len != self.length? {
            return None;
        }
        if packet[0] >> 4 == 4 {
            let length = u16::try_from(packet.len()).ok()?.to_be_bytes();
            packet[2..4].copy_from_slice(&length);
            packet[6..8].copy_from_slice(&[0, 0]);
            fill_ipv4_checksum(&mut packet);
        } else {
            let length = u16::try_from(packet.len() - header_len).ok()?.to_be_bytes();
            packet[4..6].copy_from_slice(&length);
            packet[6] = protocol;
        }
        Some(packet)
    }
}
