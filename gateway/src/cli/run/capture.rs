//! Packets of one address as they come and as they leave, for whoever captures.

use core::net::IpAddr;

use egress_gateway::Side;
use egress_gateway::pcapng;
use egress_gateway::sim::{Direction, Frame};
use jiff::Timestamp;
use nat46::packet::Packet;

use crate::admin::Tap;

/// Captures at a time; further ones end the oldest.
const MOST: usize = 8;

/// Every capture that goes on. Costs a comparison for each packet while there is none.
#[derive(Debug, Default)]
pub(crate) struct Captures {
    running: Vec<Capture>,
    /// The packet at hand, as it came.
    came: Option<Frame>,
}

#[derive(Debug)]
struct Capture {
    address: IpAddr,
    tap: Tap,
    lost: u64,
}

impl Captures {
    /// Starts to capture what has this source or destination, on either side, and what becomes of it.
    pub(crate) fn start(&mut self, address: IpAddr, tap: Tap) {
        let mut head = Vec::new();
        if pcapng::begin(&["inside", "outside"], &mut head).is_err() || tap.try_send(head).is_err()
        {
            return;
        }
        if self.running.len() == MOST {
            self.running.remove(0);
        }
        self.running.push(Capture {
            address,
            tap,
            lost: 0,
        });
    }

    /// A packet came; it is kept until it is known what becomes of it.
    pub(super) fn came(&mut self, side: Side, packet: &[u8]) {
        self.came = None;
        if self.running.is_empty() {
            return;
        }
        // Whoever went away takes nothing any more, even if no packet of the address comes again.
        self.running.retain(|capture| !capture.tap.is_closed());
        if !self.running.is_empty() {
            self.came = Some(frame(side, Direction::Inbound, packet));
        }
    }

    /// The packet at hand leaves like this; or one that nobody sent does.
    pub(super) fn leaves(&mut self, side: Side, packet: &[u8]) {
        if self.running.is_empty() {
            return;
        }
        let (came, left) = (self.came.take(), frame(side, Direction::Outbound, packet));
        let told = match &came {
            Some(came) => format!("{} becomes {}", ends(&came.bytes), ends(packet)),
            None => format!("sent by the gateway: {}", ends(packet)),
        };
        self.running.retain_mut(|capture| {
            let is_wanted = concerns(capture.address, packet)
                || came
                    .as_ref()
                    .is_some_and(|came| concerns(capture.address, &came.bytes));
            !is_wanted
                || came
                    .iter()
                    .chain([&left])
                    .all(|frame| capture.put(frame, &told))
        });
    }

    /// The packet at hand goes no further.
    pub(super) fn dropped(&mut self, why: &str) {
        self.ends_here(|| format!("dropped: {why}"));
    }

    /// The packet at hand was for the gateway itself, or waits in it: what leaves later is another.
    pub(super) fn taken_in(&mut self) {
        self.ends_here(|| "taken in by the gateway".to_owned());
    }

    fn ends_here(&mut self, told: impl FnOnce() -> String) {
        let Some(came) = self.came.take() else { return };
        let told = told();
        self.running.retain_mut(|capture| {
            !concerns(capture.address, &came.bytes) || capture.put(&came, &told)
        });
    }
}

impl Capture {
    /// Hands a packet on; `false` once nobody takes them any more.
    fn put(&mut self, frame: &Frame, told: &str) -> bool {
        let mut block = Vec::new();
        let lost = match self.lost {
            0 => String::new(),
            lost => format!(" ({lost} packets before this one were not captured)"),
        };
        let comment = format!("{told}{lost}");
        if pcapng::packet(frame, Some(&comment), &mut block).is_err() {
            return false;
        }
        match self.tap.try_send(block) {
            Ok(()) => self.lost = 0,
            Err(tokio::sync::mpsc::error::TrySendError::Full(_)) => self.lost += 1,
            Err(tokio::sync::mpsc::error::TrySendError::Closed(_)) => return false,
        }
        true
    }
}

fn frame(side: Side, direction: Direction, packet: &[u8]) -> Frame {
    let since_1970 = Timestamp::now().as_duration();
    Frame {
        at: since_1970.try_into().unwrap_or_default(),
        interface: match side {
            Side::Inside => 0,
            Side::Outside => 1,
        },
        direction,
        bytes: packet.to_vec(),
    }
}

fn concerns(address: IpAddr, packet: &[u8]) -> bool {
    Packet::parse(packet)
        .is_ok_and(|packet| packet.source() == address || packet.destination() == address)
}

fn ends(packet: &[u8]) -> String {
    match Packet::parse(packet) {
        Ok(packet) => format!("{} > {}", packet.source(), packet.destination()),
        Err(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use egress_gateway::sim::craft;
    use tokio::sync::mpsc::channel;

    use super::*;

    fn query(port: u16) -> Vec<u8> {
        let pod = core::net::SocketAddr::new([10, 244, 1, 10].into(), port);
        craft::udp(pod, "198.51.100.53:53".parse().unwrap(), b"query")
    }

    fn holds(block: &[u8], text: &str) -> bool {
        block
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    }

    #[test]
    fn what_the_gateway_takes_in_is_written_and_never_paired_with_what_leaves_later() {
        let mut captures = Captures::default();
        let (tap, mut written) = channel(16);
        captures.start("10.244.1.10".parse().unwrap(), tap);
        written.try_recv().unwrap();
        captures.came(Side::Inside, &query(1000));
        captures.taken_in();
        assert!(holds(
            &written.try_recv().unwrap(),
            "taken in by the gateway"
        ));
        captures.leaves(Side::Inside, &query(2000));
        assert!(holds(&written.try_recv().unwrap(), "sent by the gateway"));
        assert!(written.try_recv().is_err());
    }

    #[test]
    fn a_capture_that_nobody_reads_ends_with_the_next_packet_of_any_address() {
        let mut captures = Captures::default();
        let (tap, written) = channel(16);
        captures.start("192.0.2.1".parse().unwrap(), tap);
        drop(written);
        captures.came(Side::Inside, &query(1000));
        assert!(captures.running.is_empty() && captures.came.is_none());
    }
}
