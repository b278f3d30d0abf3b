//! Sessions as bytes, for another process: a header, then records of one length.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use siphasher::sip::SipHasher13;

use crate::lifetime::State;
use crate::time::Ticks;
use crate::tuple::{Family, Protocol, TransportAddress, Tuple};

/// What exports begin with: a name, and the version of all that follows.
pub(crate) const HEADER: [u8; 8] = *b"SNATPOL\x01";
/// The length of one record.
pub(crate) const RECORD: usize = 84;
/// Of which the last ones say whether the others are whole.
const CHECK: usize = 4;

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// `None`: the session ended.
    pub(crate) state: Option<State>,
    pub(crate) pool: u8,
    pub(crate) from_outside: bool,
    pub(crate) inside: Tuple,
    pub(crate) outside: Tuple,
    /// How long it has to live.
    pub(crate) remaining: Ticks,
}

impl Record {
    pub(crate) fn write(&self, out: &mut [u8; RECORD]) {
        let mut writer = Writer { out, at: 0 };
        let protocol = match self.inside.protocol {
            Protocol::Tcp => 0,
            Protocol::Udp => 1,
            Protocol::Icmp => 2_u8,
        };
        let family = |tuple: &Tuple| u8::from(tuple.source.address.is_ipv6());
        let kind = protocol
            | family(&self.inside) << 2
            | family(&self.outside) << 3
            | u8::from(self.from_outside) << 4;
        let state = self.state.map_or(u8::MAX, |state| state as u8);
        writer.put(&[kind, state, self.pool, 0]);
        for tuple in [&self.inside, &self.outside] {
            for end in [tuple.source, tuple.destination] {
                writer.put(&octets(end.address));
                writer.put(&end.port.to_be_bytes());
            }
        }
        writer.put(&self.remaining.0.to_be_bytes());
        let check = check(out);
        if let Some(place) = out.last_chunk_mut::<CHECK>() {
            *place = check;
        }
    }

    /// `None` for bytes that no [`write`](Self::write) made.
    pub(crate) fn read(bytes: &[u8; RECORD]) -> Option<Self> {
        if bytes.last_chunk::<CHECK>() != Some(&check(bytes)) {
            return None;
        }
        let mut reader = Reader { bytes, at: 0 };
        let [kind, state, pool, 0] = reader.take()? else {
            return None;
        };
        let protocol = match kind & 0b11 {
            0 => Protocol::Tcp,
            1 => Protocol::Udp,
            2 => Protocol::Icmp,
            _ => return None,
        };
        let family = |bit: u8| {
            if kind & bit == 0 {
                Family::Ipv4
            } else {
                Family::Ipv6
            }
        };
        let mut tuple = |family| {
            Some(Tuple {
                protocol,
                source: reader.end(family)?,
                destination: reader.end(family)?,
            })
        };
        let (inside, outside) = (tuple(family(1 << 2))?, tuple(family(1 << 3))?);
        let remaining = Ticks(u32::from_be_bytes(reader.take()?));
        let state = match state {
            u8::MAX => None,
            number => Some(state_of(number, protocol)?),
        };
        (kind < 1 << 5).then_some(Self {
            state,
            pool,
            from_outside: kind & 1 << 4 != 0,
            inside,
            outside,
            remaining,
        })
    }
}

/// A state that this protocol can be in.
fn state_of(number: u8, protocol: Protocol) -> Option<State> {
    let state = State::ALL
        .into_iter()
        .find(|state| *state as u8 == number)?;
    let of_tcp = !matches!(state, State::Unconfirmed | State::Confirmed);
    (of_tcp == (protocol == Protocol::Tcp)).then_some(state)
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => {
            let mut octets = [0; 16];
            if let Some(place) = octets.first_chunk_mut() {
                *place = address.octets();
            }
            octets
        }
        IpAddr::V6(address) => address.octets(),
    }
}

/// Against bytes that were cut, shifted or changed by accident: it is no secret.
fn check(record: &[u8; RECORD]) -> [u8; CHECK] {
    let body = record.split_last_chunk::<CHECK>().map(|(body, _)| body);
    let hash = SipHasher13::new().hash(body.unwrap_or_default());
    (hash as u32).to_be_bytes()
}

struct Writer<'a> {
    out: &'a mut [u8; RECORD],
    at: usize,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) {
        let end = self.at + bytes.len();
        if let Some(place) = self.out.get_mut(self.at..end) {
            place.copy_from_slice(bytes);
        }
        self.at = end;
    }
}

struct Reader<'a> {
    bytes: &'a [u8; RECORD],
    at: usize,
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let taken = self.bytes.get(self.at..)?.first_chunk::<N>();
        self.at += N;
        taken.copied()
    }

    fn end(&mut self, family: Family) -> Option<TransportAddress> {
        let octets: [u8; 16] = self.take()?;
        let port = u16::from_be_bytes(self.take()?);
        let address = match family {
            Family::Ipv4 => {
                let (address, rest) = octets.split_first_chunk::<4>()?;
                if rest.iter().any(|octet| *octet != 0) {
                    return None;
                }
                IpAddr::V4(Ipv4Addr::from_octets(*address))
            }
            Family::Ipv6 => IpAddr::V6(Ipv6Addr::from_octets(octets)),
        };
        Some(TransportAddress::new(address, port))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn end() -> impl Strategy<Value = (u32, u128, u16)> {
        any::<(u32, u128, u16)>()
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_and_what_was_changed_is_not(
            ends in proptest::array::uniform4(end()),
            families in any::<(bool, bool)>(),
            which in 0_u8..12,
            pool in any::<u8>(),
            from_outside in any::<bool>(),
            remaining in any::<u32>(),
            flip in 0..RECORD * 8,
        ) {
            let address = |ipv6: bool, end: (u32, u128, u16)| {
                let address = if ipv6 {
                    IpAddr::V6(Ipv6Addr::from_bits(end.1))
                } else {
                    IpAddr::V4(Ipv4Addr::from_bits(end.0))
                };
                TransportAddress::new(address, end.2)
            };
            let state = State::ALL.get(usize::from(which)).copied();
            let protocol = match state {
                Some(State::Confirmed | State::Unconfirmed) => Protocol::Icmp,
                Some(_) | None => Protocol::Tcp,
            };
            let tuple = |ipv6, one, other| Tuple {
                protocol,
                source: address(ipv6, one),
                destination: address(ipv6, other),
            };
            let record = Record {
                state,
                pool,
                from_outside,
                inside: tuple(families.0, ends[0], ends[1]),
                outside: tuple(families.1, ends[2], ends[3]),
                remaining: Ticks(remaining),
            };
            let mut bytes = [0; RECORD];
            record.write(&mut bytes);
            prop_assert_eq!(Record::read(&bytes), Some(record));
            bytes[flip / 8] ^= 1 << (flip % 8);
            prop_assert_eq!(Record::read(&bytes), None);
        }
    }
}
