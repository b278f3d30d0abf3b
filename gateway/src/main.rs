//! The egress gateway.
fn main() {}
