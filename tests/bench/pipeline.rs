//! How fast `validate` is, as a whole and by stage, against the floor: reading and parsing the same files with the same
//! parser and doing nothing with them.
//!
//! `cargo bench` measures 10,000 connections; `cargo bench -- --quick` runs everything once on a few, `-- --sealing` measures
//! secrets files alone, `-- --deploying` those and plan and apply. Times are medians
//! of rounds in which every measure runs once. Nothing here fails because it is slow.

#![allow(clippy::print_stdout, reason = "a table is what it gives")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "measuring looks at the clock and runs programs"
)]

mod deploying;
mod process;
mod sealing;
mod stages;
mod watch;
mod workspace;

use std::time::Duration;

use stages::{EVENTS, FLOOR, Row, VALIDATE};

/// Threads of all that runs in parallel.
const THREADS: usize = 2;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let quick = arguments.iter().any(|a| a == "--quick" || a == "--test");
    let (connections, rounds) = if quick { (200, 2) } else { (10_000, 11) };
    rayon::ThreadPoolBuilder::new().num_threads(THREADS).build_global().expect("the threads start");
    println!("{connections} connections, {THREADS} threads, medians of {rounds} rounds");
    seals(if quick { 20 } else { 1_000 }, rounds);
    if arguments.iter().any(|a| a == "--sealing") {
        return;
    }
    deploys(connections, rounds);
    if arguments.iter().any(|a| a == "--deploying") {
        return;
    }
    for five in [false, true] {
        let folder = workspace::generate(connections, five);
        // Fills the caches.
        stages::measure(folder.path(), 1);
        table(if five { "five environments" } else { "one environment" }, &stages::measure(folder.path(), rounds));
        programs(&folder, connections, rounds);
    }
}

fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

fn processors(row: &Row) -> f64 {
    milliseconds(median(&row.times.iter().map(|t| t.processors).collect::<Vec<_>>()))
}

fn wall(row: &Row) -> Vec<Duration> {
    row.times.iter().map(|t| t.wall).collect()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn table(title: &str, rows: &[Row]) {
    let row = |name: &str| rows.iter().find(|r| r.name == name).expect("a row of this name");
    let of = |name: &str| milliseconds(median(&wall(row(name))));
    println!(
        "\n{title:<30} {:>10} {:>10} {:>11} {:>12} {:>7}",
        "median", "fastest", "processors", "documents/s", "floors"
    );
    for row in rows {
        let time = milliseconds(median(&wall(row)));
        let fastest = milliseconds(wall(row).into_iter().min().unwrap_or_default());
        let rate = row.count as f64 / time * 1000.0;
        let (spent, floors) = (processors(row), time / of(FLOOR));
        println!("{:<30} {time:>7.1} ms {fastest:>7.1} ms {spent:>8.1} ms {rate:>12.0} {floors:>7.2}", row.name);
    }
    let ratio = |other: &str| of(VALIDATE) / of(other);
    println!("validate takes {:.2} times the floor, {:.2} times reading and YAML events", ratio(FLOOR), ratio(EVENTS));
    let ratio = processors(row(VALIDATE)) / processors(row(FLOOR));
    println!("on the processors, {ratio:.2} times the floor");
}

/// Secrets files, beside bare age.
fn seals(files: usize, rounds: usize) {
    sealing::measure(files, 1);
    println!(
        "\n{:<30} {:>10} {:>10} {:>12} {:>7}",
        format!("{files} secrets files"),
        "median",
        "a file",
        "bare, a file",
        "ratio"
    );
    for row in sealing::measure(files, rounds) {
        let wall = |times: &[watch::Time]| milliseconds(median(&times.iter().map(|t| t.wall).collect::<Vec<_>>()));
        let (ours, bare) = (wall(&row.ours), wall(&row.bare));
        let each = |time: f64| time * 1000.0 / files as f64;
        println!("{:<30} {ours:>7.1} ms {:>7.1} µs {:>9.1} µs {:>7.2}", row.name, each(ours), each(bare), ours / bare);
    }
}

fn deploys(connections: usize, rounds: usize) {
    let folder = workspace::generate(connections, false);
    let measured = deploying::measure(folder.path(), rounds);
    let deploying::Deploying { rows, connections, sealed, written, manifest } = measured;
    println!(
        "\n{connections} connections deployed, {} changed: {sealed} sealed, {written} files more",
        deploying::CHANGED
    );
    let of = |name: &str| {
        let row = rows.iter().find(|row| row.name == name).expect("a row of this name");
        milliseconds(median(&row.times.iter().map(|time| time.wall).collect::<Vec<_>>()))
    };
    for row in &rows {
        println!("{:<36} {:>8.1} ms", row.name, of(row.name));
    }
    println!(
        "the manifest has {manifest} bytes; reading it takes {:.2} times plain JSON, writing {:.2} times",
        of(deploying::READ) / of(deploying::FLOOR),
        of(deploying::WRITE) / of(deploying::FLOOR_WRITE)
    );
}

fn programs(folder: &tempfile::TempDir, connections: usize, rounds: usize) {
    let single = workspace::generate(1, false);
    let mut times = [const { Vec::new() }; 4];
    for _ in 0..rounds * 2 {
        times[0].push(process::nothing());
        times[1].push(process::version());
        times[2].push(process::validate(single.path()));
    }
    for _ in 0..rounds {
        times[3].push(process::validate(folder.path()));
    }
    let names = ["a process that does nothing", "tieline --version", "tieline validate, 1 connection"];
    for (name, times) in names.into_iter().zip(&times) {
        println!("{name:<32} {:>7.1} ms", milliseconds(median(times)));
    }
    let peaks: Vec<u64> = (0..3).filter_map(|_| process::peak(folder.path())).collect();
    let peak = peaks.iter().max().map_or_else(|| "unknown".into(), |kib| format!("{:.0} MiB", *kib as f64 / 1024.0));
    let name = format!("tieline validate, {connections}");
    println!("{name:<32} {:>7.1} ms, at most {peak}", milliseconds(median(&times[3])));
}
