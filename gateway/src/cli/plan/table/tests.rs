use egress_config::{Checked, Plan, Sources, check};

use super::table;

fn checked(spec: &str) -> Checked {
    let mut sources = Sources::new();
    let vlans = include_str!("vlans.yaml");
    sources.add("vlans.yaml", vlans);
    sources.add(
        "egress.yaml",
        format!(
            "apiVersion: k8s.f5net.com/v1\nkind: F5SPKEgress\n\
             metadata: {{name: egress, namespace: spk-ingress}}\nspec: {{{spec}}}\n"
        ),
    );
    check(&sources)
}

fn plans(spec: &str) -> Vec<Plan> {
    let checked = checked(spec);
    let replicas = checked.plan(0).unwrap().replicas;
    (0..replicas)
        .map(|replica| checked.plan(replica).unwrap())
        .collect()
}

const DNS46: &str = "dnsNat46Enabled: true, dnsCacheName: cache, \
    dnsNat46PoolIps: [192.0.2.53, '2001:db8::53', 10.20.2.1]";

/// The documentation's example: 26 of 256 reserved, four replicas, two addresses left.
#[test]
fn all_replicas_of_an_egress() {
    let plans = plans(&format!(
        "{DNS46}, dnsNat46Ipv4Subnet: 10.40.100.0/24, maxTmmReplicas: 4, maxReservedStaticIps: 26, \
         nat64Enabled: true, dnsRateLimit: 300, debugLogEnabled: true, egressSnatpool: pool"
    ));
    let found = table(&plans);
    assert!(found == include_str!("four.text"), "{found}");
}

#[test]
fn one_replica_of_an_egress_without_dns() {
    let plan = checked("dualStackEnabled: true, maxTmmReplicas: 4")
        .plan(2)
        .unwrap();
    let found = table(&[plan]);
    assert!(found == include_str!("one.text"), "{found}");
}

/// The drawing has a letter for every address of a subnet smaller than it.
#[test]
fn a_small_subnet_is_drawn_address_by_address() {
    let plans = plans(&format!(
        "{DNS46}, dnsNat46Ipv4Subnet: 10.46.0.0/28, maxTmmReplicas: 3, maxReservedStaticIps: 4"
    ));
    let found = table(&plans);
    assert!(found.contains("\n  |rrrr000011112222|\n"), "{found}");
}

/// What is too small for a cell shows at the ends all the same.
#[test]
fn a_large_subnet_shows_its_ends() {
    let plans = plans(&format!(
        "{DNS46}, dnsNat46Ipv4Subnet: 10.0.0.0/12, maxTmmReplicas: 3, maxReservedStaticIps: 1"
    ));
    let found = table(&plans);
    let drawing = found.lines().find(|line| line.starts_with("  |")).unwrap();
    assert!(
        drawing.starts_with("  |r0000") && drawing.ends_with("2222|"),
        "{found}"
    );
    assert_eq!(drawing.len(), 64 + 4);
}
