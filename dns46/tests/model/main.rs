//! Three replicas and one store against a reference that knows only what was promised: random queries,
//! packets, failures, crashes and reloads.
//!
//! `MODEL_STEPS` sets the number of steps; the default is what a test run has time for. `MODEL_TRACE` prints each.

extern crate alloc;

mod reference;
mod world;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};

use world::{Step, World};

const STEPS: usize = 20_000;
/// Steps before a world begins anew, so that a failure is short.
const LIFE: usize = 2_000;

fn steps() -> impl Strategy<Value = Step> {
    let replica = 0..3_usize;
    prop_oneof![
        32 => (replica.clone(), 0..40_u16).prop_map(|(replica, host)| Step::Query { replica, host }),
        32 => (replica.clone(), any::<u16>()).prop_map(|(replica, pick)| Step::Packet { replica, pick }),
        16 => any::<u16>().prop_map(|pick| Step::End { pick }),
        16 => (1..200_u64).prop_map(|seconds| Step::Wait { seconds }),
        4 => (200..9_000_u64).prop_map(|seconds| Step::Wait { seconds }),
        4 => replica.clone().prop_map(|replica| Step::Crash { replica }),
        1 => Just(Step::Reconfigure),
        4 => (replica.clone(), any::<u16>()).prop_map(|(replica, pick)| Step::Remove { replica, pick }),
        4 => any::<bool>().prop_map(|up| Step::Store { up }),
        8 => replica.prop_map(|replica| Step::LoseReply { replica }),
    ]
}

#[test]
fn no_address_stands_for_two_hosts_while_anybody_may_still_use_it() {
    let wanted = std::env::var("MODEL_STEPS").map_or(STEPS, |steps| steps.parse().unwrap());
    let mut runner = TestRunner::deterministic();
    runner = TestRunner::new_with_rng(Config::default(), runner.new_rng());
    let strategy = steps();
    let mut total = world::Tally::default();
    for _ in 0..wanted.div_ceil(LIFE) {
        let mut world = World::new();
        for _ in 0..LIFE.min(wanted) {
            let step = strategy.new_tree(&mut runner).unwrap().current();
            world.step(step);
        }
        total.add(&world.tally);
    }
    println!("{total:?}");
    assert!(total.answers > wanted / 20, "{total:?}");
    assert!(total.packets > wanted / 20, "{total:?}");
    assert!(total.reused > 0 && total.refused > 0, "{total:?}");
}
