//! From a plan to the parts of a gateway.

use core::net::IpAddr;

use dns46::{Dns46, Settings};
use dnscache::{ForwardZone, Name, Resolver};
use egress_config::{Plan, Snat, VlanPlan};
use nat46::Translator;
use nat46::address::rfc6052::Prefix;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use snatpool::{PoolConfig, PoolId, SnatPool};

use crate::classify::Classifier;

/// The pool of pods' flows.
pub(crate) const PODS: PoolId = PoolId(0);
/// The pool of the gateway's own flows, which always leave from the external self IPs.
pub(crate) const OWN: PoolId = PoolId(1);

/// Sessions of one gateway.
const SESSIONS: u32 = 1 << 18;

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

/// The parts, as a plan and a seed make them.
pub(crate) struct Parts {
    pub(crate) classifier: Classifier,
    pub(crate) snat: SnatPool,
    pub(crate) dns46: Dns46,
    pub(crate) resolver: Option<Resolver>,
    pub(crate) translator: Translator,
    pub(crate) inside_mtu: u32,
    pub(crate) outside_mtu: u32,
}

impl Parts {
    pub(crate) fn new(plan: &Plan, seed: [u8; 32]) -> Result<Self, SetupError> {
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
        let pools = vec![
            PoolConfig::new(snat_addresses.clone()),
            PoolConfig::new(plan.external_self_ips.clone()),
        ];
        let snat = SnatPool::new(snatpool::Config::new(SESSIONS, pools), seeds())?;
        let own = |ipv4: bool| {
            let addresses = internal_self_ips.iter().chain(&plan.external_self_ips);
            addresses.copied().find(|address| address.is_ipv4() == ipv4)
        };
        let mut translation = nat46::Config::DEFAULT;
        if let Some(IpAddr::V4(address)) = own(true) {
            translation.own_ipv4 = Some(address);
        }
        if let Some(IpAddr::V6(address)) = own(false) {
            translation.own_ipv6 = Some(address);
        }
        Ok(Self {
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
            },
            snat,
            dns46: dns46(plan, seeds())?,
            resolver: resolver(plan, seeds())?,
            translator: Translator::new(translation, seeds()),
            inside_mtu: mtu(plan, true),
            outside_mtu: mtu(plan, false),
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

fn dns46(plan: &Plan, seed: [u8; 32]) -> Result<Dns46, SetupError> {
    let mut settings = Settings {
        nat64: plan.nat64.map(dns46::Prefix::new).transpose()?,
        ..Settings::default()
    };
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
    config.rate_limit = dns.rate_limit.unwrap_or(0);
    config.message_bytes = usize::try_from(dns.message_bytes).unwrap_or(usize::MAX);
    config.negative_bytes = usize::try_from(dns.negative_bytes).unwrap_or(usize::MAX);
    Ok(Some(Resolver::new(config, seed)))
}
