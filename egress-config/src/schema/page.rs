//! The page of parameters.

use core::fmt::Write;

use super::definition::{about, table};
use crate::decode::Kind;
use crate::parameter::{Effect, Parameter, Shape};

/// The test that shows a field of the plan to follow its parameter.
const TESTS: &[(&str, &str)] = &[
    ("dual_stack", "every_parameter_of_dns46_reaches_the_plan"),
    ("snat", "snat_follows_type_and_name"),
    ("snat.name", "snat_follows_type_and_name"),
    ("snat.addresses", "dns_nat46_set"),
    ("dns46", "every_parameter_of_dns46_reaches_the_plan"),
    ("dns46.subnet", "every_parameter_of_dns46_reaches_the_plan"),
    ("dns46.sorry", "every_parameter_of_dns46_reaches_the_plan"),
    (
        "dns46.reserved",
        "every_parameter_of_dns46_reaches_the_plan",
    ),
    ("dns46.max_ttl", "every_parameter_of_dns46_reaches_the_plan"),
    ("replicas", "automap_set_has_a_replica_for_each_self_ip"),
    ("nat64", "every_parameter_of_dns46_reaches_the_plan"),
    ("debug_log", "every_parameter_of_dns46_reaches_the_plan"),
    ("dns", "servers_and_their_next_hops"),
    ("dns.cache", "servers_and_their_next_hops"),
    ("dns.next_hops", "servers_and_their_next_hops"),
    (
        "dns.rate_limit",
        "every_parameter_of_dns46_reaches_the_plan",
    ),
    ("dns.zones", "servers_and_their_next_hops"),
    ("dns.zones.name", "servers_and_their_next_hops"),
    ("dns.zones.servers", "servers_and_their_next_hops"),
    ("dns.answer_default_zones", "cache_sizes_and_default_zones"),
    ("dns.message_bytes", "cache_sizes_and_default_zones"),
    ("dns.negative_bytes", "cache_sizes_and_default_zones"),
    ("vlans.name", "vlans_reach_the_plan"),
    ("vlans.interface", "vlans_reach_the_plan"),
    ("vlans.tag", "vlans_reach_the_plan"),
    ("vlans.internal", "vlans_reach_the_plan"),
    ("vlans.self_ips", "vlans_reach_the_plan"),
    ("vlans.networks", "vlans_reach_the_plan"),
    ("vlans.mtu", "vlans_reach_the_plan"),
    ("vlans.enabled", "listed_vlans_are_off_or_the_only_ones_on"),
];

/// The test that shows parameters without effect to be told of.
const NO_EFFECT_TEST: &str = "parameters_without_effect";

/// All parameters with type, default and the field of the plan that each ends in, as Markdown.
#[must_use]
pub fn parameters_page() -> String {
    let mut page = String::from(
        "# Parameters\n\n\
         All parameters of the four custom resources: what they may hold, and the field of the\n\
         [plan](../egress-config) that the gateway reads them from. A parameter that nothing reads\n\
         earns the warning `no-effect`, unless it has its default. The tests named here are those of\n\
         `egress-config/tests`. This page is made from the tables of `egress-config/src/parameter`;\n\
         a test compares it with them.\n",
    );
    for kind in Kind::ALL {
        // Writing into a String does not fail.
        let _ = write!(page, "\n## {}\n\n{}\n\n", kind.name(), about(kind));
        page.push_str(
            "| parameter | type | default | ends in | test | what it is |\n|---|---|---|---|---|---|\n",
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
        let (effect, test) = match parameter.effect {
            Effect::Plan(field) => {
                let test = TESTS.iter().find(|(tested, _)| *tested == field);
                (format!("`{field}`"), test.map_or("", |(_, test)| test))
            }
            Effect::Ignored(reason) => (format!("no effect: {reason}"), NO_EFFECT_TEST),
        };
        let _ = writeln!(
            page,
            "| `{name}` | {} | {default} | {effect} | `{test}` | {} |",
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
