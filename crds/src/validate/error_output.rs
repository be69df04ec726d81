//! `spec.errorOutput`.

use super::data_path::{DataPlace, ErrorPlace, PlaceType};
use super::delivery::directory;
use super::problems::Checker;
use crate::prefix::{Namespace, Template};
use crate::v1alpha1::{DestinationType, ErrorOutput};

/// `destination` is where errors go by default; none where it has a problem of its own.
pub(super) fn check(
    checker: &mut Checker,
    found: &ErrorOutput,
    destination: Option<&DataPlace>,
) -> Option<ErrorPlace> {
    let field = "spec.errorOutput";
    let place = match (found.kind, &found.file_system) {
        (None, None) => destination.map(|place| (place.kind, place.root.clone())),
        (Some(DestinationType::FileSystem), Some(place)) => {
            directory(checker, &format!("{field}.fileSystem"), &place.directory)
                .map(|root| (PlaceType::FileSystem, root))
        }
        (Some(DestinationType::FileSystem), None) => {
            checker.refuse(
                format!("{field}.fileSystem"),
                "not found, required with type FileSystem; give its directory, or take out the type to use the destination's",
            );
            None
        }
        (None, Some(_)) => {
            checker.refuse(
                format!("{field}.fileSystem"),
                "found without a type, allowed only with type FileSystem; add type: FileSystem",
            );
            None
        }
    };
    let prefix = match Template::parse(&found.prefix, Namespace::Error) {
        Ok(template) => Some(template.as_str().to_owned()),
        Err(error) => {
            checker.refuse(
                format!("{field}.prefix"),
                format_args!("found {:?}: {error}", found.prefix),
            );
            None
        }
    };
    let (kind, root) = place?;
    Some(ErrorPlace {
        kind,
        root,
        prefix: prefix?,
    })
}
