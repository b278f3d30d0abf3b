use core::any::Any;
use core::time::Duration;

/// Anything with interfaces that packets reach: a host, a router, the gateway.
///
/// Interfaces are numbered by the node. [`Net`](super::Net) drives it: packet or timeout in, then
/// every packet out, then the next deadline. A packet is one whole IPv4 or IPv6 packet, without a
/// link header.
pub trait Node: Any {
    /// A packet arrived on one of the node's interfaces.
    fn handle_packet(&mut self, now: Duration, interface: usize, packet: &[u8]);

    /// The next packet to send, and the interface that it leaves by.
    fn poll_transmit(&mut self, now: Duration) -> Option<(usize, Vec<u8>)>;

    /// When [`handle_timeout`](Node::handle_timeout) wants to be called next; `None` if the node
    /// waits for packets only. A moment that has passed means at once.
    fn poll_timeout(&mut self, now: Duration) -> Option<Duration>;

    /// The deadline came. Calls that come early do no harm.
    fn handle_timeout(&mut self, now: Duration);

    /// What the node waits for, for the report of a simulation that does not end.
    fn waits_for(&self) -> String {
        String::from("packets")
    }
}
