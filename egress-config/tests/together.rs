//! Checks over several values and several resources, at their borders.

use egress_config::{Diagnostic, Level, Sources, check};

const CACHE: &str = "\
apiVersion: k8s.f5net.com/v1
kind: F5SPKDnscache
metadata: {name: cache, namespace: ns}
spec: {netResolver: {forwardZones: [{forwardZone: ., nameServers: [{ipAddress: 192.0.2.53}]}]}}
";
const DNS46: &str = "dnsNat46Enabled: true, dnsCacheName: cache, dnsNat46PoolIps: [192.0.2.53]";

fn egress(spec: &str) -> String {
    resource("F5SPKEgress", "egress", spec)
}

fn pool(list: &str) -> String {
    resource(
        "F5SPKSnatpool",
        "pool",
        &format!("name: pool, addressList: {list}"),
    )
}

fn vlan(name: &str, rest: &str) -> String {
    let (interface, internal) = if name == "internal" {
        (1, true)
    } else {
        (2, false)
    };
    let spec = format!("name: {name}, interfaces: ['1.{interface}'], internal: {internal}{rest}");
    resource("F5SPKVlan", name, &spec)
}

fn resource(kind: &str, name: &str, spec: &str) -> String {
    resource_in("ns", kind, name, spec)
}

fn resource_in(namespace: &str, kind: &str, name: &str, spec: &str) -> String {
    format!(
        "apiVersion: k8s.f5net.com/v1\nkind: {kind}\n\
         metadata: {{name: {name}, namespace: {namespace}}}\nspec: {{{spec}}}\n"
    )
}

fn findings(documents: &[&str]) -> Vec<Diagnostic> {
    let mut sources = Sources::new();
    sources.add("test.yaml", documents.join("---\n"));
    check(&sources).diagnostics().to_vec()
}

/// Errors and warnings as `code: message`; without VLANs, that there are none is no news.
fn told(documents: &[&str]) -> Vec<String> {
    findings(documents)
        .iter()
        .filter(|found| found.level != Level::Note && found.code.name() != "no-vlan")
        .map(|found| format!("{}: {}", found.code, found.message))
        .collect()
}

const NOTHING: [&str; 0] = [];

#[test]
fn cache_names_are_matched_against_the_caches_that_there_are() {
    let egress = |name: &str| {
        egress(&format!(
            "dnsNat46Enabled: true, dnsNat46PoolIps: [192.0.2.53], dnsCacheName: {name}"
        ))
    };
    let cache = |namespace: &str, name: &str| {
        let spec = "netResolver: {forwardZones: [{forwardZone: ., nameServers: [{ipAddress: 192.0.2.53}]}]}";
        resource_in(namespace, "F5SPKDnscache", name, spec)
    };
    assert_eq!(told(&[&egress("a"), &cache("ns", "a")]), NOTHING);
    assert_eq!(told(&[&egress("ns-a"), &cache("ns", "a")]), NOTHING);
    assert_eq!(
        told(&[&egress("o-t-h-a-b"), &cache("o-t-h", "a-b")]),
        NOTHING
    );
    // Without its namespace, a name is one of the own namespace.
    assert_eq!(
        told(&[&egress("a"), &cache("other", "a")]),
        ["missing-reference: there is no F5SPKDnscache a"]
    );
    assert_eq!(
        told(&[&egress("x-y-z"), &cache("x", "y-z"), &cache("x-y", "z")]),
        ["ambiguous-cache-name: x-y-z is x/y-z, but could be x-y/z too"]
    );
    assert_eq!(
        told(&[&egress("ns-a"), &cache("ns", "a"), &cache("ns", "ns-a")]),
        ["ambiguous-cache-name: ns-a is ns/ns-a, but could be ns/a too"]
    );
}

/// A pool belongs to the gateway of its namespace.
#[test]
fn pools_are_of_the_own_namespace() {
    let spec = "name: pool, addressList: [[192.0.2.1]]";
    let other = resource_in("other", "F5SPKSnatpool", "one", spec);
    let found = findings(&[&egress("egressSnatpool: pool"), &other]);
    let missing = found
        .iter()
        .find(|found| found.code.name() == "missing-reference")
        .unwrap();
    assert_eq!(
        missing.message,
        "there is no F5SPKSnatpool with spec.name pool"
    );
    assert_eq!(
        missing.help.as_deref(),
        Some("other/one is in another namespace")
    );
}

