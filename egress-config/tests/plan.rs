//! Plans of the sample sets, and each parameter's way into a plan.

use std::path::Path;

use egress_config::{
    ChangeEffect, Checked, DiffError, Plan, PlanError, Snat, Sources, VirtualServer, check,
};
use proptest::prelude::*;

fn set(name: &str) -> Sources {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/samples/sets")
        .join(name);
    Sources::read([path]).unwrap()
}

fn checked(text: &str) -> Checked {
    let mut sources = Sources::new();
    sources.add("test.yaml", text);
    check(&sources)
}

const CACHE: &str = "\
apiVersion: k8s.f5net.com/v1
kind: F5SPKDnscache
metadata: {name: cache, namespace: ns}
spec:
  netResolver:
    forwardZones:
      - forwardZone: .
        nameServers: [{ipAddress: 192.0.2.53}, {ipAddress: '2001:db8::53', port: 5353}]
";
const VLANS: &str = "\
apiVersion: k8s.f5net.com/v1
kind: F5SPKVlan
metadata: {name: outside, namespace: ns}
spec:
  name: external
  interfaces: ['1.2']
  selfip_v4s: [10.20.2.2, 10.20.2.3]
  prefixlen_v4: 24
  selfip_v6s: ['2001:db8:20::2', '2001:db8:20::3']
  prefixlen_v6: 64
---
apiVersion: k8s.f5net.com/v1
kind: F5SPKVlan
metadata: {name: inside, namespace: ns}
spec:
  name: internal
  internal: true
  interfaces: ['1.1']
  tag: 7
  mtu: 9000
  selfip_v4s: [10.244.0.2, 10.244.0.3]
  prefixlen_v4: 16
";
const POOL: &str = "\
apiVersion: k8s.f5net.com/v1
kind: F5SPKSnatpool
metadata: {name: snat, namespace: ns}
spec: {name: egress_snatpool, addressList: [[192.0.2.1, '2001:db8::1'], [192.0.2.2, '2001:db8::2']]}
";

/// A set with the given lines in the egress's spec.
fn with(spec: &str) -> Checked {
    let lines: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    checked(&format!(
        "apiVersion: k8s.f5net.com/v1\nkind: F5SPKEgress\n\
         metadata: {{name: egress, namespace: ns}}\nspec:\n{lines}---\n{CACHE}---\n{VLANS}---\n{POOL}"
    ))
}

fn plan(spec: &str) -> Plan {
    let checked = with(spec);
    checked
        .plan(0)
        .unwrap_or_else(|error| panic!("{error}: {:?}", checked.diagnostics()))
}

const DNS46: &str = "dnsNat46Enabled: true\ndnsCacheName: cache\ndnsNat46PoolIps: [192.0.2.53, '2001:db8::53', 10.20.2.1]";

#[test]
fn reserved_static_set() {
    let checked = check(&set("reserved-static"));
    let slices: Vec<String> = (0..2)
        .map(|replica| {
            let dns46 = checked.plan(replica).unwrap().dns46.unwrap();
            assert_eq!(dns46.subnet.to_string(), "10.1.1.0/24");
            format!("{:?} {:?} {:?}", dns46.slice, dns46.usable, dns46.unused)
        })
        .collect();
    assert_eq!(
        slices,
        [
            "10.1.1.128..=10.1.1.191 10.1.1.128..=10.1.1.191 None",
            "10.1.1.192..=10.1.1.255 10.1.1.192..=10.1.1.254 None"
        ]
    );
}

