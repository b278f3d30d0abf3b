//! Segmentation offload (Virtual I/O Device 1.3 §5.1.6). Points 7.1 to 7.8.

use core::num::NonZeroU16;

use nat46::offload::{Checksum, HEADER_LEN, Offload, Segmentation, SegmentationKind};
use nat46::{DropReason, IcmpError};

use crate::lab::{Lab, Out};
use crate::packets::{MF, V4, V6, icmp, read, sum, tcp, udp};

fn segments(kind: SegmentationKind, size: u16, header_len: u16) -> Option<Segmentation> {
    Some(Segmentation {
        kind,
        size: NonZeroU16::new(size).unwrap(),
        header_len,
    })
}

const TCP: SegmentationKind = SegmentationKind::Tcp { ecn: false };

/// The packet with what its device has left to do: the sum of the pseudo header alone.
fn partial4(packet: &mut V4) -> Checksum {
    let at = if packet.protocol == 6 { 16 } else { 6 };
    let pseudo = pseudo(
        &[packet.source.octets(), packet.destination.octets()].concat(),
        packet.protocol,
        packet.body.len(),
    );
    packet.body[at..at + 2].copy_from_slice(&pseudo.to_be_bytes());
    Checksum::Partial {
        start: 20 + packet.options.len() as u16,
        offset: at as u16,
    }
}

fn partial6(packet: &mut V6) -> Checksum {
    let at = if packet.protocol == 6 { 16 } else { 6 };
    let pseudo = pseudo(
        &[packet.source.octets(), packet.destination.octets()].concat(),
        packet.protocol,
        packet.body.len(),
    );
    packet.body[at..at + 2].copy_from_slice(&pseudo.to_be_bytes());
    Checksum::Partial {
        start: 40,
        offset: at as u16,
    }
}

fn pseudo(addresses: &[u8], protocol: u8, len: usize) -> u16 {
    sum(&[addresses, &(len as u32).to_be_bytes(), &[0, 0, 0, protocol]].concat())
}

/// What the device does with what was left to it.
fn finish(mut packet: Vec<u8>, offload: Offload) -> Vec<u8> {
    if let Checksum::Partial { start, offset } = offload.checksum {
        let (start, offset) = (usize::from(start), usize::from(offset));
        let checksum = !sum(&packet[start..]);
        packet[start + offset..start + offset + 2].copy_from_slice(&checksum.to_be_bytes());
    }
    packet
}

/// 7.1: every field of the header, in both byte orders.
#[test]
fn virtio_5_1_6_the_header_is_read_and_written() {
    let offload = Offload {
        checksum: Checksum::Partial {
            start: 40,
            offset: 16,
        },
        segmentation: segments(SegmentationKind::Tcp { ecn: true }, 1400, 60),
    };
    assert_eq!(
        offload.encode(true, true),
        [1, 0x84, 60, 0, 0x78, 0x05, 40, 0, 16, 0]
    );
    assert_eq!(
        offload.encode(false, false),
        [1, 0x81, 0, 60, 0x05, 0x78, 0, 40, 0, 16]
    );
    for little_endian in [true, false] {
        for (ipv6, flags, kind) in [(false, 0, 0), (true, 2, 0), (false, 1, 5), (true, 1, 3)] {
            let mut header = [0; HEADER_LEN];
            (header[0], header[1]) = (flags, kind);
            header[4..6].fill(u8::from(kind != 0));
            let read = Offload::decode(&header, little_endian).unwrap();
            assert_eq!(read.encode(ipv6, little_endian), header);
        }
    }
    assert!(Offload::decode(&[0, 9, 0, 0, 1, 1, 0, 0, 0, 0], true).is_none());
    assert!(Offload::decode(&[0, 1, 0, 0, 0, 0, 0, 0, 0, 0], true).is_none());
}

