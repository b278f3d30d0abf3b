//! Which device of the host a VLAN is on.

use alloc::collections::BTreeMap;
use core::net::IpAddr;

use egress_config::VlanPlan;
use futures_util::TryStreamExt;
use ipnet::IpNet;
use rtnetlink::packet_route::address::AddressAttribute;
use rtnetlink::packet_route::link::LinkAttribute;

use super::made::ALIAS;
use super::{Network, NetworkError, netlink};

/// A device of the host.
#[derive(Debug, Clone)]
pub(super) struct Device {
    pub(super) index: u32,
    pub(super) name: String,
    pub(super) addresses: Vec<IpAddr>,
    /// Made by a gateway.
    pub(super) ours: bool,
}

impl Network {
    /// The device of a VLAN: as the operator said, else by its addresses.
    pub(super) fn device_of(
        &self,
        vlan: &VlanPlan,
        devices: &[Device],
        chosen: &BTreeMap<String, String>,
    ) -> Result<Device, NetworkError> {
        if let Some(name) = chosen.get(&vlan.interface) {
            let name = match vlan.tag {
                Some(tag) => tagged(name, tag),
                None => name.clone(),
            };
            let device = devices.iter().find(|device| device.name == name);
            return device.cloned().ok_or_else(|| NetworkError::UnknownDevice {
                interface: vlan.interface.clone(),
                device: name,
            });
        }
        let is_on = |device: &&Device| {
            let mut addresses = device.addresses.iter();
            addresses.any(|address| vlan.networks.iter().any(|net| net.contains(address)))
        };
        let device = devices.iter().find(is_on);
        device.cloned().ok_or_else(|| {
            let networks: Vec<String> = vlan.networks.iter().map(IpNet::to_string).collect();
            NetworkError::NoDevice {
                vlan: vlan.name.clone(),
                networks: networks.join(" or "),
                interface: vlan.interface.clone(),
            }
        })
    }

    pub(super) fn devices(&self) -> Result<Vec<Device>, NetworkError> {
        let handle = self.handle.clone();
        let result: Result<Vec<Device>, rtnetlink::Error> = self.runtime.block_on(async move {
            let mut devices = Vec::new();
            let mut links = handle.link().get().execute();
            while let Some(link) = links.try_next().await? {
                let alias = LinkAttribute::IfAlias(ALIAS.to_owned());
                let ours = link.attributes.contains(&alias);
                let name = link
                    .attributes
                    .into_iter()
                    .find_map(|attribute| match attribute {
                        LinkAttribute::IfName(name) => Some(name),
                        _ => None,
                    });
                devices.push(Device {
                    index: link.header.index,
                    name: name.unwrap_or_default(),
                    addresses: Vec::new(),
                    ours,
                });
            }
            let mut addresses = handle.address().get().execute();
            while let Some(address) = addresses.try_next().await? {
                let index = address.header.index;
                let found = address
                    .attributes
                    .into_iter()
                    .find_map(|attribute| match attribute {
                        AddressAttribute::Address(found) => Some(found),
                        _ => None,
                    });
                if let Some(device) = devices.iter_mut().find(|device| device.index == index) {
                    device.addresses.extend(found);
                }
            }
            Ok(devices)
        });
        result.map_err(netlink("devices"))
    }
}

pub(super) fn tagged(trunk: &str, tag: u16) -> String {
    format!("{trunk}.{tag}")
}

/// Whether the device of a VLAN is to be made: it is not there, and what it is made on is.
pub(super) fn is_made(
    vlan: &VlanPlan,
    devices: &[Device],
    chosen: &BTreeMap<String, String>,
) -> bool {
    let (Some(tag), Some(trunk)) = (vlan.tag, chosen.get(&vlan.interface)) else {
        return false;
    };
    let is_there = |name: &str| devices.iter().any(|device| device.name == name);
    is_there(trunk) && !is_there(&tagged(trunk, tag))
}
