use egress_config::{Plan, Sources, check};

use super::changes;

fn plans(spec: &str) -> Vec<Plan> {
    let mut sources = Sources::new();
    sources.add(
        "test.yaml",
        format!(
            "apiVersion: k8s.f5net.com/v1\nkind: F5SPKEgress\n\
             metadata: {{name: egress}}\nspec: {{maxTmmReplicas: 2, egressSnatpool: pool, {spec}}}\n---\n\
             apiVersion: k8s.f5net.com/v1\nkind: F5SPKSnatpool\n\
             metadata: {{name: pool}}\nspec: {{name: pool, addressList: [[192.0.2.1], [192.0.2.2]]}}\n"
        ),
    );
    let checked = check(&sources);
    (0..2)
        .map(|replica| checked.plan(replica).unwrap())
        .collect()
}

/// What changes alike for all replicas is told once, the rest with its replica.
#[test]
fn each_change_once() {
    let (old, new) = (
        plans(""),
        plans("dualStackEnabled: true, snatType: SRC_TRANS_AUTOMAP"),
    );
    let found: Vec<(String, Vec<u32>)> = changes(&old, &new)
        .into_iter()
        .map(|(change, replicas)| (format!("{} {}", change.field, change.before), replicas))
        .collect();
    assert_eq!(
        found,
        [
            ("dual_stack off".to_owned(), vec![0, 1]),
            ("snat pool pool: 192.0.2.1".to_owned(), vec![0]),
            ("snat pool pool: 192.0.2.2".to_owned(), vec![1]),
        ]
    );
    assert!(changes(&old, &old).is_empty());
}
