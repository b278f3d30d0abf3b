//! What the store is asked and told: operations out, replies in, a deadline for each.
//!
//! The store holds one pair of entries for each mapping, from the IPv4 address to the host and back;
//! an operation is about the pair.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use core::net::{Ipv4Addr, Ipv6Addr};
use core::time::Duration;

/// Names an operation until its reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationId(u64);

/// Something for the store to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreOperation {
    /// For [`Dns46::handle_store`](crate::Dns46::handle_store).
    pub id: OperationId,
    /// What to do.
    pub action: StoreAction,
    /// A reply that comes later is of no use.
    pub deadline_at: Duration,
}

/// What the store is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreAction {
    /// Keep the pair, the entry of the address first. If the address stands for another host, change
    /// nothing and reply [`StoreReply::Conflict`].
    Put {
        /// The address.
        address: Ipv4Addr,
        /// Its host.
        host: Ipv6Addr,
    },
    /// Reply with the host of an address, and let no other replica's [`Delete`](Self::Delete) of it
    /// succeed for as long as the lease: both in one step.
    Get {
        /// The address.
        address: Ipv4Addr,
        /// From now on.
        lease: Duration,
    },
    /// Let the lease of a pair begin anew: [`StoreReply::Done`]; [`StoreReply::Absent`] or
    /// [`StoreReply::Conflict`] if the address does not stand for the host any more.
    Renew {
        /// The address.
        address: Ipv4Addr,
        /// Its host.
        host: Ipv6Addr,
        /// From now on.
        lease: Duration,
    },
    /// Forget the pair, the entry of the address last, unless the address stands for another host, or
    /// another replica's lease is not over: reply [`StoreReply::Leased`] then.
    Delete {
        /// The address.
        address: Ipv4Addr,
        /// Its host until now.
        host: Ipv6Addr,
    },
}

/// What the store replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreReply {
    /// The pair is kept, or forgotten, so that a crash does not undo it.
    Done,
    /// The address stands for this host.
    Found(Ipv6Addr),
    /// The address stands for nothing.
    Absent,
    /// The address stands for this host already, not for the one of the operation.
    Conflict(Ipv6Addr),
    /// The pair is kept: another replica uses it.
    Leased,
    /// Nothing is certain.
    Failed,
}

/// Operations on their way.
#[derive(Debug, Default)]
pub(crate) struct Operations {
    next: u64,
    /// Not yet fetched.
    queue: VecDeque<StoreOperation>,
    /// Fetched or not, without reply.
    open: BTreeMap<OperationId, StoreOperation>,
    deadlines: BTreeSet<(Duration, OperationId)>,
}

impl Operations {
    pub(crate) fn push(&mut self, action: StoreAction, deadline_at: Duration) -> OperationId {
        let id = OperationId(self.next);
        self.next += 1;
        let operation = StoreOperation {
            id,
            action,
            deadline_at,
        };
        self.queue.push_back(operation);
        self.open.insert(id, operation);
        self.deadlines.insert((deadline_at, id));
        id
    }

    pub(crate) fn poll(&mut self) -> Option<StoreOperation> {
        self.queue.pop_front()
    }

    /// The action that is replied to; `None` after its deadline.
    pub(crate) fn close(&mut self, id: OperationId) -> Option<StoreAction> {
        let operation = self.open.remove(&id)?;
        self.deadlines.remove(&(operation.deadline_at, id));
        Some(operation.action)
    }

    /// The next operation whose deadline has come.
    pub(crate) fn expire(&mut self, now: Duration) -> Option<StoreAction> {
        let (at, id) = self.deadlines.first().copied()?;
        if at > now {
            return None;
        }
        self.queue.retain(|operation| operation.id != id);
        self.close(id)
    }

    pub(crate) fn has_output(&self) -> bool {
        !self.queue.is_empty()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        self.deadlines.first().map(|(at, _)| *at)
    }
}
