//! Each parameter with values that it takes and values that it does not, from the table of
//! parameters of the original.

use egress_config::{Diagnostic, Level, Sources, check};

fn findings(text: &str) -> Vec<Diagnostic> {
    let mut sources = Sources::new();
    sources.add("test.yaml", text);
    check(&sources).diagnostics().to_vec()
}

/// The errors that `spec: {…}` of a kind earns on its path, as `path code`.
fn errors(kind: &str, spec: &str) -> Vec<String> {
    let text = format!(
        "apiVersion: k8s.f5net.com/v2\nkind: {kind}\nmetadata: {{name: it, namespace: ns}}\nspec: {{{spec}}}\n"
    );
    findings(&text)
        .iter()
        .filter(|found| found.level == Level::Error)
        .map(|found| format!("{} {}", found.path, found.code))
        .collect()
}

fn accepts(kind: &str, specs: &[&str]) {
    for spec in specs {
        assert_eq!(errors(kind, spec), [""; 0], "{kind} {spec}");
    }
}

fn refuses(kind: &str, path: &str, code: &str, specs: &[&str]) {
    for spec in specs {
        assert_eq!(
            errors(kind, spec),
            [format!("{path} {code}")],
            "{kind} {spec}"
        );
    }
}

#[test]
fn booleans() {
    let parameters = [
        "dualStackEnabled",
        "debugLogEnabled",
        "egressSnatpoolProtectionEnabled",
        "disableListedVlans",
    ];
    for name in parameters {
        for value in ["true", "false", "True", "FALSE", "null", "~", ""] {
            accepts("F5SPKEgress", &[&format!("{name}: {value}")]);
        }
        for value in ["'true'", "yes", "1", "[true]", "{}"] {
            refuses(
                "F5SPKEgress",
                &format!("spec.{name}"),
                "wrong-type",
                &[&format!("{name}: {value}")],
            );
        }
    }
}

#[test]
fn ranges_of_numbers() {
    let cases = [
        ("F5SPKEgress", "maxTmmReplicas", 1, 2_147_483_647_u64),
        ("F5SPKEgress", "maxReservedStaticIps", 0, 2_147_483_647),
        ("F5SPKEgress", "maxDNS46TTL", 1, 2_147_483_647),
        ("F5SPKEgress", "dnsRateLimit", 0, 4_294_967_295),
        (
            "F5SPKDnscache",
            "netResolver.msgCacheSize",
            0,
            4_294_967_295,
        ),
        (
            "F5SPKDnscache",
            "netResolver.negCacheSize",
            0,
            4_294_967_295,
        ),
        (
            "F5SPKDnscache",
            "netResolver.nameserverTTL",
            0,
            2_147_483_647,
        ),
        ("F5SPKVlan", "tag", 0, 4094),
        ("F5SPKVlan", "mtu", 576, 65535),
        ("F5SPKVlan", "prefixlen_v4", 1, 32),
        ("F5SPKVlan", "prefixlen_v6", 1, 128),
    ];
    for (kind, path, min, max) in cases {
        let spec = |value: &str| {
            let own = if kind == "F5SPKVlan" {
                "name: v, interfaces: ['1.1'], "
            } else {
                ""
            };
            match path.split_once('.') {
                Some((outer, inner)) => format!("{own}{outer}: {{{inner}: {value}}}"),
                None => format!("{own}{path}: {value}"),
            }
        };
        let path = format!("spec.{path}");
        accepts(kind, &[&spec(&min.to_string()), &spec(&max.to_string())]);
        let below = if min == 0 {
            "-1".to_owned()
        } else {
            (min - 1).to_string()
        };
        for value in [
            below,
            (max + 1).to_string(),
            "-1".to_owned(),
            "9".repeat(100),
        ] {
            refuses(kind, &path, "out-of-range", &[&spec(&value)]);
        }
        for value in [
            format!("'{max}'"),
            format!("{max}.0"),
            "010".to_owned(),
            "0x10".to_owned(),
            "1e1".to_owned(),
            "many".to_owned(),
        ] {
            refuses(kind, &path, "wrong-type", &[&spec(&value)]);
        }
    }
}

