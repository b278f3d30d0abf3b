//! Packets to the gateway itself.

use nat46::PacketBuf;
use nat46::packet::build;
use nat46::packet::{Packet, Transport};

use crate::{DropReason, Gateway, Verdict};

impl Gateway {
    /// To a self IP: pings are answered, nothing else is wanted.
    pub(crate) fn local(&self, packet: &Packet, buf: &mut PacketBuf<'_>) -> Verdict {
        let Transport::IcmpQuery { request: true, .. } = packet.transport() else {
            return Verdict::Drop(DropReason::Unwanted);
        };
        nat46::complete_checksum(packet, buf);
        match build::echo_reply(packet, buf.as_bytes_mut()) {
            Ok(()) => Verdict::Reply,
            Err(_) => Verdict::Drop(DropReason::Unwanted),
        }
    }
}
