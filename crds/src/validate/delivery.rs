//! `spec.destinations[]` and `spec.processors`.

use super::data_path::{
    DataPath, DataPathParts, DataPlace, ObjectCompression, PlaceType, ProcessorStep, RecordFormat,
};
use super::problems::Checker;
use super::stream::{ValidatedBuffering, ValidatedDelivery};
use super::{error_output, names};
use crate::prefix::{Template, TimeZone};
use crate::v1alpha1::{
    Buffering, Compression, CompressionType, DeliveryStreamSpec, Destination, DestinationType,
    FileSystem, FormatType, ProcessorType,
};

pub(super) fn check(
    checker: &mut Checker,
    spec: &DeliveryStreamSpec,
    stream_name: &str,
) -> Option<ValidatedDelivery> {
    let count = spec.destinations.len();
    if count != 1 {
        checker.refuse(
            "spec.destinations",
            format_args!("found {count} destinations, this version takes exactly 1"),
        );
    }
    let processors = processors(checker, spec);
    let mut read = None;
    for (index, destination) in spec.destinations.iter().enumerate() {
        let field = format!("spec.destinations[{index}]");
        names::label(checker, &format!("{field}.name"), &destination.name, 63);
        let compression = compression(checker, &field, &destination.format.compression);
        let place = place(checker, &field, destination, compression);
        let buffering = buffering(checker, &field, &destination.buffering);
        let concurrency = checker.number(
            format!("{field}.concurrency"),
            destination.concurrency,
            1..=64,
        );
        read = Some((destination, compression, place, buffering, concurrency));
    }
    let place = read.as_ref().and_then(|(_, _, place, _, _)| place.as_ref());
    let error_output = error_output::check(checker, &spec.error_output, place);
    let (destination, compression, place, buffering, concurrency) = read?;
    Some(ValidatedDelivery {
        name: destination.name.clone(),
        data_path: DataPath::new(DataPathParts {
            stream_name: stream_name.to_owned(),
            processors,
            format: match destination.format.kind {
                FormatType::Raw => RecordFormat::Raw,
                FormatType::NdJson => RecordFormat::NdJson,
            },
            compression: compression?,
            destination: place?,
            error_output: error_output?,
        }),
        buffering: buffering?,
        concurrency: concurrency?,
    })
}

fn processors(checker: &mut Checker, spec: &DeliveryStreamSpec) -> Vec<ProcessorStep> {
    let count = spec.processors.len();
    if count > 1 {
        checker.refuse(
            "spec.processors",
            format_args!(
                "found {count} processors, allowed is AppendDelimiter once; take out the others"
            ),
        );
    }
    let steps = spec
        .processors
        .iter()
        .map(|processor| match processor.kind {
            ProcessorType::AppendDelimiter => ProcessorStep::AppendDelimiter,
        });
    steps.collect()
}

fn compression(
    checker: &mut Checker,
    field: &str,
    found: &Compression,
) -> Option<ObjectCompression> {
    const DEFAULT_LEVEL: u8 = 6;
    let field = format!("{field}.format.compression.level");
    match (found.kind, found.level) {
        (CompressionType::None, None) => Some(ObjectCompression::None),
        (CompressionType::None, Some(_)) => {
            checker.refuse(
                field,
                "found with type None, allowed only with type Gzip; set type: Gzip or take it out",
            );
            None
        }
        (CompressionType::Gzip, None) => Some(ObjectCompression::Gzip {
            level: DEFAULT_LEVEL,
        }),
        (CompressionType::Gzip, Some(level)) => {
            let level = checker.number(field, level, 1..=9)?;
            Some(ObjectCompression::Gzip { level })
        }
    }
}

fn place(
    checker: &mut Checker,
    field: &str,
    destination: &Destination,
    compression: Option<ObjectCompression>,
) -> Option<DataPlace> {
    let DestinationType::FileSystem = destination.kind;
    let field = format!("{field}.fileSystem");
    let Some(found) = &destination.file_system else {
        checker.refuse(
            field,
            "not found, required with type FileSystem; give at least its directory",
        );
        return None;
    };
    let root = directory(checker, &field, &found.directory);
    let prefix = match Template::parse_data(&found.prefix) {
        Ok(template) => {
            if template.has_week_year_alone() {
                checker.warn(
                    format!("{field}.prefix"),
                    "Y is the year of the ISO week, which differs from the calendar's around New Year; write yyyy unless that is meant",
                );
            }
            Some(template.as_str().to_owned())
        }
        Err(error) => {
            checker.refuse(
                format!("{field}.prefix"),
                format_args!("found {:?}: {error}", found.prefix),
            );
            None
        }
    };
    let file_extension = extension(checker, &field, found, compression);
    let time_zone = match TimeZone::parse(&found.time_zone) {
        Ok(zone) => Some(zone.name().to_owned()),
        Err(error) => {
            checker.refuse(
                format!("{field}.timeZone"),
                format_args!("found {:?}: {error}", found.time_zone),
            );
            None
        }
    };
    Some(DataPlace {
        kind: PlaceType::FileSystem,
        root: root?,
        prefix: prefix?,
        file_extension: file_extension?,
        time_zone: time_zone?,
    })
}

/// A directory as a path of the operating system.
pub(super) fn directory(checker: &mut Checker, field: &str, found: &str) -> Option<String> {
    let length = found.chars().count();
    if found.is_empty() || length > 1024 || found.chars().any(char::is_control) {
        checker.refuse(
            format!("{field}.directory"),
            format_args!(
                "found {found:?}, allowed is a path of 1 to 1024 characters without control characters"
            ),
        );
        return None;
    }
    Some(found.to_owned())
}

fn extension(
    checker: &mut Checker,
    field: &str,
    found: &FileSystem,
    compression: Option<ObjectCompression>,
) -> Option<String> {
    let Some(text) = &found.file_extension else {
        return Some(match compression? {
            ObjectCompression::None => String::new(),
            ObjectCompression::Gzip { .. } => ".gz".to_owned(),
        });
    };
    let allowed = |letter: char| {
        letter.is_ascii_lowercase() || letter.is_ascii_digit() || "!-_.*'()".contains(letter)
    };
    let rest = text.strip_prefix('.');
    let is_form =
        text.is_empty() || rest.is_some_and(|rest| !rest.is_empty() && rest.chars().all(allowed));
    if !is_form || text.len() > 128 {
        checker.refuse(
            format!("{field}.fileExtension"),
            format_args!(
                "found {text:?}, allowed is a '.' followed by lower-case letters, digits and !-_.*'(), at most 128 characters, or nothing"
            ),
        );
        return None;
    }
    Some(text.clone())
}

fn buffering(checker: &mut Checker, field: &str, found: &Buffering) -> Option<ValidatedBuffering> {
    let size_bytes = checker.size(
        format!("{field}.buffering.size"),
        &found.size,
        64 << 10..=1 << 30,
    );
    let interval_seconds = checker.number(
        format!("{field}.buffering.intervalSeconds"),
        found.interval_seconds,
        0..=900,
    );
    Some(ValidatedBuffering {
        size_bytes: size_bytes?,
        interval_seconds: interval_seconds?,
    })
}
