//! The crates by what is asked of them; DESIGN.md's and ARCHITECTURE.md's table, as the checks see it.

/// A crate of the family.
pub(crate) struct Crate {
    /// The folder.
    pub(crate) folder: &'static str,
    /// The package name.
    pub(crate) package: &'static str,
    /// Whether it has to build where there is no operating system.
    pub(crate) no_std: bool,
}

/// The five libraries, which never depend on each other.
pub(crate) const LIBRARIES: &[Crate] = &[
    Crate {
        folder: "nat46",
        package: "nat46",
        no_std: true,
    },
    Crate {
        folder: "snatpool",
        package: "snatpool",
        no_std: true,
    },
    Crate {
        folder: "dnscache",
        package: "egress-dnscache",
        no_std: true,
    },
    Crate {
        folder: "dns46",
        package: "dns46",
        no_std: true,
    },
    Crate {
        folder: "egress-config",
        package: "egress-config",
        no_std: false,
    },
];

/// The crate that wires them.
pub(crate) const GATEWAY: Crate = Crate {
    folder: "gateway",
    package: "egress-gateway",
    no_std: false,
};

/// A target without an operating system: what builds for it needs no std.
pub(crate) const BARE_TARGET: &str = "x86_64-unknown-none";
