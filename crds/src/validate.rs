//! A manifest to a [`ValidatedStream`], or every rule that it breaks, at once, with its field path.
//! Pure. One file a section; each takes its part of the spec and gives its part of the result.

mod data_path;
mod delivery;
mod error_output;
mod names;
mod objectives;
mod problems;
mod source;
mod stream;
#[cfg(test)]
mod tests;
mod wal;

pub use data_path::{
    DataPath, DataPathError, DataPathParts, DataPlace, ErrorPlace, FORMAT_NUMBER,
    ObjectCompression, PlaceType, ProcessorStep, RecordFormat, Templates,
};
use problems::Checker;
pub use problems::{Problem, Problems, Warning};
pub use stream::{
    Ack, DesiredState, ValidatedAuth, ValidatedBuffering, ValidatedDelivery, ValidatedLimits,
    ValidatedObjectives, ValidatedSource, ValidatedStream, ValidatedWal,
};

use crate::manifest::Manifest;

/// A manifest that breaks no rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validated {
    pub stream: ValidatedStream,
    /// What is allowed and probably not meant.
    pub warnings: Vec<Warning>,
}

/// Checks every rule and sets every default.
pub fn validate(manifest: &Manifest) -> Result<Validated, Problems> {
    let mut checker = Checker::default();
    let spec = &manifest.spec;
    let names = names::check(&mut checker, manifest);
    let source = source::check(&mut checker, &spec.source);
    let wal = wal::check(&mut checker, &spec.wal);
    let delivery = delivery::check(&mut checker, spec, &names.stream_name);
    let objectives = objectives::check(&mut checker, spec);
    let warnings = checker.finish()?;
    // a section gives nothing only where it told a problem
    let (Some(source), Some(wal), Some(delivery)) = (source, wal, delivery) else {
        return Err(Problems::internal());
    };
    Ok(Validated {
        stream: ValidatedStream {
            namespace: names.namespace,
            name: names.name,
            stream_name: names.stream_name,
            desired_state: spec.desired_state,
            source,
            wal,
            deliveries: vec![delivery],
            objectives,
        },
        warnings,
    })
}
