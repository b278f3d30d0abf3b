//! What the peers' bench measures with: packets, and a floor beneath every translator.

pub mod floor;
pub mod packet;
