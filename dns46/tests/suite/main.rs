//! The crate through its public interface.

mod common;
mod store;
mod synthesis;
