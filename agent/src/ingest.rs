//! Intake: records come in over HTTP, are appended to the wal, and only then acknowledged (I-1).
//!
//! `POST /` is Amazon Data Firehose's API ([`firehose`]), `POST /v1/records` takes JSON ([`records`]).
//! HTTP/1.1: AWS SDKs and the other producers speak it to plain endpoints; HTTP/2 comes with TLS.
//! A request that was begun to be appended is appended even if its client goes away.

pub mod admission;
pub mod auth;
pub mod firehose;
pub mod http;
pub mod limits;
pub mod producers;
pub mod records;

use std::fmt::Debug;
use std::future::Future;
use std::ops::Range;

pub use http::{Config, Handle, Server, Snapshot};

use crate::record::Sequence;
use crate::wal::{AppendError, Appender, Payload, Reservation};

/// Where records are made durable.
pub trait Log: Clone + Debug + Send + Sync + 'static {
    /// Room for one batch, given back when dropped.
    type Reservation: Send + 'static;

    /// Takes room for a payload of about `bytes`, before it is received.
    fn reserve(&self, bytes: u64) -> Result<Self::Reservation, AppendError>;

    /// Appends; resolves only when the records are durable.
    fn append(
        &self,
        payload: Payload,
        room: Self::Reservation,
    ) -> impl Future<Output = Result<Range<Sequence>, AppendError>> + Send;
}

impl Log for Appender {
    type Reservation = Reservation;

    fn reserve(&self, bytes: u64) -> Result<Reservation, AppendError> {
        Self::reserve(self, bytes)
    }

    async fn append(
        &self,
        payload: Payload,
        room: Reservation,
    ) -> Result<Range<Sequence>, AppendError> {
        Self::append(self, payload, room).await
    }
}
