//! Where sealed batches go: one trait, one conformance suite. No retry, batching or metrics inside
//! a destination; those are decorators, and there is one retry loop, in [`crate::delivery`].
//!
//! To add one: a file below `destination/`, its member of the CRD's union, a line in
//! [`open`](crate::pipeline), a line in the conformance suite.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

use crate::object::{Failure, ObjectId, Outcome, Presence, SealedBatch};

#[cfg(test)]
pub mod conformance;
pub mod file_system;
pub mod retrying;

/// A boxed future: the trait is used as an object.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A place that takes objects.
pub trait Destination: Debug + Send + Sync {
    /// Begins an upload; nothing becomes visible by it.
    fn begin<'a>(&'a self, object: &'a ObjectId) -> Boxed<'a, Result<Box<dyn Upload>, Failure>>;

    /// Whether the object is there (D-9). `lengths` are those that a SEAL of the batch names.
    fn head<'a>(&'a self, object: &'a ObjectId, lengths: &'a [u64]) -> Boxed<'a, Presence>;

    /// Looks whether the destination could take an object now, without leaving anything there.
    fn check(&self) -> Boxed<'_, Result<(), Failure>>;
}

/// An object on its way: invisible until `create`.
pub trait Upload: Debug + Send {
    /// Sends the next bytes.
    fn part(&mut self, bytes: Bytes) -> Boxed<'_, Result<(), Failure>>;

    /// Makes the object visible under its name, unless something has that name. `Created` means
    /// that it is durable there.
    fn create(self: Box<Self>, batch: &SealedBatch) -> Boxed<'_, Outcome>;

    /// Throws away what was sent.
    fn abort(self: Box<Self>) -> Boxed<'static, Result<(), Failure>>;
}
