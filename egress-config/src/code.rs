//! The codes of findings.

use core::fmt;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Cannot be run.
    Error,
    /// Runs, but hardly as meant.
    Warning,
    /// Good to know.
    Note,
}

impl Level {
    /// `error`, `warning` or `note`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

macro_rules! codes {
    ($($level:ident $variant:ident $word:literal $what:literal,)+) => {
        /// The kind of a finding: a word that explains itself in a log.
        #[non_exhaustive]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $what] $variant,)+
        }

        impl Code {
            /// All codes: errors, warnings, notes.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The code as it is printed.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// The level of every finding with this code.
            #[must_use]
            pub const fn level(self) -> Level {
                match self {
                    $(Self::$variant => Level::$level,)+
                }
            }

            /// The page of the code, in Markdown: what it means, and where it applies, a wrong and
            /// a right example, each a text that [`check`](crate::check()) takes.
            #[must_use]
            pub const fn page(self) -> &'static str {
                match self {
                    $(Self::$variant => include_str!(concat!("code/pages/", $word, ".md")),)+
                }
            }

            /// One sentence about the finding.
            #[must_use]
            pub const fn summary(self) -> &'static str {
                match self {
                    $(Self::$variant => $what,)+
                }
            }
        }
    };
}

codes! {
    Error Syntax "syntax" "The document is not readable as YAML or JSON.",
    Error DuplicateKey "duplicate-key" "A mapping has a key twice.",
    Error UnknownField "unknown-field" "The resource has no such parameter.",
    Error MissingField "missing-field" "A parameter that the resource needs is not there.",
    Error WrongType "wrong-type" "The value is of another type than the parameter.",
    Error OutOfRange "out-of-range" "The value is outside of what the parameter allows.",
    Error InvalidName "invalid-name" "The text is not a name of the kind wanted.",
    Error WrongFamily "wrong-family" "An address of the other IP version.",
    Error HostBits "host-bits" "A subnet with bits set behind its prefix.",
    Error UnsupportedVersion "unsupported-version" "A known kind under an unknown API group or version.",
    Error DuplicateResource "duplicate-resource" "Two resources of one kind have the same namespace and name.",
    Error DuplicateName "duplicate-name" "Two resources of one kind have the same spec.name.",
    Error SeveralEgresses "several-egresses" "A namespace has more than one F5SPKEgress.",
    Error MissingReference "missing-reference" "A resource that another one names is not there.",
    Error CacheRequired "cache-required" "DNS46 and DNS64 need an F5SPKDnscache.",
    Error UnsupportedCacheType "unsupported-cache-type" "Only the cache type net-resolver exists.",
    Error DuplicateZone "duplicate-zone" "A forward zone is listed twice.",
    Error NameserverNotInPool "nameserver-not-in-pool" "A name server is not among dnsNat46PoolIps.",
    Error NoAddressForReplica "no-address-for-replica" "A replica's slice of the DNS46 subnet is empty.",
    Error Overlap "overlap" "An address lies in a range that means something else.",
    Error PoolsOverlap "pools-overlap" "Two lists of SNAT addresses share an address.",
    Error Nat64Prefix "nat64-prefix" "The NAT64 prefix is not one that RFC 6052 allows.",
    Error VlanConflict "vlan-conflict" "Two VLANs claim the same interface and tag.",
    Warning NoVlan "no-vlan" "An egress, but no internal or no external F5SPKVlan.",
    Warning FlatAddressList "flat-address-list" "addressList is a list of addresses, not of lists.",
    Warning ReplicaWithoutSnatList "replica-without-snat-list" "The SNAT pool has fewer lists than there are replicas.",
    Warning FamilyMissingInPool "family-missing-in-pool" "Flows that are switched on have no source address of their IP version.",
    Warning SelfIpsDifferFromReplicas "self-ips-differ-from-replicas" "A VLAN has not as many self IPs as there are replicas.",
    Warning AmbiguousCacheName "ambiguous-cache-name" "dnsCacheName matches several caches.",
    Warning ZoneWithoutNameserver "zone-without-nameserver" "A forward zone has no name server.",
    Warning NameserverUnreachable "nameserver-unreachable" "No self IP outside has the IP version of a name server.",
    Warning NoEffect "no-effect" "The parameter changes nothing here.",
    Note PassedOver "passed-over" "A resource of another kind.",
    Note UnusedAddresses "unused-addresses" "Addresses of the DNS46 subnet that no replica hands out.",
    Note Unreferenced "unreferenced" "A pool or cache that no egress names.",
    Note TooManyFindings "too-many-findings" "Further findings are not listed.",
    Note PrivatePool "private-pool" "SNAT addresses that are routed in private networks only.",
}

impl Code {
    /// The code that is printed so.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.name() == name)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
