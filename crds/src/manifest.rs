//! The file that a person writes: one `DeliveryStream` in YAML or JSON, with or without Kubernetes.
//!
//! [`parse`] says the first thing that is wrong with the shape, with its path, line and column;
//! [`crate::validate`] says all that is wrong with the values. What isn't known is refused, but for
//! `status` and the members that an API server puts into `metadata`.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::v1alpha1::{API_VERSION, DeliveryStreamSpec, KIND};

/// Bytes of a manifest at most; an API server takes no more either.
pub const MAX_BYTES: usize = 1 << 20;

/// One `DeliveryStream` as it was written, with the schema's defaults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    pub api_version: String,
    pub kind: String,
    pub metadata: Metadata,
    pub spec: DeliveryStreamSpec,
}

/// Who the stream is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    pub name: String,
    /// `default` where none was written.
    pub namespace: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// Why a text is no manifest.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    #[error("the manifest has {0} bytes; at most {MAX_BYTES} (1Mi) are allowed")]
    TooLarge(usize),
    #[error("the manifest is empty; write one DeliveryStream")]
    Empty,
    #[error("the manifest has more than one document; write one DeliveryStream a file")]
    Documents,
    #[error("{field}: found {found:?}, allowed is {allowed:?}")]
    Header {
        field: &'static str,
        found: String,
        allowed: &'static str,
    },
    /// Path, line and column are in the text.
    #[error("{}", for_people(.0))]
    Shape(#[from] serde_yaml::Error),
}

/// The parser's message without the names of Rust's types.
fn for_people(error: &serde_yaml::Error) -> String {
    error
        .to_string()
        .replace("unknown variant `", "unknown value `")
        .replace(", expected i32", ", expected a whole number")
        .replace(", expected struct ", ", expected the members of ")
}

/// Reads one manifest.
pub fn parse(text: &str) -> Result<Manifest, ParseError> {
    if text.len() > MAX_BYTES {
        return Err(ParseError::TooLarge(text.len()));
    }
    // first, so that another kind isn't called a DeliveryStream with unknown fields
    let header: Header = only_document(text)?;
    for (field, found, allowed) in [
        ("apiVersion", header.api_version, API_VERSION),
        ("kind", header.kind, KIND),
    ] {
        if found != allowed {
            return Err(ParseError::Header {
                field,
                found,
                allowed,
            });
        }
    }
    let written: Written = only_document(text)?;
    Ok(Manifest {
        api_version: written.api_version,
        kind: written.kind,
        metadata: Metadata {
            name: written.metadata.name,
            namespace: written.metadata.namespace,
            labels: written.metadata.labels,
            annotations: written.metadata.annotations,
        },
        spec: written.spec,
    })
}

fn only_document<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, ParseError> {
    let mut documents = serde_yaml::Deserializer::from_str(text);
    let first = documents.next().ok_or(ParseError::Empty)?;
    let is_empty = text.lines().all(|line| {
        let line = line.trim();
        line.is_empty() || line.starts_with('#') || line == "---"
    });
    if is_empty {
        return Err(ParseError::Empty);
    }
    let value = T::deserialize(first)?;
    if documents.next().is_some() {
        return Err(ParseError::Documents);
    }
    Ok(value)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a DeliveryStream")]
struct Header {
    api_version: String,
    kind: String,
}

#[derive(Deserialize)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    expecting = "a DeliveryStream"
)]
struct Written {
    api_version: String,
    kind: String,
    metadata: WrittenMetadata,
    spec: DeliveryStreamSpec,
    #[serde(default, rename = "status")]
    _status: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenMetadata {
    name: String,
    #[serde(default = "default_namespace")]
    namespace: String,
    #[serde(default, deserialize_with = "texts")]
    labels: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "texts")]
    annotations: BTreeMap<String, String>,
    #[serde(default, rename = "uid")]
    _uid: IgnoredAny,
    #[serde(default, rename = "generation")]
    _generation: IgnoredAny,
    #[serde(default, rename = "resourceVersion")]
    _resource_version: IgnoredAny,
    #[serde(default, rename = "creationTimestamp")]
    _creation_timestamp: IgnoredAny,
    #[serde(default, rename = "deletionTimestamp")]
    _deletion_timestamp: IgnoredAny,
    #[serde(default, rename = "deletionGracePeriodSeconds")]
    _deletion_grace_period_seconds: IgnoredAny,
    #[serde(default, rename = "finalizers")]
    _finalizers: IgnoredAny,
    #[serde(default, rename = "generateName")]
    _generate_name: IgnoredAny,
    #[serde(default, rename = "managedFields")]
    _managed_fields: IgnoredAny,
    #[serde(default, rename = "ownerReferences")]
    _owner_references: IgnoredAny,
    #[serde(default, rename = "selfLink")]
    _self_link: IgnoredAny,
}

fn default_namespace() -> String {
    "default".to_owned()
}

/// A map of texts that refuses a key that stands twice.
fn texts<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    struct Texts;

    impl<'de> Visitor<'de> for Texts {
        type Value = BTreeMap<String, String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map of texts")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(BTreeMap::new())
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut texts = BTreeMap::new();
            while let Some((key, text)) = map.next_entry::<String, String>()? {
                if texts.contains_key(&key) {
                    return Err(serde::de::Error::custom(format_args!(
                        "duplicate field `{key}`"
                    )));
                }
                texts.insert(key, text);
            }
            Ok(texts)
        }
    }

    from.deserialize_any(Texts)
}
