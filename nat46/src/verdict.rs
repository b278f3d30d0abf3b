//! What is asked of the translator, and what becomes of a packet.

use core::net::IpAddr;

use crate::Pieces;

/// New addresses and ports of a packet.
///
/// Their family decides the way: another than the packet's translates (RFC 7915), the same rewrites in
/// place. For ICMP queries the identifier stands in both ports, of which the source's is taken. Ports
/// are ignored where a packet has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rewrite {
    /// New source address.
    pub source: IpAddr,
    /// New destination address, of the same family.
    pub destination: IpAddr,
    /// New source port.
    pub source_port: u16,
    /// New destination port.
    pub destination_port: u16,
}

/// New addresses of an ICMP error, and of the packet that it quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ErrorRewrite {
    /// New source address of the error.
    pub source: IpAddr,
    /// New destination address of the error, of the same family.
    pub destination: IpAddr,
    /// New addresses and ports of the quoted packet, in its own direction: the reverse of the error's.
    pub quoted: Rewrite,
    /// From IPv6 to IPv4: tell the error's IPv6 source in an Interface Information Object (RFC 5837),
    /// since `source` is a stand-in for a router that has no IPv4 address (RFC 6791 §4). Left out if the
    /// lent buffer has less than 128 bytes of room around the packet.
    pub reveal_source: bool,
}

/// Maximum transmission units in bytes of the links that a packet comes from and leaves by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Links {
    /// Of the link it came from.
    pub mtu_in: u32,
    /// Of the link it leaves by.
    pub mtu_out: u32,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// The buffer holds the packet as it leaves.
    Forward,
    /// The packet leaves in several pieces: `while pieces.next(&mut buf) { send(buf.as_bytes()) }`.
    Split(Pieces),
    /// The buffer holds this ICMP error, to be sent to the packet's sender.
    Reply(IcmpError),
    /// Nothing leaves.
    Drop(DropReason),
}

/// An ICMP error, named as what it reports (RFC 792, RFC 4443; RFC 7915 §4.4, §5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IcmpError {
    /// TTL or hop limit exceeded: 11/0, 3/0.
    TimeExceeded,
    /// Fragmentation needed or packet too big: 3/4, 2/0.
    TooBig {
        /// The greatest packet, in the sender's family, that would pass; an IPv6 sender is told no less
        /// than 1280 (RFC 8021), an IPv4 sender no less than 68.
        mtu: u32,
    },
    /// No route: 3/0, 1/0.
    NoRoute,
    /// Host unreachable: 3/1, 1/3.
    HostUnreachable,
    /// Communication administratively prohibited: 3/13, 1/1.
    AdminProhibited,
    /// Protocol unreachable: 3/2; to IPv6 1/4 (RFC 6146 §3.4).
    ProtocolUnreachable,
    /// Port unreachable: 3/3, 1/4.
    PortUnreachable,
    /// Source route failed: 3/5; to IPv6 4/0 at the Segments Left of its Routing header.
    SourceRouteFailed {
        /// Where it stands in the packet; not told to IPv4.
        pointer: u16,
    },
}

/// Why nothing leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// The bytes in the buffer are not those that were parsed.
    Mismatch,
    /// The new addresses are of two families.
    MixedFamilies,
    /// Neither head- nor tailroom for the new header.
    NoRoom,
    /// Source that no packet may have: unspecified, loopback, multicast, broadcast, link-local
    /// (RFC 1812 §5.3.7).
    IllegalSource,
    /// Destination that is not routed: the same.
    IllegalDestination,
    /// A protocol number that means something else in the other family.
    UntranslatableProtocol,
    /// An ICMP message that has no counterpart (RFC 7915 §4.2, §5.2), or that is single-hop.
    UntranslatableIcmp,
    /// A quoted packet that cannot be translated: cut too short, an ICMP error itself, a fragment of
    /// an ICMP message (RFC 7915 §4.3, §5.3).
    UntranslatableQuote,
    /// A fragment of an ICMP message: its checksum covers the length of the whole (RFC 7915 §1.2).
    FragmentedIcmp,
    /// The checksum of an ICMP error is wrong.
    IcmpChecksum,
    /// UDP without a checksum, which IPv6 does not allow and nobody could compute (RFC 7915 §4.5).
    /// To be logged with addresses and ports.
    UdpWithoutChecksum,
    /// An extension header behind a Fragment header (RFC 7915 §5.1.1).
    HeaderBehindFragment,
    /// Longer than the other family's longest packet.
    TooLong,
    /// Offload metadata that does not fit the packet.
    Offload,
    /// An address has no counterpart in the other family.
    Unmapped,
    /// The error was owed, but errors are limited in rate (RFC 4443 §2.4 (f), RFC 1812 §4.3.2.8).
    ErrorRateLimited(IcmpError),
    /// The error would have been due, but none may be sent about this packet (RFC 4443 §2.4 (e),
    /// RFC 1812 §4.3.2.7).
    ErrorNotAllowed(IcmpError),
}
