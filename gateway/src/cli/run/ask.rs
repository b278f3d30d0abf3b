//! Questions that the gateway is asked as if by a pod, for `resolve`.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use egress_gateway::sim::craft;
use nat46::packet::{Packet, Transport};

/// Questions at a time, and how long one may wait.
const MOST: usize = 64;
const PATIENCE: Duration = Duration::from_secs(10);

/// Where questions go: to a name server that exists nowhere (RFC 5737, RFC 3849).
const SERVER_IPV4: &str = "192.0.2.53:53";
const SERVER_IPV6: &str = "[2001:db8::53]:53";

/// Questions that wait for their reply, or whose reply waits to be taken.
#[derive(Debug, Default)]
pub(crate) struct Questions {
    asked: Vec<Question>,
    last: u16,
    /// Packets of questions that the data thread has not taken.
    waiting: Vec<Vec<u8>>,
}

#[derive(Debug)]
struct Question {
    pod: SocketAddr,
    until: Duration,
    reply: Option<Vec<u8>>,
}

impl Questions {
    /// Takes a DNS message as a query of `pod`; gives the number by which the reply is asked for.
    pub(crate) fn ask(&mut self, now: Duration, pod: IpAddr, query: &[u8]) -> Option<u16> {
        self.asked.retain(|question| question.until > now);
        if self.asked.len() >= MOST {
            return None;
        }
        self.last = self.last.checked_add(1).unwrap_or(1);
        let from = SocketAddr::new(pod, self.last);
        let server = if pod.is_ipv4() {
            SERVER_IPV4
        } else {
            SERVER_IPV6
        };
        self.waiting
            .push(craft::udp(from, server.parse().ok()?, query));
        self.asked.push(Question {
            pod: from,
            until: now.saturating_add(PATIENCE),
            reply: None,
        });
        Some(self.last)
    }

    /// The reply to a question, once it is there.
    pub(crate) fn take(&mut self, number: u16) -> Option<Vec<u8>> {
        let of_number = |question: &Question| question.pod.port() == number;
        let at = self.asked.iter().position(of_number)?;
        let reply = self.asked.get_mut(at)?.reply.take()?;
        self.asked.swap_remove(at);
        Some(reply)
    }

    /// The next packet to be handled as one from inside.
    pub(super) fn poll(&mut self) -> Option<Vec<u8>> {
        self.waiting.pop()
    }

    /// Whether a packet that leaves to the inside is the reply to a question: then it stays here.
    pub(super) fn is_reply(&mut self, packet: &[u8]) -> bool {
        if self.asked.is_empty() {
            return false;
        }
        let Ok(parsed) = Packet::parse(packet) else {
            return false;
        };
        let Transport::Udp {
            source_port: 53,
            destination_port,
            ..
        } = parsed.transport()
        else {
            return false;
        };
        let pod = SocketAddr::new(parsed.destination(), destination_port);
        let is_own = ["192.0.2.53", "2001:db8::53"]
            .iter()
            .any(|server| server.parse() == Ok(parsed.source()));
        let mut asked = self.asked.iter_mut();
        match asked.find(|question| is_own && question.pod == pod) {
            Some(question) => {
                question.reply = packet.get(parsed.payload()).map(<[u8]>::to_vec);
                true
            }
            None => false,
        }
    }
}
