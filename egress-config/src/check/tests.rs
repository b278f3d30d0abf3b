use core::time::Duration;
use std::time::Instant;

use super::check;
use crate::source::Sources;
use crate::tree::{build, split};

/// Namespaces with an egress, a cache, a pool and two VLANs each, all without a fault.
fn namespaces(count: usize) -> String {
    use core::fmt::Write;
    let mut text = String::new();
    for index in 0..count {
        let (high, low) = (index / 250, index % 250);
        write!(
            text,
            "---
apiVersion: k8s.f5net.com/v1
kind: F5SPKEgress
metadata:
  name: egress
  namespace: ns-{index}
spec:
  dualStackEnabled: true
  egressSnatpool: egress_snatpool
  dnsNat46Enabled: true
  dnsNat46PoolIps:
    - 198.18.0.53
  dnsNat46Ipv4Subnet: 10.{high}.{low}.0/24
  maxTmmReplicas: 2
  maxReservedStaticIps: 26
  dnsCacheName: ns-{index}-cache
  dnsRateLimit: 300
---
apiVersion: k8s.f5net.com/v1
kind: F5SPKDnscache
metadata:
  name: cache
  namespace: ns-{index}
spec:
  cacheType: net-resolver
  netResolver:
    forwardZones:
      - forwardZone: .
        nameServers:
          - ipAddress: 198.18.0.53
            port: 53
---
apiVersion: k8s.f5net.com/v1
kind: F5SPKSnatpool
metadata:
  name: pool
  namespace: ns-{index}
spec:
  name: egress_snatpool
  addressList:
    - - 100.{high}.{low}.1
      - 2001:db8:0:{index:x}::1
    - - 100.{high}.{low}.2
      - 2001:db8:0:{index:x}::2
---
apiVersion: k8s.f5net.com/v1
kind: F5SPKVlan
metadata:
  name: vlan-internal
  namespace: ns-{index}
spec:
  name: internal
  interfaces:
    - \"1.1\"
  internal: true
  selfip_v4s:
    - 172.16.0.2
    - 172.16.0.3
  prefixlen_v4: 16
---
apiVersion: k8s.f5net.com/v1
kind: F5SPKVlan
metadata:
  name: vlan-external
  namespace: ns-{index}
spec:
  name: external
  interfaces:
    - \"1.2\"
  selfip_v4s:
    - 198.18.0.2
    - 198.18.0.3
  prefixlen_v4: 24
"
        )
        .unwrap();
    }
    text
}

#[expect(clippy::disallowed_methods, reason = "measures")]
fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// 10,000 resources in one stream: checking takes at most 2.5 times what the trees alone take.
#[test]
fn checking_costs_little_more_than_reading() {
    let text = namespaces(2000);
    let mut sources = Sources::new();
    sources.add("stream.yaml", text.as_str());
    // The least of several runs: the machine may be busy with something else.
    let trees = |_| {
        time(|| {
            for (number, document) in split(&text).iter().enumerate() {
                assert!(build(document, number as u32).is_ok());
            }
        })
    };
    let checks = |_| {
        time(|| {
            let checked = check(&sources);
            assert_eq!(checked.resources().count(), 10_000);
            assert!(!checked.has_errors(), "{:?}", checked.diagnostics().first());
        })
    };
    let trees = (0..3).map(trees).min().unwrap();
    let checks = (0..3).map(checks).min().unwrap();
    let ratio = checks.as_secs_f64() / trees.as_secs_f64();
    println!("trees {trees:?}, checks {checks:?}, ratio {ratio:.2}");
    assert!(
        ratio <= 2.5,
        "trees {trees:?}, checks {checks:?}, ratio {ratio:.2}"
    );
}
