//! ICMP errors: a message whose payload is a packet of the other direction (RFC 7915 §4.2-4.3, §5.2-5.3).

use core::net::Ipv6Addr;
use core::time::Duration;

use super::header::{self, DONT_FRAGMENT, Ipv4, Ipv6, fragment_flags};
use super::interface;
use super::reply::write_icmp;
use super::table::{self, Icmp};
use super::transport::{checksum_place, echo_delta, echo_kind, nonzero, port_delta, pseudo_header};
use super::{LONGEST_WITHOUT_DF, Translator, address, foreign, matches_buffer, other_family};
use crate::bytes::{get16, put16};
use crate::checksum::{Sum, update};
use crate::offload::{Checksum, Offload};
use crate::packet::{
    Addresses, FRAGMENT_HEADER, Fragmentation, IPV4_HEADER, IPV6_HEADER, Packet, Quoted,
    QuotedTransport, protocol, v4, v6,
};
use crate::{DropReason, ErrorRewrite, Links, PacketBuf, Rewrite, Verdict};

const ICMP_HEADER: usize = 8;
/// RFC 4884 §4: a quote in front of an extension has at least this length.
const LEAST_QUOTE: usize = 128;
/// What an error grows by at most, to tell its source: a quote of 28 bytes, padded, and the extension.
const REVEAL_ROOM: usize = LEAST_QUOTE - 28 + interface::EXTENSION_LEN;

/// What becomes of the quoted packet.
struct Quote {
    quoted: Quoted,
    to: Addresses,
    /// Bytes of its new IP header.
    header_len: usize,
    /// Bytes behind its IP header that stay.
    payload_len: usize,
    /// Extension structure, and the zeros in front of it; 0 for none.
    extension_len: usize,
    padding: usize,
    /// The extension is made here, and tells this source.
    revealed: Option<Ipv6Addr>,
}

impl Translator {
    /// Gives an ICMP error, and the packet that it quotes, new addresses, in its own family or the other.
    pub fn rewrite_error(
        &mut self,
        now: Duration,
        packet: &Packet,
        rewrite: &ErrorRewrite,
        links: Links,
        buf: &mut PacketBuf<'_>,
    ) -> Verdict {
        let quoted = &rewrite.quoted;
        let (Some(to), Some(inner)) = (
            Addresses::new(rewrite.source, rewrite.destination),
            Addresses::new(quoted.source, quoted.destination),
        ) else {
            return Verdict::Drop(DropReason::MixedFamilies);
        };
        if to.is_ipv6() != inner.is_ipv6() {
            return Verdict::Drop(DropReason::MixedFamilies);
        }
        if !matches_buffer(packet, buf) {
            return Verdict::Drop(DropReason::Mismatch);
        }
        let Some(found) = packet.quoted(buf.as_bytes()) else {
            return Verdict::Drop(DropReason::UntranslatableIcmp);
        };
        let crosses = packet.is_ipv6() != to.is_ipv6();
        if let Some(reason) = unforwardable(packet, to, crosses) {
            return Verdict::Drop(reason);
        }
        if !checksum_is_right(packet, buf) {
            return Verdict::Drop(DropReason::IcmpChecksum);
        }
        if let Some(verdict) = self.obstructed(now, packet, crosses, buf) {
            return verdict;
        }
        if !quotable(&found, crosses) {
            return Verdict::Drop(DropReason::UntranslatableQuote);
        }
        let icmp = match (packet.is_ipv6(), to.is_ipv6()) {
            (false, true) => table::to_ipv6(&found, links),
            (true, false) => table::to_ipv4(&found, links),
            (false, false) | (true, true) => Some(Icmp {
                kind: found.kind,
                code: found.code,
                word: found.word,
            }),
        };
        let Some(icmp) = icmp else {
            return Verdict::Drop(DropReason::UntranslatableIcmp);
        };
        let has_room = buf.headroom() + buf.tailroom() >= REVEAL_ROOM;
        let reveal = rewrite.reveal_source && has_room;
        let Some(quote) = Quote::plan(packet, found, inner, reveal, icmp, links) else {
            return Verdict::Drop(DropReason::TooLong);
        };
        // From the tail to the head: what is in front is not touched by what moves behind it.
        if quote.write_tail(packet, buf).is_none() {
            return Verdict::Drop(DropReason::NoRoom);
        }
        quote.write_transport(quoted, buf);
        if crosses {
            let outer = if to.is_ipv6() {
                IPV6_HEADER
            } else {
                IPV4_HEADER
            };
            let old = usize::from(found.start) + usize::from(found.header_len);
            if buf
                .reframe(old, outer + ICMP_HEADER + quote.header_len)
                .is_none()
            {
                return Verdict::Drop(DropReason::NoRoom);
            }
            self.write_quoted_header(&quote, outer + ICMP_HEADER, buf.as_bytes_mut());
            self.write_outer_header(packet, to, buf.as_bytes_mut());
            finish(outer, to, quote.with_length(icmp), buf.as_bytes_mut());
        } else {
            let at = usize::from(found.start);
            readdress(
                inner,
                0,
                buf.as_bytes_mut().get_mut(at..).unwrap_or_default(),
            );
            readdress(to, 1, buf.as_bytes_mut());
            set_length(buf.as_bytes_mut());
            finish(
                packet.transport_offset(),
                to,
                quote.with_length(icmp),
                buf.as_bytes_mut(),
            );
        }
        buf.set_offload(Offload::NONE);
        Verdict::Forward
    }

