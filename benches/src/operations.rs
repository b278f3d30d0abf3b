//! What is measured: the work per packet and per query, on state made beforehand.

mod dns46;
mod dnscache;
mod nat46;
mod snatpool;

/// Something that is done over and over again.
pub struct Operation {
    /// Crate, what is done, and what with; as it stands in `instructions.toml`.
    pub name: &'static str,
    /// Makes the state; each call of what it returns does the operation once, and checks that it
    /// went the way that is measured.
    pub prepare: fn() -> Box<dyn FnMut()>,
    /// It may ask for memory: it is no work per packet, nor per cached answer.
    pub allocates: bool,
}

impl Operation {
    const fn new(name: &'static str, prepare: fn() -> Box<dyn FnMut()>) -> Self {
        Self {
            name,
            prepare,
            allocates: false,
        }
    }

    const fn allocating(name: &'static str, prepare: fn() -> Box<dyn FnMut()>) -> Self {
        Self {
            name,
            prepare,
            allocates: true,
        }
    }
}

/// Every operation that is measured.
pub fn operations() -> impl Iterator<Item = &'static Operation> {
    let crates: [&[Operation]; 4] = [
        dns46::OPERATIONS,
        dnscache::OPERATIONS,
        nat46::OPERATIONS,
        snatpool::OPERATIONS,
    ];
    crates.into_iter().flatten()
}
