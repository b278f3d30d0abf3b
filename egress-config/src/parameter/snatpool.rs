//! F5SPKSnatpool.

use super::{Effect, Parameter, Shape};

/// Most addresses of one replica.
pub(crate) const MOST_ADDRESSES: usize = 1024;

/// `spec` of an F5SPKSnatpool.
pub(crate) const SNATPOOL: &[Parameter] = &[
    Parameter::new(
        "name",
        Shape::Text,
        Effect::Plan("snat.name"),
        "The name that egressSnatpool of an F5SPKEgress refers to.",
    )
    .required(),
    Parameter::new(
        "addressList",
        Shape::List { of: &Shape::List { of: &Shape::Ip, most: MOST_ADDRESSES }, most: 1024 },
        Effect::Plan("snat.addresses"),
        "One list of IPv4 and IPv6 addresses a replica: list i belongs to replica i.",
    )
    .required(),
    Parameter::new(
        "sharedSnatAddressEnabled",
        Shape::Boolean,
        Effect::Ignored(
            "replies must reach the replica that sent the flow: give each replica a list of its own",
        ),
        "Whether all replicas use the same addresses.",
    )
    .default("false"),
];
