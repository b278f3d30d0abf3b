//! A packet of which a device left something to do.

use core::time::Duration;

use nat46::offload::{Checksum, HEADER_LEN, Offload};
use nat46::packet::{Packet, Transport};
use nat46::{HEADROOM, PacketBuf, Translator, Verdict, complete_checksum};

use crate::case::Case;
use crate::oracle::{judge, sum};

/// Ten octets of virtio-net header, then as for `nat46_packet`; the packet is lengthened by `hdr_len` zeros.
/// Whatever leaves is sound, and has a right checksum once the device has done its part, if it would have
/// had one before.
pub fn nat46_offload(data: &[u8]) {
    let Some((header, rest)) = data.split_first_chunk::<HEADER_LEN>() else {
        return;
    };
    let (Some(offload), Some(mut case)) = (Offload::decode(header, true), Case::read(rest)) else {
        return;
    };
    for ipv6 in [false, true] {
        let again = Offload::decode(&offload.encode(ipv6, false), false);
        assert_eq!(again, Some(offload));
    }
    let Some(offload) = prepare(header, offload, &mut case) else {
        return;
    };
    let packet = Packet::parse(&case.packet).expect("it was parsed before");
    let bytes = &case.packet[..packet.len()];
    let was_right = right(bytes, offload);
    let mut translator = Translator::new(case.config(), [7; 32]);
    let mut memory = [&[0; HEADROOM], bytes, &[0; 64]].concat();
    let range = HEADROOM..HEADROOM + bytes.len();
    let buf = PacketBuf::new(&mut memory, range).unwrap();
    let mut buf = buf.with_offload(offload);
    let rewrite = case.rewrite(&packet);
    let now = Duration::from_secs(1000);
    let verdict = if packet.transport() == Transport::IcmpError {
        complete_checksum(&packet, &mut buf);
        Verdict::Forward
    } else {
        translator.rewrite(now, &packet, &rewrite, case.links(), &mut buf)
    };
    match verdict {
        Verdict::Forward => check(was_right, buf.as_bytes(), buf.offload()),
        Verdict::Split(mut pieces) => {
            while pieces.next(&mut buf) {
                check(was_right, buf.as_bytes(), buf.offload());
            }
        }
        Verdict::Reply(_) => {
            assert_eq!(buf.offload(), Offload::NONE);
            check(Some(true), buf.as_bytes(), Offload::NONE);
        }
        Verdict::Drop(_) => {}
    }
}

/// Lengthens the packet, and makes its metadata fit it if the input says so.
fn prepare(header: &[u8; HEADER_LEN], mut offload: Offload, case: &mut Case) -> Option<Offload> {
    let more = u16::from_le_bytes([header[2], header[3]]);
    let packet = &mut case.packet;
    packet.resize(packet.len() + usize::from(more), 0);
    let len = packet.len();
    match packet.first()? >> 4 {
        4 if (20..=65_535).contains(&len) => {
            packet[2..4].copy_from_slice(&(len as u16).to_be_bytes());
            packet[10..12].fill(0);
            let header = packet.get(..usize::from(packet[0] & 15) * 4)?;
            let checksum = !sum(header);
            packet[10..12].copy_from_slice(&checksum.to_be_bytes());
        }
        6 if (40..=65_575).contains(&len) => {
            packet[4..6].copy_from_slice(&((len - 40) as u16).to_be_bytes());
        }
        _ => return None,
    }
    let parsed = Packet::parse(packet).ok()?;
    if let Checksum::Partial { .. } = offload.checksum
        && header[9] & 1 != 0
    {
        let place = match parsed.transport() {
            Transport::Tcp { .. } => 16,
            Transport::Udp { .. } => 6,
            Transport::IcmpQuery { .. } => 2,
            _ => return Some(offload),
        };
        let start = parsed.transport_offset();
        offload.checksum = Checksum::Partial {
            start: start as u16,
            offset: place,
        };
        let pseudo = pseudo_sum(packet, parsed.protocol(), len - start);
        let field = start + usize::from(place);
        packet[field..field + 2].copy_from_slice(&pseudo.to_be_bytes());
        Packet::parse(packet).ok()?;
    }
    Some(offload)
}

/// Sum of the pseudo header; ICMP for IPv4 has none.
fn pseudo_sum(packet: &[u8], protocol: u8, len: usize) -> u16 {
    let addresses = match (packet[0] >> 4, protocol) {
        (_, 1) => return 0,
        (4, _) => &packet[12..20],
        _ => &packet[8..40],
    };
    sum(&[addresses, &(len as u32).to_be_bytes(), &[0, 0, 0, protocol]].concat())
}

/// Whether the checksum is right once the device has done what was left to it; `None` if there is none.
fn right(bytes: &[u8], offload: Offload) -> Option<bool> {
    let mut bytes = bytes.to_vec();
    if let Checksum::Partial { start, offset } = offload.checksum {
        let (start, offset) = (usize::from(start), usize::from(offset));
        let checksum = !sum(bytes.get(start..)?);
        // As a device does: a sum of zero is all ones for UDP.
        let checksum = if checksum == 0 && offset == 6 {
            0xffff
        } else {
            checksum
        };
        let field = bytes.get_mut(start + offset..start + offset + 2)?;
        field.copy_from_slice(&checksum.to_be_bytes());
    }
    judge(&bytes).ok()?.checksum_is_right()
}

fn check(was_right: Option<bool>, bytes: &[u8], offload: Offload) {
    judge(bytes).expect("what leaves is sound");
    if was_right == Some(true) {
        assert_ne!(right(bytes, offload), Some(false), "checksum spoiled");
    }
}