#[test]
fn ports() {
    let spec = |port: &str| {
        format!(
            "netResolver: {{forwardZones: [{{forwardZone: ., nameServers: [{{ipAddress: 192.0.2.1, port: {port}}}]}}]}}"
        )
    };
    accepts("F5SPKDnscache", &[&spec("1"), &spec("65535")]);
    let path = "spec.netResolver.forwardZones[0].nameServers[0].port";
    refuses(
        "F5SPKDnscache",
        path,
        "out-of-range",
        &[&spec("0"), &spec("65536")],
    );
}

#[test]
fn addresses_are_ones_that_a_host_can_have() {
    let spec = |address: &str| format!("dnsNat46PoolIps: [{address}]");
    for address in [
        "192.0.2.1",
        "'2001:db8::1'",
        "2001:db8::1",
        "10.0.0.0",
        "fd00::1",
    ] {
        accepts("F5SPKEgress", &[&spec(address)]);
    }
    let path = "spec.dnsNat46PoolIps[0]";
    for address in [
        "0.0.0.0",
        "127.0.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "'::'",
        "'::1'",
        "'ff02::1'",
        "'fe80::1'",
        "'::ffff:192.0.2.1'",
    ] {
        refuses("F5SPKEgress", path, "out-of-range", &[&spec(address)]);
    }
    for address in [
        "192.0.2",
        "192.0.2.256",
        "192.0.2.1:53",
        "ns.example",
        "1.1",
        "''",
        "192.0.2.1/32",
        "{a: b}",
        "null",
        "01.2.3.4",
    ] {
        refuses("F5SPKEgress", path, "wrong-type", &[&spec(address)]);
    }
    refuses(
        "F5SPKEgress",
        "spec.dnsNat46PoolIps",
        "wrong-type",
        &["dnsNat46PoolIps: 192.0.2.1"],
    );
    refuses(
        "F5SPKEgress",
        "spec.dnsNat46SorryIp",
        "wrong-family",
        &["dnsNat46SorryIp: '2001:db8::1'"],
    );
    refuses(
        "F5SPKVlan",
        "spec.selfip_v6s[1]",
        "wrong-family",
        &["name: v, interfaces: ['1.1'], prefixlen_v6: 64, selfip_v6s: ['2001:db8::1', 192.0.2.1]"],
    );
}

#[test]
fn dns46_subnets() {
    let spec = |subnet: &str| format!("dnsNat46Ipv4Subnet: {subnet}");
    for subnet in [
        "10.0.0.0/8",
        "100.64.0.0/10",
        "192.0.2.0/24",
        "198.18.0.0/30",
    ] {
        accepts("F5SPKEgress", &[&spec(subnet)]);
    }
    let path = "spec.dnsNat46Ipv4Subnet";
    refuses(
        "F5SPKEgress",
        path,
        "wrong-type",
        &[&spec("10.0.0.0"), &spec("10.0.0.0/33"), &spec("all")],
    );
    refuses(
        "F5SPKEgress",
        path,
        "wrong-family",
        &[&spec("'2001:db8::/96'")],
    );
    refuses(
        "F5SPKEgress",
        path,
        "host-bits",
        &[&spec("10.0.0.1/24"), &spec("10.128.0.0/8")],
    );
    refuses(
        "F5SPKEgress",
        path,
        "out-of-range",
        &[
            &spec("0.0.0.0/0"),
            &spec("127.0.0.0/24"),
            &spec("169.254.1.0/24"),
            &spec("224.0.0.0/4"),
            &spec("240.0.0.0/8"),
        ],
    );
}

/// RFC 6052 section 2.2: lengths, and bits 64 to 71.
#[test]
fn rfc6052_section_2_2_prefixes() {
    let spec = |prefix: &str| format!("nat64Ipv6Subnet: '{prefix}'");
    for prefix in [
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2001:db8::/32",
        "2001:db8:100::/40",
        "2001:db8:122:300::/56",
        "2001:db8:122:344::/64",
        "2001:db8:122:344::/96",
    ] {
        accepts("F5SPKEgress", &[&spec(prefix)]);
    }
    let path = "spec.nat64Ipv6Subnet";
    for length in (0..=128).filter(|length| ![32, 40, 48, 56, 64, 96].contains(length)) {
        refuses(
            "F5SPKEgress",
            path,
            "nat64-prefix",
            &[&spec(&format!("2001:db8::/{length}"))],
        );
    }
    refuses(
        "F5SPKEgress",
        path,
        "nat64-prefix",
        &[&spec("2001:db8:122:344:100::/96")],
    );
    refuses(
        "F5SPKEgress",
        path,
        "host-bits",
        &[&spec("2001:db8:1::/32")],
    );
    refuses(
        "F5SPKEgress",
        path,
        "wrong-family",
        &[&spec("192.0.2.0/32")],
    );
    refuses(
        "F5SPKEgress",
        path,
        "out-of-range",
        &[&spec("::/96"), &spec("ff00::/32"), &spec("fe80::/64")],
    );
    refuses(
        "F5SPKEgress",
        path,
        "wrong-type",
        &[&spec("2001:db8::"), &spec("2001:db8::/129")],
    );
}

