//! What the peers' bench measures with: a floor beneath every translator.

pub mod floor;
