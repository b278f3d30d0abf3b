//! What is measured: the work per packet and per query, on state made beforehand.

mod dnscache;
mod nat46;

/// Something that is done over and over again.
pub struct Operation {
    /// Crate, what is done, and what with; as it stands in `instructions.toml`.
    pub name: &'static str,
    /// Makes the state; each call of what it returns does the operation once, and checks that it
    /// went the way that is measured.
    pub prepare: fn() -> Box<dyn FnMut()>,
}

impl Operation {
    const fn new(name: &'static str, prepare: fn() -> Box<dyn FnMut()>) -> Self {
        Self { name, prepare }
    }
}

/// Every operation that is measured.
pub fn operations() -> impl Iterator<Item = &'static Operation> {
    let crates: [&[Operation]; 2] = [dnscache::OPERATIONS, nat46::OPERATIONS];
    crates.into_iter().flatten()
}