#[test]
fn texts_are_no_numbers() {
    let vlan = |interface: &str| format!("name: v, interfaces: [{interface}]");
    accepts("F5SPKVlan", &[&vlan("'1.1'"), &vlan("eth0")]);
    let path = "spec.interfaces[0]";
    refuses(
        "F5SPKVlan",
        path,
        "wrong-type",
        &[
            &vlan("1.1"),
            &vlan("1"),
            &vlan("true"),
            &vlan("null"),
            &vlan("[]"),
        ],
    );
    accepts("F5SPKVlan", &["name: !!str 5, interfaces: ['1.1']"]);
    refuses(
        "F5SPKVlan",
        "spec.name",
        "wrong-type",
        &["name: 5, interfaces: ['1.1']"],
    );
    refuses(
        "F5SPKVlan",
        "spec.name",
        "invalid-name",
        &[
            "name: '', interfaces: ['1.1']",
            "name: 'a b', interfaces: ['1.1']",
        ],
    );
}

#[test]
fn words() {
    for word in ["SRC_TRANS_NONE", "SRC_TRANS_SNATPOOL", "SRC_TRANS_AUTOMAP"] {
        accepts("F5SPKEgress", &[&format!("snatType: {word}")]);
    }
    refuses(
        "F5SPKEgress",
        "spec.snatType",
        "out-of-range",
        &[
            "snatType: AUTOMAP",
            "snatType: src_trans_none",
            "snatType: ''",
        ],
    );
    accepts("F5SPKDnscache", &["cacheType: net-resolver"]);
    refuses(
        "F5SPKDnscache",
        "spec.cacheType",
        "unsupported-cache-type",
        &["cacheType: transparent", "cacheType: resolver"],
    );
}

#[test]
fn zone_names() {
    let spec = |zone: &str| {
        format!(
            "netResolver: {{forwardZones: [{{forwardZone: '{zone}', nameServers: [{{ipAddress: 192.0.2.1}}]}}]}}"
        )
    };
    let label = "a".repeat(63);
    let longest = [label.as_str(), &label, &label, &"a".repeat(61)].join(".");
    for zone in [
        ".",
        "example.net",
        "Example.NET.",
        "_tcp.example",
        "xn--bcher-kva.example",
        "10.in-addr.arpa",
        &label,
        &longest,
    ] {
        accepts("F5SPKDnscache", &[&spec(zone)]);
    }
    let path = "spec.netResolver.forwardZones[0].forwardZone";
    for zone in [
        "",
        "..",
        "a..b",
        ".a",
        "bücher.example",
        "a b",
        &format!("a{label}"),
        &format!("a{longest}"),
        "a\\b",
        "*.example",
    ] {
        refuses("F5SPKDnscache", path, "invalid-name", &[&spec(zone)]);
    }
}

#[test]
fn lists_have_an_end() {
    let addresses = |count: usize| {
        let list: Vec<String> = (0..count)
            .map(|index| format!("10.0.{}.{}", index / 250, index % 250 + 1))
            .collect();
        format!("dnsNat46PoolIps: [{}]", list.join(", "))
    };
    accepts("F5SPKEgress", &[&addresses(256), &addresses(0)]);
    refuses(
        "F5SPKEgress",
        "spec.dnsNat46PoolIps",
        "out-of-range",
        &[&addresses(257)],
    );
}

