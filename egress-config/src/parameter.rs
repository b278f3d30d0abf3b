//! The parameters: one table a kind, from which decoders take names and ranges, the schemas their
//! text, and the documentation its pages.

mod dnscache;
mod egress;
mod snatpool;
mod vlan;

pub(crate) use dnscache::{DNSCACHE, FORWARD_ZONE, NAME_SERVER, NET_RESOLVER};
pub(crate) use egress::{EGRESS, VLANS};
pub(crate) use snatpool::{MOST_ADDRESSES, SNATPOOL};
pub(crate) use vlan::VLAN;

/// One parameter of a resource.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    /// As it would be written; `None`: absent means nothing.
    pub(crate) default: Option<&'static str>,
    pub(crate) required: bool,
    /// What it is for, in sentences.
    pub(crate) about: &'static str,
    pub(crate) effect: Effect,
}

/// What a value looks like.
#[derive(Debug)]
pub(crate) enum Shape {
    Boolean,
    Integer {
        min: u64,
        max: u64,
    },
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A domain name, `.` for the root.
    DomainName,
    Ip,
    Ipv4,
    Ipv6,
    Ipv4Net,
    /// RFC 6052 section 2.2.
    Nat64Prefix,
    List {
        of: &'static Self,
        most: usize,
    },
    Object(&'static [Parameter]),
    /// An object that nothing here reads.
    Anything,
}

/// Who reads the value.
#[derive(Debug)]
pub(crate) enum Effect {
    /// The field of the plan that it ends in.
    Plan(&'static str),
    /// Nobody: a value other than the default earns `no-effect`, with this reason.
    Ignored(&'static str),
}

impl Parameter {
    const fn new(name: &'static str, shape: Shape, effect: Effect, about: &'static str) -> Self {
        Self {
            name,
            shape,
            default: None,
            required: false,
            about,
            effect,
        }
    }

    const fn default(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    const fn required(mut self) -> Self {
        self.required = true;
        self
    }
}

/// The largest value that an integer of the Kubernetes API's `int32` holds.
const INT32_MAX: u64 = 2_147_483_647;
