//! The definition is the committed one, and each rule refuses what it says and nothing else.

use kube_cel::Validator;
use serde_json::{Value, json};

use super::{RULES, Rule, definition, yaml};
use crate::manifest::parse;
use crate::validate::validate;

/// A stream that every rule accepts.
fn accepted() -> Value {
    json!({
        "apiVersion": "standpipe.dev/v1alpha1",
        "kind": "DeliveryStream",
        "metadata": {"name": "orders"},
        "spec": {
            "source": {"type": "DirectPut", "directPut": {"limits": {}}},
            "destinations": [{
                "name": "lake",
                "type": "FileSystem",
                "fileSystem": {"directory": "/data"},
                "format": {"compression": {"type": "Gzip"}},
            }],
        },
    })
}

fn with(changes: &[(&str, Value)]) -> Value {
    let mut object = accepted();
    for (pointer, value) in changes {
        let mut at = &mut object;
        for step in pointer.split('/') {
            at = match at {
                Value::Array(items) => &mut items[step.parse::<usize>().unwrap()],
                _ => &mut at[step],
            };
        }
        *at = value.clone();
    }
    object
}

/// For each rule of [`RULES`], in its order: what it just accepts and what it just refuses.
fn examples() -> Vec<(Value, Value)> {
    let one =
        |pointer: &str, yes: Value, no: Value| (with(&[(pointer, yes)]), with(&[(pointer, no)]));
    let put = "spec/source/directPut";
    let limits = format!("{put}/limits");
    let lake = "spec/destinations/0";
    let bearer = json!({"secret": {"name": "producers", "key": "token"}});
    let mut no_member = accepted();
    let members = no_member["spec"]["destinations"][0].as_object_mut();
    members.unwrap().remove("fileSystem");
    vec![
        one(
            "metadata/name",
            json!("a".repeat(52)),
            json!("a".repeat(53)),
        ),
        one(
            "spec/objectives",
            json!({"freshnessSeconds": 360}),
            json!({"freshnessSeconds": 359}),
        ),
        one(
            &format!("{put}/auth"),
            json!({"type": "Bearer", "bearer": bearer}),
            json!({"type": "Bearer"}),
        ),
        one(
            &format!("{limits}/requestBytes"),
            json!("1Mi"),
            json!("1048575"),
        ),
        one(
            &format!("{limits}/requestBytes"),
            json!("64Mi"),
            json!("65Mi"),
        ),
        one(
            &format!("{limits}/bytesPerSecond"),
            json!("64Ki"),
            json!("63Ki"),
        ),
        one(
            "spec/wal",
            json!({"capacity": "256Mi"}),
            json!({"capacity": "255Mi"}),
        ),
        one(
            "spec/wal",
            json!({"capacity": "1Ti"}),
            json!({"capacity": "1025Gi"}),
        ),
        (accepted(), no_member),
        one(
            &format!("{lake}/fileSystem/prefix"),
            json!("a/!{firehose:random-string}/"),
            json!("a/!{firehose:error-output-type}/"),
        ),
        (
            with(&[(&format!("{lake}/format/compression/level"), json!(9))]),
            with(&[(
                &format!("{lake}/format/compression"),
                json!({"type": "None", "level": 9}),
            )]),
        ),
        one(
            &format!("{lake}/buffering"),
            json!({"size": "64Ki"}),
            json!({"size": "65535"}),
        ),
        one(
            &format!("{lake}/buffering"),
            json!({"size": "1Gi"}),
            json!({"size": "1025Mi"}),
        ),
        one(
            "spec/errorOutput",
            json!({"type": "FileSystem", "fileSystem": {"directory": "/bad"}}),
            json!({"type": "FileSystem"}),
        ),
        one(
            "spec/errorOutput",
            json!({"prefix": "bad/"}),
            json!({"prefix": "bad/!{timestamp:yyyy}/"}),
        ),
    ]
}

/// What the rules of the definition say of an object, with its defaults.
fn broken(object: &Value) -> Vec<String> {
    let definition = definition().unwrap();
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    match Validator::new().validate_with_defaults(schema, object, None) {
        Ok(()) => Vec::new(),
        Err(errors) => {
            let errors = errors.into_vec();
            errors.into_iter().map(|error| error.message).collect()
        }
    }
}

#[test]
fn each_rule_accepts_its_one_example_and_refuses_the_other() {
    let examples = examples();
    assert_eq!(examples.len(), RULES.len());
    for (Rule { cel, message, .. }, (yes, no)) in RULES.iter().zip(examples) {
        assert_eq!(broken(&yes), [""; 0], "{cel} refuses {yes}");
        assert_eq!(broken(&no), [*message], "{cel} on {no}");
    }
}

#[test]
fn validate_refuses_what_a_rule_refuses_and_accepts_what_it_accepts() {
    for (rule, (yes, no)) in RULES.iter().zip(examples()) {
        let yes = parse(&yes.to_string()).unwrap();
        assert_eq!(validate(&yes).err(), None, "{}", rule.cel);
        let no = parse(&no.to_string()).unwrap();
        assert!(validate(&no).is_err(), "{} isn't in validate", rule.cel);
    }
}

#[test]
fn the_committed_definition_is_what_the_types_say() {
    let committed = include_str!("../../../manifests/crds/deliverystreams.yaml");
    assert!(
        yaml().unwrap() == committed,
        "manifests/crds/deliverystreams.yaml is not what the types say: run `make generate`"
    );
}

/// Every schema below `at`, with its path.
fn walk<'a>(at: &'a Value, path: &str, seen: &mut Vec<(String, &'a Value)>) {
    seen.push((path.to_owned(), at));
    for (name, member) in at["properties"].as_object().into_iter().flatten() {
        walk(member, &format!("{path}.{name}"), seen);
    }
    if let Some(items) = at.get("items") {
        walk(items, &format!("{path}[]"), seen);
    }
}

#[test]
fn the_schema_is_structural_bounded_and_described() {
    let definition = definition().unwrap();
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let mut seen = Vec::new();
    walk(&schema["properties"]["spec"], "spec", &mut seen);
    assert!(seen.len() > 30, "{}", seen.len());
    for (path, node) in seen {
        assert!(node["type"].is_string(), "{path} has no type");
        let inner = path.ends_with("[]");
        let described = node["description"]
            .as_str()
            .is_some_and(|text| text.len() > 10);
        assert!(inner || described, "{path} has no description");
        for member in [
            "nullable",
            "format",
            "anyOf",
            "oneOf",
            "$ref",
            "additionalProperties",
        ] {
            assert_eq!(node.get(member), None, "{path} has {member}");
        }
        match node["type"].as_str().unwrap() {
            "integer" => assert!(
                node["minimum"].is_number() && node["maximum"].is_number(),
                "{path}"
            ),
            "string" => assert!(
                node["maxLength"].is_u64() || node["enum"].is_array(),
                "{path}"
            ),
            "array" => assert!(node["maxItems"].is_u64(), "{path}"),
            _ => {}
        }
    }
    assert!(yaml().unwrap().len() < 64 << 10);
}
