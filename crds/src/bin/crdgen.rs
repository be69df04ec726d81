//! Prints the custom resource definition.
fn main() {}
