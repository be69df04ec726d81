//! What becomes of a manifest that changed. Pure.

use crds::validate::ValidatedStream;

use super::fixed::refusals;
use super::load::{Fault, Loaded, load};
use crate::record::UnixMillis;
use crate::report::observed::Problem;

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It takes the place of the one in force.
    Apply(Box<Loaded>),
    /// The one in force stays.
    Keep { reason: Reason, faults: Vec<Fault> },
}

/// Why the manifest in force stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The file can't be read.
    ManifestUnreadable,
    /// It breaks rules.
    SpecInvalid,
    /// It changes what can't change while the process runs.
    SpecRefused,
}

/// `content` is the text of the file, or why it can't be read.
pub fn decide(in_force: &ValidatedStream, content: Result<&str, &str>) -> Decision {
    let keep = |reason, faults| Decision::Keep { reason, faults };
    let text = match content {
        Ok(text) => text,
        Err(why) => {
            let fault = Fault {
                field: None,
                message: why.to_owned(),
            };
            return keep(Reason::ManifestUnreadable, vec![fault]);
        }
    };
    match load(text) {
        Err(faults) => keep(Reason::SpecInvalid, faults),
        Ok(loaded) => {
            let faults = refusals(in_force, &loaded.stream);
            if faults.is_empty() {
                Decision::Apply(Box::new(loaded))
            } else {
                keep(Reason::SpecRefused, faults)
            }
        }
    }
}

/// The faults as `/report` tells them.
pub fn problems(reason: Reason, faults: &[Fault], since: UnixMillis) -> Vec<Problem> {
    let told = |fault: &Fault| Problem {
        reason: format!("{reason:?}"),
        field: fault.field.clone(),
        message: format!(
            "{}; the manifest that was in force before stays",
            fault.message
        ),
        since,
    };
    faults.iter().map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reload::tests::MANIFEST;

    fn decided(content: Result<&str, &str>) -> Decision {
        decide(&load(MANIFEST).unwrap().stream, content)
    }

    #[test]
    fn a_good_manifest_is_applied_the_one_in_force_included() {
        for text in [MANIFEST, &MANIFEST.replace("/out", "/elsewhere")] {
            let Decision::Apply(loaded) = decided(Ok(text)) else {
                panic!("{text}")
            };
            assert_eq!(*loaded, load(text).unwrap());
        }
    }

    #[test]
    fn a_bad_one_is_kept_out_with_the_reason() {
        let port = MANIFEST.replace("port: 8080", "port: 8090");
        let zero = MANIFEST.replace("port: 8080", "port: 0");
        for (content, wanted) in [
            (Err("gone"), Reason::ManifestUnreadable),
            (Ok("{"), Reason::SpecInvalid),
            (Ok(zero.as_str()), Reason::SpecInvalid),
            (Ok(port.as_str()), Reason::SpecRefused),
        ] {
            let Decision::Keep { reason, faults } = decided(content) else {
                panic!("{content:?}")
            };
            assert_eq!(reason, wanted, "{content:?}");
            assert_eq!(faults.len(), 1, "{faults:?}");
        }
    }

    #[test]
    fn a_problem_names_reason_field_and_what_stays() {
        let port = MANIFEST.replace("port: 8080", "port: 8090");
        let Decision::Keep { reason, faults } = decided(Ok(&port)) else {
            panic!()
        };
        let problems = problems(reason, &faults, UnixMillis(3));
        let [problem] = &problems[..] else {
            panic!("{problems:?}")
        };
        assert_eq!(problem.reason, "SpecRefused");
        assert_eq!(problem.field.as_deref(), Some("spec.source.directPut.port"));
        assert!(
            problem
                .message
                .ends_with("the manifest that was in force before stays")
        );
        assert_eq!(problem.since, UnixMillis(3));
    }
}
