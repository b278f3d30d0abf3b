//! What the RFCs ask of a translator, a module for each of their subjects. Packets are made and read here
//! a second time, field by field, so that no test takes the crate's word.

mod addresses;
mod errors;
mod extensions;
mod fragments;
mod icmp;
mod ipv4_header;
mod ipv6_header;
mod lab;
mod mtu;
mod offload;
mod packets;
mod properties;
mod quotes;
mod transport;
