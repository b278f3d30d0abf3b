//! The project's own commands: test tiers, generated files, benchmarks.
fn main() {}
