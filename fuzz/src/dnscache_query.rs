//! Any bytes as a client's query, and again after the answer is known.

use dnscache::Transport;

use crate::dns::{RESPONSE, TRUNCATED, read};
use crate::resolver::World;

/// A query gets one reply, in time, with its own id and question, no longer than the client takes; or
/// silence, where it is no query.
pub fn dnscache_query(data: &[u8]) {
    let Some(([seed, policy], query)) = data.split_first_chunk::<2>() else {
        return;
    };
    let transport = if policy & 0x80 == 0 {
        Transport::Udp
    } else {
        Transport::Tcp
    };
    let mut world = World::new(*seed);
    world.ask(query, policy & 1, transport);
    for (_, message) in &world.upstream {
        let asked = read(message).expect("a query to a server is a message");
        assert_eq!(asked.flags & RESPONSE, 0);
        assert!(asked.question.is_some());
    }
    world.wait_for_everyone();
    assert!(world.replies.len() <= 1, "answered twice");
    for reply in &world.replies {
        check(query, reply, transport);
    }
    if query.len() < 12 || query[2] & 0x80 != 0 {
        assert!(world.replies.is_empty(), "an answer to what is no query");
        assert!(world.upstream.is_empty(), "asked for what is no query");
    }
}

/// A reply to this very query.
pub(crate) fn check(query: &[u8], reply: &[u8], transport: Transport) {
    let answer = read(reply).expect("a reply is a message");
    assert_eq!(answer.id.to_be_bytes(), query[..2], "another id");
    assert_ne!(answer.flags & RESPONSE, 0, "a reply that is no response");
    if transport == Transport::Udp {
        let takes = read(query)
            .ok()
            .and_then(|query| query.opt)
            .map_or(512, |(size, _)| size.max(512));
        assert!(
            reply.len() <= usize::from(takes),
            "{} octets, {takes} at most",
            reply.len()
        );
    } else {
        assert_eq!(answer.flags & TRUNCATED, 0, "truncated on a stream");
    }
    if let (Ok(query), Some(question)) = (read(query), &answer.question) {
        assert_eq!(query.question.as_ref(), Some(question), "another question");
    }
    if let Some(question) = reply.get(12..).filter(|_| answer.question.is_some()) {
        let length = question.len().min(query.len() - 12).min(5);
        assert_eq!(
            question[..length],
            query[12..12 + length],
            "the letters' case is the client's"
        );
    }
}
