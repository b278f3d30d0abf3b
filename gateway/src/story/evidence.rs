use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::RData;

use crate::sim::{Capture, Direction, Flaw, INSIDE, Parsed, Payload};

/// A packet at one of the gateway's interfaces.
pub(super) struct Seen {
    pub(super) at: Duration,
    pub(super) inside: bool,
    /// The gateway sent it.
    pub(super) sent: bool,
    pub(super) packet: Result<Parsed, Flaw>,
}

/// A DNS message at one of the gateway's interfaces.
pub(super) struct Spoken {
    pub(super) at: Duration,
    pub(super) inside: bool,
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) message: Message,
    pub(super) bytes: Vec<u8>,
}

/// A TCP segment at one of the gateway's interfaces.
pub(super) struct Segment<'a> {
    pub(super) at: Duration,
    pub(super) packet: &'a Parsed,
    pub(super) flags: u8,
    pub(super) sequence: u32,
}

/// What the taps saw, taken apart by code that shares nothing with the gateway.
pub(super) struct Evidence {
    pub(super) seen: Vec<Seen>,
    pub(super) spoken: Vec<Spoken>,
}

pub(super) const SYN: u8 = 0x02;
pub(super) const ACK: u8 = 0x10;

impl Evidence {
    pub(super) fn new(capture: &Capture) -> Self {
        let seen: Vec<Seen> = capture
            .frames
            .iter()
            .map(|frame| Seen {
                at: frame.at,
                inside: frame.interface == INSIDE,
                sent: frame.direction == Direction::Outbound,
                packet: Parsed::new(&frame.bytes),
            })
            .collect();
        let spoken = seen.iter().filter_map(Seen::spoken).collect();
        Self { seen, spoken }
    }

    /// The first TCP segment on a side with these ends and flags (SYN and ACK count).
    pub(super) fn segment(
        &self,
        inside: bool,
        sent: bool,
        ends: (SocketAddr, SocketAddr),
        flags: u8,
    ) -> Option<Segment<'_>> {
        self.seen
            .iter()
            .filter(|seen| seen.inside == inside && seen.sent == sent)
            .filter_map(|seen| {
                let packet = seen.packet.as_ref().ok()?;
                let Payload::Tcp {
                    flags, sequence, ..
                } = &packet.payload
                else {
                    return None;
                };
                Some(Segment {
                    at: seen.at,
                    packet,
                    flags: *flags,
                    sequence: *sequence,
                })
            })
            .find(|segment| {
                let packet = segment.packet;
                (packet.source_socket(), packet.destination_socket()) == ends
                    && segment.flags & (SYN | ACK) == flags
            })
    }
}

impl Seen {
    fn spoken(&self) -> Option<Spoken> {
        let packet = self.packet.as_ref().ok()?;
        let Payload::Udp { data, .. } = &packet.payload else {
            return None;
        };
        Some(Spoken {
            at: self.at,
            inside: self.inside,
            from: packet.source_socket(),
            to: packet.destination_socket(),
            message: Message::from_vec(data).ok()?,
            bytes: data.clone(),
        })
    }
}

impl Spoken {
    pub(super) fn is_query(&self) -> bool {
        self.message.metadata.message_type == MessageType::Query
    }

    /// Whether it is about this name and type.
    pub(super) fn is_about(&self, name: &str, record_type: u16) -> bool {
        self.message.queries.first().is_some_and(|query| {
            let asked = query.name().to_ascii();
            asked.trim_end_matches('.').eq_ignore_ascii_case(name)
                && u16::from(query.query_type()) == record_type
        })
    }

    /// The name as it was written, without the last dot.
    pub(super) fn name(&self) -> String {
        let query = self.message.queries.first();
        let name = query.map_or_else(String::new, |query| query.name().to_ascii());
        name.trim_end_matches('.').to_owned()
    }

    /// The response code, as dig writes it.
    pub(super) fn response_code(&self) -> String {
        match self.message.metadata.response_code {
            ResponseCode::NoError => "NOERROR".to_owned(),
            ResponseCode::ServFail => "SERVFAIL".to_owned(),
            ResponseCode::NXDomain => "NXDOMAIN".to_owned(),
            other => format!("response code {}", u16::from(other)),
        }
    }

    /// The reply to this query.
    pub(super) fn is_answered_by(&self, other: &Self) -> bool {
        !other.is_query()
            && other.at >= self.at
            && (other.from, other.to) == (self.to, self.from)
            && other.message.metadata.id == self.message.metadata.id
    }

    /// Addresses in the answer section, with their TTLs in seconds.
    pub(super) fn addresses(&self) -> Vec<(IpAddr, u32)> {
        let records = self.message.answers.iter();
        records
            .filter_map(|record| match &record.data {
                RData::A(address) => Some((IpAddr::V4(address.0), record.ttl)),
                RData::AAAA(address) => Some((IpAddr::V6(address.0), record.ttl)),
                _ => None,
            })
            .collect()
    }
}
