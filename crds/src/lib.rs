//! The `DeliveryStream` API: types, pure validation and agent reports.
