//! The `DeliveryStream` API: types, pure validation and agent reports. No I/O, no async.
//!
//! A manifest's way: [`manifest::parse`] (shape: unknown fields, types, sizes of the text) →
//! [`validate::validate`] (rules, all at once) → [`validate::ValidatedStream`], which is all that the
//! data plane reads. What can be written is [`v1alpha1`]; what turns a record into an object is the
//! [`validate::DataPath`], which outlives the manifest in the wal directory and has a format number
//! of its own. With the feature `kube` the same types make the custom resource definition.
//!
//! `v1alpha1` may gain optional fields between releases and lose none without a new version.

#[cfg(feature = "kube")]
pub mod crd;
pub mod manifest;
pub mod prefix;
pub mod quantity;
pub mod report;
pub mod v1alpha1;
pub mod validate;
