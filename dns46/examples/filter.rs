//! A DNS46 filter between a stub and a resolver. It keeps nothing, so that it has no store to wait for.
//!
//! ```sh
//! cargo run -p dns46 --example filter -- 127.0.0.1:5353 192.0.2.53:53 198.18.0.0/16
//! ```

use core::error::Error;
use core::net::SocketAddr;
use core::time::Duration;
use std::net::UdpSocket;
use std::time::Instant;

use dns46::{Config, Dns46, Pair, Settings, StoreReply};
use ipnet::Ipv4Net;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or("usage: filter LISTEN UPSTREAM POOL");
    let stub = UdpSocket::bind(next()?)?;
    let upstream: SocketAddr = next()?.parse()?;
    let pool: Ipv4Net = next()?.parse()?;
    let config = Config::new(pool, pool.network()..=pool.broadcast(), None)?;
    // Fixed, so that the example needs no library for entropy; a real one draws it.
    let mut dns46 = Dns46::new(Some(config), Settings::default(), [7; 32]);
    #[expect(clippy::disallowed_methods, reason = "a program has a clock")]
    let start = Instant::now();
    let mut query = [0; 1232];
    loop {
        let (len, client) = stub.recv_from(&mut query)?;
        match answer(&mut dns46, start.elapsed(), client, upstream, &query[..len]) {
            Ok(reply) => drop(stub.send_to(&reply, client)?),
            Err(why) => eprintln!("{client}: {why}"),
        }
        while let Some(event) = dns46.poll_event() {
            println!("{event:?}");
        }
    }
}

/// The reply to a query: upstream's, or one that is made of two of them.
fn answer(
    dns46: &mut Dns46,
    now: Duration,
    client: SocketAddr,
    upstream: SocketAddr,
    query: &[u8],
) -> Result<Vec<u8>, Box<dyn Error>> {
    let (client, mut out) = (client.ip(), [0; 4096]);
    if let Some(len) = dns46.on_query(client, query, &mut out)? {
        return Ok(out[..len].to_vec());
    }
    let first = ask(upstream, query)?;
    let Some(record_type) = dns46.on_answer(&first).record_type() else {
        return Ok(first);
    };
    let second = ask(upstream, &with_type(query, record_type))?;
    let mut pair = dns46.on_pair(now, client, &first, &second, &mut out);
    if let Pair::Wait(ticket) = pair {
        while let Some(operation) = dns46.poll_store() {
            dns46.handle_store(now, operation.id, StoreReply::Done);
        }
        pair = dns46.finish(now, ticket, &mut out);
    }
    match pair {
        Pair::Reply(made) => Ok(out[..made.len].to_vec()),
        Pair::Refuse(why) => Err(why.into()),
        Pair::Pass | Pair::Wait(_) => Ok(first),
    }
}

fn ask(upstream: SocketAddr, query: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let socket = UdpSocket::bind(if upstream.is_ipv4() {
        "0.0.0.0:0"
    } else {
        "[::]:0"
    })?;
    socket.set_read_timeout(Some(Duration::from_secs(2)))?;
    socket.connect(upstream)?;
    socket.send(query)?;
    let mut reply = vec![0; 4096];
    let len = socket.recv(&mut reply)?;
    reply.truncate(len);
    Ok(reply)
}

/// The same question about another type: the two bytes behind the name.
fn with_type(query: &[u8], record_type: u16) -> Vec<u8> {
    let mut query = query.to_vec();
    let name = query
        .iter()
        .skip(12)
        .position(|byte| *byte == 0)
        .unwrap_or(0)
        + 13;
    if let Some(place) = query.get_mut(name..name + 2) {
        place.copy_from_slice(&record_type.to_be_bytes());
    }
    query
}
