//! Taking addresses out of use.

use core::net::IpAddr;

use super::SnatPool;
use crate::pool::Address;

impl SnatPool {
    /// Gives an outside address to no new flow; its sessions live on, both ways.
    /// [`Event::Drained`](crate::Event::Drained) comes when the last one ended. Returns whether
    /// the address is one of ours.
    pub fn drain(&mut self, address: IpAddr) -> bool {
        let Some(number) = self.pools.find(address) else {
            return false;
        };
        let idle = |entry: &Address| !entry.draining && entry.sessions == 0;
        if self.pools.address(number).is_some_and(idle) {
            self.drained.push_back(address);
        }
        self.pools.set_draining(number, true);
        true
    }

    /// Undoes [`drain`](Self::drain).
    pub fn undrain(&mut self, address: IpAddr) -> bool {
        let Some(number) = self.pools.find(address) else {
            return false;
        };
        self.pools.set_draining(number, false);
        self.drained.retain(|drained| *drained != address);
        true
    }
}