#[test]
fn dns_nat46_set() {
    let checked = check(&set("dns-nat46"));
    let slices: Vec<String> = (0..4)
        .map(|replica| {
            let dns46 = checked.plan(replica).unwrap().dns46.unwrap();
            assert_eq!(
                format!("{:?} {:?}", dns46.reserved, dns46.unused),
                "Some(10.40.100.0..=10.40.100.25) Some(10.40.100.254..=10.40.100.255)"
            );
            format!("{:?}", dns46.slice)
        })
        .collect();
    assert_eq!(
        slices,
        [
            "10.40.100.26..=10.40.100.82",
            "10.40.100.83..=10.40.100.139",
            "10.40.100.140..=10.40.100.196",
            "10.40.100.197..=10.40.100.253"
        ]
    );
    let first = checked.plan(0).unwrap();
    assert_eq!(
        first.snat.to_string(),
        "pool egress_snatpool: 2002::10:50:20:1 2002::10:50:20:2"
    );
    let names: Vec<&str> = first
        .virtual_servers
        .iter()
        .map(|server| server.name())
        .collect();
    assert_eq!(
        names,
        [
            "egress-ipv6-nat64",
            "egress-ipv4-nat46",
            "egress-dns-ipv4",
            "egress-ipv4"
        ]
    );
    // No list is left for replica 2: its flows are refused, not mapped to the self IP.
    assert_eq!(
        checked.plan(2).unwrap().snat.to_string(),
        "pool egress_snatpool: no address"
    );
    assert_eq!(
        checked.plan(4),
        Err(PlanError::NoSuchReplica {
            wanted: 4,
            replicas: 4
        })
    );
}

#[test]
fn automap_set_has_a_replica_for_each_self_ip() {
    let checked = check(&set("automap"));
    let plan = checked.plan(3).unwrap();
    assert_eq!((plan.replicas, plan.snat.clone()), (4, Snat::Automap));
    assert!(plan.dual_stack && plan.dns.is_none() && plan.dns46.is_none() && plan.nat64.is_none());
    let ips: Vec<String> = plan
        .external_self_ips
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(ips, ["10.20.2.5", "2002::10:20:2:5"]);
    assert_eq!(
        plan.virtual_servers,
        [VirtualServer::Ipv4, VirtualServer::Ipv6]
    );
}

#[test]
fn a_set_without_an_egress_has_no_plan() {
    assert_eq!(check(&set("two-domains")).plan(0), Err(PlanError::NoEgress));
}

#[test]
fn resources_with_errors_have_no_plan() {
    assert_eq!(
        with("maxTmmReplicas: 0\ndualStackEnabled: 1").plan(0),
        Err(PlanError::Faulty { count: 2 })
    );
}

#[test]
fn an_egress_is_chosen_by_name() {
    let egress = |namespace: &str, name: &str| {
        format!(
            "---\napiVersion: k8s.f5net.com/v1\nkind: F5SPKEgress\n\
             metadata: {{name: {name}, namespace: {namespace}}}\nspec: {{}}\n"
        )
    };
    let checked = checked(&(egress("a", "one") + &egress("b", "one") + &egress("c", "two")));
    let names: Vec<String> = checked.egresses().collect();
    assert_eq!(names, ["a/one", "b/one", "c/two"]);
    assert_eq!(
        checked.plan(0),
        Err(PlanError::SeveralEgresses {
            names: names.clone()
        })
    );
    assert_eq!(
        checked.plan_of("one", 0),
        Err(PlanError::SeveralEgresses { names })
    );
    assert_eq!(checked.plan_of("b/one", 0).unwrap().egress, "b/one");
    assert_eq!(checked.plan_of("two", 0).unwrap().egress, "c/two");
    let wanted = "three".to_owned();
    assert_eq!(
        checked.plan_of("three", 0),
        Err(PlanError::UnknownEgress { wanted })
    );
}

#[test]
fn defaults_are_the_originals() {
    let plan = plan(&format!("{DNS46}\nnat64Enabled: true"));
    let dns46 = plan.dns46.unwrap();
    assert_eq!(dns46.subnet.to_string(), "10.2.2.0/24");
    assert_eq!(dns46.sorry.to_string(), "192.168.1.1");
    assert_eq!(dns46.max_ttl.as_secs(), 120);
    assert_eq!(dns46.reserved, None);
    assert_eq!(plan.nat64.unwrap().to_string(), "64:ff9b::/96");
    assert_eq!(
        (plan.replicas, plan.dual_stack, plan.debug_log),
        (1, false, false)
    );
    assert_eq!(plan.snat, Snat::Automap);
    let dns = plan.dns.unwrap();
    assert_eq!((dns.message_bytes, dns.rate_limit), (1_048_576, None));
    assert!(!dns.answer_default_zones);
    let mtus: Vec<(&str, u16)> = plan
        .vlans
        .iter()
        .map(|vlan| (vlan.name.as_str(), vlan.mtu))
        .collect();
    assert_eq!(mtus, [("internal", 9000), ("external", 1500)]);
}

