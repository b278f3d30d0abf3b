//! Any bytes as a packet: parsed, rewritten every way, answered with every error.

use core::time::Duration;

use nat46::packet::{Packet, Transport, build};
use nat46::{HEADROOM, IcmpError, PacketBuf, Translator, Verdict};

use crate::case::Case;
use crate::oracle::{Sound, judge};

const NOW: Duration = Duration::from_secs(1000);

/// What nat46 takes for a packet, it translates into a packet: sound, no longer than its link, one hop
/// older, with the same payload; valid checksums stay valid, wrong ones wrong.
pub fn nat46_packet(data: &[u8]) {
    let Some(case) = Case::read(data) else { return };
    let Ok(packet) = Packet::parse(&case.packet) else {
        return;
    };
    let bytes = &case.packet[..packet.len()];
    assert!(packet.transport_offset() <= packet.payload_offset());
    assert!(packet.payload_offset() <= packet.len());
    assert!(packet.payload().end <= packet.len());
    let before = judge(bytes).expect("what was parsed is sound");

    let mut translator = Translator::new(case.config(), [7; 32]);
    let mut memory = room_around(bytes);
    let range = HEADROOM..HEADROOM + bytes.len();
    let mut buf = PacketBuf::new(&mut memory, range).unwrap();
    let rewrite = case.rewrite(&packet);
    let verdict = if packet.transport() == Transport::IcmpError {
        let (source, destination) = (rewrite.source, rewrite.destination);
        let quoted = nat46::Rewrite {
            source: rewrite.destination,
            destination: rewrite.source,
            source_port: rewrite.destination_port,
            destination_port: rewrite.source_port,
        };
        let new = nat46::ErrorRewrite {
            source,
            destination,
            quoted,
            reveal_source: case.pick() & 1 != 0,
        };
        translator.rewrite_error(NOW, &packet, &new, case.links(), &mut buf)
    } else {
        translator.rewrite(NOW, &packet, &rewrite, case.links(), &mut buf)
    };
    match verdict {
        Verdict::Forward => {
            check_forwarded(&case, &packet, bytes, &before, buf.as_bytes());
        }
        Verdict::Split(mut pieces) => {
            let mut parts = Vec::new();
            while pieces.next(&mut buf) {
                parts.push(buf.as_bytes().to_vec());
            }
            check_pieces(&case, &before, &parts);
        }
        Verdict::Reply(_) => check_error(&packet, buf.as_bytes()),
        Verdict::Drop(_) => {}
    }
    answer(&case, &packet, bytes);
}

fn check_forwarded(case: &Case, packet: &Packet, bytes: &[u8], before: &Sound<'_>, after: &[u8]) {
    let new = Packet::parse(after).expect("what leaves can be parsed");
    let sound = judge(after).expect("what leaves is sound");
    let rewrite = case.rewrite(packet);
    assert_eq!(
        (new.source(), new.destination()),
        (rewrite.source, rewrite.destination)
    );
    assert_eq!(new.len(), after.len());
    assert_eq!(sound.hop_limit, before.hop_limit - 1);
    assert!(
        after.len() <= case.links().mtu_out as usize,
        "longer than the link allows"
    );
    match before.checksum_is_right() {
        Some(true) => assert_ne!(sound.checksum_is_right(), Some(false), "checksum spoiled"),
        Some(false) => assert_ne!(
            sound.checksum_is_right(),
            Some(true),
            "wrong checksum mended"
        ),
        None => {}
    }
    if let Transport::Tcp { .. } | Transport::Udp { .. } | Transport::IcmpQuery { .. } =
        packet.transport()
    {
        assert_eq!(
            bytes[packet.payload()],
            after[new.payload()],
            "payload changed"
        );
        let ports = new
            .tuple()
            .map(|tuple| (tuple.source_port, tuple.destination_port));
        let wanted = if let Transport::IcmpQuery { .. } = packet.transport() {
            (rewrite.source_port, rewrite.source_port)
        } else {
            (rewrite.source_port, rewrite.destination_port)
        };
        assert_eq!(ports, Some(wanted));
    }
}

