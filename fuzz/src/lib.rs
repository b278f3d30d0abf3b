//! What each fuzz target does with its bytes.
//!
//! One plain function a target: libFuzzer calls it from `fuzz_targets/`, and `tests/replay.rs` calls
//! it on stable with every input of the kept corpora. A function returns, or panics at what is wrong.

mod case;
mod choices;
mod dns;
mod dns46_pair;
mod dnscache_query;
mod dnscache_records;
mod dnscache_response;
mod dnscache_stream;
mod egress_config;
mod nat46_address;
mod nat46_offload;
mod nat46_packet;
mod nat46_recipe;
mod oracle;
mod resolver;
mod snatpool_operations;
mod target;

pub use dns46_pair::dns46_pair;
pub use dnscache_query::dnscache_query;
pub use dnscache_records::dnscache_records;
pub use dnscache_response::dnscache_response;
pub use dnscache_stream::dnscache_stream;
pub use egress_config::egress_config;
pub use nat46_address::nat46_address;
pub use nat46_offload::nat46_offload;
pub use nat46_packet::nat46_packet;
pub use nat46_recipe::nat46_recipe;
pub use snatpool_operations::snatpool_operations;
pub use target::{TARGETS, Target, run_files};
