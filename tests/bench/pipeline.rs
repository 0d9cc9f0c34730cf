//! Benchmarks of the pipeline.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "measuring looks at the clock")]

fn main() {}
