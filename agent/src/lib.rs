//! The data plane: takes records in, keeps them in the wal, delivers them once.

pub mod admin;
pub mod app;
pub mod args;
pub mod batch;
pub mod clock;
pub mod command;
pub mod delivery;
pub mod destination;
pub mod entropy;
pub mod executor;
pub mod format;
pub mod fs;
pub mod ingest;
pub mod metrics;
pub mod object;
pub mod partition;
pub mod pipeline;
pub mod processors;
pub mod record;
pub mod reload;
pub mod report;
pub mod runs;
pub mod shutdown;
pub mod supervise;
pub mod wal;
