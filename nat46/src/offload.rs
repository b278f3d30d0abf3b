//! What a virtual network device says about a packet, and has to be told about it: the header of
//! virtio-net (Virtual I/O Device 1.3 §5.1.6), as Linux puts it in front of packets of a TUN device.

use core::num::NonZeroU16;

/// Length of [`Offload::encode`], and of what [`Offload::decode`] reads.
///
/// The form with a buffer count has two more bytes, which mean nothing on a TUN device.
pub const HEADER_LEN: usize = 10;

const NEEDS_CHECKSUM: u8 = 1;
const DATA_VALID: u8 = 2;
const GSO_NONE: u8 = 0;
const GSO_TCPV4: u8 = 1;
const GSO_UDP: u8 = 3;
const GSO_TCPV6: u8 = 4;
const GSO_UDP_L4: u8 = 5;
const GSO_ECN: u8 = 0x80;

/// Checksum and segmentation left to the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Offload {
    /// What the transport checksum field holds.
    pub checksum: Checksum,
    /// The packet stands for several segments, that the device makes of it.
    pub segmentation: Option<Segmentation>,
}

/// What the transport checksum field of a packet holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Checksum {
    /// The checksum, which nobody has verified.
    Full,
    /// The checksum, verified by the device.
    Verified,
    /// The folded, not inverted sum of the pseudo header: whoever sends the packet adds the bytes
    /// from `start` on and stores the inverted sum at `start + offset`.
    Partial {
        /// First byte that is summed, counted from the start of the IP header.
        start: u16,
        /// Where the checksum field stands, counted from `start`.
        offset: u16,
    },
}

/// How a super-packet is to be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Segmentation {
    /// What is cut.
    pub kind: SegmentationKind,
    /// Payload bytes of each segment but the last (`gso_size`).
    pub size: NonZeroU16,
    /// Bytes of all headers, repeated in front of each segment (`hdr_len`); a hint.
    pub header_len: u16,
}

/// What the segments of a super-packet are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SegmentationKind {
    /// TCP segments; `ecn` if the first one carries CWR.
    Tcp {
        /// `VIRTIO_NET_HDR_GSO_ECN`
        ecn: bool,
    },
    /// UDP datagrams (`VIRTIO_NET_HDR_GSO_UDP_L4`): each gets a UDP header of its own.
    Udp,
    /// One UDP datagram to be sent as IP fragments (`VIRTIO_NET_HDR_GSO_UDP`).
    UdpFragments,
}

impl Offload {
    /// Nothing is left to the device.
    pub const NONE: Self = Self {
        checksum: Checksum::Full,
        segmentation: None,
    };

    /// Reads the header in front of a packet; `little_endian` as agreed with the device (a TUN
    /// device uses the byte order of the host). `None` for a kind of segmentation that is not known.
    #[must_use]
    pub fn decode(header: &[u8; HEADER_LEN], little_endian: bool) -> Option<Self> {
        let [flags, gso_type, h0, h1, s0, s1, c0, c1, o0, o1] = *header;
        let word = |a, b| {
            if little_endian {
                u16::from_le_bytes([a, b])
            } else {
                u16::from_be_bytes([a, b])
            }
        };
        let checksum = if flags & NEEDS_CHECKSUM != 0 {
            Checksum::Partial {
                start: word(c0, c1),
                offset: word(o0, o1),
            }
        } else if flags & DATA_VALID != 0 {
            Checksum::Verified
        } else {
            Checksum::Full
        };
        let ecn = gso_type & GSO_ECN != 0;
        let kind = match gso_type & !GSO_ECN {
            GSO_NONE => {
                return Some(Self {
                    checksum,
                    segmentation: None,
                });
            }
            GSO_TCPV4 | GSO_TCPV6 => SegmentationKind::Tcp { ecn },
            GSO_UDP => SegmentationKind::UdpFragments,
            GSO_UDP_L4 => SegmentationKind::Udp,
            _ => return None,
        };
        let size = NonZeroU16::new(word(s0, s1))?;
        let segmentation = Some(Segmentation {
            kind,
            size,
            header_len: word(h0, h1),
        });
        Some(Self {
            checksum,
            segmentation,
        })
    }

    /// The header to put in front of a packet whose IP version is 6 if `ipv6`, else 4.
    #[must_use]
    pub fn encode(&self, ipv6: bool, little_endian: bool) -> [u8; HEADER_LEN] {
        let word = |value: u16| {
            if little_endian {
                value.to_le_bytes()
            } else {
                value.to_be_bytes()
            }
        };
        let (flags, start, offset) = match self.checksum {
            Checksum::Full => (0, 0, 0),
            Checksum::Verified => (DATA_VALID, 0, 0),
            Checksum::Partial { start, offset } => (NEEDS_CHECKSUM, start, offset),
        };
        let (gso_type, size, header_len) = match self.segmentation {
            None => (GSO_NONE, 0, 0),
            Some(Segmentation {
                kind,
                size,
                header_len,
            }) => {
                let gso_type = match kind {
                    SegmentationKind::Tcp { ecn } => {
                        (if ipv6 { GSO_TCPV6 } else { GSO_TCPV4 }) | if ecn { GSO_ECN } else { 0 }
                    }
                    SegmentationKind::Udp => GSO_UDP_L4,
                    SegmentationKind::UdpFragments => GSO_UDP,
                };
                (gso_type, size.get(), header_len)
            }
        };
        let ([h0, h1], [s0, s1]) = (word(header_len), word(size));
        let ([c0, c1], [o0, o1]) = (word(start), word(offset));
        [flags, gso_type, h0, h1, s0, s1, c0, c1, o0, o1]
    }

    /// The packet's transport checksum field holds only the sum of the pseudo header.
    #[must_use]
    pub const fn is_partial(&self) -> bool {
        matches!(self.checksum, Checksum::Partial { .. })
    }

    /// Nothing is left to the device, and it has said nothing.
    #[inline]
    #[must_use]
    pub(crate) const fn is_plain(&self) -> bool {
        matches!(self.checksum, Checksum::Full | Checksum::Verified) && self.segmentation.is_none()
    }

    /// The same for a packet whose headers in front of the transport changed from `old` to `new`
    /// bytes.
    #[must_use]
    pub(crate) fn moved(mut self, old: u16, new: u16) -> Self {
        let shift = |value: u16| value.wrapping_sub(old).wrapping_add(new);
        if let Checksum::Partial { start, .. } = &mut self.checksum {
            *start = shift(*start);
        }
        if let Some(segmentation) = &mut self.segmentation {
            segmentation.header_len = segmentation
                .header_len
                .saturating_add(new)
                .saturating_sub(old);
        }
        self
    }
}
