//! What is added to the routing of the host: told apart from what is the operator's, and known by names
//! that hold after a process has ended.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use futures_util::TryStreamExt;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage,
};
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use rtnetlink::{Error, RouteMessageBuilder};
use serde::{Deserialize, Serialize};

use super::devices::Device;
use super::{Network, NetworkError, gone, netlink};

/// Who made a route or a proxy entry: we.
const PROTOCOL: RouteProtocol = RouteProtocol::Other(46);

/// The same of a device.
pub(super) const ALIAS: &str = "egress-gateway";

/// What is to be removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Made {
    pub(super) routes: Vec<Route>,
    pub(super) proxies: Vec<Proxy>,
    /// Devices of tagged VLANs.
    pub(super) links: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Route {
    pub(super) to: IpAddr,
    pub(super) length: u8,
    pub(super) router: Option<IpAddr>,
    pub(super) device: String,
    /// The main one, if none is said.
    pub(super) table: Option<u32>,
}

/// An address that neighbour solicitations on a device are answered for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Proxy {
    pub(super) address: IpAddr,
    pub(super) device: String,
}

impl Made {
    /// Adds what is not there; whether something was.
    pub(crate) fn join(&mut self, other: Self) -> bool {
        fn join<T: PartialEq>(to: &mut Vec<T>, from: Vec<T>) -> bool {
            let before = to.len();
            for one in from {
                if !to.contains(&one) {
                    to.push(one);
                }
            }
            to.len() > before
        }
        join(&mut self.routes, other.routes)
            | join(&mut self.proxies, other.proxies)
            | join(&mut self.links, other.links)
    }

    /// Leaves out what remains.
    pub(super) fn leave(&mut self, remains: &Self) {
        self.routes.retain(|one| !remains.routes.contains(one));
        self.proxies.retain(|one| !remains.proxies.contains(one));
        self.links.retain(|one| !remains.links.contains(one));
    }
}

impl Route {
    fn message(&self, device: u32) -> RouteMessage {
        match (self.to, self.router) {
            (IpAddr::V4(to), router) => {
                let mut builder = RouteMessageBuilder::<Ipv4Addr>::new()
                    .destination_prefix(to, self.length)
                    .output_interface(device)
                    .protocol(PROTOCOL);
                builder = match router {
                    Some(IpAddr::V4(router)) => builder.gateway(router),
                    _ => builder.scope(RouteScope::Link),
                };
                match self.table {
                    Some(table) => builder.table_id(table).build(),
                    None => builder.build(),
                }
            }
            (IpAddr::V6(to), router) => {
                let mut builder = RouteMessageBuilder::<Ipv6Addr>::new()
                    .destination_prefix(to, self.length)
                    .output_interface(device)
                    .protocol(PROTOCOL);
                if let Some(IpAddr::V6(router)) = router {
                    builder = builder.gateway(router);
                }
                match self.table {
                    Some(table) => builder.table_id(table).build(),
                    None => builder.build(),
                }
            }
        }
    }
}

/// What a route of the host says.
#[derive(Debug)]
struct Found {
    message: RouteMessage,
    to: Option<IpAddr>,
    router: Option<IpAddr>,
    device: Option<u32>,
    table: u32,
    priority: u32,
}

impl Found {
    fn of(message: RouteMessage) -> Self {
        let ip = |address: &RouteAddress| match address {
            RouteAddress::Inet(address) => Some(IpAddr::V4(*address)),
            RouteAddress::Inet6(address) => Some(IpAddr::V6(*address)),
            _ => None,
        };
        let mut found = Self {
            to: None,
            router: None,
            device: None,
            table: message.header.table.into(),
            priority: 0,
            message,
        };
        for attribute in &found.message.attributes {
            match attribute {
                RouteAttribute::Destination(to) => found.to = ip(to),
                RouteAttribute::Gateway(router) => found.router = ip(router),
                RouteAttribute::Oif(device) => found.device = Some(*device),
                RouteAttribute::Table(table) => found.table = *table,
                RouteAttribute::Priority(priority) => found.priority = *priority,
                _ => {}
            }
        }
        found
    }

