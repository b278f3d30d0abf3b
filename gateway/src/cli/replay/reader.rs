//! Packets of pcap and pcapng files, from their IP header on.

use core::time::Duration;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};

use pcap_file::pcap::PcapReader;
use pcap_file::pcapng::PcapNgReader;
use pcap_file::pcapng::blocks::Block;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionOption;
use pcap_file::{DataLink, PcapError};

/// A packet as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recorded {
    /// Since 1970.
    pub(super) at: Duration,
    pub(super) interface: u32,
    /// From its IP header on.
    pub(super) packet: Vec<u8>,
}

/// Why a capture cannot be read, or not to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("neither pcap nor pcapng: it begins with {0:02x?}")]
    Unknown([u8; 4]),
    #[error("packet {0}: {1}")]
    Damaged(u64, PcapError),
    #[error("the capture ends within packet {0}")]
    Ends(u64),
    #[error("the capture ends within its header")]
    EndsAtOnce,
    #[error("link type {0:?}: Ethernet, Linux cooked and raw IP can be read")]
    Link(DataLink),
}

/// An iterator over the packets; those that are no IP are left out.
pub(super) struct Reader {
    file: Format,
    /// Packets that were read, of whatever kind.
    number: u64,
    over: bool,
    /// Packets that its host sent, and did not receive: they are left out.
    pub(super) left: u64,
}

enum Format {
    Pcap(Box<PcapReader<BufReader<File>>>),
    PcapNg(Box<PcapNgReader<BufReader<File>>>),
}

/// Of `epb_flags`.
const OUTBOUND: u32 = 2;
const PCAPNG: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
const PCAP: [[u8; 4]; 4] = [
    [0xd4, 0xc3, 0xb2, 0xa1],
    [0xa1, 0xb2, 0xc3, 0xd4],
    [0x4d, 0x3c, 0xb2, 0xa1],
    [0xa1, 0xb2, 0x3c, 0x4d],
];

impl Reader {
    pub(super) fn new(mut file: File) -> Result<Self, ReadError> {
        let mut magic = [0; 4];
        match file.read_exact(&mut magic) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(ReadError::Unknown(magic));
            }
            read => read?,
        }
        file.rewind()?;
        let file = BufReader::new(file);
        let damaged = |error| match damaged(0, error) {
            ReadError::Ends(_) => ReadError::EndsAtOnce,
            error => error,
        };
        let file = if magic == PCAPNG {
            Format::PcapNg(Box::new(PcapNgReader::new(file).map_err(damaged)?))
        } else if PCAP.contains(&magic) {
            Format::Pcap(Box::new(PcapReader::new(file).map_err(damaged)?))
        } else {
            return Err(ReadError::Unknown(magic));
        };
        Ok(Self {
            file,
            number: 0,
            over: false,
            left: 0,
        })
    }

    /// The next one, with `None` in it if it is no packet of IP.
    fn read(&mut self) -> Option<Result<Option<Recorded>, ReadError>> {
        let damaged = |error| damaged(self.number + 1, error);
        match &mut self.file {
            Format::Pcap(reader) => {
                let link = reader.header().datalink;
                let packet = match reader.next_packet()? {
                    Ok(packet) => packet,
                    Err(error) => return Some(Err(damaged(error))),
                };
                self.number += 1;
                let (at, data) = (packet.timestamp, packet.data);
                Some(ip(link, &data).map(|packet| {
                    packet.map(|packet| Recorded {
                        at,
                        interface: 0,
                        packet: packet.to_vec(),
                    })
                }))
            }
            Format::PcapNg(reader) => {
                let block = match reader.next_block()? {
                    Ok(block) => block.into_owned(),
                    Err(error) => return Some(Err(damaged(error))),
                };
                let Block::EnhancedPacket(block) = block else {
                    return Some(Ok(None));
                };
                let left = block.options.iter().any(|option| {
                    matches!(option, EnhancedPacketOption::Flags(flags) if flags & 3 == OUTBOUND)
                });
                if left {
                    self.number += 1;
                    self.left += 1;
                    return Some(Ok(None));
                }
                let interface = reader.interfaces().get(block.interface_id as usize);
                let Some(interface) = interface else {
                    let why = PcapError::InvalidInterfaceId(block.interface_id);
                    return Some(Err(damaged(why)));
                };
                self.number += 1;
                let resolution = interface.options.iter().find_map(|option| match option {
                    InterfaceDescriptionOption::IfTsResol(resolution) => Some(*resolution),
                    _ => None,
                });
                // The library gives the number as it stands in the file.
                let at = since_1970(block.timestamp.as_nanos(), resolution.unwrap_or(6));
                let id = block.interface_id;
                Some(ip(interface.linktype, &block.data).map(|packet| {
                    packet.map(|packet| Recorded {
                        at,
                        interface: id,
                        packet: packet.to_vec(),
                    })
                }))
            }
        }
    }
}

