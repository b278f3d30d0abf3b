//! The main story, as the library plays it.

use egress_config::{Plan, Sources};
use egress_gateway::story::{Fault, Report, Script, Stage, Story};

fn plan(set: &str) -> Plan {
    let samples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/sets");
    let mut sources = Sources::new();
    sources.read_path(&samples.join(set)).unwrap();
    egress_config::check(&sources).plan(0).unwrap()
}

fn play(set: &str, script: Script) -> Report {
    Story::new(&plan(set), script).unwrap().run().unwrap()
}

#[test]
fn every_stage_happens_under_each_set_that_has_dns46() {
    for set in ["dns-nat46", "reserved-static", "mixed"] {
        let report = play(set, Script::default());
        for told in &report.told {
            println!("{told:?}");
        }
        assert_eq!(report.failed(), None, "{set}");
    }
}

#[test]
fn each_fault_fails_the_stage_that_it_breaks() {
    for (fault, stage) in [
        (Fault::Upstream, Stage::Upstream),
        (Fault::Store, Stage::Store),
        (Fault::Mapping, Stage::Mapping),
        (Fault::Snat, Stage::Binding),
        (Fault::Return, Stage::Return),
        (Fault::Checksum, Stage::Checksums),
    ] {
        let script = Script {
            fault: Some(fault),
            ..Script::default()
        };
        let report = play("dns-nat46", script);
        let failed = report.failed().map(|(stage, why)| (stage, why.to_owned()));
        assert_eq!(failed.map(|(stage, _)| stage), Some(stage), "{fault:?}");
    }
}
