//! Measures how long appends take, from the outside.

use std::ops::Range;

use tokio::time::Instant;

use crate::ingest::Log;
use crate::metrics::AppendTime;
use crate::record::Sequence;
use crate::wal::{AppendError, Appender, Payload, Reservation};

/// The wal's appender with a stop watch.
#[derive(Clone, Debug)]
pub(super) struct Timed {
    appender: Appender,
    time: AppendTime,
}

impl Timed {
    pub(super) fn new(appender: Appender, time: AppendTime) -> Self {
        Self { appender, time }
    }
}

impl Log for Timed {
    type Reservation = Reservation;

    fn reserve(&self, bytes: u64) -> Result<Reservation, AppendError> {
        self.appender.reserve(bytes)
    }

    async fn append(
        &self,
        payload: Payload,
        room: Reservation,
    ) -> Result<Range<Sequence>, AppendError> {
        let begun = Instant::now();
        let appended = self.appender.append(payload, room).await;
        self.time.record(begun.elapsed());
        appended
    }
}
