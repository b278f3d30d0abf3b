//! Any bytes as a server's reply to a question in flight, then the same question from the cache.

use core::time::Duration;

use dnscache::Transport;

use crate::choices::Choices;
use crate::dns::read;
use crate::dnscache_query::check;
use crate::resolver::{Deriving, World};

/// `host.example. A`, with a payload size of 1232 octets.
const QUERY: &[u8] = b"\xab\xcd\x01\x00\0\x01\0\0\0\0\0\x01\x04hOst\x07example\0\0\x01\0\x01\0\0\x29\x04\xd0\0\0\0\0\0\0";
const HEADER: usize = 12;

/// Whatever servers say, the client gets one sound reply in time; the cached one differs from it by
/// TTLs that are counted down.
pub fn dnscache_response(data: &[u8]) {
    let mut choices = Choices::new(data);
    let Some(flags) = choices.byte() else { return };
    let mut world = World::new(flags & 7);
    let policy = flags >> 3 & 1;
    world.tag = flags >> 4 & 1;
    world.deriving = match flags >> 5 & 3 {
        0 => Deriving::Pass,
        1 => Deriving::Refuse,
        _ => Deriving::Fetch,
    };
    assert_eq!(
        world.ask(QUERY, policy, Transport::Udp),
        None,
        "an answer out of nothing"
    );
    while let (Some(how), Some(message)) = (choices.byte(), choices.block()) {
        reply(&mut world, how, message);
    }
    world.wait_for_everyone();
    assert_eq!(world.replies.len(), 1, "one query, one reply");
    let first = world.replies.remove(0);
    check(QUERY, &first, Transport::Udp);

    world.now += Duration::from_secs(2);
    let Some(second) = world.ask(QUERY, policy, Transport::Udp) else {
        world.wait_for_everyone();
        return;
    };
    check(QUERY, &second, Transport::Udp);
    let (first, second) = (read(&first).unwrap(), read(&second).unwrap());
    if first.records.len() != second.records.len() {
        return;
    }
    for (before, after) in first.records.iter().zip(&second.records) {
        assert_eq!(
            (&before.name, before.rtype, &before.data),
            (&after.name, after.rtype, &after.data)
        );
    }
}

/// Answers the oldest open question: as it is, or with the id and the question that are asked for.
fn reply(world: &mut World, how: u8, message: &[u8]) {
    if world.upstream.is_empty() {
        return;
    }
    let (transmit, query) = world.upstream.remove(0);
    let mut message = message.to_vec();
    let question = query[HEADER..]
        .iter()
        .position(|byte| *byte == 0)
        .map(|end| HEADER + end + 5);
    if how & 1 == 0
        && let Some(end) = question
        && message.len() >= HEADER
    {
        message[..2].copy_from_slice(&query[..2]);
        message[2] |= 0x80;
        if how & 2 == 0 {
            message[4..6].copy_from_slice(&[0, 1]);
            message.splice(HEADER..HEADER, query[HEADER..end].iter().copied());
        }
    }
    let mut port = transmit.source_port;
    if how & 4 != 0 {
        port ^= 1;
    }
    world.receive(transmit.destination, port, &message);
}