#[test]
fn what_seems_absent_may_stand_in_an_unreadable_document() {
    let egress = egress("egressSnatpool: pool, dnsNat46Enabled: true, dnsCacheName: cache");
    assert_eq!(
        told(&[&egress, "a: [\n"]),
        ["syntax: while parsing a node, did not find expected node content"]
    );
    assert_eq!(
        told(&[&egress, "kind: F5SPKSnatpool\n"]),
        ["missing-field: apiVersion is missing"]
    );
    let nameless = "apiVersion: k8s.f5net.com/v1\nkind: F5SPKSnatpool\nmetadata: {}\n";
    assert_eq!(
        told(&[&egress, nameless]),
        ["missing-field: metadata.name is missing"]
    );
}

#[test]
fn a_faulty_value_earns_no_follow_up() {
    let wrong = |spec: &str| {
        let told = told(&[&egress(spec), CACHE, &pool("[[192.0.2.1, '2001:db8::1']]")]);
        let codes: Vec<String> = told
            .iter()
            .map(|told| told.split(':').next().unwrap().to_owned())
            .collect();
        codes
    };
    assert_eq!(
        wrong(&format!("{DNS46}, maxTmmReplicas: 0, egressSnatpool: pool")),
        ["out-of-range"]
    );
    assert_eq!(
        wrong(&format!("{DNS46}, dnsNat46Ipv4Subnet: 192.0.2.1/24")),
        ["host-bits"]
    );
    assert_eq!(
        wrong(&format!("{DNS46}, maxReservedStaticIps: -1")),
        ["out-of-range"]
    );
    assert_eq!(
        wrong("dnsNat46Enabled: 'on', maxDNS46TTL: 9, dnsCacheName: nowhere-at-all"),
        ["wrong-type", "missing-reference"]
    );
    assert_eq!(
        wrong("dnsNat46Enabled: true, dnsCacheName: [cache], dnsNat46PoolIps: []"),
        ["wrong-type"]
    );
    assert_eq!(
        wrong("dnsNat46Enabled: true, dnsCacheName: cache, dnsNat46PoolIps: [x]"),
        ["wrong-type"]
    );
    assert_eq!(wrong("egressSnatpool: [pool]"), ["wrong-type"]);
    assert_eq!(
        wrong("snatType: AUTO, egressSnatpool: pool"),
        ["out-of-range"]
    );
}

#[test]
fn name_servers_are_told_once_a_cache() {
    let cache = resource(
        "F5SPKDnscache",
        "cache",
        "netResolver: {forwardZones: [\
         {forwardZone: ., nameServers: [{ipAddress: 192.0.2.1}, {ipAddress: 192.0.2.53}]}, \
         {forwardZone: a, nameServers: [{ipAddress: 192.0.2.2}]}]}",
    );
    assert_eq!(
        told(&[&egress(DNS46), &cache]),
        [
            "nameserver-not-in-pool: not in dnsNat46PoolIps of F5SPKEgress ns/egress: 192.0.2.1, 192.0.2.2"
        ]
    );
    // A cache that nobody asks.
    assert_eq!(told(&[&cache]), NOTHING);
}