    /// As `ip route` has it.
    fn text(&self, devices: &[Device]) -> String {
        let header = &self.message.header;
        let mut text = match self.to {
            Some(to) => format!("{to}/{}", header.destination_prefix_length),
            None => "default".to_owned(),
        };
        if header.kind != RouteType::Unicast {
            text = format!("{:?} {text}", header.kind).to_lowercase();
        }
        if let Some(router) = self.router {
            text = format!("{text} via {router}");
        }
        let device = devices
            .iter()
            .find(|device| Some(device.index) == self.device);
        if let Some(device) = device {
            text = format!("{text} dev {}", device.name);
        }
        text
    }
}

impl Network {
    /// Adds a route beside those of the operator: one that says the same is as good, and stays the
    /// operator's; one that says something else is not replaced.
    pub(super) fn add_route(&mut self, route: Route, device: u32) -> Result<(), NetworkError> {
        if self.made.routes.contains(&route) {
            return Ok(());
        }
        let what = match route.router {
            Some(router) => format!("route to {}/{} by {router}", route.to, route.length),
            None => format!("route to {}/{}", route.to, route.length),
        };
        // Those in a table of ours are found there, and those on devices of ours go with them.
        if route.table.is_none() && !self.own.contains(&device) {
            let mut made = Made::default();
            made.routes.push(route.clone());
            self.remember(made)?;
        }
        let message = route.message(device);
        let request = self.handle.route().add(message.clone()).execute();
        match self.runtime.block_on(request) {
            Err(Error::NetlinkError(error)) if -error.raw_code() == EEXIST => {}
            result => {
                result.map_err(netlink(&what))?;
                self.made.routes.push(route);
                return Ok(());
            }
        }
        if self.former.routes.contains(&route) {
            self.made.routes.push(route);
            return Ok(());
        }
        let wanted = Found::of(message.clone());
        let priority = if route.to.is_ipv6() { 1024 } else { 0 };
        let there = self.routes(route.to.is_ipv6())?;
        let there: Vec<Found> = there
            .into_iter()
            .filter(|one| {
                let length = one.message.header.destination_prefix_length;
                let everything = || match route.to {
                    IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                    IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
                };
                let to = one.to.unwrap_or_else(everything);
                one.table == wanted.table
                    && one.priority == priority
                    && (to, length) == (route.to, route.length)
            })
            .collect();
        if there
            .iter()
            .any(|one| one.message.header.protocol == PROTOCOL)
        {
            // Of the plan before, or of a life before.
            let request = self.handle.route().add(message).replace().execute();
            self.runtime.block_on(request).map_err(netlink(&what))?;
            self.made.routes.push(route);
            return Ok(());
        }
        let same = |one: &&Found| {
            one.message.header.kind == RouteType::Unicast
                && (one.device, one.router) == (wanted.device, wanted.router)
        };
        if there.iter().any(|one| same(&one)) {
            return Ok(());
        }
        let devices = self.devices()?;
        let there: Vec<String> = there.iter().map(|one| one.text(&devices)).collect();
        Err(NetworkError::Taken {
            what: format!("{what} dev {}", route.device),
            there: there.join(", "),
        })
    }

    /// Answers neighbour solicitations for addresses; where the operator has that done, it is.
    pub(super) fn add_proxies(
        &mut self,
        addresses: Vec<IpAddr>,
        device: &Device,
    ) -> Result<(), NetworkError> {
        let proxies = addresses.into_iter().map(|address| Proxy {
            address,
            device: device.name.clone(),
        });
        let mut made = Made::default();
        made.proxies
            .extend(proxies.filter(|proxy| !self.made.proxies.contains(proxy)));
        if made.proxies.is_empty() {
            return Ok(());
        }
        let there = self.proxies()?;
        let theirs = |proxy: &Proxy| {
            let mut there = there.iter();
            there.any(|(address, on, ours)| {
                (*address, *on, *ours) == (proxy.address, device.index, false)
            })
        };
        made.proxies.retain(|proxy| !theirs(proxy));
        self.remember(made.clone())?;
        for proxy in made.proxies {
            let mut request = self
                .handle
                .neighbours()
                .add(device.index, proxy.address)
                .flags(NeighbourFlags::Proxy);
            let attributes = &mut request.message_mut().attributes;
            attributes.push(NeighbourAttribute::Protocol(PROTOCOL));
            self.runtime
                .block_on(request.execute())
                .map_err(netlink(&format!("proxy of {}", proxy.address)))?;
            self.made.proxies.push(proxy);
        }
        Ok(())
    }

