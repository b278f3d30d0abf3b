//! Identifications of IPv4 packets.
