//! `PutRecord` and `PutRecordBatch`: AWS JSON 1.1 on `POST /`, codes and shapes AWS's, messages and
//! record ids ours (API version 2015-08-04).
//!
//! A request is parsed in one pass that decodes each `Data` straight into the frame: no list of
//! strings, and nothing of it outlives the pass.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use serde::Serialize;
use serde::de::{self, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::limits::{BATCH_BYTES, BATCH_RECORDS, RECORD_BYTES};
use crate::object::ShardId;
use crate::record::Sequence;
use crate::wal::FrameBuf;

/// What `X-Amz-Target` begins with.
const TARGET: &str = "Firehose_20150804.";
/// The content type of requests and replies.
pub const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// The operations of this release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    PutRecord,
    PutRecordBatch,
}

impl Operation {
    pub fn of(target: &str) -> Result<Self, Refusal> {
        match target.strip_prefix(TARGET) {
            Some("PutRecord") => Ok(Self::PutRecord),
            Some("PutRecordBatch") => Ok(Self::PutRecordBatch),
            _ => Err(Refusal::UnknownOperation(
                target.chars().take(100).collect(),
            )),
        }
    }
}

/// Every way in which a call is refused. The table of codes is [`Refusal::code`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    UnknownOperation(String),
    /// No JSON of the right shape.
    Serialization(String),
    /// A member breaks a constraint of the model.
    Validation(String),
    InvalidArgument(String),
    /// Another stream's name.
    NotFound(String),
    Denied,
    /// Try again.
    Unavailable(String),
    TooLarge(String),
    Timeout,
}

impl Refusal {
    /// Code and HTTP status, as AWS has them (`ServiceUnavailableException` is 500, not 503).
    pub fn code(&self) -> (&'static str, StatusCode) {
        match self {
            Self::UnknownOperation(_) => ("UnknownOperationException", StatusCode::BAD_REQUEST),
            Self::Serialization(_) => ("SerializationException", StatusCode::BAD_REQUEST),
            Self::Validation(_) => ("ValidationException", StatusCode::BAD_REQUEST),
            Self::InvalidArgument(_) => ("InvalidArgumentException", StatusCode::BAD_REQUEST),
            Self::NotFound(_) => ("ResourceNotFoundException", StatusCode::BAD_REQUEST),
            Self::Denied => ("AccessDeniedException", StatusCode::FORBIDDEN),
            Self::Unavailable(_) => (
                "ServiceUnavailableException",
                StatusCode::INTERNAL_SERVER_ERROR,
            ),
            Self::TooLarge(_) => (
                "RequestEntityTooLargeException",
                StatusCode::PAYLOAD_TOO_LARGE,
            ),
            Self::Timeout => ("RequestTimeoutException", StatusCode::REQUEST_TIMEOUT),
        }
    }

    /// For people.
    pub fn message(&self) -> String {
        match self {
            Self::UnknownOperation(target) => format!(
                "{target:?} is no operation of this endpoint; it has {TARGET}PutRecord and \
                 {TARGET}PutRecordBatch"
            ),
            Self::Serialization(why)
            | Self::Validation(why)
            | Self::InvalidArgument(why)
            | Self::Unavailable(why)
            | Self::TooLarge(why) => why.clone(),
            Self::NotFound(name) => {
                let name: String = name.chars().take(100).collect();
                format!("Firehose {name} not found.")
            }
            Self::Denied => "a bearer token is needed: Authorization: Bearer <token>".to_owned(),
            Self::Timeout => "the request was not received in time".to_owned(),
        }
    }

    /// The body of the reply.
    pub fn body(&self) -> Vec<u8> {
        let body = serde_json::json!({"__type": self.code().0, "message": self.message()});
        body.to_string().into_bytes()
    }
}

/// A call, parsed.
#[derive(Debug)]
pub struct Put {
    pub stream: String,
    pub records: FrameBuf,
}

/// Parses a call's body.
pub fn parse(operation: Operation, body: &[u8]) -> Result<Put, Refusal> {
    let call = Call {
        operation,
        refusal: RefCell::new(None),
        records: RefCell::new(FrameBuf::with_capacity(body.len() / 4 * 3)),
    };
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let parsed = (&call)
        .deserialize(&mut deserializer)
        .and_then(|stream| deserializer.end().map(|()| stream));
    if let Some(refusal) = call.refusal.into_inner() {
        return Err(refusal);
    }
    let stream = parsed.map_err(|error| {
        Refusal::Serialization(format!("the body is not the JSON of this call: {error}"))
    })?;
    let records = call.records.into_inner();
    if operation == Operation::PutRecordBatch && records.byte_len() > BATCH_BYTES {
        let found = records.byte_len();
        let message = format!("Records size exceeds 4 MB limit ({found} bytes, decoded)");
        return Err(Refusal::InvalidArgument(message));
    }
    Ok(Put { stream, records })
}

/// The state of one pass.
struct Call {
    operation: Operation,
    refusal: RefCell<Option<Refusal>>,
    records: RefCell<FrameBuf>,
}

impl Call {
    fn refuse<E: de::Error>(&self, refusal: Refusal) -> E {
        *self.refusal.borrow_mut() = Some(refusal);
        E::custom("refused")
    }

