//! `check`: whether a manifest can be taken; every problem, or the values in effect.

use std::fmt::Write as _;

use crds::quantity::display;
use crds::validate::{ObjectCompression, ValidatedAuth, ValidatedDelivery, ValidatedStream};

use crate::app::ending::Ending;
use crate::args::CheckArgs;
use crate::reload::{self, Loaded};

pub(super) fn check(args: &CheckArgs) -> Ending {
    let path = args.manifest.display().to_string();
    match reload::read(&args.manifest) {
        Err(why) => {
            super::complain(&format!("{why}\n"));
            Ending::Usage
        }
        Ok(text) => match reload::load(&text) {
            Ok(loaded) => {
                super::print(&accepted(&path, &loaded));
                Ending::Done
            }
            Err(faults) => {
                super::complain(&super::refused(&path, &faults));
                Ending::Usage
            }
        },
    }
}

fn accepted(path: &str, loaded: &Loaded) -> String {
    let mut text = format!("{path}: ok\n");
    for warning in &loaded.warnings {
        let _infallible = writeln!(text, "  warning: {warning}");
    }
    text.push_str("in effect, defaults included:\n");
    for (field, value) in effective(&loaded.stream) {
        let _infallible = writeln!(text, "  {field}: {value}");
    }
    text
}

/// Every value by the path that it has, or would have, in the manifest.
fn effective(stream: &ValidatedStream) -> Vec<(String, String)> {
    let limits = &stream.source.limits;
    let mut values = vec![
        ("metadata.name".to_owned(), stream.name.clone()),
        ("metadata.namespace".to_owned(), stream.namespace.clone()),
        (
            "spec.desiredState".to_owned(),
            format!("{:?}", stream.desired_state),
        ),
        ("spec.streamName".to_owned(), stream.stream_name.clone()),
    ];
    let mut put = |field: &str, value: String| values.push((format!("spec.{field}"), value));
    put("source.directPut.port", stream.source.port.to_string());
    match &stream.source.auth {
        ValidatedAuth::None => put("source.directPut.auth.type", "None".to_owned()),
        ValidatedAuth::Bearer {
            secret_name,
            secret_key,
        } => {
            put("source.directPut.auth.type", "Bearer".to_owned());
            put(
                "source.directPut.auth.bearer.secret.name",
                secret_name.clone(),
            );
            put(
                "source.directPut.auth.bearer.secret.key",
                secret_key.clone(),
            );
        }
    }
    put(
        "source.directPut.limits.requestBytes",
        display(limits.request_bytes),
    );
    put(
        "source.directPut.limits.connections",
        limits.connections.to_string(),
    );
    let per_second = limits
        .bytes_per_second
        .map_or_else(|| "no limit".to_owned(), display);
    put("source.directPut.limits.bytesPerSecond", per_second);
    put("wal.ack", format!("{:?}", stream.wal.ack));
    put("wal.capacity", display(stream.wal.capacity_bytes));
    for (index, delivery) in stream.deliveries.iter().enumerate() {
        for (field, value) in delivery_values(delivery) {
            put(&format!("destinations[{index}].{field}"), value);
        }
        let path = &delivery.data_path;
        for (step, processor) in path.processors.iter().enumerate() {
            put(
                &format!("processors[{step}].type"),
                format!("{processor:?}"),
            );
        }
        put("errorOutput.type", format!("{:?}", path.error_output.kind));
        put(
            "errorOutput.fileSystem.directory",
            path.error_output.root.clone(),
        );
        put("errorOutput.prefix", path.error_output.prefix.clone());
    }
    let objective = stream.objectives.freshness_seconds;
    let objective = objective.map_or_else(|| "no objective".to_owned(), |s| s.to_string());
    put("objectives.freshnessSeconds", objective);
    values
}

fn delivery_values(delivery: &ValidatedDelivery) -> Vec<(&'static str, String)> {
    let (path, place) = (&delivery.data_path, &delivery.data_path.destination);
    let mut values = vec![
        ("name", delivery.name.clone()),
        ("type", format!("{:?}", place.kind)),
        ("fileSystem.directory", place.root.clone()),
        ("fileSystem.prefix", place.prefix.clone()),
        ("fileSystem.fileExtension", place.file_extension.clone()),
        ("fileSystem.timeZone", place.time_zone.clone()),
        ("format.type", format!("{:?}", path.format)),
    ];
    match path.compression {
        ObjectCompression::None => values.push(("format.compression.type", "None".to_owned())),
        ObjectCompression::Gzip { level } => {
            values.push(("format.compression.type", "Gzip".to_owned()));
            values.push(("format.compression.level", level.to_string()));
        }
    }
    values.push(("buffering.size", display(delivery.buffering.size_bytes)));
    values.push((
        "buffering.intervalSeconds",
        delivery.buffering.interval_seconds.to_string(),
    ));
    values.push(("concurrency", delivery.concurrency.to_string()));
    values
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::reload::load;
    use crate::reload::tests::MANIFEST;

    #[test]
    fn the_values_in_effect_are_the_golden_ones() {
        let text = accepted("stream.yaml", &load(MANIFEST).unwrap());
        assert_eq!(text, include_str!("check/effective.txt"), "\n{text}");
    }

    #[test]
    fn the_exit_code_says_whether_it_can_be_taken() {
        let directory = tempfile::tempdir().unwrap();
        let manifest: PathBuf = directory.path().join("stream.yaml");
        let args = CheckArgs {
            manifest: manifest.clone(),
        };
        assert_eq!(check(&args), Ending::Usage, "no file");
        std::fs::write(&manifest, MANIFEST.replace("port: 8080", "port: 0")).unwrap();
        assert_eq!(check(&args), Ending::Usage, "a broken rule");
        std::fs::write(&manifest, MANIFEST).unwrap();
        assert_eq!(check(&args), Ending::Done);
    }
}
