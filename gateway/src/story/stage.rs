/// The stages of the story, in the order in which a failure is looked for: a spoiled packet explains
/// why a connection did not come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// The pod's query reaches the gateway.
    Query,
    /// Upstream servers have no A record, and then an AAAA record.
    Upstream,
    /// An address of the subnet stands for the host, for as long as it is used.
    Mapping,
    /// The store acknowledges the mapping.
    Store,
    /// The pod gets the mapped address.
    Answer,
    /// Every packet at the gateway is sound.
    Checksums,
    /// The connection gets a port of a SNAT address.
    Binding,
    /// Its first segment leaves, translated.
    Outbound,
    /// The host's reply comes back, translated.
    Return,
    /// The page arrives whole.
    Page,
    /// The same question is answered from the cache.
    Cache,
    /// Answers with A records are the upstream's, unchanged.
    Rules,
    /// The sessions end, and the mappings hold on.
    End,
}

impl Stage {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Upstream => "upstream",
            Self::Mapping => "mapping",
            Self::Store => "store",
            Self::Answer => "answer",
            Self::Binding => "binding",
            Self::Outbound => "outbound",
            Self::Return => "return",
            Self::Checksums => "checksums",
            Self::Page => "page",
            Self::Cache => "cache",
            Self::Rules => "rules",
            Self::End => "end",
        }
    }
}