#[test]
fn every_parameter_of_dns46_reaches_the_plan() {
    let plan = plan(&format!(
        "{DNS46}\ndnsNat46Ipv4Subnet: 10.9.0.0/16\ndnsNat46SorryIp: 10.8.0.1\nmaxDNS46TTL: 7\n\
         maxReservedStaticIps: 256\nmaxTmmReplicas: 2\ndnsRateLimit: 9\ndebugLogEnabled: true\n\
         dualStackEnabled: true\nnat64Enabled: true\nnat64Ipv6Subnet: 2001:db8:64::/64"
    ));
    assert!(plan.debug_log && plan.dual_stack);
    let dns46 = plan.dns46.unwrap();
    assert_eq!(dns46.subnet.to_string(), "10.9.0.0/16");
    assert_eq!(dns46.sorry.to_string(), "10.8.0.1");
    assert_eq!(dns46.max_ttl.as_secs(), 7);
    assert_eq!(
        format!("{:?}", dns46.reserved.unwrap()),
        "10.9.0.0..=10.9.0.255"
    );
    assert_eq!(format!("{:?}", dns46.slice), "10.9.1.0..=10.9.128.127");
    assert_eq!(plan.nat64.unwrap().to_string(), "2001:db8:64::/64");
    assert_eq!(plan.dns.unwrap().rate_limit, Some(9));
    assert_eq!(plan.virtual_servers, VirtualServer::ALL);
}

#[test]
fn servers_and_their_next_hops() {
    let dns = plan(DNS46).dns.unwrap();
    assert_eq!(dns.cache, "ns/cache");
    let servers: Vec<String> = dns.zones[0]
        .servers
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!((dns.zones[0].name.as_str(), dns.zones.len()), (".", 1));
    assert_eq!(servers, ["192.0.2.53:53", "[2001:db8::53]:5353"]);
    // 10.20.2.1 is on the external VLAN's subnet and no name server: it is the way to 192.0.2.53.
    let hops: Vec<String> = dns
        .next_hops
        .iter()
        .map(|hop| format!("{} {:?}", hop.server, hop.gateways))
        .collect();
    assert_eq!(hops, ["192.0.2.53 [10.20.2.1]", "2001:db8::53 []"]);
}

#[test]
fn cache_sizes_and_default_zones() {
    let text = "\
apiVersion: k8s.f5net.com/v3
kind: F5SPKEgress
metadata: {name: egress}
spec: {nat64Enabled: true, dnsCacheName: cache}
---
apiVersion: k8s.f5net.com/v3
kind: F5SPKDnscache
metadata: {name: cache}
spec: {netResolver: {msgCacheSize: 4096, negCacheSize: 512, answerDefaultZones: true}}
";
    let dns = checked(text).plan(0).unwrap().dns.unwrap();
    assert_eq!((dns.message_bytes, dns.negative_bytes), (4096, 512));
    assert!(dns.answer_default_zones && dns.zones.is_empty());
}

#[test]
fn vlans_reach_the_plan() {
    let plan = plan("dualStackEnabled: true");
    let vlans: Vec<String> = plan
        .vlans
        .iter()
        .map(|vlan| format!("{}: {vlan}", vlan.name))
        .collect();
    assert_eq!(
        vlans,
        [
            "internal: internal, interface 1.1, tag 7, self IPs 10.244.0.2, on 10.244.0.0/16, MTU 9000",
            "external: external, interface 1.2, self IPs 10.20.2.2 2001:db8:20::2, \
             on 10.20.2.0/24 2001:db8:20::/64, MTU 1500"
        ]
    );
    assert_eq!(plan.inside, ["10.244.0.0/16".parse().unwrap()]);
}

