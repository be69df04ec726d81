//! The limits that are not fields of the manifest, each with its reason. README lists them.

use std::time::Duration;

/// Records in one `PutRecordBatch` (Firehose).
pub const BATCH_RECORDS: usize = 500;
/// Bytes of one record, decoded: 1,000 KiB (Firehose).
pub const RECORD_BYTES: usize = 1_000 * 1024;
/// Bytes of all records of a call, decoded: 4 MiB (Firehose).
pub const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// A Firehose body may be this much longer than the manifest's limit, so that one that is over the
/// 4 MiB of a call is told so in Firehose's words.
pub const PUT_OVERHEAD: u64 = 2 * 1024 * 1024;
/// Records in one request to `/v1/records`: one DATA frame.
pub const LINES: usize = 10_000;
/// Bytes of one request to `/v1/records`: one DATA frame.
pub const LINES_BYTES: usize = 6 * 1024 * 1024;
/// Bodies that may be in memory at once, over all connections.
pub const BYTES_IN_FLIGHT: u64 = 64 * 1024 * 1024;
/// A request that waits longer for a share of these bytes is told to try again.
pub const BYTES_WAIT: Duration = Duration::from_secs(5);
/// The head of a request must be there after this long: a slow client holds a connection no longer.
pub const HEADER_TIME: Duration = Duration::from_secs(10);
/// A whole body must be there after this long.
pub const BODY_TIME: Duration = Duration::from_secs(30);
/// Headers of a request.
pub const HEADERS: usize = 64;
/// Bytes of a request's head.
pub const HEADER_BYTES: usize = 32 * 1024;
/// After the intake ends, running requests have this long to be answered.
pub const GOODBYE: Duration = Duration::from_secs(10);
/// Characters of a producer's name that are kept.
pub const PRODUCER_CHARS: usize = 128;
/// Producers in reports.
pub const PRODUCERS: usize = 20;