/// 7.2, 7.3: a super-packet crosses whole, and its checksum is left to the device.
#[test]
fn virtio_5_1_6_a_super_packet_crosses_whole() {
    for ecn in [false, true] {
        let kind = SegmentationKind::Tcp { ecn };
        let mut packet = V4::new(6, tcp(0x18, &[6; 40_000]));
        let checksum = partial4(&mut packet);
        let lab = Lab {
            offload: Offload {
                checksum,
                segmentation: segments(kind, 1400, 40),
            },
            ..Lab::default()
        };
        let (out, offload) = lab.translate_offloaded(&packet.bytes());
        assert_eq!(offload.segmentation, segments(kind, 1400, 60));
        let new = read(&finish(out.packet(), offload));
        assert!(new.checksum_is_right());
        assert_eq!(new.body.len(), 40_020);

        let mut packet = V6::new(6, tcp(0x18, &[6; 40_000]));
        let checksum = partial6(&mut packet);
        let lab = Lab {
            offload: Offload {
                checksum,
                segmentation: segments(kind, 1400, 60),
            },
            ..lab
        };
        let (out, offload) = lab.translate_offloaded(&packet.bytes());
        assert_eq!(offload.segmentation, segments(kind, 1400, 40));
        let new = read(&finish(out.packet(), offload));
        assert!(new.checksum_is_right() && new.df);
    }
}

/// 7.3: a partial checksum of zero is no missing one; metadata must speak of this packet.
#[test]
fn virtio_5_1_6_metadata_that_does_not_fit_is_refused() {
    for body in [udp(b"data"), tcp(0x10, b"data")] {
        let protocol = if body.len() == 12 { 17 } else { 6 };
        let mut packet = V4::new(protocol, body);
        let checksum = partial4(&mut packet);
        let Checksum::Partial { start, offset } = checksum else {
            unreachable!()
        };
        let bytes = packet.bytes();
        let mut lab = Lab::default();
        lab.offload.checksum = checksum;
        let (out, offload) = lab.translate_offloaded(&bytes);
        assert!(read(&finish(out.packet(), offload)).checksum_is_right());
        for (start, offset) in [
            (start + 1, offset),
            (start, offset + 2),
            (0, offset),
            (u16::MAX, u16::MAX),
        ] {
            lab.offload.checksum = Checksum::Partial { start, offset };
            let wanted = Out::Drop(DropReason::Offload);
            assert_eq!(lab.translate(&bytes), wanted, "{start} {offset}");
        }
    }
    // 7.8: segmentation of a fragment.
    let mut packet = V4::new(17, udp(&[0; 16])).sealed();
    packet.flags = MF;
    let mut lab = Lab::default();
    lab.offload.segmentation = segments(SegmentationKind::Udp, 8, 28);
    assert_eq!(
        lab.translate(&packet.bytes()),
        Out::Drop(DropReason::Offload)
    );
}

/// 7.3: ICMP has a pseudo header in one family only, so its checksum is finished here.
#[test]
fn virtio_5_1_6_a_partial_checksum_of_icmp_is_finished() {
    let packet = V4::new(1, icmp(8, 0, 7, b"ping"));
    let mut lab = Lab::default();
    lab.offload.checksum = Checksum::Partial {
        start: 20,
        offset: 2,
    };
    let (out, offload) = lab.translate_offloaded(&packet.bytes());
    assert_eq!(offload, Offload::NONE);
    assert!(read(&out.packet()).checksum_is_right());
}

/// 7.4, 7.5: judged by its segments, which are lowered for TCP and reported for UDP.
#[test]
fn virtio_5_1_6_a_super_packet_is_judged_by_its_segments() {
    let lab = |kind, size, header_len, checksum| Lab {
        mtu6: 1500,
        offload: Offload {
            checksum,
            segmentation: segments(kind, size, header_len),
        },
        ..Lab::default()
    };
    let mut packet = V4::new(6, tcp(0x10, &[6; 20_000]));
    let checksum = partial4(&mut packet);
    for (size, wanted) in [(1440, 1440), (1441, 1440), (1460, 1440)] {
        let (out, offload) = lab(TCP, size, 40, checksum).translate_offloaded(&packet.bytes());
        assert_eq!(offload.segmentation, segments(TCP, wanted, 60));
        assert!(read(&finish(out.packet(), offload)).checksum_is_right());
    }
    let mut packet = V4::new(17, udp(&[6; 20_000]));
    let checksum = partial4(&mut packet);
    let kind = SegmentationKind::Udp;
    assert!(matches!(
        lab(kind, 1452, 28, checksum).translate(&packet.bytes()),
        Out::Packet(_)
    ));
    let (error, _) = lab(kind, 1453, 28, checksum)
        .translate(&packet.bytes())
        .reply();
    assert_eq!(error, IcmpError::TooBig { mtu: 1480 });
}

