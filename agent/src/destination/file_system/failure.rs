//! Errors of the kernel as failures: whom they concern (D-15) and what to do.

use std::io;
use std::path::Path;

use rustix::io::Errno;

use super::{Failure, FailureClass};

pub(super) fn errno(error: &io::Error) -> Option<Errno> {
    error.raw_os_error().map(Errno::from_raw_os_error)
}

fn class(error: &io::Error) -> FailureClass {
    match errno(error) {
        Some(
            Errno::NOENT
            | Errno::NOTDIR
            | Errno::ACCESS
            | Errno::PERM
            | Errno::ROFS
            | Errno::XDEV
            | Errno::NAMETOOLONG,
        ) => FailureClass::Configuration,
        _ => FailureClass::Destination,
    }
}

fn advice(error: &io::Error) -> &'static str {
    match errno(error) {
        Some(Errno::NOENT) => "make the directory, or mount the volume that holds it",
        Some(Errno::NOTDIR) => "a part of this path is a file: name a directory",
        Some(Errno::ACCESS | Errno::PERM) => "give the user of this process the right to do so",
        Some(Errno::ROFS) => "it is mounted read-only: mount it writable or name another directory",
        Some(Errno::NAMETOOLONG) => "shorten the prefix or the directory",
        Some(Errno::NOSPC | Errno::DQUOT) => "make space there; it is tried again",
        _ => "it is tried again",
    }
}

/// `what` was tried on `path`: "can't make /out/a: …".
pub(super) fn failed(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure {
        class: class(error),
        message: format!(
            "can't {what} {}: {error}; {}",
            path.display(),
            advice(error)
        ),
    }
}

pub(super) fn configuration(message: String) -> Failure {
    Failure {
        class: FailureClass::Configuration,
        message,
    }
}

pub(super) fn destination(message: String) -> Failure {
    Failure {
        class: FailureClass::Destination,
        message,
    }
}
