//! report
pub mod sampler;
