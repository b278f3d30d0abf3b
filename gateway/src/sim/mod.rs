//! A network in virtual time, to run the gateway in: no clock, no socket, no root.
//!
//! [`Net`] joins nodes by segments whose links delay, lose, copy, reorder and spoil packets, all
//! from one seed, and jumps from event to event. A [`Host`] runs smoltcp, so that the gateway talks
//! to a TCP/IP stack which is not its own, and one or two programs: a [`Pod`] with its errands, a
//! [`NameServer`], a [`WebServer`], an [`EchoServer`]. A [`Router`] has hops and MTUs, and a
//! [`Stranger`] sends whatever it likes.
//!
//! ```
//! use core::time::Duration;
//! use egress_gateway::sim::*;
//!
//! let mut net = Net::new(1);
//! let lan = net.add_segment("lan", LinkConfig::lossy(0.2));
//!
//! let page = Body { seed: 7, length: 20_000 };
//! let server = HostConfig { addresses: vec!["2001:db8::80/64".parse()?], mtu: 1500, seed: 2 };
//! let server = net.add("server", Host::new(&server, WebServer::new(page)));
//! net.attach(lan, server, 0, &["2001:db8::80/128".parse()?]);
//!
//! let fetch = Errand::new(Target::Address("2001:db8::80".parse()?), Act::Fetch { port: 80, page });
//! let pod = HostConfig { addresses: vec!["2001:db8::1/64".parse()?], mtu: 1500, seed: 3 };
//! let pod = net.add("pod", Host::new(&pod, Pod::new(vec![fetch])));
//! net.attach(lan, pod, 0, &["2001:db8::1/128".parse()?]);
//!
//! net.run_until(Duration::from_secs(600), |net| net[pod].app().is_done())?;
//! assert!(net[pod].app().succeeded());
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod app;
mod body;
mod capture;
pub mod craft;
mod dice;
mod echo;
mod fragment;
mod gateway;
mod host;
mod link;
mod listener;
mod nameserver;
mod net;
mod node;
mod packet;
mod pod;
mod router;
mod stack;
mod stranger;
mod web;
mod zone;

#[cfg(test)]
mod tests;

pub use app::App;
pub use body::Body;
pub use capture::{Capture, Direction, Frame};
pub use dice::Dice;
pub use echo::{EchoSeen, EchoServer};
pub use fragment::{Reassembler, fragment};
pub use gateway::{Acknowledgement, GatewayNode, INSIDE, OUTSIDE, SharedStore};
pub use host::{Host, HostConfig};
pub use link::{LinkConfig, LinkStats};
pub use nameserver::{Lie, Manners, NameServer, SeenQuery};
pub use net::{Net, NodeId, SegmentId, StallReason, Stalled};
pub use node::Node;
pub use packet::{EchoKind, Flaw, Parsed, Payload};
pub use pod::{Act, Entry, Errand, Event, Failure, Pod, Target, Transport};
pub use router::{Router, RouterInterface};
pub use stack::{Datagram, Stack, TcpId, TcpState, UdpId};
pub use stranger::Stranger;
pub use web::{Request, WebServer};
pub use zone::Zone;
