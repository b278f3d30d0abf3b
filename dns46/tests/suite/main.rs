//! The crate through its public interface.

mod common;
mod local;
mod scope;
mod store;
mod synthesis;
