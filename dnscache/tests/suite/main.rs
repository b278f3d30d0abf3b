//! What a resolver does, through its public interface alone.

mod common;
mod flow;
