//! A reply of a server, and the same from the cache, as two other parsers read them.

use core::time::Duration;
use std::collections::BTreeSet;

use dnscache::Transport;
use domain::base::{Message, ParsedName};
use domain::rdata::AllRecordData;
use hickory_proto::op::Message as Hickory;

use crate::choices::Choices;
use crate::resolver::World;

/// `host.example. A`, with a payload size of 4096 octets.
const QUERY: &[u8] = b"\xab\xcd\x01\x00\0\x01\0\0\0\0\0\x01\x04host\x07example\0\0\x01\0\x01\0\0\x29\x10\0\0\0\0\0\0\0";
/// Where its question ends.
const QUESTION_END: usize = QUERY.len() - 11;

/// What the cache says is what its server said, TTLs aside: no record is made up or changed, and both
/// parsers read the cached message where they could read the server's.
pub fn dnscache_records(data: &[u8]) {
    let mut choices = Choices::new(data);
    let (Some(seed), Some(counts)) = (choices.byte(), choices.byte()) else {
        return;
    };
    let mut world = World::new(seed & 7);
    world.ask(QUERY, 0, Transport::Udp);
    let Some((transmit, query)) = world.upstream.pop() else {
        return;
    };
    let mut reply = query[..QUESTION_END].to_vec();
    reply[2..4].copy_from_slice(&[0x81, 0x80 | seed >> 5 & 3]);
    let sections = [counts & 7, counts >> 3 & 3, counts >> 5 & 3];
    for (place, count) in [7, 9, 11].into_iter().zip(sections) {
        reply[place] = count;
    }
    reply[10] = 0;
    reply.extend_from_slice(choices.rest());
    world.receive(transmit.destination, transmit.source_port, &reply);
    if world.replies.is_empty() {
        // Of no use: another server is asked.
        return;
    }
    world.replies.clear();
    world.now += Duration::from_secs(1);
    let Some(cached) = world.ask(QUERY, 0, Transport::Udp) else {
        return;
    };
    if let (Some(said), Some(kept)) = (of_domain(&reply), of_domain(&cached)) {
        assert!(
            kept.is_subset(&said),
            "made up: {:?}",
            kept.difference(&said)
        );
    }
    if let (Some(said), Some(kept)) = (of_hickory(&reply), of_hickory(&cached)) {
        assert!(
            kept.is_subset(&said),
            "made up: {:?}",
            kept.difference(&said)
        );
    }
    assert!(of_domain(&reply).is_none() || of_domain(&cached).is_some());
    assert!(of_hickory(&reply).is_none() || of_hickory(&cached).is_some());
}

/// Owner, class and data of every record but OPT; `None` if one cannot be read.
fn of_domain(message: &[u8]) -> Option<BTreeSet<String>> {
    let message = Message::from_octets(message).ok()?;
    let mut records = BTreeSet::new();
    for record in message.iter() {
        let (record, _) = record.ok()?;
        let owner = record.owner().to_string().to_lowercase();
        let record = record
            .to_any_record::<AllRecordData<_, ParsedName<_>>>()
            .ok()?;
        if matches!(record.data(), AllRecordData::Opt(_)) {
            continue;
        }
        records.insert(format!("{owner} {} {:?}", record.class(), record.data()).to_lowercase());
    }
    Some(records)
}

fn of_hickory(message: &[u8]) -> Option<BTreeSet<String>> {
    let message = Hickory::from_vec(message).ok()?;
    let sections = [&message.answers, &message.authorities, &message.additionals];
    let records = sections.into_iter().flatten();
    let told = |record: &hickory_proto::rr::Record| {
        format!("{} {:?} {:?}", record.name, record.dns_class, record.data).to_lowercase()
    };
    Some(records.map(told).collect())
}
