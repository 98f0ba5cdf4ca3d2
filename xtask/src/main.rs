//! Development tasks: `cargo xtask links DIR`.
fn main() {}
