//! The rows of `answers` as ratios, for a machine that does other things too: all rows take short turns, in
//! rounds; of each round the shortest turn counts, and of all rounds the median.
//!
//! `SIZES="hot 100k"` and `ROUNDS=7` as they say. Exit code 1 if a promise is broken.

mod rows;

use core::hint::black_box;
use std::env;
use std::process::ExitCode;
use std::time::Instant;

use egress_benches::answers::Shape;

/// A turn is shorter than what a busy machine takes away at once, and long enough for the clock.
const TURN: usize = 2_000;
const TURNS: usize = 40;

/// Of the floor, of moka, of decoding and encoding: at most so much.
const MOST: [(&str, f64); 3] = [("floor", 1.5), ("moka", 0.35), ("hickory", 0.05)];

fn main() -> ExitCode {
    let rounds = env::var("ROUNDS").ok();
    let rounds = rounds.map_or(7, |number| number.parse().expect("a number"));
    let mut broken = 0;
    for (size, names) in rows::sizes() {
        for shape in Shape::ALL {
            broken += of_shape(shape, size, names, rounds);
        }
    }
    ExitCode::from(u8::from(broken > 0))
}

/// Prints the ratios; gives how many promises they break.
fn of_shape(shape: Shape, size: &str, names: u32, rounds: usize) -> usize {
    let (mut rows, queries) = rows::rows(shape, size, names);
    let mut times = vec![Vec::new(); rows.len()];
    let mut query = queries.iter().cycle();
    for _ in 0..rounds {
        let mut shortest = vec![f64::INFINITY; rows.len()];
        for _ in 0..TURNS {
            for (row, shortest) in rows.iter_mut().zip(&mut shortest) {
                #[expect(clippy::disallowed_methods, reason = "to measure is to read a clock")]
                let start = Instant::now();
                for query in query.by_ref().take(TURN) {
                    (row.1)(black_box(query));
                }
                let each = start.elapsed().as_nanos() as f64 / TURN as f64;
                *shortest = shortest.min(each);
            }
        }
        for (times, shortest) in times.iter_mut().zip(shortest) {
            times.push(shortest);
        }
    }
    let mut broken = 0;
    let mut of_floor = 0.0;
    print!("{shape:?} {size}: {:.1} ns", median(&mut times[0].clone()));
    for ((name, _), other) in rows.iter().zip(&times).skip(1) {
        let mut ratios: Vec<f64> = times[0].iter().zip(other).map(|(a, b)| a / b).collect();
        let ratio = median(&mut ratios);
        print!(
            "; {ratio:.3} of {name} ({:.3} to {:.3})",
            ratios[0],
            ratios[ratios.len() - 1]
        );
        if *name == "floor" {
            of_floor = ratio;
        }
        let promise = MOST.iter().find(|(of, _)| of == name);
        let promise = promise.filter(|_| size == "hot" || *name == "floor");
        let Some((_, most)) = promise.filter(|(_, most)| ratio > *most) else {
            continue;
        };
        // A short message is decoded and encoded in less than twenty times what the floor takes.
        if *name != "floor" && ratio / of_floor > *most {
            print!(" (the floor: {:.3})", ratio / of_floor);
            continue;
        }
        broken += 1;
        print!(" BROKEN");
    }
    println!();
    broken
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
