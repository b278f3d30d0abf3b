//! Any bytes on connections of clients and of servers, in any pieces.

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;

use dnscache::{ConnectionLimits, Connections, Framed, StreamInput, StreamTransmit, Transport};

use crate::choices::Choices;
use crate::dnscache_query::check;
use crate::resolver::{Deriving, World};

/// Bytes that a client may leave unread: 64 short queries and a long one, with their lengths.
const BACKLOG: usize = 64 * 514 + 4098;

/// Queries come out of a client's stream as they were framed, whatever the pieces; a server's stream
/// may hold anything, and each client has one sound reply in time.
pub fn dnscache_stream(data: &[u8]) {
    let mut choices = Choices::new(data);
    let Some(flags) = choices.byte() else { return };
    let mut world = World::new(flags & 7);
    world.deriving = Deriving::Pass;
    let mut connections = Connections::new(ConnectionLimits::default());
    let [address, local] = [(10, 4000), (11, 53)]
        .map(|(host, port)| SocketAddr::from((Ipv4Addr::new(10, 1, 2, host), port)));
    assert!(connections.open(world.now, 1, address, local));
    let (mut sent, mut at, mut queries) = (Vec::new(), 0, Vec::new());
    while let (Some(what), Some(piece)) = (choices.byte(), choices.block()) {
        match what % 4 {
            0 | 1 => {
                sent.extend_from_slice(piece);
                connections.receive(1, piece);
            }
            2 => serve(&mut world, piece),
            _ => world.now += Duration::from_millis(u64::from(what)),
        }
        loop {
            match connections.next(world.now, 1) {
                Framed::Query { client, query } => {
                    assert_eq!((client.address, client.token), (address, 1));
                    let length = usize::from(u16::from_be_bytes([sent[at], sent[at + 1]]));
                    assert_eq!(query, sent[at + 2..at + 2 + length]);
                    at += 2 + length;
                    let before = world.replies.len();
                    world.ask(&query, 0, Transport::Tcp);
                    queries.push(query);
                    assert!(world.replies.len() <= before + 1);
                    connections.answered(world.now, 1);
                }
                Framed::Nothing => break,
                Framed::TooLong => {
                    let length = sent.get(at..at + 2);
                    let length = length.map_or(0, |two| u16::from_be_bytes([two[0], two[1]]));
                    assert!(length > 4096 || sent.len() - at > BACKLOG);
                    return;
                }
            }
        }
    }
    world.wait_for_everyone();
    assert!(world.replies.len() <= queries.len());
    for reply in &world.replies {
        let same = |query: &&Vec<u8>| query.get(..2) == reply.get(..2);
        let mut asked = queries.iter().filter(same);
        let one = asked.next().expect("a query with this identifier");
        if asked.next().is_none() {
            check(one, reply, Transport::Tcp);
        }
    }
}

/// Truncates what is asked, so that it is asked over TCP; then puts the piece on that stream.
fn serve(world: &mut World, piece: &[u8]) {
    if let Some((transmit, mut message)) = world.upstream.pop() {
        message[2] |= 0x82;
        world.receive(transmit.destination, transmit.source_port, &message);
    }
    let steps = core::mem::take(&mut world.streams);
    for (step, bytes) in steps {
        match step {
            StreamTransmit::Connect { stream, .. } => {
                world
                    .resolver
                    .handle_stream(world.now, stream, StreamInput::Open);
            }
            StreamTransmit::Send { stream, .. } => {
                // Length and question as they were sent, then whatever.
                let mut reply = bytes;
                if let Some(flags) = reply.get_mut(4) {
                    *flags |= 0x80;
                }
                reply.extend_from_slice(piece);
                for part in reply.chunks(1 + piece.len() % 7) {
                    let input = StreamInput::Bytes(part);
                    world.resolver.handle_stream(world.now, stream, input);
                }
            }
            _ => {}
        }
        world.settle();
    }
}
