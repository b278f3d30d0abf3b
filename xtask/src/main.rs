//! The project's own commands: `cargo xtask test`, `e2e`, `soak`, `bench` and `bless`.
//!
//! A tier is a list of steps, each with a name. A step that can't run here fails under its name;
//! nothing is skipped silently.

#![expect(
    clippy::std_instead_of_alloc,
    reason = "a program of the host; only libraries do without std"
)]

mod alone;
mod bench;
mod counts;
mod coverage;
mod crates;
mod dependencies;
mod documents;
mod e2e;
mod fuzz;
mod host;
mod kills;
mod lab;
mod lengths;
mod load;
mod marks;
mod moved;
mod neighbours;
mod page;
mod process;
mod redis;
mod references;
mod renew;
mod soak;
mod step;
mod storm;
mod test;

mod tree;

use std::env;
use std::process::ExitCode;

use step::Step;
use tree::Tree;

const USAGE: &str = "\
usage: cargo xtask COMMAND [STEP…]

  test     everything that needs no root: at most 10 minutes on two cores
  e2e      other people's programs against ours: root, installs Debian packages, at most 30 minutes
  soak     the long runs, by hand: minutes of fuzzing a target, long property runs, Miri
  bench    criterion benches, the peers' included
  bless    counts instructions again and writes benches/instructions.toml
  counts   prints the instruction counts beside the baseline

With STEP names only those steps run; `--list` prints them.";

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    let tree = match Tree::here() {
        Ok(tree) => tree,
        Err(why) => return complain(&why),
    };
    match command.as_str() {
        "test" => run("test", &tree, test::STEPS, &rest),
        "e2e" => run("e2e", &tree, e2e::STEPS, &rest),
        "soak" => run("soak", &tree, soak::STEPS, &rest),
        "bench" => run("bench", &tree, bench::STEPS, &rest),
        "bless" => run("bless", &tree, counts::BLESS, &rest),
        "counts" => run("counts", &tree, counts::PRINT, &rest),
        _ => complain(USAGE),
    }
}

fn run(tier: &str, tree: &Tree, steps: &[Step], names: &[String]) -> ExitCode {
    match step::run(tier, tree, steps, names) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => complain(&why),
    }
}

fn complain(why: &str) -> ExitCode {
    eprintln!("{why}");
    ExitCode::from(2)
}