    fn write_outer_header(&mut self, packet: &Packet, to: Addresses, bytes: &mut [u8]) {
        let class = self.class(packet.traffic_class());
        match to {
            Addresses::V6 {
                source,
                destination,
            } => Ipv6 {
                traffic_class: class,
                payload_len: (bytes.len() - IPV6_HEADER) as u16,
                next_header: protocol::ICMPV6,
                hop_limit: packet.hop_limit() - 1,
                source,
                destination,
            }
            .write(bytes),
            Addresses::V4 {
                source,
                destination,
            } => {
                let len = bytes.len();
                let (identification, flags) = self.fragmentation(packet.fragmentation, len);
                Ipv4 {
                    tos: class,
                    total_len: len as u16,
                    identification,
                    flags,
                    ttl: packet.hop_limit() - 1,
                    protocol: protocol::ICMP,
                    source,
                    destination,
                }
                .write(bytes);
            }
        }
    }

    /// The quoted header: like any other, but its hop limit stays, and its length is the one that it
    /// claims, whatever is there of it.
    fn write_quoted_header(&self, quote: &Quote, at: usize, bytes: &mut [u8]) {
        let quoted = &quote.quoted;
        let bytes = bytes.get_mut(at..).unwrap_or_default();
        let claimed = quoted.len as usize - usize::from(quoted.header_len);
        let class = self.class(quoted.traffic_class);
        match quote.to {
            Addresses::V6 {
                source,
                destination,
            } => {
                let header = Ipv6 {
                    traffic_class: class,
                    payload_len: (claimed + quote.header_len - IPV6_HEADER) as u16,
                    next_header: other_family(quoted.protocol),
                    hop_limit: quoted.hop_limit,
                    source,
                    destination,
                };
                match quoted.fragment() {
                    None => header.write(bytes),
                    Some(fragment) => header.write_fragment(fragment, bytes),
                }
            }
            Addresses::V4 {
                source,
                destination,
            } => {
                let total_len = claimed + IPV4_HEADER;
                let (identification, flags) = match quoted.fragmentation {
                    Fragmentation::Fragment(fragment) => {
                        (fragment.identification as u16, fragment_flags(fragment))
                    }
                    Fragmentation::Atomic { identification } => (identification as u16, 0),
                    Fragmentation::Whole if total_len > LONGEST_WITHOUT_DF => (0, DONT_FRAGMENT),
                    Fragmentation::Whole => (0, 0),
                };
                Ipv4 {
                    tos: class,
                    total_len: total_len as u16,
                    identification,
                    flags,
                    ttl: quoted.hop_limit,
                    protocol: other_family(quoted.protocol),
                    source,
                    destination,
                }
                .write(bytes);
            }
        }
    }
}