/// Name servers, SNAT addresses, self IPs and the sorry IP; each address once.
#[test]
fn addresses_within_the_dns46_subnet() {
    let within = |spec: &str, more: &[&str]| {
        let egress = egress(spec);
        let mut documents = vec![egress.as_str(), CACHE];
        documents.extend(more);
        told(&documents)
    };
    let subnet = |net: &str| format!("{DNS46}, dnsNat46Ipv4Subnet: {net}");
    assert_eq!(within(DNS46, &[]), NOTHING);
    assert_eq!(
        within(&subnet("192.0.2.0/26"), &[]),
        ["overlap: 192.0.2.53, a name server or router, lies in the DNS46 subnet 192.0.2.0/26"]
    );
    assert_eq!(
        within(&subnet("192.168.0.0/16"), &[]),
        ["overlap: 192.168.1.1, the sorry IP, lies in the DNS46 subnet 192.168.0.0/16"]
    );
    assert_eq!(
        within(
            &(subnet("198.51.100.0/24") + ", egressSnatpool: pool"),
            &[&pool("[[198.51.100.7, '2001:db8::1']]")]
        ),
        ["overlap: 198.51.100.7, a SNAT address, lies in the DNS46 subnet 198.51.100.0/24"]
    );
    let external = vlan(
        "external",
        ", selfip_v4s: [198.51.100.9], prefixlen_v4: 24, selfip_v6s: ['2001:db8::9'], prefixlen_v6: 64",
    );
    let internal = vlan("internal", ", selfip_v4s: [10.244.0.2], prefixlen_v4: 16");
    assert_eq!(
        within(&subnet("198.51.100.0/24"), &[&external, &internal]),
        ["overlap: 198.51.100.9, a self IP, lies in the DNS46 subnet 198.51.100.0/24"]
    );
    // Off: nothing lies in it.
    assert_eq!(
        within("dnsNat46Ipv4Subnet: 10.2.2.0/24", &[&pool("[[10.2.2.7]]")]),
        NOTHING
    );
}

#[test]
fn addresses_within_the_nat64_prefix() {
    let spec =
        "nat64Enabled: true, dnsCacheName: cache, dnsNat46PoolIps: [192.0.2.53, '64:ff9b::1']";
    assert_eq!(
        told(&[&egress(spec), CACHE]),
        ["overlap: 64:ff9b::1, a name server or router, lies in the NAT64 prefix 64:ff9b::/96"]
    );
}

#[test]
fn families_that_ways_need() {
    let lacks = |spec: &str, list: &str| {
        told(&[
            &egress(&format!("egressSnatpool: pool, {spec}")),
            CACHE,
            &pool(list),
        ])
    };
    let nat64 = "nat64Enabled: true, dnsCacheName: cache, dnsNat46PoolIps: [192.0.2.53]";
    assert_eq!(lacks("dualStackEnabled: false", "[[192.0.2.1]]"), NOTHING);
    assert_eq!(lacks(nat64, "[[192.0.2.1]]"), NOTHING);
    assert_eq!(
        lacks(nat64, "[['2001:db8::1']]"),
        ["family-missing-in-pool: no IPv4 address for IPv4 and NAT64 in list 0"]
    );
    assert_eq!(
        lacks(&format!("{DNS46}, dualStackEnabled: true"), "[[192.0.2.1]]"),
        ["family-missing-in-pool: no IPv6 address for IPv6 and NAT46 in list 0"]
    );
    assert_eq!(
        lacks(
            &format!("{DNS46}, maxTmmReplicas: 3"),
            "[['2001:db8::1', 192.0.2.1], ['2001:db8::2'], [192.0.2.3]]"
        ),
        [
            "family-missing-in-pool: no IPv4 address for IPv4 in list 1; no IPv6 address for NAT46 in list 2"
        ]
    );
    assert_eq!(
        lacks(&format!("{DNS46}, maxTmmReplicas: 3"), "[]"),
        [
            "replica-without-snat-list: replicas 0 to 2 have no SNAT list: their pods' flows are refused"
        ]
    );
    assert_eq!(
        told(&[
            &egress(&format!("{DNS46}, snatType: SRC_TRANS_NONE")),
            CACHE
        ]),
        [
            "family-missing-in-pool: SRC_TRANS_NONE keeps the pod's address, which NAT46 cannot leave with"
        ]
    );
    // Lists beyond the replicas belong to nobody.
    assert_eq!(
        lacks("maxTmmReplicas: 1", "[[192.0.2.1], ['2001:db8::1']]"),
        NOTHING
    );
}