fn damaged(number: u64, error: PcapError) -> ReadError {
    match error {
        PcapError::IoError(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            ReadError::Ends(number)
        }
        PcapError::IoError(error) => ReadError::Io(error),
        error => ReadError::Damaged(number, error),
    }
}

impl Iterator for Reader {
    type Item = Result<Recorded, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.over {
            match self.read()? {
                Ok(Some(recorded)) => return Some(Ok(recorded)),
                Ok(None) => {}
                Err(error) => {
                    self.over = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

/// A count of `if_tsresol` units: a power of ten, or, with the highest bit, of two.
fn since_1970(units: u128, resolution: u8) -> Duration {
    let exponent = u32::from(resolution & 0x7f);
    let per_second = if resolution & 0x80 == 0 {
        10_u128.checked_pow(exponent)
    } else {
        1_u128.checked_shl(exponent)
    };
    let Some(per_second) = per_second else {
        return Duration::ZERO;
    };
    let nanos = units.saturating_mul(1_000_000_000) / per_second;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// What of a frame is IP; `None` if nothing.
fn ip(link: DataLink, frame: &[u8]) -> Result<Option<&[u8]>, ReadError> {
    let by_version = |packet: &'_ [u8]| {
        packet
            .first()
            .is_some_and(|first| matches!(first >> 4, 4 | 6))
    };
    let typed = |at: usize| {
        let kind = frame.get(at..at + 2)?;
        Some(u16::from_be_bytes([kind[0], kind[1]]))
    };
    let packet = match link {
        DataLink::RAW | DataLink::IPV4 | DataLink::IPV6 => Some(frame),
        DataLink::LINUX_SLL if matches!(typed(14), Some(0x0800 | 0x86dd)) => frame.get(16..),
        DataLink::LINUX_SLL2 if matches!(typed(0), Some(0x0800 | 0x86dd)) => frame.get(20..),
        DataLink::LINUX_SLL | DataLink::LINUX_SLL2 => None,
        DataLink::ETHERNET => {
            // Behind the addresses, and any VLAN tags.
            let mut at = 12;
            while matches!(typed(at), Some(0x8100 | 0x88a8)) {
                at += 4;
            }
            match typed(at) {
                Some(0x0800 | 0x86dd) => frame.get(at + 2..),
                Some(_) | None => None,
            }
        }
        // LINKTYPE_RAW's older numbers.
        DataLink::Unknown(12 | 14) => Some(frame),
        other => return Err(ReadError::Link(other)),
    };
    Ok(packet.filter(|packet| by_version(packet)).map(whole))
}

/// Without what Ethernet pads short packets with.
fn whole(packet: &[u8]) -> &[u8] {
    let length = match packet {
        [first, _, high, low, ..] if first >> 4 == 4 => u16::from_be_bytes([*high, *low]).into(),
        [_, _, _, _, high, low, ..] => 40 + usize::from(u16::from_be_bytes([*high, *low])),
        _ => packet.len(),
    };
    packet
        .get(..length)
        .filter(|_| length > 0)
        .unwrap_or(packet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_tsresol_is_a_power_of_ten_or_of_two() {
        assert_eq!(since_1970(1_500_000, 6), Duration::from_millis(1500));
        assert_eq!(since_1970(1_500_000_000, 9), Duration::from_millis(1500));
        assert_eq!(since_1970(3, 0x81), Duration::from_millis(1500));
        assert_eq!(since_1970(3, 0xff), Duration::ZERO);
    }

    #[test]
    fn tags_and_padding_are_taken_off() {
        let mut frame = vec![0; 12];
        frame.extend([0x81, 0, 0, 7, 0x08, 0]);
        let mut packet = vec![0x45, 0, 0, 20];
        packet.resize(20, 1);
        frame.extend(&packet);
        frame.resize(64, 0);
        assert_eq!(
            ip(DataLink::ETHERNET, &frame).unwrap(),
            Some(packet.as_slice())
        );
        let arp = [&[0; 12][..], &[0x08, 0x06, 0, 1]].concat();
        assert_eq!(ip(DataLink::ETHERNET, &arp).unwrap(), None);
    }
}
