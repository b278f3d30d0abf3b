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

/// Who reads a field of the plan, and the test of the gateway that shows it.
const CONSUMERS: &[(&str, &str, &str)] = &[
    (
        "dual_stack",
        "gateway/src/classify.rs",
        "ipv6_pods_reach_ipv6_hosts_only_where_dual_stack_is_on",
    ),
    (
        "snat",
        "gateway/src/setup.rs",
        "snat44_and_snat66_leave_by_automap",
    ),
    (
        "snat.name",
        "gateway/src/setup.rs",
        "snat44_and_snat66_leave_by_pool",
    ),
    (
        "snat.addresses",
        "gateway/src/setup.rs",
        "snat44_and_snat66_leave_by_pool",
    ),
    (
        "replicas",
        "gateway/src/setup.rs",
        "two_replicas_serve_each_others_mappings",
    ),
    (
        "dns46",
        "gateway/src/setup.rs",
        "nat46_udp_goes_there_and_back",
    ),
    (
        "dns46.subnet",
        "gateway/src/classify.rs",
        "a_packet_to_an_unmapped_address_of_the_subnet_is_refused",
    ),
    (
        "dns46.sorry",
        "gateway/src/setup.rs",
        "an_exhausted_slice_gives_the_sorry_address_then_addresses_again",
    ),
    (
        "dns46.reserved",
        "gateway/src/setup.rs",
        "a_static_mapping_answers_translates_and_never_expires",
    ),
    (
        "dns46.max_ttl",
        "gateway/src/setup.rs",
        "max_dns46_ttl_bounds_synthesized_records",
    ),
    (
        "nat64",
        "gateway/src/classify.rs",
        "nat64_with_dns64_goes_there_and_back",
    ),
    ("debug_log", "gateway/src/cli/run/log.rs", "traffic"),
    (
        "dns",
        "gateway/src/classify.rs",
        "automap_alone_lets_dns_pass_as_an_ordinary_flow",
    ),
    (
        "dns.cache",
        "gateway/src/setup.rs",
        "each_forward_zone_is_asked_of_its_own_servers",
    ),
    ("dns.next_hops", "gateway/src/host/network.rs", "tagged"),
    (
        "dns.rate_limit",
        "gateway/src/setup.rs",
        "over_the_rate_limit_queries_are_dropped_and_counted",
    ),
    (
        "dns.zones",
        "gateway/src/setup.rs",
        "each_forward_zone_is_asked_of_its_own_servers",
    ),
    (
        "dns.zones.name",
        "gateway/src/setup.rs",
        "each_forward_zone_is_asked_of_its_own_servers",
    ),
    (
        "dns.zones.servers",
        "gateway/src/setup.rs",
        "each_forward_zone_is_asked_of_its_own_servers",
    ),
    (
        "dns.answer_default_zones",
        "gateway/src/setup.rs",
        "answer_default_zones_answers_localhost_here",
    ),
    (
        "dns.message_bytes",
        "gateway/src/setup.rs",
        "the_cache_is_as_large_as_its_resource_says",
    ),
    (
        "dns.negative_bytes",
        "gateway/src/setup.rs",
        "the_cache_is_as_large_as_its_resource_says",
    ),
    (
        "vlans.name",
        "gateway/src/host/network.rs",
        "a_vlan_without_a_device_is_told",
    ),
    ("vlans.interface", "gateway/src/host/network.rs", "tagged"),
    ("vlans.tag", "gateway/src/host/network.rs", "tagged"),
    (
        "vlans.internal",
        "gateway/src/setup.rs",
        "a_time_to_live_of_1_ends_at_the_gateway_whatever_the_way",
    ),
    (
        "vlans.self_ips",
        "gateway/src/setup.rs",
        "self_ips_answer_pings_from_both_sides",
    ),
    (
        "vlans.networks",
        "gateway/src/classify.rs",
        "a_source_on_the_wrong_side_is_dropped",
    ),
    (
        "vlans.mtu",
        "gateway/src/setup.rs",
        "the_mtu_of_the_vlan_outside_bounds_what_leaves",
    ),
    (
        "vlans.enabled",
        "gateway/src/classify.rs",
        "a_vlan_on_which_egress_is_off_is_not_inside",
    ),
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
    page.push_str(
        "\n## What reads the plan\n\n\
         The tests named here are those of `gateway/tests` and of `cargo xtask e2e`.\n\n\
         | field | read by | test |\n|---|---|---|\n",
    );
    for (field, file, test) in CONSUMERS {
        let _ = writeln!(page, "| `{field}` | `{file}` | `{test}` |");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_that_a_parameter_ends_in_has_a_reader() {
        for (field, _) in TESTS {
            let read = CONSUMERS.iter().any(|(consumed, ..)| consumed == field);
            assert!(read, "nothing reads {field}");
        }
    }
}