#[test]
fn listed_vlans_are_off_or_the_only_ones_on() {
    let enabled =
        |spec: &str| -> Vec<bool> { plan(spec).vlans.iter().map(|vlan| vlan.enabled).collect() };
    // The internal VLAN comes first.
    assert_eq!(enabled("dualStackEnabled: true"), [true, true]);
    assert_eq!(enabled("vlanList: [internal]"), [false, true]);
    assert_eq!(
        enabled("vlanList: [internal]\ndisableListedVlans: false"),
        [true, false]
    );
    assert_eq!(
        enabled("vlans: {vlanList: [internal], disableListedVlans: false}"),
        [true, false]
    );
    assert_eq!(enabled("disableListedVlans: false"), [false, false]);
    assert!(plan("vlanList: [internal]").inside.is_empty());
}

#[test]
fn snat_follows_type_and_name() {
    let snat = |spec: &str| plan(spec).snat.to_string();
    let pool = "pool egress_snatpool: 192.0.2.1 2001:db8::1";
    assert_eq!(snat("egressSnatpool: ''"), "automap");
    assert_eq!(snat("egressSnatpool:"), "automap");
    assert_eq!(snat("egressSnatpool: egress_snatpool"), pool);
    assert_eq!(
        snat("egressSnatpool: egress_snatpool\nsnatType: SRC_TRANS_SNATPOOL"),
        pool
    );
    assert_eq!(
        snat("egressSnatpool: egress_snatpool\nsnatType: SRC_TRANS_AUTOMAP"),
        "automap"
    );
    assert_eq!(snat("snatType: SRC_TRANS_SNATPOOL"), "automap");
    assert_eq!(snat("snatType: SRC_TRANS_NONE"), "none");
}

#[test]
fn a_plan_is_data() {
    let json = serde_json::to_value(plan(&format!("{DNS46}\nmaxReservedStaticIps: 3"))).unwrap();
    assert_eq!(json["dns46"]["slice"], "10.2.2.3-10.2.2.255");
    assert_eq!(json["dns46"]["max_ttl_seconds"], 120);
    assert_eq!(json["snat"], "automap");
    assert_eq!(json["virtual_servers"][0], "egress-ipv4-nat46");
    assert_eq!(json["dns"]["zones"][0]["servers"][1], "[2001:db8::53]:5353");
}

#[test]
fn equal_plans_do_not_differ() {
    let plan = plan(DNS46);
    assert_eq!(plan.diff(&plan).changes, []);
}

#[test]
fn a_changed_subnet_is_refused_under_live_mappings() {
    let (old, new) = (
        plan(DNS46),
        plan(&format!("{DNS46}\ndnsNat46Ipv4Subnet: 10.9.0.0/24")),
    );
    let diff = old.diff(&new);
    assert_eq!(diff.changes[0].field, "dns46.subnet");
    assert_eq!(diff.permit(0, false), Ok(()));
    assert_eq!(diff.permit(3, true), Ok(()));
    let error = diff.permit(3, false).unwrap_err();
    assert_eq!(
        error.to_string(),
        "3 live mappings: dns46.subnet cannot change from 10.2.2.0/24 to 10.9.0.0/24"
    );
    assert!(matches!(error, DiffError::LiveMappings { live: 3, .. }));
    assert!(
        old.diff(&plan("dualStackEnabled: true"))
            .permit(1, false)
            .is_err()
    );
    assert_eq!(
        plan("dualStackEnabled: true").diff(&old).permit(1, false),
        Ok(())
    );
}

