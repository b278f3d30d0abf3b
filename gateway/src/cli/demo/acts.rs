//! The samples that the acts are played under.

use std::io::{self, Write};
use std::process::ExitCode;

use egress_config::{Plan, Sources};

use crate::cli::render::{self, Format};

/// An act, named as its sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Act {
    /// The main story; DNS46 and NAT46 with a pool of IPv6 addresses.
    DnsNat46,
    /// SNAT by the self IPs, without DNS.
    Automap,
    /// DNS46 with a reserved range, and a static mapping in it.
    ReservedStatic,
    /// Everything at once: NAT64, DNS64, both families, a pool.
    Mixed,
}

macro_rules! sample {
    ($set:literal, $($file:literal),+) => {
        &[$((
            concat!($set, "/", $file),
            include_str!(concat!("../../../samples/sets/", $set, "/", $file)),
        )),+]
    };
}

impl Act {
    pub(super) const ALL: [Self; 4] = [
        Self::DnsNat46,
        Self::Automap,
        Self::ReservedStatic,
        Self::Mixed,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::DnsNat46 => "dns-nat46",
            Self::Automap => "automap",
            Self::ReservedStatic => "reserved-static",
            Self::Mixed => "mixed",
        }
    }

    pub(super) const fn shows(self) -> &'static str {
        match self {
            Self::DnsNat46 => "DNS46 and NAT46, a pool of IPv6 addresses",
            Self::Automap => "SNAT of both families by the self IPs",
            Self::ReservedStatic => "a static mapping in the reserved range, NAT46 by the self IPs",
            Self::Mixed => "NAT46, NAT64 and SNAT of both families by one pool",
        }
    }

    const fn files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::DnsNat46 => sample!(
                "dns-nat46",
                "dnscache.yaml",
                "egress.yaml",
                "snatpool.yaml",
                "vlans.yaml"
            ),
            Self::Automap => sample!("automap", "egress.yaml", "vlans.yaml"),
            Self::ReservedStatic => sample!(
                "reserved-static",
                "dnscache.yaml",
                "egress.yaml",
                "vlans.yaml"
            ),
            Self::Mixed => sample!(
                "mixed",
                "dnscache.yaml",
                "egress.yaml",
                "snatpool.yaml",
                "vlans.yaml"
            ),
        }
    }

    /// The plan of replica 0. The samples have no errors; if one had, it would be told.
    pub(super) fn plan(self) -> Result<Plan, ExitCode> {
        let mut sources = Sources::new();
        for (name, text) in self.files() {
            sources.add(*name, (*text).to_owned());
        }
        let checked = egress_config::check(&sources);
        checked.plan(0).map_err(|error| {
            let mut err = io::stderr().lock();
            let findings = checked.diagnostics();
            let _ = render::findings(&mut err, &sources, findings, Format::Text, false);
            let _ = writeln!(err, "error: {error}");
            ExitCode::from(2)
        })
    }
}
