//! Who asked for which mapping, and how many that nobody uses each client has.

use alloc::collections::BTreeMap;
use alloc::string::ToString;
use core::net::{IpAddr, Ipv4Addr};

use crate::event::{Asker, Event};
use crate::message::Response;
use crate::policy::Settings;

#[derive(Debug, Default)]
pub(super) struct Askers {
    /// Whose question is being answered.
    pub(super) now: Option<Asker>,
    /// Of mappings that last, if that is wanted.
    remembered: BTreeMap<Ipv4Addr, Asker>,
    /// Who made a mapping that no packet has used yet, if that is limited.
    makers: BTreeMap<Ipv4Addr, IpAddr>,
    counts: BTreeMap<IpAddr, u32>,
}

/// Who sent the question of a plain reply.
pub(super) fn asker(client: IpAddr, reply: &Response) -> Asker {
    Asker {
        client,
        name: reply.question.to_string(),
    }
}

impl Askers {
    /// How many mappings the client may make.
    pub(super) fn left(&self, client: IpAddr, most: Option<u32>) -> u32 {
        let used = self.counts.get(&client).copied().unwrap_or(0);
        most.map_or(u32::MAX, |most| most.saturating_sub(used))
    }

    /// The table's event with who asked.
    pub(super) fn tell(&mut self, event: Event, settings: &Settings) -> Event {
        match event {
            Event::Mapped { address, host, .. } => {
                let asker = self.now.clone();
                if let Some(asker) = &asker {
                    if settings.tentative_per_client.is_some() {
                        self.makers.insert(address, asker.client);
                        *self.counts.entry(asker.client).or_insert(0) += 1;
                    }
                    if settings.remember_askers {
                        self.remembered.insert(address, asker.clone());
                    }
                }
                Event::Mapped {
                    address,
                    host,
                    asker,
                }
            }
            Event::Promoted { address, host, .. } => {
                self.settle(address);
                let asker = self.remembered.get(&address).cloned();
                Event::Promoted {
                    address,
                    host,
                    asker,
                }
            }
            Event::Drained { address, host, .. } => {
                self.settle(address);
                let asker = self.remembered.get(&address).cloned();
                Event::Drained {
                    address,
                    host,
                    asker,
                }
            }
            Event::Removed { address, host, .. } => {
                self.settle(address);
                let asker = self.remembered.get(&address).cloned();
                Event::Removed {
                    address,
                    host,
                    asker,
                }
            }
            Event::Freed { address, host, .. } => {
                let asker = self.remembered.remove(&address);
                Event::Freed {
                    address,
                    host,
                    asker,
                }
            }
            other => other,
        }
    }

    /// The mapping is used, or gone: it counts no longer.
    fn settle(&mut self, address: Ipv4Addr) {
        let Some(client) = self.makers.remove(&address) else {
            return;
        };
        if let Some(count) = self.counts.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&client);
            }
        }
    }
}
