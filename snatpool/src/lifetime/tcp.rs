//! The TCP state machine.
