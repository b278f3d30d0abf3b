//! F5SPKVlan.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Identity;
use super::field::{Field, Listed, Located};
use super::object::{Decoder, Object};
use crate::code::Code;
use crate::parameter::VLAN;
use crate::report::Finding;
use crate::tree::NodeId;

/// An F5SPKVlan, decoded.
#[derive(Debug, Clone)]
pub(crate) struct Vlan {
    pub(crate) identity: Identity,
    pub(crate) name: Field<String>,
    pub(crate) interface: Field<String>,
    pub(crate) tag: Field<u64>,
    pub(crate) internal: Field<bool>,
    pub(crate) self_ipv4s: Field<Listed<Ipv4Addr>>,
    pub(crate) self_ipv6s: Field<Listed<Ipv6Addr>>,
    pub(crate) ipv4_length: Field<u64>,
    pub(crate) ipv6_length: Field<u64>,
    pub(crate) mtu: Field<u64>,
}

/// Least MTU of a link with IPv6, RFC 8200 section 5.
const IPV6_MIN_MTU: u64 = 1280;

impl Vlan {
    pub(super) fn decode(
        decoder: &mut Decoder<'_, '_, '_>,
        spec: Option<NodeId>,
        identity: &Identity,
    ) -> Self {
        let spec = decoder.object(spec, "spec", VLAN, identity.place);
        let vlan = Self {
            identity: identity.clone(),
            name: decoder.name(&spec, "name"),
            interface: interface(decoder, &spec),
            tag: decoder.integer(&spec, "tag"),
            internal: decoder.boolean(&spec, "internal"),
            self_ipv4s: decoder.ipv4s(&spec, "selfip_v4s"),
            self_ipv6s: decoder.ipv6s(&spec, "selfip_v6s"),
            ipv4_length: decoder.integer(&spec, "prefixlen_v4"),
            ipv6_length: decoder.integer(&spec, "prefixlen_v6"),
            mtu: decoder.integer(&spec, "mtu"),
        };
        vlan.lengths(decoder);
        if let Some(mtu) = vlan.mtu.given()
            && mtu.value < IPV6_MIN_MTU
            && vlan.self_ipv6s.written() > 0
        {
            let message = format!("{} is less than IPv6 needs: {IPV6_MIN_MTU}", mtu.value);
            let finding = Finding::new(Code::OutOfRange, mtu.place, message);
            decoder.push("spec.mtu", finding);
        }
        vlan
    }

    /// A self IP without a prefix length is on no subnet; a length without one is on none either.
    fn lengths(&self, decoder: &mut Decoder<'_, '_, '_>) {
        let families = [
            (
                "v4",
                self.self_ipv4s.written(),
                self.self_ipv4s.place(),
                &self.ipv4_length,
            ),
            (
                "v6",
                self.self_ipv6s.written(),
                self.self_ipv6s.place(),
                &self.ipv6_length,
            ),
        ];
        for (family, written, place, length) in families {
            let path = format!("spec.prefixlen_{family}");
            let finding = match (written, place, length) {
                (1.., Some(place), Field::Absent) => {
                    let message = format!("prefixlen_{family} is missing");
                    Finding::new(Code::MissingField, place, message).help(format!(
                        "selfip_{family}s needs the length of its subnet's prefix"
                    ))
                }
                (0, None, Field::Given(length)) => {
                    let message =
                        format!("prefixlen_{family} has no effect without selfip_{family}s");
                    Finding::new(Code::NoEffect, length.place, message)
                }
                (_, _, Field::Absent | Field::Faulty(_) | Field::Given(_)) => continue,
            };
            decoder.push(&path, finding);
        }
    }

    /// The self IPs of a replica, IPv4 first.
    pub(crate) fn self_ips(&self, replica: u32) -> impl Iterator<Item = IpAddr> {
        let index = replica as usize;
        let ipv4 = self
            .self_ipv4s
            .items()
            .get(index)
            .map(|ip| IpAddr::V4(ip.value));
        let ipv6 = self
            .self_ipv6s
            .items()
            .get(index)
            .map(|ip| IpAddr::V6(ip.value));
        ipv4.into_iter().chain(ipv6)
    }

    /// All self IPs of all replicas.
    pub(crate) fn all_self_ips(&self) -> impl Iterator<Item = Located<IpAddr>> {
        let ipv4s = self.self_ipv4s.items().iter();
        let ipv6s = self.self_ipv6s.items().iter();
        ipv4s
            .map(|ip| Located {
                value: IpAddr::V4(ip.value),
                place: ip.place,
            })
            .chain(ipv6s.map(|ip| Located {
                value: IpAddr::V6(ip.value),
                place: ip.place,
            }))
    }
}

/// The first interface; several would be a bond.
fn interface(decoder: &mut Decoder<'_, '_, '_>, spec: &Object) -> Field<String> {
    let listed = match decoder.names(spec, "interfaces") {
        Field::Absent => return Field::Absent,
        Field::Faulty(place) => return Field::Faulty(place),
        Field::Given(listed) => listed,
    };
    let mut items = listed.value.items.into_iter();
    let Some(first) = items.next() else {
        if listed.value.written == 0 {
            let finding = Finding::new(Code::MissingField, listed.place, "no interface is named")
                .help("name one, as \"1.1\"");
            decoder.push("spec.interfaces", finding);
        }
        return Field::Faulty(listed.place);
    };
    if let Some(second) = items.next() {
        let message = format!(
            "{} has no effect: only the first interface is used",
            second.value
        );
        let finding = Finding::new(Code::NoEffect, second.place, message)
            .help("bond interfaces on the host, and name the bond in --interface");
        decoder.push("spec.interfaces[1]", finding);
    }
    Field::Given(first)
}
