//! From an egress and what it refers to, to the plan of one replica.

use alloc::collections::BTreeSet;
use core::net::IpAddr;
use core::time::Duration;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::{
    Dns46Plan, DnsPlan, ForwardZone, NextHop, Partition, Plan, PlanError, Snat, VirtualServer,
    VlanPlan, default,
};
use crate::check::Resolved;
use crate::decode::{Dnscache, SnatType, Vlan};

impl Plan {
    /// The resources have no errors: what a check refuses does not occur here.
    pub(crate) fn new(resolved: &Resolved<'_>, replica: u32) -> Result<Self, PlanError> {
        let replicas = resolved.replicas();
        if replica >= replicas {
            return Err(PlanError::NoSuchReplica {
                wanted: replica,
                replicas,
            });
        }
        let egress = resolved.egress;
        let vlans: Vec<VlanPlan> = resolved
            .vlans
            .iter()
            .filter_map(|vlan| vlan_plan(resolved, vlan, replica))
            .collect();
        let external_self_ips = vlans
            .iter()
            .filter(|vlan| !vlan.internal)
            .flat_map(|vlan| vlan.self_ips.iter().copied())
            .collect();
        let inside: BTreeSet<IpNet> = vlans
            .iter()
            .filter(|vlan| vlan.internal && vlan.enabled)
            .flat_map(|vlan| vlan.networks.iter().copied())
            .collect();
        let mut plan = Self {
            egress: egress.identity.qualified(),
            replica,
            replicas,
            dual_stack: egress.dual_stack.or(false),
            debug_log: egress.debug_log.or(false),
            snat: snat(resolved, replica),
            dns46: dns46(resolved, replica),
            nat64: resolved
                .nat64()
                .then(|| egress.nat64_prefix.or(default::NAT64_PREFIX)),
            dns: None,
            vlans,
            external_self_ips,
            inside: inside.into_iter().collect(),
            virtual_servers: Vec::new(),
        };
        plan.dns = resolved
            .cache
            .filter(|_| resolved.dns())
            .map(|cache| dns(resolved, cache, &plan.vlans));
        plan.virtual_servers = plan.existing_servers().collect();
        Ok(plan)
    }

    fn existing_servers(&self) -> impl Iterator<Item = VirtualServer> {
        VirtualServer::ALL
            .into_iter()
            .filter(|server| match server {
                VirtualServer::Nat64 => self.nat64.is_some(),
                VirtualServer::Nat46 => self.dns46.is_some(),
                VirtualServer::Dns => self.dns.is_some(),
                VirtualServer::Ipv4 => true,
                VirtualServer::Ipv6 => self.dual_stack,
            })
    }
}

fn snat(resolved: &Resolved<'_>, replica: u32) -> Snat {
    match (resolved.snat_type(), resolved.pool) {
        (SnatType::None, _) => Snat::None,
        (SnatType::Snatpool, Some(pool)) => {
            let list = pool.lists.get(replica as usize);
            Snat::Pool {
                name: pool.name.value().cloned().unwrap_or_default(),
                addresses: list.map_or_else(Vec::new, |list| {
                    list.items.iter().map(|address| address.value).collect()
                }),
            }
        }
        (SnatType::Automap | SnatType::Snatpool, _) => Snat::Automap,
    }
}

fn dns46(resolved: &Resolved<'_>, replica: u32) -> Option<Dns46Plan> {
    if !resolved.dns46() {
        return None;
    }
    let egress = resolved.egress;
    let subnet = egress.subnet.or(default::SUBNET);
    let partition = Partition::new(subnet, egress.reserved.or(0), resolved.replicas()).ok()?;
    Some(Dns46Plan {
        subnet,
        reserved: partition.reserved(),
        slice: partition.slice(replica),
        usable: partition.usable(replica)?,
        unused: partition.unused(),
        sorry: egress.sorry.or(default::SORRY),
        max_ttl: Duration::from_secs(egress.max_ttl.or(default::MAX_TTL)),
    })
}

fn dns(resolved: &Resolved<'_>, cache: &Dnscache, vlans: &[VlanPlan]) -> DnsPlan {
    let zones: Vec<ForwardZone> = cache
        .zones
        .iter()
        .filter_map(|zone| {
            let servers = zone
                .servers
                .iter()
                .filter_map(|server| server.socket())
                .collect();
            Some(ForwardZone {
                name: zone.name.value()?.clone(),
                servers,
            })
        })
        .collect();
    let on_link = |address: IpAddr| {
        vlans
            .iter()
            .any(|vlan| vlan.networks.iter().any(|net| net.contains(&address)))
    };
    let servers: BTreeSet<IpAddr> = zones
        .iter()
        .flat_map(|zone| &zone.servers)
        .map(|server| server.ip())
        .collect();
    let routers: Vec<IpAddr> = resolved
        .egress
        .pool_ips
        .items()
        .iter()
        .map(|ip| ip.value)
        .filter(|ip| !servers.contains(ip) && on_link(*ip))
        .collect();
    let next_hops = servers
        .iter()
        .filter(|server| !on_link(**server))
        .map(|server| NextHop {
            server: *server,
            gateways: routers
                .iter()
                .copied()
                .filter(|router| router.is_ipv4() == server.is_ipv4())
                .collect(),
        })
        .collect();
    let limit = resolved.egress.rate_limit.or(0);
    DnsPlan {
        cache: cache.identity.qualified(),
        zones,
        next_hops,
        rate_limit: u32::try_from(limit).ok().filter(|limit| *limit > 0),
        message_bytes: cache.message_bytes.or(default::MESSAGE_BYTES),
        negative_bytes: cache.negative_bytes.or(default::NEGATIVE_BYTES),
        answer_default_zones: cache.answer_default_zones.or(false),
    }
}

fn vlan_plan(resolved: &Resolved<'_>, vlan: &Vlan, replica: u32) -> Option<VlanPlan> {
    let name = vlan.name.value()?.clone();
    let listed = resolved
        .egress
        .vlan_list
        .items()
        .iter()
        .any(|listed| listed.value == name);
    Some(VlanPlan {
        // Listed and disabled, or not listed where only listed ones are enabled.
        enabled: listed != resolved.egress.disable_listed.or(true),
        internal: vlan.internal.or(false),
        interface: vlan.interface.value()?.clone(),
        tag: u16::try_from(vlan.tag.or(0)).ok().filter(|tag| *tag > 0),
        self_ips: vlan.self_ips(replica).collect(),
        networks: networks(vlan),
        mtu: u16::try_from(vlan.mtu.or(default::MTU)).ok()?,
        name,
    })
}

fn networks(vlan: &Vlan) -> Vec<IpNet> {
    let length = |length: &crate::decode::Field<u64>| u8::try_from(*length.value()?).ok();
    let ipv4s = vlan.self_ipv4s.items().iter().filter_map(|ip| {
        Some(IpNet::V4(
            Ipv4Net::new(ip.value, length(&vlan.ipv4_length)?)
                .ok()?
                .trunc(),
        ))
    });
    let ipv6s = vlan.self_ipv6s.items().iter().filter_map(|ip| {
        Some(IpNet::V6(
            Ipv6Net::new(ip.value, length(&vlan.ipv6_length)?)
                .ok()?
                .trunc(),
        ))
    });
    let unique: BTreeSet<IpNet> = ipv4s.chain(ipv6s).collect();
    unique.into_iter().collect()
}