#[test]
fn families_of_automap_come_from_external_self_ips() {
    let internal = vlan(
        "internal",
        ", selfip_v4s: [10.244.0.2], prefixlen_v4: 16, selfip_v6s: ['2001:db8:1::2'], prefixlen_v6: 64",
    );
    let ipv4 = vlan("external", ", selfip_v4s: [192.0.2.2], prefixlen_v4: 24");
    let both = vlan(
        "external",
        ", selfip_v4s: [192.0.2.2], prefixlen_v4: 24, selfip_v6s: ['2001:db8::2'], prefixlen_v6: 64",
    );
    assert_eq!(told(&[&egress(DNS46), CACHE, &internal, &both]), NOTHING);
    assert_eq!(
        told(&[&egress(DNS46), CACHE, &internal, &ipv4]),
        ["family-missing-in-pool: automap: the external VLANs have no IPv6 self IP for NAT46"]
    );
    // Without VLANs, nothing is known.
    assert_eq!(told(&[&egress(DNS46), CACHE]), NOTHING);
}

#[test]
fn self_ips_and_replicas_are_compared_where_the_number_is_written() {
    let set = |spec: &str, ips: &str| {
        let internal = vlan(
            "internal",
            &format!(", selfip_v4s: [{ips}], prefixlen_v4: 16"),
        );
        let external = vlan(
            "external",
            ", selfip_v4s: [192.0.2.2, 192.0.2.3], prefixlen_v4: 24",
        );
        told(&[&egress(spec), &internal, &external])
    };
    assert_eq!(set("maxTmmReplicas: 2", "10.1.0.1, 10.1.0.2"), NOTHING);
    assert_eq!(set("dualStackEnabled: false", "10.1.0.1"), NOTHING);
    assert_eq!(
        set("maxTmmReplicas: 2", "10.1.0.1"),
        [
            "self-ips-differ-from-replicas: maxTmmReplicas is 2, but the VLANs have other numbers of self IPs: internal has 1 of IPv4"
        ]
    );
    assert_eq!(
        set("maxTmmReplicas: 3", ""),
        [
            "self-ips-differ-from-replicas: maxTmmReplicas is 3, but the VLANs have other numbers of self IPs: external has 2 of IPv4, internal has none"
        ]
    );
}

#[test]
fn a_side_without_a_vlan_is_told_once() {
    let codes = |documents: &[&str]| -> Vec<String> {
        let found = findings(documents);
        let found = found.iter().filter(|found| found.code.name() == "no-vlan");
        found.map(|found| found.message.clone()).collect()
    };
    let (internal, external) = (vlan("internal", ""), vlan("external", ""));
    let other = resource_in("other", "F5SPKEgress", "egress", "");
    assert_eq!(codes(&[&egress(""), &internal, &external]), NOTHING);
    assert_eq!(
        codes(&[&egress(""), &other]),
        ["there is no F5SPKVlan in namespace ns"]
    );
    assert_eq!(
        codes(&[&egress(""), &internal]),
        ["there is no external F5SPKVlan in namespace ns"]
    );
    assert_eq!(
        codes(&[&egress(""), &external]),
        ["there is no internal F5SPKVlan in namespace ns"]
    );
    assert_eq!(codes(&[CACHE]), NOTHING);
    assert_eq!(codes(&[&egress(""), "a: [\n"]), NOTHING);
}

#[test]
fn vlans_that_claim_the_same() {
    let vlan =
        |name: &str, spec: &str| resource("F5SPKVlan", name, &format!("name: {name}, {spec}"));
    let pair = |a: &str, b: &str| told(&[&vlan("a", a), &vlan("b", b)]);
    assert_eq!(pair("interfaces: ['1.1']", "interfaces: ['1.2']"), NOTHING);
    assert_eq!(
        pair("interfaces: ['1.1']", "interfaces: ['1.1'], tag: 5"),
        NOTHING
    );
    assert_eq!(
        pair("interfaces: ['1.1']", "interfaces: ['1.1'], tag: 0"),
        ["vlan-conflict: interface 1.1 without a tag is taken"]
    );
    assert_eq!(
        pair("interfaces: ['1.1'], tag: 5", "interfaces: ['1.2'], tag: 5"),
        ["vlan-conflict: tag 5 is taken"]
    );
    assert_eq!(
        pair(
            "interfaces: ['1.1'], selfip_v4s: [192.0.2.1], prefixlen_v4: 24",
            "interfaces: ['1.2'], selfip_v4s: [192.0.2.1], prefixlen_v4: 24"
        ),
        ["vlan-conflict: self IP 192.0.2.1 is taken"]
    );
}

