//! A caching stub resolver: `cargo run --example stub -- 127.0.0.1:5300 192.0.2.53:53` listens on the first
//! address and asks the server at the second one.

#![expect(
    clippy::disallowed_methods,
    clippy::std_instead_of_core,
    reason = "a program has a clock and sockets"
)]

use std::collections::HashMap;
use std::error::Error;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use dnscache::{
    Client, Config, Event, ForwardZone, Name, Resolver, StreamInput, StreamTransmit, Transport,
    Verdict,
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let listen: SocketAddr = arguments.next().ok_or("where to listen?")?.parse()?;
    let server: SocketAddr = arguments.next().ok_or("which server?")?.parse()?;
    let mut config = Config::default();
    config
        .zones
        .push(ForwardZone::new(Name::root(), vec![server]));
    let mut seed = [0; 32];
    fs::File::open("/dev/urandom")?.read_exact(&mut seed)?;
    let mut resolver = Resolver::new(config, seed);
    let clients = UdpSocket::bind(listen)?;
    clients.set_nonblocking(true)?;
    // A socket for each port that queries leave from: ports are what a forger has to guess.
    let mut ports: HashMap<u16, UdpSocket> = HashMap::new();
    let (start, mut buffer, mut out) = (Instant::now(), [0; 65_535], [0; 65_535]);
    println!("listening on {listen}, asking {server}");
    loop {
        let now = start.elapsed();
        let mut idle = true;
        while let Ok((length, address)) = clients.recv_from(&mut buffer) {
            idle = false;
            let (local, transport, token) = (listen, Transport::Udp, 0);
            let client = Client {
                address,
                local,
                transport,
                token,
            };
            let verdict = resolver.handle_query(now, client, &buffer[..length], 0, &mut out);
            if let Verdict::Reply(length) = verdict {
                clients.send_to(&out[..length], address)?;
            }
        }
        for (port, socket) in &ports {
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                idle = false;
                let to = SocketAddr::from((Ipv4Addr::UNSPECIFIED, *port));
                // What is no reply to a question in flight is counted, and has no effect.
                let _ = resolver.handle_datagram(now, from, to, &buffer[..length]);
            }
        }
        resolver.handle_timeout(now);
        while let Some(event) = resolver.poll_event() {
            idle = false;
            match event {
                Event::Received { fetch, .. } => resolver.accept(now, fetch, 0),
                Event::Ready { ticket } => {
                    let client = resolver.client(ticket);
                    if let (Some(client), Verdict::Reply(length)) =
                        (client, resolver.answer(now, ticket, &mut out))
                    {
                        clients.send_to(&out[..length], client.address)?;
                    }
                }
                event => println!("{event:?}"),
            }
        }
        while let Some(sent) = resolver.poll_transmit(now, &mut out) {
            if ports.len() > 512 {
                ports.clear();
            }
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, sent.source_port))?;
            socket.set_nonblocking(true)?;
            socket.send_to(&out[..sent.len], sent.destination)?;
            ports.insert(sent.source_port, socket);
        }
        while let Some(step) = resolver.poll_stream(now, &mut out) {
            // TCP, for what is too long for a datagram, is left out: such questions fail.
            if let StreamTransmit::Connect { stream, .. } = step {
                resolver.handle_stream(now, stream, StreamInput::Closed);
            }
        }
        if idle {
            thread::sleep(Duration::from_millis(1));
        }
    }
}
