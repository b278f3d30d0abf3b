//! Routes and rules that lead to the gateway, and neighbours that it is the proxy of.
//!
//! Two devices prove the side. What arrives on an inside interface is looked up in a table of our own,
//! which leads to the inside device; the main table leads what is addressed to the gateway to the
//! outside one. The devices vanish with the process, and their routes with them; the rest is taken
//! down, or, after a life that ended without a chance to, taken down at the next start.

mod answering;
mod devices;
pub(super) mod made;

use alloc::collections::{BTreeMap, BTreeSet};
use core::net::IpAddr;
use std::io;

use egress_config::{Plan, Snat, VlanPlan};
use futures_util::TryStreamExt;
use ipnet::IpNet;
use rtnetlink::packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use rtnetlink::{Handle, IpVersion, LinkUnspec, LinkVlan};
use tokio::runtime::Runtime;

use super::sysctl::{self, Settings};
use devices::{Device, is_made, tagged};
use made::{ALIAS, Made, Route};

/// Packets that wait in a device for the gateway: a few milliseconds of the smallest, so that a burst, or
/// a moment without a processor, loses none.
const QUEUE: u32 = 4096;

/// Number of the table of replica 0.
const TABLE: u32 = 46_000;

/// Priority of its rules, before the main table's.
const PRIORITY: u32 = 4_600;

/// Why the host cannot be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NetworkError {
    #[error(
        "VLAN {vlan}: no device of this host has an address in {networks}; give one to the device that leads there, or say --interface {interface}=DEVICE"
    )]
    NoDevice {
        vlan: String,
        networks: String,
        interface: String,
    },
    #[error("--interface {interface}={device}: there is no such device")]
    UnknownDevice { interface: String, device: String },
    #[error(
        "{what}: this host has a route of its own there, which is not replaced: {there}; delete it (ip route del …), or change what the resources say"
    )]
    Taken { what: String, there: String },
    #[error("{what}: {error}")]
    Netlink { what: String, error: String },
    #[error("{what}: {error}")]
    Io { what: String, error: io::Error },
}

/// What was set up, to be taken down.
pub(crate) struct Network {
    runtime: Runtime,
    handle: Handle,
    table: u32,
    priority: u32,
    made: Made,
    /// What was made for the plan before, while another's is.
    former: Made,
    /// Devices that vanish with the process.
    own: [u32; 2],
    /// Devices whose packets are led to us.
    ruled: Vec<String>,
    /// Settings of the devices that we answer on.
    answering: BTreeSet<String>,
    settings: Settings,
}

/// Names of the gateway's own devices.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub(crate) inside: String,
    pub(crate) outside: String,
}

impl Network {
    /// Leads to the two devices, which exist already, what the plan is about. `chosen`: devices by the
    /// interface of a VLAN, as the operator said.
    pub(crate) fn set_up(
        plan: &Plan,
        names: &Names,
        chosen: &BTreeMap<String, String>,
        settings: Settings,
    ) -> Result<Self, NetworkError> {
        let mut network = Self::open(plan, settings)?;
        let result = network
            .take_over()
            .and_then(|()| network.renew(plan, names, chosen));
        if result.is_err() {
            network.take_down();
        }
        result.map(|()| network)
    }

    /// What a life before left: its rules lead to devices that are no more, and the rest may be needed.
    fn take_over(&mut self) -> Result<(), NetworkError> {
        self.remove_rules()?;
        self.empty_table()?;
        self.made = self.remains()?;
        Ok(())
    }

    /// The device of each VLAN, without changing anything.
    pub(crate) fn look(
        plan: &Plan,
        chosen: &BTreeMap<String, String>,
    ) -> Vec<(String, Result<String, NetworkError>)> {
        let vlans = plan.vlans.iter();
        vlans
            .map(|vlan| {
                let device = Self::open(plan, Settings::none()).and_then(|network| {
                    let devices = network.devices()?;
                    Ok(network.device_of(vlan, &devices, chosen)?.name)
                });
                (vlan.name.clone(), device)
            })
            .collect()
    }

