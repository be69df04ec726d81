//! One step of getting a sealed batch to its place: a look, or a create.

use std::sync::Arc;

use bytes::Bytes;

use crate::batch::{Body, Part};
use crate::destination::Destination;
use crate::executor::Executor;
use crate::object::{BatchId, Failure, FailureClass, Outcome, Presence, SealedBatch};

/// What one step needs. It owns all of it: it runs as a task.
#[derive(Debug)]
pub(super) struct Parcel {
    /// At the first place.
    pub(super) id: BatchId,
    pub(super) batch: SealedBatch,
    pub(super) lengths: Vec<u64>,
    pub(super) destination: Arc<dyn Destination>,
    pub(super) executor: Executor,
}

/// How a step ended.
#[derive(Debug)]
pub(super) enum Answer {
    Looked(Presence),
    Created(Outcome),
}

impl Parcel {
    pub(super) async fn look(self) -> (BatchId, Answer) {
        let presence = self
            .destination
            .head(&self.batch.object(), &self.lengths)
            .await;
        (self.id, Answer::Looked(presence))
    }

    pub(super) async fn create(self, body: Body) -> (BatchId, Answer) {
        let outcome = self.send(&body).await.unwrap_or_else(Outcome::NotSent);
        (self.id, Answer::Created(outcome))
    }

    async fn send(&self, body: &Body) -> Result<Outcome, Failure> {
        let object = self.batch.object();
        let mut upload = self.destination.begin(&object).await?;
        for part in body.parts() {
            let bytes = match self.read(part).await {
                Ok(bytes) => bytes,
                Err(failure) => {
                    // what is left behind is thrown away with the next begin
                    upload.abort().await.ok();
                    return Err(failure);
                }
            };
            if let Err(failure) = upload.part(bytes).await {
                upload.abort().await.ok();
                return Err(failure);
            }
        }
        Ok(upload.create(&self.batch).await)
    }

    async fn read(&self, part: &Part) -> Result<Bytes, Failure> {
        let failed = |message: String| Failure {
            class: FailureClass::Destination,
            message: format!("the spill directory could not be read: {message}"),
        };
        let part = part.clone();
        match self.executor.blocking(move || part.read()).await {
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(lost) => Err(failed(lost.to_string())),
        }
    }
}
