//! What the peers' bench measures with: a floor beneath every translator.

pub mod floor;
/// The packets of the project's own benches, without what those depend on.
#[path = "../../src/packet.rs"]
pub mod packet;
