//! The payloads of control frames (W-5). Numbers are little endian, texts and lists carry a u32
//! length or count. Golden bytes of each are held in the tests.

use uuid::Uuid;

use crate::object::{
    BatchId, BatchIdentity, CursorId, Incarnation, Partition, Place, SealedBatch, ShardId,
};
use crate::record::{Sequence, UnixMillis};
use crate::runs::Runs;

use super::codec::{Malformed, Put, Take};
use super::control::{Control, OutputId, Removed, VersionDigest};
use super::frame::Kind;

impl Control {
    /// The kind of its frame.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Cursor { .. } => Kind::Cursor,
            Self::Version { .. } => Kind::Version,
            Self::Upload { .. } => Kind::Upload,
            Self::Seal(_) => Kind::Seal,
            Self::Reseal { .. } => Kind::Reseal,
            Self::Done { .. } => Kind::Done,
            Self::GiveUp { .. } => Kind::GiveUp,
            Self::Loss { .. } => Kind::Loss,
        }
    }

    /// Its payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut put = Put::default();
        match self {
            Self::Cursor {
                cursor,
                name,
                first,
            } => {
                put.u64(cursor.0);
                put.u64(first.0);
                put.bytes(name.as_bytes());
            }
            Self::Version {
                cursor,
                first,
                generation,
                digest,
            } => {
                put.u64(cursor.0);
                put.u64(first.0);
                put.u64(*generation);
                put.raw(&digest.0);
            }
            Self::Upload {
                cursor,
                batch,
                place,
                upload,
            } => {
                put.u64(cursor.0);
                put.raw(batch.0.as_bytes());
                put_place(&mut put, place);
                put.bytes(upload.as_bytes());
            }
            Self::Seal(batch) => put_sealed(&mut put, batch),
            Self::Reseal {
                cursor,
                batch,
                reseal,
                place,
            } => {
                put.u64(cursor.0);
                put.raw(batch.0.as_bytes());
                put.u32(*reseal);
                put_place(&mut put, place);
            }
            Self::Done {
                cursor,
                batch,
                rejects,
            } => {
                put.u64(cursor.0);
                put.raw(batch.0.as_bytes());
                put.length(rejects.len());
                for removed in rejects {
                    put.u64(removed.output.sequence.0);
                    put.u32(removed.output.index);
                    put.bytes(removed.reason.as_bytes());
                }
            }
            Self::GiveUp {
                cursor,
                batch,
                verified,
                reason,
            } => {
                put.u64(cursor.0);
                put.raw(batch.0.as_bytes());
                put.u8(u8::from(*verified));
                put.bytes(reason.as_bytes());
            }
            Self::Loss {
                sequences,
                records,
                reason,
            } => {
                put.u64(sequences.start.0);
                put.u64(sequences.end.0);
                put.u64(*records);
                put.bytes(reason.as_bytes());
            }
        }
        put.0
    }

    /// Reads the payload of a frame of this kind.
    pub fn decode(kind: Kind, payload: &[u8]) -> Result<Self, Malformed> {
        let take = &mut Take::new(payload, "control frame");
        let control = match kind {
            Kind::Cursor => {
                let (cursor, first) = (take_cursor(take)?, take_sequence(take)?);
                Self::Cursor {
                    cursor,
                    name: take.text()?,
                    first,
                }
            }
            Kind::Version => Self::Version {
                cursor: take_cursor(take)?,
                first: take_sequence(take)?,
                generation: take.u64()?,
                digest: VersionDigest(take.array()?),
            },
            Kind::Upload => Self::Upload {
                cursor: take_cursor(take)?,
                batch: take_batch(take)?,
                place: take_place(take)?,
                upload: take.text()?,
            },
            Kind::Seal => Self::Seal(take_sealed(take)?),
            Kind::Reseal => Self::Reseal {
                cursor: take_cursor(take)?,
                batch: take_batch(take)?,
                reseal: take.u32()?,
                place: take_place(take)?,
            },
            Kind::Done => {
                let (cursor, batch) = (take_cursor(take)?, take_batch(take)?);
                let count = take.count(16)?;
                let mut rejects = Vec::with_capacity(count);
                for _ in 0..count {
                    let output = OutputId {
                        sequence: take_sequence(take)?,
                        index: take.u32()?,
                    };
                    rejects.push(Removed {
                        output,
                        reason: take.text()?,
                    });
                }
                Self::Done {
                    cursor,
                    batch,
                    rejects,
                }
            }
            Kind::GiveUp => Self::GiveUp {
                cursor: take_cursor(take)?,
                batch: take_batch(take)?,
                verified: take.u8()? != 0,
                reason: take.text()?,
            },
            Kind::Loss => Self::Loss {
                sequences: take_sequence(take)?..take_sequence(take)?,
                records: take.u64()?,
                reason: take.text()?,
            },
            Kind::Data | Kind::Checkpoint => return Err(take.malformed()),
        };
        take.end()?;
        Ok(control)
    }
}

fn put_place(put: &mut Put, place: &Place) {
    put.bytes(place.root.as_bytes());
    put.bytes(place.key.as_bytes());
}

fn take_place(take: &mut Take<'_>) -> Result<Place, Malformed> {
    Ok(Place {
        root: take.text()?,
        key: take.text()?,
    })
}

fn take_cursor(take: &mut Take<'_>) -> Result<CursorId, Malformed> {
    take.u64().map(CursorId)
}

fn take_sequence(take: &mut Take<'_>) -> Result<Sequence, Malformed> {
    take.u64().map(Sequence)
}

fn take_batch(take: &mut Take<'_>) -> Result<BatchId, Malformed> {
    take.array().map(|bytes| BatchId(Uuid::from_bytes(bytes)))
}

fn put_sealed(put: &mut Put, batch: &SealedBatch) {
    put.raw(batch.identity.shard.0.as_bytes());
    put.u64(batch.identity.incarnation.0);
    put.u64(batch.identity.cursor.0);
    put.u64(batch.identity.first_sequence.0);
    put.bytes(batch.identity.partition.tag());
    put.u32(batch.reseal);
    put_place(put, &batch.place);
    put.u64(batch.generation);
    put.i64(batch.arrival.0);
    put.u64(batch.count);
    put.u64(batch.length);
    put.raw(&batch.digest);
    batch.runs.encode(&mut put.0);
}

fn take_sealed(take: &mut Take<'_>) -> Result<SealedBatch, Malformed> {
    let malformed = take.malformed();
    let shard = ShardId(Uuid::from_bytes(take.array()?));
    let incarnation = Incarnation(take.u64()?);
    let cursor = take_cursor(take)?;
    let first_sequence = take_sequence(take)?;
    let partition = Partition::from_tag(take.bytes()?).ok_or(malformed)?;
    let identity = BatchIdentity {
        shard,
        incarnation,
        cursor,
        partition,
        first_sequence,
    };
    let reseal = take.u32()?;
    let place = take_place(take)?;
    let generation = take.u64()?;
    let arrival = UnixMillis(take.i64()?);
    let count = take.u64()?;
    let length = take.u64()?;
    let digest = take.array()?;
    let runs = Runs::decode(&mut take.rest).map_err(|_| malformed)?;
    Ok(SealedBatch {
        identity,
        reseal,
        place,
        generation,
        arrival,
        count,
        length,
        digest,
        runs,
    })
}

#[cfg(test)]
mod tests;