#[test]
fn address_lists() {
    let pool = |list: &str| format!("name: p, addressList: {list}");
    accepts(
        "F5SPKSnatpool",
        &[
            &pool("[[192.0.2.1, '2001:db8::1'], [192.0.2.2]]"),
            &pool("[]"),
            &pool("[[]]"),
        ],
    );
    accepts("F5SPKSnatpool", &[&pool("[192.0.2.1, 192.0.2.2]")]);
    refuses(
        "F5SPKSnatpool",
        "spec.addressList[1]",
        "wrong-type",
        &[&pool("[[192.0.2.1], 192.0.2.2]")],
    );
    refuses(
        "F5SPKSnatpool",
        "spec.addressList[0][1]",
        "wrong-type",
        &[&pool("[[192.0.2.1, x]]")],
    );
    refuses(
        "F5SPKSnatpool",
        "spec.addressList",
        "wrong-type",
        &[&pool("192.0.2.1"), &pool("{a: b}")],
    );
    refuses(
        "F5SPKSnatpool",
        "spec.addressList",
        "missing-field",
        &["name: p"],
    );
    refuses(
        "F5SPKSnatpool",
        "spec.addressList",
        "pools-overlap",
        &[&pool("[[192.0.2.1, 192.0.2.1]]")],
    );
}

#[test]
fn vlans() {
    let vlan = |rest: &str| format!("name: v, interfaces: ['1.1'], {rest}");
    refuses(
        "F5SPKVlan",
        "spec.prefixlen_v4",
        "missing-field",
        &[&vlan("selfip_v4s: [192.0.2.1]")],
    );
    refuses(
        "F5SPKVlan",
        "spec.prefixlen_v6",
        "missing-field",
        &[&vlan("selfip_v6s: ['2001:db8::1']")],
    );
    refuses(
        "F5SPKVlan",
        "spec.interfaces",
        "missing-field",
        &["name: v", "name: v, interfaces: []"],
    );
    // RFC 8200 section 5.
    let ipv6 = "selfip_v6s: ['2001:db8::1'], prefixlen_v6: 64";
    accepts(
        "F5SPKVlan",
        &[&vlan(&format!("{ipv6}, mtu: 1280")), &vlan("mtu: 1279")],
    );
    refuses(
        "F5SPKVlan",
        "spec.mtu",
        "out-of-range",
        &[&vlan(&format!("{ipv6}, mtu: 1279"))],
    );
}

#[test]
fn resources_say_who_they_are() {
    let codes = |text: &str| -> Vec<String> {
        findings(text)
            .iter()
            .filter(|found| found.code.name() != "no-vlan")
            .map(|found| format!("{}:{} {}", found.span.line, found.span.column, found.code))
            .collect()
    };
    let head = "apiVersion: k8s.f5net.com/v1\nkind: F5SPKEgress\n";
    assert_eq!(codes(&format!("{head}metadata: {{name: a}}\n")), [""; 0]);
    assert_eq!(codes(head), ["2:7 missing-field"]);
    assert_eq!(
        codes(&format!("{head}metadata: {{}}\n")),
        ["3:11 missing-field"]
    );
    assert_eq!(
        codes(&format!("{head}metadata: {{name: A}}\n")),
        ["3:18 invalid-name"]
    );
    assert_eq!(
        codes(&format!("{head}metadata: {{name: 5}}\n")),
        ["3:18 wrong-type"]
    );
    assert_eq!(
        codes(&format!("{head}metadata: {{name: a, nmae: b}}\n")),
        ["3:21 unknown-field"]
    );
    assert_eq!(
        codes(&format!("{head}metadata: {{name: a}}\nspec: []\n")),
        ["4:7 wrong-type"]
    );
    assert_eq!(
        codes(&format!("{head}metadata: {{name: a}}\nspce: {{}}\n")),
        ["4:1 unknown-field"]
    );
    assert_eq!(codes("kind: F5SPKEgress\n"), ["1:1 missing-field"]);
    assert_eq!(
        codes("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {x: 1, x: 2}\n"),
        ["2:7 passed-over"]
    );
    assert_eq!(
        codes("apiVersion: k8s.f5net.com/v1\nkind: F5SPKEgres\n"),
        ["2:7 passed-over"]
    );
    assert_eq!(codes("some: mapping\n"), ["1:1 passed-over"]);
    assert_eq!(codes("[]\n"), ["1:1 wrong-type"]);
    assert_eq!(codes("apiVersion: [v1]\nkind: Pod\n"), ["1:1 wrong-type"]);
    assert_eq!(codes("apiVersion: v1\nkind: List\n"), ["2:7 passed-over"]);
    let list =
        "{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: List, items: []}, null, 5]}";
    assert_eq!(codes(list), ["1:38 passed-over", "1:85 wrong-type"]);
    assert_eq!(
        codes(
            "apiVersion: k8s.f5net.com/v4\nkind: F5SPKVlan\nmetadata: {name: a}\nspec: {name: v, interfaces: ['1.1']}\n"
        ),
        ["1:13 unsupported-version"]
    );
    assert_eq!(
        codes(
            "apiVersion: apps/v1\nkind: F5SPKVlan\nmetadata: {name: a}\nspec: {name: v, interfaces: ['1.1']}\n"
        ),
        ["1:13 unsupported-version"]
    );
}