/// 7.6: longer than IPv4 allows.
#[test]
fn virtio_5_1_6_a_super_packet_too_long_for_ipv4_is_dropped_or_split() {
    for payload in [65_495, 65_496, 65_515] {
        let mut packet = V6::new(6, tcp(0x10, &vec![6; payload]));
        let checksum = partial6(&mut packet);
        let lab = Lab {
            offload: Offload {
                checksum,
                segmentation: segments(TCP, 1400, 60),
            },
            ..Lab::default()
        };
        let (out, offload) = lab.translate_offloaded(&packet.bytes());
        assert!(super_packets(out, offload, payload), "{payload}");
    }
}

/// 7.6: sequence numbers go on, FIN and PSH are the last one's, CWR is the first one's.
#[test]
fn rfc9293_3_1_the_halves_of_a_super_packet_are_segments_in_a_row() {
    let mut packet = V6::new(6, tcp(0x99, &vec![6; 65_515]));
    let checksum = partial6(&mut packet);
    let lab = Lab {
        offload: Offload {
            checksum,
            segmentation: segments(TCP, 1400, 60),
        },
        ..Lab::default()
    };
    let pieces = lab.translate(&packet.bytes()).pieces();
    let [first, last] = &pieces[..] else {
        panic!("{} pieces", pieces.len());
    };
    let (first, last) = (read(first), read(last));
    assert_eq!(first.body.len() - 20, 24 * 1400, "half of 47 segments");
    let sequence =
        |read: &crate::packets::Read| u32::from(read.word(4)) << 16 | u32::from(read.word(6));
    assert_eq!(sequence(&last), sequence(&first) + 24 * 1400);
    assert_eq!((first.body[13], last.body[13]), (0x90, 0x19));
}

/// One super-packet, or several, that carry `payload` bytes with checksums right.
fn super_packets(out: Out, offload: Offload, payload: usize) -> bool {
    let packets = match out {
        Out::Packet(packet) => vec![packet],
        Out::Pieces(pieces) => pieces,
        _ => return false,
    };
    let mut carried = 0;
    for packet in packets {
        let new = read(&finish(packet, offload));
        assert!(new.checksum_is_right());
        assert_eq!(new.fragment, None);
        carried += new.body.len() - 20;
    }
    carried == payload
}

/// 7.7: finished before a packet is split or quoted.
#[test]
fn virtio_5_1_6_a_partial_checksum_is_finished_before_the_packet_is_split() {
    let mut packet = V4::new(17, udp(&[6; 1400]));
    packet.flags = 0;
    let checksum = partial4(&mut packet);
    let mut lab = Lab::default();
    lab.offload.checksum = checksum;
    let (out, offload) = lab.translate_offloaded(&packet.bytes());
    assert!(!offload.is_partial());
    let pieces = out.pieces();
    let mut whole = read(&pieces[0]);
    whole.body = pieces.iter().flat_map(|piece| read(piece).body).collect();
    assert!(whole.checksum_is_right());
}

/// 7.7: a quote is of one segment, as it would have been sent.
#[test]
fn virtio_5_1_6_an_error_quotes_one_segment_of_a_super_packet() {
    for (protocol, header) in [(17, 28), (6, 40)] {
        let body = if protocol == 6 {
            tcp(0x10, &[6; 20_000])
        } else {
            udp(&[6; 20_000])
        };
        let mut packet = V4::new(protocol, body);
        packet.ttl = 1;
        let checksum = partial4(&mut packet);
        let kind = if protocol == 6 {
            TCP
        } else {
            SegmentationKind::Udp
        };
        let lab = Lab {
            offload: Offload {
                checksum,
                segmentation: segments(kind, 400, header),
            },
            ..Lab::default()
        };
        let (out, offload) = lab.translate_offloaded(&packet.bytes());
        assert_eq!(offload, Offload::NONE);
        let reply = read(&out.reply().1);
        assert!(reply.checksum_is_right());
        let quoted = read(&reply.body[8..]);
        assert_eq!(quoted.len, usize::from(header) + 400);
        assert!(quoted.checksum_is_right());
    }
}