/// Pieces are fragments in a row, each short enough; together they carry the body.
fn check_pieces(case: &Case, before: &Sound<'_>, parts: &[Vec<u8>]) {
    assert!(parts.len() > 1, "split into {}", parts.len());
    let start = before.fragment.map_or(0, |fragment| fragment.offset);
    let more = before.fragment.is_some_and(|fragment| fragment.more);
    let mut body: Vec<u8> = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        assert!(
            part.len() <= case.links().mtu_out as usize,
            "a piece longer than the link allows"
        );
        let sound = judge(part).expect("a piece is sound");
        let fragment = sound.fragment.expect("a piece is a fragment");
        assert_eq!(fragment.offset, start + body.len());
        assert_eq!(fragment.more, more || index + 1 < parts.len());
        assert_eq!(sound.hop_limit, before.hop_limit - 1);
        body.extend(sound.body);
    }
    assert_eq!(body.len(), before.body.len());
    let header = before.body.len().min(60);
    assert_eq!(body[header..], before.body[header..], "payload changed");
}

/// An error about `packet` goes to its source, quotes it, and is not too long.
fn check_error(packet: &Packet, error: &[u8]) {
    let sound = judge(error).expect("an error is sound");
    assert_eq!(sound.checksum_is_right(), Some(true));
    assert!(error.len() <= if sound.ipv6 { 1280 } else { 576 });
    let parsed = Packet::parse(error).expect("an error can be parsed");
    assert_eq!(parsed.destination(), packet.source());
    assert!(!packet.is_icmp_error(), "an error about an error");
    assert!(
        packet.fragment().is_none_or(|fragment| fragment.is_first()),
        "an error about a later fragment"
    );
    let quoted = parsed.quoted(error).expect("an error quotes a packet");
    assert_eq!(
        (quoted.source(), quoted.destination()),
        (packet.source(), packet.destination())
    );
}

fn answer(case: &Case, packet: &Packet, bytes: &[u8]) {
    let errors = [
        IcmpError::TimeExceeded,
        IcmpError::TooBig { mtu: 1400 },
        IcmpError::TooBig { mtu: 0 },
        IcmpError::NoRoute,
        IcmpError::HostUnreachable,
        IcmpError::AdminProhibited,
        IcmpError::ProtocolUnreachable,
        IcmpError::PortUnreachable,
        IcmpError::SourceRouteFailed { pointer: 20 },
    ];
    let error = errors[usize::from(case.pick()) % errors.len()];
    let mut translator = Translator::new(case.config(), [7; 32]);
    let mut memory = room_around(bytes);
    let range = HEADROOM..HEADROOM + bytes.len();
    let mut buf = PacketBuf::new(&mut memory, range).unwrap();
    match translator.reply_error(NOW, error, packet, &mut buf) {
        Verdict::Reply(_) => check_error(packet, buf.as_bytes()),
        Verdict::Drop(_) => {}
        Verdict::Forward | Verdict::Split(_) => panic!("an error is not forwarded"),
    }

    let mut reply = bytes.to_vec();
    if build::echo_reply(packet, &mut reply).is_ok() {
        let sound = judge(&reply).expect("an echo reply is sound");
        assert_eq!(sound.checksum_is_right(), Some(true));
        assert_eq!(
            Packet::parse(&reply).unwrap().destination(),
            packet.source()
        );
    }
    let mut reset = [0; 60];
    if let Ok(length) = build::tcp_reset(packet, 0, &mut reset) {
        let sound = judge(&reset[..length]).expect("a reset is sound");
        assert_eq!(sound.checksum_is_right(), Some(true));
    }
}

/// The packet with the headroom that nat46 asks for, and some tailroom.
pub(crate) fn room_around(bytes: &[u8]) -> Vec<u8> {
    let mut memory = vec![0; HEADROOM];
    memory.extend(bytes);
    memory.extend([0; 128]);
    memory
}