impl Quote {
    /// How much of the quote and of its extension fits; `None` if not even the headers do, or the
    /// quoted packet is longer than its new family allows.
    fn plan(
        packet: &Packet,
        quoted: Quoted,
        to: Addresses,
        reveal_source: bool,
        icmp: Icmp,
        links: Links,
    ) -> Option<Self> {
        let crosses = packet.is_ipv6() != to.is_ipv6();
        let old_header = usize::from(quoted.header_len);
        let header_len = match (crosses, to.is_ipv6()) {
            (false, _) => old_header,
            (true, true) => IPV6_HEADER + quoted.fragment().map_or(0, |_| FRAGMENT_HEADER),
            (true, false) => IPV4_HEADER,
        };
        let claimed = (quoted.len as usize).checked_sub(old_header)?;
        let least = if to.is_ipv6() { IPV6_HEADER } else { 0 };
        if claimed + header_len - least > usize::from(u16::MAX) {
            return None;
        }
        let outer = match (crosses, to.is_ipv6()) {
            (false, _) => packet.transport_offset(),
            (true, true) => IPV6_HEADER,
            (true, false) => IPV4_HEADER,
        };
        // Errors have a greatest length of their own (translation 3.22); in the family they keep theirs.
        let longest = match (crosses, to.is_ipv6()) {
            (false, _) => packet.len(),
            (true, true) => 1280,
            (true, false) => 576,
        };
        let room = longest
            .min(links.mtu_out as usize)
            .checked_sub(outer + ICMP_HEADER)?;
        let mut payload_len = usize::from(quoted.present).checked_sub(old_header)?;
        let mut quote = Self {
            quoted,
            to,
            header_len,
            payload_len,
            extension_len: 0,
            padding: 0,
            revealed: None,
        };
        let revealed = match packet.addresses {
            Addresses::V6 { source, .. }
                if reveal_source && crosses && quoted.extension.is_none() =>
            {
                Some(source)
            }
            Addresses::V4 { .. } | Addresses::V6 { .. } => None,
        };
        let extension_len = match (quoted.extension, revealed) {
            (Some(at), _) => Some(packet.len().checked_sub(at.into())?),
            (None, Some(_)) => Some(interface::EXTENSION_LEN),
            (None, None) => None,
        };
        if let (Some(extension_len), Some((unit, most))) =
            (extension_len, lengths(to.is_ipv6(), icmp))
        {
            // Shorten the quote before the extension (translation 3.25), but not below its least.
            let space = room.saturating_sub(extension_len).min(most) / unit * unit;
            if space >= LEAST_QUOTE && space >= header_len {
                payload_len = payload_len.min(space - header_len);
                let len = header_len + payload_len;
                let padded = len.max(LEAST_QUOTE).next_multiple_of(unit);
                quote.extension_len = extension_len;
                quote.revealed = revealed;
                quote.padding = padded - len;
            }
        }
        if quote.extension_len == 0 {
            payload_len = payload_len.min(room.checked_sub(header_len)?);
        }
        quote.payload_len = payload_len;
        Some(quote)
    }

    /// Moves the extension behind the quote, and ends the packet there.
    fn write_tail(&self, packet: &Packet, buf: &mut PacketBuf<'_>) -> Option<()> {
        let payload_end =
            usize::from(self.quoted.start) + usize::from(self.quoted.header_len) + self.payload_len;
        if self.extension_len == 0 {
            buf.truncate(payload_end);
            return Some(());
        }
        let to = payload_end + self.padding;
        let end = to + self.extension_len;
        if end > packet.len() {
            buf.extend(end)?;
        }
        if let Some(source) = self.revealed {
            let extension = buf.as_bytes_mut().get_mut(to..end)?;
            extension.copy_from_slice(&interface::extension(source));
        } else {
            let from = usize::from(self.quoted.extension?);
            let start = buf.range().start;
            buf.copy_within(start + from..start + from + self.extension_len, start + to)?;
        }
        buf.truncate(end);
        buf.as_bytes_mut().get_mut(payload_end..to)?.fill(0);
        Some(())
    }

    /// Ports and checksum behind the quoted header, as far as they are there: never verified, never
    /// computed anew (RFC 7915 §4.3, §5.3).
    fn write_transport(&self, rewrite: &Rewrite, buf: &mut PacketBuf<'_>) {
        let quoted = &self.quoted;
        let at = usize::from(quoted.start) + usize::from(quoted.header_len);
        let end = at + self.payload_len;
        let body = buf.as_bytes_mut().get_mut(at..end).unwrap_or_default();
        let addresses = self.to.sum().minus(quoted.addresses.sum());
        let (place, delta) = match quoted.transport {
            QuotedTransport::Ports {
                source,
                destination,
            } => {
                let new = (rewrite.source_port, rewrite.destination_port);
                put16(body, 0, new.0);
                put16(body, 2, new.1);
                (
                    checksum_place(quoted.protocol),
                    addresses.plus(port_delta((source, destination), new)),
                )
            }
            QuotedTransport::Echo {
                identifier,
                request,
            } => {
                let len = quoted.len as usize - usize::from(quoted.header_len);
                let new = rewrite.source_port;
                put16(body, 4, new);
                if let Some(kind) = body.first_mut() {
                    *kind = echo_kind(self.to.is_ipv6(), request);
                }
                let delta = echo_delta(quoted.addresses, self.to, len, request);
                (Some(2), delta.plus(port_delta((identifier, 0), (new, 0))))
            }
            QuotedTransport::Icmp { .. } => (None, Sum::ZERO),
            QuotedTransport::Opaque => {
                let first = quoted.fragment().is_none_or(|fragment| fragment.is_first());
                (checksum_place(quoted.protocol).filter(|_| first), addresses)
            }
        };
        if let Some(place) = place
            && let Some(field) = get16(body, place)
            && !(quoted.protocol == protocol::UDP && field == 0)
        {
            put16(
                body,
                place,
                nonzero(quoted.protocol, update(field, delta.folded())),
            );
        }
    }

