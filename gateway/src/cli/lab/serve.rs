//! The outside of the lab: a name server and web servers.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::thread;

use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::{RData, Record, RecordType};

const SIX: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x46, 0, 0, 0, 0, 0x80);
const FOUR: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 80);
/// Seconds that answers hold.
const TTL: u32 = 60;

/// Serves until it is killed.
pub(super) fn serve() -> io::Result<()> {
    for own in ["10.20.2.216:53", "[2002::10:20:2:216]:53"] {
        let socket = UdpSocket::bind(own)?;
        thread::spawn(move || names(&socket));
    }
    for own in [IpAddr::V4(FOUR), IpAddr::V6(SIX)] {
        let listener = TcpListener::bind(SocketAddr::new(own, 80))?;
        thread::spawn(move || pages(&listener));
    }
    loop {
        thread::park();
    }
}

fn names(socket: &UdpSocket) {
    let mut bytes = [0; 4096];
    loop {
        let Ok((length, client)) = socket.recv_from(&mut bytes) else {
            continue;
        };
        if let Some(reply) = bytes.get(..length).and_then(answer) {
            let _ = socket.send_to(&reply, client);
        }
    }
}

/// The reply to a query; `None` to what is none.
fn answer(query: &[u8]) -> Option<Vec<u8>> {
    let query = Message::from_vec(query).ok()?;
    if query.message_type != MessageType::Query {
        return None;
    }
    let question = query.queries.first()?.clone();
    let mut reply = Message::response(query.id, OpCode::Query);
    reply.metadata.recursion_desired = query.metadata.recursion_desired;
    reply.metadata.recursion_available = true;
    let name = question.name().clone();
    let has = match name.to_string().to_lowercase().as_str() {
        "six.example." => Some((None, Some(SIX))),
        "four.example." => Some((Some(FOUR), None)),
        "both.example." => Some((Some(FOUR), Some(SIX))),
        _ => None,
    };
    let data = match (has, question.query_type()) {
        (None, _) => {
            reply.metadata.response_code = ResponseCode::NXDomain;
            None
        }
        (Some((Some(address), _)), RecordType::A) => Some(RData::A(address.into())),
        (Some((_, Some(address))), RecordType::AAAA) => Some(RData::AAAA(address.into())),
        _ => None,
    };
    reply.add_query(question);
    if let Some(data) = data {
        reply.add_answer(Record::from_rdata(name, TTL, data));
    }
    reply.to_vec().ok()
}

fn pages(listener: &TcpListener) {
    for stream in listener.incoming().flatten() {
        thread::spawn(move || page(stream));
    }
}

/// Says who asks, as it looks from here.
fn page(mut stream: TcpStream) -> io::Result<()> {
    let (own, peer) = (stream.local_addr()?, stream.peer_addr()?);
    let _ = stream.read(&mut [0; 4096])?;
    let text = format!("Hello from {}. You come from {}.\n", own.ip(), peer.ip());
    let length = text.len();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close";
    write!(stream, "{head}\r\nContent-Length: {length}\r\n\r\n{text}")
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::Query;
    use hickory_proto::rr::Name;

    use super::*;

    #[test]
    fn hosts_have_the_family_that_they_are_named_after() {
        for (name, kind, wanted) in [
            ("six.example.", RecordType::AAAA, 1),
            ("six.example.", RecordType::A, 0),
            ("four.example.", RecordType::A, 1),
            ("nobody.example.", RecordType::A, 0),
        ] {
            let mut query = Message::new(7, MessageType::Query, OpCode::Query);
            query.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
            let reply = answer(&query.to_vec().unwrap()).unwrap();
            let reply = Message::from_vec(&reply).unwrap();
            assert_eq!(reply.answers.len(), wanted, "{name} {kind}");
        }
        assert_eq!(answer(b"no query"), None);
    }
}
