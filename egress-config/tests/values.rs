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
