//! The write-ahead log of one stream on one directory.

pub mod control;
pub mod handle;
pub mod payload;

pub use control::{Control, FrameAt, OutputId, Removed, VersionDigest};
pub use handle::{
    AppendError, Appender, Counts, Cursor, CursorState, Journal, LogError, Progress, Read,
    ReadError, Reservation, VersionEntry, Wal, WalStatus,
};
pub use payload::{FrameBuf, Payload, RecordBatch};
