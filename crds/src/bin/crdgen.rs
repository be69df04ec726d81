//! Prints the custom resource definition as YAML; `make generate` commits what it prints.

use std::io::{self, Write as _};
use std::process::ExitCode;

fn main() -> ExitCode {
    let written = crds::crd::yaml()
        .map_err(io::Error::other)
        .and_then(|text| io::stdout().lock().write_all(text.as_bytes()));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _told = writeln!(io::stderr(), "crdgen: {error}");
            ExitCode::FAILURE
        }
    }
}
