//! tieline
fn main() {}
