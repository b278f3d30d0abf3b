//! `icount NAME N` does one operation N times, for callgrind to count; without arguments it lists the names.

use std::env;
use std::process::ExitCode;

use egress_benches::operations;

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let (Some(name), Some(times)) = (arguments.next(), arguments.next()) else {
        operations().for_each(|operation| println!("{}", operation.name));
        return ExitCode::SUCCESS;
    };
    let operation = operations().find(|operation| operation.name == name);
    let (Some(operation), Ok(times)) = (operation, times.parse::<u64>()) else {
        eprintln!("usage: icount [NAME N]");
        return ExitCode::FAILURE;
    };
    let mut run = (operation.prepare)();
    for _ in 0..times {
        run();
    }
    ExitCode::SUCCESS
}
