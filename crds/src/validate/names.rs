//! `metadata` and `streamName`; the forms of names that other sections use too.

use super::problems::Checker;
use crate::manifest::Manifest;

/// The stream's names.
pub(super) struct Names {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) stream_name: String,
}

/// Children of a stream get suffixes of up to 11 characters, and their names are labels too.
const MAX_NAME: usize = 52;

pub(super) fn check(checker: &mut Checker, manifest: &Manifest) -> Names {
    let metadata = &manifest.metadata;
    label(checker, "metadata.name", &metadata.name, MAX_NAME);
    label(checker, "metadata.namespace", &metadata.namespace, 63);
    let stream_name = manifest.spec.stream_name.as_ref();
    if let Some(name) = stream_name {
        let allowed = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
        if name.is_empty() || name.len() > 64 || !name.chars().all(allowed) {
            checker.refuse(
                "spec.streamName",
                format_args!(
                    "found {name:?}, allowed are 1 to 64 of a-z, A-Z, 0-9, '_', '.' and '-'"
                ),
            );
        }
    }
    Names {
        namespace: metadata.namespace.clone(),
        name: metadata.name.clone(),
        stream_name: stream_name.unwrap_or(&metadata.name).clone(),
    }
}

/// Whether a text is a DNS label of any length.
fn is_label(text: &str) -> bool {
    let inner = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    text.starts_with(inner)
        && text.ends_with(inner)
        && text.chars().all(|letter| inner(letter) || letter == '-')
}

/// Refuses what is no DNS label of at most `most` characters.
pub(super) fn label(checker: &mut Checker, field: &str, found: &str, most: usize) {
    if found.len() > most || !is_label(found) {
        checker.refuse(
            field,
            format_args!(
                "found {found:?}, allowed are 1 to {most} of a-z, 0-9 and '-', beginning and ending with a letter or digit"
            ),
        );
    }
}

/// Refuses what can't be the name of a Secret.
pub(super) fn secret_name(checker: &mut Checker, field: &str, found: &str) {
    if found.len() > 253 || !found.split('.').all(is_label) {
        checker.refuse(
            field,
            format_args!(
                "found {found:?}, allowed is the name of a Secret: at most 253 of a-z, 0-9, '-' and '.', each part beginning and ending with a letter or digit"
            ),
        );
    }
}

/// Refuses what can't be a key of a Secret; `.` and `..` would leave its directory.
pub(super) fn secret_key(checker: &mut Checker, field: &str, found: &str) {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let dots = found == "." || found.starts_with("..");
    if found.is_empty() || found.len() > 253 || dots || !found.chars().all(allowed) {
        checker.refuse(
            field,
            format_args!(
                "found {found:?}, allowed is a key of a Secret: 1 to 253 of a-z, A-Z, 0-9, '-', '_' and '.', not beginning with '..'"
            ),
        );
    }
}
