//! Which version of the data path a record goes by (W-10, I-6), and the places that it gives.

use std::sync::Arc;

use crds::validate::{
    DataPath, DataPathError, ObjectCompression, ProcessorStep, RecordFormat, Templates,
};

use crate::batch::key::{KeyParts, key};
use crate::format::{Compression, ErrorType, Shape};
use crate::object::{BatchId, Partition, Place};
use crate::partition::Stages;
use crate::processors::{Chain, Kind};
use crate::record::{Sequence, UnixMillis};
use crate::wal::VersionDigest;

/// One version, ready for use.
#[derive(Debug)]
pub struct Version {
    pub digest: VersionDigest,
    pub generation: u64,
    pub data_path: DataPath,
    pub stages: Stages,
    pub compression: Compression,
    templates: Templates,
}

impl Version {
    /// Parses what is in a data path. `destination` names the delivery in error documents.
    pub fn new(
        digest: VersionDigest,
        generation: u64,
        data_path: DataPath,
        destination: &str,
    ) -> Result<Self, DataPathError> {
        let kinds: Vec<Kind> = data_path
            .processors
            .iter()
            .map(|step| match step {
                ProcessorStep::AppendDelimiter => Kind::AppendDelimiter,
            })
            .collect();
        let shape = match data_path.format {
            RecordFormat::Raw => Shape::Raw,
            RecordFormat::NdJson => Shape::NdJson,
        };
        // lines of NdJson end with a newline anyway, never with two
        let kinds = if shape == Shape::NdJson {
            Vec::new()
        } else {
            kinds
        };
        Ok(Self {
            digest,
            generation,
            templates: data_path.templates()?,
            stages: Stages {
                chain: Chain::new(&kinds),
                shape,
                destination: destination.to_owned(),
            },
            compression: match data_path.compression {
                ObjectCompression::None => Compression::None,
                ObjectCompression::Gzip { level } => Compression::Gzip {
                    level: u32::from(level),
                },
            },
            data_path,
        })
    }

    /// Where a batch goes (D-1); [`key`] has the form of its name.
    pub fn place(&self, batch: &Named<'_>) -> Result<Place, String> {
        let (root, template) = match batch.partition {
            Partition::Data => (&self.data_path.destination.root, &self.templates.data),
            Partition::Error => (&self.data_path.error_output.root, &self.templates.error),
        };
        let key = key(&KeyParts {
            prefix: template,
            time_zone: &self.templates.time_zone,
            stream_name: &self.data_path.stream_name,
            generation: batch.generation,
            arrival: batch.arrival,
            batch: batch.id,
            error: batch.error,
            extension: &self.data_path.destination.file_extension,
        })
        .map_err(|error| error.to_string())?;
        Ok(Place {
            root: root.clone(),
            key,
        })
    }

    /// Whether a batch of `older` would lie elsewhere under this one: what a re-seal can mend.
    pub fn is_elsewhere(&self, older: &Self, partition: &Partition) -> bool {
        let place = |version: &Self| match partition {
            Partition::Data => {
                let destination = &version.data_path.destination;
                (destination.root.clone(), destination.prefix.clone())
            }
            Partition::Error => {
                let error = &version.data_path.error_output;
                (error.root.clone(), error.prefix.clone())
            }
        };
        place(self) != place(older)
    }
}

/// What a place is made of, besides the version.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    pub id: BatchId,
    pub partition: &'a Partition,
    pub arrival: UnixMillis,
    pub generation: u64,
    /// Of the error partition.
    pub error: Option<ErrorType>,
}

/// The versions in force, by the first sequence of each.
#[derive(Debug, Default)]
pub struct Versions {
    table: Vec<(Sequence, Arc<Version>)>,
}

impl Versions {
    /// A later version overrides from its first sequence on.
    pub fn set(&mut self, first: Sequence, version: Arc<Version>) {
        self.table.retain(|(from, _)| *from < first);
        self.table.push((first, version));
    }

    /// The version that a record goes by.
    pub fn of(&self, sequence: Sequence) -> Option<&Arc<Version>> {
        self.table
            .iter()
            .rev()
            .find(|(first, _)| *first <= sequence)
            .map(|(_, version)| version)
    }

    pub fn newest(&self) -> Option<&Arc<Version>> {
        self.table.last().map(|(_, version)| version)
    }

    /// Forgets versions that no record from `low_water` on goes by.
    pub fn trim(&mut self, low_water: Sequence) {
        let in_force = self
            .table
            .iter()
            .rposition(|(first, _)| *first <= low_water)
            .unwrap_or(0);
        self.table.drain(..in_force);
    }
}

#[cfg(test)]
mod tests {
    use crds::validate::{DataPathParts, DataPlace, ErrorPlace, PlaceType};
    use uuid::Uuid;

    use super::*;

    fn version(root: &str, generation: u64) -> Arc<Version> {
        let path = DataPath::new(DataPathParts {
            stream_name: "orders".into(),
            processors: Vec::new(),
            format: RecordFormat::NdJson,
            compression: ObjectCompression::Gzip { level: 6 },
            destination: DataPlace {
                kind: PlaceType::FileSystem,
                root: root.into(),
                prefix: "x/!{timestamp:yyyy}/".into(),
                file_extension: ".gz".into(),
                time_zone: "UTC".into(),
            },
            error_output: ErrorPlace {
                kind: PlaceType::FileSystem,
                root: "/errors".into(),
                prefix: "!{firehose:error-output-type}/".into(),
            },
        });
        let digest = VersionDigest([0; 32]);
        Arc::new(Version::new(digest, generation, path, "lake").expect("it parses"))
    }

    #[test]
    fn a_batch_lies_where_its_version_says() {
        let (data, error) = (Partition::Data, Partition::Error);
        let named = Named {
            id: BatchId(Uuid::nil()),
            partition: &data,
            arrival: UnixMillis(1_795_000_000_000),
            generation: 3,
            error: None,
        };
        let name = "orders-3-2026-11-18-11-06-40-00000000-0000-0000-0000-000000000000.gz";
        let place = version("/d", 1).place(&named).expect("a place");
        assert_eq!(
            (place.root.as_str(), place.key),
            ("/d", format!("x/2026/{name}"))
        );
        let named = Named {
            partition: &error,
            error: Some(ErrorType::FormatConversionFailed),
            ..named
        };
        let place = version("/d", 1).place(&named).expect("a place");
        assert_eq!(
            (place.root.as_str(), place.key),
            ("/errors", format!("format-conversion-failed/{name}"))
        );
    }

    #[test]
    fn only_what_moves_the_partition_is_elsewhere() {
        let (here, there) = (version("/a", 1), version("/b", 1));
        assert!(there.is_elsewhere(&here, &Partition::Data));
        assert!(!there.is_elsewhere(&here, &Partition::Error));
    }

    #[test]
    fn a_record_goes_by_the_last_version_that_begins_before_it() {
        let mut versions = Versions::default();
        for (first, generation) in [(1, 1), (10, 2), (20, 3), (15, 4)] {
            versions.set(Sequence(first), version("/a", generation));
        }
        let of = |sequence| {
            versions
                .of(Sequence(sequence))
                .map(|version| version.generation)
        };
        assert_eq!(
            [0, 1, 9, 10, 14, 15, 99].map(of),
            [None, Some(1), Some(1), Some(2), Some(2), Some(4), Some(4)]
        );
        versions.trim(Sequence(12));
        assert_eq!(versions.table.len(), 2);
    }
}
