//! The custom resource definitions and the page of parameters, made from the same tables that the
//! decoders read by.

mod definition;
mod page;
mod rule;
mod yaml;

pub use definition::{Definition, definitions};
pub use page::parameters_page;
pub use yaml::yaml;