    fn missing<E: de::Error>(&self, member: &str) -> E {
        self.refuse(Refusal::Validation(format!(
            "1 validation error detected: Value null at '{member}' failed to satisfy constraint: \
             Member must not be null"
        )))
    }

    fn twice<E: de::Error>(&self, member: &str) -> E {
        self.refuse(Refusal::Serialization(format!("{member} stands twice")))
    }
}

impl<'de> DeserializeSeed<'de> for &Call {
    type Value = String;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &Call {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<String, A::Error> {
        let (mut stream, mut seen) = (None, false);
        let wanted = match self.operation {
            Operation::PutRecord => "Record",
            Operation::PutRecordBatch => "Records",
        };
        while let Some(name) = members.next_key::<String>()? {
            if name == "DeliveryStreamName" {
                if stream.is_some() {
                    return Err(self.twice(&name));
                }
                stream = Some(members.next_value::<String>()?);
            } else if name == wanted {
                if std::mem::replace(&mut seen, true) {
                    return Err(self.twice(&name));
                }
                match self.operation {
                    Operation::PutRecord => members.next_value_seed(One(self))?,
                    Operation::PutRecordBatch => members.next_value_seed(Many(self))?,
                }
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        if !seen {
            return Err(self.missing(if wanted == "Record" {
                "record"
            } else {
                "records"
            }));
        }
        stream.ok_or_else(|| self.missing("deliveryStreamName"))
    }
}

/// The list of records.
struct Many<'a>(&'a Call);

impl<'de> DeserializeSeed<'de> for Many<'_> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Many<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut records: A) -> Result<(), A::Error> {
        let mut count = 0;
        while records.next_element_seed(One(self.0))?.is_some() {
            count += 1;
            if count > BATCH_RECORDS {
                return Err(self.0.refuse(Refusal::Validation(format!(
                    "1 validation error detected: Value at 'records' failed to satisfy constraint: \
                     Member must have length less than or equal to {BATCH_RECORDS}"
                ))));
            }
        }
        if count == 0 {
            return Err(self.0.refuse(Refusal::Validation(
                "1 validation error detected: Value '[]' at 'records' failed to satisfy \
                 constraint: Member must have length greater than or equal to 1"
                    .to_owned(),
            )));
        }
        Ok(())
    }
}

/// One record: `{"Data": "<base64>"}`.
struct One<'a>(&'a Call);

impl<'de> DeserializeSeed<'de> for One<'_> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for One<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record with Data")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut seen = false;
        while let Some(name) = members.next_key::<String>()? {
            if name == "Data" {
                if std::mem::replace(&mut seen, true) {
                    return Err(self.0.twice("Data"));
                }
                members.next_value_seed(Data(self.0))?;
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        if seen {
            Ok(())
        } else {
            Err(self.0.missing("record.data"))
        }
    }
}

/// The text of a record's bytes.
struct Data<'a>(&'a Call);

impl<'de> DeserializeSeed<'de> for Data<'_> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Data<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("base64 text")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        let mut records = self.0.records.borrow_mut();
        let number = records.count() + 1;
        let length = records
            .push_with(|bytes| STANDARD.decode_vec(text, bytes))
            .map_err(|error| {
                self.0.refuse(Refusal::Serialization(format!(
                    "Data of record {number} is no base64: {error}"
                )))
            })?;
        if length > RECORD_BYTES {
            return Err(self.0.refuse(Refusal::Validation(format!(
                "1 validation error detected: Value at 'records.{number}.member.data' failed to \
                 satisfy constraint: Member must have length less than or equal to {RECORD_BYTES}"
            ))));
        }
        Ok(())
    }
}

/// One entry of a batch's reply.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Entry {
    #[serde(rename_all = "PascalCase")]
    Accepted { record_id: String },
    #[serde(rename_all = "PascalCase")]
    Failed {
        error_code: &'static str,
        error_message: String,
    },
}

/// The body of a success.
pub fn reply(operation: Operation, shard: ShardId, sequences: &Range<Sequence>) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct One {
        record_id: String,
        encrypted: bool,
    }
    let body = match operation {
        Operation::PutRecord => serde_json::to_vec(&One {
            record_id: record_id(shard, sequences.start),
            encrypted: false,
        }),
        Operation::PutRecordBatch => {
            let accepted = (sequences.start.0..sequences.end.0).map(|sequence| Entry::Accepted {
                record_id: record_id(shard, Sequence(sequence)),
            });
            serde_json::to_vec(&Batch::of(accepted.collect()))
        }
    };
    // numbers and strings always have a JSON form
    body.unwrap_or_default()
}

/// The reply to `PutRecordBatch`, its members in AWS's order. Requests are accepted or refused whole,
/// so none has failed entries yet.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Batch {
    failed_put_count: usize,
    encrypted: bool,
    request_responses: Vec<Entry>,
}

impl Batch {
    pub fn of(entries: Vec<Entry>) -> Self {
        let failed = entries
            .iter()
            .filter(|entry| matches!(entry, Entry::Failed { .. }));
        Self {
            failed_put_count: failed.count(),
            encrypted: false,
            request_responses: entries,
        }
    }
}

/// Unique, and the same record's for ever: shard and sequence in hex.
fn record_id(shard: ShardId, sequence: Sequence) -> String {
    format!("{shard}{:016x}", sequence.0)
}

#[cfg(test)]
mod tests;
