//! F5SPKEgress.

use core::net::{IpAddr, Ipv4Addr};

use ipnet::{Ipv4Net, Ipv6Net};

use super::Identity;
use super::field::{Field, Listed};
use super::object::Decoder;
use crate::code::Code;
use crate::parameter::{EGRESS, VLANS};
use crate::report::Finding;
use crate::tree::NodeId;

/// An F5SPKEgress, decoded.
#[derive(Debug, Clone)]
pub(crate) struct Egress {
    pub(crate) identity: Identity,
    pub(crate) dual_stack: Field<bool>,
    pub(crate) snatpool: Field<String>,
    pub(crate) snat_type: Field<SnatType>,
    pub(crate) dns46: Field<bool>,
    pub(crate) pool_ips: Field<Listed<IpAddr>>,
    pub(crate) subnet: Field<Ipv4Net>,
    pub(crate) sorry: Field<Ipv4Addr>,
    pub(crate) replicas: Field<u64>,
    pub(crate) reserved: Field<u64>,
    pub(crate) max_ttl: Field<u64>,
    pub(crate) nat64: Field<bool>,
    pub(crate) nat64_prefix: Field<Ipv6Net>,
    pub(crate) cache: Field<String>,
    pub(crate) rate_limit: Field<u64>,
    pub(crate) debug_log: Field<bool>,
    pub(crate) vlan_list: Field<Listed<String>>,
    pub(crate) disable_listed: Field<bool>,
    /// Whether `spec` has fields that are no parameters.
    pub(crate) has_unknown: bool,
    /// `spec.vlanList`, or where version v3 has it.
    pub(crate) vlan_list_path: &'static str,
}

/// `snatType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SnatType {
    None,
    Snatpool,
    Automap,
}

impl Egress {
    pub(super) fn decode(
        decoder: &mut Decoder<'_, '_, '_>,
        spec: Option<NodeId>,
        identity: &Identity,
    ) -> Self {
        let spec = decoder.object(spec, "spec", EGRESS, identity.place);
        let (mut vlan_list, mut disable_listed) = (
            decoder.names(&spec, "vlanList"),
            decoder.boolean(&spec, "disableListedVlans"),
        );
        let mut vlan_list_path = "spec.vlanList";
        if let Some((node, path)) = decoder.nested(&spec, "vlans") {
            // The default of an API server is no choice.
            let written = [
                ("vlanList", vlan_list.written() > 0),
                ("disableListedVlans", !disable_listed.or(true)),
            ];
            for (name, written) in written {
                let place = spec.key_place(decoder.tree(), name).filter(|_| written);
                if let Some(place) = place {
                    let message = format!("{name} has no effect beside vlans");
                    let finding = Finding::new(Code::NoEffect, place, message)
                        .help(format!("move it to vlans.{name}"));
                    decoder.push(&format!("spec.{name}"), finding);
                }
            }
            let vlans = decoder.object(Some(node), &path, VLANS, identity.place);
            vlan_list = decoder.names(&vlans, "vlanList");
            disable_listed = decoder.boolean(&vlans, "disableListedVlans");
            vlan_list_path = "spec.vlans.vlanList";
        }
        Self {
            identity: identity.clone(),
            dual_stack: decoder.boolean(&spec, "dualStackEnabled"),
            snatpool: decoder.reference(&spec, "egressSnatpool"),
            snat_type: decoder
                .word(&spec, "snatType", Code::OutOfRange)
                .map(SnatType::from_word),
            dns46: decoder.boolean(&spec, "dnsNat46Enabled"),
            pool_ips: decoder.ips(&spec, "dnsNat46PoolIps"),
            subnet: decoder.ipv4_net(&spec, "dnsNat46Ipv4Subnet"),
            sorry: decoder.ipv4(&spec, "dnsNat46SorryIp"),
            replicas: decoder.integer(&spec, "maxTmmReplicas"),
            reserved: decoder.integer(&spec, "maxReservedStaticIps"),
            max_ttl: decoder.integer(&spec, "maxDNS46TTL"),
            nat64: decoder.boolean(&spec, "nat64Enabled"),
            nat64_prefix: decoder.nat64_prefix(&spec, "nat64Ipv6Subnet"),
            cache: decoder.reference(&spec, "dnsCacheName"),
            rate_limit: decoder.integer(&spec, "dnsRateLimit"),
            debug_log: decoder.boolean(&spec, "debugLogEnabled"),
            vlan_list,
            disable_listed,
            has_unknown: spec.has_unknown(),
            vlan_list_path,
        }
    }
}

impl SnatType {
    fn from_word(word: &'static str) -> Self {
        match word {
            "SRC_TRANS_NONE" => Self::None,
            "SRC_TRANS_SNATPOOL" => Self::Snatpool,
            _ => Self::Automap,
        }
    }
}
