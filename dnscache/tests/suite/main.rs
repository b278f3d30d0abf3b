//! What a resolver does, through its public interface alone.

extern crate alloc;

mod common;
mod dump;
mod failure;
mod flow;
mod forgery;
mod lifetime;
mod local;
mod message;
mod network;
mod room;
mod servers;
mod short;
