//! A translator between two links, with addresses under 2001:db8:64::/96.

use core::time::Duration;

use nat46::address::rfc6052::Prefix;
use nat46::address::rfc7757::{Mapping, Siit};
use nat46::offload::Offload;
use nat46::packet::{Packet, ParseError};
use nat46::{Config, DropReason, HEADROOM, IcmpError, Links, PacketBuf, Translator, Verdict};

pub(crate) struct Lab {
    pub(crate) config: Config,
    pub(crate) mtu4: u32,
    pub(crate) mtu6: u32,
    pub(crate) rows: Vec<Mapping>,
    pub(crate) offload: Offload,
    pub(crate) reveal_source: bool,
}

/// What came of a packet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Out {
    Packet(Vec<u8>),
    Pieces(Vec<Vec<u8>>),
    Reply(IcmpError, Vec<u8>),
    Drop(DropReason),
    NoPacket(ParseError),
    Unmapped,
}

impl Default for Lab {
    fn default() -> Self {
        let mut config = Config::DEFAULT;
        config.own_ipv4 = Some([203, 0, 113, 1].into());
        config.own_ipv6 = Some("2001:db8:ffff::1".parse().unwrap());
        Self {
            config,
            mtu4: 1500,
            mtu6: 1520,
            rows: Vec::new(),
            offload: Offload::NONE,
            reveal_source: false,
        }
    }
}

/// What comes of a packet between ordinary links.
pub(crate) fn translate(bytes: &[u8]) -> Out {
    Lab::default().translate(bytes)
}

impl Lab {
    pub(crate) fn translate(&self, bytes: &[u8]) -> Out {
        self.translate_offloaded(bytes).0
    }

    pub(crate) fn links(&self, from_ipv6: bool) -> Links {
        let (mtu_in, mtu_out) = if from_ipv6 {
            (self.mtu6, self.mtu4)
        } else {
            (self.mtu4, self.mtu6)
        };
        Links { mtu_in, mtu_out }
    }

    pub(crate) fn translate_offloaded(&self, bytes: &[u8]) -> (Out, Offload) {
        let packet = match Packet::parse(bytes) {
            Ok(packet) => packet,
            Err(error) => return (Out::NoPacket(error), Offload::NONE),
        };
        let prefix = Prefix::new("2001:db8:64::/96".parse().unwrap()).unwrap();
        let siit = Siit::new(&self.rows, prefix).without_hairpins();
        let mut translator = Translator::new(self.config, [7; 32]);
        let mut memory = vec![0xa5; HEADROOM];
        memory.extend(bytes);
        memory.extend([0xa5; 128]);
        let range = HEADROOM..HEADROOM + bytes.len();
        let buf = PacketBuf::new(&mut memory, range).unwrap();
        let mut buf = buf.with_offload(self.offload);
        let (now, links) = (Duration::ZERO, self.links(packet.is_ipv6()));
        let verdict = if let Some(quoted) = packet.quoted(bytes) {
            let stand_in = if packet.is_ipv6() {
                [192, 0, 0, 8].into()
            } else {
                "2001:db8:ffff::8".parse().unwrap()
            };
            match siit.rewrite_error(&packet, &quoted, Some(stand_in)) {
                Ok(mut new) => {
                    new.reveal_source &= self.reveal_source;
                    translator.rewrite_error(now, &packet, &new, links, &mut buf)
                }
                Err(_) => return (Out::Unmapped, Offload::NONE),
            }
        } else {
            match siit.rewrite(&packet) {
                Ok(rewrite) => translator.rewrite(now, &packet, &rewrite, links, &mut buf),
                Err(_) => return (Out::Unmapped, Offload::NONE),
            }
        };
        let out = match verdict {
            Verdict::Forward => Out::Packet(buf.as_bytes().to_vec()),
            Verdict::Split(mut pieces) => {
                let mut out = Vec::new();
                while pieces.next(&mut buf) {
                    out.push(buf.as_bytes().to_vec());
                }
                Out::Pieces(out)
            }
            Verdict::Reply(error) => Out::Reply(error, buf.as_bytes().to_vec()),
            Verdict::Drop(reason) => Out::Drop(reason),
        };
        (out, buf.offload())
    }
}

impl Out {
    pub(crate) fn packet(self) -> Vec<u8> {
        match self {
            Self::Packet(packet) => packet,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn pieces(self) -> Vec<Vec<u8>> {
        match self {
            Self::Pieces(pieces) => pieces,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn reply(self) -> (IcmpError, Vec<u8>) {
        match self {
            Self::Reply(error, packet) => (error, packet),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn is_silent(&self) -> bool {
        matches!(self, Self::Drop(_) | Self::NoPacket(_) | Self::Unmapped)
    }
}
