//! F5SPKDnscache.

use super::{Effect, INT32_MAX, Parameter, Shape};

const NO_INFRASTRUCTURE_CACHE: Effect =
    Effect::Ignored("name servers come from forwardZones alone, none is learnt");
const ONE_CACHE: Effect = Effect::Ignored("there is one cache of messages, sized by msgCacheSize");
const OWN_CHOICE: Effect = Effect::Ignored("the gateway chooses family and transport by itself");
const BOUNDED: Effect = Effect::Ignored("the bounds of concurrent queries are built in");

/// `spec` of an F5SPKDnscache.
pub(crate) const DNSCACHE: &[Parameter] = &[
    Parameter::new(
        "cacheType",
        Shape::Word(&["net-resolver"]),
        Effect::Plan("dns"),
        "How misses are answered. Only net-resolver exists.",
    )
    .default("net-resolver"),
    Parameter::new(
        "netResolver",
        Shape::Object(NET_RESOLVER),
        Effect::Plan("dns"),
        "The cache of type net-resolver.",
    ),
];

/// `spec.netResolver`.
pub(crate) const NET_RESOLVER: &[Parameter] = &[
    Parameter::new(
        "forwardZones",
        Shape::List {
            of: &Shape::Object(FORWARD_ZONE),
            most: 100,
        },
        Effect::Plan("dns.zones"),
        "Zones and the servers that are asked about names in them. The longest matching zone \
         wins; names in no zone are refused.",
    ),
    Parameter::new(
        "answerDefaultZones",
        Shape::Boolean,
        Effect::Plan("dns.answer_default_zones"),
        "Whether localhost, its reverse zones and those of RFC 6303 are answered here.",
    )
    .default("false"),
    Parameter::new(
        "msgCacheSize",
        Shape::Integer {
            min: 0,
            max: u32::MAX as u64,
        },
        Effect::Plan("dns.message_bytes"),
        "Size of the message cache in bytes.",
    )
    .default("1048576"),
    Parameter::new(
        "negCacheSize",
        Shape::Integer {
            min: 0,
            max: u32::MAX as u64,
        },
        Effect::Plan("dns.negative_bytes"),
        "Size of the cache of negative answers in bytes.",
    )
    .default("1048576"),
    Parameter::new(
        "nameserverCacheCount",
        Shape::Integer {
            min: 0,
            max: INT32_MAX,
        },
        NO_INFRASTRUCTURE_CACHE,
        "How many name servers are remembered.",
    )
    .default("166536"),
    Parameter::new(
        "nameserverTTL",
        Shape::Integer {
            min: 0,
            max: INT32_MAX,
        },
        NO_INFRASTRUCTURE_CACHE,
        "How long, in seconds, a name server is remembered.",
    )
    .default("900"),
    Parameter::new(
        "rrsetCacheSize",
        Shape::Integer {
            min: 0,
            max: u32::MAX as u64,
        },
        ONE_CACHE,
        "Size of the record set cache in bytes.",
    )
    .default("10485760"),
    Parameter::new(
        "rrsetRotate",
        Shape::Word(&["none", "query-id"]),
        ONE_CACHE,
        "Whether records of a set are answered in changing order.",
    )
    .default("none"),
    Parameter::new(
        "useIpv4",
        Shape::Boolean,
        OWN_CHOICE,
        "Whether servers are asked over IPv4.",
    )
    .default("true"),
    Parameter::new(
        "useIpv6",
        Shape::Boolean,
        OWN_CHOICE,
        "Whether servers are asked over IPv6.",
    )
    .default("true"),
    Parameter::new(
        "useTcp",
        Shape::Boolean,
        OWN_CHOICE,
        "Whether servers are asked over TCP.",
    )
    .default("true"),
    Parameter::new(
        "useUdp",
        Shape::Boolean,
        OWN_CHOICE,
        "Whether servers are asked over UDP.",
    )
    .default("true"),
    Parameter::new(
        "randomizeQueryNameCase",
        Shape::Boolean,
        Effect::Ignored("names are always sent in random case"),
        "Whether queries carry names in random case, against forged answers.",
    )
    .default("true"),
    Parameter::new(
        "maxConcurrentQueries",
        Shape::Integer {
            min: 1,
            max: INT32_MAX,
        },
        BOUNDED,
        "Most queries of clients at once.",
    )
    .default("1024"),
    Parameter::new(
        "maxConcurrentUdp",
        Shape::Integer {
            min: 1,
            max: INT32_MAX,
        },
        BOUNDED,
        "Most queries to servers at once over UDP.",
    )
    .default("8192"),
    Parameter::new(
        "maxConcurrentTcp",
        Shape::Integer {
            min: 1,
            max: INT32_MAX,
        },
        BOUNDED,
        "Most queries to servers at once over TCP.",
    )
    .default("20"),
];

/// One of `spec.netResolver.forwardZones`.
pub(crate) const FORWARD_ZONE: &[Parameter] = &[
    Parameter::new(
        "forwardZone",
        Shape::DomainName,
        Effect::Plan("dns.zones.name"),
        "The zone; . for all names.",
    )
    .required(),
    Parameter::new(
        "nameServers",
        Shape::List {
            of: &Shape::Object(NAME_SERVER),
            most: 32,
        },
        Effect::Plan("dns.zones.servers"),
        "The servers of the zone, in the order in which they are tried. None: names of the zone \
         get SERVFAIL.",
    ),
];

/// One of `spec.netResolver.forwardZones[].nameServers`.
pub(crate) const NAME_SERVER: &[Parameter] = &[
    Parameter::new(
        "ipAddress",
        Shape::Ip,
        Effect::Plan("dns.zones.servers"),
        "Its address; must be one of dnsNat46PoolIps.",
    )
    .required(),
    Parameter::new(
        "port",
        Shape::Integer { min: 1, max: 65535 },
        Effect::Plan("dns.zones.servers"),
        "Its port.",
    )
    .default("53"),
];
