//! Every target runs over its kept corpus, on stable.
//!
//! A file whose name starts with `regression-` once made its target fail; the rest of the name says how.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use egress_fuzz::TARGETS;

fn names(folder: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn every_target_has_a_door_and_a_corpus() {
    let targets: BTreeSet<_> = TARGETS
        .iter()
        .map(|target| target.name.to_owned())
        .collect();
    let doors = names("fuzz_targets");
    let doors: BTreeSet<_> = doors
        .iter()
        .filter_map(|name| Some(name.strip_suffix(".rs")?.to_owned()))
        .collect();
    assert_eq!(targets, doors);
    assert_eq!(targets, names("corpus"));
}

#[test]
fn kept_inputs_pass() {
    for target in TARGETS {
        let folder = format!("corpus/{}", target.name);
        let inputs = names(&folder);
        assert!(!inputs.is_empty(), "{folder} is empty");
        for name in inputs {
            println!("{folder}/{name}");
            let path = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join(&folder)
                .join(&name);
            (target.run)(&fs::read(path).unwrap());
        }
    }
}
