//! oxvs: one binary that acts by the name it is called by.
fn main() {}
