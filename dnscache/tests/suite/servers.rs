//! Which server is asked, how often, and over what (dns.md §2.6 no. 41; RFC 7766, 9520).

use crate::common::*;
use dnscache::{Event, ForwardZone, StreamId, StreamInput, StreamTransmit, rcode, rtype};

fn www_a(query: &[u8]) -> Answer {
    Answer::to(query).a("www.example.com", 300, [192, 0, 2, 80])
}

fn ask() -> Ask {
    Ask::new("www.example.com", rtype::A)
}

fn servers(addresses: &[&str]) -> World {
    World::with(|config| {
        let addresses = addresses.iter().map(|text| address(text)).collect();
        config.zones = vec![ForwardZone::new(name("."), addresses)];
    })
}

fn truncated(query: &[u8]) -> Answer {
    let mut answer = Answer::to(query);
    answer.bytes[2] |= 0x02;
    answer
}

fn framed(message: &[u8]) -> Vec<u8> {
    let mut bytes = u16::try_from(message.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend(message);
    bytes
}

/// Asks for a name; its datagram is answered with TC, its connection opened. What is then sent.
fn over_tcp(world: &mut World, ask: &Ask) -> (dnscache::Ticket, Vec<(StreamTransmit, Vec<u8>)>) {
    let ticket = world.park(ask);
    let sent = world.sent_one();
    world.deliver(&sent, &truncated(&sent.bytes)).unwrap();
    world.accept(0);
    (ticket, world.streams())
}

fn open(world: &mut World, steps: &[(StreamTransmit, Vec<u8>)]) -> (StreamId, Vec<u8>) {
    let [(StreamTransmit::Connect { stream, .. }, _)] = steps else {
        panic!("{steps:?}");
    };
    world
        .resolver
        .handle_stream(world.now, *stream, StreamInput::Open);
    let steps = world.streams();
    (*stream, steps.into_iter().flat_map(|step| step.1).collect())
}

fn receive(world: &mut World, stream: StreamId, bytes: &[u8]) -> Vec<Event> {
    world
        .resolver
        .handle_stream(world.now, stream, StreamInput::Bytes(bytes));
    world.accept(0)
}

#[test]
fn dns_41_a_truncated_reply_is_asked_for_again_over_tcp() {
    // RFC 7766 §5.
    let mut world = World::new();
    let (ticket, steps) = over_tcp(&mut world, &ask());
    let (stream, query) = open(&mut world, &steps);
    assert_eq!(usize::from(query[1]), query.len() - 2);
    let reply = framed(&www_a(&query[2..]).bytes);
    // RFC 7766 §8: the reply may come in any parts.
    for octet in &reply {
        assert_eq!(world.answer(ticket).0, dnscache::Verdict::Parked(ticket));
        receive(&mut world, stream, &[*octet]);
    }
    assert_eq!(ttls(&world.answered(ticket)), [300]);
    assert_eq!(world.resolver.stats().upstream.sent_on_streams, 1);
}

#[test]
fn dns_41_questions_share_a_connection_and_replies_come_in_any_order() {
    // RFC 7766 §6.2.1.1, §6.2.2, §7.
    let mut world = World::new();
    let asks = ["a.example", "b.example", "c.example"].map(|name| Ask::new(name, rtype::A));
    let (first, steps) = over_tcp(&mut world, &asks[0]);
    let (stream, mut sent) = open(&mut world, &steps);
    let mut tickets = vec![first];
    for ask in &asks[1..] {
        let (ticket, steps) = over_tcp(&mut world, ask);
        tickets.push(ticket);
        assert!(matches!(steps[0].0, StreamTransmit::Send { stream: same, .. } if same == stream));
        sent.extend(steps.into_iter().flat_map(|step| step.1));
    }
    let mut queries = Vec::new();
    let mut rest = &sent[..];
    while let [high, low, after @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        queries.push(after[..length].to_vec());
        rest = &after[length..];
    }
    assert_eq!(queries.len(), 3);
    let replies: Vec<u8> = [2usize, 0, 1]
        .into_iter()
        .flat_map(|index| {
            let answer = Answer::to(&queries[index]);
            framed(
                &answer
                    .a(&asks[index].name, 300, [192, 0, 2, index as u8])
                    .bytes,
            )
        })
        .collect();
    // Two messages and a half, then the rest.
    let (one, two) = replies.split_at(replies.len() - 20);
    let events = receive(&mut world, stream, one);
    assert_eq!(
        events,
        [tickets[2], tickets[0]].map(|ticket| Event::Ready { ticket })
    );
    receive(&mut world, stream, two);
    for (index, ticket) in tickets.into_iter().enumerate() {
        let reply = world.answered(ticket);
        assert!(reply.ends_with(&[192, 0, 2, index as u8]));
    }
}

#[test]
fn dns_41_a_reply_on_a_stream_matches_by_id_and_question() {
    let mut world = World::new();
    let (ticket, steps) = over_tcp(&mut world, &ask());
    let (stream, query) = open(&mut world, &steps);
    let good = www_a(&query[2..]);
    for at in [0, 13] {
        let mut forged = good.clone();
        forged.bytes[at] ^= 1;
        assert!(receive(&mut world, stream, &framed(&forged.bytes)).is_empty());
    }
    assert_eq!(world.resolver.stats().upstream.mismatches.id, 1);
    assert_eq!(world.resolver.stats().upstream.mismatches.question, 1);
    receive(&mut world, stream, &framed(&good.bytes));
    assert_eq!(ttls(&world.answered(ticket)), [300]);
}

#[test]
fn dns_41_a_broken_connection_is_made_anew() {
    let mut world = World::new();
    let (ticket, steps) = over_tcp(&mut world, &ask());
    let (stream, _) = open(&mut world, &steps);
    world
        .resolver
        .handle_stream(world.now, stream, StreamInput::Closed);
    let steps = world.streams();
    let (next, query) = open(&mut world, &steps);
    assert_ne!(next, stream);
    receive(&mut world, next, &framed(&www_a(&query[2..]).bytes));
    assert_eq!(ttls(&world.answered(ticket)), [300]);
}

#[test]
fn dns_41_an_idle_connection_is_closed() {
    // RFC 7766 §6.2.3.
    let mut world = World::new();
    let (_, steps) = over_tcp(&mut world, &ask());
    let (stream, query) = open(&mut world, &steps);
    receive(&mut world, stream, &framed(&www_a(&query[2..]).bytes));
    world.pass(millis(9_999));
    assert!(world.streams().is_empty());
    world.pass(millis(1));
    assert_eq!(world.streams()[0].0, StreamTransmit::Close { stream });
}

#[test]
fn rfc9520_3_1_a_server_is_asked_three_times_at_most() {
    // "MUST NOT retry a given query to a server address over a given DNS transport more than twice".
    let mut world = World::new();
    let ticket = world.park(&ask());
    let began_at = world.now;
    let sent = world.silence(seconds(10));
    assert_eq!(sent.len(), 3);
    let waits: Vec<_> = sent.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(waits.is_sorted() && waits[0] >= millis(400), "{waits:?}");
    assert!(sent[2].0 < began_at + seconds(4));
    assert!(world.resolver.query(ticket).is_none(), "its time is over");
    for server in ["192.0.2.1:53", "192.0.2.2:53"] {
        let mut world = servers(&["192.0.2.1:53", "192.0.2.2:53"]);
        world.park(&ask());
        let sent = world.silence(seconds(10));
        let times = sent
            .iter()
            .filter(|sent| sent.1.transmit.destination == address(server))
            .count();
        assert!((1..=3).contains(&times), "{times}");
    }
}

#[test]
fn a_silent_server_is_passed_over_then_asked_last() {
    let mut world = servers(&["192.0.2.1:53", "192.0.2.2:53"]);
    let dead = address("192.0.2.1:53");
    let mut first_asked = 0;
    for number in 0..200 {
        let ask = Ask::new(&format!("n{number}.example"), rtype::A);
        let ticket = world.park(&ask);
        let sent = world.sent_one();
        let sent = if sent.transmit.destination == dead {
            first_asked += 1;
            world.pass(millis(400));
            let next = world.sent_one();
            assert_ne!(next.transmit.destination, dead, "another server is next");
            next
        } else {
            sent
        };
        world.pass(millis(20));
        world.reply(&sent, &Answer::to(&sent.bytes).a(&ask.name, 60, [1; 4]), 0);
        world.answered(ticket);
    }
    // A probe in sixteen picks one of two at random.
    assert!((1..30).contains(&first_asked), "{first_asked}");
}

#[test]
fn the_faster_server_is_asked_and_the_slower_probed() {
    let mut world = servers(&["192.0.2.1:53", "192.0.2.2:53"]);
    let slow = address("192.0.2.1:53");
    let mut slow_asked = 0;
    for number in 0..320 {
        let ask = Ask::new(&format!("n{number}.example"), rtype::A);
        let ticket = world.park(&ask);
        let sent = world.sent_one();
        let is_slow = sent.transmit.destination == slow;
        slow_asked += u32::from(is_slow);
        world.pass(millis(if is_slow { 200 } else { 10 }));
        world.reply(&sent, &Answer::to(&sent.bytes).a(&ask.name, 60, [1; 4]), 0);
        world.answered(ticket);
    }
    assert!((2..40).contains(&slow_asked), "{slow_asked}");
    let rtt = world.resolver.stats().upstream.rtt;
    assert_eq!(rtt.buckets.iter().sum::<u64>(), 320);
    assert_eq!(rtt.buckets[8], u64::from(slow_asked), "128 ms to 256 ms");
}

#[test]
fn a_failure_of_one_server_is_asked_of_the_next_and_of_all_ends_the_question() {
    for code in [rcode::SERVFAIL, rcode::REFUSED] {
        let mut world = servers(&["192.0.2.1:53", "192.0.2.2:53"]);
        let ticket = world.park(&ask().edns(1232));
        let first = world.sent_one();
        world
            .deliver(&first, &Answer::to(&first.bytes).rcode(code))
            .unwrap();
        let second = world.sent_one();
        assert_ne!(second.transmit.destination, first.transmit.destination);
        world
            .deliver(&second, &Answer::to(&second.bytes).rcode(code))
            .unwrap();
        assert!(world.sent().is_empty());
        world.accept(0);
        assert_eq!(rcode_of(&world.answered(ticket)), rcode::SERVFAIL, "{code}");
    }
}

#[test]
fn dns_40_a_server_that_rejects_edns_is_asked_without() {
    // RFC 6891 §7; §6.2.2: and remembered.
    for code in [rcode::FORMERR, rcode::NOTIMP] {
        let mut world = World::new();
        let ticket = world.park(&ask());
        let sent = world.sent_one();
        assert_eq!(sent.bytes[11], 1);
        world
            .deliver(&sent, &Answer::to(&sent.bytes).rcode(code))
            .unwrap();
        let again = world.sent_one();
        assert_eq!(again.bytes[11], 0);
        world.reply(&again, &www_a(&again.bytes), 0);
        assert_eq!(ttls(&world.answered(ticket)), [300]);
        world.park(&Ask::new("other.example.com", rtype::A));
        assert_eq!(world.sent_one().bytes[11], 0);
    }
}

#[test]
fn dns_40_after_two_timeouts_a_smaller_size_is_offered() {
    // RFC 6891 §6.2.5.
    let mut world = World::new();
    world.park(&ask());
    let sent = world.silence(seconds(10));
    let sizes: Vec<u16> = sent
        .iter()
        .map(|sent| decode(&sent.1.bytes).edns.unwrap().max_payload())
        .collect();
    assert_eq!(sizes, [1232, 1232, 512]);
}

#[test]
fn a_query_that_cannot_be_sent_goes_to_the_next_server() {
    let mut world = servers(&["192.0.2.1:53", "[2001:db8::1]:53"]);
    let ticket = world.park(&ask());
    let first = world.sent_one();
    world.resolver.transmit_failed(world.now, &first.transmit);
    let second = world.sent_one();
    assert_ne!(second.transmit.destination, first.transmit.destination);
    world.resolver.transmit_failed(world.now, &second.transmit);
    world.accept(0);
    assert_eq!(rcode_of(&world.answered(ticket)), rcode::SERVFAIL);
}

#[test]
fn questions_in_flight_are_bounded_in_total_and_per_server() {
    let mut world = World::with(|config| config.in_flight = 2);
    world.park(&Ask::new("a.example", rtype::A));
    world.park(&Ask::new("b.example", rtype::A));
    let (verdict, _) = world.ask(&Ask::new("c.example", rtype::A));
    assert_eq!(
        verdict,
        dnscache::Verdict::Drop(dnscache::DropReason::Overloaded)
    );
    let mut world = World::with(|config| {
        config.in_flight_per_server = 1;
        config.zones = vec![ForwardZone::new(
            name("."),
            vec![address("192.0.2.1:53"), address("192.0.2.2:53")],
        )];
    });
    world.park(&Ask::new("a.example", rtype::A));
    world.park(&Ask::new("b.example", rtype::A));
    let sent = world.sent();
    assert_eq!(sent.len(), 2);
    assert_ne!(sent[0].transmit.destination, sent[1].transmit.destination);
    let third = world.park(&Ask::new("c.example", rtype::A));
    world.accept(0);
    assert_eq!(rcode_of(&world.answered(third)), rcode::SERVFAIL);
}

#[test]
fn dns_47_the_clients_own_question_and_the_one_to_derive_from_are_asked_once() {
    let mut world = World::new();
    world.policy = 1;
    let own = world.park(&Ask::new("six.example.com", rtype::AAAA));
    let sent_own = world.sent_one();
    let ticket = world.park(&Ask::new("six.example.com", rtype::A));
    let sent = world.sent_one();
    let none = Answer::to(&sent.bytes).soa("example.com", 60, 60);
    world.reply(&sent, &none, 1);
    let _ = world.answer(ticket);
    let _ = world.resolver.fetch(world.now, ticket, rtype::AAAA);
    assert!(world.sent().is_empty());
    let six = Answer::to(&sent_own.bytes).answer("six.example.com", rtype::AAAA, 60, &[0x20; 16]);
    world.reply(&sent_own, &six, 0);
    world.answered(own);
    assert!(matches!(
        world.resolver.fetch(world.now, ticket, rtype::AAAA),
        dnscache::Fetch::Answer { .. }
    ));
}
