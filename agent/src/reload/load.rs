//! A manifest's text to what the process takes, or all that is wrong with it. Pure.

use crds::manifest::{self, Manifest};
use crds::validate::{ValidatedStream, Warning, validate};

/// A manifest that can be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    pub manifest: Manifest,
    pub stream: ValidatedStream,
    /// What is allowed and probably not meant.
    pub warnings: Vec<Warning>,
}

/// One thing that is wrong with a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The field's path, where a field is at fault.
    pub field: Option<String>,
    /// What was found, what is allowed, what to do.
    pub message: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{field}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// Parses and validates. What is wrong with the shape comes alone, rule violations come together.
pub fn load(text: &str) -> Result<Loaded, Vec<Fault>> {
    let manifest = manifest::parse(text).map_err(|error| {
        vec![Fault {
            field: None,
            message: error.to_string(),
        }]
    })?;
    match validate(&manifest) {
        Ok(valid) => Ok(Loaded {
            manifest,
            stream: valid.stream,
            warnings: valid.warnings,
        }),
        Err(problems) => Err(problems
            .iter()
            .map(|problem| Fault {
                field: Some(problem.field.clone()),
                message: problem.message.clone(),
            })
            .collect()),
    }
}
