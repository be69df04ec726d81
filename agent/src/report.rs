//! report
pub mod observed;
pub mod sampler;