    fn open(plan: &Plan, settings: Settings) -> Result<Self, NetworkError> {
        let io = |what: &str| {
            let what = what.to_owned();
            move |error| NetworkError::Io { what, error }
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .map_err(io("netlink"))?;
        let handle = {
            let _context = runtime.enter();
            let (connection, handle, _) = rtnetlink::new_connection().map_err(io("netlink"))?;
            runtime.spawn(connection);
            handle
        };
        Ok(Self {
            runtime,
            handle,
            table: TABLE + plan.replica,
            priority: PRIORITY + plan.replica,
            made: Made::default(),
            former: Made::default(),
            own: [0; 2],
            ruled: Vec::new(),
            answering: BTreeSet::new(),
            settings,
        })
    }

    /// Leads to the same two devices what another plan is about. What both plans need is never away;
    /// what only the former needed goes last. If the new ones cannot be made, the former remain.
    pub(crate) fn renew(
        &mut self,
        plan: &Plan,
        names: &Names,
        chosen: &BTreeMap<String, String>,
    ) -> Result<(), NetworkError> {
        self.former = core::mem::take(&mut self.made);
        let answering = core::mem::take(&mut self.answering);
        let ruled = self.ruled.clone();
        let result = self.lead(plan, names, chosen);
        let mut former = core::mem::take(&mut self.former);
        if result.is_err() {
            self.made.join(former);
            self.answering = answering;
            self.answer_no_more_elsewhere();
            return result;
        }
        self.answer_no_more_elsewhere();
        former.leave(&self.made);
        for error in self.remove(former) {
            tracing::warn!("not removed: {error}");
        }
        let still = self.led(plan, chosen)?;
        for device in ruled {
            if !still.contains(&device) {
                self.remove_rule(&device)?;
            }
        }
        Ok(())
    }

    /// The devices of the VLANs that pods come by.
    fn led(
        &self,
        plan: &Plan,
        chosen: &BTreeMap<String, String>,
    ) -> Result<Vec<String>, NetworkError> {
        let devices = self.devices()?;
        let vlans = plan.vlans.iter();
        vlans
            .filter(|vlan| vlan.internal && vlan.enabled)
            .map(|vlan| Ok(self.device_of(vlan, &devices, chosen)?.name))
            .collect()
    }

    fn lead(
        &mut self,
        plan: &Plan,
        names: &Names,
        chosen: &BTreeMap<String, String>,
    ) -> Result<(), NetworkError> {
        let mut devices = self.devices()?;
        let find = |name: &str| devices.iter().find(|device| device.name == name);
        let missing = |name: &str| NetworkError::UnknownDevice {
            interface: "own".to_owned(),
            device: name.to_owned(),
        };
        let inside = find(&names.inside).cloned();
        let inside = inside.ok_or_else(|| missing(&names.inside))?;
        let outside = find(&names.outside).cloned();
        let outside = outside.ok_or_else(|| missing(&names.outside))?;
        self.own = [inside.index, outside.index];
        let mtu = |internal: bool| {
            let vlans = plan.vlans.iter().filter(|vlan| vlan.internal == internal);
            vlans.map(|vlan| vlan.mtu).min().unwrap_or(1500)
        };
        // Nothing is changed for a plan that this host has not all devices for.
        for vlan in &plan.vlans {
            if !is_made(vlan, &devices, chosen) {
                self.device_of(vlan, &devices, chosen)?;
            }
        }
        self.up(&inside, mtu(true))?;
        self.up(&outside, mtu(false))?;

        self.forward(&devices, names)?;
        for own in [&inside, &outside] {
            // Sources on it lead elsewhere: loose, whatever the others are.
            self.set(&format!("net/ipv4/conf/{}/rp_filter", own.name), "2")?;
        }
        for vlan in &plan.vlans {
            self.tag(vlan, &mut devices, chosen)?;
        }
        for vlan in &plan.vlans {
            let device = self.device_of(vlan, &devices, chosen)?;
            self.lead_vlan(plan, vlan, &device, &inside)?;
        }
        for network in addressed(plan) {
            self.route(network, &outside, None)?;
        }
        for next_hop in plan.dns.iter().flat_map(|dns| &dns.next_hops) {
            // The first router that is on a link of ours, in the order of the resource.
            let link = next_hop.gateways.iter().find_map(|gateway| {
                let on = |vlan: &&VlanPlan| vlan.networks.iter().any(|net| net.contains(gateway));
                plan.vlans.iter().find(on).map(|vlan| (*gateway, vlan))
            });
            if let Some((gateway, vlan)) = link {
                let device = self.device_of(vlan, &devices, chosen)?;
                self.route_via(next_hop.server, gateway, &device)?;
            }
        }
        Ok(())
    }

    /// Switches forwarding on. That changes it for each device, and more, which is kept first.
    fn forward(&mut self, devices: &[Device], names: &Names) -> Result<(), NetworkError> {
        let theirs = devices.iter().map(|device| device.name.as_str());
        let theirs = theirs.filter(|name| **name != names.inside && **name != names.outside);
        let theirs: Vec<&str> = theirs.collect();
        let each = |family: &str| -> Vec<String> {
            let names = theirs.iter().copied().chain(["default"]);
            names
                .map(|name| format!("net/{family}/conf/{name}/forwarding"))
                .collect()
        };
        let kept = |error| NetworkError::Io {
            what: "what forwarding is".to_owned(),
            error,
        };
        if !is("net/ipv4/ip_forward", "1") {
            let redirects = "net/ipv4/conf/all/accept_redirects".to_owned();
            let others = each("ipv4").into_iter().chain([redirects]);
            self.settings.keep(others).map_err(kept)?;
            self.set("net/ipv4/ip_forward", "1")?;
        }
        if !is("net/ipv6/conf/all/forwarding", "1") {
            self.settings.keep(each("ipv6")).map_err(kept)?;
            // Else the kernel forgets the routes that routers advertised, and learns no more of them.
            for name in theirs {
                let advertised = format!("net/ipv6/conf/{name}/accept_ra");
                if is(&advertised, "1") && is(&format!("net/ipv6/conf/{name}/forwarding"), "0") {
                    self.set(&advertised, "2")?;
                }
            }
            self.set("net/ipv6/conf/all/forwarding", "1")?;
        }
        Ok(())
    }

    /// What a VLAN's device needs.
    fn lead_vlan(
        &mut self,
        plan: &Plan,
        vlan: &VlanPlan,
        device: &Device,
        inside: &Device,
    ) -> Result<(), NetworkError> {
        let name = &device.name;
        self.answer_on(name)?;
        let snat = match &plan.snat {
            Snat::Pool { addresses, .. } if !vlan.internal => addresses.as_slice(),
            _ => &[],
        };
        let proxied = vlan.self_ips.iter().chain(snat);
        let proxied = proxied.filter(|address| address.is_ipv6()).copied();
        self.add_proxies(proxied.collect(), device)?;
        for network in &vlan.networks {
            // A device without an address there, such as one that was just made, has no route either.
            if !device.addresses.iter().any(|own| network.contains(own)) {
                self.route(network.trunc(), device, None)?;
            }
        }
        if !(vlan.internal && vlan.enabled) {
            return Ok(());
        }
        let table = Some(self.table);
        for everything in ["0.0.0.0/0", "::/0"] {
            if let Ok(network) = everything.parse() {
                self.route(network, inside, table)?;
            }
        }
        // Neighbours on the link reach each other without us.
        for network in &vlan.networks {
            self.route(network.trunc(), device, table)?;
        }
        for own in &vlan.self_ips {
            self.route((*own).into(), inside, table)?;
        }
        self.rule(name)
    }

    /// Makes the 802.1Q device of a tagged VLAN on the device that the operator named, unless it is
    /// there: `eth1.100` for tag 100 on eth1.
    fn tag(
        &mut self,
        vlan: &VlanPlan,
        devices: &mut Vec<Device>,
        chosen: &BTreeMap<String, String>,
    ) -> Result<(), NetworkError> {
        let (Some(tag), Some(trunk)) = (vlan.tag, chosen.get(&vlan.interface)) else {
            return Ok(());
        };
        let mut link = Made::default();
        let name = tagged(trunk, tag);
        link.links.push(name.clone());
        if let Some(there) = devices.iter().find(|device| device.name == name) {
            if there.ours {
                self.made.join(link);
            }
            return Ok(());
        }
        let Some(below) = devices.iter().find(|device| device.name == *trunk) else {
            return Ok(());
        };
        let message = LinkVlan::new(&name, below.index, tag)
            .mtu(vlan.mtu.into())
            .up();
        self.remember(link.clone())?;
        let request = self.handle.link().add(message.build()).execute();
        self.runtime.block_on(request).map_err(netlink(&name))?;
        self.made.join(link);
        let ours = LinkUnspec::new_with_name(&name).alias(ALIAS).build();
        let request = self.handle.link().set(ours).execute();
        self.runtime.block_on(request).map_err(netlink(&name))?;
        let now = self.devices()?;
        *devices = now;
        Ok(())
    }

    fn up(&self, device: &Device, mtu: u16) -> Result<(), NetworkError> {
        let link = LinkUnspec::new_with_index(device.index)
            .mtu(mtu.into())
            .append_extra_attribute(rtnetlink::packet_route::link::LinkAttribute::TxQueueLen(
                QUEUE,
            ))
            .up()
            .build();
        let request = self.handle.link().set(link).execute();
        self.runtime
            .block_on(request)
            .map_err(netlink(&device.name))
    }

    fn route(&mut self, to: IpNet, on: &Device, table: Option<u32>) -> Result<(), NetworkError> {
        let route = Route {
            to: to.addr(),
            length: to.prefix_len(),
            router: None,
            device: on.name.clone(),
            table,
        };
        self.add_route(route, on.index)
    }

    /// A route to one host by a router.
    fn route_via(&mut self, to: IpAddr, router: IpAddr, on: &Device) -> Result<(), NetworkError> {
        if to.is_ipv6() != router.is_ipv6() {
            return Ok(());
        }
        let route = Route {
            to,
            length: IpNet::from(to).prefix_len(),
            router: Some(router),
            device: on.name.clone(),
            table: None,
        };
        self.add_route(route, on.index)
    }

    fn rule(&mut self, device: &str) -> Result<(), NetworkError> {
        if self.ruled.iter().any(|ruled| ruled == device) {
            return Ok(());
        }
        let rule = || {
            self.handle
                .rule()
                .add()
                .input_interface(device)
                .table_id(self.table)
                .priority(self.priority)
                .action(RuleAction::ToTable)
        };
        let (ipv4, ipv6) = (rule().v4().execute(), rule().v6().execute());
        let both = async { ipv4.await.and(ipv6.await) };
        self.runtime
            .block_on(both)
            .map_err(netlink(&format!("rule for {device}")))?;
        self.ruled.push(device.to_owned());
        Ok(())
    }

    fn remove_rule(&mut self, device: &str) -> Result<(), NetworkError> {
        self.ruled.retain(|ruled| ruled != device);
        let name = RuleAttribute::Iifname(device.to_owned());
        self.remove_rules_that(|rule| rule.attributes.contains(&name))
    }

    /// Rules of ours: those of this life, and of one that did not take them down.
    fn remove_rules(&mut self) -> Result<(), NetworkError> {
        self.ruled.clear();
        self.remove_rules_that(|_| true)
    }

    fn remove_rules_that(&self, goes: impl Fn(&RuleMessage) -> bool) -> Result<(), NetworkError> {
        let (handle, priority) = (self.handle.clone(), self.priority);
        let result: Result<(), rtnetlink::Error> = self.runtime.block_on(async move {
            for version in [IpVersion::V4, IpVersion::V6] {
                let mut rules: Vec<RuleMessage> = Vec::new();
                let mut all = handle.rule().get(version).execute();
                while let Some(rule) = all.try_next().await? {
                    if rule.attributes.contains(&RuleAttribute::Priority(priority)) && goes(&rule) {
                        rules.push(rule);
                    }
                }
                for rule in rules {
                    handle.rule().del(rule).execute().await?;
                }
            }
            Ok(())
        });
        result.map_err(netlink("rules"))
    }

    fn set(&mut self, setting: &str, value: &str) -> Result<(), NetworkError> {
        self.settings
            .set(setting, value)
            .map_err(|error| NetworkError::Io {
                what: format!("/proc/sys/{setting}"),
                error,
            })
    }

    /// Puts everything back as it was; gives what could not be.
    pub(crate) fn take_down(&mut self) -> Vec<String> {
        let mut failed = Vec::new();
        failed.extend(self.remove_rules().err().map(|error| error.to_string()));
        let made = core::mem::take(&mut self.made);
        failed.extend(self.remove(made));
        let settings = self.settings.restore().into_iter();
        failed.extend(settings.map(|(name, error)| format!("{name}: {error}")));
        failed
    }
}

/// Whether a setting has this value.
fn is(setting: &str, value: &str) -> bool {
    sysctl::read(setting).is_ok_and(|now| now == value)
}

/// What is there no more need not be removed.
fn gone(result: Result<(), rtnetlink::Error>) -> Option<String> {
    const ESRCH: i32 = 3;
    const ENODEV: i32 = 19;
    const ENOENT: i32 = 2;
    match result {
        Ok(()) => None,
        Err(rtnetlink::Error::NetlinkError(error))
            if matches!(-error.raw_code(), ESRCH | ENODEV | ENOENT) =>
        {
            None
        }
        Err(error) => Some(error.to_string()),
    }
}

fn netlink(what: &str) -> impl Fn(rtnetlink::Error) -> NetworkError {
    let what = what.to_owned();
    move |error| NetworkError::Netlink {
        what: what.clone(),
        error: error.to_string(),
    }
}

/// What the main table leads to the outside device.
fn addressed(plan: &Plan) -> Vec<IpNet> {
    let own = plan.vlans.iter().flat_map(|vlan| vlan.self_ips.clone());
    let snat = match &plan.snat {
        Snat::Pool { addresses, .. } => addresses.clone(),
        _ => Vec::new(),
    };
    own.chain(snat)
        .map(IpNet::from)
        .chain(plan.dns46.iter().map(|dns46| IpNet::V4(dns46.subnet)))
        .chain(plan.nat64.map(IpNet::V6))
        .collect()
}
