//! F5SPKEgress.

use super::{Effect, INT32_MAX, Parameter, Shape};

/// `spec` of an F5SPKEgress.
pub(crate) const EGRESS: &[Parameter] = &[
    Parameter::new(
        "dualStackEnabled",
        Shape::Boolean,
        Effect::Plan("dual_stack"),
        "Whether IPv6 flows of pods leave too (virtual server egress-ipv6).",
    )
    .default("false"),
    Parameter::new(
        "egressSnatpool",
        Shape::Text,
        Effect::Plan("snat"),
        "The spec.name of the F5SPKSnatpool whose addresses pods' flows leave with. Empty: the \
         external VLAN's self IP (automap).",
    )
    .default("\"\""),
    Parameter::new(
        "snatType",
        Shape::Word(&["SRC_TRANS_NONE", "SRC_TRANS_SNATPOOL", "SRC_TRANS_AUTOMAP"]),
        Effect::Plan("snat"),
        "How the source address is chosen. Absent: by egressSnatpool. SRC_TRANS_NONE keeps the \
         pod's address. SRC_TRANS_SNATPOOL without egressSnatpool is automap.",
    ),
    Parameter::new(
        "egressSnatpoolProtectionEnabled",
        Shape::Boolean,
        Effect::Ignored(
            "each replica has SNAT addresses of its own, so that there is nothing to protect",
        ),
        "Security protection of SNAT addresses that several replicas share.",
    )
    .default("false"),
    Parameter::new(
        "dnsNat46Enabled",
        Shape::Boolean,
        Effect::Plan("dns46"),
        "Whether names that have only AAAA records are answered with a mapped IPv4 address, and \
         packets to it are translated (DNS46 and NAT46).",
    )
    .default("false"),
    Parameter::new(
        "dnsNat46PoolIps",
        Shape::List {
            of: &Shape::Ip,
            most: 256,
        },
        Effect::Plan("dns.next_hops"),
        "The external DNS servers, and the routers through which servers are reached that are on \
         no VLAN's subnet.",
    ),
    Parameter::new(
        "dnsNat46Ipv4Subnet",
        Shape::Ipv4Net,
        Effect::Plan("dns46.subnet"),
        "The IPv4 addresses that stand for IPv6 hosts. The network and the broadcast address are \
         never handed out.",
    )
    .default("10.2.2.0/24"),
    Parameter::new(
        "dnsNat46SorryIp",
        Shape::Ipv4,
        Effect::Plan("dns46.sorry"),
        "The answer while a replica's share of the subnet is exhausted.",
    )
    .default("192.168.1.1"),
    Parameter::new(
        "maxTmmReplicas",
        Shape::Integer {
            min: 1,
            max: INT32_MAX,
        },
        Effect::Plan("replicas"),
        "How many replicas share the subnet, each with a slice of its own. As many self IPs and \
         SNAT lists are wanted.",
    )
    .default("1"),
    Parameter::new(
        "maxReservedStaticIps",
        Shape::Integer {
            min: 0,
            max: INT32_MAX,
        },
        Effect::Plan("dns46.reserved"),
        "How many addresses at the start of the subnet are kept for static entries.",
    )
    .default("0"),
    Parameter::new(
        "maxDNS46TTL",
        Shape::Integer {
            min: 1,
            max: INT32_MAX,
        },
        Effect::Plan("dns46.max_ttl"),
        "Upper bound, in seconds, of the TTL of a synthesized A record.",
    )
    .default("120"),
    Parameter::new(
        "nat64Enabled",
        Shape::Boolean,
        Effect::Plan("nat64"),
        "Whether IPv6 pods reach IPv4 hosts: DNS64, and translation of the NAT64 prefix.",
    )
    .default("false"),
    Parameter::new(
        "nat64Ipv6Subnet",
        Shape::Nat64Prefix,
        Effect::Plan("nat64"),
        "The NAT64 prefix, of 32, 40, 48, 56, 64 or 96 bits (RFC 6052 section 2.2).",
    )
    .default("64:ff9b::/96"),
    Parameter::new(
        "dnsCacheName",
        Shape::Text,
        Effect::Plan("dns.cache"),
        "The F5SPKDnscache that answers, as namespace-name, or its name in the own namespace.",
    )
    .default("\"\""),
    Parameter::new(
        "dnsRateLimit",
        Shape::Integer {
            min: 0,
            max: u32::MAX as u64,
        },
        Effect::Plan("dns.rate_limit"),
        "Queries a second that each replica answers; further ones are dropped. 0: no limit.",
    )
    .default("0"),
    Parameter::new(
        "debugLogEnabled",
        Shape::Boolean,
        Effect::Plan("debug_log"),
        "Whether each mapping and each synthesized answer is logged.",
    )
    .default("false"),
    VLAN_LIST,
    DISABLE_LISTED_VLANS,
    Parameter::new(
        "vlans",
        Shape::Object(VLANS),
        Effect::Plan("vlans.enabled"),
        "vlanList and disableListedVlans, as version v3 writes them.",
    ),
    Parameter::new(
        "pseudoCNIConfig",
        Shape::Anything,
        Effect::Ignored("pods' traffic is routed here by the cluster's own network"),
        "How the original redirects namespaces' traffic to itself.",
    ),
    Parameter::new(
        "firewallEnforcedPolicy",
        Shape::Text,
        Effect::Ignored("there is no firewall; use network policies"),
        "A firewall policy for egress flows.",
    )
    .default("\"\""),
    Parameter::new(
        "logProfile",
        Shape::Text,
        Effect::Ignored("logging is set on the command line"),
        "A log profile for egress flows.",
    )
    .default("\"\""),
];

/// `spec.vlans` of an F5SPKEgress.
pub(crate) const VLANS: &[Parameter] = &[
    VLAN_LIST,
    DISABLE_LISTED_VLANS,
    Parameter::new(
        "category",
        Shape::Text,
        Effect::Ignored("VLANs are chosen by vlanList"),
        "A category of VLANs.",
    )
    .default("\"\""),
];

const VLAN_LIST: Parameter = Parameter::new(
    "vlanList",
    Shape::List {
        of: &Shape::Text,
        most: 256,
    },
    Effect::Plan("vlans.enabled"),
    "VLANs, by spec.name, that disableListedVlans is about.",
);

const DISABLE_LISTED_VLANS: Parameter = Parameter::new(
    "disableListedVlans",
    Shape::Boolean,
    Effect::Plan("vlans.enabled"),
    "true: egress is off on the VLANs of vlanList and on everywhere else. false: it is on there \
     only.",
)
.default("true");