#[test]
fn a_vlan_that_goes_on_keeps_its_flows() {
    let with = |old: &str, new: &str| {
        let spec = "  {}\n";
        let text = format!(
            "apiVersion: k8s.f5net.com/v1\nkind: F5SPKEgress\n\
             metadata: {{name: egress, namespace: ns}}\nspec:\n{spec}---\n{VLANS}"
        );
        let (old, new) = (text.clone(), text.replace(old, new));
        let diff = checked(&old)
            .plan(0)
            .unwrap()
            .diff(&checked(&new).plan(0).unwrap());
        diff.changes
            .first()
            .map(|change| (change.field.clone(), change.effect))
            .unwrap()
    };
    let internal = |effect| ("vlans.internal".to_owned(), effect);
    assert_eq!(
        with("mtu: 9000", "mtu: 1500"),
        internal(ChangeEffect::NewOnly)
    );
    assert_eq!(
        with("tag: 7", "tag: 8"),
        internal(ChangeEffect::FlowsRunOut)
    );
    assert_eq!(
        with("['1.1']", "['1.3']"),
        internal(ChangeEffect::FlowsRunOut)
    );
    assert_eq!(
        with("[10.244.0.2, ", "[10.244.0.9, "),
        internal(ChangeEffect::FlowsRunOut)
    );
}

#[test]
fn each_change_tells_what_it_does() {
    let effect = |old: &str, new: &str| -> Vec<(String, ChangeEffect)> {
        let diff = plan(old).diff(&plan(new));
        diff.changes
            .into_iter()
            .map(|change| (change.field, change.effect))
            .collect()
    };
    let changed = |field: &str, effect| vec![(field.to_owned(), effect)];
    let with = |line: &str| format!("{DNS46}\n{line}");
    assert_eq!(
        effect("dualStackEnabled: true", "dualStackEnabled: false"),
        changed("dual_stack", ChangeEffect::FlowsRunOut)
    );
    assert_eq!(
        effect("dualStackEnabled: false", "dualStackEnabled: true"),
        changed("dual_stack", ChangeEffect::NewOnly)
    );
    assert_eq!(
        effect(DNS46, &with("maxDNS46TTL: 7")),
        changed("dns46.max_ttl", ChangeEffect::AnswersAnew)
    );
    assert_eq!(
        effect(DNS46, &with("dnsNat46SorryIp: 10.8.0.1")),
        changed("dns46.sorry", ChangeEffect::AnswersAnew)
    );
    assert_eq!(
        effect(
            &with("maxReservedStaticIps: 10"),
            &with("maxReservedStaticIps: 20")
        ),
        [
            ("dns46.reserved".to_owned(), ChangeEffect::MappingsDrain),
            ("dns46.slice".to_owned(), ChangeEffect::MappingsDrain)
        ]
    );
    assert_eq!(
        effect(DNS46, &with("egressSnatpool: egress_snatpool")),
        changed("snat", ChangeEffect::FlowsRunOut)
    );
    assert_eq!(
        effect(DNS46, &with("dnsRateLimit: 5")),
        changed("dns.rate_limit", ChangeEffect::NewOnly)
    );
    assert_eq!(
        effect(
            &with("nat64Enabled: true"),
            &with("nat64Enabled: true\nnat64Ipv6Subnet: 2001:db8:64::/96")
        ),
        changed("nat64", ChangeEffect::FlowsRunOut)
    );
}

fn documents_of(name: &str) -> Vec<String> {
    set(name)
        .iter()
        .flat_map(|(_, text)| text.split("---\n").map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// The order of documents, and their division into files, makes no difference.
    #[test]
    fn plans_are_equal_for_every_order_of_input(
        (name, documents) in proptest::sample::select(vec!["mixed", "dns-nat46"])
            .prop_flat_map(|name| (Just(name), Just(documents_of(name)).prop_shuffle())),
        one_file in any::<bool>(),
    ) {
        let mut sources = Sources::new();
        if one_file {
            sources.add("all.yaml", documents.join("\n---\n"));
        } else {
            for (index, text) in documents.iter().enumerate() {
                sources.add(format!("{index}.yaml"), text.as_str());
            }
        }
        let (shuffled, ordered) = (check(&sources), check(&set(name)));
        for replica in 0..2 {
            prop_assert_eq!(shuffled.plan(replica), ordered.plan(replica));
        }
        let codes = |checked: &Checked| {
            let mut codes: Vec<_> = checked.diagnostics().iter().map(|found| found.code).collect();
            codes.sort();
            codes
        };
        prop_assert_eq!(codes(&shuffled), codes(&ordered));
    }
}
