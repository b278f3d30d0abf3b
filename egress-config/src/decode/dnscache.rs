//! F5SPKDnscache.

use core::net::{IpAddr, SocketAddr};

use super::Identity;
use super::field::Field;
use super::object::Decoder;
use crate::code::Code;
use crate::parameter::{DNSCACHE, FORWARD_ZONE, NAME_SERVER, NET_RESOLVER};
use crate::tree::{NodeId, Place};

/// An F5SPKDnscache, decoded.
#[derive(Debug, Clone)]
pub(crate) struct Dnscache {
    pub(crate) identity: Identity,
    pub(crate) zones: Vec<Zone>,
    /// There may be zones that could not be read: it has been told of.
    pub(crate) faulty: bool,
    pub(crate) message_bytes: Field<u64>,
    pub(crate) negative_bytes: Field<u64>,
    pub(crate) answer_default_zones: Field<bool>,
}

/// One of its forward zones.
#[derive(Debug, Clone)]
pub(crate) struct Zone {
    pub(crate) place: Place,
    /// Lower case, without trailing dot.
    pub(crate) name: Field<String>,
    /// With their index in the resource; faulty ones included.
    pub(crate) servers: Vec<NameServer>,
    /// `nameServers` is no list: it has been told of.
    pub(crate) faulty: bool,
}

/// One of a zone's servers.
#[derive(Debug, Clone)]
pub(crate) struct NameServer {
    pub(crate) address: Field<IpAddr>,
    pub(crate) port: Field<u64>,
}

impl Dnscache {
    pub(super) fn decode(
        decoder: &mut Decoder<'_, '_, '_>,
        spec: Option<NodeId>,
        identity: &Identity,
    ) -> Self {
        let spec = decoder.object(spec, "spec", DNSCACHE, identity.place);
        decoder.word(&spec, "cacheType", Code::UnsupportedCacheType);
        let (node, path) = match decoder.nested(&spec, "netResolver") {
            Some((node, path)) => (Some(node), path),
            None => (None, String::new()),
        };
        let resolver = decoder.object(node, &path, NET_RESOLVER, identity.place);
        let mut zones = Vec::new();
        let mut faulty = spec.has_unknown()
            || spec.is_faulty()
            || resolver.has_unknown()
            || resolver.is_faulty();
        if let Some((node, path)) = decoder.nested(&resolver, "forwardZones") {
            let most = resolver.most("forwardZones");
            let items = decoder.items(node, &path, most);
            faulty |= !decoder.is_list(node, most);
            for (index, item) in items.iter().enumerate() {
                zones.push(Zone::decode(
                    decoder,
                    *item,
                    &format!("{path}[{index}]"),
                    identity,
                ));
            }
        }
        Self {
            identity: identity.clone(),
            zones,
            faulty,
            message_bytes: decoder.integer(&resolver, "msgCacheSize"),
            negative_bytes: decoder.integer(&resolver, "negCacheSize"),
            answer_default_zones: decoder.boolean(&resolver, "answerDefaultZones"),
        }
    }
}

impl Zone {
    fn decode(
        decoder: &mut Decoder<'_, '_, '_>,
        node: NodeId,
        path: &str,
        identity: &Identity,
    ) -> Self {
        let zone = decoder.object(Some(node), path, FORWARD_ZONE, identity.place);
        let mut servers = Vec::new();
        let mut faulty = false;
        if let Some((node, path)) = decoder.nested(&zone, "nameServers") {
            let most = zone.most("nameServers");
            let items = decoder.items(node, &path, most);
            faulty = !decoder.is_list(node, most);
            for (index, item) in items.iter().enumerate() {
                let path = format!("{path}[{index}]");
                let server = decoder.object(Some(*item), &path, NAME_SERVER, identity.place);
                servers.push(NameServer {
                    address: decoder.ip(&server, "ipAddress"),
                    port: decoder.integer(&server, "port"),
                });
            }
        }
        Self {
            place: zone.place(),
            name: decoder.domain_name(&zone, "forwardZone"),
            servers,
            faulty,
        }
    }
}

impl NameServer {
    /// Where it is asked; `None` where the address is faulty.
    pub(crate) fn socket(&self) -> Option<SocketAddr> {
        let port = u16::try_from(self.port.or(53)).ok()?;
        self.address
            .value()
            .map(|address| SocketAddr::new(*address, port))
    }
}
