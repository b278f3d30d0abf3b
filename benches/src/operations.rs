//! What is measured: the work per packet and per query, on state made beforehand.

/// Something that is done over and over again.
pub struct Operation {
    /// `crate/what/size`, as it stands in `instructions.toml`.
    pub name: &'static str,
    /// Makes the state; each call of what it returns does the operation once, and checks that it
    /// went the way that is measured.
    pub prepare: fn() -> Box<dyn FnMut()>,
}

/// Every operation that is measured.
pub const OPERATIONS: &[Operation] = &[];
