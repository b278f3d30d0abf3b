//! libFuzzer's door to [`egress_fuzz::dnscache_stream`]; without libFuzzer, the inputs are files named on the command line.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| egress_fuzz::dnscache_stream(data));

#[cfg(not(fuzzing))]
fn main() -> std::process::ExitCode {
    egress_fuzz::run_files(egress_fuzz::dnscache_stream)
}