    /// The message's head, with the length of the quote where an extension follows (RFC 4884 §4).
    fn with_length(&self, icmp: Icmp) -> Icmp {
        let (place, unit) = if self.to.is_ipv6() { (24, 8) } else { (16, 4) };
        let has_field = lengths(self.to.is_ipv6(), icmp).is_some();
        let mut word = icmp.word;
        if has_field {
            word &= !(0xff << place);
        }
        if self.extension_len > 0 {
            let units = (self.header_len + self.payload_len + self.padding) / unit;
            word |= (units as u32) << place;
        }
        Icmp { word, ..icmp }
    }
}

/// Unit and greatest length of a quote in front of an extension; `None` for types that have none.
const fn lengths(ipv6: bool, icmp: Icmp) -> Option<(usize, usize)> {
    match (ipv6, icmp.kind) {
        (true, v6::UNREACHABLE | v6::TIME_EXCEEDED) => Some((8, 2040)),
        (false, v4::UNREACHABLE | v4::TIME_EXCEEDED | v4::PARAMETER_PROBLEM) => Some((4, 1020)),
        _ => None,
    }
}

fn unforwardable(packet: &Packet, to: Addresses, crosses: bool) -> Option<DropReason> {
    if packet.fragment().is_some() {
        return Some(DropReason::FragmentedIcmp);
    }
    // §4.1: errors of routers with an address that no host has are translated all the same.
    let source = if crosses && to.is_ipv6() {
        None
    } else {
        address::illegal_source(packet)
    };
    source.or_else(|| address::illegal_destination(packet))
}

/// A corrupt error must not become a valid one (translation 3.11).
fn checksum_is_right(packet: &Packet, buf: &PacketBuf<'_>) -> bool {
    if !matches!(buf.offload().checksum, Checksum::Full) {
        return true;
    }
    let message = buf
        .as_bytes()
        .get(packet.transport_offset()..)
        .unwrap_or_default();
    let pseudo = if packet.is_ipv6() {
        pseudo_header(packet.addresses, message.len())
    } else {
        Sum::ZERO
    };
    pseudo.bytes(message).folded() == 0xffff
}

/// RFC 7915 §4.3 and §5.3: translation stops at the first quoted packet, which is no ICMP error itself.
fn quotable(quoted: &Quoted, crosses: bool) -> bool {
    if matches!(quoted.transport, QuotedTransport::Icmp { .. }) {
        return false;
    }
    if !crosses {
        return true;
    }
    let ipv6 = matches!(quoted.addresses, Addresses::V6 { .. });
    let icmp = if ipv6 {
        protocol::ICMPV6
    } else {
        protocol::ICMP
    };
    // A piece of an ICMP message cannot have passed a translator; one without its identifier has
    // nothing that could be translated.
    let lone_icmp = quoted.protocol == icmp
        && (quoted.fragment().is_some()
            || !matches!(quoted.transport, QuotedTransport::Echo { .. }));
    !quoted.obstructed && !lone_icmp && !foreign(ipv6, quoted.protocol)
}

fn readdress(to: Addresses, age: u8, bytes: &mut [u8]) {
    match to {
        Addresses::V4 {
            source,
            destination,
        } => {
            header::readdress_v4(bytes, source, destination, age);
        }
        Addresses::V6 {
            source,
            destination,
        } => {
            header::readdress_v6(bytes, source, destination, age);
        }
    }
}

/// The length of an error that stayed in its family, which may have been cut.
pub(super) fn set_length(bytes: &mut [u8]) {
    let len = bytes.len();
    match bytes.first().map_or(0, |byte| byte >> 4) {
        4 => {
            let (Some(old), Some(checksum)) = (get16(bytes, 2), get16(bytes, 10)) else {
                return;
            };
            let delta = port_delta((old, 0), (len as u16, 0));
            put16(bytes, 2, len as u16);
            put16(bytes, 10, update(checksum, delta.folded()));
        }
        _ => put16(bytes, 4, (len - IPV6_HEADER) as u16),
    }
}

/// The ICMP header at `at`, and the checksum over all that follows.
fn finish(at: usize, to: Addresses, icmp: Icmp, bytes: &mut [u8]) {
    let message = bytes.get_mut(at..).unwrap_or_default();
    let pseudo = if to.is_ipv6() {
        pseudo_header(to, message.len())
    } else {
        Sum::ZERO
    };
    write_icmp(icmp.kind, icmp.code, icmp.word, pseudo, message);
}
