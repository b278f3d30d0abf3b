//! What the gateway needs of a Linux host: devices, routes, settings, a journal.

pub(crate) mod journal;
pub(crate) mod network;
pub(crate) mod redis;
pub(crate) mod stores;
pub(crate) mod sysctl;
pub(crate) mod tun;
