//! F5SPKVlan.

use super::{Effect, Parameter, Shape};

const OFFLOADED: Effect = Effect::Ignored("flows are spread over replicas by the routers outside");

/// `spec` of an F5SPKVlan.
pub(crate) const VLAN: &[Parameter] = &[
    Parameter::new(
        "name",
        Shape::Text,
        Effect::Plan("vlans.name"),
        "The name that vlanList of an F5SPKEgress refers to.",
    )
    .required(),
    Parameter::new(
        "interfaces",
        Shape::List {
            of: &Shape::Text,
            most: 1024,
        },
        Effect::Plan("vlans.interface"),
        "The interface, as \"1.1\": the first network attachment is 1.1, the second 1.2.",
    )
    .required(),
    Parameter::new(
        "tag",
        Shape::Integer { min: 0, max: 4094 },
        Effect::Plan("vlans.tag"),
        "The 802.1Q tag. 0: untagged. An interface has at most one VLAN a tag.",
    )
    .default("0"),
    Parameter::new(
        "internal",
        Shape::Boolean,
        Effect::Plan("vlans.internal"),
        "Whether this VLAN faces the pods.",
    )
    .default("false"),
    Parameter::new(
        "selfip_v4s",
        Shape::List {
            of: &Shape::Ipv4,
            most: 1024,
        },
        Effect::Plan("vlans.self_ips"),
        "IPv4 self IPs: address i belongs to replica i.",
    ),
    Parameter::new(
        "prefixlen_v4",
        Shape::Integer { min: 1, max: 32 },
        Effect::Plan("vlans.networks"),
        "Prefix length of the IPv4 self IPs' subnet; wanted where there are such self IPs.",
    ),
    Parameter::new(
        "selfip_v6s",
        Shape::List {
            of: &Shape::Ipv6,
            most: 1024,
        },
        Effect::Plan("vlans.self_ips"),
        "IPv6 self IPs: address i belongs to replica i.",
    ),
    Parameter::new(
        "prefixlen_v6",
        Shape::Integer { min: 1, max: 128 },
        Effect::Plan("vlans.networks"),
        "Prefix length of the IPv6 self IPs' subnet; wanted where there are such self IPs.",
    ),
    Parameter::new(
        "mtu",
        Shape::Integer {
            min: 576,
            max: 65535,
        },
        Effect::Plan("vlans.mtu"),
        "Largest packet, in bytes; at least 1280 where there are IPv6 self IPs (RFC 8200 \
         section 5).",
    )
    .default("1500"),
    Parameter::new(
        "category",
        Shape::Text,
        Effect::Ignored("internal tells which side a VLAN is on"),
        "A category, as external.",
    )
    .default("\"\""),
    Parameter::new(
        "auto_lasthop",
        Shape::Text,
        Effect::Ignored("replies follow the host's routes"),
        "Whether replies go to the link address that a packet came from.",
    ),
    Parameter::new(
        "cmp_hash",
        Shape::Text,
        OFFLOADED,
        "How flows are spread inside a replica.",
    ),
    Parameter::new(
        "pod_hash",
        Shape::Text,
        OFFLOADED,
        "How flows are spread over replicas.",
    ),
    Parameter::new(
        "bonded",
        Shape::Boolean,
        Effect::Ignored("bonds are made on the host; name the bond in --interface"),
        "Whether the interfaces form a bond.",
    )
    .default("false"),
    Parameter::new(
        "allow_common",
        Shape::Anything,
        Effect::Ignored("the gateway listens on no port of its self IPs but 53"),
        "Which services answer on the self IPs.",
    ),
];
