//! The targets by name.

use std::env;
use std::fs;
use std::process::ExitCode;

use crate::{
    dns46_pair, dnscache_query, dnscache_records, dnscache_response, dnscache_stream,
    egress_config, nat46_address, nat46_offload, nat46_packet, nat46_recipe, snatpool_operations,
};

/// A target: its name, and what it does with an input.
pub struct Target {
    /// The name of the file in `fuzz_targets/` and of the folder in `corpus/`.
    pub name: &'static str,
    /// Panics at what is wrong.
    pub run: fn(&[u8]),
}

impl Target {
    const fn new(name: &'static str, run: fn(&[u8])) -> Self {
        Self { name, run }
    }
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target::new("dns46_pair", dns46_pair),
    Target::new("dnscache_query", dnscache_query),
    Target::new("dnscache_records", dnscache_records),
    Target::new("dnscache_response", dnscache_response),
    Target::new("dnscache_stream", dnscache_stream),
    Target::new("egress_config", egress_config),
    Target::new("nat46_address", nat46_address),
    Target::new("nat46_offload", nat46_offload),
    Target::new("nat46_packet", nat46_packet),
    Target::new("nat46_recipe", nat46_recipe),
    Target::new("snatpool_operations", snatpool_operations),
];

/// Runs a target on the files named on the command line: a crash, looked at without libFuzzer.
pub fn run_files(target: fn(&[u8])) -> ExitCode {
    for path in env::args_os().skip(1) {
        match fs::read(&path) {
            Ok(input) => target(&input),
            Err(error) => {
                eprintln!("{}: {error}", path.display());
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