    /// What is on disk before it is made.
    pub(super) fn remember(&mut self, made: Made) -> Result<(), NetworkError> {
        self.settings
            .remember(made)
            .map_err(|error| NetworkError::Io {
                what: "what is to be taken down".to_owned(),
                error,
            })
    }

    /// What a life before made, and did not take down.
    pub(super) fn remains(&self) -> Result<Made, NetworkError> {
        let mut made = self.settings.made();
        if made == Made::default() {
            return Ok(made);
        }
        let devices = self.devices()?;
        made.links.retain(|name| {
            let mut devices = devices.iter();
            devices.any(|device| device.ours && device.name == *name)
        });
        let there = self.proxies()?;
        made.proxies.retain(|proxy| {
            let device = devices.iter().find(|device| device.name == proxy.device);
            device.is_some_and(|device| there.contains(&(proxy.address, device.index, true)))
        });
        Ok(made)
    }

    /// Removes what was made; gives what could not be.
    pub(super) fn remove(&self, made: Made) -> Vec<String> {
        let devices = match self.devices() {
            Ok(devices) => devices,
            Err(error) => return vec![error.to_string()],
        };
        let find = |name: &str| devices.iter().find(|device| device.name == name);
        let mut failed = Vec::new();
        for route in made.routes {
            if let Some(device) = find(&route.device) {
                let message = route.message(device.index);
                let request = self.handle.route().del(message).execute();
                failed.extend(gone(self.runtime.block_on(request)));
            }
        }
        for proxy in made.proxies {
            if let Some(device) = find(&proxy.device) {
                let mut add = self.handle.neighbours().add(device.index, proxy.address);
                add = add.flags(NeighbourFlags::Proxy);
                let message = add.message_mut().clone();
                let request = self.handle.neighbours().del(message).execute();
                failed.extend(gone(self.runtime.block_on(request)));
            }
        }
        for link in made.links {
            if let Some(device) = find(&link) {
                let request = self.handle.link().del(device.index).execute();
                failed.extend(gone(self.runtime.block_on(request)));
            }
        }
        failed
    }

    /// Empties the table of ours.
    pub(super) fn empty_table(&self) -> Result<(), NetworkError> {
        for is_ipv6 in [false, true] {
            for route in self.routes(is_ipv6)? {
                if route.table == self.table {
                    let request = self.handle.route().del(route.message).execute();
                    if let Some(error) = gone(self.runtime.block_on(request)) {
                        return Err(NetworkError::Netlink {
                            what: format!("table {}", self.table),
                            error,
                        });
                    }
                }
            }
        }
        Ok(())
    }

    fn routes(&self, is_ipv6: bool) -> Result<Vec<Found>, NetworkError> {
        let all = if is_ipv6 {
            RouteMessageBuilder::<Ipv6Addr>::new().build()
        } else {
            RouteMessageBuilder::<Ipv4Addr>::new().build()
        };
        let routes = self.handle.route().get(all).execute().map_ok(Found::of);
        let routes = self.runtime.block_on(routes.try_collect());
        routes.map_err(netlink("routes"))
    }

    /// Proxy entries of IPv6: the address, the device, and whether it is ours.
    fn proxies(&self) -> Result<Vec<(IpAddr, u32, bool)>, NetworkError> {
        let get = self.handle.neighbours().get().proxies();
        let proxies = get.set_address_family(AddressFamily::Inet6).execute();
        let proxies: Result<Vec<NeighbourMessage>, Error> =
            self.runtime.block_on(proxies.try_collect());
        let proxies = proxies.map_err(netlink("proxy entries"))?;
        let proxies = proxies.into_iter().filter_map(|proxy| {
            let ours = proxy
                .attributes
                .contains(&NeighbourAttribute::Protocol(PROTOCOL));
            let mut attributes = proxy.attributes.into_iter();
            attributes.find_map(|attribute| match attribute {
                NeighbourAttribute::Destination(NeighbourAddress::Inet6(address)) => {
                    Some((IpAddr::V6(address), proxy.header.ifindex, ours))
                }
                _ => None,
            })
        });
        Ok(proxies.collect())
    }
}

const EEXIST: i32 = 17;