/// What `kubectl get -o yaml` prints.
#[test]
fn lists_of_resources_are_read_item_by_item() {
    let text = "apiVersion: v1
kind: List
items:
- apiVersion: k8s.f5net.com/v1
  kind: F5SPKSnatpool
  metadata:
    name: a
    namespace: ns
    uid: 0b3c
    resourceVersion: '7'
    annotations: {anything: goes}
  spec: {name: a, addressList: [[192.0.2.1]]}
  status: {ready: true}
- apiVersion: k8s.f5net.com/v1
  kind: F5SPKSnatpool
  metadata: {name: b, namespace: ns}
  spec: {name: b, addresslist: [[192.0.2.2]], name: c}
";
    let found: Vec<String> = findings(text)
        .iter()
        .filter(|found| found.level == Level::Error)
        .map(|found| format!("{} {} {}", found.span.line, found.path, found.code))
        .collect();
    assert_eq!(
        found,
        [
            "17 spec.addressList missing-field",
            "17 spec.addresslist unknown-field",
            "17 spec.name duplicate-key"
        ]
    );
}

#[test]
fn a_mistyped_field_earns_a_guess() {
    let help = |field: &str| {
        let text = format!(
            "apiVersion: k8s.f5net.com/v1\nkind: F5SPKEgress\nmetadata: {{name: a}}\nspec: {{{field}: 1}}\n"
        );
        let found = findings(&text);
        found
            .iter()
            .find(|found| found.code.name() == "unknown-field")
            .unwrap()
            .help
            .clone()
    };
    let guess = |name: &str| Some(format!("did you mean {name}?"));
    assert_eq!(help("dnsNat46Enabeld"), guess("dnsNat46Enabled"));
    assert_eq!(help("maxDns46Ttl"), guess("maxDNS46TTL"));
    assert_eq!(help("dnscachename"), guess("dnsCacheName"));
    assert_eq!(help("somethingElse"), None);
    assert_eq!(help(&"x".repeat(10_000)), None);
}

#[test]
fn a_diagnostic_prints_as_one_line() {
    let text = "apiVersion: k8s.f5net.com/v1\nkind: F5SPKEgress\nmetadata: {name: a}\nspec: {maxTmmReplicas: 0}\n";
    let found = findings(text);
    let error = found
        .iter()
        .find(|found| found.level == Level::Error)
        .unwrap();
    assert_eq!(
        error.to_string(),
        "test.yaml:4:24: error[out-of-range]: 0 is not between 1 and 2147483647"
    );
    assert_eq!(error.resource, "F5SPKEgress default/a");
    assert_eq!(&text[error.span.range.clone()], "0");
}

/// Columns count characters, ranges bytes.
#[test]
fn places_are_right_behind_other_letters() {
    let text = format!(
        "# {}\napiVersion: k8s.f5net.com/v1\nkind: F5SPKEgress\nmetadata: {{name: a, labels: {{ä: ö}}}}\nspec: {{logProfile: äöü, maxTmmReplicas: \"0\" }} # end\n",
        "ß".repeat(5000)
    );
    let found = findings(&text);
    let error = found
        .iter()
        .find(|found| found.level == Level::Error)
        .unwrap();
    assert_eq!((error.span.line, error.span.column), (5, 41));
    assert_eq!(&text[error.span.range.clone()], "\"0\"");
}

/// A mistyped switch is not followed by `no-effect` for what it switches on.
#[test]
fn an_unknown_field_has_no_follow_up() {
    let text = "apiVersion: k8s.f5net.com/v1\nkind: F5SPKEgress\nmetadata: {name: a}\n\
                spec: {dnsNat46Enabeld: true, maxDNS46TTL: 9}\n";
    let codes: Vec<&str> = findings(text)
        .iter()
        .map(|found| found.code.name())
        .collect();
    assert_eq!(codes, ["no-vlan", "unknown-field"]);
}
