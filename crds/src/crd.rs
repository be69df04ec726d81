//! The custom resource definition: the schema of the types, made structural, and the CEL rules that
//! need more than one field. An API server refuses by it what it can; [`crate::validate`] refuses the
//! same and more (prefixes, time zones), wherever the manifest comes from.

#[cfg(test)]
mod tests;

use kube::CustomResourceExt as _;
use serde_json::{Map, Value, json};

use crate::v1alpha1::DeliveryStream;

/// A rule of the schema.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Where it stands: members from the object's root, `[]` for the items of a list.
    pub at: &'static str,
    /// The CEL expression over `self`.
    pub cel: &'static str,
    /// What is said when it doesn't hold.
    pub message: &'static str,
}

/// Every CEL rule.
pub const RULES: [Rule; 15] = [
    Rule {
        at: "",
        cel: "self.metadata.name.size() <= 52 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
        message: "metadata.name must be 1 to 52 of a-z, 0-9 and '-', beginning and ending with a letter or digit",
    },
    Rule {
        at: "spec",
        cel: "!has(self.objectives) || !has(self.objectives.freshnessSeconds) || self.destinations.all(d, self.objectives.freshnessSeconds >= d.buffering.intervalSeconds + 60)",
        message: "objectives.freshnessSeconds must be at least 60 more than buffering.intervalSeconds",
    },
    Rule {
        at: "spec.source.directPut.auth",
        cel: "self.type == 'Bearer' ? has(self.bearer) : !has(self.bearer)",
        message: "bearer is required with type Bearer and allowed only there",
    },
    Rule {
        at: "spec.source.directPut.limits",
        cel: "quantity(self.requestBytes).compareTo(quantity('1Mi')) >= 0",
        message: "requestBytes must be at least 1Mi",
    },
    Rule {
        at: "spec.source.directPut.limits",
        cel: "quantity(self.requestBytes).compareTo(quantity('64Mi')) <= 0",
        message: "requestBytes must be at most 64Mi",
    },
    Rule {
        at: "spec.source.directPut.limits",
        cel: "!has(self.bytesPerSecond) || quantity(self.bytesPerSecond).compareTo(quantity('64Ki')) >= 0 && quantity(self.bytesPerSecond).compareTo(quantity('64Gi')) <= 0",
        message: "bytesPerSecond must be 64Ki to 64Gi",
    },
    Rule {
        at: "spec.wal",
        cel: "quantity(self.capacity).compareTo(quantity('256Mi')) >= 0",
        message: "capacity must be at least 256Mi",
    },
    Rule {
        at: "spec.wal",
        cel: "quantity(self.capacity).compareTo(quantity('1Ti')) <= 0",
        message: "capacity must be at most 1Ti",
    },
    Rule {
        at: "spec.destinations[]",
        cel: "self.type != 'FileSystem' || has(self.fileSystem)",
        message: "fileSystem is required with type FileSystem",
    },
    Rule {
        at: "spec.destinations[].fileSystem",
        cel: "!self.prefix.contains('!{firehose:error-output-type}')",
        message: "!{firehose:error-output-type} stands only in an error output's prefix",
    },
    Rule {
        at: "spec.destinations[].format.compression",
        cel: "self.type == 'Gzip' || !has(self.level)",
        message: "level is allowed only with type Gzip",
    },
    Rule {
        at: "spec.destinations[].buffering",
        cel: "quantity(self.size).compareTo(quantity('64Ki')) >= 0",
        message: "size must be at least 64Ki",
    },
    Rule {
        at: "spec.destinations[].buffering",
        cel: "quantity(self.size).compareTo(quantity('1Gi')) <= 0",
        message: "size must be at most 1Gi",
    },
    Rule {
        at: "spec.errorOutput",
        cel: "has(self.type) == has(self.fileSystem)",
        message: "type and fileSystem stand together or not at all",
    },
    Rule {
        at: "spec.errorOutput",
        cel: "!self.prefix.contains('!{') || self.prefix.contains('!{firehose:error-output-type}')",
        message: "a prefix with expressions has to contain !{firehose:error-output-type}",
    },
];

/// Why the types make no definition.
#[derive(Debug, thiserror::Error)]
pub enum CrdError {
    #[error("the definition can't be written: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the definition can't be written: {0}")]
    Yaml(#[from] serde_yaml::Error),
    #[error("the rule {rule:?} stands at {at:?}, which the schema doesn't have")]
    Place {
        at: &'static str,
        rule: &'static str,
    },
}

/// The definition as YAML, as it is committed.
pub fn yaml() -> Result<String, CrdError> {
    let head = "# Generated from crds/src/v1alpha1.rs by `make generate`.\n";
    Ok(format!("{head}{}", serde_yaml::to_string(&definition()?)?))
}

/// The definition as a value.
pub fn definition() -> Result<Value, CrdError> {
    let mut definition = serde_json::to_value(DeliveryStream::crd())?;
    let schema = definition.pointer_mut("/spec/versions/0/schema/openAPIV3Schema");
    if let Some(schema) = schema {
        make_structural(schema);
        for rule in &RULES {
            add(schema, rule)?;
        }
    }
    Ok(definition)
}

/// Takes out what an API server refuses or prunes by itself (`additionalProperties: false`), and
/// what says less than our own bounds (`nullable`, `format`).
fn make_structural(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            // properties may have these names too; their values are schemas
            if members.get("nullable").is_some_and(Value::is_boolean) {
                members.remove("nullable");
            }
            if members.get("format").is_some_and(Value::is_string) {
                members.remove("format");
            }
            if members.get("additionalProperties") == Some(&Value::Bool(false)) {
                members.remove("additionalProperties");
            }
            if let Some(Value::Array(allowed)) = members.get_mut("enum") {
                allowed.retain(|value| !value.is_null());
            }
            for bound in ["minimum", "maximum"] {
                make_whole(members.get_mut(bound));
            }
            unwrap_description(members);
            members.values_mut().for_each(make_structural);
        }
        Value::Array(items) => items.iter_mut().for_each(make_structural),
        _ => {}
    }
}

/// Bounds of integers are integers.
#[expect(
    clippy::cast_possible_truncation,
    reason = "bounds are i32 in the types"
)]
fn make_whole(bound: Option<&mut Value>) {
    if let Some(bound) = bound
        && let Some(number) = bound.as_f64()
    {
        *bound = Value::from(number as i64);
    }
}

/// A doc comment's lines are one paragraph.
fn unwrap_description(members: &mut Map<String, Value>) {
    if let Some(Value::String(text)) = members.get_mut("description") {
        *text = text.replace('\n', " ");
    }
}

fn add(schema: &mut Value, rule: &Rule) -> Result<(), CrdError> {
    let place = rule.at.replace("[]", ".[]");
    let steps = place.split('.').filter(|step| !step.is_empty());
    let missing = || CrdError::Place {
        at: rule.at,
        rule: rule.cel,
    };
    let mut at = schema;
    for step in steps {
        let next = match step {
            "[]" => at.get_mut("items"),
            _ => at.get_mut("properties").and_then(|all| all.get_mut(step)),
        };
        at = next.ok_or_else(missing)?;
    }
    let members = at.as_object_mut().ok_or_else(missing)?;
    let rules = members
        .entry("x-kubernetes-validations")
        .or_insert_with(|| json!([]));
    let rules = rules.as_array_mut().ok_or_else(missing)?;
    rules.push(json!({"rule": rule.cel, "message": rule.message}));
    Ok(())
}
