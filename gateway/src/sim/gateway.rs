use alloc::collections::VecDeque;
use alloc::rc::Rc;
use core::cell::RefCell;
use core::time::Duration;

use dns46::{OperationId, StoreReply};
use nat46::{HEADROOM, PacketBuf};

use super::Node;
use crate::store::MemoryStore;
use crate::{BUFFER, DropReason, Event, Gateway, Side, Transmit, Verdict};

/// Number of the interface towards the pods.
pub const INSIDE: usize = 0;
/// Number of the interface towards everyone else.
pub const OUTSIDE: usize = 1;

/// A store that several gateways may share.
pub type SharedStore = Rc<RefCell<MemoryStore>>;

/// When a store says that it has done what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acknowledgement {
    /// So much later.
    After(Duration),
    /// Never; nor does it do anything.
    Never,
}

/// A [`Gateway`] on the simulated network, with its store.
pub struct GatewayNode {
    gateway: Gateway,
    store: SharedStore,
    /// How the store behaves from now on.
    pub acknowledgement: Acknowledgement,
    /// Replies of the store on their way.
    replies: VecDeque<(Duration, OperationId, StoreReply)>,
    sending: VecDeque<(usize, Vec<u8>)>,
    events: Vec<(Duration, Event)>,
    drops: Vec<(Duration, Side, DropReason)>,
    buffer: Box<[u8]>,
}

impl GatewayNode {
    /// A node that runs `gateway` on a store of its own, or a shared one.
    #[must_use]
    pub fn new(gateway: Gateway, store: SharedStore) -> Self {
        Self {
            gateway,
            store,
            acknowledgement: Acknowledgement::After(Duration::ZERO),
            replies: VecDeque::new(),
            sending: VecDeque::new(),
            events: Vec::new(),
            drops: Vec::new(),
            buffer: vec![0; BUFFER].into(),
        }
    }

    /// The gateway.
    #[must_use]
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// The gateway, to give it orders.
    pub fn gateway_mut(&mut self) -> &mut Gateway {
        &mut self.gateway
    }

    /// What happened so far, and when.
    #[must_use]
    pub fn events(&self) -> &[(Duration, Event)] {
        &self.events
    }

    /// Packets that went no further as soon as they arrived, and why.
    #[must_use]
    pub fn drops(&self) -> &[(Duration, Side, DropReason)] {
        &self.drops
    }

    /// The drive loop: whatever the last input brought.
    fn drive(&mut self, now: Duration) {
        while self.replies.front().is_some_and(|(at, ..)| *at <= now) {
            if let Some((_, id, reply)) = self.replies.pop_front() {
                self.gateway.handle_store(now, id, reply);
            }
        }
        loop {
            let mut idle = true;
            while let Some(operation) = self.gateway.poll_store() {
                idle = false;
                match self.acknowledgement {
                    Acknowledgement::Never => {}
                    Acknowledgement::After(Duration::ZERO) => {
                        let reply = self.store.borrow_mut().apply(now, operation.action);
                        self.gateway.handle_store(now, operation.id, reply);
                    }
                    Acknowledgement::After(delay) => {
                        let reply = self.store.borrow_mut().apply(now, operation.action);
                        self.replies.push_back((now + delay, operation.id, reply));
                    }
                }
            }
            while let Some(Transmit { side, range, .. }) =
                self.gateway.poll_transmit(now, &mut self.buffer)
            {
                idle = false;
                self.sending
                    .push_back((interface(side), self.buffer[range].to_vec()));
            }
            if idle {
                break;
            }
        }
        while let Some(event) = self.gateway.poll_event() {
            self.events.push((now, event));
        }
    }
}

impl Node for GatewayNode {
    fn handle_packet(&mut self, now: Duration, interface: usize, packet: &[u8]) {
        let side = if interface == INSIDE {
            Side::Inside
        } else {
            Side::Outside
        };
        let place = HEADROOM..HEADROOM + packet.len();
        self.buffer[place.clone()].copy_from_slice(packet);
        let Some(mut buf) = PacketBuf::new(&mut self.buffer, place) else {
            return;
        };
        let leaves = match self.gateway.handle_packet(now, side, &mut buf) {
            Verdict::Forward => Some(side.opposite()),
            Verdict::Reply => Some(side),
            Verdict::Consumed => None,
            Verdict::Drop(reason) => {
                self.drops.push((now, side, reason));
                None
            }
        };
        if let Some(side) = leaves {
            let bytes = buf.as_bytes().to_vec();
            self.sending.push_back((self::interface(side), bytes));
        }
        self.drive(now);
    }

    fn poll_transmit(&mut self, now: Duration) -> Option<(usize, Vec<u8>)> {
        if self.sending.is_empty() {
            // The gateway may have been given orders from outside.
            self.drive(now);
        }
        self.sending.pop_front()
    }

    fn poll_timeout(&mut self, _now: Duration) -> Option<Duration> {
        let reply = self.replies.front().map(|(at, ..)| *at);
        let gateway = self.gateway.poll_timeout();
        reply.into_iter().chain(gateway).min()
    }

    fn handle_timeout(&mut self, now: Duration) {
        self.gateway.handle_timeout(now);
        self.drive(now);
    }

    fn waits_for(&self) -> String {
        format!("packets ({} sessions)", self.gateway.sessions().count())
    }
}

const fn interface(side: Side) -> usize {
    match side {
        Side::Inside => INSIDE,
        Side::Outside => OUTSIDE,
    }
}
