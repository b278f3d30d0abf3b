//! Unsolicited SYNs that wait for their counterpart (RFC 5382 REQ-4).

/// A SYN from outside that the caller holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SynTicket {
    pub(crate) index: u8,
    pub(crate) generation: u32,
}
