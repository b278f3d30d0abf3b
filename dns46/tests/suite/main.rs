//! The crate through its public interface.

mod common;
mod learn;
mod local;
mod pressure;
mod scope;
mod store;
mod synthesis;