#[test]
fn pools_of_several_controllers_that_overlap() {
    let other = |list: &str| {
        resource_in(
            "other",
            "F5SPKSnatpool",
            "pool",
            &format!("name: pool, addressList: {list}"),
        )
    };
    assert_eq!(
        told(&[&pool("[[192.0.2.1]]"), &other("[[192.0.2.2]]")]),
        NOTHING
    );
    assert_eq!(
        told(&[
            &pool("[[192.0.2.1, 192.0.2.3]]"),
            &other("[[192.0.2.3], ['2001:db8::1', 192.0.2.1]]")
        ]),
        [
            "pools-overlap: 192.0.2.3 is in list 0 of F5SPKSnatpool ns/pool too; 192.0.2.1 is in list 0 of F5SPKSnatpool ns/pool too"
        ]
    );
    let external = vlan("external", ", selfip_v4s: [192.0.2.1], prefixlen_v4: 24");
    assert_eq!(
        told(&[&external, &pool("[[192.0.2.1]]")]),
        ["pools-overlap: 192.0.2.1 is a self IP of F5SPKVlan ns/external too"]
    );
}

#[test]
fn parameters_without_effect() {
    let idle = |spec: &str| told(&[&egress(spec), CACHE, &pool("[[192.0.2.1, '2001:db8::1']]")]);
    for (spec, name) in [
        ("dnsNat46Ipv4Subnet: 10.9.0.0/24", "dnsNat46Ipv4Subnet"),
        ("dnsNat46SorryIp: 192.0.2.9", "dnsNat46SorryIp"),
        ("maxReservedStaticIps: 1", "maxReservedStaticIps"),
        ("maxDNS46TTL: 1", "maxDNS46TTL"),
        ("nat64Ipv6Subnet: '2001:db8::/96'", "nat64Ipv6Subnet"),
        ("dnsCacheName: cache", "dnsCacheName"),
        ("dnsNat46PoolIps: [192.0.2.53]", "dnsNat46PoolIps"),
        ("dnsRateLimit: 1", "dnsRateLimit"),
        (
            "egressSnatpool: pool, snatType: SRC_TRANS_AUTOMAP",
            "egressSnatpool",
        ),
        (
            "egressSnatpool: pool, snatType: SRC_TRANS_NONE",
            "egressSnatpool",
        ),
        (
            "egressSnatpoolProtectionEnabled: true",
            "egressSnatpoolProtectionEnabled",
        ),
        ("pseudoCNIConfig: {namespaces: [a]}", "pseudoCNIConfig"),
        ("firewallEnforcedPolicy: strict", "firewallEnforcedPolicy"),
        ("logProfile: all", "logProfile"),
        ("vlans: {category: external}", "category"),
        ("vlans: {}, vlanList: [a]", "vlanList"),
        ("vlans: {}, disableListedVlans: false", "disableListedVlans"),
    ] {
        let told = idle(spec);
        assert_eq!(told.len(), 1, "{spec}: {told:?}");
        assert!(
            told[0].starts_with(&format!("no-effect: {name} has no effect")),
            "{spec}: {told:?}"
        );
    }
    // Values that are the default are not told of: whole dumps of a resource hold them.
    assert_eq!(
        idle(
            "dualStackEnabled: false, egressSnatpool: '', dnsNat46Enabled: false, dnsNat46PoolIps: [], \
             dnsNat46Ipv4Subnet: 10.2.2.0/24, dnsNat46SorryIp: 192.168.1.1, maxTmmReplicas: 1, \
             maxReservedStaticIps: 0, maxDNS46TTL: 120, nat64Enabled: false, nat64Ipv6Subnet: '64:ff9b::/96', \
             dnsCacheName: '', dnsRateLimit: 0, debugLogEnabled: false, vlanList: [], disableListedVlans: true, vlans: {category: '', disableListedVlans: true}, \
             snatType: SRC_TRANS_AUTOMAP, egressSnatpoolProtectionEnabled: false, firewallEnforcedPolicy: '', logProfile: ''"
        ),
        NOTHING
    );
    let cache = resource(
        "F5SPKDnscache",
        "other",
        "netResolver: {forwardZones: [{forwardZone: ., nameServers: [{ipAddress: 192.0.2.1}]}], nameserverTTL: 901, useTcp: false, maxConcurrentTcp: 20}",
    );
    assert_eq!(
        told(&[&cache]),
        [
            "no-effect: nameserverTTL has no effect: name servers come from forwardZones alone, none is learnt",
            "no-effect: useTcp has no effect: the gateway chooses family and transport by itself"
        ]
    );
    let vlan = vlan(
        "external",
        ", bonded: true, cmp_hash: SRC, auto_lasthop: AUTO_LASTHOP_ENABLED, prefixlen_v6: 64",
    );
    let found: Vec<String> = told(&[&vlan])
        .iter()
        .map(|told| told.split(' ').nth(1).unwrap().to_owned())
        .collect();
    assert_eq!(
        found,
        ["bonded", "cmp_hash", "auto_lasthop", "prefixlen_v6"]
    );
    let shared = resource(
        "F5SPKSnatpool",
        "pool",
        "name: p, addressList: [[192.0.2.1]], sharedSnatAddressEnabled: true",
    );
    assert_eq!(told(&[&shared]).len(), 1);
}

