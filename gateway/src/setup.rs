//! From a plan to the parts of a gateway.

use alloc::sync::Arc;
use core::net::IpAddr;
use core::time::Duration;

use dns46::{Dns46, Settings};
use dnscache::{ForwardZone, Name, Resolver};
use egress_config::{Plan, Snat, VlanPlan};
use ipnet::IpNet;
use nat46::Translator;
use nat46::address::rfc6052::Prefix;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use snatpool::{Filter, Mapping, PoolConfig, PoolId, SnatPool};

use crate::classify::{Classifier, Side};
use crate::sockets::Sockets;

/// The pool of pods' flows.
pub(crate) const PODS: PoolId = PoolId(0);
/// The pool of the gateway's own flows, which always leave from the external self IPs.
pub(crate) const OWN: PoolId = PoolId(1);

/// Sessions of one gateway.
const SESSIONS: u32 = 1 << 18;
/// Peers counted: every one that has a thousandth of all sessions is found.
const TOP_DESTINATIONS: u16 = 1024;

/// MTU where no VLAN says any.
const MTU: u16 = 1500;

/// Why a plan cannot be carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// Addresses that cannot be a pool.
    #[error("SNAT addresses: {0}")]
    Snat(#[from] snatpool::ConfigError),
    /// A DNS46 subnet that cannot be one.
    #[error("DNS46 subnet: {0}")]
    Dns46(#[from] dns46::ConfigError),
    /// A NAT64 prefix that cannot be one.
    #[error("NAT64 prefix: {0}")]
    Nat64(#[from] dns46::PrefixError),
    /// The same, as the translator sees it.
    #[error("NAT64 prefix: {0}")]
    Rfc6052(#[from] nat46::address::rfc6052::PrefixError),
    /// A forward zone that is no name.
    #[error("forward zone `{zone}` is no domain name")]
    Zone {
        /// As in the plan.
        zone: String,
    },
}

/// Choices that the resources have no words for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// Bind each inside transport address once, whatever the peer (RFC 4787 REQ-1), and let in whom
    /// this filter admits; pods then reach each other through SNAT addresses. `None`, the default,
    /// binds per flow: 64,512 flows per SNAT address *and* destination, and only the peer can reply.
    pub endpoint_independent: Option<Filter>,
    /// Flows at a time; by default 262,144, for 160 bytes each.
    pub sessions: Option<u32>,
    /// A page of HTML that TCP port 80 of the sorry IP answers with, where that address is routed to
    /// the gateway.
    pub sorry_page: Option<Arc<[u8]>>,
    /// Port 80 of a mapped address that stands for nothing answers with that page too, in place of
    /// ICMP *host unreachable*.
    pub sorry_on_miss: bool,
    /// How long an answer may wait for its mapping to be kept; by default 200 ms.
    pub store_deadline: Option<Duration>,
}

impl Options {
    /// Endpoint-independent bindings with this filter.
    #[must_use]
    pub const fn endpoint_independent(filter: Filter) -> Self {
        Self {
            endpoint_independent: Some(filter),
            sessions: None,
            sorry_page: None,
            sorry_on_miss: false,
            store_deadline: None,
        }
    }
}

/// A translator for the packets of each side, so that the errors that are sent back bear an address of
/// that side.
#[derive(Debug)]
pub(crate) struct Translators {
    inside: Translator,
    outside: Translator,
}

impl Translators {
    /// Of packets from this side.
    pub(crate) fn of(&mut self, side: Side) -> &mut Translator {
        match side {
            Side::Inside => &mut self.inside,
            Side::Outside => &mut self.outside,
        }
    }
}

/// The parts, as a plan and a seed make them.
pub(crate) struct Parts {
    pub(crate) classifier: Classifier,
    pub(crate) snat: SnatPool,
    pub(crate) dns46: Dns46,
    pub(crate) resolver: Option<Resolver>,
    pub(crate) sockets: Sockets,
    pub(crate) translators: Translators,
    pub(crate) inside_mtu: u32,
    pub(crate) outside_mtu: u32,
}

impl Parts {
    pub(crate) fn new(plan: &Plan, options: &Options, seed: [u8; 32]) -> Result<Self, SetupError> {
        // Each part has a seed of its own, so that none gives away another's.
        let mut rng = ChaCha12Rng::from_seed(seed);
        let mut seeds = || {
            let mut seed = [0; 32];
            rng.fill_bytes(&mut seed);
            seed
        };
        let internal = |vlan: &&VlanPlan| vlan.internal;
        let internal_self_ips: Vec<IpAddr> = plan
            .vlans
            .iter()
            .filter(internal)
            .flat_map(|vlan| vlan.self_ips.iter().copied())
            .collect();
        let snat_addresses = match &plan.snat {
            Snat::Pool { addresses, .. } => addresses.clone(),
            Snat::Automap => plan.external_self_ips.clone(),
            _ => Vec::new(),
        };
        let pool = |addresses: &[IpAddr]| {
            let mut pool = PoolConfig::new(addresses.to_vec());
            if let Some(filter) = options.endpoint_independent {
                pool.mapping = Mapping::EndpointIndependent;
                pool.filter = filter;
            }
            pool
        };
        // Both, because automap makes them share their addresses.
        let pools = vec![pool(&snat_addresses), pool(&plan.external_self_ips)];
        let mut config = snatpool::Config::new(options.sessions.unwrap_or(SESSIONS), pools);
        config.top_destinations = TOP_DESTINATIONS;
        let snat = SnatPool::new(config, seeds())?;
        let mut translator = |own: &[IpAddr]| {
            let mut config = nat46::Config::DEFAULT;
            for address in own.iter().rev() {
                match address {
                    IpAddr::V4(address) => config.own_ipv4 = Some(*address),
                    IpAddr::V6(address) => config.own_ipv6 = Some(*address),
                }
            }
            Translator::new(config, seeds())
        };
        let translators = Translators {
            inside: translator(&internal_self_ips),
            outside: translator(&plan.external_self_ips),
        };
        let inside_mtu = mtu(plan, true);
        let outside_mtu = mtu(plan, false);
        // Segments of either side fit both.
        let least_mtu = usize::try_from(inside_mtu.min(outside_mtu)).unwrap_or(usize::MAX);
        let mut own_addresses = plan.external_self_ips.clone();
        own_addresses.extend(&internal_self_ips);
        let serves_pages = options.sorry_page.is_some();
        let sockets = Sockets::new(&own_addresses, least_mtu, serves_pages, seeds());
        own_addresses.extend(&snat_addresses);
        let dns46 = dns46(plan, options, &own_addresses, seeds())?;
        Ok(Self {
            sockets,
            classifier: Classifier {
                inside: plan.inside.clone(),
                internal_self_ips,
                external_self_ips: plan.external_self_ips.clone(),
                snat_addresses,
                keeps_source: plan.snat == Snat::None,
                dns46_subnet: plan.dns46.as_ref().map(|dns46| dns46.subnet),
                nat64_prefix: plan.nat64.map(Prefix::new).transpose()?,
                intercepts_dns: plan.dns.is_some(),
                dual_stack: plan.dual_stack,
                sorry: plan
                    .dns46
                    .as_ref()
                    .filter(|_| options.sorry_page.is_some())
                    .map(|dns46| dns46.sorry),
            },
            snat,
            dns46,
            resolver: resolver(plan, seeds())?,
            translators,
            inside_mtu,
            outside_mtu,
        })
    }
}

/// The least MTU of the VLANs on one side.
fn mtu(plan: &Plan, internal: bool) -> u32 {
    plan.vlans
        .iter()
        .filter(|vlan| vlan.internal == internal)
        .map(|vlan| vlan.mtu)
        .min()
        .unwrap_or(MTU)
        .into()
}

/// `own`: addresses of the gateway, which no answer may lead to.
fn dns46(
    plan: &Plan,
    options: &Options,
    own: &[IpAddr],
    seed: [u8; 32],
) -> Result<Dns46, SetupError> {
    let nat64 = plan.nat64.map(dns46::Prefix::new).transpose()?;
    let mut settings = Settings {
        nat64: nat64.map(dns46::Nat64::all).into_iter().collect(),
        remember_askers: plan.debug_log,
        ..Settings::default()
    };
    if let Some(deadline) = options.store_deadline {
        settings.store_deadline = deadline;
    }
    for address in own {
        match IpNet::from(*address) {
            IpNet::V4(address) => settings.excluded_ipv4.push(address),
            IpNet::V6(address) => settings.excluded.push(address),
        }
    }
    let Some(dns46) = &plan.dns46 else {
        return Ok(Dns46::new(None, settings, seed));
    };
    settings.sorry = Some(dns46.sorry);
    settings.max_ttl = dns46.max_ttl;
    let pool = dns46::Config::new(dns46.subnet, dns46.slice.clone(), dns46.reserved.clone())?;
    Ok(Dns46::new(Some(pool), settings, seed))
}

fn resolver(plan: &Plan, seed: [u8; 32]) -> Result<Option<Resolver>, SetupError> {
    let Some(dns) = &plan.dns else {
        return Ok(None);
    };
    let mut config = dnscache::Config::default();
    for zone in &dns.zones {
        let name: Name = zone.name.parse().map_err(|_| SetupError::Zone {
            zone: zone.name.clone(),
        })?;
        config
            .zones
            .push(ForwardZone::new(name, zone.servers.clone()));
    }
    config.answer_default_zones = dns.answer_default_zones;
    config.rate_limit = dns.rate_limit.unwrap_or(0);
    config.message_bytes = usize::try_from(dns.message_bytes).unwrap_or(usize::MAX);
    config.negative_bytes = usize::try_from(dns.negative_bytes).unwrap_or(usize::MAX);
    Ok(Some(Resolver::new(config, seed)))
}
