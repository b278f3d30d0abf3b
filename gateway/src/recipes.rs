//! The precomputed translation of each session, by its slot.

use alloc::boxed::Box;
use alloc::vec::Vec;

use nat46::Recipe;
use snatpool::{SessionId, Side};

const PAGE: usize = 1024;

/// Both directions of one session.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    generation: u16,
    outbound: Option<Recipe>,
    inbound: Option<Recipe>,
}

/// Recipes in pages that are made on first use.
#[derive(Debug, Default)]
pub(crate) struct Recipes(Vec<Option<Box<[Entry]>>>);

impl Recipes {
    /// Of packets that come from `side`.
    pub(crate) fn get(&self, session: SessionId, side: Side) -> Option<&Recipe> {
        let (page, index) = place(session);
        let entry = self.0.get(page)?.as_ref()?.get(index)?;
        if entry.generation != session.generation() {
            return None;
        }
        match side {
            Side::Inside => entry.outbound.as_ref(),
            Side::Outside => entry.inbound.as_ref(),
        }
    }

    pub(crate) fn set(&mut self, session: SessionId, side: Side, recipe: Recipe) {
        let (page, index) = place(session);
        if self.0.len() <= page {
            self.0.resize_with(page + 1, || None);
        }
        let page = self.0[page].get_or_insert_with(|| alloc::vec![Entry::default(); PAGE].into());
        let entry = &mut page[index];
        if entry.generation != session.generation() {
            *entry = Entry {
                generation: session.generation(),
                ..Entry::default()
            };
        }
        match side {
            Side::Inside => entry.outbound = Some(recipe),
            Side::Outside => entry.inbound = Some(recipe),
        }
    }

    /// A session ended: its generation comes round again one day.
    pub(crate) fn clear(&mut self, session: SessionId) {
        let (page, index) = place(session);
        if let Some(Some(page)) = self.0.get_mut(page)
            && let Some(entry) = page.get_mut(index)
        {
            *entry = Entry::default();
        }
    }
}

fn place(session: SessionId) -> (usize, usize) {
    let slot = session.slot() as usize;
    (slot / PAGE, slot % PAGE)
}
