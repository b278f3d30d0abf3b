//! Taking addresses out of use.

use core::net::IpAddr;

use super::SnatPool;

impl SnatPool {
    /// Gives an outside address to no new flow; its sessions live on, both ways.
    /// [`Event::Drained`](crate::Event::Drained) comes when the last one ended. Returns whether
    /// the address is one of ours.
    pub fn drain(&mut self, address: IpAddr) -> bool {
        let found = self
            .pools
            .find(address)
            .and_then(|number| self.pools.address_mut(number));
        let Some(entry) = found else { return false };
        let empty = entry.sessions == 0;
        if !entry.draining && empty {
            self.drained.push_back(address);
        }
        entry.draining = true;
        true
    }

    /// Undoes [`drain`](Self::drain).
    pub fn undrain(&mut self, address: IpAddr) -> bool {
        let found = self
            .pools
            .find(address)
            .and_then(|number| self.pools.address_mut(number));
        let Some(entry) = found else { return false };
        entry.draining = false;
        self.drained.retain(|drained| *drained != address);
        true
    }
}
