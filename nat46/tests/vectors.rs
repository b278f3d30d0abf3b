//! Packets with the result that the RFCs ask for, made independently of this crate.

use core::net::IpAddr;
use core::time::Duration;

use nat46::address::rfc6052::Prefix;
use nat46::address::rfc7757::{Mapping, Siit};
use nat46::packet::Packet;
use nat46::{Config, HEADROOM, Links, PacketBuf, Translator, UdpZero, Verdict};
use serde_json::Value;

const VECTORS: &str = include_str!("data/vectors.jsonl");

#[test]
fn every_vector_gives_its_result() {
    let mut wrong = Vec::new();
    let mut ran = 0;
    for line in VECTORS.lines() {
        let vector: Value = serde_json::from_str(line).unwrap();
        let name = vector["name"].as_str().unwrap();
        ran += 1;
        if let Err(why) = check(&vector) {
            wrong.push(format!("{name} ({}): {why}", vector["rfc"]));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {ran} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert_eq!(ran, 59);
}

enum Out {
    Packets(Vec<Vec<u8>>),
    Reply(Vec<u8>),
    Drop(String),
}

fn check(vector: &Value) -> Result<(), String> {
    let out = translate(vector);
    match (&vector["output_hex"], &vector["icmp_reply_hex"]) {
        (Value::Null, Value::Null) => match out {
            Out::Drop(_) => Ok(()),
            Out::Packets(found) => Err(format!("forwarded {}", hex(&found[0]))),
            Out::Reply(found) => Err(format!("answered {}", hex(&found))),
        },
        (Value::Null, reply) => {
            let Out::Reply(found) = out else {
                return Err("not answered".to_owned());
            };
            sound_header(&found)?;
            same(&mask(&bytes(reply), true), &mask(&found, true))
        }
        (outputs, _) => {
            let found = match out {
                Out::Packets(found) => found,
                Out::Reply(found) => return Err(format!("answered {}", hex(&found))),
                Out::Drop(reason) => return Err(format!("dropped: {reason}")),
            };
            let wanted: Vec<Vec<u8>> = match outputs {
                Value::Array(list) => list.iter().map(bytes).collect(),
                one => vec![bytes(one)],
            };
            if wanted.len() != found.len() {
                return Err(format!("{} packets, wanted {}", found.len(), wanted.len()));
            }
            for (wanted, found) in wanted.iter().zip(&found) {
                sound_header(found)?;
                same(&mask(wanted, false), &mask(found, false))?;
            }
            Ok(())
        }
    }
}

/// What is left to the translator's choice: the identification of IPv4 packets that may be fragmented,
/// with the header checksum; of an answer, the hop limit too.
fn mask(packet: &[u8], reply: bool) -> Vec<u8> {
    let mut packet = packet.to_vec();
    if packet[0] >> 4 == 4 {
        let may_be_fragmented = packet[6] & 0x40 == 0;
        let whole = packet[6] & 0x3f == 0 && packet[7] == 0;
        if may_be_fragmented && whole && packet[4..6] != [0, 0] {
            packet[4..6].fill(0xee);
        }
        if reply {
            packet[4..6].fill(0xee);
            packet[8] = 0;
        }
        packet[10..12].fill(0);
    } else if reply {
        packet[7] = 0;
    }
    packet
}

/// The checksum of an IPv4 header, which `mask` hides because it covers the identification.
fn sound_header(packet: &[u8]) -> Result<(), String> {
    if packet[0] >> 4 == 6 {
        return Ok(());
    }
    let words = packet[..20]
        .chunks(2)
        .map(|word| u32::from(word[0]) << 8 | u32::from(word[1]));
    let sum: u32 = words.sum();
    match (sum & 0xffff) + (sum >> 16) {
        0xffff => Ok(()),
        _ => Err(format!("header checksum of {}", hex(packet))),
    }
}

fn same(wanted: &[u8], found: &[u8]) -> Result<(), String> {
    if wanted == found {
        return Ok(());
    }
    Err(format!(
        "\n  found  {}\n  wanted {}",
        hex(found),
        hex(wanted)
    ))
}

fn translate(vector: &Value) -> Out {
    let maps = Maps::new(&vector["config"]);
    let input = bytes(&vector["input_hex"]);
    let packet = match Packet::parse(&input) {
        Ok(packet) => packet,
        Err(error) => return Out::Drop(error.to_string()),
    };
    let mut translator = Translator::new(maps.config, [7; 32]);
    let mut memory = vec![0; HEADROOM];
    memory.extend(&input);
    memory.extend([0; 64]);
    let mut buf = PacketBuf::new(&mut memory, HEADROOM..HEADROOM + input.len()).unwrap();
    let (now, links) = (Duration::ZERO, maps.links(packet.is_ipv6()));
    let siit = Siit::new(&maps.rows, maps.prefix).without_hairpins();
    let verdict = if let Some(quoted) = packet.quoted(&input) {
        let new = siit.rewrite_error(&packet, &quoted, Some(maps.rfc6791));
        let new = nat46::ErrorRewrite {
            reveal_source: false,
            ..new.unwrap()
        };
        translator.rewrite_error(now, &packet, &new, links, &mut buf)
    } else {
        match siit.rewrite(&packet) {
            Ok(rewrite) => translator.rewrite(now, &packet, &rewrite, links, &mut buf),
            Err(unmapped) => return Out::Drop(unmapped.to_string()),
        }
    };
    match verdict {
        Verdict::Forward => Out::Packets(vec![buf.as_bytes().to_vec()]),
        Verdict::Split(mut pieces) => {
            let mut out = Vec::new();
            while pieces.next(&mut buf) {
                out.push(buf.as_bytes().to_vec());
            }
            Out::Packets(out)
        }
        Verdict::Reply(_) => Out::Reply(buf.as_bytes().to_vec()),
        Verdict::Drop(reason) => Out::Drop(format!("{reason:?}")),
    }
}

/// The address algorithms of a vector, bit by bit: RFC 7757 rows first, then the RFC 6052 prefix.
struct Maps {
    config: Config,
    prefix: Prefix,
    rows: Vec<Mapping>,
    mtu4: u32,
    mtu6: u32,
    rfc6791: IpAddr,
}

impl Maps {
    fn new(vector: &Value) -> Self {
        let text = |key: &str| vector[key].as_str().unwrap().to_owned();
        let number = |key: &str| vector[key].as_u64().unwrap() as u32;
        let rows = vector["eam"].as_array().unwrap().iter().map(|row| {
            let [ipv4, ipv6] = [&row[0], &row[1]].map(|prefix| prefix.as_str().unwrap());
            Mapping::new(ipv4.parse().unwrap(), ipv6.parse().unwrap()).unwrap()
        });
        let mut prefix = Prefix::new(text("pref64").parse().unwrap()).unwrap();
        if vector["wkp_strict"] == false {
            prefix = prefix.allow_non_global();
        }
        let mut config = Config::DEFAULT;
        config.own_ipv4 = Some(text("self4").parse().unwrap());
        config.own_ipv6 = Some(text("self6").parse().unwrap());
        config.udp_zero = match text("udp_zero").as_str() {
            "drop" => UdpZero::Drop,
            "compute" => UdpZero::Compute,
            other => panic!("udp_zero {other}"),
        };
        Self {
            config,
            prefix,
            rows: rows.collect(),
            mtu4: number("mtu4"),
            mtu6: number("mtu6"),
            rfc6791: text("rfc6791_v4").parse().unwrap(),
        }
    }

    fn links(&self, from_ipv6: bool) -> Links {
        if from_ipv6 {
            Links {
                mtu_in: self.mtu6,
                mtu_out: self.mtu4,
            }
        } else {
            Links {
                mtu_in: self.mtu4,
                mtu_out: self.mtu6,
            }
        }
    }
}

fn bytes(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
