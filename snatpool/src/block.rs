//! Port blocks: a client's ports come from a few ranges that are its alone, so that one line of a
//! log for each range says who had a port (RFC 6888 REQ-14, RFC 7422).

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::ops::RangeInclusive;

use crate::config::{PoolId, PortBlocks};
use crate::event::{Event, PortBlock};
use crate::meter::touch;
use crate::record::NONE;

/// The blocks of all addresses that are cut into such.
#[derive(Debug)]
pub(crate) struct Blocks {
    /// By number of the address.
    spans: Vec<Option<Span>>,
    records: Vec<Block>,
    events: VecDeque<(bool, PortBlock)>,
    /// Blocks in use: each will need a place in `events` once more.
    open: usize,
}

/// The blocks of one address.
#[derive(Clone, Copy, Debug)]
struct Span {
    address: IpAddr,
    /// The number of its first block.
    base: u32,
    first: u16,
    size: u16,
    per_client: u16,
    count: u32,
    /// Unused blocks, the one freed longest ago first.
    head: u32,
    tail: u32,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    /// The number of its address.
    pub(crate) address: u16,
    /// The next block of its client, or the next unused one.
    pub(crate) next: u32,
    prev: u32,
    pub(crate) sessions: u32,
    /// Whose it is, for the event that tells its end.
    client: Option<(PoolId, IpAddr)>,
}

impl Blocks {
    /// Of addresses with their ports, in the order of their numbers.
    pub(crate) fn new<'a>(
        addresses: impl Iterator<Item = (IpAddr, &'a RangeInclusive<u16>, Option<PortBlocks>)>,
    ) -> Self {
        let mut blocks = Self {
            spans: Vec::new(),
            records: Vec::new(),
            events: VecDeque::new(),
            open: 0,
        };
        for (number, (address, ports, cut)) in (0_u16..).zip(addresses) {
            let span = cut.map(|cut| blocks.cut(number, address, ports, cut));
            blocks.spans.push(span);
        }
        // Each block may end and begin again before its events are taken.
        blocks.events.reserve_exact(4 * blocks.records.len());
        blocks
    }

    fn cut(
        &mut self,
        number: u16,
        address: IpAddr,
        ports: &RangeInclusive<u16>,
        cut: PortBlocks,
    ) -> Span {
        let (first, base) = ((*ports.start()).max(1), self.records.len() as u32);
        let len = u32::from(*ports.end()) - u32::from(first) + 1;
        let count = len / u32::from(cut.size);
        let last = (base + count).checked_sub(1).unwrap_or(NONE);
        self.records.extend((base..base + count).map(|block| Block {
            address: number,
            next: if block == last { NONE } else { block + 1 },
            prev: if block == base { NONE } else { block - 1 },
            sessions: 0,
            client: None,
        }));
        Span {
            address,
            base,
            first,
            size: cut.size,
            per_client: cut.per_client,
            count,
            head: base,
            tail: last,
        }
    }

    fn span(&self, address: u16) -> Option<&Span> {
        self.spans.get(usize::from(address))?.as_ref()
    }

    /// Whether no address is cut into blocks.
    pub(crate) const fn is_unused(&self) -> bool {
        self.records.is_empty()
    }

    /// How many blocks of this address a client may have, if it is cut into blocks.
    pub(crate) fn per_client(&self, address: u16) -> Option<u16> {
        self.span(address).map(|span| span.per_client)
    }

    pub(crate) fn get(&self, number: u32) -> Option<&Block> {
        self.records.get(number as usize)
    }

    /// The block of a port; `None` where the address has none, or in the remainder.
    pub(crate) fn of_port(&self, address: u16, port: u16) -> Option<u32> {
        let span = self.span(address)?;
        let index = u32::from(port.checked_sub(span.first)?) / u32::from(span.size);
        (index < span.count).then_some(span.base + index)
    }

    /// First and last port.
    pub(crate) fn ports(&self, number: u32) -> Option<(u16, u16)> {
        let span = self.span(self.get(number)?.address)?;
        let first = u32::from(span.first) + (number - span.base) * u32::from(span.size);
        Some((first as u16, (first + u32::from(span.size) - 1) as u16))
    }

    /// Gives an unused block of this address to a client, whose list of blocks begins at `head`.
    pub(crate) fn grant(
        &mut self,
        address: u16,
        client: (PoolId, IpAddr),
        head: &mut u32,
    ) -> Option<u32> {
        let number = self.span(address)?.head;
        self.grant_this(number, client, head).then_some(number)
    }

