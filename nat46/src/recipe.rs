//! What an established flow needs of each packet, computed once.

use core::net::IpAddr;

use crate::Rewrite;

/// The translation of one direction of a flow: plain data of at most 64 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct Recipe {
    source: [u8; 16],
    destination: [u8; 16],
    source_port: u16,
    destination_port: u16,
}

impl Recipe {
    /// The new addresses and ports.
    #[must_use]
    pub fn rewrite(&self) -> Rewrite {
        Rewrite {
            source: IpAddr::from(self.source),
            destination: IpAddr::from(self.destination),
            source_port: self.source_port,
            destination_port: self.destination_port,
        }
    }
}
