//! The page of parameters.

use core::fmt::Write;

use super::definition::{about, table};
use crate::decode::Kind;
use crate::parameter::{Effect, Parameter, Shape};

/// All parameters with type, default and the field of the plan that each ends in, as Markdown.
#[must_use]
pub fn parameters_page() -> String {
    let mut page = String::from(
        "# Parameters\n\n\
         All parameters of the four custom resources: what they may hold, and the field of the\n\
         [plan](../egress-config) that the gateway reads them from. A parameter that nothing reads\n\
         earns the warning `no-effect`, unless it has its default. This page is made from the\n\
         tables of `egress-config/src/parameter`; a test compares it with them.\n",
    );
    for kind in Kind::ALL {
        // Writing into a String does not fail.
        let _ = write!(page, "\n## {}\n\n{}\n\n", kind.name(), about(kind));
        page.push_str(
            "| parameter | type | default | ends in | what it is |\n|---|---|---|---|---|\n",
        );
        rows(&mut page, table(kind), "");
    }
    page
}

fn rows(page: &mut String, table: &[Parameter], prefix: &str) {
    for parameter in table {
        let name = format!("{prefix}{}", parameter.name);
        let default = match (parameter.required, parameter.default) {
            (true, _) => "required".to_owned(),
            (false, Some("\"\"") | None) => String::new(),
            (false, Some(default)) => format!("`{default}`"),
        };
        let effect = match parameter.effect {
            Effect::Plan(field) => format!("`{field}`"),
            Effect::Ignored(reason) => format!("no effect: {reason}"),
        };
        let _ = writeln!(
            page,
            "| `{name}` | {} | {default} | {effect} | {} |",
            kind_of(&parameter.shape),
            parameter.about
        );
        match &parameter.shape {
            Shape::Object(table) => rows(page, table, &format!("{name}.")),
            Shape::List {
                of: Shape::Object(table),
                ..
            } => {
                rows(page, table, &format!("{name}[]."));
            }
            Shape::Boolean
            | Shape::Integer { .. }
            | Shape::Text
            | Shape::Word(_)
            | Shape::DomainName
            | Shape::Ip
            | Shape::Ipv4
            | Shape::Ipv6
            | Shape::Ipv4Net
            | Shape::Nat64Prefix
            | Shape::List { .. }
            | Shape::Anything => {}
        }
    }
}

fn kind_of(shape: &Shape) -> String {
    match shape {
        Shape::Boolean => "boolean".to_owned(),
        Shape::Integer { min, max } => format!("{min} to {max}"),
        Shape::Text => "text".to_owned(),
        Shape::Word(words) => words.join(", "),
        Shape::DomainName => "domain name".to_owned(),
        Shape::Ip => "IP address".to_owned(),
        Shape::Ipv4 => "IPv4 address".to_owned(),
        Shape::Ipv6 => "IPv6 address".to_owned(),
        Shape::Ipv4Net => "IPv4 subnet".to_owned(),
        Shape::Nat64Prefix => "IPv6 prefix".to_owned(),
        Shape::List { of, most } => format!("list of {}, at most {most}", kind_of(of)),
        Shape::Object(_) => "object".to_owned(),
        Shape::Anything => "any".to_owned(),
    }
}