    /// Takes a block out of the list of unused ones.
    fn take_unused(&mut self, number: u32) {
        let Some(Block {
            address,
            next,
            prev,
            ..
        }) = self.get(number).copied()
        else {
            return;
        };
        self.link(prev, next);
        if let Some(Some(span)) = self.spans.get_mut(usize::from(address)) {
            if span.head == number {
                span.head = next;
            }
            if span.tail == number {
                span.tail = prev;
            }
        }
    }

    /// Makes two blocks neighbours in a list; either may be [`NONE`].
    fn link(&mut self, one: u32, other: u32) {
        if let Some(block) = self.records.get_mut(one as usize) {
            block.next = other;
        }
        if let Some(block) = self.records.get_mut(other as usize) {
            block.prev = one;
        }
    }

    /// Whether a client has this block.
    pub(crate) fn is_of(&self, number: u32, client: (PoolId, IpAddr)) -> bool {
        self.get(number)
            .is_some_and(|block| block.client == Some(client))
    }

    /// How many blocks of an address are in the list that begins at `head`.
    pub(crate) fn count_of(&self, address: u16, head: u32) -> u16 {
        let blocks = core::iter::successors(self.get(head), |block| self.get(block.next));
        blocks.filter(|block| block.address == address).count() as u16
    }

    /// Gives this block to a client, if it is unused.
    pub(crate) fn grant_this(
        &mut self,
        number: u32,
        client: (PoolId, IpAddr),
        head: &mut u32,
    ) -> bool {
        let unused = self.get(number).is_some_and(|block| block.client.is_none());
        let told = self.events.len() + self.open + 2 <= self.events.capacity();
        if !(unused && told) {
            return false;
        }
        self.take_unused(number);
        self.adopt(number, client, head);
        true
    }

    fn adopt(&mut self, number: u32, client: (PoolId, IpAddr), head: &mut u32) {
        if let Some(block) = self.records.get_mut(number as usize) {
            block.client = Some(client);
            block.prev = NONE;
            self.link(number, *head);
            *head = number;
            self.open += 1;
            self.tell(true, number);
        }
    }

    /// Takes a block from its client, whose list begins at `head`.
    pub(crate) fn close(&mut self, number: u32, head: &mut u32) {
        let Some(Block {
            address,
            next,
            prev,
            ..
        }) = self.get(number).copied()
        else {
            return;
        };
        touch(1);
        self.link(prev, next);
        if *head == number {
            *head = next;
        }
        self.open = self.open.saturating_sub(1);
        self.tell(false, number);
        let Some(Some(span)) = self.spans.get_mut(usize::from(address)) else {
            return;
        };
        let tail = core::mem::replace(&mut span.tail, number);
        if tail == NONE {
            span.head = number;
        }
        if let Some(block) = self.records.get_mut(number as usize) {
            block.client = None;
            block.sessions = 0;
            block.next = NONE;
        }
        self.link(tail, number);
    }

    /// Makes a block the first of its client's.
    pub(crate) fn put_first(&mut self, number: u32, head: &mut u32) {
        if *head == number {
            return;
        }
        touch(1);
        if let Some(Block { next, prev, .. }) = self.get(number).copied() {
            self.link(prev, next);
            self.link(number, *head);
            self.link(NONE, number);
            *head = number;
        }
    }

    fn tell(&mut self, opened: bool, number: u32) {
        let Some((first, last)) = self.ports(number) else {
            return;
        };
        let block = self.get(number).and_then(|block| block.client);
        let address = self
            .get(number)
            .and_then(|block| self.span(block.address))
            .map(|span| span.address);
        if let (Some((pool, client)), Some(address)) = (block, address) {
            let block = PortBlock {
                pool,
                client,
                address,
                first,
                last,
            };
            self.events.push_back((opened, block));
        }
    }

    /// A session has a port of this block.
    pub(crate) fn enter(&mut self, number: u32) {
        if let Some(block) = self.records.get_mut(number as usize) {
            block.sessions += 1;
        }
    }

    /// It has it no more; `true` if no other has one.
    pub(crate) fn leave(&mut self, number: u32) -> bool {
        self.records.get_mut(number as usize).is_some_and(|block| {
            block.sessions = block.sessions.saturating_sub(1);
            block.sessions == 0
        })
    }

    /// Blocks of this address in use, and in all.
    pub(crate) fn counts(&self, address: u16) -> Option<(u32, u32)> {
        let span = self.span(address)?;
        let all = self.records.iter().skip(span.base as usize);
        let used = all
            .take(span.count as usize)
            .filter(|block| block.client.is_some());
        Some((used.count() as u32, span.count))
    }

    pub(crate) fn poll(&mut self) -> Option<Event> {
        let (opened, block) = self.events.pop_front()?;
        Some(if opened {
            Event::BlockOpened(block)
        } else {
            Event::BlockClosed(block)
        })
    }

    pub(crate) fn has_event(&self) -> bool {
        !self.events.is_empty()
    }
}
