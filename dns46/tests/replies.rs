//! Replies shaped like real ones, and what is made of them as another parser reads it, record by record.
//!
//! `tests/data/replies.txt` has a case after each `# `: lines that start with `1` and `2` are records of the
//! two plain replies (answer `an`, authority `au`), those with `=` are the made reply. An address of the
//! pool is written as the host that it stands for, `->HOST`.

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use dns46::{Config, Dns46, Lookup, Pair, Settings, StoreReply};
use domain::base::iana::Rtype;
use domain::base::{Message as Parsed, ParsedName};
use domain::rdata::AllRecordData;
use hickory_proto::op::{Message, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, SOA, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::BinEncodable;

const CASES: &str = include_str!("data/replies.txt");
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 244, 1, 10));

#[test]
fn what_is_made_of_replies_shaped_like_real_ones() {
    let mut wrong = Vec::new();
    let cases: Vec<&str> = CASES.split("\n# ").skip(1).collect();
    for case in &cases {
        let (title, lines) = case.split_once('\n').unwrap();
        let lines: Vec<&str> = lines.lines().filter(|line| !line.is_empty()).collect();
        let of = |mark: &str| -> Vec<&str> {
            let marked = lines.iter().filter_map(|line| line.strip_prefix(mark));
            marked.map(str::trim).collect()
        };
        let question = Name::from_ascii(of("?")[0]).unwrap();
        let first = reply(&question, RecordType::A, &of("1 "));
        let second = reply(&question, RecordType::AAAA, &of("2 "));
        let found = made(&first, &second);
        if found != of("= ") {
            wrong.push(format!(
                "{title}\n  {}\n wanted\n  {}",
                found.join("\n  "),
                of("= ").join("\n  ")
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} wrong:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
    assert!(cases.len() >= 30, "{} cases", cases.len());
}

fn reply(question: &Name, kind: RecordType, lines: &[&str]) -> Vec<u8> {
    let mut message = Message::response(7, OpCode::Query);
    message.metadata.recursion_available = true;
    message.add_query(Query::query(question.clone(), kind));
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (section, rest) = words.split_first().unwrap();
        match *section {
            "ad" => message.metadata.authentic_data = true,
            "aa" => message.metadata.authoritative = true,
            "servfail" => message.metadata.response_code = ResponseCode::ServFail,
            "nxdomain" => message.metadata.response_code = ResponseCode::NXDomain,
            "an" => drop(message.add_answer(record(rest))),
            "au" => drop(message.add_authority(record(rest))),
            "ar" => drop(message.add_additional(record(rest))),
            other => panic!("{other}"),
        }
    }
    message.to_vec().unwrap()
}

fn record(words: &[&str]) -> Record {
    let [owner, ttl, kind, data, ..] = words else {
        panic!("{words:?}")
    };
    let name = |text: &str| Name::from_ascii(text).unwrap();
    let data = match *kind {
        "A" => RData::A(A(data.parse().unwrap())),
        "AAAA" => RData::AAAA(AAAA(data.parse().unwrap())),
        "CNAME" => RData::CNAME(CNAME(name(data))),
        "TXT" => RData::TXT(TXT::new(vec![(*data).to_owned()])),
        "SOA" => RData::SOA(SOA::new(
            name("ns."),
            name("mail."),
            1,
            2,
            3,
            4,
            data.parse().unwrap(),
        )),
        // A signature over the type that is named; its other fields are of no interest here.
        "RRSIG" => {
            let covered = if *data == "CNAME" { 5 } else { 28 };
            let mut bytes = vec![0, covered, 13, 2];
            bytes.extend([0, 0, 1, 44, 0x70, 0, 0, 0, 0x60, 0, 0, 0, 0, 1, 0]);
            bytes.extend([7; 64]);
            RData::Unknown {
                code: RecordType::Unknown(46),
                rdata: hickory_proto::rr::rdata::NULL::with(bytes),
            }
        }
        // RFC 6672 §2.1.
        "DNAME" => RData::Unknown {
            code: RecordType::Unknown(39),
            rdata: hickory_proto::rr::rdata::NULL::with(name(data).to_bytes().unwrap()),
        },
        other => panic!("{other}"),
    };
    Record::from_rdata(name(owner), ttl.parse().unwrap(), data)
}

/// The made reply, line by line.
fn made(first: &[u8], second: &[u8]) -> Vec<String> {
    let pool = Config::new(
        "10.40.0.0/16".parse().unwrap(),
        Ipv4Addr::new(10, 40, 1, 0)..=Ipv4Addr::new(10, 40, 200, 0),
        None,
    );
    let mut dns46 = Dns46::new(Some(pool.unwrap()), Settings::default(), [7; 32]);
    let (now, mut out) = (Duration::from_secs(1), vec![0; 65_535]);
    if dns46.on_answer(first).record_type().is_none() {
        return vec!["final".to_owned()];
    }
    let mut pair = dns46.on_pair(now, CLIENT, first, second, &mut out);
    if let Pair::Wait(ticket) = pair {
        while let Some(operation) = dns46.poll_store() {
            dns46.handle_store(now, operation.id, StoreReply::Done);
        }
        pair = dns46.finish(now, ticket, &mut out);
    }
    let made = match pair {
        Pair::Reply(made) => made,
        Pair::Pass => return vec!["first".to_owned()],
        other => return vec![format!("{other:?}")],
    };
    let message = Parsed::from_octets(&out[..made.len]).unwrap();
    let header = message.header();
    assert!(header.qr() && header.ra() && !header.ad() && !header.aa() && !header.tc());
    let counts = message.header_counts();
    assert_eq!((counts.qdcount(), u64::from(header.id())), (1, 7));
    let mut lines = vec![format!("kept for {}", made.ttl.as_secs())];
    for (mark, section) in [
        ("an", message.answer().unwrap()),
        ("au", message.authority().unwrap()),
        ("ar", message.additional().unwrap()),
    ] {
        for record in section {
            let record = record.unwrap();
            let record = record
                .to_any_record::<AllRecordData<_, ParsedName<_>>>()
                .unwrap();
            let (owner, ttl, kind) = (record.owner(), record.ttl().as_secs(), record.rtype());
            let data = match record.data() {
                AllRecordData::A(address) => match dns46.lookup(now, address.addr()) {
                    Lookup::Host(host) => format!("->{host}"),
                    _ => address.addr().to_string(),
                },
                AllRecordData::Dname(target) => format!("{}.", target.dname()),
                AllRecordData::Cname(target) => format!("{}.", target.cname()),
                AllRecordData::Soa(soa) => soa.minimum().as_secs().to_string(),
                AllRecordData::Aaaa(address) => address.addr().to_string(),
                _ if kind == Rtype::RRSIG => "CNAME".to_owned(),
                other => other.to_string(),
            };
            lines.push(format!("{mark} {owner}. {ttl} {kind} {data}"));
        }
    }
    lines
}
