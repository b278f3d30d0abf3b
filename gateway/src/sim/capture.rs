use core::time::Duration;

/// Packets seen at the tapped interfaces, in the order in which they were seen.
#[derive(Debug, Clone, Default)]
pub struct Capture {
    /// Names of the tapped interfaces; [`Frame::interface`] indexes them.
    pub interfaces: Vec<String>,
    /// The packets.
    pub frames: Vec<Frame>,
}

/// One packet as the node that owns the tapped interface saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// When the packet arrived or left.
    pub at: Duration,
    /// Index into [`Capture::interfaces`].
    pub interface: usize,
    /// Whether the node received or sent it.
    pub direction: Direction,
    /// The packet from its IP header on.
    pub bytes: Vec<u8>,
}

/// The way of a packet, seen from the node at whose interface it was captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The node received the packet.
    Inbound,
    /// The node sent the packet.
    Outbound,
}
