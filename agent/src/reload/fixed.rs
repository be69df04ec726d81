//! What a running process can't change: who the stream is, where producers find it, and which
//! cursors it has. A manifest that changes any of it is refused whole.

use crds::validate::{ValidatedAuth, ValidatedStream};

use super::load::Fault;

/// Every field that `new` may not have changed. Pure.
pub fn refusals(old: &ValidatedStream, new: &ValidatedStream) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut same = |field: &str, old: &str, new: &str| {
        if old != new {
            faults.push(Fault {
                field: Some(field.to_owned()),
                message: format!(
                    "found {new:?}, in force is {old:?}: it can't change while the process runs; \
                     restart it, or write the old value again"
                ),
            });
        }
    };
    same("metadata.namespace", &old.namespace, &new.namespace);
    same("metadata.name", &old.name, &new.name);
    same("spec.streamName", &old.stream_name, &new.stream_name);
    same(
        "spec.source.directPut.port",
        &old.source.port.to_string(),
        &new.source.port.to_string(),
    );
    same(
        "spec.source.directPut.auth.type",
        auth_type(&old.source.auth),
        auth_type(&new.source.auth),
    );
    same(
        "spec.destinations",
        &format!("{} destinations", old.deliveries.len()),
        &format!("{} destinations", new.deliveries.len()),
    );
    for (index, (old, new)) in old.deliveries.iter().zip(&new.deliveries).enumerate() {
        let kind = |kind| format!("{kind:?}");
        same(
            &format!("spec.destinations[{index}].name"),
            &old.name,
            &new.name,
        );
        same(
            &format!("spec.destinations[{index}].type"),
            &kind(old.data_path.destination.kind),
            &kind(new.data_path.destination.kind),
        );
    }
    faults
}

fn auth_type(auth: &ValidatedAuth) -> &'static str {
    match auth {
        ValidatedAuth::None => "None",
        ValidatedAuth::Bearer { .. } => "Bearer",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reload::load::load;
    use crate::reload::tests::MANIFEST;

    /// The manifest after an edit of its text, which must be one.
    fn edited(from: &str, to: &str) -> ValidatedStream {
        assert_eq!(MANIFEST.matches(from).count(), 1, "{from}");
        load(&MANIFEST.replace(from, to)).unwrap().stream
    }

    #[test]
    fn what_a_process_stands_on_is_refused_with_its_field() {
        let old = load(MANIFEST).unwrap().stream;
        for (from, to, field, found) in [
            (
                "name: flights\n",
                "name: trains\n",
                "metadata.name",
                "trains",
            ),
            (
                "namespace: air",
                "namespace: rail",
                "metadata.namespace",
                "rail",
            ),
            (
                "streamName: raw",
                "streamName: cooked",
                "spec.streamName",
                "cooked",
            ),
            (
                "port: 8080",
                "port: 8090",
                "spec.source.directPut.port",
                "8090",
            ),
            (
                "auth: {type: None}",
                "auth: {type: Bearer, bearer: {secret: {name: a, key: b}}}",
                "spec.source.directPut.auth.type",
                "Bearer",
            ),
            (
                "name: files",
                "name: lake",
                "spec.destinations[0].name",
                "lake",
            ),
        ] {
            let faults = refusals(&old, &edited(from, to));
            let [fault] = &faults[..] else {
                panic!("{to}: {faults:?}")
            };
            assert_eq!(fault.field.as_deref(), Some(field));
            assert!(fault.message.contains(found), "{fault}");
        }
    }

    #[test]
    fn everything_else_may_change() {
        let old = load(MANIFEST).unwrap().stream;
        for (from, to) in [
            ("directory: /out", "directory: /elsewhere"),
            ("intervalSeconds: 5", "intervalSeconds: 9"),
            ("capacity: 1Gi", "capacity: 2Gi"),
            ("desiredState: Running", "desiredState: Paused"),
        ] {
            let new = edited(from, to);
            assert_ne!(old, new, "{to}");
            assert_eq!(refusals(&old, &new), []);
        }
    }

    #[test]
    fn all_refusals_come_together() {
        let old = load(MANIFEST).unwrap().stream;
        let mut new = old.clone();
        new.source.port = 1;
        new.stream_name = "x".to_owned();
        let fields: Vec<_> = refusals(&old, &new).into_iter().map(|f| f.field).collect();
        assert_eq!(
            fields,
            [
                Some("spec.streamName".to_owned()),
                Some("spec.source.directPut.port".to_owned())
            ]
        );
    }
}
