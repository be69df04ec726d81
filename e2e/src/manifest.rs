//! Manifests as the tests write them: one valid `DeliveryStream`, changed member by member.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::firehose::STREAM;

/// A manifest; JSON is YAML, so it is written as JSON.
#[derive(Debug, Clone)]
pub struct Manifest(Value);

impl Manifest {
    /// `DirectPut` on `port` → gzip NDJSON below `directory`, sealed at 64 KiB or after a second.
    pub fn new(port: u16, directory: &Path) -> Self {
        Self(json!({
            "apiVersion": "standpipe.dev/v1alpha1",
            "kind": "DeliveryStream",
            "metadata": { "name": STREAM },
            "spec": {
                "source": { "type": "DirectPut", "directPut": { "port": port } },
                "wal": { "capacity": "256Mi" },
                "destinations": [{
                    "name": "lake",
                    "type": "FileSystem",
                    "fileSystem": { "directory": directory, "prefix": "data/" },
                    "format": { "type": "NdJson", "compression": { "type": "Gzip" } },
                    "buffering": { "size": "64Ki", "intervalSeconds": 1 },
                }],
            },
        }))
    }

    /// Sets the member at a JSON pointer; a missing last step of an object is added.
    ///
    /// # Errors
    /// The parent isn't there or is no object or list.
    pub fn set(&mut self, pointer: &str, value: Value) -> Result<&mut Self> {
        let (parent, name) = pointer
            .rsplit_once('/')
            .context("a pointer starts with /")?;
        let parent = self
            .0
            .pointer_mut(parent)
            .with_context(|| format!("no {parent}"))?;
        match parent {
            Value::Object(members) => {
                members.insert(name.to_owned(), value);
            }
            Value::Array(items) => {
                let item = items.get_mut(name.parse::<usize>()?);
                *item.with_context(|| format!("no {pointer}"))? = value;
            }
            _ => anyhow::bail!("{pointer} has no members"),
        }
        Ok(self)
    }

    /// Sets where the destination writes.
    ///
    /// # Errors
    /// As [`Manifest::set`].
    pub fn set_directory(&mut self, directory: &Path) -> Result<&mut Self> {
        self.set(
            "/spec/destinations/0/fileSystem/directory",
            json!(directory),
        )
    }

    /// The text of the file.
    pub fn text(&self) -> String {
        format!("{:#}\n", self.0)
    }

    /// Replaces the file in one step, as an editor or a mounted `ConfigMap` does.
    ///
    /// # Errors
    /// The file system's.
    pub fn write(&self, path: &Path) -> Result<()> {
        let fresh = path.with_extension("new");
        std::fs::write(&fresh, self.text())?;
        std::fs::rename(&fresh, path)?;
        Ok(())
    }
}