#[test]
fn vlans_that_a_list_names() {
    let set = |spec: &str| told(&[&egress(spec), &vlan("internal", ""), &vlan("external", "")]);
    assert_eq!(
        set("vlanList: [internal]"),
        ["family-missing-in-pool: automap: the external VLANs have no IPv4 self IP for IPv4"]
    );
    assert!(
        set("vlanList: [internal, vlan]")
            .contains(&"missing-reference: there is no F5SPKVlan with spec.name vlan".to_owned())
    );
    let found = findings(&[
        &egress("vlans: {vlanList: [nowhere]}"),
        &vlan("internal", ""),
        &vlan("external", ""),
    ]);
    assert!(
        found
            .iter()
            .any(|found| found.path == "spec.vlans.vlanList[0]")
    );
}

#[test]
fn zones_without_servers_are_told_once() {
    let cache = resource(
        "F5SPKDnscache",
        "cache",
        "netResolver: {forwardZones: [{forwardZone: a}, {forwardZone: b, nameServers: []}, \
         {forwardZone: A., nameServers: [{ipAddress: 192.0.2.1}]}]}",
    );
    let none = |spec: &str| told(&[&resource("F5SPKDnscache", "cache", spec)]);
    let refused = ["zone-without-nameserver: no forward zone: every name is refused"];
    assert_eq!(none(""), refused);
    assert_eq!(none("netResolver: {forwardZones: []}"), refused);
    assert_eq!(
        none("netResolver: []"),
        ["wrong-type: wanted a mapping, found a list"]
    );
    assert_eq!(
        none("netResolver: {forwardzones: []}"),
        ["unknown-field: unknown field forwardzones"]
    );
    assert_eq!(
        told(&[&cache]),
        [
            "zone-without-nameserver: no name server: names in a, b get SERVFAIL",
            "duplicate-zone: zone a is listed twice"
        ]
    );
}

/// Everything in one place: reading the same file twice is a duplicate, not an overlap or conflict.
#[test]
fn the_same_file_twice() {
    let documents = [
        &egress("egressSnatpool: pool"),
        &pool("[[192.0.2.1]]"),
        &vlan("internal", ", selfip_v4s: [10.1.0.1], prefixlen_v4: 16"),
    ];
    let text = documents.map(String::as_str).join("---\n");
    let mut sources = Sources::new();
    sources.add("a.yaml", text.as_str());
    sources.add("b.yaml", text.as_str());
    let checked = check(&sources);
    let mut errors: Vec<String> = checked
        .diagnostics()
        .iter()
        .filter(|found| found.level == Level::Error)
        .map(|found| format!("{} {}", found.span.name, found.code))
        .collect();
    errors.sort();
    assert_eq!(errors, ["b.yaml duplicate-resource"; 3]);
}
